//! What the transcoder tells the server, and nothing else the two share:
//! the `timeline.json` of a prepared lesson and the progress lines on standard output.
//!
//! This crate must never depend on libav, HTTP or SQL.

mod progress;
mod timeline;

pub use progress::{BadInput, ExitCode, Progress, Stage};
pub use timeline::{
    Chunk, Content, Download, FileRef, Kind, ManifestError, Rendition, Segment, SourceInfo, Still,
    TIMELINE_FILE, TIMELINE_VERSION, Timeline,
};
