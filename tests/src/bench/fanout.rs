//! Fan-out of the same live fragments to many viewers: what each server uses, and how late they arrive.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use millet_server::stream::ack_delay::SHORT_MS;
use millet_server::stream::wire::{Ack, ClientMessage, ServerMessage};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::peers::Peer;
use super::process::usage;

/// Time of one fragment.
pub const CHUNK_MS: u64 = 500;
/// Sound of one fragment: 18 kbit/s.
pub const SOUND_BYTES: usize = 1_100;
/// Pictures of one fragment: 100 kbit/s.
pub const VIDEO_BYTES: usize = 6_300;
/// Viewers at a time.
const VIEWERS: [usize; 3] = [1_000, 5_000, 10_000];
/// What a server sets up once for all, it has when so many are there: memory of a viewer is counted
/// from then on.
const FIRST: usize = 100;
/// Rounds of which each figure's median counts.
const ROUNDS: usize = 3;
/// Every tenth viewer reads nothing.
const STALLED: usize = 10;
/// Time in which viewers take up what was made while they joined.
const SETTLE: Duration = Duration::from_secs(3);
/// Time that is measured, after everybody is there.
const WATCH: Duration = Duration::from_secs(15);
/// Connections that are made at the same time.
const AT_ONCE: usize = 64;

/// The wall clock, in microseconds; servers and viewers run on one machine.
#[must_use]
pub fn now_us() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0, |passed| {
        u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
    })
}

/// Measures and prints.
///
/// # Panics
/// When a server or a viewer fails.
pub async fn run(folder: &Path) {
    for viewers in VIEWERS {
        println!(
            "\n{:<30} {:>12} {:>12} {:>10} {:>10} {:>8}",
            format!("{viewers} viewers, 10 % stalled"),
            "CPU ms/MB",
            "KiB/viewer",
            "p50 ms",
            "p99 ms",
            "MB"
        );
        // In turns, so that what else the machine does meets all alike.
        let (mut millet, mut calm, mut nchan, mut ws) = (vec![], vec![], vec![], vec![]);
        for round in 0..ROUNDS {
            millet.push(measure(Peer::millet(viewers).await, viewers, STALLED).await);
            // As many who read, without those who stall.
            let reading = viewers - viewers / STALLED;
            calm.push(measure(Peer::millet(reading).await, reading, usize::MAX).await);
            let own = folder.join(format!("nchan{viewers}-{round}"));
            nchan.push(measure(Peer::nchan(&own).await, viewers, STALLED).await);
            ws.push(measure(Peer::ws(folder).await, viewers, STALLED).await);
        }
        let millet = Figures::medians(&millet);
        millet.print("millet", None);
        let calm = Figures::medians(&calm);
        calm.print("millet, without the stalled", None);
        Figures::medians(&nchan).print("nginx + nchan", Some(&millet));
        Figures::medians(&ws).print("node ws", Some(&millet));
        let change = (millet.p99_ms / calm.p99_ms - 1.0) * 100.0;
        println!("those who stall change the others' p99 by {change:+.0} %");
    }
}

/// What one server did.
struct Figures {
    cpu_ms_per_mb: f64,
    kib: f64,
    p50_ms: f64,
    p99_ms: f64,
    mb: f64,
}

impl Figures {
    /// Each figure's median over the rounds.
    fn medians(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut all: Vec<f64> = rounds.iter().map(figure).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        Self {
            cpu_ms_per_mb: of(|one| one.cpu_ms_per_mb),
            kib: of(|one| one.kib),
            p50_ms: of(|one| one.p50_ms),
            p99_ms: of(|one| one.p99_ms),
            mb: of(|one| one.mb),
        }
    }

    fn print(&self, who: &str, against: Option<&Self>) {
        let ratio = against.map_or(String::new(), |millet| {
            format!(
                "   millet: CPU {:.2}×, memory {:.2}×",
                millet.cpu_ms_per_mb / self.cpu_ms_per_mb,
                millet.kib / self.kib
            )
        });
        println!(
            "{who:<30} {:>12.2} {:>12.1} {:>10.1} {:>10.1} {:>8.1}{ratio}",
            self.cpu_ms_per_mb, self.kib, self.p50_ms, self.p99_ms, self.mb
        );
    }
}

