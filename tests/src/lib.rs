//! The test kit: real servers, real browsers, bad links.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test kit ends a test by panicking"
)]

pub mod kit;
pub mod servers;
pub mod stream;
