//! A client of `millet.stream.v1` for tests and load: it keeps the protocol's account (bytes, lanes,
//! receipts, resume) and leaves what is wanted to its user.

pub mod host;
pub mod player;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use millet_server::id::{PlaySessionId, TimelineId};
use millet_server::live::room::told::RoomMessage;
use millet_server::stream::wire::{
    Ack, ClientMessage, HEADER_BYTES, Header, Hello, Payload, PlayedInterval, Resume, SUBPROTOCOL,
    ServerMessage, flag,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Why a client could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TCP.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// WebSocket, or a refusal of the upgrade.
    #[error("socket: {0}")]
    Socket(#[from] Box<SocketError>),
    /// The server said something that is not of the protocol.
    #[error("not of the protocol: {0}")]
    Protocol(String),
    /// The server closed with this code.
    #[error("closed: {0} {1}")]
    Closed(u16, String),
    /// Nothing came in time.
    #[error("nothing came in time")]
    Silence,
}

impl From<SocketError> for ClientError {
    fn from(error: SocketError) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// What the server sent.
#[derive(Clone, Debug)]
pub enum Event {
    /// Media.
    Media(Header, Bytes),
    /// Control.
    Control(ServerMessage),
    /// What the room of a class says.
    Words(serde_json::Value),
}

/// One connection.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    /// Bytes of binary messages since `welcome`.
    pub received: u64,
    /// Newest receipt.
    pub receipt: Option<String>,
    /// Epoch of what is wanted.
    pub epoch: u32,
    newest: [Option<(u32, u16)>; 2],
    acknowledged: u64,
}

/// Arrivals that share one acknowledgement, in bytes: half of the smallest window.
const ACK_BYTES: u64 = 8 * 1024;

/// What `welcome` said.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// Epoch.
    pub epoch: u32,
    /// Length.
    pub duration_ms: u64,
    /// What can be decoded.
    pub renditions: Vec<millet_server::stream::wire::Rendition>,
    /// From the fewest to the most bytes.
    pub rungs: Vec<millet_server::stream::wire::Rung>,
    /// First rung.
    pub rung: String,
    /// How far it is prepared, of what is not finished.
    pub prepared_ms: Option<u64>,
}

/// A hello from the beginning with everything decodable.
#[must_use]
pub fn hello(timeline: TimelineId, session: PlaySessionId) -> Hello {
    Hello {
        timeline,
        session,
        position_ms: 0,
        codecs: ["avc1", "opus", "mp4a"].map(str::to_owned).to_vec(),
        pin: None,
        budget_bytes: None,
        resume: None,
        receipt: None,
        live: None,
    }
}

