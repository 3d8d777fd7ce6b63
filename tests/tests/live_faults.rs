//! What a class does about links, phones and people that misbehave.

use std::time::Duration;

use futures_util::SinkExt as _;
use millet_server::id::RunId;
use millet_server::live::publish::wire::{PublishAnswer, PublisherMessage, RunKind};
use millet_server::stream::credit::LEAST_LIVE_WINDOW;
use millet_server::stream::wire::{Follow, Hello, LiveWish, Payload, Resume, ServerMessage, flag};
use millet_tests::kit::class::{connect, hear, recorder};
use millet_tests::kit::{Class, Engines, Publisher, Server, Storage, Village, Visitor, media};
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, ClientError, Event, hello};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

/// What takes longer does not happen.
const SOON: Duration = Duration::from_secs(30);

struct School {
    // Holds the folder.
    _storage: Storage,
    server: Server,
    class: Class,
    teacher: Visitor,
    student: Visitor,
    file: std::path::PathBuf,
    length: Duration,
}

/// An open class, and a recording of so many seconds to teach with.
async fn school(seconds: u32) -> School {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let class = Class::schedule(&village).await;
    let recording = media::lecture(storage.folder(), seconds);
    let file = recorder(&recording, storage.folder());
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    let student = Visitor::signed_in(server.address, "student").await;
    assert_eq!(teacher.post(&class.path("/open"), &[]).await.status(), 303);
    School {
        _storage: storage,
        server,
        class,
        teacher,
        student,
        file,
        length: Duration::from_secs(seconds.into()),
    }
}

impl School {
    async fn teach(&self) -> Publisher {
        let School {
            server,
            class,
            teacher,
            file,
            length,
            ..
        } = self;
        Publisher::start(server.address, class, teacher, file, *length).await
    }

    async fn viewer(&self, who: &Visitor) -> Client {
        Client::connect(self.server.address, &who.session_token())
            .await
            .unwrap()
    }

    fn wish(&self, events_after: Option<u64>) -> Hello {
        Hello {
            live: Some(LiveWish {
                follow: Follow::All,
                at_edge: true,
                events_after,
            }),
            ..hello(self.class.timeline, Host::session())
        }
    }
}

/// Watches and acknowledges until a chunk of sound that begins at `until_ms` or later came.
async fn listen(client: &mut Client, until_ms: u32) -> Vec<(u32, bool)> {
    let mut chunks = Vec::new();
    loop {
        let event = timeout(SOON, client.next()).await.expect("nothing came");
        if let Event::Media(header, _) = event.unwrap() {
            client.ack(1_500).await.unwrap();
            if header.payload == Payload::Chunk && header.has(flag::AUDIO) {
                chunks.push((header.start_ms, header.has(flag::GAP)));
                if header.start_ms >= until_ms {
                    return chunks;
                }
            }
        }
    }
}

