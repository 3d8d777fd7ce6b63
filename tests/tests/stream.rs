//! The stream over real sockets, against a whole server with a hand-made timeline.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use millet_server::id::{IntervalId, TimelineId};
use millet_server::stream::testing::content;
use millet_server::stream::wire::{
    ClientMessage, Header, Payload, PlayedInterval, ServerMessage, flag,
};
use millet_tests::stream::host::Host;
use millet_tests::stream::player::{Habits, Player};
use millet_tests::stream::{Client, ClientError, Event, hello};

async fn lecture(duration_ms: u64) -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(folder.path(), None, duration_ms).await;
    (folder, host)
}

/// Takes everything up to `end`, acknowledging with an empty store.
async fn to_the_end(client: &mut Client) -> Vec<(Header, Bytes)> {
    let mut media = Vec::new();
    loop {
        match client.next().await.unwrap() {
            Event::Media(header, payload) => {
                media.push((header, payload));
                client.ack_some(1).await.unwrap();
            }
            Event::Control(ServerMessage::End) => return media,
            Event::Control(_) | Event::Words(_) => {}
        }
    }
}

#[tokio::test]
async fn everything_arrives_once_in_order_and_byte_for_byte() {
    let (_folder, host) = lecture(60_000).await;
    let mut client = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    let welcome = client
        .hello(hello(host.timeline, Host::session()))
        .await
        .unwrap();
    assert_eq!(welcome.duration_ms, 60_000);
    assert_eq!(welcome.rung, "s480");
    let media = to_the_end(&mut client).await;

    let mut audio = Vec::new();
    let mut seen: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for (header, payload) in &media {
        let rendition = &host.described.renditions[usize::from(header.rendition)];
        if header.payload == Payload::Init {
            assert_eq!(
                payload[..],
                content(&rendition.init.file, rendition.init.bytes)
            );
            seen.entry(header.rendition).or_default();
            continue;
        }
        let segment = &rendition.segments[header.sequence as usize];
        let chunk = &segment.chunks[usize::from(header.part)];
        let whole = content(&segment.file, segment.bytes);
        let from = chunk.offset as usize;
        assert_eq!(payload[..], whole[from..from + chunk.bytes as usize]);
        assert_eq!(u64::from(header.start_ms), chunk.start_ms);
        assert_eq!(header.has(flag::KEYFRAME), chunk.keyframe);
        assert!(seen.contains_key(&header.rendition), "an init comes first");
        if header.has(flag::AUDIO) {
            audio.push(header.start_ms);
        }
    }
    let expected: Vec<u32> = (0..30).map(|n| n * 2_000).collect();
    assert_eq!(audio, expected);
    let last = media
        .iter()
        .filter(|(h, _)| h.has(flag::LAST_OF_TIMELINE))
        .count();
    assert_eq!(last, 2);
    // A rung changes at cuts only: each segment of the video lane is of one rendition.
    let mut lanes: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for (header, _) in media
        .iter()
        .filter(|(h, _)| h.payload == Payload::Chunk && !h.has(flag::AUDIO))
    {
        lanes
            .entry(header.sequence)
            .or_default()
            .push(header.rendition);
    }
    assert_eq!(lanes.len(), 4);
    assert!(
        lanes
            .values()
            .all(|of| of.iter().all(|rendition| rendition == &of[0]))
    );
    host.running.stop().await;
}

fn chunks(media: &[(Header, Bytes)]) -> Vec<(bool, u32, u16)> {
    media
        .iter()
        .filter(|(header, _)| header.payload == Payload::Chunk)
        .map(|(header, _)| (header.has(flag::AUDIO), header.sequence, header.part))
        .collect()
}

