//! A live class over real sockets and a real transcoder, without a browser.

use std::collections::BTreeSet;
use std::time::Duration;

use millet_server::id::ActId;
use millet_server::live::room::act::{Act, Request};
use millet_server::live::store;
use millet_server::stream::wire::{
    ClientMessage, Follow, Header, Hello, LiveWish, Payload, ServerMessage, flag,
};
use millet_tests::kit::class::{connect, hear, recorder};
use millet_tests::kit::{
    Class, Engines, Publisher, Server, Storage, Village, Visitor, media, until,
};
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, Event, hello};
use tokio::time::{Instant, timeout};

/// Length of what the teacher shows, seconds.
const SECONDS: u32 = 14;

async fn school(engines: Engines) -> (Storage, Village, Server, Class) {
    let storage = engines.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let class = Class::schedule(&village).await;
    (storage, village, server, class)
}

fn wish(class: &Class, events_after: Option<u64>) -> Hello {
    let mut hello = hello(class.timeline, Host::session());
    hello.live = Some(LiveWish {
        follow: Follow::All,
        at_edge: true,
        events_after,
    });
    hello
}

/// What a viewer got so far.
#[derive(Default)]
struct Seen {
    chunks: Vec<Header>,
    words: Vec<serde_json::Value>,
    ended: bool,
    /// It is no class any more.
    recorded: bool,
}

impl Seen {
    /// Watches until `enough` says so.
    async fn watch(&mut self, client: &mut Client, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let event = timeout(Duration::from_secs(30), client.next()).await;
            match event.expect("nothing came").unwrap() {
                Event::Media(header, _) => {
                    if header.payload == Payload::Chunk {
                        self.chunks.push(header);
                    }
                    // Of a recording everything comes at once.
                    if self.recorded {
                        client.ack_some(1_500).await.unwrap();
                    } else {
                        client.ack(1_500).await.unwrap();
                    }
                }
                Event::Control(ServerMessage::End) => self.ended = true,
                Event::Control(_) => {}
                Event::Words(words) => self.words.push(words),
            }
        }
    }

    fn lane(&self, audio: bool) -> Vec<&Header> {
        let lane = self.chunks.iter();
        lane.filter(|header| header.has(flag::AUDIO) == audio)
            .collect()
    }

    /// Time of sound that came, milliseconds.
    fn heard_ms(&self) -> u64 {
        self.lane(true)
            .iter()
            .map(|h| u64::from(h.duration_ms))
            .sum()
    }

    fn said(&self, text: &str) -> bool {
        self.words
            .iter()
            .any(|words| words.to_string().contains(text))
    }
}

