//! What comes out of a run.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Fields, Record, RecordError, json};
use crate::Kind;

/// One record on standard output.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Every rendition; a rendition's index is its place in this list. The first record.
    Ladder(Vec<LiveRendition>),
    /// `ftyp` and `moov` of a rendition; the same bytes in every run.
    Init {
        /// Index into the ladder.
        rendition: u8,
        /// The boxes.
        data: Vec<u8>,
    },
    /// `moof` and `mdat` of one part of the grid.
    Chunk(Chunk),
    /// The AAC rendition of one part of the grid again, as ADTS frames.
    Adts {
        /// Timeline's time of the part.
        start_ms: u64,
        /// ISO/IEC 13818-7 frames, one behind the other.
        data: Vec<u8>,
    },
    /// A picture for the index.
    Still {
        /// When it was first shown.
        at_ms: u64,
        /// An image file, JPEG or `WebP`.
        data: Vec<u8>,
    },
    /// How the run fares, about every two seconds.
    Report(Report),
}

/// One encoding of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRendition {
    /// Unique and stable, for example `opus16`, `v240`.
    pub id: String,
    /// Lane.
    pub kind: Kind,
    /// RFC 6381.
    pub codec: String,
    /// Width and height in pixels, both 0 for sound.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Most frames in 1000 seconds, 0 for sound.
    pub frame_rate_milli: u32,
    /// Samples a second, 0 for pictures.
    pub sample_rate: u32,
    /// 0 for pictures.
    pub channels: u32,
    /// Most bits a second over some seconds, boxes included.
    pub peak_bps: u64,
}

/// A part of a segment, ready to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Index into the ladder.
    pub rendition: u8,
    /// Whether a decoder may start here.
    pub keyframe: bool,
    /// Whether it is the first of its segment in this run.
    pub first: bool,
    /// Whether it ends its segment. When nothing comes for the last part, no chunk says so.
    pub last: bool,
    /// Whether media is missing between the chunk before and this one.
    pub gap_before: bool,
    /// Number of the segment: `start_ms` ÷ [`super::SEGMENT_MS`].
    pub sequence: u32,
    /// Part of the segment, from 0.
    pub part: u16,
    /// Timeline's time of its first sample.
    pub start_ms: u64,
    /// Time it covers.
    pub duration_ms: u32,
    /// `moof` and `mdat`.
    pub data: Vec<u8>,
}

/// How a run fares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How far the newest chunk's end lies behind the clock.
    pub lag_ms: u64,
    /// Renditions that are left out for want of processor time, from the largest.
    pub dropped_rungs: Vec<String>,
    /// Pictures a second that arrived.
    pub input_fps: f32,
    /// Packets that could not be decoded so far.
    pub damaged: u64,
    /// Pictures that were left out because encoders were busy, so far.
    pub skipped_frames: u64,
}

const KEYFRAME: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
const GAP: u8 = 8;

impl Chunk {
    fn head(&self) -> Vec<u8> {
        let flags = [
            (self.keyframe, KEYFRAME),
            (self.first, FIRST),
            (self.last, LAST),
            (self.gap_before, GAP),
        ];
        let flags = flags
            .iter()
            .filter(|(set, _)| *set)
            .fold(0, |flags, (_, flag)| flags | flag);
        let mut head = vec![self.rendition, flags];
        head.extend_from_slice(&self.sequence.to_be_bytes());
        head.extend_from_slice(&self.part.to_be_bytes());
        head.extend_from_slice(&self.start_ms.to_be_bytes());
        head.extend_from_slice(&self.duration_ms.to_be_bytes());
        head
    }

    fn from_body(kind: u8, body: &[u8]) -> Result<Self, RecordError> {
        let mut fields = Fields::new(kind, body);
        let rendition = fields.u8()?;
        let flags = fields.u8()?;
        Ok(Self {
            rendition,
            keyframe: flags & KEYFRAME != 0,
            first: flags & FIRST != 0,
            last: flags & LAST != 0,
            gap_before: flags & GAP != 0,
            sequence: fields.u32()?,
            part: fields.u16()?,
            start_ms: fields.u64()?,
            duration_ms: fields.u32()?,
            data: fields.rest(),
        })
    }
}

impl Record for Output {
    fn parts(&self) -> (u8, Vec<Cow<'_, [u8]>>) {
        let timed = |at_ms: &u64| Cow::Owned(at_ms.to_be_bytes().to_vec());
        match self {
            Self::Ladder(renditions) => (1, vec![json(renditions).into()]),
            Self::Init { rendition, data } => {
                (2, vec![vec![*rendition].into(), data.as_slice().into()])
            }
            Self::Chunk(chunk) => (3, vec![chunk.head().into(), chunk.data.as_slice().into()]),
            Self::Adts { start_ms, data } => (4, vec![timed(start_ms), data.as_slice().into()]),
            Self::Still { at_ms, data } => (5, vec![timed(at_ms), data.as_slice().into()]),
            Self::Report(report) => (6, vec![json(report).into()]),
        }
    }

    fn from_parts(kind: u8, body: &[u8]) -> Result<Self, RecordError> {
        let mut fields = Fields::new(kind, body);
        Ok(match kind {
            1 => Self::Ladder(serde_json::from_slice(body).map_err(RecordError::Json)?),
            2 => Self::Init {
                rendition: fields.u8()?,
                data: fields.rest(),
            },
            3 => Self::Chunk(Chunk::from_body(kind, body)?),
            4 => Self::Adts {
                start_ms: fields.u64()?,
                data: fields.rest(),
            },
            5 => Self::Still {
                at_ms: fields.u64()?,
                data: fields.rest(),
            },
            6 => Self::Report(serde_json::from_slice(body).map_err(RecordError::Json)?),
            _ => return Err(RecordError::UnknownKind(kind)),
        })
    }
}