#[tokio::test]
async fn after_a_cut_it_goes_on_behind_what_was_received() {
    let (_folder, host) = lecture(60_000).await;
    for stop_after in [1, 5, 14, 23] {
        let session = Host::session();
        let mut first = hello(host.timeline, session);
        first.pin = Some("v240".into());
        let mut client = Client::connect(host.address(), &host.learner.token)
            .await
            .unwrap();
        client.hello(first.clone()).await.unwrap();
        let mut media = Vec::new();
        while chunks(&media).len() < stop_after {
            if let Event::Media(header, payload) = client.next().await.unwrap() {
                media.push((header, payload));
                client.ack_some(1).await.unwrap();
            }
        }
        let again = millet_server::stream::wire::Hello {
            resume: client.resume(),
            receipt: client.receipt.clone(),
            ..first
        };
        let epoch = client.epoch;
        drop(client);
        let mut client = Client::connect(host.address(), &host.learner.token)
            .await
            .unwrap();
        let welcome = client.hello(again).await.unwrap();
        assert_eq!(welcome.epoch, epoch);
        media.extend(to_the_end(&mut client).await);
        let mut all = chunks(&media);
        assert_eq!(all.len(), 60, "each chunk once, cut after {stop_after}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 60);
    }
    host.running.stop().await;
}

#[tokio::test]
async fn a_seek_is_answered_in_its_epoch_from_the_keyframe_before() {
    let (_folder, host) = lecture(600_000).await;
    let mut client = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    client
        .hello(hello(host.timeline, Host::session()))
        .await
        .unwrap();
    client.next().await.unwrap();
    client.seek(301_000).await.unwrap();
    let mut first: BTreeMap<bool, Header> = BTreeMap::new();
    while first.len() < 2 {
        if let Event::Media(header, _) = client.next().await.unwrap() {
            if header.payload == Payload::Chunk && header.epoch == client.epoch {
                first.entry(header.has(flag::AUDIO)).or_insert(header);
            }
            client.ack_some(1).await.unwrap();
        }
    }
    assert_eq!(first[&true].start_ms, 300_000);
    assert_eq!(first[&false].start_ms, 288_000);
    assert!(first[&false].has(flag::KEYFRAME));
    host.running.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_beyond_the_credit_or_a_full_store() {
    let (_folder, host) = lecture(600_000).await;
    let mut client = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    let mut first = hello(host.timeline, Host::session());
    first.pin = Some("v240".into());
    client.hello(first).await.unwrap();
    // Without an acknowledgement: the smallest window and one chunk more.
    let quiet = async |client: &mut Client| {
        while let Ok(event) = tokio::time::timeout(Duration::from_millis(700), client.next()).await
        {
            event.unwrap();
        }
        client.received
    };
    let window = quiet(&mut client).await;
    assert!((16_384..16_384 + 8_100).contains(&window), "{window}");
    client.ack(60_000).await.unwrap();
    assert_eq!(quiet(&mut client).await, window);
    client.ack(10_000).await.unwrap();
    assert!(quiet(&mut client).await > window);
    host.running.stop().await;
}

#[tokio::test]
async fn a_budget_holds_and_can_be_raised() {
    let (_folder, host) = lecture(600_000).await;
    let mut client = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    let mut first = hello(host.timeline, Host::session());
    first.budget_bytes = Some(100_000);
    client.hello(first).await.unwrap();
    let mut rungs = Vec::new();
    loop {
        match client.next().await.unwrap() {
            Event::Media(..) => client.ack_some(1).await.unwrap(),
            Event::Control(ServerMessage::BudgetReached) => break,
            Event::Control(ServerMessage::Rung { rung, .. }) => rungs.push(rung),
            Event::Control(_) | Event::Words(_) => {}
        }
    }
    assert!(
        (90_000..=100_000).contains(&client.received),
        "{}",
        client.received
    );
    // Ten minutes of sound alone are 900 kB: the cheapest rung was chosen in good time.
    assert_eq!(rungs.last().map(String::as_str), Some("audio"));
    client
        .send(&ClientMessage::Budget { bytes: None })
        .await
        .unwrap();
    client.ack(1).await.unwrap();
    assert_eq!(
        to_the_end(&mut client)
            .await
            .last()
            .map(|(h, _)| h.has(flag::LAST_OF_TIMELINE)),
        Some(true)
    );
    host.running.stop().await;
}

#[tokio::test]
async fn real_playback_is_credited_across_a_cut_and_a_restart() {
    let (_folder, mut host) = lecture(600_000).await;
    let habits = Habits {
        report_every: Duration::from_millis(700),
        ..Habits::default()
    };
    let mut player = Player::new(host.timeline, Host::session(), habits);
    player.connect(host.address(), &host.learner).await.unwrap();
    player.play(Duration::from_secs(2)).await.unwrap();
    player.cut();
    player.play(Duration::from_secs(1)).await.unwrap();
    host = host.restart().await;
    player.connect(host.address(), &host.learner).await.unwrap();
    player.play(Duration::from_secs(2)).await.unwrap();
    player.settle().await.unwrap();
    assert_eq!(player.seen.refused, Vec::<String>::new());
    assert!(player.position_ms > 3_500.0, "{}", player.position_ms);
    let (credited,): (i64,) = sqlx::query_as(
        "select cast(sum(until_ms - from_ms) as bigint) from watch_interval where account_id = $1",
    )
    .bind(host.learner.account)
    .fetch_one(&mut *host.running.app.db.read().await.unwrap())
    .await
    .unwrap();
    let played = player.position_ms as i64;
    assert!(
        (played - 5..=played).contains(&credited),
        "{credited} of {played}"
    );
    host.running.stop().await;
}

#[tokio::test]
async fn a_script_that_posts_numbers_gets_nothing() {
    let (_folder, host) = lecture(600_000).await;
    let mut client = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    client
        .hello(hello(host.timeline, Host::session()))
        .await
        .unwrap();
    let whole: Vec<PlayedInterval> = (0..60)
        .map(|n| PlayedInterval {
            id: IntervalId::new(),
            from_ms: n * 10_000,
            until_ms: (n + 1) * 10_000,
            rate_permille: 1000,
        })
        .collect();
    client.played(whole).await.unwrap();
    let (mut permille, mut refused) = (-1, 0);
    while refused < 60 {
        match client.next().await.unwrap() {
            Event::Control(ServerMessage::Credited {
                watched_permille, ..
            }) => permille = watched_permille,
            Event::Control(ServerMessage::RefusedInterval { .. }) => refused += 1,
            _ => {}
        }
    }
    assert_eq!(permille, 0);
    host.running.stop().await;
}

async fn refusal(client: &mut Client) -> (Option<String>, u16) {
    let mut problem = None;
    loop {
        match client.next().await {
            Ok(Event::Control(ServerMessage::Problem { code })) => problem = Some(code),
            Ok(_) => {}
            Err(ClientError::Closed(code, _)) => return (problem, code),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn only_who_follows_or_teaches_the_course_may_watch() {
    let (_folder, host) = lecture(60_000).await;
    let connect = async |person: &str, timeline: TimelineId| {
        let mut client = Client::connect(host.address(), person).await.unwrap();
        let message = ClientMessage::Hello(hello(timeline, Host::session()));
        client.send(&message).await.unwrap();
        client
    };
    let mut outsider = connect(&host.outsider.token, host.timeline).await;
    assert_eq!(
        refusal(&mut outsider).await,
        (Some("not_found".into()), 1008)
    );
    let mut unknown = connect(&host.learner.token, TimelineId::new()).await;
    assert_eq!(
        refusal(&mut unknown).await,
        (Some("not_found".into()), 1008)
    );
    let mut teacher = connect(&host.teacher.token, host.timeline).await;
    assert!(matches!(
        teacher.next().await.unwrap(),
        Event::Control(ServerMessage::Welcome { .. })
    ));
    assert!(
        Client::connect(host.address(), &"0".repeat(64))
            .await
            .is_err()
    );
    host.running.stop().await;
}

#[tokio::test]
async fn malformed_talk_ends_the_connection_and_nothing_else() {
    let (_folder, host) = lecture(60_000).await;
    for text in [
        "",
        "[]",
        "{\"type\":\"ack\",\"bytes\":1,\"buffer_ms\":1}",
        "{\"type\":\"hello\"}",
    ] {
        let mut client = Client::connect(host.address(), &host.learner.token)
            .await
            .unwrap();
        client.send_text(text).await.unwrap();
        assert_eq!(
            refusal(&mut client).await,
            (Some("malformed".into()), 1008),
            "{text}"
        );
    }
    let mut client = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    client
        .hello(hello(host.timeline, Host::session()))
        .await
        .unwrap();
    client
        .send_text(&format!("{{\"type\":\"{}\"}}", "x".repeat(20_000)))
        .await
        .unwrap();
    let ended = loop {
        if let Err(error) = client.next().await {
            break error;
        }
    };
    assert!(!matches!(ended, ClientError::Silence), "{ended}");
    let mut client = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    client
        .hello(hello(host.timeline, Host::session()))
        .await
        .unwrap();
    for _ in 0..200 {
        // The server may have closed already.
        if client
            .send(&ClientMessage::Pin { rung: None })
            .await
            .is_err()
        {
            break;
        }
    }
    let ended = loop {
        if let Err(error) = client.next().await {
            break error;
        }
    };
    assert!(!matches!(ended, ClientError::Silence), "{ended}");
    host.running.stop().await;
}

#[tokio::test]
async fn a_fifth_socket_takes_the_place_of_the_oldest_and_a_stop_says_restart() {
    let (_folder, host) = lecture(60_000).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = Client::connect(host.address(), &host.learner.token)
            .await
            .unwrap();
        client
            .hello(hello(host.timeline, Host::session()))
            .await
            .unwrap();
        clients.push(client);
    }
    let (problem, code) = refusal(&mut clients[0]).await;
    assert_eq!(
        (problem.as_deref(), code),
        (Some("too_many_connections"), 1008)
    );
    let stopped = tokio::spawn(host.running.stop());
    assert_eq!(refusal(&mut clients[4]).await, (None, 1012));
    drop(clients);
    stopped.await.unwrap();
}

#[tokio::test]
async fn files_are_served_whole_and_by_range_to_members_only() {
    let (_folder, host) = lecture(60_000).await;
    let http = reqwest::Client::new();
    let file = &host.described.renditions[4].segments[1];
    let url = format!(
        "http://{}/media/{}/{}",
        host.address(),
        host.timeline,
        file.file
    );
    let get = |token: &str, headers: &[(&'static str, String)]| {
        let mut request = http
            .get(&url)
            .header("cookie", format!("millet_session={token}"));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.send()
    };
    let content = content(&file.file, file.bytes);
    let whole = get(&host.learner.token, &[]).await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["content-type"], "video/mp4");
    assert_eq!(
        whole.headers()["cache-control"],
        "private, max-age=31536000, immutable"
    );
    assert!(!whole.headers().contains_key("content-encoding"));
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.bytes().await.unwrap(), content);

    let range = ("range", "bytes=1000-1999".to_owned());
    let part = get(&host.learner.token, std::slice::from_ref(&range))
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(
        part.headers()["content-range"],
        format!("bytes 1000-1999/{}", file.bytes)
    );
    assert_eq!(part.bytes().await.unwrap(), content[1000..2000]);
    let other = ("if-range", "\"other\"".to_owned());
    assert_eq!(
        get(&host.learner.token, &[range, other])
            .await
            .unwrap()
            .status(),
        200
    );
    let beyond = ("range", format!("bytes={}-", file.bytes));
    assert_eq!(
        get(&host.learner.token, &[beyond]).await.unwrap().status(),
        416
    );
    let kept = ("if-none-match", tag);
    assert_eq!(
        get(&host.learner.token, &[kept]).await.unwrap().status(),
        304
    );
    assert_eq!(get(&host.outsider.token, &[]).await.unwrap().status(), 404);
    assert_eq!(get("", &[]).await.unwrap().status(), 401);
    assert_eq!(get(&host.teacher.token, &[]).await.unwrap().status(), 200);
    host.running.stop().await;
}

#[tokio::test]
async fn a_peer_that_vanished_or_never_speaks_is_given_up() {
    let (_folder, host) = lecture(600_000).await;
    let mut mute = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    let mut gone = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    gone.hello(hello(host.timeline, Host::session()))
        .await
        .unwrap();
    let began = std::time::Instant::now();
    let never_speaks = async {
        let end = refusal(&mut mute).await;
        assert_eq!(end, (None, 1008));
        assert!(
            (9.0..13.0).contains(&began.elapsed().as_secs_f64()),
            "{:?}",
            began.elapsed()
        );
    };
    let vanished = async {
        // A phone out of reach answers no ping: nothing is read here until the server gave up.
        tokio::time::sleep(Duration::from_secs(16)).await;
        while gone.next().await.is_ok() {}
        assert!(
            began.elapsed() < Duration::from_secs(17),
            "{:?}",
            began.elapsed()
        );
    };
    tokio::join!(never_speaks, vanished);
    host.running.stop().await;
}
