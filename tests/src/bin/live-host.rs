//! A server with one growing timeline that is fed without a transcoder, for measuring fan-out.
//!
//! `live-host VIEWERS`: prints its address, its timeline and the viewers' session tokens, one a line; after a
//! line on standard input it feeds half a second of sound and pictures twice a second, each chunk beginning
//! with the moment at which it was made. It ends with its standard input.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use millet_server::clock::Clock;
use millet_server::stream::growing::{self, Growing, NewChunk};
use millet_tests::bench::fanout::{CHUNK_MS, SOUND_BYTES, VIDEO_BYTES, now_us};
use millet_tests::stream::host::Host;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::time::{MissedTickBehavior, interval};

const SEGMENT_MS: u64 = 2_000;

#[tokio::main]
async fn main() {
    let viewers = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(folder.path(), None, 600_000).await;
    let learners = host.enrol(viewers.unwrap_or(1)).await;
    let renditions = host
        .described
        .renditions
        .iter()
        .filter(|rendition| ["opus12", "v240"].contains(&rendition.id.as_str()))
        .cloned()
        .map(|mut rendition| {
            rendition.segments.clear();
            rendition.peak_bps = if rendition.height > 0 {
                110_000
            } else {
                18_000
            };
            rendition
        })
        .collect();
    let inits = vec![bytes::Bytes::from_static(&[0; 700]); 2];
    let began = Clock::System.now();
    let grown = growing::empty(renditions, SEGMENT_MS, 7);
    let timelines = host.running.app.streams.growing();
    let growing = timelines.add(Arc::new(Growing::new(host.timeline, began, grown, inits)));
    feed(&growing, 0);
    println!("{}\n{}", host.address(), host.timeline);
    for learner in &learners {
        println!("{}", learner.token);
    }

    let mut lines = BufReader::new(stdin()).lines();
    if lines.next_line().await.unwrap().is_none() {
        return;
    }
    let mut ticks = interval(Duration::from_millis(CHUNK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 1;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                feed(&growing, number);
                number += 1;
            }
            line = lines.next_line() => if !matches!(line, Ok(Some(_))) {
                break;
            }
        }
    }
    host.running.stop().await;
}

/// Half a second of sound and pictures.
fn feed(growing: &Growing, number: u64) {
    let start_ms = number * CHUNK_MS;
    for (rendition, bytes) in [(0, SOUND_BYTES), (1, VIDEO_BYTES)] {
        let mut payload = BytesMut::zeroed(bytes);
        (&mut payload[..]).put_u64(now_us());
        let chunk = NewChunk {
            rendition,
            sequence: u32::try_from(start_ms / SEGMENT_MS).unwrap(),
            start_ms,
            duration_ms: CHUNK_MS,
            keyframe: rendition == 0 || start_ms.is_multiple_of(SEGMENT_MS),
            payload: payload.freeze(),
        };
        growing.push(chunk).unwrap();
    }
    growing.publish();
}