async fn measure(peer: Peer, viewers: usize, stalled_each: usize) -> Figures {
    let shared = Arc::new(peer);
    let mut sockets = join(&shared, 0..FIRST).await;
    let few = usage(shared.pid());
    sockets.extend(join(&shared, FIRST..viewers).await);
    let mut peer = Arc::into_inner(shared).unwrap();
    let end = Instant::now() + SETTLE + WATCH;
    let began_us = now_us() + u64::try_from(SETTLE.as_micros()).unwrap();
    peer.begin(end).await;
    let peer = Arc::new(peer);
    let mut watching = JoinSet::new();
    let mut stalled = Vec::new();
    for (number, socket) in sockets {
        if number % stalled_each == 1 {
            stalled.push(socket);
        } else {
            watching.spawn(watch(peer.clone(), socket, began_us, end));
        }
    }
    tokio::time::sleep(SETTLE).await;
    let before = usage(peer.pid());
    tokio::time::sleep(WATCH / 2).await;
    let middle = usage(peer.pid());
    let (mut delays, mut bytes) = (Vec::new(), 0_u64);
    while let Some(done) = watching.join_next().await {
        let (own_delays, own_bytes) = done.unwrap();
        delays.extend(own_delays);
        bytes += own_bytes;
    }
    let after = usage(peer.pid());
    drop(stalled);
    delays.sort_unstable_by(f32::total_cmp);
    let at = |share: usize| {
        let index = delays.len().saturating_sub(1) * share / 100;
        f64::from(delays.get(index).copied().unwrap_or(f32::NAN))
    };
    let mb = bytes as f64 / 1e6;
    Figures {
        cpu_ms_per_mb: (after.cpu_s - before.cpu_s) * 1000.0 / mb,
        kib: (middle.resident_kib - few.resident_kib) / (viewers - FIRST) as f64,
        p50_ms: at(50),
        p99_ms: at(99),
        mb,
    }
}

type Socket = WebSocketStream<TcpStream>;

/// Connects viewers, some at a time.
async fn join(peer: &Arc<Peer>, numbers: Range<usize>) -> Vec<(usize, Socket)> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut joining = JoinSet::new();
    for number in numbers {
        let (peer, gate) = (peer.clone(), gate.clone());
        joining.spawn(async move {
            let _turn = gate.acquire().await.unwrap();
            (number, peer.connect(number).await)
        });
    }
    joining.join_all().await
}

/// Reads until the end; the delay of each fragment in milliseconds and all bytes, from `began_us` on.
async fn watch(
    peer: Arc<Peer>,
    mut socket: Socket,
    began_us: u64,
    end: Instant,
) -> (Vec<f32>, u64) {
    let (mut delays, mut bytes, mut before) = (Vec::new(), 0_u64, 0);
    // A viewer says what arrived as late as the page does.
    let (mut ack_at, mut ack_within) = (None, Duration::from_millis(SHORT_MS));
    let mut arrived = Instant::now();
    loop {
        let until = ack_at.map_or(end, |at: Instant| at.min(end));
        let left = until.saturating_duration_since(Instant::now());
        let Ok(message) = tokio::time::timeout(left, socket.next()).await else {
            if Instant::now() >= end {
                return (delays, bytes - before);
            }
            ack_at = None;
            let ack = Ack {
                bytes,
                buffer_ms: 1_000,
                gap_ms: Some(20),
                delay_ms: u64::try_from(arrived.elapsed().as_millis()).ok(),
            };
            let text = serde_json::to_string(&ClientMessage::Ack(ack)).unwrap();
            socket.send(Message::text(text)).await.unwrap();
            continue;
        };
        let message = match message {
            Some(Ok(Message::Binary(message))) => message,
            Some(Ok(Message::Close(_)) | Err(_)) | None => {
                panic!("a viewer was sent away: {message:?}")
            }
            Some(Ok(Message::Text(words))) => {
                if let Ok(ServerMessage::AckDelay { most_ms }) = serde_json::from_str(&words) {
                    ack_within = Duration::from_millis(most_ms);
                }
                continue;
            }
            Some(Ok(_)) => continue,
        };
        arrived = Instant::now();
        bytes += message.len() as u64;
        if now_us() < began_us {
            before = bytes;
        }
        if let Some(made_us) = peer.made_us(&message).filter(|made| *made >= began_us) {
            delays.push(now_us().saturating_sub(made_us) as f32 / 1000.0);
        }
        if peer.hears_of_arrivals() {
            ack_at.get_or_insert_with(|| arrived + ack_within);
        }
    }
}