/// Nothing twice, no gap that is not marked, no picture that cannot be decoded.
fn is_whole(lane: &[&Header]) {
    for pair in lane.windows(2) {
        let (before, next) = (pair[0], pair[1]);
        assert!(before.start_ms < next.start_ms, "{before:?} {next:?}");
        let missing = before.start_ms + before.duration_ms != next.start_ms;
        assert!(!missing || next.has(flag::GAP), "{before:?} {next:?}");
        let begins = missing || before.rendition != next.rendition;
        assert!(!begins || next.has(flag::KEYFRAME), "{before:?} {next:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_is_taught_survives_a_kill_and_becomes_a_lesson() {
    for engines in Engines::ALL {
        let (storage, village, server, class) = school(engines).await;
        let recording = media::lecture(storage.folder(), SECONDS);
        let file = recorder(&recording, storage.folder());
        let length = Duration::from_secs(SECONDS.into());
        let teacher = Visitor::signed_in(server.address, "teacher").await;
        let student = Visitor::signed_in(server.address, "student").await;
        assert_eq!(student.get(&class.path("")).await.status(), 200);
        assert_eq!(teacher.post(&class.path("/open"), &[]).await.status(), 303);

        // Whoever is early sees the room before there is a picture.
        let mut client = Client::connect(server.address, &student.session_token())
            .await
            .unwrap();
        let welcome = client.hello(wish(&class, None)).await.unwrap();
        assert!(welcome.rungs.len() >= 4, "{:?}", welcome.rungs);
        let publisher = Publisher::start(server.address, &class, &teacher, &file, length).await;
        let mut seen = Seen::default();
        seen.watch(&mut client, |seen| {
            seen.heard_ms() >= 6_000 && seen.lane(false).len() > 6
        })
        .await;
        is_whole(&seen.lane(true));
        is_whole(&seen.lane(false));
        assert!(seen.said("\"type\":\"room\""));

        // The learner says something, and the power goes.
        let request = Request {
            id: ActId::new(),
            act: Act::Chat {
                text: "Where do they swarm to?".into(),
                group: None,
            },
        };
        let request = serde_json::to_value(&request).unwrap();
        client.send(&ClientMessage::Act { request }).await.unwrap();
        seen.watch(&mut client, |seen| seen.said("acted")).await;
        let (resume, receipt) = (client.resume(), client.receipt.clone());
        server.kill().await;
        publisher.cut();
        drop(client);
        let server = Server::start(&storage).await;
        let teacher = teacher.at(server.address);
        let student = student.at(server.address);
        let mut client = Client::connect(server.address, &student.session_token())
            .await
            .unwrap();
        let again = Hello {
            resume,
            receipt,
            ..wish(&class, Some(0))
        };
        client.hello(again).await.unwrap();
        let publisher = Publisher::start(server.address, &class, &teacher, &file, length).await;
        let before = seen.heard_ms();
        seen.watch(&mut client, |seen| seen.heard_ms() >= before + 4_000)
            .await;
        is_whole(&seen.lane(true));
        is_whole(&seen.lane(false));
        assert!(
            seen.words
                .iter()
                .filter(|w| w.to_string().contains("swarm to"))
                .count()
                >= 2,
            "what was said before the power went is there afterwards"
        );
        let ending = async {
            let recorded_ms = publisher.finish().await;
            assert!(recorded_ms >= 12_000, "{recorded_ms}");
            assert_eq!(teacher.post(&class.path("/end"), &[]).await.status(), 303);
            recorded_ms
        };
        let to_the_end = seen.watch(&mut client, |seen| seen.ended);
        let (recorded_ms, ()) = tokio::join!(ending, to_the_end);
        let duration_ms = until("the class is closed", Duration::from_secs(30), || async {
            let mut connection = village.db.read().await.unwrap();
            let row = store::find(&mut connection, class.id)
                .await
                .unwrap()
                .unwrap();
            row.ended_at?;
            let (duration,): (i64,) =
                sqlx::query_as("select duration_ms from timeline where id = $1")
                    .bind(class.timeline)
                    .fetch_one(&mut *connection)
                    .await
                    .unwrap();
            Some(u64::try_from(duration).unwrap())
        })
        .await;
        assert!(duration_ms >= recorded_ms, "{duration_ms} {recorded_ms}");

        // The class is a lesson: the same timeline, from its beginning.
        let mut client = Client::connect(server.address, &student.session_token())
            .await
            .unwrap();
        let lesson = client
            .hello(hello(class.timeline, Host::session()))
            .await
            .unwrap();
        assert_eq!(lesson.duration_ms, duration_ms);
        let mut replay = Seen {
            recorded: true,
            ..Seen::default()
        };
        replay.watch(&mut client, |seen| seen.ended).await;
        is_whole(&replay.lane(true));
        is_whole(&replay.lane(false));
        let live: BTreeSet<_> = seen
            .lane(true)
            .iter()
            .map(|h| (h.sequence, h.part))
            .collect();
        let kept: BTreeSet<_> = replay
            .lane(true)
            .iter()
            .map(|h| (h.sequence, h.part))
            .collect();
        let lost: Vec<_> = live.difference(&kept).collect();
        // The last two seconds before the power went were not yet durable.
        assert!(
            lost.len() <= 12,
            "{engines:?}: heard but not kept: {lost:?}"
        );
        let page = student
            .get(&format!(
                "/courses/{}/lessons/{}",
                class.course, class.lesson
            ))
            .await;
        assert_eq!(page.status(), 200);
        let playlist = student
            .get(&format!("/media/{}/live.m3u8", class.timeline))
            .await;
        assert!(playlist.text().await.unwrap().contains("#EXT-X-STREAM-INF"));
        server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn players_without_the_stream_get_playlists_parts_and_an_endless_sound() {
    let (storage, _village, server, class) = school(Engines::Embedded).await;
    let recording = media::lecture(storage.folder(), SECONDS);
    let file = recorder(&recording, storage.folder());
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    let student = Visitor::signed_in(server.address, "student").await;
    assert_eq!(teacher.post(&class.path("/open"), &[]).await.status(), 303);
    let length = Duration::from_secs(SECONDS.into());
    let publisher = Publisher::start(server.address, &class, &teacher, &file, length).await;

    let mut sound = student.get(&class.path("/sound")).await;
    assert_eq!(sound.headers()["content-type"], "audio/aac");
    let mut bytes = Vec::new();
    while bytes.len() < 12_000 {
        let piece = timeout(Duration::from_secs(20), sound.chunk()).await;
        bytes.extend_from_slice(&piece.unwrap().unwrap().unwrap());
    }
    assert_eq!((bytes[0], bytes[1] & 0xf6), (0xff, 0xf0), "ADTS frames");
    let adts = storage.folder().join("sound.aac");
    std::fs::write(&adts, &bytes).unwrap();
    media::run("ffprobe", &["-v", "error", adts.to_str().unwrap()]);

    let base = format!("/media/{}", class.timeline);
    let master = student
        .get(&format!("{base}/live.m3u8"))
        .await
        .text()
        .await
        .unwrap();
    assert!(master.contains("live/v240.m3u8"), "{master}");
    let playlist = async |query: &str| {
        let path = format!("{base}/live/v240.m3u8{query}");
        student.get(&path).await.text().await.unwrap()
    };
    // A player that asks for what is not made yet waits for it, and not longer.
    let began = Instant::now();
    let first = playlist("?_HLS_msn=2&_HLS_part=1").await;
    assert!(first.contains("/000002.1.m4s"), "{first}");
    assert!(began.elapsed() < Duration::from_secs(15));
    let part = student.get(&format!("{base}/live/v240/000002.1.m4s")).await;
    assert_eq!(part.status(), 200);
    assert!(part.bytes().await.unwrap().len() > 100);
    let whole = until("a whole segment", Duration::from_secs(20), || async {
        let answer = student.get(&format!("{base}/live/v240/000001.m4s")).await;
        (answer.status() == 200).then_some(answer)
    })
    .await;
    let mut media_file = student
        .get(&format!("{base}/live/v240/init.mp4"))
        .await
        .bytes()
        .await
        .unwrap()
        .to_vec();
    media_file.extend_from_slice(&whole.bytes().await.unwrap());
    let path = storage.folder().join("segment.mp4");
    std::fs::write(&path, media_file).unwrap();
    media::run("ffprobe", &["-v", "error", path.to_str().unwrap()]);
    publisher.cut();
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_take_turns_and_strange_ones_are_refused() {
    let (storage, _village, server, class) = school(Engines::Embedded).await;
    let recording = media::lecture(storage.folder(), 8);
    let file = recorder(&recording, storage.folder());
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    assert_eq!(teacher.post(&class.path("/open"), &[]).await.status(), 303);
    let length = Duration::from_secs(8);
    let first = Publisher::start(server.address, &class, &teacher, &file, length).await;

    let refusal = async |hello: serde_json::Value| {
        use futures_util::SinkExt as _;
        let mut socket = connect(server.address, &class, &teacher).await;
        let text = hello.to_string();
        let message = tokio_tungstenite::tungstenite::Message::text(text);
        socket.send(message).await.unwrap();
        format!("{:?}", hear(&mut socket).await)
    };
    let run = millet_server::id::RunId::new();
    let polite = serde_json::json!({
        "type": "hello", "run": run, "kind": "frames", "container": null, "take": false
    });
    assert!(refusal(polite).await.contains("occupied"));
    let strange = serde_json::json!({ "type": "hello", "run": "mine" });
    assert!(refusal(strange).await.contains("malformed"));

    let second = Publisher::start(server.address, &class, &teacher, &file, length).await;
    let told = first.ended().await;
    assert!(told.is_err_and(|code| code == "taken_over" || code == "closed"));
    second.cut();
    server.kill().await;
}
