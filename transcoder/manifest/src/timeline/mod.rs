//! `timeline.json`: every rendition of one lesson, cut at the same times.

mod check;
mod decision;
mod files;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use check::ManifestError;
pub(crate) use check::is_plain_path;
pub use decision::{Decision, PictureSigns, RungDecision, SoundKind, SoundSigns, TitleClass};
pub use files::{Caption, Chapter, Download, FileRef, Probe, SourceInfo, Still};

/// Name of the manifest inside the output folder.
pub const TIMELINE_FILE: &str = "timeline.json";

/// The version this crate writes and the only one it reads.
pub const TIMELINE_VERSION: u32 = 1;

/// A closed timeline as the transcoder prepared it.
///
/// All times are milliseconds from the start of the lesson, all sizes bytes, all rates bits per second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// Always [`TIMELINE_VERSION`].
    pub version: u32,
    /// Length of the lesson; of an unfinished one as it is announced.
    pub duration_ms: u64,
    /// More is still being made: `cuts_ms` are as far as it goes now, and only the first renditions are there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// What kind of picture the source shows; decides the ladder.
    pub content: Content,
    /// Start of every segment, first always 0, strictly rising; the same for every rendition.
    pub cuts_ms: Vec<u64>,
    /// First those that can be watched while the others are made; of one codec in order of [`Kind`] and size.
    pub renditions: Vec<Rendition>,
    /// HLS multivariant playlist, relative to the output folder.
    pub hls: String,
    /// Picture shown before the first frame; absent when the source has no video.
    pub poster: Option<FileRef>,
    /// Image files of the lesson's slides or scenes, in order of time.
    pub stills: Vec<Still>,
    /// Whole files for players without Media Source Extensions and for keeping.
    pub downloads: Vec<Download>,
    /// Text tracks that the recording brought with it.
    #[serde(default)]
    pub captions: Vec<Caption>,
    /// Places to jump to, in order of time; empty when there is nothing to tell apart.
    #[serde(default)]
    pub chapters: Vec<Chapter>,
    /// What was uploaded.
    pub source: SourceInfo,
    /// Why the renditions are as they are; absent where nothing was decided, as for a class.
    #[serde(default)]
    pub decision: Option<Decision>,
}

/// What the picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Slides, handwriting or a screen: long still stretches.
    Lecture,
    /// Camera pictures.
    Natural,
    /// No picture.
    AudioOnly,
}

/// Which lane a rendition travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sound alone.
    Audio,
    /// Video track of at most one frame a second; with audio it is the *audio + stills* rung.
    Stills,
    /// Moving picture.
    Video,
}

/// One encoding of the whole timeline: an init segment and segments cut at `cuts_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rendition {
    /// Unique and stable, for example `v240`, `s480`, `opus16`, `aac32`.
    pub id: String,
    /// Lane.
    pub kind: Kind,
    /// RFC 6381 codec string, for example `avc1.64001e`, `opus`, `mp4a.40.2`.
    pub codec: String,
    /// Width and height in pixels, both 0 for audio.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Frames per 1000 seconds (29.97 fps is 29970), 0 for audio.
    pub frame_rate_milli: u32,
    /// Samples per second, 0 for video.
    pub sample_rate: u32,
    /// 0 for video.
    pub channels: u32,
    /// Bytes of all segments ÷ duration.
    pub average_bps: u64,
    /// Highest rate over any window of 10 seconds.
    pub peak_bps: u64,
    /// `ftyp` + `moov`.
    pub init: FileRef,
    /// One for each entry of `cuts_ms`.
    pub segments: Vec<Segment>,
}

/// A CMAF segment in a file of its own, decodable after the init segment alone where its first chunk
/// is a keyframe. Without chunks, bytes and file it is a gap: nothing of this rendition was made then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Equal to the cut of the same index.
    pub start_ms: u64,
    /// Until the next cut, or the end.
    pub duration_ms: u64,
    /// File relative to the output folder.
    pub file: String,
    /// Size of the file; the chunks fill it without gaps.
    pub bytes: u64,
    /// CMAF chunks (`moof` + `mdat`) of up to about two seconds, in order.
    pub chunks: Vec<Chunk>,
}

/// One CMAF chunk: a byte range of its segment's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// First byte within the segment's file.
    pub offset: u64,
    /// Length of the range.
    pub bytes: u64,
    /// Presentation time of its first sample.
    pub start_ms: u64,
    /// Time it covers.
    pub duration_ms: u64,
    /// Whether a decoder may start here.
    pub keyframe: bool,
}

impl Rendition {
    /// Bytes of the init segment and all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let segments = self.segments.iter().map(|segment| segment.bytes);
        segments.fold(self.init.bytes, u64::saturating_add)
    }
}

impl Timeline {
    /// Bytes of every file that the manifest names.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let renditions = self.renditions.iter().map(|rendition| rendition.bytes());
        let stills = self.stills.iter().map(|still| still.bytes);
        let downloads = self.downloads.iter().map(|download| download.bytes);
        let poster = self.poster.iter().map(|poster| poster.bytes);
        let captions = self.captions.iter().map(|caption| caption.bytes);
        renditions
            .chain(stills)
            .chain(downloads)
            .chain(poster)
            .chain(captions)
            // A forged size must not be a fault of the reader's.
            .fold(0, u64::saturating_add)
    }

    /// The rendition with this id.
    #[must_use]
    pub fn rendition(&self, id: &str) -> Option<&Rendition> {
        self.renditions.iter().find(|rendition| rendition.id == id)
    }

    /// End of the last segment.
    #[must_use]
    pub fn prepared_ms(&self) -> u64 {
        let ends = self.renditions.iter().filter_map(|rendition| {
            let last = rendition.segments.last()?;
            Some(last.start_ms.saturating_add(last.duration_ms))
        });
        ends.min().unwrap_or(0).min(self.duration_ms)
    }

    /// Index of the segment that is on screen at `at_ms` (the last one for any later time).
    #[must_use]
    pub fn segment_at(&self, at_ms: u64) -> usize {
        self.cuts_ms
            .partition_point(|cut| *cut <= at_ms)
            .saturating_sub(1)
    }
}
