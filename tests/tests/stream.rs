//! The stream over real sockets, against a whole server with a hand-made timeline.

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
            Event::Control(_) => {}
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
