//! Taking connections: so many at once, and none that is kept for nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Bytes of a connection that the kernel holds without having sent them.
const UNSENT_BYTES: u32 = 16 * 1024;
/// So long a peer may take nothing of what is sent, or not be heard of.
const SILENT: Duration = Duration::from_secs(300);
/// Pause after the machine has no room for another connection.
const FULL_PAUSE: Duration = Duration::from_millis(200);

/// What a listener bears with.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Connections with HTTP at once; further ones wait with the kernel. Sockets are not among them.
    pub connections: usize,
    /// How long the headers of a request may take, and how long there may be none. A phone on a bad link is
    /// slow; one that asks for nothing opens another connection when it does. Longer than proxies keep theirs.
    pub headers: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connections: 8_192,
            headers: Duration::from_secs(150),
        }
    }
}

/// Serves whoever connects, until `stop`; then lets open requests end.
///
/// # Errors
/// When the listener breaks.
pub async fn run(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: CancellationToken,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(patience.connections));
    let open = TaskTracker::new();
    loop {
        let next = async {
            // Nobody closes the semaphore.
            let place = places.clone().acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, stop) = (router.clone(), stop.clone());
                open.spawn(async move {
                    serve(stream, peer, router, patience, stop).await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no room for another connection");
                tokio::time::sleep(FULL_PAUSE).await;
            }
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
    Ok(())
}

/// Serves one connection to its end, or until it becomes a socket.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    patience: Patience,
    stop: CancellationToken,
) {
    if let Err(error) = settle(&stream) {
        tracing::debug!(%error, "an option of a connection is refused");
    }
    let service = router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn settle(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    stream.set_nodelay(true)?;
    // A small unsent queue: what waits in the kernel can neither be taken back after a seek nor
    // be overtaken by sound.
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    // Linux ends by this also who reads no more: see tcp(7).
    socket.set_tcp_user_timeout(Some(SILENT))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENT / 2))
}

/// Whether the peer is to blame, and not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const LONG: Duration = Duration::from_secs(600);

    struct Open {
        address: SocketAddr,
        stop: CancellationToken,
        running: JoinHandle<io::Result<()>>,
    }

    async fn open(router: Router, patience: Patience) -> Open {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(listener, router, patience, stop.clone()));
        Open {
            address,
            stop,
            running,
        }
    }

    fn hello() -> Router {
        Router::new().route("/", get(async || "hello"))
    }

    async fn connect(open: &Open) -> TcpStream {
        TcpStream::connect(open.address).await.unwrap()
    }

    /// What comes until it says hello, or the end.
    async fn answer(stream: &mut TcpStream) -> String {
        let mut read = Vec::new();
        while !read.ends_with(b"hello") && stream.read_buf(&mut read).await.unwrap() > 0 {}
        String::from_utf8(read).unwrap()
    }

    #[tokio::test]
    async fn who_asks_for_nothing_is_let_go() {
        let patience = Patience {
            headers: Duration::from_millis(50),
            ..Patience::default()
        };
        let open = open(hello(), patience).await;
        for begun in [b"".as_slice(), b"GET / HT", ASK] {
            let mut stream = connect(&open).await;
            stream.write_all(begun).await.unwrap();
            let is_whole = begun == ASK;
            assert_eq!(answer(&mut stream).await.ends_with("hello"), is_whole);
            assert_eq!(answer(&mut stream).await, "", "it is closed");
        }
        open.stop.cancel();
        open.running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_comes_when_all_places_are_taken_waits_for_one() {
        let patience = Patience {
            connections: 1,
            headers: LONG,
        };
        let open = open(hello(), patience).await;
        let mut first = connect(&open).await;
        first.write_all(ASK).await.unwrap();
        assert!(answer(&mut first).await.ends_with("hello"));
        let mut second = connect(&open).await;
        second.write_all(ASK).await.unwrap();
        let mut waits = pin!(answer(&mut second));
        first.write_all(ASK).await.unwrap();
        tokio::select! {
            biased;
            early = &mut waits => panic!("{early}"),
            answer = answer(&mut first) => assert!(answer.ends_with("hello")),
        }
        drop(first);
        assert!(waits.await.ends_with("hello"));
        open.stop.cancel();
        open.running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_open_request_is_answered_before_the_end_and_none_after() {
        let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let router = Router::new().route(
            "/",
            get({
                let (begun, go) = (begun.clone(), go.clone());
                async move || {
                    begun.add_permits(1);
                    go.acquire().await.unwrap().forget();
                    "hello"
                }
            }),
        );
        let patience = Patience {
            headers: LONG,
            ..Patience::default()
        };
        let open = open(router, patience).await;
        let mut stream = connect(&open).await;
        stream.write_all(ASK).await.unwrap();
        begun.acquire().await.unwrap().forget();
        open.stop.cancel();
        go.add_permits(1);
        assert!(answer(&mut stream).await.ends_with("hello"));
        assert_eq!(answer(&mut stream).await, "");
        open.running.await.unwrap().unwrap();
    }
}
