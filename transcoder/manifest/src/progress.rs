//! Progress lines on standard output and the exit codes of `millet-transcoder`.

use serde::{Deserialize, Serialize};

/// One line of JSON on the transcoder's standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Progress {
    /// Work goes on.
    Progress {
        /// What is being done.
        stage: Stage,
        /// Thousandths of the whole work that are done, 0 to 1000, never falling.
        permille: u32,
        /// Estimate of the time that is left.
        left_ms: Option<u64>,
    },
    /// What of the recording can be watched while the rest is still being made: the begin of
    /// [`crate::Timeline::renditions`], initialisations in place. The segments that were published before
    /// belong to it too.
    Watchable {
        /// Length of the lesson as its container announces it.
        duration_ms: u64,
        /// What the picture shows.
        content: crate::Content,
        /// Without their segments, in the order that the manifest will have.
        renditions: Vec<crate::Rendition>,
    },
    /// A segment is in place and can be played, while others are still being made.
    Published {
        /// Id of the rendition.
        rendition: String,
        /// Its place in the rendition, from 0.
        index: u64,
        /// What it holds.
        segment: crate::Segment,
    },
    /// The output folder is complete; the last line of a successful run.
    Done {
        /// Length of the lesson.
        duration_ms: u64,
        /// Bytes of all files in the output folder.
        bytes: u64,
    },
    /// The input cannot be prepared; the last line of a run that ends with [`ExitCode::BAD_INPUT`].
    Refused {
        /// Machine-readable reason.
        reason: BadInput,
        /// One plain English sentence.
        sentence: String,
    },
}

/// [`Progress::Progress::permille`] when it is decided what is made: all before counts for so much.
pub const DECIDED_PERMILLE: u32 = 60;
/// The same when the last segment is encoded; in between it rises with the segments.
pub const ENCODED_PERMILLE: u32 = 960;

/// What the transcoder is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Looking at the input.
    Probe,
    /// Decoding and encoding.
    Encode,
    /// Writing playlists, downloads and the manifest.
    Package,
}

/// Why an input is refused. The server translates these for the teacher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadInput {
    /// No demuxer of the allow-list recognises it.
    NotMedia,
    /// Media, but with neither video nor audio that can be decoded.
    NoStreams,
    /// Longer than the limit.
    TooLong,
    /// More bytes, pixels or streams than the limit.
    TooLarge,
    /// Ends in the middle or is damaged beyond use.
    Truncated,
    /// Streams are announced, but not one frame or sample comes out.
    NoFrames,
    /// Needs more time or memory than the limit, as only a hostile file does.
    OverLimit,
    /// A file of captions beside it cannot be used.
    Captions,
}

/// Exit codes of `millet-transcoder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode(pub u8);

impl ExitCode {
    /// The output folder is complete.
    pub const DONE: Self = Self(0);
    /// A fault of the machine or of this program; trying again may help.
    pub const FAULT: Self = Self(1);
    /// The input is bad; trying again does not help.
    pub const BAD_INPUT: Self = Self(2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_have_a_stable_form() {
        let line = serde_json::to_string(&Progress::Refused {
            reason: BadInput::NotMedia,
            sentence: "This file is not a video or a sound recording.".into(),
        })
        .unwrap();
        assert_eq!(
            line,
            r#"{"type":"refused","reason":"not_media","sentence":"This file is not a video or a sound recording."}"#
        );
    }
}
