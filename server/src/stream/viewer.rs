//! One viewer as a state machine: what goes out next. No socket, no clock, no database.

use std::collections::VecDeque;
use std::sync::Arc;

use millet_manifest::{Chunk, Rendition, Segment, Timeline};

use super::adapt::{Adapt, Situation};
use super::credit::Credit;
use super::cursor::{self, Lane, Place};
use super::ladder::{Ladder, byte, bytes_from};
use super::wire::{HEADER_BYTES, Header, Payload, Resume, RungReason, ServerMessage, flag};
use crate::clock::Timestamp;
use crate::learning::evidence::delivered::{Delivered, Part};

/// A client that has this much stored gets nothing more.
pub const MOST_BUFFER_MS: u64 = 60_000;
/// With this much stored, slow acknowledgements are the client's choice.
const RELAXED_MS: u64 = 40_000;
/// The audio lane is ahead of the video lane by this much: when the link breaks, sound lasts longer.
const AUDIO_LEAD_MS: u64 = 4_000;
/// Time over which the cost of a rung is looked up.
const OUTLOOK_MS: u64 = 30_000;

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

/// A binary message whose payload is a range of a file of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Header.
    pub header: Header,
    /// File of the timeline.
    pub file: String,
    /// Size of the file.
    pub file_bytes: u64,
    /// First byte.
    pub offset: u64,
    /// Length.
    pub bytes: u64,
}

impl Frame {
    /// Length of the whole message.
    #[must_use]
    pub fn message_bytes(&self) -> u64 {
        self.bytes + HEADER_BYTES as u64
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Audio,
    Video,
}

/// See the module.
#[derive(Debug)]
pub struct Viewer {
    timeline: Arc<Timeline>,
    ladder: Ladder,
    epoch: u32,
    rung: usize,
    /// Segment from which the video lane has the rendition of `rung`.
    rung_from: usize,
    audio: Lane,
    video: Lane,
    credit: Credit,
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
}

impl Viewer {
    /// Begins or goes on.
    #[must_use]
    pub fn new(timeline: Arc<Timeline>, ladder: Ladder, start: Start) -> Self {
        let rung = start
            .pin
            .or(start.last_rung.map(|(rung, _)| rung))
            .unwrap_or_else(|| ladder.first());
        let mut viewer = Self {
            epoch: start.epoch,
            rung,
            rung_from: 0,
            audio: Lane::new(None, Place::default()),
            video: Lane::new(None, Place::default()),
            credit: Credit::new(start.bandwidth_bps),
            adapt: Adapt::new(rung),
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
            timeline,
            ladder,
        };
        viewer.begin(start.position_ms, start.resume, start.last_rung);
        viewer.say_rung(RungReason::Start);
        viewer
    }

