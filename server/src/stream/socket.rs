//! `GET /stream`: one task for each viewer, which moves bytes between the socket and its
//! [`Viewer`](super::viewer::Viewer). Whatever ends the socket ends the task.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::Streams;
use super::frame::Frame;
use super::growing::Growing;
use super::index::Index;
use super::rooms::{self, Following};
use super::seats::Seat;
use super::viewer::{Next, Viewer};
use super::wire::{
    ClientMessage, HEADER_BYTES, LONGEST_CLIENT_MESSAGE, PlayedInterval, SUBPROTOCOL, ServerMessage,
};
use crate::error::Error;
use crate::id::{AccountId, PlaySessionId, TimelineId};
use crate::learning::access::MayWatch;
use crate::learning::evidence::Claim;
use crate::learning::evidence::credit::{Account, Verdict};
use crate::learning::evidence::delivered::Delivered;
use crate::people::{SignedIn, session};
use crate::request::RequestId;

/// The first message must come within this time.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How often the other side is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(4);
/// Silence after which it is not.
pub const SILENT_FOR: Duration = Duration::from_secs(14);
/// The farewell may take this long.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);
/// tungstenite's buffers of one socket: its defaults would cost 10,000 viewers 1.2 GiB.
const READ_BUFFER: usize = 2 * 1024;
/// Largest chunk that can be sent.
const LARGEST_MESSAGE: usize = 4 << 20;
/// Messages of a client: so many at once, and so many more each second.
const MESSAGES_AT_ONCE: f64 = 100.0;
const MESSAGES_EACH_SECOND: f64 = 50.0;
/// Intervals of one connection that may be refused: no honest player comes near it.
const MOST_REFUSED: usize = 200;
/// Answers that may wait for a slow link before nothing more is read from it.
const MOST_BACKLOG: usize = 256;

/// Why a socket is closed (RFC 6455 section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    code: u16,
    /// For the client: nothing can be played, so that connecting again is of no use.
    problem: Option<&'static str>,
    reason: &'static str,
}

const fn farewell(code: u16, problem: Option<&'static str>, reason: &'static str) -> Farewell {
    Farewell {
        code,
        problem,
        reason,
    }
}

const BYE: Farewell = farewell(1000, None, "bye");
const MALFORMED: Farewell = farewell(1008, Some("malformed"), "malformed");
const NOT_FOUND: Farewell = farewell(1008, Some("not_found"), "not found");
const NO_CODEC: Farewell = farewell(1008, Some("no_codec"), "nothing to decode");
const NO_HELLO: Farewell = farewell(1008, None, "no hello in time");
const TOO_MANY_MESSAGES: Farewell = farewell(1008, None, "too many messages");
const TOO_MANY_REFUSED: Farewell = farewell(1008, None, "too many refused intervals");
const SIGNED_OUT: Farewell = farewell(1008, Some("sign_in_needed"), "signed out");
const SEAT_TAKEN: Farewell = farewell(1008, Some("too_many_connections"), "too many connections");
const STOPPING: Farewell = farewell(1012, None, "restart");
const TRY_LATER: Farewell = farewell(1013, None, "try again later");
/// The other side is gone: nothing is said.
const GONE: Farewell = farewell(0, None, "");

/// `GET /stream`
///
/// # Errors
/// [`Error::SignInNeeded`]; [`Error::Malformed`] without the subprotocol.
pub async fn open(
    State(streams): State<Streams>,
    signed_in: SignedIn,
    request: RequestId,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Error> {
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Err(Error::Malformed(format!(
            "the subprotocol is {SUBPROTOCOL}"
        )));
    }
    if streams.stop.is_cancelled() {
        return Err(Error::Busy);
    }
    let account = signed_in.account();
    let session_hash = signed_in.session_hash().to_owned();
    let device = device(&headers);
    let tasks = streams.tasks.clone();
    Ok(upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(LARGEST_MESSAGE + 64 * 1024)
        .max_message_size(LONGEST_CLIENT_MESSAGE)
        .max_frame_size(LONGEST_CLIENT_MESSAGE)
        .on_upgrade(move |socket| {
            let viewing = serve(streams, socket, account, session_hash, device);
            tasks.track_future(request.around(viewing))
        }))
}

