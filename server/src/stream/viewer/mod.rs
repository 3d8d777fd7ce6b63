//! One viewer as a state machine: what goes out next. No socket, no clock, no database.

mod acks;
mod choice;
mod finishing;
mod growth;
mod resume;

use growth::Awaited;
pub use growth::LIVE_START_MS;

use std::collections::VecDeque;
use std::sync::Arc;

use super::ack_delay::AckDelay;
use super::adapt::Adapt;
use super::credit::Credit;
use super::cursor::{self, Lane, Place};
use super::frame::{Frame, Which};
use super::index::Index;
use super::ladder::Ladder;
use super::wire::{Follow, Payload, Resume, RungReason, ServerMessage, flag};
use crate::clock::Timestamp;
use crate::learning::evidence::delivered::{Delivered, Part};

/// A client that has this much stored gets nothing more.
pub const MOST_BUFFER_MS: u64 = 60_000;
/// The audio lane is ahead of the video lane by this much: when the link breaks, sound lasts longer.
const AUDIO_LEAD_MS: u64 = 4_000;
/// This near to the edge of a timeline that grows is the present.
const PRESENT_MS: u64 = 6_000;

/// Where a connection begins.
#[derive(Clone, Debug)]
pub struct Start {
    /// Epoch of the first chunks.
    pub epoch: u32,
    /// Without anything to resume.
    pub position_ms: u64,
    /// What the client has.
    pub resume: Option<Resume>,
    /// Rung that an earlier connection sent last, and the segment from which it did.
    pub last_rung: Option<(usize, usize)>,
    /// Bandwidth that an earlier connection measured.
    pub bandwidth_bps: Option<f64>,
    /// Rung to stay on.
    pub pin: Option<usize>,
    /// Most bytes to send.
    pub budget: Option<u64>,
    /// What earlier connections delivered.
    pub delivered: Delivered,
    /// When this connection began.
    pub since: Timestamp,
    /// What to do about what is missed; of no meaning for a closed timeline.
    pub follow: Follow,
}

/// What goes out next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Control.
    Say(ServerMessage),
    /// A receipt for [`Viewer::delivered`], before the media that it speaks of.
    Vouch,
    /// Media.
    Send(Frame),
    /// Nothing until the client says something.
    Wait,
}

/// See the module.
#[derive(Debug)]
pub struct Viewer {
    index: Arc<Index>,
    ladder: Ladder,
    epoch: u32,
    rung: usize,
    /// Segment from which the video lane has the rendition of `rung`.
    rung_from: usize,
    audio: Lane,
    video: Lane,
    credit: Credit,
    ack_delay: AckDelay,
    adapt: Adapt,
    pin: Option<usize>,
    budget: Option<u64>,
    budget_told: bool,
    buffer_ms: u64,
    decided_at: Option<(Place, u32)>,
    delivered: Delivered,
    vouched: Option<(usize, u32)>,
    since: Timestamp,
    ended: bool,
    says: VecDeque<ServerMessage>,
    /// What to do about what is missed of a timeline that grows.
    follow: Follow,
    /// A rung that was chosen for the next segment, of which it has no chunk yet.
    awaited: Option<Awaited>,
}

impl Viewer {
    /// Begins or goes on.
    #[must_use]
    pub fn new(index: Arc<Index>, ladder: Ladder, start: Start) -> Self {
        let rung = start
            .pin
            .or(start.last_rung.map(|(rung, _)| rung))
            .unwrap_or_else(|| ladder.first());
        let mut viewer = Self {
            epoch: start.epoch,
            rung,
            rung_from: 0,
            audio: Lane::new(&index, None, Place::default()),
            video: Lane::new(&index, None, Place::default()),
            credit: if index.grows() {
                Credit::live(start.bandwidth_bps)
            } else {
                Credit::new(start.bandwidth_bps)
            },
            ack_delay: AckDelay::default(),
            adapt: if index.grows() {
                Adapt::live(rung)
            } else {
                Adapt::new(rung)
            },
            pin: start.pin,
            budget: start.budget,
            budget_told: false,
            buffer_ms: 0,
            decided_at: None,
            delivered: start.delivered,
            vouched: None,
            since: start.since,
            ended: false,
            says: VecDeque::new(),
            follow: start.follow,
            awaited: None,
            index,
            ladder,
        };
        viewer.begin(start.position_ms, start.resume, start.last_rung);
        viewer.say_rung(RungReason::Start);
        viewer
    }

