//! One socket: what goes out next, and what each message of the client means.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use metrics::Counter;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::frame::Frame;
use super::super::seats::Seat;
use super::super::viewer::Next;
use super::super::wire::{ClientMessage, Hello, ServerMessage};
use super::super::{Streams, begin};
use super::farewell::{
    BYE, Farewell, GONE, MALFORMED, NO_CODEC, NO_HELLO, NOT_FOUND, SEAT_TAKEN, SIGNED_OUT,
    STOPPING, TOO_MANY_MESSAGES, TOO_MANY_REFUSED, TRY_LATER,
};
use super::reading::client_message;
use super::watching::{Crediting, Looking, Proving, Read, Watching, grown, said};
use super::{HELLO_WITHIN, SILENT_FOR, Who};
use crate::allowance::Allowance;
use crate::error::Error;
use crate::learning::evidence::credit::Verdict;
use crate::websocket::{
    BinaryMessage, CloseFrame, Message, Moved, Socket, SocketError, Utf8Bytes, is_unreadable,
};

/// The other side is asked whether it is there when it said nothing for so long.
const PING_EVERY: Duration = Duration::from_secs(4);
/// Whoever reports nothing is asked this often, with a ping, whether he or she may still watch; a report
/// proves it too.
const PROVE_EVERY: Duration = Duration::from_secs(12);
/// The farewell may take this long.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);
/// Intervals of one connection that may be refused: no honest player comes near it.
const MOST_REFUSED: usize = 200;
/// Messages of a client: so many at once, and so many more each second.
const MESSAGES_AT_ONCE: f64 = 100.0;
const MESSAGES_EACH_SECOND: f64 = 50.0;
/// Answers that may wait for a slow link before nothing more is read from it.
const MOST_BACKLOG: usize = 256;
/// Messages that are handed to the kernel together.
const MOST_TOGETHER: usize = 8;

/// What was handed to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fed {
    Nothing,
    Words,
    /// Its arrival shows that the other side is there.
    Media,
}

/// See the module.
pub(super) struct Connection {
    socket: Socket,
    seat: Seat,
    who: Who,
    began: Instant,
    /// When the other side last showed that it is there.
    heard: Instant,
    allowance: Allowance,
    /// What is on its way out of the socket's buffer.
    flushing: Fed,
    reading: Option<Read>,
    crediting: Option<Crediting>,
    /// Of a recording that is not finished.
    looking: Option<Looking>,
    proving: Option<Proving>,
    /// When it was last asked whether the viewer may watch.
    proved: Instant,
    /// Intervals that were refused so far.
    refused: usize,
    /// Bytes sent, by the rung that they were sent of.
    sent: Option<(String, Counter)>,
}

