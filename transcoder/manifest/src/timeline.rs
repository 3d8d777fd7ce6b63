//! `timeline.json`: every rendition of one lesson, cut at the same times.

use serde::{Deserialize, Serialize};

/// Name of the manifest inside the output folder.
pub const TIMELINE_FILE: &str = "timeline.json";

/// The version this crate writes and the only one it reads.
pub const TIMELINE_VERSION: u32 = 1;

/// Limits a reader enforces, so that a damaged or forged manifest cannot cost unbounded memory.
const MAX_RENDITIONS: usize = 32;
const MAX_SEGMENTS: usize = 20_000;
const MAX_CHUNKS_PER_SEGMENT: usize = 256;
const MAX_CAPTIONS: usize = 8;
const MAX_CHAPTERS: usize = 200;
const MAX_FILE_NAME: usize = 128;

/// A closed timeline as the transcoder prepared it.
///
/// All times are milliseconds from the start of the lesson, all sizes bytes, all rates bits per second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// Always [`TIMELINE_VERSION`].
    pub version: u32,
    /// Length of the lesson.
    pub duration_ms: u64,
    /// What kind of picture the source shows; decides the ladder.
    pub content: Content,
    /// Start of every segment, first always 0, strictly rising; the same for every rendition.
    pub cuts_ms: Vec<u64>,
    /// Ordered from the fewest to the most bytes within each [`Kind`].
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

/// A file of the output folder with its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Relative to the output folder, `/` between parts.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
}

/// A picture for the index and for players without Media Source Extensions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Still {
    /// When it is first shown.
    pub at_ms: u64,
    /// Relative to the output folder.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// One whole playable file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The video (or only) rendition inside.
    pub rendition: String,
    /// Relative to the output folder.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// Media type, for example `video/mp4`, `audio/mp4`.
    pub media_type: String,
}

/// One text track as `WebVTT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caption {
    /// ISO 639 or BCP 47, as the recording says it.
    pub language: Option<String>,
    /// What people call it.
    pub label: Option<String>,
    /// Relative to the output folder.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
}

/// A place to jump to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chapter {
    /// Where it begins; it lasts until the next one.
    pub start_ms: u64,
    /// Absent where only the picture tells it apart.
    pub title: Option<String>,
}

/// What the upload was, for the teacher's eyes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceInfo {
    /// Container as libav names it.
    pub container: String,
    /// Codec of the chosen video stream.
    pub video_codec: Option<String>,
    /// Codec of the chosen audio stream.
    pub audio_codec: Option<String>,
    /// As displayed, after rotation and pixel aspect; 0 without video.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Size of the input file.
    pub bytes: u64,
}

/// What `probe` says of an input, as one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Length as the container announces it; absent when it does not.
    pub duration_ms: Option<u64>,
    /// What the picture shows.
    pub content: Content,
    /// Container, codecs, size.
    pub source: SourceInfo,
}

/// Why a manifest was refused.
#[derive(Debug)]
pub enum ManifestError {
    /// Not JSON of this shape.
    Json(serde_json::Error),
    /// Of this shape, but it breaks the rule named.
    Rule(&'static str),
}

impl std::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(error) => write!(f, "timeline.json cannot be read: {error}"),
            Self::Rule(rule) => write!(f, "timeline.json breaks a rule: {rule}"),
        }
    }
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Rule(_) => None,
        }
    }
}

impl Timeline {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When the text is not a timeline or breaks one of the rules of [`Timeline::check`].
    pub fn from_json(text: &[u8]) -> Result<Self, ManifestError> {
        let timeline: Self = serde_json::from_slice(text).map_err(ManifestError::Json)?;
        timeline.check()?;
        Ok(timeline)
    }