/// A few words by which teachers tell devices apart; never the whole header.
fn device(headers: &HeaderMap) -> &'static str {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"]
        .into_iter()
        .find(|word| agent.contains(word))
        .unwrap_or("–")
}

async fn serve(
    streams: Streams,
    socket: WebSocket,
    account: AccountId,
    session_hash: String,
    device: &'static str,
) {
    let seat = streams.seats.take(account);
    let viewers = metrics::gauge!("millet_viewers");
    viewers.increment(1.0);
    let (sink, stream) = socket.split();
    let mut connection = Connection {
        sink,
        stream,
        seat,
        account,
        session_hash,
        device,
        refused: 0,
    };
    let end = connection.run(&streams).await;
    connection.close(end).await;
    viewers.decrement(1.0);
}

struct Connection {
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    seat: Seat,
    account: AccountId,
    /// Of the session that opened the connection.
    session_hash: String,
    device: &'static str,
    /// Intervals that were refused so far.
    refused: usize,
}

/// What is watched on this connection.
struct Watching {
    viewer: Viewer,
    right: MayWatch,
    session: PlaySessionId,
    growing: Option<Arc<Growing>>,
    /// Of the timeline, if it grows.
    index: Option<watch::Receiver<Arc<Index>>>,
    /// In the room, if there is one.
    seat: Option<rooms::Seat>,
}

impl Watching {
    /// The message that all viewers of a growing timeline share, if this frame is one.
    fn shared(&self, frame: &Frame) -> Option<Message> {
        let message = self.growing.as_ref()?.message(&frame.header)?;
        Some(Message::Binary(message))
    }

    /// Words of the room that wait.
    fn heard(&mut self) -> Option<Utf8Bytes> {
        self.seat.as_mut()?.says.try_recv().ok()
    }

    fn grow(&mut self, index: Arc<Index>, streams: &Streams) {
        let ended = !index.grows();
        self.viewer.grow(index);
        if ended {
            self.say_how_far(streams);
        }
    }

    fn say_how_far(&mut self, streams: &Streams) {
        if let Some(growing) = &self.growing {
            let live = growing.live(streams.evidence.now());
            self.viewer.say(ServerMessage::Live { live });
        }
    }

    /// Whether there is a room; one that cannot take more just now answers nothing, and the client asks
    /// again.
    fn act(&self, request: serde_json::Value) -> bool {
        match &self.seat {
            Some(seat) => {
                if seat.acts.try_send(request).is_err() {
                    metrics::counter!("millet_room_acts_dropped_total").increment(1);
                }
                true
            }
            None => false,
        }
    }

    fn tell_room(&self, buffer_ms: u64) {
        if let Some(seat) = &self.seat {
            seat.follows.send_replace(Following {
                rung: self.viewer.rung().0.to_owned(),
                behind_ms: self.viewer.behind_ms(),
                stuck: buffer_ms == 0,
            });
        }
    }
}

impl Connection {
    async fn run(&mut self, streams: &Streams) -> Farewell {
        let hello = tokio::select! {
            () = streams.stop.cancelled() => return STOPPING,
            hello = timeout(HELLO_WITHIN, self.hello()) => hello,
        };
        let hello = match hello {
            Err(_) => return NO_HELLO,
            Ok(Err(end)) => return end,
            Ok(Ok(hello)) => hello,
        };
        let (session, timeline) = (hello.session, hello.timeline);
        let mut watching = match super::begin::begin(streams, self.account, hello).await {
            Ok(begun) => {
                let text = text(&begun.welcome);
                if self.sink.send(text).await.is_err() {
                    return GONE;
                }
                Watching {
                    viewer: begun.viewer,
                    right: begun.right,
                    session,
                    index: begun.growing.as_ref().map(|growing| growing.index()),
                    growing: begun.growing,
                    seat: begun.seat,
                }
            }
            Err(Error::NotFound) => return NOT_FOUND,
            Err(Error::UnsupportedType) => return NO_CODEC,
            Err(error) => {
                tracing::error!(%error, "a stream could not begin");
                return TRY_LATER;
            }
        };
        let end = self.stream(streams, timeline, &mut watching).await;
        let delivered = watching.viewer.delivered().clone();
        let kept = Arc::new((self.account, timeline, delivered));
        streams.recent.insert(session, kept).await;
        end
    }

