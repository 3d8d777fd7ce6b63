//! The test kit: real servers, real browsers, bad links.

pub mod bench;
pub mod kit;
pub mod servers;
pub mod stream;
