//! Many viewers on weak links: what each costs Millet over sockets, and nginx over HLS.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use reqwest::Client;
use tokio::task::JoinSet;

use super::nginx::Nginx;
use super::process::{Usage, usage};
use super::{heading, row};
use crate::kit::{Course, Server};
use crate::stream::host::Person;
use crate::stream::player::{Habits, Player};

/// Viewers at a time.
pub const VIEWERS: usize = 500;
/// Each viewer's link.
const RATE_BPS: u64 = 64_000;
/// Time that they watch.
const WATCH: Duration = Duration::from_secs(40);
/// Moment at which memory is read.
const MIDDLE: Duration = Duration::from_secs(20);
/// What a player stores at most, as the server bounds it too.
const STORED: Duration = Duration::from_secs(60);

/// Measures and prints.
///
/// # Panics
/// When a viewer fails.
pub async fn run(server: &Server, nginx: &Nginx, course: &Course, learners: Vec<Person>) {
    let rung = lowest_picture(nginx).await;
    let own = watched(server.pid(), |tasks| {
        for learner in learners {
            let (address, timeline) = (server.address, course.timeline);
            let rung = rung.clone();
            tasks.spawn(async move {
                let habits = Habits {
                    rate_bps: Some(RATE_BPS),
                    ..Habits::default()
                };
                let mut player =
                    Player::new(timeline, crate::stream::host::Host::session(), habits);
                player.hello_mut().pin = Some(rung);
                let mut player = player.frugal();
                player.connect(address, &learner).await.unwrap();
                player.play(WATCH).await.unwrap();
                player.seen.bytes
            });
        }
    })
    .await;
    let peer = watched(nginx.pid(), |tasks| {
        for _ in 0..VIEWERS {
            let (address, rung) = (nginx.address, rung.clone());
            tasks.spawn(async move { hls(address, &rung).await });
        }
    })
    .await;
    heading(&format!(
        "{VIEWERS} viewers at {} kbit/s, sound + {rung}, {} s",
        RATE_BPS / 1000,
        WATCH.as_secs()
    ));
    row("media delivered", "MB", own.bytes / 1e6, peer.bytes / 1e6);
    row("server CPU of a viewer", "ms/s", own.cpu_ms, peer.cpu_ms);
    row(
        "server CPU of a delivered MB",
        "ms/MB",
        own.cpu_per_mb,
        peer.cpu_per_mb,
    );
    row("server memory of a viewer", "KiB", own.kib, peer.kib);
}

struct Cost {
    bytes: f64,
    cpu_ms: f64,
    cpu_per_mb: f64,
    kib: f64,
}

/// Lets viewers watch and looks at what the server's process used meanwhile.
async fn watched(pid: u32, begin: impl FnOnce(&mut JoinSet<u64>)) -> Cost {
    let before = usage(pid);
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    begin(&mut tasks);
    tokio::time::sleep(MIDDLE).await;
    let middle = usage(pid);
    let mut bytes = 0.0;
    while let Some(done) = tasks.join_next().await {
        bytes += done.unwrap() as f64;
    }
    cost(before, middle, usage(pid), bytes, began.elapsed())
}

fn cost(before: Usage, middle: Usage, after: Usage, bytes: f64, took: Duration) -> Cost {
    let viewers = VIEWERS as f64;
    let cpu_ms = (after.cpu_s - before.cpu_s) * 1000.0;
    Cost {
        bytes,
        cpu_ms: cpu_ms / viewers / took.as_secs_f64(),
        cpu_per_mb: cpu_ms / (bytes / 1e6),
        kib: (middle.resident_kib - before.resident_kib) / viewers,
    }
}

/// Id of the rung with the cheapest pictures.
async fn lowest_picture(nginx: &Nginx) -> String {
    let text = reqwest::get(nginx.url("/media/timeline.json"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let timeline = millet_manifest::Timeline::from_json(text.as_bytes()).unwrap();
    let stills = timeline
        .renditions
        .iter()
        .find(|rendition| rendition.kind == millet_manifest::Kind::Stills);
    stills.unwrap().id.clone()
}

/// Loads sound and pictures segment by segment, as an HLS player does, and stops when it has enough.
async fn hls(address: SocketAddr, rung: &str) -> u64 {
    let client = Client::new();
    let base = format!("http://{address}/media");
    let text = client
        .get(format!("{base}/timeline.json"))
        .send()
        .await
        .unwrap();
    let timeline = millet_manifest::Timeline::from_json(&text.bytes().await.unwrap()).unwrap();
    let sound = timeline.renditions.iter().find(|r| r.codec == "opus");
    let lanes = [sound.unwrap(), timeline.rendition(rung).unwrap()];
    let began = Instant::now();
    let mut total = 0;
    for lane in lanes {
        total += load(&client, &format!("{base}/{}", lane.init.file)).await;
    }
    for index in 0..timeline.cuts_ms.len() {
        let at = Duration::from_millis(timeline.cuts_ms[index]);
        let played = began.elapsed();
        if played >= WATCH {
            break;
        }
        let due = at.saturating_sub(STORED);
        tokio::time::sleep(due.saturating_sub(played)).await;
        for lane in lanes {
            total += load(&client, &format!("{base}/{}", lane.segments[index].file)).await;
        }
    }
    tokio::time::sleep(WATCH.saturating_sub(began.elapsed())).await;
    total
}

/// Reads a file no faster than the link carries it.
async fn load(client: &Client, url: &str) -> u64 {
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    let mut pieces = answer.bytes_stream();
    let mut total = 0;
    while let Some(piece) = pieces.next().await {
        let bytes = piece.unwrap().len() as u64;
        total += bytes;
        tokio::time::sleep(Duration::from_millis(bytes * 8000 / RATE_BPS)).await;
    }
    total
}