    async fn hello(&mut self) -> Result<super::wire::Hello, Farewell> {
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
        timeline: TimelineId,
        watching: &mut Watching,
    ) -> Farewell {
        let began = Instant::now();
        let now_ms = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut ticks = interval(PING_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut allowance = Allowance::new();
        let mut reading: Option<BoxFuture<'static, (Frame, Result<Bytes, Error>)>> = None;
        let mut crediting: Option<BoxFuture<'static, Result<Verdict, Error>>> = None;
        let (mut flushing, mut media_flushing) = (false, false);
        loop {
            while !flushing && reading.is_none() {
                // Words of the room are few and short; they never wait for media.
                if let Some(words) = watching.heard() {
                    if self.sink.feed(Message::Text(words)).await.is_err() {
                        return GONE;
                    }
                    flushing = true;
                    break;
                }
                let message = match watching.viewer.next(now_ms()) {
                    Next::Wait => break,
                    Next::Send(frame) => {
                        if let Some(message) = watching.shared(&frame) {
                            count(&watching.viewer, &frame);
                            media_flushing = true;
                            message
                        } else {
                            reading = Some(read(streams, timeline, watching, frame));
                            break;
                        }
                    }
                    Next::Say(message) => text(&message),
                    Next::Vouch => {
                        match super::begin::sign(streams, &watching.viewer, watching.right).await {
                            Ok(receipt) => text(&ServerMessage::Receipt { receipt }),
                            Err(error) => {
                                tracing::error!(%error, "a receipt could not be signed");
                                return TRY_LATER;
                            }
                        }
                    }
                };
                if self.sink.feed(message).await.is_err() {
                    return GONE;
                }
                flushing = true;
            }
            let listening = crediting.is_none() && watching.viewer.backlog() < MOST_BACKLOG;
            tokio::select! {
                () = streams.stop.cancelled() => return STOPPING,
                () = self.seat.taken.cancelled() => return SEAT_TAKEN,
                flushed = self.sink.flush(), if flushing => {
                    if flushed.is_err() {
                        return GONE;
                    }
                    if media_flushing {
                        heard = Instant::now();
                    }
                    (flushing, media_flushing) = (false, false);
                }
                (frame, payload) = some(&mut reading) => {
                    reading = None;
                    let payload = match payload {
                        Ok(payload) => payload,
                        Err(error) => {
                            tracing::error!(%error, file = frame.file, "media could not be read");
                            return TRY_LATER;
                        }
                    };
                    if frame.header.epoch != watching.viewer.epoch() {
                        watching.viewer.dropped(&frame);
                        continue;
                    }
                    count(&watching.viewer, &frame);
                    if self.sink.feed(binary(&frame, &payload)).await.is_err() {
                        return GONE;
                    }
                    (flushing, media_flushing) = (true, true);
                }
                verdict = some(&mut crediting) => {
                    crediting = None;
                    match verdict {
                        Ok(verdict) => {
                            self.refused += verdict.refused.len();
                            if self.refused > MOST_REFUSED {
                                return TOO_MANY_REFUSED;
                            }
                            answer(&mut watching.viewer, verdict);
                        }
                        Err(Error::SignInNeeded) => return SIGNED_OUT,
                        Err(Error::NotFound) => return NOT_FOUND,
                        Err(Error::Malformed(_)) => return MALFORMED,
                        Err(error) => {
                            // Nothing was credited; the client keeps its intervals and reports again.
                            tracing::error!(%error, "evidence could not be written");
                            return TRY_LATER;
                        }
                    }
                }
                index = grown(&mut watching.index) => match index {
                    Some(index) => watching.grow(index, streams),
                    None => watching.index = None,
                },
                words = said(&mut watching.seat), if !flushing && reading.is_none() => match words {
                    Some(words) => {
                        if self.sink.feed(Message::Text(words)).await.is_err() {
                            return GONE;
                        }
                        flushing = true;
                    }
                    // Sent out, or the class is over and what is left of it still comes.
                    None => {
                        watching.seat = None;
                        match still_watches(streams, watching.right).await {
                            Ok(()) => {}
                            Err(Error::NotFound) => return NOT_FOUND,
                            Err(error) => {
                                tracing::error!(%error, "the right to watch could not be asked");
                                return TRY_LATER;
                            }
                        }
                    }
                },
                () = sleep_until(heard + SILENT_FOR) => return GONE,
                _ = ticks.tick() => {
                    watching.say_how_far(streams);
                    // While something is on its way out, its arrival tells as much as a ping.
                    if !flushing {
                        if self.sink.feed(Message::Ping(Bytes::new())).await.is_err() {
                            return GONE;
                        }
                        flushing = true;
                    }
                }
                message = self.stream.next(), if listening => {
                    heard = Instant::now();
                    let message = match message {
                        Some(Ok(Message::Text(text))) => text,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                            if !allowance.take(heard) {
                                return TOO_MANY_MESSAGES;
                            }
                            continue;
                        }
                        Some(Ok(Message::Binary(_))) => return MALFORMED,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return GONE,
                    };
                    if !allowance.take(heard) {
                        return TOO_MANY_MESSAGES;
                    }
                    let Ok(message) = serde_json::from_str::<ClientMessage>(&message) else {
                        return MALFORMED;
                    };
                    match message {
                        ClientMessage::Hello(_) => return MALFORMED,
                        ClientMessage::Bye => return BYE,
                        ClientMessage::Ack { bytes, buffer_ms } => {
                            if watching.viewer.ack(bytes, buffer_ms, now_ms()) {
                                metrics::counter!("millet_stalls_total").increment(1);
                            }
                            watching.tell_room(buffer_ms);
                        }
                        ClientMessage::Seek { position_ms, epoch } => {
                            watching.viewer.seek(position_ms, epoch);
                        }
                        ClientMessage::Pin { rung } => watching.viewer.pin(rung.as_deref()),
                        ClientMessage::Budget { bytes } => watching.viewer.budget(bytes),
                        ClientMessage::Follow { follow } => watching.viewer.follow(follow),
                        ClientMessage::Act { request } => {
                            if !watching.act(request) {
                                return MALFORMED;
                            }
                        }
                        ClientMessage::Played { intervals, receipt } => {
                            let receipt = receipt.as_deref();
                            if let Err(error) = self.learn(streams, watching, receipt).await {
                                tracing::error!(%error, "a receipt could not be read");
                                return TRY_LATER;
                            }
                            crediting = Some(self.credit(streams, watching, &intervals));
                        }
                    }
                }
            }
        }
    }

