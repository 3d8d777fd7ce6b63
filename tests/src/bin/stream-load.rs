//! Many viewers of one server: what each costs and whether anybody stalls.
//!
//! `stream-load [VIEWERS] [SECONDS] [BITS_PER_SECOND]`; the server runs in this process, so the memory
//! printed is that of server and viewers together. Figures, not a test.

use std::time::{Duration, Instant};

use millet_tests::stream::host::Host;
use millet_tests::stream::player::{Habits, Player, Seen};

#[tokio::main]
async fn main() {
    let number = |at: usize, default: u64| {
        std::env::args()
            .nth(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (viewers, seconds, rate) = (number(1, 500), number(2, 30), number(3, 64_000));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = Host::start(folder.path(), None, 600_000).await;
    let learners = host
        .enrol(usize::try_from(viewers).unwrap_or(usize::MAX))
        .await;
    let (resident_before, cpu_before) = (resident_kib(), cpu_seconds());
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for learner in learners {
        let (address, timeline) = (host.address(), host.timeline);
        tasks.spawn(async move {
            let habits = Habits {
                rate_bps: (rate > 0).then_some(rate),
                ..Habits::default()
            };
            let mut player = Player::new(timeline, Host::session(), habits).frugal();
            let result = async {
                player.connect(address, &learner).await?;
                player.play(Duration::from_secs(seconds)).await?;
                player.settle().await
            };
            let failed = result.await.err().map(|error| error.to_string());
            (player.seen, failed)
        });
    }
    tokio::time::sleep(Duration::from_secs(seconds / 2)).await;
    let resident = resident_kib().saturating_sub(resident_before);
    let (mut all, mut failures) = (Vec::<Seen>::new(), Vec::new());
    while let Some(Ok((seen, failed))) = tasks.join_next().await {
        all.push(seen);
        failures.extend(failed);
    }
    let mut first: Vec<u128> = all
        .iter()
        .filter_map(|seen| seen.first_chunk.map(|time| time.as_millis()))
        .collect();
    first.sort_unstable();
    let at = |share: usize| first.get((first.len().max(1) - 1) * share / 100).copied();
    let stalled = all
        .iter()
        .filter(|seen| seen.stalled > Duration::from_millis(500))
        .count();
    let bytes: u64 = all.iter().map(|seen| seen.bytes).sum();
    let mut rungs = std::collections::BTreeMap::<String, usize>::new();
    for rung in all.iter().filter_map(|seen| seen.rungs.last()) {
        *rungs.entry(rung.clone()).or_default() += 1;
    }
    println!(
        "viewers {viewers}, {seconds} s at {rate} bit/s each, {:?} in all",
        began.elapsed()
    );
    println!(
        "first chunk: half within {:?} ms, 99 % within {:?} ms",
        at(50),
        at(99)
    );
    println!("media {bytes} bytes, last rungs {rungs:?}, stalled over 0.5 s: {stalled}");
    println!(
        "credited {}, refused {}, failed {} {:?}",
        all.iter().map(|seen| seen.credited).sum::<usize>(),
        all.iter().map(|seen| seen.refused.len()).sum::<usize>(),
        failures.len(),
        failures.first()
    );
    println!(
        "memory {} KiB a viewer (both sides), CPU {:.1} s",
        resident / viewers.max(1),
        cpu_seconds() - cpu_before
    );
    host.running.stop().await;
}

/// Resident memory of this process.
fn resident_kib() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        })
        .unwrap_or(0)
}

/// Processor time of this process, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect());
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}
