//! Files beside the renditions, and what was uploaded.

use serde::{Deserialize, Serialize};

use super::Content;

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
