//! What the transcoder tells the server, and nothing else the two share:
//! the `timeline.json` of a prepared lesson, the progress lines on standard output, what a run leaves
//! for another one, the records on the pipes of a live run, and how both read and write captions.
//!
//! This crate must never depend on libav, HTTP or SQL.

pub mod captions;
pub mod live;
mod progress;
mod timeline;
mod work;

pub use progress::{BadInput, DECIDED_PERMILLE, ENCODED_PERMILLE, ExitCode, Progress, Stage};
pub use timeline::{
    Caption, Chapter, Chunk, Content, Decision, Download, FileRef, Kind, ManifestError,
    PictureSigns, Probe, Rendition, RungDecision, Segment, SoundKind, SoundSigns, SourceInfo,
    Still, TIMELINE_FILE, TIMELINE_VERSION, Timeline, TitleClass,
};
pub use work::{PLAN_FILE, PlanHead, Record, WORK_FOLDER};
