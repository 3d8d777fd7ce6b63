//! Brings recordings and classes onto weak links: files in, renditions and a manifest out; or
//! records in, chunks out. Knows nothing of the server, of HTTP or of SQL, and alone links libav.
//!
//! Of a recording, one thread reads and decodes; each video rung has a thread that scales, encodes and writes
//! fragments; sound is encoded once. Every rung is cut at the same times.

mod captions;
mod chapters;
mod content;
mod cuts;
mod decode;
mod download;
mod error;
mod hls;
mod ladder;
pub mod limits;
mod live;
mod mux;
mod nal;
mod normalise;
mod package;
mod picture;
mod prepare;
mod probe;
mod raw;
mod report;
mod resample;
pub mod sandbox;
mod sound;
mod source;
mod stills;
mod video;

pub use error::Error;
pub use live::live;
pub use prepare::prepare;
pub use probe::probe;
pub use report::Report;
