//! A bad link: a proxy that is slow in both directions, waits, and can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Bytes that pass at once: about one packet.
const PIECE: usize = 1_400;
/// Pieces under way at most: more than a delay of half a second holds at 2 Mbit/s.
const UNDER_WAY: usize = 256;
/// What is taken before the link is free.
const AHEAD: Duration = Duration::from_millis(20);
/// Receive buffer asked for, bytes; the kernel doubles it.
const RECEIVED: u32 = 16 << 10;

/// One side of the link: a bucket that all connections share.
struct Lane {
    bytes_per_second: f64,
    free_at: Mutex<Instant>,
}

impl Lane {
    /// When `bytes` more will have passed.
    fn pass(&self, bytes: usize) -> Instant {
        let mut free_at = self.free_at.lock().unwrap();
        let begin = (*free_at).max(Instant::now());
        #[allow(clippy::cast_precision_loss, reason = "a packet's bytes")]
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        *free_at = begin + takes;
        *free_at
    }
}

struct Shared {
    down: Lane,
    up: Lane,
    delay: Duration,
    upstream: watch::Sender<SocketAddr>,
    /// Counts cuts; odd while the link is down.
    cuts: watch::Sender<u64>,
}

/// A proxy on a free port.
pub struct Link {
    /// What browsers connect to.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Link {
    /// A link of so many bits a second each way, with so much delay each way.
    pub async fn to(upstream: SocketAddr, bits_per_second: u32, delay: Duration) -> Self {
        let socket = small_socket();
        socket
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let lane = || Lane {
            bytes_per_second: f64::from(bits_per_second) / 8.0,
            free_at: Mutex::new(Instant::now()),
        };
        let shared = Arc::new(Shared {
            down: lane(),
            up: lane(),
            delay,
            upstream: watch::Sender::new(upstream),
            cuts: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// Address of a page through the link.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Breaks every connection and takes no new one until [`Link::heal`].
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts |= 1);
    }

    /// Lets connections through again.
    pub fn heal(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts = (*cuts | 1) + 1);
    }

    /// The server is somewhere else now.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.shared.upstream.send_replace(upstream);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((near, _)) = listener.accept().await {
        if *shared.cuts.borrow() % 2 == 1 {
            continue;
        }
        let shared = shared.clone();
        tokio::spawn(async move {
            let mut cuts = shared.cuts.subscribe();
            let upstream = *shared.upstream.borrow();
            let Ok(far) = small_socket().connect(upstream).await else {
                return;
            };
            // What a handshake takes; the near side believes that it is over.
            tokio::time::sleep(shared.delay * 2).await;
            let _ = near.set_nodelay(true).and(far.set_nodelay(true));
            let (mut near_read, mut near_write) = near.into_split();
            let (mut far_read, mut far_write) = far.into_split();
            tokio::select! {
                () = async { tokio::join!(
                    carry(&mut near_read, &mut far_write, &shared.up, shared.delay),
                    carry(&mut far_read, &mut near_write, &shared.down, shared.delay),
                ); } => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

/// A socket that takes little before the link has carried it, as a real one does.
fn small_socket() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVED).unwrap();
    socket
}

/// What is under way arrives late by the delay, however much follows it.
async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    lane: &Lane,
    delay: Duration,
) {
    let (under_way, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let leave = async move {
        let mut piece = vec![0_u8; PIECE];
        while let Ok(read) = from.read(&mut piece).await {
            if read == 0 {
                break;
            }
            let passed = lane.pass(read);
            let sent = under_way.send((passed + delay, piece[..read].to_vec()));
            if sent.await.is_err() {
                break;
            }
            // A timer that wakes late must not cost the link its rate.
            tokio::time::sleep_until((passed - AHEAD).into()).await;
        }
    };
    let arrive = async move {
        while let Some((arrives, piece)) = arriving.recv().await {
            tokio::time::sleep_until(arrives.into()).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(leave, arrive);
}
