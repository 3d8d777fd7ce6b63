//! Binary messages before their payload is read: a header, and where the payload lies.

use millet_manifest::{Chunk, FileRef, Segment};

use super::cursor::Lane;
use super::index::Index;
use super::ladder::byte;
use super::wire::{HEADER_BYTES, Header, Payload, flag};

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

/// The lanes of a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl Frame {
    /// The initialisation of a rendition.
    #[must_use]
    pub fn init(which: Which, rendition: usize, init: &FileRef, epoch: u32) -> Self {
        Self {
            header: Header {
                payload: Payload::Init,
                rendition: byte(rendition),
                flags: lane_flag(which),
                epoch,
                sequence: 0,
                part: 0,
                start_ms: 0,
                duration_ms: 0,
            },
            file: init.file.clone(),
            file_bytes: init.bytes,
            offset: 0,
            bytes: init.bytes,
        }
    }

    /// The chunk that a lane is at.
    #[must_use]
    pub fn chunk(
        which: Which,
        lane: &Lane,
        index: &Index,
        (segment, chunk): (&Segment, &Chunk),
        epoch: u32,
    ) -> Self {
        let place = lane.place();
        let rendition = lane.rendition().unwrap_or_default();
        // What will follow in a timeline that grows is not known, and viewers share its messages.
        let closed = matches!(index, Index::Closed(_));
        let last = closed && place.part + 1 == segment.chunks.len();
        let newest = place.segment + 1 == index.segments(rendition);
        let end = last && newest && !index.is_unfinished();
        let set = |on: bool, flag: u16| if on { flag } else { 0 };
        Self {
            header: Header {
                payload: Payload::Chunk,
                rendition: byte(rendition),
                flags: set(chunk.keyframe, flag::KEYFRAME)
                    | set(place.part == 0, flag::FIRST_OF_SEGMENT)
                    | set(last, flag::LAST_OF_SEGMENT)
                    | set(lane.has_gap(chunk.start_ms), flag::GAP)
                    | set(end, flag::LAST_OF_TIMELINE)
                    | lane_flag(which),
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
}

fn lane_flag(which: Which) -> u16 {
    match which {
        Which::Audio => flag::AUDIO,
        Which::Video => 0,
    }
}

fn short(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
