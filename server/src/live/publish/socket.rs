//! `GET /live/{class_id}/publish`: one task for each publisher.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use millet_manifest::live::Input;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::wire::{self, LONGEST_MESSAGE, Media, PublishAnswer, PublisherMessage, RunKind, config};
use crate::allowance::Allowance;
use crate::id::RunId;
use crate::live::farewell::{self, Farewell, GONE};
use crate::live::media::ClassMedia;
use crate::live::media::asks::{Ask, NotNow, Publishing};
use crate::live::media::voices::Listener;
use crate::websocket::{Bounds, Message, Socket, SocketError};

/// The first message must come within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// A publisher learns what arrived this often.
const ACK_EVERY: Duration = Duration::from_millis(500);
/// Silence after which a publisher is gone.
const SILENT_FOR: Duration = Duration::from_secs(14);
/// Frames are a few kilobytes.
pub const BOUNDS: Bounds = Bounds {
    read_buffer: 16 << 10,
    longest_message: LONGEST_MESSAGE,
    waiting_words: 64 << 10,
};
/// What a publisher may send: so many bytes at once, and so many more each second (8 Mbit/s).
const BYTES_AT_ONCE: f64 = 4e6;
const BYTES_EACH_SECOND: f64 = 1e6;
/// The same in messages: 50 of sound and 30 of pictures each second are usual.
const MESSAGES_AT_ONCE: f64 = 600.0;
const MESSAGES_EACH_SECOND: f64 = 200.0;

const BYE: Farewell = (1000, None);
const MALFORMED: Farewell = (1008, Some("malformed"));
const TOO_FAST: Farewell = (1008, Some("too_fast"));
const NOT_LEADING: Farewell = (1008, Some("not_leading"));
const TAKEN_OVER: Farewell = (1008, Some("taken_over"));
const BAD_MEDIA: Farewell = (1008, Some("bad_media"));
const NO_HELLO: Farewell = (1008, None);
const RESTART: Farewell = (1012, None);

/// Serves a publisher of a class until it ends, or `lost` says that he or she does not lead it any more.
pub async fn serve(media: ClassMedia, lost: impl Future<Output = ()>, mut socket: Socket) {
    let lost = std::pin::pin!(lost);
    let end = match timeout(HELLO_WITHIN, hello(&mut socket)).await {
        Err(_) => NO_HELLO,
        Ok(Err(end)) => end,
        Ok(Ok(begun)) => publish(&media, lost, &mut socket, begun).await,
    };
    farewell::say(&mut socket, end, |code| {
        text(&PublishAnswer::Problem { code })
    })
    .await;
}

/// What the first message says.
struct Begun {
    run: RunId,
    kind: RunKind,
    take: bool,
}

async fn hello(socket: &mut Socket) -> Result<Begun, Farewell> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => {
                return match serde_json::from_str(&text) {
                    Ok(PublisherMessage::Hello {
                        run, kind, take, ..
                    }) => Ok(Begun { run, kind, take }),
                    _ => Err(MALFORMED),
                };
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(MALFORMED),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(GONE),
        }
    }
}

async fn publish(
    media: &ClassMedia,
    lost: Pin<&mut impl Future<Output = ()>>,
    socket: &mut Socket,
    Begun { run, kind, take }: Begun,
) -> Farewell {
    let (reply, answer) = oneshot::channel();
    let ask = Ask::Publish {
        run,
        resumable: kind == RunKind::Frames,
        take,
        reply,
    };
    if media.asks.send(ask).await.is_err() {
        return (1008, Some("ended"));
    }
    let publishing = match answer.await {
        Ok(Ok(publishing)) => publishing,
        Ok(Err(NotNow::Occupied)) => return (1008, Some("occupied")),
        Ok(Err(NotNow::Ended)) => return (1008, Some("ended")),
        Ok(Err(NotNow::Fault)) => return (1013, Some("fault")),
        Err(_) => return RESTART,
    };
    let mut connection = Connection {
        publishing,
        kind,
        waits_for_key: false,
        bytes: Allowance::new(BYTES_AT_ONCE, BYTES_EACH_SECOND),
        messages: Allowance::new(MESSAGES_AT_ONCE, MESSAGES_EACH_SECOND),
    };
    let end = connection.run(socket, lost, media.voices.listen()).await;
    drop(connection);
    // An owner that ended needs no word.
    let _ = media.asks.send(Ask::Left { run }).await;
    end
}

struct Connection {
    publishing: Publishing,
    kind: RunKind,
    /// Pictures were left out, so that nothing before the next keyframe can be decoded.
    waits_for_key: bool,
    bytes: Allowance,
    messages: Allowance,
}

