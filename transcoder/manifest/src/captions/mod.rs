//! Captions: files of cues as people bring them (`.srt`, `WebVTT`) become plain cues, and these become
//! `WebVTT` for a player's page, whole, and for HLS, in pieces.
//!
//! What a cue says is plain text: markup of any kind is dropped when it is read, and what is left is
//! escaped when it is written, so that nothing of a file becomes markup of a page.

mod encoding;
mod markup;
mod pieces;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use markup::{Markup, plain};
pub use pieces::{caption_cuts, caption_piece, caption_playlist};
pub use read::read_captions;
pub use write::write_captions;

/// Largest file of captions.
pub const MOST_CAPTION_BYTES: usize = 1 << 20;
/// Most cues of one file or track.
pub const MOST_CUES: usize = 20_000;
/// Most letters of a cue.
pub(crate) const MOST_LETTERS: usize = 1_000;
/// Cues that are on the screen at the same time; more of them nobody reads.
const MOST_AT_ONCE: usize = 8;

/// Words that are shown for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cue {
    /// When they appear.
    pub from_ms: u64,
    /// When they go.
    pub until_ms: u64,
    /// Plain text, one line or several, none of them empty.
    pub text: String,
}

/// Why a file is not taken for captions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptionError {
    /// More bytes than [`MOST_CAPTION_BYTES`].
    TooLarge,
    /// More cues than [`MOST_CUES`].
    TooMany,
    /// Neither UTF-8 nor UTF-16 nor GB 18030.
    Encoding,
    /// A line that says when a cue is shown, from 1, cannot be read.
    Time(usize),
    /// No cue with words and a time.
    NoCue,
}

impl std::fmt::Display for CaptionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge => write!(f, "more than {MOST_CAPTION_BYTES} bytes"),
            Self::TooMany => write!(f, "more than {MOST_CUES} captions"),
            Self::Encoding => f.write_str("not text in UTF-8, UTF-16 or GB 18030"),
            Self::Time(line) => write!(f, "the time in line {line} cannot be read"),
            Self::NoCue => f.write_str("no captions as .srt or .vtt have them"),
        }
    }
}

impl std::error::Error for CaptionError {}

/// Puts cues in order, drops what nobody sees, and what more than a few others are shown with.
#[must_use]
pub fn tidy_cues(mut cues: Vec<Cue>) -> Vec<Cue> {
    cues.retain(|cue| cue.until_ms > cue.from_ms && !cue.text.is_empty());
    cues.sort_by_key(|cue| cue.from_ms);
    let mut ends: Vec<u64> = Vec::new();
    cues.retain(|cue| {
        ends.retain(|end| *end > cue.from_ms);
        let fits = ends.len() < MOST_AT_ONCE;
        if fits {
            ends.push(cue.until_ms);
        }
        fits
    });
    cues
}

/// What is shown before `end_ms`, and not longer.
#[must_use]
pub fn cues_until(cues: &[Cue], end_ms: u64) -> Vec<Cue> {
    let shown = cues.iter().filter(|cue| cue.from_ms < end_ms);
    shown
        .map(|cue| Cue {
            until_ms: cue.until_ms.min(end_ms),
            ..cue.clone()
        })
        .collect()
}