impl Client {
    /// Connects with the value of a session cookie.
    ///
    /// # Errors
    /// When the upgrade is refused.
    pub async fn connect(address: SocketAddr, session_token: &str) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{address}/stream").into_client_request()?;
        let headers = request.headers_mut();
        let mut set = |name: &'static str, value: String| {
            headers.insert(name, value.parse().unwrap());
        };
        set("origin", format!("http://{address}"));
        set("cookie", format!("millet_session={session_token}"));
        set("sec-websocket-protocol", SUBPROTOCOL.to_owned());
        let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
        Ok(Self {
            socket,
            received: 0,
            receipt: None,
            epoch: 0,
            newest: [None, None],
            acknowledged: 0,
        })
    }

    /// Sends `hello` and waits for `welcome`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn hello(&mut self, hello: Hello) -> Result<Welcome, ClientError> {
        self.send(&ClientMessage::Hello(hello)).await?;
        match self.next().await? {
            Event::Control(ServerMessage::Welcome {
                epoch,
                duration_ms,
                renditions,
                rungs,
                rung,
                prepared_ms,
                ..
            }) => {
                self.epoch = epoch;
                Ok(Welcome {
                    epoch,
                    duration_ms,
                    renditions,
                    rungs,
                    rung,
                    prepared_ms,
                })
            }
            other => Err(ClientError::Protocol(format!(
                "instead of welcome: {other:?}"
            ))),
        }
    }

    /// Says something.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, message: &ClientMessage) -> Result<(), ClientError> {
        let text =
            serde_json::to_string(message).map_err(|e| ClientError::Protocol(e.to_string()))?;
        self.socket.send(Message::text(text)).await?;
        Ok(())
    }

    /// Says any text, for hostile tests.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send_text(&mut self, text: &str) -> Result<(), ClientError> {
        self.socket.send(Message::text(text)).await?;
        Ok(())
    }

    /// Acknowledges all that came.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn ack(&mut self, buffer_ms: u64) -> Result<(), ClientError> {
        let bytes = self.received;
        self.acknowledged = bytes;
        let ack = Ack {
            bytes,
            buffer_ms,
            ..Ack::default()
        };
        self.send(&ClientMessage::Ack(ack)).await
    }

    /// Acknowledges when enough came since it last did.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn ack_some(&mut self, buffer_ms: u64) -> Result<(), ClientError> {
        if self.received - self.acknowledged < ACK_BYTES {
            return Ok(());
        }
        self.ack(buffer_ms).await
    }

    /// Asks for another position; the epoch counts up.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn seek(&mut self, position_ms: u64) -> Result<(), ClientError> {
        self.epoch += 1;
        self.newest = [None, None];
        let epoch = self.epoch;
        self.send(&ClientMessage::Seek { position_ms, epoch }).await
    }

    /// Reports intervals with the newest receipt.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn played(&mut self, intervals: Vec<PlayedInterval>) -> Result<(), ClientError> {
        let receipt = self.receipt.clone();
        self.send(&ClientMessage::Played { intervals, receipt })
            .await
    }

    /// What comes next, within half a minute.
    ///
    /// # Errors
    /// [`ClientError::Closed`] with the server's code, or when the connection is gone.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(30), self.socket.next())
                .await
                .map_err(|_| ClientError::Silence)?;
            match message {
                Some(Ok(Message::Binary(bytes))) => return self.media(bytes),
                Some(Ok(Message::Text(text))) => return self.control(&text),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(ClientError::Closed(
                        frame.code.into(),
                        frame.reason.to_string(),
                    ));
                }
                Some(Ok(Message::Close(None))) | None => {
                    return Err(ClientError::Closed(1006, String::new()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    fn media(&mut self, bytes: Bytes) -> Result<Event, ClientError> {
        let header = Header::decode(&bytes)
            .ok_or_else(|| ClientError::Protocol(format!("binary of {} bytes", bytes.len())))?;
        self.received += bytes.len() as u64;
        if header.payload == Payload::Chunk && header.epoch == self.epoch {
            let lane = usize::from(header.has(flag::AUDIO));
            self.newest[lane] = Some((header.sequence, header.part));
        }
        Ok(Event::Media(header, bytes.slice(HEADER_BYTES..)))
    }

    fn control(&mut self, text: &str) -> Result<Event, ClientError> {
        let strange = |error| ClientError::Protocol(format!("{error}: {text}"));
        let value: serde_json::Value = serde_json::from_str(text).map_err(strange)?;
        let of_room = serde_json::from_value::<RoomMessage>(value.clone()).is_ok();
        if of_room {
            return Ok(Event::Words(value));
        }
        let message: ServerMessage = serde_json::from_value(value).map_err(strange)?;
        if let ServerMessage::Welcome { receipt, .. } | ServerMessage::Receipt { receipt } =
            &message
        {
            self.receipt = Some(receipt.clone());
        }
        Ok(Event::Control(message))
    }

    /// What this client holds, for the next connection.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        let [video, audio] = self.newest;
        (video.is_some() || audio.is_some()).then_some(Resume {
            epoch: self.epoch,
            video_sequence: video.map(|(sequence, _)| sequence),
            video_part: video.map(|(_, part)| part),
            audio_sequence: audio.map(|(sequence, _)| sequence),
            audio_part: audio.map(|(_, part)| part),
        })
    }
}