impl Connection {
    async fn run(
        &mut self,
        socket: &mut Socket,
        mut lost: Pin<&mut impl Future<Output = ()>>,
        mut voices: Listener,
    ) -> Farewell {
        let welcome = PublishAnswer::Welcome {
            timeline_ms: self.publishing.timeline_ms,
            next: self.publishing.next.load(Ordering::Relaxed),
        };
        if socket.send(text(&welcome)).await.is_err() {
            return GONE;
        }
        let mut heard = Instant::now();
        let mut ticks = interval(ACK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let taken = self.publishing.taken.clone();
        loop {
            let answers = tokio::select! {
                () = taken.cancelled() => return TAKEN_OVER,
                () = &mut lost => return NOT_LEADING,
                () = sleep_until(heard + SILENT_FOR) => return GONE,
                changed = self.publishing.told.changed() => {
                    if changed.is_err() {
                        return RESTART;
                    }
                    match self.report() {
                        Ok(answer) => vec![answer],
                        Err(end) => return end,
                    }
                }
                packet = voices.hear() => {
                    if socket.send(Message::Binary(wire::voice(&packet))).await.is_err() {
                        return GONE;
                    }
                    continue;
                }
                _ = ticks.tick() => vec![self.ack()],
                message = socket.recv() => {
                    heard = Instant::now();
                    match self.take(message, heard).await {
                        Ok(answer) => answer.into_iter().collect(),
                        Err(end) => return end,
                    }
                }
            };
            for answer in answers {
                if socket.send(text(&answer)).await.is_err() {
                    return GONE;
                }
            }
        }
    }

    fn ack(&self) -> PublishAnswer {
        let next = self.publishing.next.load(Ordering::Relaxed);
        PublishAnswer::Ack {
            number: next.checked_sub(1),
            recorded_ms: self.publishing.told.borrow().recorded_ms,
        }
    }

    fn report(&mut self) -> Result<PublishAnswer, Farewell> {
        let told = self.publishing.told.borrow_and_update();
        if told.broken {
            return Err(BAD_MEDIA);
        }
        Ok(PublishAnswer::Report {
            lag_ms: told.report.lag_ms,
            dropped_rungs: told.report.dropped_rungs.clone(),
        })
    }

    async fn take(
        &mut self,
        message: Option<Result<Message, SocketError>>,
        now: Instant,
    ) -> Result<Option<PublishAnswer>, Farewell> {
        let message = match message {
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(GONE),
            Some(Ok(message)) => message,
        };
        if !self.messages.take(1.0, now) {
            return Err(TOO_FAST);
        }
        match message {
            Message::Text(text) => {
                let message = serde_json::from_str(&text).map_err(|_| MALFORMED)?;
                if message == PublisherMessage::Bye {
                    return Err(BYE);
                }
                let input = config(&message).ok_or(MALFORMED)?;
                self.pass(input).await?;
                Ok(None)
            }
            Message::Binary(bytes) => {
                if !self.bytes.take(bytes.len() as f64, now) {
                    return Err(TOO_FAST);
                }
                self.media(&bytes).await
            }
            _ => Ok(None),
        }
    }

    async fn media(&mut self, message: &Bytes) -> Result<Option<PublishAnswer>, Farewell> {
        let media = Media::decode(message).ok_or(MALFORMED)?;
        let frames = !matches!(media.input, Input::Container(_));
        if frames != (self.kind == RunKind::Frames) {
            return Err(MALFORMED);
        }
        let next = self.publishing.next.load(Ordering::Relaxed);
        if media.number < next {
            // Sent again after a cut; the run has it.
            return Ok(None);
        }
        let following = media.number.checked_add(1).ok_or(MALFORMED)?;
        self.publishing.next.store(following, Ordering::Relaxed);
        if let Input::VideoFrame(frame) = &media.input {
            if self.waits_for_key && !frame.key {
                return Ok(None);
            }
            if self.publishing.inputs.try_send(media.input).is_err() {
                self.waits_for_key = true;
                metrics::counter!("millet_live_left_out_pictures_total").increment(1);
                return Ok(Some(PublishAnswer::WantKey));
            }
            self.waits_for_key = false;
            return Ok(None);
        }
        self.pass(media.input).await?;
        Ok(None)
    }

    /// Hands on what must not be left out. While it waits nothing is read, so the publisher notices.
    async fn pass(&self, input: Input) -> Result<(), Farewell> {
        tokio::select! {
            () = self.publishing.taken.cancelled() => Err(TAKEN_OVER),
            sent = self.publishing.inputs.send(input) => sent.map_err(|_| BAD_MEDIA),
        }
    }
}

fn text(message: &PublishAnswer) -> Message {
    // Strings and numbers always serialise.
    Message::Text(serde_json::to_string(message).unwrap_or_default().into())
}
