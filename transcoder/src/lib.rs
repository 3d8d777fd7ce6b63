//! Prepares a recording for weak links: files in, renditions and a manifest out. Knows nothing of
//! the server, of HTTP or of SQL, and alone links libav.
//!
//! One thread reads and decodes; each video rung has a thread that scales, encodes and writes
//! fragments; sound is encoded once. Every rung is cut at the same times.

mod content;
mod cuts;
mod decode;
mod download;
mod error;
mod hls;
mod ladder;
pub mod limits;
mod mux;
mod normalise;
mod package;
mod picture;
mod prepare;
mod raw;
mod report;
pub mod sandbox;
mod sound;
mod source;
mod stills;
mod video;

pub use error::Error;
pub use prepare::prepare;
pub use report::Report;
