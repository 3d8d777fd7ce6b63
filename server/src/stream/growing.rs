//! Timelines that grow while they are watched. One ring of messages for each rendition is shared by all
//! viewers: a viewer is a cursor into it and never holds a copy.
//!
//! It knows nothing of classes or of who makes the media. What falls out of the ring is read from the
//! objects, where whoever feeds it must have put it before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use millet_manifest::{Chunk, Kind, Rendition, Segment};
use tokio::sync::watch;

use super::index::{Grown, Index};
use super::ladder::byte;
use super::wire::{Header, LiveNow, Payload, flag};
use crate::clock::Timestamp;
use crate::id::TimelineId;
use crate::websocket::BinaryMessage;

/// Media that the ring holds, at least; viewers near the present never wait for the objects.
pub const RING_MS: u64 = 20_000;
/// Longest timeline, in segments, as a closed description may have.
pub const MOST_SEGMENTS: u32 = 20_000;
/// A rendition that is this many segments behind the others has left those out.
const MOST_LATE: usize = 2;
/// Times are rounded to milliseconds: chunks this close touch.
const TOUCH_MS: u64 = 100;

/// Why a chunk was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No rendition has this index.
    #[error("no such rendition")]
    Rendition,
    /// Its place was passed, or it is not the next one of its segment.
    #[error("a chunk is late or out of order")]
    Order,
    /// The timeline is as long as it may be.
    #[error("the timeline is full")]
    Full,
}

/// A chunk as it is made.
#[derive(Clone, Debug)]
pub struct NewChunk {
    /// Index of the rendition.
    pub rendition: usize,
    /// Segment on the grid.
    pub sequence: u32,
    /// Time of the first sample.
    pub start_ms: u64,
    /// Time covered.
    pub duration_ms: u64,
    /// A decoder may start here.
    pub keyframe: bool,
    /// `moof` and `mdat`.
    pub payload: Bytes,
}

/// One of the shared messages.
#[derive(Clone, Debug)]
struct Held {
    header: Header,
    /// Header and payload, as they go out.
    message: BinaryMessage,
}

/// One timeline that grows.
#[derive(Debug)]
pub struct Growing {
    id: TimelineId,
    began: Timestamp,
    inits: Vec<Bytes>,
    grown: Mutex<Grown>,
    rings: RwLock<Vec<VecDeque<Held>>>,
    index: watch::Sender<Arc<Index>>,
}

impl Growing {
    /// Goes on with what there is. `began` is time 0 of the timeline; `inits` are the initialisations
    /// of the renditions in order.
    #[must_use]
    pub fn new(id: TimelineId, began: Timestamp, grown: Grown, inits: Vec<Bytes>) -> Self {
        let rings = vec![VecDeque::new(); grown.renditions.len()];
        Self {
            id,
            began,
            inits,
            index: watch::Sender::new(Arc::new(Index::Growing(grown.clone()))),
            grown: Mutex::new(grown),
            rings: RwLock::new(rings),
        }
    }

    /// Which timeline.
    #[must_use]
    pub fn id(&self) -> TimelineId {
        self.id
    }

    /// How far it is at a moment.
    #[must_use]
    pub fn live(&self, now: Timestamp) -> LiveNow {
        let index = self.index.borrow();
        LiveNow {
            now_ms: self.at_ms(now),
            edge_ms: index.duration_ms(),
            ended: !index.grows(),
        }
    }

    /// A moment on the timeline.
    #[must_use]
    pub fn at_ms(&self, now: Timestamp) -> u64 {
        u64::try_from(now.0 - self.began.0).unwrap_or(0)
    }

    /// The index now and whenever it is published anew.
    #[must_use]
    pub fn index(&self) -> watch::Receiver<Arc<Index>> {
        self.index.subscribe()
    }