/// Reads what comes until something is said that `wanted` knows; the sound that came before.
async fn told(client: &mut Client, wanted: &str) -> Vec<(u32, bool)> {
    let mut chunks = Vec::new();
    loop {
        let event = timeout(SOON, client.next()).await.expect(wanted);
        match event.unwrap() {
            Event::Words(words) if words.to_string().contains(wanted) => return chunks,
            Event::Media(header, _) => {
                client.ack(1_500).await.unwrap();
                if header.payload == Payload::Chunk && header.has(flag::AUDIO) {
                    chunks.push((header.start_ms, header.has(flag::GAP)));
                }
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_acknowledges_nothing_costs_a_window_and_slows_nobody() {
    let school = school(14).await;
    let mut mute = school.viewer(&school.student).await;
    mute.hello(school.wish(None)).await.unwrap();
    let mut other = school.viewer(&school.teacher).await;
    other.hello(school.wish(None)).await.unwrap();
    let publisher = school.teach().await;

    let heard = listen(&mut other, 9_000).await;
    assert!(heard.iter().all(|(_, gap)| !gap), "{heard:?}");
    let (mut bytes, mut largest) = (0, 0);
    // All that was sent to the mute one waits here already.
    while let Ok(event) = timeout(Duration::from_millis(500), mute.next()).await {
        if let Event::Media(..) = event.unwrap() {
            largest = largest.max(mute.received - bytes);
            bytes = mute.received;
        }
    }
    assert!(bytes > 0);
    // The window, and the message that overlapped its end.
    assert!(
        bytes < LEAST_LIVE_WINDOW + largest,
        "{bytes} bytes in flight"
    );
    publisher.cut();
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_places_and_sequences_are_answered_with_the_present() {
    let school = school(10).await;
    let publisher = school.teach().await;
    let mut first = school.viewer(&school.student).await;
    first.hello(school.wish(None)).await.unwrap();
    listen(&mut first, 3_000).await;

    let forged = Hello {
        resume: Some(Resume {
            epoch: u32::MAX - 1,
            video_sequence: Some(u32::MAX),
            video_part: Some(u16::MAX),
            audio_sequence: Some(4_000_000),
            audio_part: Some(9),
        }),
        receipt: Some("not.a.receipt".into()),
        ..school.wish(Some(u64::MAX))
    };
    let mut forger = school.viewer(&school.student).await;
    forger.hello(forged).await.unwrap();
    // Events that never were: the room as it is.
    told(&mut forger, "\"type\":\"room\"").await;
    // Media that never was: what it asks for after a seek.
    forger.seek(2_000).await.unwrap();
    let chunks = listen(&mut forger, 3_000).await;
    assert_eq!(chunks[0].0, 2_000, "{chunks:?}");
    listen(&mut first, 6_000).await;
    publisher.cut();
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_sleeps_is_given_up_and_goes_on_where_it_was() {
    let school = school(30).await;
    let publisher = school.teach().await;
    let mut phone = school.viewer(&school.student).await;
    let wish = school.wish(None);
    let session = wish.session;
    phone.hello(wish).await.unwrap();
    let heard = listen(&mut phone, 2_000).await;
    let newest = heard.last().unwrap().0;
    let (resume, receipt) = (phone.resume(), phone.receipt.clone());

    // Asleep: it reads nothing, so its kernel answers and the page does not.
    let viewers = async || {
        let url = format!("http://{}/metrics", school.server.admin);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("millet_viewers "));
        line.unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    assert!(viewers().await > 0.5);
    let asleep = Instant::now();
    while viewers().await > 0.5 {
        assert!(asleep.elapsed() < Duration::from_secs(16), "not given up");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(phone);

    let mut phone = school.viewer(&school.student).await;
    let awake = Hello {
        session,
        resume,
        receipt,
        ..school.wish(Some(0))
    };
    phone.hello(awake).await.unwrap();
    let after = listen(&mut phone, newest + 3_000).await;
    assert_eq!(after[0], (newest + 500, false), "{after:?}");
    publisher.cut();
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teacher_whose_link_broke_is_missed_and_comes_back() {
    let school = school(12).await;
    let mut learner = school.viewer(&school.student).await;
    learner.hello(school.wish(None)).await.unwrap();
    let publisher = school.teach().await;
    told(&mut learner, "\"present\":true").await;
    let mut heard = listen(&mut learner, 3_000).await;
    publisher.cut();
    heard.extend(told(&mut learner, "\"present\":false").await);
    // The class stays open, and what comes later says where something is missing, and only there.
    let publisher = school.teach().await;
    let newest = heard.last().unwrap().0;
    heard.extend(listen(&mut learner, newest + 6_000).await);
    for pair in heard.windows(2) {
        let missing = pair[1].0 != pair[0].0 + 500;
        assert_eq!(pair[1].1, missing, "{heard:?}");
    }
    publisher.cut();
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_with_wild_clocks_numbers_and_sizes_harm_nobody() {
    let school = school(4).await;
    let mut learner = school.viewer(&school.student).await;
    learner.hello(school.wish(None)).await.unwrap();
    let begin = async || {
        let mut socket = connect(school.server.address, &school.class, &school.teacher).await;
        let hello = PublisherMessage::Hello {
            run: RunId::new(),
            kind: RunKind::Frames,
            container: None,
            take: true,
        };
        let text = serde_json::to_string(&hello).unwrap();
        socket.send(Message::text(text)).await.unwrap();
        let answer = hear(&mut socket).await;
        assert!(matches!(answer, Some(PublishAnswer::Welcome { .. })));
        socket
    };
    let parcel = |number: u32, time_us: i64, bytes: usize| {
        let mut message = vec![2, 1, 0, 0];
        message.extend_from_slice(&number.to_be_bytes());
        message.extend_from_slice(&time_us.to_be_bytes());
        message.resize(16 + bytes, 7);
        Message::binary(message)
    };
    // Nonsense in every field that a publisher may choose.
    let mut wild = begin().await;
    for (number, time_us) in [(0, i64::MAX), (9, i64::MIN), (3, 0), (u32::MAX - 1, -1)] {
        wild.send(parcel(number, time_us, 40)).await.unwrap();
    }
    loop {
        match timeout(SOON, hear(&mut wild)).await.unwrap() {
            Some(PublishAnswer::Ack {
                number: Some(number),
                ..
            }) if number == u32::MAX - 1 => break,
            Some(_) => {}
            None => panic!("an honest run would have ended too"),
        }
    }
    // A message over the limit ends the connection.
    let mut large = begin().await;
    // The server may hang up while it is still being sent.
    let _ = large.send(parcel(0, 0, 2 << 20)).await;
    while timeout(SOON, hear(&mut large)).await.unwrap().is_some() {}

    // The class goes on.
    let publisher = school.teach().await;
    listen(&mut learner, 2_000).await;
    publisher.cut();
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_who_floods_is_cut_off_and_the_class_is_not() {
    let school = school(8).await;
    let publisher = school.teach().await;
    let mut other = school.viewer(&school.teacher).await;
    other.hello(school.wish(None)).await.unwrap();
    let mut flood = school.viewer(&school.student).await;
    flood.hello(school.wish(None)).await.unwrap();
    let ended = async {
        loop {
            // Sending fails once the server has hung up.
            if flood.ack(0).await.is_err() {
                return;
            }
            match timeout(Duration::ZERO, flood.next()).await {
                Ok(Err(ClientError::Closed(code, _))) => return assert_eq!(code, 1008),
                Ok(Err(_)) => return,
                Ok(Ok(Event::Control(ServerMessage::Problem { code }))) => {
                    panic!("coming back helps: {code}")
                }
                _ => {}
            }
        }
    };
    timeout(SOON, ended).await.expect("a flood goes on");
    let heard = listen(&mut other, 4_000).await;
    assert!(heard.iter().all(|(_, gap)| !gap), "{heard:?}");
    publisher.cut();
    school.server.kill().await;
}
