//! What a viewer gets, and what of it is credited.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use millet_server::id::IntervalId;
use millet_server::stream::testing::content;
use millet_server::stream::wire::{
    ClientMessage, Header, Payload, PlayedInterval, ServerMessage, flag,
};
use millet_tests::stream::host::Host;
use millet_tests::stream::player::{Habits, Player};
use millet_tests::stream::{Client, Event, hello};

use crate::{connected, lecture, welcomed};

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
    let mut client = connected(&host).await;
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
        let mut client = connected(&host).await;
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
        let mut client = connected(&host).await;
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
    let mut client = welcomed(&host).await;
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
    let mut client = connected(&host).await;
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
    let mut client = connected(&host).await;
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
    let mut client = welcomed(&host).await;
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
