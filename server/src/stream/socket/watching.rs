//! What is watched on a connection: the viewer, the right to it, and the room beside it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millet_manifest::Timeline;
use tokio::sync::watch;

use super::super::begin::{self, Begun};
use super::super::frame::Frame;
use super::super::growing::Growing;
use super::super::index::Index;
use super::super::ladder::Ladder;
use super::super::rooms::{self, Following};
use super::super::viewer::Viewer;
use super::super::wire::{PlayedInterval, ServerMessage};
use super::super::{Streams, segments};
use super::Who;
use crate::error::Error;
use crate::id::{PlaySessionId, TimelineId};
use crate::learning::access::MayWatch;
use crate::learning::evidence::Claim;
use crate::learning::evidence::credit::{Account, Verdict};
use crate::people::session;
use crate::websocket::{BinaryMessage, Utf8Bytes};

/// A frame with its payload.
pub(super) type Read = BoxFuture<'static, (Frame, Result<Bytes, Error>)>;
/// What became of intervals that a client reported.
pub(super) type Crediting = BoxFuture<'static, Result<Verdict, Error>>;
/// Whether somebody may go on.
pub(super) type Proving = BoxFuture<'static, Result<(), Error>>;

/// The right to a recording that is not finished, and what there is of it now.
pub(super) type Looking = BoxFuture<'static, Result<(MayWatch, Arc<Timeline>), Error>>;

/// A recording that is not finished is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Watching {
    pub(super) viewer: Viewer,
    right: MayWatch,
    session: PlaySessionId,
    growing: Option<Arc<Growing>>,
    codecs: Vec<String>,
    /// Of the timeline, if it grows.
    pub(super) index: Option<watch::Receiver<Arc<Index>>>,
    /// In the room, if there is one.
    pub(super) seat: Option<rooms::Seat>,
    /// The client is to hear how far the timeline is, together with what comes next.
    how_far_due: bool,
}

impl Watching {
    /// Begins to watch, and the answer to `hello`.
    pub(super) fn begin(begun: Begun, session: PlaySessionId) -> (Self, ServerMessage) {
        let watching = Self {
            viewer: begun.viewer,
            right: begun.right,
            session,
            index: begun.growing.as_ref().map(|growing| growing.index()),
            growing: begun.growing,
            codecs: begun.codecs,
            seat: begun.seat,
            how_far_due: false,
        };
        (watching, begun.welcome)
    }

    /// Which timeline.
    pub(super) fn timeline(&self) -> TimelineId {
        self.right.timeline()
    }

    /// The message that all viewers of a growing timeline share, if this frame is one.
    pub(super) fn shared(&self, frame: &Frame) -> Option<BinaryMessage> {
        self.growing.as_ref()?.message(&frame.header)
    }

    /// Reads the payload of a frame.
    pub(super) fn read(&self, segments: &segments::Segments, frame: Frame) -> Read {
        let (segments, growing) = (segments.clone(), self.growing.clone());
        let timeline = self.timeline();
        async move {
            let payload = match &growing {
                Some(growing) => segments.growing(growing, &frame).await,
                None => segments.payload(timeline, &frame).await,
            };
            (frame, payload)
        }
        .boxed()
    }

    /// A receipt for what was delivered so far.
    pub(super) async fn receipt(&self, streams: &Streams) -> Result<ServerMessage, Error> {
        let receipt = begin::sign(streams, &self.viewer, self.right).await?;
        Ok(ServerMessage::Receipt { receipt })
    }

    /// Words of the room that wait.
    pub(super) fn heard(&mut self) -> Option<Utf8Bytes> {
        self.seat.as_mut()?.says.try_recv().ok()
    }

    pub(super) fn grow(&mut self, index: Arc<Index>, streams: &Streams) {
        let ended = !index.grows();
        self.viewer.grow(index);
        if ended || self.how_far_due {
            self.say_how_far(streams);
        }
    }

    /// What there will be in a moment, of a recording that is not finished.
    pub(super) fn look(&self, streams: &Streams) -> Option<Looking> {
        if !self.viewer.index().is_unfinished() {
            return None;
        }
        let (streams, right) = (streams.clone(), self.right);
        let looking = async move {
            tokio::time::sleep(LOOK_EVERY).await;
            let mut connection = streams.db.read().await?;
            let right = MayWatch::prove(&mut connection, right.account(), right.timeline()).await?;
            drop(connection);
            let timelines = &streams.timelines;
            let timeline = timelines.shown(right.timeline(), right.trim()).await?;
            Ok((right, timeline))
        };
        Some(looking.boxed())
    }

    /// There is so much of it now. An error: it comes to nothing, or is another for those who come anew.
    pub(super) fn looked(
        &mut self,
        looked: Result<(MayWatch, Arc<Timeline>), Error>,
    ) -> Result<(), Error> {
        let (right, timeline) = match looked {
            Ok(looked) => looked,
            Err(Error::NotFound) => return Err(Error::NotFound),
            // What is sent does not depend on it.
            Err(error) => {
                tracing::warn!(%error, "a recording that is not finished could not be looked at");
                return Ok(());
            }
        };
        self.right = right;
        let unfinished = timeline.unfinished;
        let index = Arc::new(Index::Closed(timeline));
        if unfinished {
            self.viewer.extend(index);
        } else {
            let ladder = Ladder::of(&index, &self.codecs).ok_or(Error::NotFound)?;
            self.viewer.finish(index, ladder);
        }
        Ok(())
    }

