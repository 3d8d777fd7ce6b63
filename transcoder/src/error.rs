//! What can go wrong, parted by whose fault it is.

use millet_manifest::BadInput;

/// Why nothing was prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is bad; trying again does not help.
    #[error("{sentence}")]
    Bad {
        /// Machine-readable.
        reason: BadInput,
        /// One plain English sentence.
        sentence: String,
    },
    /// libav failed where the input is not to blame.
    #[error("{what}: {error}")]
    Libav {
        /// What was being done.
        what: &'static str,
        /// libav's own words.
        error: ffmpeg_next::Error,
    },
    /// The machine failed.
    #[error("input/output: {0}")]
    Io(#[from] std::io::Error),
    /// Pictures are asked for that were not decoded, since others had made what they are for.
    #[error("what others made of a stretch does not go with the rest")]
    Undecoded,
    /// A rule of this program was broken.
    #[error("{0}")]
    Fault(String),
}

/// Names what libav was doing when it failed.
pub(crate) fn libav(what: &'static str) -> impl Fn(ffmpeg_next::Error) -> Error {
    move |error| Error::Libav { what, error }
}

/// As [`libav`], of what the input's own data make fail: it is to blame, unless the machine lacks something.
pub(crate) fn undecodable(
    what: &'static str,
    sentence: &'static str,
) -> impl Fn(ffmpeg_next::Error) -> Error {
    move |error| match error {
        ffmpeg_next::Error::Other { errno } if errno == libc::ENOMEM => over_limit(),
        ffmpeg_next::Error::Other { errno } if errno == libc::EAGAIN => libav(what)(error),
        _ => bad(BadInput::Truncated, sentence),
    }
}

/// The refusal of an input that needs more than it may.
pub(crate) fn over_limit() -> Error {
    bad(
        BadInput::OverLimit,
        "The file needs more memory than allowed.",
    )
}

/// Refuses the input.
pub(crate) fn bad(reason: BadInput, sentence: impl Into<String>) -> Error {
    Error::Bad {
        reason,
        sentence: sentence.into(),
    }
}