    /// Adds a chunk; viewers see it when it is published. Returns its number in its segment.
    ///
    /// # Errors
    /// [`Refused`]; nothing changed then.
    pub fn push(&self, chunk: NewChunk) -> Result<usize, Refused> {
        let mut grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = &mut *grown;
        if chunk.sequence >= MOST_SEGMENTS {
            return Err(Refused::Full);
        }
        let described = grown
            .renditions
            .get(chunk.rendition)
            .ok_or(Refused::Rendition)?;
        let sequence = chunk.sequence as usize;
        if sequence + 1 < grown.segments[chunk.rendition].len() {
            return Err(Refused::Order);
        }
        let (id, kind) = (described.id.clone(), described.kind);
        for other in 0..grown.segments.len() {
            let count = if other == chunk.rendition {
                sequence + 1
            } else {
                (sequence + 1).saturating_sub(MOST_LATE)
            };
            pad(grown, other, count);
        }
        let segments = &mut grown.segments[chunk.rendition];
        let before = segments.iter().rev().find_map(|own| own.chunks.last());
        let in_order = before.is_none_or(|before| before.start_ms < chunk.start_ms);
        // Without the pictures before it, one that is no keyframe cannot be decoded.
        let follows = before.is_some_and(|before| {
            before.start_ms + before.duration_ms + TOUCH_MS >= chunk.start_ms
        });
        let hangs = kind != Kind::Audio && !chunk.keyframe && !follows;
        if !in_order || hangs {
            return Err(Refused::Order);
        }
        let segment = Arc::make_mut(&mut segments[sequence]);
        let part = segment.chunks.len();
        if part == 0 {
            segment.file = format!("live/{id}/{sequence:06}.m4s");
        }
        let bytes = chunk.payload.len() as u64;
        segment.chunks.push(Chunk {
            offset: segment.bytes,
            bytes,
            start_ms: chunk.start_ms,
            duration_ms: chunk.duration_ms,
            keyframe: chunk.keyframe,
        });
        segment.bytes += bytes;
        grown.edge_ms = grown.edge_ms.max(chunk.start_ms + chunk.duration_ms);
        self.hold(held(&chunk, part, kind, grown.epoch), grown.edge_ms);
        Ok(part)
    }

    fn hold(&self, held: Held, edge_ms: u64) {
        let mut rings = self.rings.write().unwrap_or_else(PoisonError::into_inner);
        let ring = &mut rings[usize::from(held.header.rendition)];
        ring.push_back(held);
        while ring
            .front()
            .is_some_and(|first| u64::from(first.header.start_ms) + RING_MS < edge_ms)
        {
            ring.pop_front();
        }
    }

    /// Lets viewers see what was added.
    pub fn publish(&self) {
        let grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        let index = Arc::new(Index::Growing(grown.clone()));
        drop(grown);
        self.index.send_replace(index);
    }

    /// Nothing more comes; viewers who have everything are at the end.
    pub fn end(&self) {
        let mut grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        grown.ended = true;
        drop(grown);
        self.publish();
    }

    /// What comes next begins a segment of its own: all that there is, is complete.
    pub fn cut(&self) {
        let mut grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        let next = longest(&grown);
        // An empty segment behind the last one with chunks says that nothing more comes for it.
        let ends_empty = grown
            .segments
            .iter()
            .all(|own| own.len() < next || own.last().is_none_or(|last| last.chunks.is_empty()));
        let count = if ends_empty { next } else { next + 1 };
        for rendition in 0..grown.segments.len() {
            pad(&mut grown, rendition, count);
        }
    }

