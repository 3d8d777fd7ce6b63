//! The test kit: real servers, real browsers, bad links.

pub mod kit;
pub mod servers;
pub mod stream;