    /// Checks what the types cannot say: bounds, aligned cuts, chunks that fill their segment,
    /// file names that stay inside the output folder.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ManifestError> {
        let rule = |ok: bool, text: &'static str| {
            if ok {
                Ok(())
            } else {
                Err(ManifestError::Rule(text))
            }
        };
        rule(self.version == TIMELINE_VERSION, "unknown version")?;
        rule(self.duration_ms > 0, "the duration is zero")?;
        rule(
            self.cuts_ms.first() == Some(&0),
            "the first cut is not at zero",
        )?;
        rule(self.cuts_ms.len() <= MAX_SEGMENTS, "too many cuts")?;
        rule(
            self.cuts_ms.windows(2).all(|pair| pair[0] < pair[1]),
            "the cuts do not rise",
        )?;
        rule(
            self.cuts_ms
                .last()
                .is_some_and(|last| *last < self.duration_ms),
            "a cut lies behind the end",
        )?;
        rule(
            !self.renditions.is_empty() && self.renditions.len() <= MAX_RENDITIONS,
            "no rendition, or too many",
        )?;
        for (index, rendition) in self.renditions.iter().enumerate() {
            rule(
                self.renditions[..index]
                    .iter()
                    .all(|other| other.id != rendition.id),
                "two renditions have one id",
            )?;
            rule(is_plain_path(&rendition.id), "a rendition id is unsafe")?;
            rule(is_plain_path(&rendition.init.file), "a file name is unsafe")?;
            rule(
                rendition.segments.len() == self.cuts_ms.len(),
                "a rendition is not cut like the others",
            )?;
            for (segment, cut) in rendition.segments.iter().zip(&self.cuts_ms) {
                segment.check(*cut)?;
            }
        }
        let others = self
            .poster
            .iter()
            .map(|poster| poster.file.as_str())
            .chain(self.stills.iter().map(|still| still.file.as_str()))
            .chain(self.downloads.iter().map(|download| download.file.as_str()))
            .chain(self.captions.iter().map(|caption| caption.file.as_str()))
            .chain([self.hls.as_str()]);
        for file in others {
            rule(is_plain_path(file), "a file name is unsafe")?;
        }
        rule(
            self.captions.len() <= MAX_CAPTIONS && self.chapters.len() <= MAX_CHAPTERS,
            "too many captions or chapters",
        )?;
        rule(
            self.chapters
                .windows(2)
                .all(|pair| pair[0].start_ms < pair[1].start_ms)
                && self
                    .chapters
                    .last()
                    .is_none_or(|last| last.start_ms < self.duration_ms),
            "the chapters do not rise, or lie behind the end",
        )?;
        Ok(())
    }

    /// Bytes of every file that the manifest names.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let renditions = self.renditions.iter().map(|rendition| {
            let segments: u64 = rendition.segments.iter().map(|segment| segment.bytes).sum();
            rendition.init.bytes + segments
        });
        let stills = self.stills.iter().map(|still| still.bytes);
        let downloads = self.downloads.iter().map(|download| download.bytes);
        let poster = self.poster.iter().map(|poster| poster.bytes);
        let captions = self.captions.iter().map(|caption| caption.bytes);
        renditions
            .chain(stills)
            .chain(downloads)
            .chain(poster)
            .chain(captions)
            .sum()
    }

    /// The rendition with this id.
    #[must_use]
    pub fn rendition(&self, id: &str) -> Option<&Rendition> {
        self.renditions.iter().find(|rendition| rendition.id == id)
    }

    /// Index of the segment that is on screen at `at_ms` (the last one for any later time).
    #[must_use]
    pub fn segment_at(&self, at_ms: u64) -> usize {
        self.cuts_ms
            .partition_point(|cut| *cut <= at_ms)
            .saturating_sub(1)
    }
}

