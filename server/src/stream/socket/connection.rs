//! One socket: what goes out next, and what each message of the client means.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::super::frame::Frame;
use super::super::seats::Seat;
use super::super::viewer::{Next, Viewer};
use super::super::wire::{ClientMessage, HEADER_BYTES, Hello, ServerMessage};
use super::super::{Streams, begin};
use super::farewell::{
    BYE, Farewell, GONE, MALFORMED, NO_CODEC, NO_HELLO, NOT_FOUND, SEAT_TAKEN, SIGNED_OUT,
    STOPPING, TOO_MANY_MESSAGES, TOO_MANY_REFUSED, TRY_LATER,
};
use super::watching::{Crediting, Read, Watching, grown, said};
use super::{HELLO_WITHIN, SILENT_FOR, Who};
use crate::allowance::Allowance;
use crate::error::Error;
use crate::learning::evidence::credit::Verdict;

/// How often the other side is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(4);
/// The farewell may take this long.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);
/// Intervals of one connection that may be refused: no honest player comes near it.
const MOST_REFUSED: usize = 200;
/// Messages of a client: so many at once, and so many more each second.
const MESSAGES_AT_ONCE: f64 = 100.0;
const MESSAGES_EACH_SECOND: f64 = 50.0;
/// Answers that may wait for a slow link before nothing more is read from it.
const MOST_BACKLOG: usize = 256;

/// What is on its way out of the socket's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flushing {
    Nothing,
    Words,
    /// Its arrival shows that the other side is there.
    Media,
}

/// See the module.
pub(super) struct Connection {
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    seat: Seat,
    who: Who,
    began: Instant,
    /// When the other side last showed that it is there.
    heard: Instant,
    allowance: Allowance,
    flushing: Flushing,
    reading: Option<Read>,
    crediting: Option<Crediting>,
    /// Intervals that were refused so far.
    refused: usize,
}

impl Connection {
    pub(super) fn new(
        sink: SplitSink<WebSocket, Message>,
        stream: SplitStream<WebSocket>,
        seat: Seat,
        who: Who,
    ) -> Self {
        let now = Instant::now();
        Self {
            sink,
            stream,
            seat,
            who,
            began: now,
            heard: now,
            allowance: Allowance::new(MESSAGES_AT_ONCE, MESSAGES_EACH_SECOND),
            flushing: Flushing::Nothing,
            reading: None,
            crediting: None,
            refused: 0,
        }
    }

    /// From `hello` to whatever ends it.
    pub(super) async fn run(&mut self, streams: &Streams) -> Farewell {
        let hello = tokio::select! {
            () = streams.stop.cancelled() => return STOPPING,
            hello = timeout(HELLO_WITHIN, self.hello()) => hello,
        };
        let hello = match hello {
            Err(_) => return NO_HELLO,
            Ok(Err(end)) => return end,
            Ok(Ok(hello)) => hello,
        };
        let session = hello.session;
        let begun = match begin::begin(streams, self.who.account, hello).await {
            Ok(begun) => begun,
            Err(Error::NotFound) => return NOT_FOUND,
            Err(Error::UnsupportedType) => return NO_CODEC,
            Err(error) => {
                tracing::error!(%error, "a stream could not begin");
                return TRY_LATER;
            }
        };
        let (mut watching, welcome) = Watching::begin(begun, session);
        if self.sink.send(text(&welcome)).await.is_err() {
            return GONE;
        }
        let end = match self.stream(streams, &mut watching).await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        watching.remember(streams).await;
        end
    }

