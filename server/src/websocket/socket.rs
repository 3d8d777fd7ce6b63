//! One socket.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{FutureExt as _, Sink as _, SinkExt as _, Stream as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::shared::{BinaryMessage, Wire};
use super::{Message, SocketError};

/// What a socket did.
#[derive(Debug)]
pub enum Moved {
    /// Everything went out.
    Flushed,
    /// The other side said something.
    Heard(Message),
    /// What the other side sent is no message. Nothing more is heard; it can still be told.
    Unreadable,
    /// It is closed or broken.
    Gone,
}

/// Whether it is what the other side sent that was wrong, not the connection.
#[must_use]
pub fn is_unreadable(error: &SocketError) -> bool {
    match error {
        SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => false,
        SocketError::Utf8(_) | SocketError::Capacity(_) | SocketError::Protocol(_) => true,
        _ => false,
    }
}

/// See the module.
pub struct Socket<Io = TcpStream> {
    inner: WebSocketStream<Wire<Io>>,
    /// The library may hold words that no shared message may overtake or cut in two.
    words_wait: bool,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Socket<Io> {
    /// `read` was read of the other side's first messages already.
    pub(super) async fn new(io: Io, read: Vec<u8>, config: WebSocketConfig) -> Self {
        let wire = Wire::new(io);
        let begun = WebSocketStream::from_partially_read(wire, read, Role::Server, Some(config));
        Self {
            inner: begun.await,
            words_wait: false,
        }
    }

    /// The next message; `None` when there is none any more.
    pub async fn recv(&mut self) -> Option<Result<Message, SocketError>> {
        let message = self.inner.next().await;
        self.words_wait = true;
        message
    }

    /// Sends a message and waits until it went out.
    ///
    /// # Errors
    /// When the socket is closed or broken.
    pub async fn send(&mut self, message: Message) -> Result<(), SocketError> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Begins to send; [`Socket::flush`] waits until it went out.
    ///
    /// # Errors
    /// When the socket is closed or broken.
    pub async fn feed(&mut self, message: Message) -> Result<(), SocketError> {
        if let Message::Text(words) = message {
            self.overtake_nothing().await?;
            self.inner.get_mut().push_words(&words);
            return Ok(());
        }
        self.words_wait = true;
        self.inner.feed(message).await
    }

    /// Begins to send what is shared with others, behind everything that was begun before.
    ///
    /// # Errors
    /// When the socket is closed or broken.
    pub async fn feed_shared(&mut self, message: BinaryMessage) -> Result<(), SocketError> {
        self.overtake_nothing().await?;
        self.inner.get_mut().push(message);
        Ok(())
    }

    async fn overtake_nothing(&mut self) -> Result<(), SocketError> {
        if self.words_wait {
            self.flush().await?;
        }
        Ok(())
    }

    /// Waits until everything went out.
    ///
    /// # Errors
    /// When the socket is closed or broken.
    pub async fn flush(&mut self) -> Result<(), SocketError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Writes what the other side takes at once; whether that was everything.
    ///
    /// # Errors
    /// When the socket is closed or broken.
    pub fn try_flush(&mut self) -> Result<bool, SocketError> {
        self.flush()
            .now_or_never()
            .transpose()
            .map(|done| done.is_some())
    }

    /// Waits for one of both, as far as they are wanted.
    pub async fn moved(&mut self, flushing: bool, listening: bool) -> Moved {
        poll_fn(|cx| self.poll_moved(cx, flushing, listening)).await
    }

    fn poll_moved(&mut self, cx: &mut Context<'_>, flushing: bool, listening: bool) -> Poll<Moved> {
        if flushing && let Poll::Ready(flushed) = self.poll_flush(cx) {
            return Poll::Ready(flushed.map_or(Moved::Gone, |()| Moved::Flushed));
        }
        if !listening {
            return Poll::Pending;
        }
        let message = ready!(Pin::new(&mut self.inner).poll_next(cx));
        // It may have answered a ping.
        self.words_wait = true;
        Poll::Ready(match message {
            Some(Ok(message)) => Moved::Heard(message),
            Some(Err(error)) if is_unreadable(&error) => Moved::Unreadable,
            Some(Err(_)) | None => Moved::Gone,
        })
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.words_wait = false;
        Poll::Ready(Ok(()))
    }
}