    /// What goes out next; it counts as sent.
    pub fn next(&mut self, now_ms: u64) -> Next {
        if let Some(message) = self.says.pop_front() {
            return Next::Say(message);
        }
        if self.budget_told || self.ended || self.stored_ms() >= MOST_BUFFER_MS {
            self.credit.idle();
            return Next::Wait;
        }
        let Some(mut which) = self.pick() else {
            if self.index.grows() || self.index.is_unfinished() {
                self.credit.idle();
                return Next::Wait;
            }
            self.ended = true;
            return Next::Say(ServerMessage::End);
        };
        if !self.credit.is_open() {
            return Next::Wait;
        }
        if self.decides(which) && self.choose(now_ms) {
            // The receipt names the new rung before anything of it is sent.
            self.vouched = None;
            match self.pick() {
                Some(now) => which = now,
                None => return Next::Wait,
            }
        }
        let lane = *self.lane(which);
        let Some((rendition, segment, chunk)) = lane.peek(&self.index) else {
            return Next::Wait;
        };
        let frame = match lane.init_due() {
            Some(own) => Frame::init(which, own, &rendition.init, self.epoch),
            None => Frame::chunk(which, &lane, &self.index, (segment, chunk), self.epoch),
        };
        let bytes = frame.message_bytes();
        if self.budget.is_some_and(|left| left < bytes) {
            self.budget_told = true;
            return Next::Say(ServerMessage::BudgetReached);
        }
        let segments = self.vouched_together();
        let block = (lane.place().segment / segments, self.epoch);
        if self.leads(which) && self.vouched != Some(block) {
            let left = segments - lane.place().segment % segments;
            let until_ms = segment
                .start_ms
                .saturating_add(segment.duration_ms.saturating_mul(left as u64));
            let part = Part {
                from_ms: as_ms(chunk.start_ms),
                until_ms: as_ms(until_ms),
                since: self.since,
            };
            self.delivered.add(part);
            self.vouched = Some(block);
            return Next::Vouch;
        }
        if let Some(left) = &mut self.budget {
            *left -= bytes;
        }
        let media_ms = match frame.header.payload {
            Payload::Chunk if self.leads(which) => u64::from(frame.header.duration_ms),
            _ => 0,
        };
        self.credit.sent(bytes, media_ms, now_ms);
        let index = self.index.clone();
        let lane = match which {
            Which::Audio => &mut self.audio,
            Which::Video => &mut self.video,
        };
        match frame.header.payload {
            Payload::Init => lane.init_sent(),
            Payload::Chunk => lane.advance(&index),
        }
        Next::Send(frame)
    }

    /// A frame of an older epoch that does not go out after all.
    pub fn dropped(&mut self, frame: &Frame) {
        self.credit.unsent();
        if let Some(left) = &mut self.budget {
            *left += frame.message_bytes();
        }
        if frame.header.payload == Payload::Init {
            // The client still needs it.
            let lane = if frame.header.has(flag::AUDIO) {
                &mut self.audio
            } else {
                &mut self.video
            };
            lane.init_unsent();
        }
    }

    fn lane(&self, which: Which) -> &Lane {
        match which {
            Which::Audio => &self.audio,
            Which::Video => &self.video,
        }
    }

    /// The lane whose chunk is due first; sound first among equals, and a little ahead. Of the present
    /// sound goes first however old the keyframe is with which pictures must begin.
    fn pick(&self) -> Option<Which> {
        let start = |lane: &Lane| lane.peek(&self.index).map(|(.., chunk)| chunk.start_ms);
        let present_ms = if self.index.grows() {
            self.index.duration_ms().saturating_sub(PRESENT_MS)
        } else {
            u64::MAX
        };
        let pictures = match self.awaited {
            Some(_) => None,
            None => start(&self.video),
        };
        match (start(&self.audio), pictures) {
            (Some(audio), Some(video))
                if audio <= video.saturating_add(AUDIO_LEAD_MS) || audio >= present_ms =>
            {
                Some(Which::Audio)
            }
            (_, Some(_)) => Some(Which::Video),
            (Some(_), None) => Some(Which::Audio),
            (None, None) => None,
        }
    }

    /// Evidence is about the lane that every rung has.
    fn leads(&self, which: Which) -> bool {
        let audio = self.ladder.rungs()[self.rung].audio.is_some();
        (which == Which::Audio) == audio
    }

    fn stored_ms(&self) -> u64 {
        self.buffer_ms.saturating_add(self.credit.media_ms())
    }

    fn say_rung(&mut self, reason: RungReason) {
        let rung = self.rung_id().to_owned();
        self.says.push_back(ServerMessage::Rung { rung, reason });
    }

    /// The client wants another position.
    pub fn seek(&mut self, position_ms: u64, epoch: u32) {
        self.epoch = epoch;
        self.ended = false;
        self.buffer_ms = 0;
        self.vouched = None;
        self.awaited = None;
        if let Some(audio) = self.audio.rendition() {
            self.audio
                .jump(&self.index, cursor::at(&self.index, audio, position_ms));
        }
        if let Some(video) = self.video.rendition() {
            self.video
                .jump(&self.index, cursor::at(&self.index, video, position_ms));
            self.rung_from = self.video.place().segment;
        }
    }

    /// The client wants one rung, or leaves the choice. An unknown rung changes nothing.
    pub fn pin(&mut self, rung: Option<&str>) {
        self.pin = match rung {
            None => None,
            Some(id) => match self.ladder.find(id) {
                Some(found) => Some(found),
                None => self.pin,
            },
        };
        self.decided_at = None;
        self.awaited = None;
    }

    /// Most bytes from now on.
    pub fn budget(&mut self, bytes: Option<u64>) {
        self.budget = bytes;
        self.budget_told = false;
        self.decided_at = None;
        self.awaited = None;
    }

    /// Something to say in between.
    pub fn say(&mut self, message: ServerMessage) {
        self.says.push_back(message);
    }

    /// Messages that wait.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.says.len()
    }

    /// What was sent so far and is vouched for.
    #[must_use]
    pub fn delivered(&self) -> &Delivered {
        &self.delivered
    }

    /// A receipt showed more.
    pub fn learn(&mut self, delivered: &Delivered) {
        self.delivered.add_all(delivered);
    }

    /// Epoch of what goes out now.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Id of the rung, and the segment from which the video lane has it.
    #[must_use]
    pub fn rung(&self) -> (&str, usize) {
        (self.rung_id(), self.rung_from)
    }

    fn rung_id(&self) -> &str {
        &self.ladder.rungs()[self.rung].id
    }

    /// The account of bytes.
    #[must_use]
    pub fn credit(&self) -> &Credit {
        &self.credit
    }

    /// The ladder.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }
}

fn as_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