impl Segment {
    fn check(&self, cut_ms: u64) -> Result<(), ManifestError> {
        if self.start_ms != cut_ms {
            return Err(ManifestError::Rule("a segment does not start at its cut"));
        }
        if self.chunks.is_empty() && self.bytes == 0 && self.file.is_empty() {
            return Ok(());
        }
        if !is_plain_path(&self.file) {
            return Err(ManifestError::Rule("a file name is unsafe"));
        }
        if self.chunks.is_empty() || self.chunks.len() > MAX_CHUNKS_PER_SEGMENT {
            return Err(ManifestError::Rule("a segment has no chunk, or too many"));
        }
        let mut end = 0_u64;
        for chunk in &self.chunks {
            if chunk.offset != end || chunk.bytes == 0 {
                return Err(ManifestError::Rule("the chunks do not fill their segment"));
            }
            end = end.saturating_add(chunk.bytes);
        }
        if end != self.bytes {
            return Err(ManifestError::Rule("the chunks do not fill their segment"));
        }
        Ok(())
    }
}

/// A relative path of plain characters that cannot leave its folder.
fn is_plain_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= MAX_FILE_NAME
        && path.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_cuts() -> Timeline {
        let segment = |start_ms: u64, file: &str| Segment {
            start_ms,
            duration_ms: 4000,
            file: file.into(),
            bytes: 30,
            chunks: vec![
                Chunk {
                    offset: 0,
                    bytes: 10,
                    start_ms,
                    duration_ms: 2000,
                    keyframe: true,
                },
                Chunk {
                    offset: 10,
                    bytes: 20,
                    start_ms: start_ms + 2000,
                    duration_ms: 2000,
                    keyframe: false,
                },
            ],
        };
        Timeline {
            version: TIMELINE_VERSION,
            duration_ms: 8000,
            content: Content::AudioOnly,
            cuts_ms: vec![0, 4000],
            renditions: vec![Rendition {
                id: "opus16".into(),
                kind: Kind::Audio,
                codec: "opus".into(),
                width: 0,
                height: 0,
                frame_rate_milli: 0,
                sample_rate: 48000,
                channels: 1,
                average_bps: 60,
                peak_bps: 60,
                init: FileRef {
                    file: "opus16/init.mp4".into(),
                    bytes: 5,
                },
                segments: vec![
                    segment(0, "opus16/00000.m4s"),
                    segment(4000, "opus16/00001.m4s"),
                ],
            }],
            hls: "master.m3u8".into(),
            poster: None,
            stills: vec![],
            downloads: vec![],
            captions: vec![],
            chapters: vec![],
            source: SourceInfo {
                container: "wav".into(),
                video_codec: None,
                audio_codec: Some("pcm_s16le".into()),
                width: 0,
                height: 0,
                bytes: 100,
            },
        }
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        let timeline = two_cuts();
        let text = serde_json::to_vec(&timeline).unwrap();
        assert_eq!(Timeline::from_json(&text).unwrap(), timeline);
    }

    #[test]
    fn a_time_finds_the_segment_on_screen() {
        let timeline = two_cuts();
        assert_eq!(
            [0, 3999, 4000, 99_000].map(|at| timeline.segment_at(at)),
            [0, 0, 1, 1]
        );
    }

    #[test]
    fn forged_manifests_are_refused() {
        let forge = |change: fn(&mut Timeline)| {
            let mut timeline = two_cuts();
            change(&mut timeline);
            timeline.check().unwrap_err().to_string()
        };
        assert!(
            forge(|t| t.renditions[0].segments[0].file = "../secret".into()).contains("unsafe")
        );
        assert!(forge(|t| t.hls = "/etc/passwd".into()).contains("unsafe"));
        assert!(forge(|t| t.cuts_ms = vec![0, 0]).contains("rise"));
        assert!(forge(|t| t.renditions[0].segments[1].start_ms = 3000).contains("cut"));
        assert!(forge(|t| t.renditions[0].segments[1].chunks[1].bytes = 21).contains("fill"));
        assert!(forge(|t| t.renditions[0].segments.truncate(1)).contains("like the others"));
        let chapter = |start_ms| Chapter {
            start_ms,
            title: None,
        };
        let mut timeline = two_cuts();
        timeline.chapters = vec![chapter(5), chapter(5)];
        assert!(timeline.check().is_err());
        timeline.chapters = vec![chapter(5), chapter(8_000)];
        assert!(timeline.check().is_err());
        assert!(forge(|t| t.version = 2).contains("version"));
    }
}