    async fn hello(&mut self) -> Result<Hello, Farewell> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    return match serde_json::from_str(&text) {
                        Ok(ClientMessage::Hello(hello)) => Ok(hello),
                        _ => Err(MALFORMED),
                    };
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_))) => return Err(MALFORMED),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(GONE),
            }
        }
    }

    /// The life of a viewer. Each turn begins what can be begun and then waits for one thing.
    async fn stream(
        &mut self,
        streams: &Streams,
        watching: &mut Watching,
    ) -> Result<Infallible, Farewell> {
        let mut ticks = interval(PING_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.heard = Instant::now();
        loop {
            self.send_next(streams, watching).await?;
            let flushing = self.flushing != Flushing::Nothing;
            let quiet = !flushing && self.reading.is_none();
            let listening = self.crediting.is_none() && watching.viewer.backlog() < MOST_BACKLOG;
            tokio::select! {
                () = streams.stop.cancelled() => return Err(STOPPING),
                () = self.seat.taken.cancelled() => return Err(SEAT_TAKEN),
                flushed = self.sink.flush(), if flushing => {
                    flushed.map_err(|_| GONE)?;
                    if self.flushing == Flushing::Media {
                        self.heard = Instant::now();
                    }
                    self.flushing = Flushing::Nothing;
                }
                (frame, payload) = some(&mut self.reading) => {
                    self.reading = None;
                    self.send_read(watching, &frame, payload).await?;
                }
                verdict = some(&mut self.crediting) => {
                    self.crediting = None;
                    self.credited(watching, verdict)?;
                }
                index = grown(&mut watching.index) => match index {
                    Some(index) => watching.grow(index, streams),
                    None => watching.index = None,
                },
                words = said(&mut watching.seat), if quiet => match words {
                    Some(words) => self.feed(Message::Text(words), Flushing::Words).await?,
                    // Sent out, or the class is over and what is left of it still comes.
                    None => watching.leave_room(streams).await.map_err(refused)?,
                },
                () = sleep_until(self.heard + SILENT_FOR) => return Err(GONE),
                _ = ticks.tick() => {
                    watching.say_how_far(streams);
                    // While something is on its way out, its arrival tells as much as a ping.
                    if !flushing {
                        self.feed(Message::Ping(Bytes::new()), Flushing::Words).await?;
                    }
                }
                message = self.stream.next(), if listening => {
                    self.heard = Instant::now();
                    let message = match message {
                        Some(Ok(message)) => message,
                        Some(Err(_)) | None => return Err(GONE),
                    };
                    if let Some(message) = self.understand(&message)? {
                        self.obey(streams, watching, message).await?;
                    }
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn feed(&mut self, message: Message, flushing: Flushing) -> Result<(), Farewell> {
        self.sink.feed(message).await.map_err(|_| GONE)?;
        self.flushing = flushing;
        Ok(())
    }

    /// Hands the next message to the socket, if it has taken the one before.
    async fn send_next(
        &mut self,
        streams: &Streams,
        watching: &mut Watching,
    ) -> Result<(), Farewell> {
        if self.flushing != Flushing::Nothing || self.reading.is_some() {
            return Ok(());
        }
        // Words of the room are few and short; they never wait for media.
        if let Some(words) = watching.heard() {
            return self.feed(Message::Text(words), Flushing::Words).await;
        }
        let now_ms = self.now_ms();
        match watching.viewer.next(now_ms) {
            Next::Wait => Ok(()),
            Next::Send(frame) => {
                if let Some(message) = watching.shared(&frame) {
                    count(&watching.viewer, &frame);
                    return self.feed(message, Flushing::Media).await;
                }
                self.reading = Some(watching.read(&streams.segments, frame));
                Ok(())
            }
            Next::Say(message) => self.feed(text(&message), Flushing::Words).await,
            Next::Vouch => {
                let receipt = watching.receipt(streams).await.map_err(fault)?;
                self.feed(text(&receipt), Flushing::Words).await
            }
        }
    }

    async fn send_read(
        &mut self,
        watching: &mut Watching,
        frame: &Frame,
        payload: Result<Bytes, Error>,
    ) -> Result<(), Farewell> {
        let payload = payload.map_err(fault)?;
        // The client has gone elsewhere meanwhile.
        if frame.header.epoch != watching.viewer.epoch() {
            watching.viewer.dropped(frame);
            return Ok(());
        }
        count(&watching.viewer, frame);
        self.feed(binary(frame, &payload), Flushing::Media).await
    }

    fn credited(
        &mut self,
        watching: &mut Watching,
        verdict: Result<Verdict, Error>,
    ) -> Result<(), Farewell> {
        // Of an error: nothing was credited; the client keeps its intervals and reports again.
        let verdict = verdict.map_err(refused)?;
        self.refused += verdict.refused.len();
        if self.refused > MOST_REFUSED {
            return Err(TOO_MANY_REFUSED);
        }
        watching.answer(verdict);
        Ok(())
    }

    /// What the client says; nothing when it only shows that it is there.
    fn understand(&mut self, message: &Message) -> Result<Option<ClientMessage>, Farewell> {
        match message {
            Message::Binary(_) => return Err(MALFORMED),
            Message::Close(_) => return Err(GONE),
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) => {}
        }
        if !self.allowance.take(1.0, self.heard) {
            return Err(TOO_MANY_MESSAGES);
        }
        match message {
            Message::Text(text) => serde_json::from_str(text).map(Some).map_err(|_| MALFORMED),
            _ => Ok(None),
        }
    }

    async fn obey(
        &mut self,
        streams: &Streams,
        watching: &mut Watching,
        message: ClientMessage,
    ) -> Result<(), Farewell> {
        match message {
            ClientMessage::Hello(_) => return Err(MALFORMED),
            ClientMessage::Bye => return Err(BYE),
            ClientMessage::Ack { bytes, buffer_ms } => {
                if watching.viewer.ack(bytes, buffer_ms, self.now_ms()) {
                    metrics::counter!("millet_stalls_total").increment(1);
                }
                watching.tell_room(buffer_ms);
            }
            ClientMessage::Seek { position_ms, epoch } => watching.viewer.seek(position_ms, epoch),
            ClientMessage::Pin { rung } => watching.viewer.pin(rung.as_deref()),
            ClientMessage::Budget { bytes } => watching.viewer.budget(bytes),
            ClientMessage::Follow { follow } => watching.viewer.follow(follow),
            ClientMessage::Act { request } => {
                if !watching.act(request) {
                    return Err(MALFORMED);
                }
            }
            ClientMessage::Played { intervals, receipt } => {
                let learnt = watching.learn(streams, receipt.as_deref()).await;
                learnt.map_err(fault)?;
                self.crediting = Some(watching.credit(streams, &self.who, &intervals));
            }
        }
        Ok(())
    }

    /// Says why, and ends the TCP connection in order.
    pub(super) async fn close(&mut self, end: Farewell) {
        if end.code == 0 {
            return;
        }
        tracing::debug!(code = end.code, reason = end.reason, "a stream ends");
        let said = async {
            if let Some(code) = end.problem {
                let code = code.to_owned();
                self.sink
                    .send(text(&ServerMessage::Problem { code }))
                    .await?;
            }
            let frame = CloseFrame {
                code: end.code,
                reason: Utf8Bytes::from_static(end.reason),
            };
            self.sink.send(Message::Close(Some(frame))).await?;
            // The other side's answer ends the TCP connection in order.
            while let Some(Ok(message)) = self.stream.next().await {
                if matches!(message, Message::Close(_)) {
                    break;
                }
            }
            Ok::<_, axum::Error>(())
        };
        if !matches!(timeout(FAREWELL_WITHIN, said).await, Ok(Ok(()))) {
            tracing::debug!("a viewer did not hear the farewell");
        }
    }
}

/// What the client is told of its right to watch.
fn refused(error: Error) -> Farewell {
    match error {
        Error::SignInNeeded => SIGNED_OUT,
        Error::NotFound => NOT_FOUND,
        Error::Malformed(_) => MALFORMED,
        error => fault(error),
    }
}

/// The server cannot go on just now.
fn fault(error: Error) -> Farewell {
    tracing::error!(%error, "a stream cannot go on");
    TRY_LATER
}

/// Waits for what is in progress; for ever when nothing is.
async fn some<T>(pending: &mut Option<BoxFuture<'static, T>>) -> T {
    match pending {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

fn count(viewer: &Viewer, frame: &Frame) {
    metrics::counter!("millet_stream_bytes_total", "rung" => viewer.rung().0.to_owned())
        .increment(frame.message_bytes());
}

fn text(message: &ServerMessage) -> Message {
    // Strings and numbers always serialise.
    Message::Text(serde_json::to_string(message).unwrap_or_default().into())
}

/// Header and payload in one message. The one copy of the payload: a WebSocket message is contiguous.
fn binary(frame: &Frame, payload: &Bytes) -> Message {
    let mut message = BytesMut::with_capacity(HEADER_BYTES + payload.len());
    message.put_slice(&frame.header.encode());
    message.put_slice(payload);
    Message::Binary(message.freeze())
}