    /// Segments that there are, with or without chunks.
    #[must_use]
    pub fn segments(&self) -> usize {
        longest(&self.grown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Segments from the beginning to which nothing is added any more, in any rendition.
    #[must_use]
    pub fn complete(&self) -> usize {
        let grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        let least = grown.segments.iter().map(Vec::len).min().unwrap_or(0);
        least.saturating_sub(1)
    }

    /// Where the next run begins: the cut before `now_ms`, but behind everything there is.
    #[must_use]
    pub fn next_cut(&self, now_ms: u64) -> u64 {
        let grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        let first_free = grown
            .segments
            .iter()
            .map(|own| {
                let empty = own.iter().rev().take_while(|s| s.chunks.is_empty()).count();
                own.len() - empty
            })
            .max()
            .unwrap_or(0);
        (now_ms / grown.segment_ms).max(first_free as u64) * grown.segment_ms
    }

    /// What there is, published or not.
    #[must_use]
    pub fn grown(&self) -> Grown {
        self.grown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The shared message with exactly this header, if the ring holds it.
    #[must_use]
    pub fn message(&self, header: &Header) -> Option<BinaryMessage> {
        self.find(header.rendition, header.sequence, header.part)
            .filter(|held| held.header == *header)
            .map(|held| held.message)
    }

    /// The payload of a chunk, if the ring holds it.
    #[must_use]
    pub fn payload(&self, rendition: u8, sequence: u32, part: u16) -> Option<Bytes> {
        self.find(rendition, sequence, part)
            .map(|held| held.message.body().clone())
    }

    fn find(&self, rendition: u8, sequence: u32, part: u16) -> Option<Held> {
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        let ring = rings.get(usize::from(rendition))?;
        let at = ring
            .binary_search_by_key(&(sequence, part), |held| {
                (held.header.sequence, held.header.part)
            })
            .ok()?;
        ring.get(at).cloned()
    }

    /// The initialisation of a rendition.
    #[must_use]
    pub fn init(&self, rendition: u8) -> Option<Bytes> {
        self.inits.get(usize::from(rendition)).cloned()
    }
}

fn longest(grown: &Grown) -> usize {
    grown.segments.iter().map(Vec::len).max().unwrap_or(0)
}

/// Gives a rendition so many segments; those that are new have no chunks.
fn pad(grown: &mut Grown, rendition: usize, count: usize) {
    let segments = &mut grown.segments[rendition];
    while segments.len() < count {
        segments.push(Arc::new(Segment {
            start_ms: segments.len() as u64 * grown.segment_ms,
            duration_ms: grown.segment_ms,
            file: String::new(),
            bytes: 0,
            chunks: Vec::new(),
        }));
    }
}

fn held(chunk: &NewChunk, part: usize, kind: Kind, epoch: u32) -> Held {
    let short = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let set = |on: bool, flag: u16| if on { flag } else { 0 };
    let header = Header {
        payload: Payload::Chunk,
        rendition: byte(chunk.rendition),
        flags: set(chunk.keyframe, flag::KEYFRAME)
            | set(part == 0, flag::FIRST_OF_SEGMENT)
            | set(kind == Kind::Audio, flag::AUDIO),
        epoch,
        sequence: chunk.sequence,
        part: u16::try_from(part).unwrap_or(u16::MAX),
        start_ms: short(chunk.start_ms),
        duration_ms: short(chunk.duration_ms),
    };
    Held {
        header,
        message: BinaryMessage::new(&header.encode(), chunk.payload.clone()),
    }
}

/// The growing timelines of a node; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct GrowingTimelines(Arc<Mutex<HashMap<TimelineId, Arc<Growing>>>>);

impl GrowingTimelines {
    /// The timeline, while it grows on this node.
    #[must_use]
    pub fn find(&self, id: TimelineId) -> Option<Arc<Growing>> {
        self.lock().get(&id).cloned()
    }

    /// Lets viewers find it. One that is there already stays.
    pub fn add(&self, growing: Arc<Growing>) -> Arc<Growing> {
        self.lock().entry(growing.id).or_insert(growing).clone()
    }

    /// It is closed now: viewers who come find the description among the objects.
    pub fn remove(&self, id: TimelineId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TimelineId, Arc<Growing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An empty timeline with these renditions.
#[must_use]
pub fn empty(renditions: Vec<Rendition>, segment_ms: u64, epoch: u32) -> Grown {
    Grown {
        segments: vec![Vec::new(); renditions.len()],
        renditions: renditions.into(),
        segment_ms,
        edge_ms: 0,
        epoch,
        ended: false,
    }
}