    /// Time has passed: the client hears how far the timeline is soon, or now when nothing came since the
    /// last call.
    pub(super) fn remind(&mut self, streams: &Streams) {
        if self.how_far_due {
            self.say_how_far(streams);
        }
        self.how_far_due = self.growing.is_some();
        if self.viewer.index().is_unfinished() {
            self.viewer.say_prepared();
        }
    }

    fn say_how_far(&mut self, streams: &Streams) {
        self.how_far_due = false;
        if let Some(growing) = &self.growing {
            let live = growing.live(streams.evidence.now());
            self.viewer.say(ServerMessage::Live { live });
        }
    }

    /// The room is over for this viewer, or they were sent out; whether they may watch what is left.
    pub(super) async fn leave_room(&mut self, streams: &Streams) -> Result<(), Error> {
        self.seat = None;
        let mut connection = streams.db.read().await?;
        MayWatch::prove(&mut connection, self.right.account(), self.timeline()).await?;
        Ok(())
    }

    /// Whether there is a room; one that cannot take more just now answers nothing, and the client asks
    /// again.
    pub(super) fn act(&self, request: serde_json::Value) -> bool {
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

    pub(super) fn tell_room(&self, buffer_ms: u64) {
        if let Some(seat) = &self.seat {
            seat.follows.send_replace(Following {
                rung: self.viewer.rung().0.to_owned(),
                behind_ms: self.viewer.behind_ms(),
                stuck: buffer_ms == 0,
            });
        }
    }

    /// Takes up what a receipt of the same account and timeline shows; any other is ignored.
    pub(super) async fn learn(
        &mut self,
        streams: &Streams,
        receipt: Option<&str>,
    ) -> Result<(), Error> {
        let Some(token) = receipt else { return Ok(()) };
        if let Some(receipt) = begin::read(streams, self.right, token).await? {
            self.viewer.learn(&receipt.delivered);
        }
        Ok(())
    }

    /// Whether everything that let the connection begin still holds.
    pub(super) fn prove(&self, streams: &Streams, who: &Who) -> Proving {
        let (streams, right) = (streams.clone(), self.right);
        let (session_hash, in_room) = (who.session_hash.clone(), self.seat.is_some());
        async move {
            still(&streams, &session_hash, right).await?;
            if in_room {
                let (timeline, account) = (right.timeline(), right.account());
                streams.rooms.prove(timeline, account).await?;
            }
            Ok(())
        }
        .boxed()
    }

    /// Has what was played credited.
    pub(super) fn credit(
        &self,
        streams: &Streams,
        who: &Who,
        intervals: &[PlayedInterval],
    ) -> Crediting {
        let claims: Vec<Claim> = intervals
            .iter()
            .map(|interval| Claim {
                id: interval.id,
                from_ms: interval.from_ms,
                until_ms: interval.until_ms,
                rate_permille: interval.rate_permille,
            })
            .collect();
        let delivered = self.viewer.delivered().clone();
        let (right, session) = (self.right, self.session);
        let duration_ms = i64::try_from(self.viewer.duration_ms()).unwrap_or(i64::MAX);
        let (streams, device) = (streams.clone(), who.device);
        let session_hash = who.session_hash.clone();
        async move {
            let right = still(&streams, &session_hash, right).await?;
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

    /// Tells the client what was credited.
    pub(super) fn answer(&mut self, verdict: Verdict) {
        self.viewer.say(ServerMessage::Credited {
            ids: verdict.credited,
            watched_permille: verdict.watched_permille,
        });
        for (id, reason) in verdict.refused {
            let word = reason.word();
            metrics::counter!("millet_refused_intervals_total", "reason" => word).increment(1);
            self.viewer.say(ServerMessage::RefusedInterval {
                id,
                reason: word.to_owned(),
            });
        }
        if verdict.outcome.lesson_completed {
            self.viewer.say(ServerMessage::Completed {
                lesson: true,
                course: verdict.outcome.course_completed,
            });
        }
    }

    /// Kept for a client that comes back without a receipt.
    pub(super) async fn remember(&self, streams: &Streams) {
        let delivered = self.viewer.delivered().clone();
        let kept = Arc::new((self.right.account(), self.timeline(), delivered));
        streams.recent.insert(self.session, kept).await;
    }
}

/// The right to watch as it is now: somebody may have signed out, left the course or been sent out since the
/// connection began.
async fn still(streams: &Streams, session_hash: &str, right: MayWatch) -> Result<MayWatch, Error> {
    let mut connection = streams.db.read().await?;
    if !session::holds(&mut connection, session_hash, streams.evidence.now()).await? {
        return Err(Error::SignInNeeded);
    }
    MayWatch::prove(&mut connection, right.account(), right.timeline()).await
}

/// The next index of a timeline that grows; for ever when it does not. `None`: nobody feeds it any more.
pub(super) async fn grown(index: &mut Option<watch::Receiver<Arc<Index>>>) -> Option<Arc<Index>> {
    match index {
        Some(index) => {
            index.changed().await.ok()?;
            Some(index.borrow_and_update().clone())
        }
        None => std::future::pending().await,
    }
}

/// What the room says next; for ever when there is none. `None`: the client must leave.
pub(super) async fn said(seat: &mut Option<rooms::Seat>) -> Option<Utf8Bytes> {
    match seat {
        Some(seat) => seat.says.recv().await,
        None => std::future::pending().await,
    }
}