    fn begin(&mut self, position_ms: u64, resume: Option<Resume>, last: Option<(usize, usize)>) {
        let held = |sequence: Option<u32>, part: Option<u16>| {
            Some(Place {
                segment: usize::try_from(sequence?).ok()?,
                part: usize::from(part?),
            })
        };
        let rung = self.ladder.rungs()[self.rung].clone();
        if let Some(audio) = rung.audio {
            let held = resume.and_then(|r| held(r.audio_sequence, r.audio_part));
            // The audio lane has one rendition, so the chunk that is held is one of it.
            let next = held.map_or_else(
                || cursor::at(&self.timeline, audio, position_ms),
                |held| cursor::after(&self.timeline, audio, held),
            );
            self.audio = Lane::new(Some(audio), next);
        }
        let Some(video) = rung.video else { return };
        let held = resume.and_then(|r| held(r.video_sequence, r.video_part));
        let next = match (held, last) {
            (None, _) => cursor::at(&self.timeline, video, position_ms),
            // All of the rung before was received before the receipt that names this one.
            (Some(held), Some((_, from))) if held.segment < from => Place {
                segment: from,
                part: 0,
            },
            (Some(held), Some((last, from))) => {
                let own = self.ladder.rungs()[last].video.unwrap_or(video);
                self.rung_from = from;
                let next = cursor::after(&self.timeline, own, held);
                if next.part > 0 && own != video {
                    // In the middle of a segment only its own rendition can follow.
                    self.rung = last;
                    self.adapt.put(last);
                }
                next
            }
            // Unknown of which rendition: its segment once more.
            (Some(held), None) => Place {
                segment: held.segment,
                part: 0,
            },
        };
        let video = self.ladder.rungs()[self.rung].video;
        self.video = Lane::new(video, next);
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
        let Some((rendition, segment, chunk)) = lane.peek(&self.timeline) else {
            return Next::Wait;
        };
        let frame = match lane.init_due() {
            Some(_) => init(which, &lane, rendition, self.epoch),
            None => media(which, &lane, rendition, segment, chunk, self.epoch),
        };
        let bytes = frame.message_bytes();
        if self.budget.is_some_and(|left| left < bytes) {
            self.budget_told = true;
            return Next::Say(ServerMessage::BudgetReached);
        }
        if self.leads(which) && self.vouched != Some((lane.place().segment, self.epoch)) {
            let until_ms = segment.start_ms.saturating_add(segment.duration_ms);
            let part = Part {
                from_ms: as_ms(chunk.start_ms),
                until_ms: as_ms(until_ms),
                since: self.since,
            };
            self.delivered.add(part);
            self.vouched = Some((lane.place().segment, self.epoch));
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
        let timeline = self.timeline.clone();
        let lane = match which {
            Which::Audio => &mut self.audio,
            Which::Video => &mut self.video,
        };
        match frame.header.payload {
            Payload::Init => lane.init_sent(),
            Payload::Chunk => lane.advance(&timeline),
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
            *lane = Lane::new(lane.rendition(), lane.place());
        }
    }

    fn lane(&self, which: Which) -> &Lane {
        match which {
            Which::Audio => &self.audio,
            Which::Video => &self.video,
        }
    }

    /// The lane whose chunk is due first; sound first among equals, and a little ahead.
    fn pick(&self) -> Option<Which> {
        let start = |lane: &Lane| lane.peek(&self.timeline).map(|(.., chunk)| chunk.start_ms);
        match (start(&self.audio), start(&self.video)) {
            (Some(audio), Some(video)) if audio <= video.saturating_add(AUDIO_LEAD_MS) => {
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

    /// Whether another rung may begin with this lane's next chunk and was not thought about yet.
    fn decides(&mut self, which: Which) -> bool {
        let pictures = self.video.rendition().is_some();
        let lane = self.lane(which);
        let now = Some((lane.place(), self.epoch));
        let due = (which == Which::Video) == pictures && lane.at_cut() && self.decided_at != now;
        if due {
            self.decided_at = now;
        }
        due
    }

    /// Chooses the rung for the next segment; whether it is another.
    fn choose(&mut self, now_ms: u64) -> bool {
        let costs = self.costs_bps();
        let situation = Situation {
            now_ms,
            bandwidth_bps: self.credit.bandwidth_bps(),
            buffer_ms: self.stored_ms(),
            costs_bps: &costs,
        };
        let (rung, reason) = if let Some(pin) = self.pin {
            (pin, RungReason::Pinned)
        } else {
            let affordable = self.affordable();
            match self.adapt.decide(&situation) {
                carried if carried > affordable => (affordable, RungReason::Budget),
                carried => (carried, RungReason::Bandwidth),
            }
        };
        self.adapt.put(rung);
        if rung == self.rung {
            return false;
        }
        let segment = self.segment();
        let had_pictures = self.video.rendition().is_some();
        self.rung = rung;
        self.rung_from = segment;
        self.video.switch(self.ladder.rungs()[rung].video);
        if !had_pictures {
            self.video.jump(Place { segment, part: 0 });
        }
        self.say_rung(reason);
        true
    }

    /// The segment from which another rung would begin.
    fn segment(&self) -> usize {
        match self.video.rendition() {
            Some(_) => self.video.place().segment,
            None => self.audio.place().segment,
        }
    }

    /// What each rung takes from here on, from the sizes that the manifest tells.
    fn costs_bps(&self) -> Vec<f64> {
        let from = self.segment();
        let cuts = &self.timeline.cuts_ms;
        let until = cuts
            .get(from)
            .map_or(from, |cut| {
                cuts.partition_point(|other| *other < cut.saturating_add(OUTLOOK_MS))
            })
            .max(from + 1);
        let sum = |index: Option<usize>| {
            let rendition = index.and_then(|index| self.timeline.renditions.get(index));
            rendition.map_or((0, 0), |rendition| {
                let segments = rendition.segments.iter().take(until).skip(from);
                segments.fold((0_u64, 0_u64), |(bytes, ms), segment| {
                    (bytes + segment.bytes, ms + segment.duration_ms)
                })
            })
        };
        self.ladder
            .rungs()
            .iter()
            .map(|rung| {
                let ((audio, audio_ms), (video, video_ms)) = (sum(rung.audio), sum(rung.video));
                (audio + video) as f64 * 8000.0 / audio_ms.max(video_ms).max(1) as f64
            })
            .collect()
    }

    /// The best rung with which the rest of the timeline fits into the budget; the cheapest if none.
    fn affordable(&self) -> usize {
        let top = self.ladder.rungs().len() - 1;
        let Some(left) = self.budget else { return top };
        let segment = self.segment();
        let rest = |index: Option<usize>| {
            let rendition = index.and_then(|index| self.timeline.renditions.get(index));
            rendition.map_or(0, |rendition| bytes_from(rendition, segment))
        };
        (0..=top)
            .rev()
            .find(|rung| {
                let rung = &self.ladder.rungs()[*rung];
                rest(rung.audio).saturating_add(rest(rung.video)) <= left
            })
            .unwrap_or(0)
    }

    fn stored_ms(&self) -> u64 {
        self.buffer_ms.saturating_add(self.credit.media_ms())
    }

    fn say_rung(&mut self, reason: RungReason) {
        let rung = self.rung_id().to_owned();
        self.says.push_back(ServerMessage::Rung { rung, reason });
    }

    /// The client acknowledged; whether it ran dry since it last did.
    pub fn ack(&mut self, bytes: u64, buffer_ms: u64, now_ms: u64) -> bool {
        self.credit.acked(bytes, now_ms, buffer_ms >= RELAXED_MS);
        let dry = buffer_ms == 0 && self.buffer_ms > 0 && !self.ended;
        self.buffer_ms = buffer_ms.min(24 * 3_600_000);
        dry
    }

    /// The client wants another position.
    pub fn seek(&mut self, position_ms: u64, epoch: u32) {
        self.epoch = epoch;
        self.ended = false;
        self.buffer_ms = 0;
        self.vouched = None;
        if let Some(audio) = self.audio.rendition() {
            self.audio
                .jump(cursor::at(&self.timeline, audio, position_ms));
        }
        if let Some(video) = self.video.rendition() {
            self.video
                .jump(cursor::at(&self.timeline, video, position_ms));
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
    }

    /// Most bytes from now on.
    pub fn budget(&mut self, bytes: Option<u64>) {
        self.budget = bytes;
        self.budget_told = false;
        self.decided_at = None;
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

fn short(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn init(which: Which, lane: &Lane, rendition: &Rendition, epoch: u32) -> Frame {
    Frame {
        header: Header {
            payload: Payload::Init,
            rendition: byte(lane.rendition().unwrap_or_default()),
            flags: if which == Which::Audio {
                flag::AUDIO
            } else {
                0
            },
            epoch,
            sequence: 0,
            part: 0,
            start_ms: 0,
            duration_ms: 0,
        },
        file: rendition.init.file.clone(),
        file_bytes: rendition.init.bytes,
        offset: 0,
        bytes: rendition.init.bytes,
    }
}

fn media(
    which: Which,
    lane: &Lane,
    rendition: &Rendition,
    segment: &Segment,
    chunk: &Chunk,
    epoch: u32,
) -> Frame {
    let place = lane.place();
    let last = place.part + 1 == segment.chunks.len();
    let end = last && place.segment + 1 == rendition.segments.len();
    let set = |on: bool, flag: u16| if on { flag } else { 0 };
    Frame {
        header: Header {
            payload: Payload::Chunk,
            rendition: byte(lane.rendition().unwrap_or_default()),
            flags: set(chunk.keyframe, flag::KEYFRAME)
                | set(place.part == 0, flag::FIRST_OF_SEGMENT)
                | set(last, flag::LAST_OF_SEGMENT)
                | set(end, flag::LAST_OF_TIMELINE)
                | set(which == Which::Audio, flag::AUDIO),
            epoch,
            sequence: short(place.segment as u64),
            part: u16::try_from(place.part).unwrap_or(u16::MAX),
            start_ms: short(chunk.start_ms),
            duration_ms: short(chunk.duration_ms),
        },
        file: segment.file.clone(),
        file_bytes: segment.bytes,
        offset: chunk.offset,
        bytes: chunk.bytes,
    }
}
