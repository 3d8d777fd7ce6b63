//! Brings recordings and classes onto weak links: files in, renditions and a manifest out; or
//! records in, chunks out. Knows nothing of the server, of HTTP or of SQL, and alone links libav.
//!
//! Of a recording, one thread reads, decodes and gathers segments; workers scale and encode whole
//! segments of all rungs side by side; sound is encoded once. Every rung is cut at the same times.

mod boxes;
mod cap;
mod captions;
mod chapters;
mod colours;
mod compare;
mod content;
mod cuts;
mod decode;
mod download;
mod drift;
mod encode;
mod error;
mod finished;
mod fragments;
mod gist;
mod hls;
mod ladder;
pub mod letters;
mod limits;
mod live;
mod loudness;
mod nal;
mod normalise;
mod overtime;
mod package;
mod picture;
mod plan;
mod pool;
mod prepare;
mod probe;
mod raw;
mod report;
mod resample;
mod rung;
pub mod sandbox;
mod score;
mod segments;
mod slides;
mod sound;
mod sounding;
mod source;
mod stills;
mod store;
mod sum;
mod trial;

pub use captions::CaptionFile;
pub use compare::{Comparison, Judges, Quality, Reference, Weighed, compare, compare_apart, plot};
pub use error::Error;
pub use finished::Part;
pub use ladder::Effort;
pub use live::live;
pub use plan::Wishes;
pub use prepare::{Asked, prepare, prepare_part};
pub use probe::probe;
pub use report::Report;
