//! Who fans out: Millet, nginx with nchan, node with `ws`; and how to be a viewer of each.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use millet_server::id::TimelineId;
use millet_server::stream::wire::{
    ClientMessage, Follow, HEADER_BYTES, Header, LiveWish, Payload, SUBPROTOCOL,
};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::fanout::{CHUNK_MS, SOUND_BYTES, VIDEO_BYTES, now_us};
use crate::kit::server::program;
use crate::kit::until;
use crate::stream::{self, host::Host};

/// Broadcasts the same fragments after a line on standard input.
const WS_SERVER: &str = "const { WebSocketServer } = require('ws');
const [port, ...sizes] = process.argv.slice(2).map(Number);
const server = new WebSocketServer({ port, host: '127.0.0.1', perMessageDeflate: false });
const micros = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));
const send = (bytes) => {
  const message = Buffer.alloc(bytes);
  message.writeBigUInt64BE(micros());
  for (const client of server.clients) if (client.bufferedAmount < 262144) client.send(message);
};
process.stdin.once('data', () => setInterval(() => sizes.forEach(send), 500));
process.stdin.on('end', () => process.exit());
";

/// One server.
pub(super) struct Peer {
    kind: Kind,
    child: Child,
    address: SocketAddr,
}

enum Kind {
    Millet {
        timeline: TimelineId,
        tokens: Vec<String>,
    },
    Nchan,
    Ws,
}

impl Peer {
    pub(super) async fn millet(viewers: usize) -> Self {
        let mut child = Command::new(program("live-host"))
            .arg(viewers.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = async || lines.next_line().await.unwrap().unwrap();
        let address = next().await.parse().unwrap();
        let timeline = next().await.parse().unwrap();
        let mut tokens = Vec::with_capacity(viewers);
        for _ in 0..viewers {
            tokens.push(next().await);
        }
        Self {
            kind: Kind::Millet { timeline, tokens },
            child,
            address,
        }
    }

    pub(super) async fn nchan(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let address = free_address();
        let config = folder.join("nginx.conf");
        std::fs::write(
            &config,
            format!(
                "load_module /usr/lib/nginx/modules/ngx_nchan_module.so;\n\
                 daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n\
                 worker_rlimit_nofile 20000; events {{ worker_connections 16000; }}\n\
                 http {{ access_log off; tcp_nodelay on; client_body_temp_path {folder}/body;\n\
                 proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
                 uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
                 client_max_body_size 1m; client_body_buffer_size 64k;\n\
                 server {{ listen {address};\n\
                 location /pub {{ nchan_publisher; nchan_channel_id class; }}\n\
                 location /sub {{ nchan_subscriber websocket; nchan_channel_id class;\n\
                 nchan_subscriber_first_message newest; }} }} }}\n",
                folder = folder.display(),
            ),
        )
        .unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&config)
            .arg("-e")
            .arg(folder.join("error.log"))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx: run `make bench`");
        listens(address).await;
        Self {
            kind: Kind::Nchan,
            child,
            address,
        }
    }

    pub(super) async fn ws(folder: &Path) -> Self {
        let script = folder.join("ws.cjs");
        std::fs::write(&script, WS_SERVER).unwrap();
        let address = free_address();
        let numbers = [address.port().into(), SOUND_BYTES, VIDEO_BYTES];
        let child = Command::new("node")
            .arg(&script)
            .args(numbers.map(|number: usize| number.to_string()))
            .env(
                "NODE_PATH",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../web/node_modules"),
            )
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node: run `make bench`");
        listens(address).await;
        Self {
            kind: Kind::Ws,
            child,
            address,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Begins to send; of nchan this process is the publisher.
    pub(super) async fn begin(&mut self, until: Instant) {
        if let Some(input) = &mut self.child.stdin {
            input.write_all(b"begin\n").await.unwrap();
            return;
        }
        let client = reqwest::Client::new();
        let url = format!("http://{}/pub", self.address);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(CHUNK_MS));
            while Instant::now() < until {
                ticks.tick().await;
                for bytes in [SOUND_BYTES, VIDEO_BYTES] {
                    let mut body = vec![0; bytes];
                    body[..8].copy_from_slice(&now_us().to_be_bytes());
                    // Any other type is sent as text.
                    let kind = ("content-type", "application/octet-stream");
                    let post = client.post(&url).header(kind.0, kind.1);
                    match post.body(body).send().await {
                        Ok(answer) => assert!(answer.status().is_success()),
                        // The measurement is over, and the peer with it.
                        Err(error) => return assert!(Instant::now() >= until, "{error}"),
                    }
                }
            }
        });
    }

    /// One more viewer.
    pub(super) async fn connect(&self, number: usize) -> WebSocketStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let path = match &self.kind {
            Kind::Millet { .. } => "stream",
            Kind::Nchan => "sub",
            Kind::Ws => "",
        };
        let url = format!("ws://{}/{path}", self.address);
        let mut request = url.into_client_request().unwrap();
        if let Kind::Millet { tokens, .. } = &self.kind {
            let headers = request.headers_mut();
            let mut set = |name: &'static str, value: String| {
                headers.insert(name, value.parse().unwrap());
            };
            set("origin", format!("http://{}", self.address));
            set("cookie", format!("millet_session={}", tokens[number]));
            set("sec-websocket-protocol", SUBPROTOCOL.to_owned());
        }
        let config = WebSocketConfig::default().read_buffer_size(4 * 1024);
        let (mut socket, _) = client_async_with_config(request, stream, Some(config))
            .await
            .unwrap();
        if let Kind::Millet { timeline, .. } = &self.kind {
            let mut hello = stream::hello(*timeline, Host::session());
            hello.pin = Some("v240".into());
            hello.live = Some(LiveWish {
                follow: Follow::Edge,
                at_edge: true,
                events_after: None,
            });
            let text = serde_json::to_string(&ClientMessage::Hello(hello)).unwrap();
            socket.send(Message::text(text)).await.unwrap();
        }
        socket
    }

    /// When a fragment was made; `None` for any other message.
    pub(super) fn made_us(&self, message: &[u8]) -> Option<u64> {
        let at = match self.kind {
            Kind::Millet { .. } if Header::decode(message)?.payload == Payload::Chunk => {
                HEADER_BYTES
            }
            Kind::Millet { .. } => return None,
            Kind::Nchan | Kind::Ws => 0,
        };
        let (bytes, _) = message.get(at..)?.split_first_chunk::<8>()?;
        Some(u64::from_be_bytes(*bytes))
    }

    /// Whether viewers say what arrived.
    pub(super) fn hears_of_arrivals(&self) -> bool {
        matches!(self.kind, Kind::Millet { .. })
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
}

async fn listens(address: SocketAddr) {
    until("a peer listens", Duration::from_secs(10), || async {
        TcpStream::connect(address).await.ok()
    })
    .await;
}
