//! Messages that are written from where they lie, between what the library writes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Pieces that one call hands to the kernel.
const PIECES: usize = 16;

/// A whole binary message as it goes out. Clones share the bytes: of a message that thousands get there is
/// one.
#[derive(Clone, Debug)]
pub struct BinaryMessage {
    /// The frame's header, and what stands before the body.
    head: Bytes,
    body: Bytes,
}

impl BinaryMessage {
    /// `head` and `body` in one frame, which a server does not mask (RFC 6455 section 5.1).
    #[must_use]
    pub fn new(head: &[u8], body: Bytes) -> Self {
        let length = head.len() + body.len();
        let mut framed = header(Data::Binary, length, head.len());
        framed.extend_from_slice(head);
        Self {
            head: framed.into(),
            body,
        }
    }

    /// What stands behind the head.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// The header of a frame of that length, with room behind it.
fn header(data: Data, length: usize, room: usize) -> Vec<u8> {
    let header = FrameHeader {
        opcode: OpCode::Data(data),
        ..FrameHeader::default()
    };
    let length = length as u64;
    let mut framed = Vec::with_capacity(header.len(length) + room);
    // Writing into memory does not fail.
    let _ = header.format(length, &mut framed);
    framed
}

/// The bytes below a socket: messages wait here until they are written, and whatever the library writes comes
/// behind them.
pub(super) struct Wire<Io> {
    io: Io,
    waiting: VecDeque<Bytes>,
}

impl<Io: AsyncWrite + Unpin> Wire<Io> {
    pub(super) fn new(io: Io) -> Self {
        Self {
            io,
            waiting: VecDeque::new(),
        }
    }

    /// Goes out behind what waits. The caller has flushed what the library wrote.
    pub(super) fn push(&mut self, message: BinaryMessage) {
        self.waiting.push_back(message.head);
        if !message.body.is_empty() {
            self.waiting.push_back(message.body);
        }
    }

    /// The same for words.
    pub(super) fn push_words(&mut self, words: &Utf8Bytes) {
        let mut framed = header(Data::Text, words.len(), words.len());
        framed.extend_from_slice(words.as_bytes());
        self.waiting.push_back(framed.into());
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (piece, waiting) in pieces.iter_mut().zip(&self.waiting) {
                *piece = IoSlice::new(waiting);
                count += 1;
            }
            let write = Pin::new(&mut self.io).poll_write_vectored(cx, &pieces[..count]);
            let written = ready!(write)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.forget(written);
        }
        Poll::Ready(Ok(()))
    }

    fn forget(&mut self, mut written: usize) {
        while let Some(first) = self.waiting.front_mut() {
            if first.len() > written {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.waiting.pop_front();
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Wire<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        ready!(wire.poll_drain(cx))?;
        Pin::new(&mut wire.io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        ready!(wire.poll_drain(cx))?;
        Pin::new(&mut wire.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        ready!(wire.poll_drain(cx))?;
        Pin::new(&mut wire.io).poll_shutdown(cx)
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Wire<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, bytes)
    }
}