impl Connection {
    pub(super) fn new(socket: Socket, seat: Seat, who: Who) -> Self {
        let now = Instant::now();
        Self {
            socket,
            seat,
            who,
            began: now,
            heard: now,
            allowance: Allowance::new(MESSAGES_AT_ONCE, MESSAGES_EACH_SECOND),
            flushing: Fed::Nothing,
            reading: None,
            crediting: None,
            looking: None,
            proving: None,
            proved: now,
            refused: 0,
            sent: None,
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
        let begun = match Box::pin(begin::begin(streams, self.who.account, hello)).await {
            Ok(begun) => begun,
            Err(Error::NotFound) => return NOT_FOUND,
            Err(Error::UnsupportedType) => return NO_CODEC,
            Err(error) => {
                tracing::error!(%error, "a stream could not begin");
                return TRY_LATER;
            }
        };
        let (mut watching, welcome) = Watching::begin(begun, session);
        if self.socket.send(text(&welcome)).await.is_err() {
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
            match self.socket.recv().await {
                Some(Ok(Message::Text(text))) => {
                    return match serde_json::from_str(&text) {
                        Ok(ClientMessage::Hello(hello)) => Ok(hello),
                        _ => Err(MALFORMED),
                    };
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => return Err(MALFORMED),
                Some(Err(error)) if is_unreadable(&error) => return Err(MALFORMED),
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
        self.heard = Instant::now();
        self.looking = watching.look(streams);
        // These wait on what all viewers share: once for each viewer, not once for each turn.
        let taken = self.seat.taken.clone();
        let mut taken = pin!(taken.cancelled());
        let mut ticks = pin!(sleep_until(self.heard + PING_EVERY));
        loop {
            self.send_on(streams, watching).await?;
            let flushing = self.flushing != Fed::Nothing;
            let quiet = !flushing && self.reading.is_none();
            let listening = self.crediting.is_none() && watching.viewer.backlog() < MOST_BACKLOG;
            tokio::select! {
                () = &mut taken => {
                    return Err(if streams.stop.is_cancelled() { STOPPING } else { SEAT_TAKEN });
                }
                moved = self.socket.moved(flushing, listening) => match moved {
                    Moved::Flushed => self.flushed(),
                    Moved::Heard(message) => {
                        self.heard = Instant::now();
                        if let Some(message) = self.understand(&message)? {
                            self.obey(streams, watching, message).await?;
                        }
                    }
                    Moved::Unreadable => return Err(MALFORMED),
                    Moved::Gone => return Err(GONE),
                },
                (frame, payload) = some(&mut self.reading) => {
                    self.reading = None;
                    self.send_read(watching, &frame, payload).await?;
                }
                verdict = some(&mut self.crediting) => {
                    self.crediting = None;
                    self.credited(watching, verdict)?;
                }
                looked = some(&mut self.looking) => {
                    watching.looked(looked).map_err(refused)?;
                    self.looking = watching.look(streams);
                }
                proof = some(&mut self.proving) => {
                    self.proving = None;
                    may_go_on(proof)?;
                }
                index = grown(&mut watching.index) => match index {
                    Some(index) => watching.grow(index, streams),
                    None => watching.index = None,
                },
                words = said(&mut watching.seat), if quiet => match words {
                    Some(words) => self.feed(Message::Text(words)).await?,
                    // Sent out, or the class is over and what is left of it still comes.
                    None => Box::pin(watching.leave_room(streams)).await.map_err(refused)?,
                },
                () = &mut ticks => {
                    let now = Instant::now();
                    if self.heard + SILENT_FOR <= now {
                        return Err(GONE);
                    }
                    watching.remind(streams);
                    if self.proved + PROVE_EVERY <= now {
                        self.proved = now;
                        self.proving = Some(watching.prove(streams, &self.who));
                    }
                    // While something is on its way out, its arrival tells as much as a ping.
                    if !flushing && self.heard + PING_EVERY <= now {
                        self.feed(Message::Ping(Bytes::new())).await?;
                    }
                    ticks.as_mut().reset((now + PING_EVERY).min(self.heard + SILENT_FOR));
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn feed(&mut self, words: Message) -> Result<(), Farewell> {
        self.socket.feed(words).await.map_err(|_| GONE)?;
        if self.flushing == Fed::Nothing {
            self.flushing = Fed::Words;
        }
        Ok(())
    }

    async fn feed_media(
        &mut self,
        watching: &Watching,
        frame: &Frame,
        message: BinaryMessage,
    ) -> Result<(), Farewell> {
        let rung = watching.viewer.rung().0;
        let counter = match &self.sent {
            Some((counted, counter)) if counted == rung => counter,
            _ => {
                let counter =
                    metrics::counter!("millet_stream_bytes_total", "rung" => rung.to_owned());
                &self.sent.insert((rung.to_owned(), counter)).1
            }
        };
        counter.increment(frame.message_bytes());
        self.socket.feed_shared(message).await.map_err(|_| GONE)?;
        self.flushing = Fed::Media;
        Ok(())
    }

    fn flushed(&mut self) {
        if self.flushing == Fed::Media {
            self.heard = Instant::now();
        }
        self.flushing = Fed::Nothing;
    }

    /// Hands the socket what there is, for as long as the other side takes it at once.
    async fn send_on(
        &mut self,
        streams: &Streams,
        watching: &mut Watching,
    ) -> Result<(), Farewell> {
        loop {
            if self.flushing != Fed::Nothing {
                if !self.socket.try_flush().map_err(|_| GONE)? {
                    return Ok(());
                }
                self.flushed();
            }
            for _ in 0..MOST_TOGETHER {
                if self.send_next(streams, watching).await? == Fed::Nothing {
                    break;
                }
            }
            if self.flushing == Fed::Nothing {
                return Ok(());
            }
        }
    }

    /// Hands the next message to the socket.
    async fn send_next(
        &mut self,
        streams: &Streams,
        watching: &mut Watching,
    ) -> Result<Fed, Farewell> {
        if self.reading.is_some() {
            return Ok(Fed::Nothing);
        }
        // Words of the room are few and short; they never wait for media.
        if let Some(words) = watching.heard() {
            self.feed(Message::Text(words)).await?;
            return Ok(Fed::Words);
        }
        let now_ms = self.now_ms();
        match watching.viewer.next(now_ms) {
            Next::Wait => Ok(Fed::Nothing),
            Next::Send(frame) => {
                if let Some(message) = watching.shared(&frame) {
                    self.feed_media(watching, &frame, message).await?;
                    return Ok(Fed::Media);
                }
                self.reading = Some(watching.read(&streams.segments, frame));
                Ok(Fed::Nothing)
            }
            Next::Say(message) => {
                self.feed(text(&message)).await?;
                Ok(Fed::Words)
            }
            Next::Vouch => {
                let receipt = Box::pin(watching.receipt(streams)).await.map_err(fault)?;
                self.feed(text(&receipt)).await?;
                Ok(Fed::Words)
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
        let message = BinaryMessage::new(&frame.header.encode(), payload);
        self.feed_media(watching, frame, message).await
    }

    fn credited(
        &mut self,
        watching: &mut Watching,
        verdict: Result<Verdict, Error>,
    ) -> Result<(), Farewell> {
        // Of an error: nothing was credited; the client keeps its intervals and reports again.
        let verdict = verdict.map_err(refused)?;
        self.proved = Instant::now();
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
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        if !self.allowance.take(1.0, self.heard) {
            return Err(TOO_MANY_MESSAGES);
        }
        match message {
            Message::Text(text) => client_message(text).map(Some).map_err(|_| MALFORMED),
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
            ClientMessage::Ack(ack) => {
                if watching.viewer.ack(&ack, self.now_ms()) {
                    metrics::counter!("millet_stalls_total").increment(1);
                }
                watching.tell_room(ack.buffer_ms);
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
                let learnt = Box::pin(watching.learn(streams, receipt.as_deref())).await;
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
                self.socket
                    .send(text(&ServerMessage::Problem { code }))
                    .await?;
            }
            let frame = CloseFrame {
                code: end.code.into(),
                reason: Utf8Bytes::from_static(end.reason),
            };
            self.socket.send(Message::Close(Some(frame))).await?;
            // The other side's answer ends the TCP connection in order.
            while let Some(Ok(message)) = self.socket.recv().await {
                if matches!(message, Message::Close(_)) {
                    break;
                }
            }
            Ok::<_, SocketError>(())
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

/// Ends what must not go on. A fault ends nothing: it is asked again.
fn may_go_on(proof: Result<(), Error>) -> Result<(), Farewell> {
    match proof {
        Err(error @ (Error::SignInNeeded | Error::NotFound)) => Err(refused(error)),
        Err(error) => {
            tracing::warn!(%error, "it could not be asked who may watch");
            Ok(())
        }
        Ok(()) => Ok(()),
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

fn text(message: &ServerMessage) -> Message {
    // Strings and numbers always serialise.
    Message::Text(serde_json::to_string(message).unwrap_or_default().into())
}