    /// Takes up what a receipt of the same account and timeline shows; any other is ignored.
    async fn learn(
        &self,
        streams: &Streams,
        watching: &mut Watching,
        receipt: Option<&str>,
    ) -> Result<(), Error> {
        let Some(token) = receipt else { return Ok(()) };
        if let Some(receipt) = super::begin::read(streams, watching.right, token).await? {
            watching.viewer.learn(&receipt.delivered);
        }
        Ok(())
    }

    fn credit(
        &self,
        streams: &Streams,
        watching: &Watching,
        intervals: &[PlayedInterval],
    ) -> BoxFuture<'static, Result<Verdict, Error>> {
        let claims: Vec<Claim> = intervals
            .iter()
            .map(|interval| Claim {
                id: interval.id,
                from_ms: interval.from_ms,
                until_ms: interval.until_ms,
                rate_permille: interval.rate_permille,
            })
            .collect();
        let delivered: Delivered = watching.viewer.delivered().clone();
        let (right, session) = (watching.right, watching.session);
        let duration_ms = i64::try_from(watching.viewer.duration_ms()).unwrap_or(i64::MAX);
        let (streams, device) = (streams.clone(), self.device);
        let session_hash = self.session_hash.clone();
        async move {
            // A learner may have signed out or left the course since the connection began.
            let mut connection = streams.db.read().await?;
            if !session::holds(&mut connection, &session_hash, streams.evidence.now()).await? {
                return Err(Error::SignInNeeded);
            }
            let right = MayWatch::prove(&mut connection, right.account(), right.timeline()).await?;
            drop(connection);
            let account = Account {
                right,
                session,
                device,
                duration_ms,
                delivered: &delivered,
            };
            streams.evidence.credit(&account, &claims).await
        }
        .boxed()
    }

    async fn close(&mut self, end: Farewell) {
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

/// Waits for what is in progress; for ever when nothing is.
async fn some<T>(pending: &mut Option<BoxFuture<'static, T>>) -> T {
    match pending {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// The next index of a timeline that grows; for ever when it does not. `None`: nobody feeds it any more.
async fn grown(index: &mut Option<watch::Receiver<Arc<Index>>>) -> Option<Arc<Index>> {
    match index {
        Some(index) => {
            index.changed().await.ok()?;
            Some(index.borrow_and_update().clone())
        }
        None => std::future::pending().await,
    }
}

/// What the room says next; for ever when there is none. `None`: the client must leave.
async fn said(seat: &mut Option<rooms::Seat>) -> Option<Utf8Bytes> {
    match seat {
        Some(seat) => seat.says.recv().await,
        None => std::future::pending().await,
    }
}

/// Asks again whether somebody may watch.
async fn still_watches(streams: &Streams, right: MayWatch) -> Result<(), Error> {
    let mut connection = streams.db.read().await?;
    MayWatch::prove(&mut connection, right.account(), right.timeline()).await?;
    Ok(())
}

/// Reads the payload of a frame.
fn read(
    streams: &Streams,
    timeline: TimelineId,
    watching: &Watching,
    frame: Frame,
) -> BoxFuture<'static, (Frame, Result<Bytes, Error>)> {
    let (segments, growing) = (streams.segments.clone(), watching.growing.clone());
    async move {
        let payload = match &growing {
            Some(growing) => segments.growing(growing, &frame).await,
            None => segments.payload(timeline, &frame).await,
        };
        (frame, payload)
    }
    .boxed()
}

fn count(viewer: &Viewer, frame: &Frame) {
    metrics::counter!("millet_stream_bytes_total", "rung" => viewer.rung().0.to_owned())
        .increment(frame.message_bytes());
}

fn answer(viewer: &mut Viewer, verdict: Verdict) {
    viewer.say(ServerMessage::Credited {
        ids: verdict.credited,
        watched_permille: verdict.watched_permille,
    });
    for (id, reason) in verdict.refused {
        metrics::counter!("millet_refused_intervals_total", "reason" => reason.word()).increment(1);
        viewer.say(ServerMessage::RefusedInterval {
            id,
            reason: reason.word().to_owned(),
        });
    }
    if verdict.outcome.lesson_completed {
        viewer.say(ServerMessage::Completed {
            lesson: true,
            course: verdict.outcome.course_completed,
        });
    }
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

/// How many messages a client may still send.
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn new() -> Self {
        Self {
            left: MESSAGES_AT_ONCE,
            at: Instant::now(),
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let earned = now.duration_since(self.at).as_secs_f64() * MESSAGES_EACH_SECOND;
        self.at = now;
        self.left = (self.left + earned).min(MESSAGES_AT_ONCE) - 1.0;
        self.left >= 0.0
    }
}
