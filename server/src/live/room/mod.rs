//! The room of a class: who is there, what was said, shown and drawn.
//!
//! `act` and `told` are the messages; `state`, `decide` and `view` are a pure state machine: what may be done, what
//! follows from it, who sees it. `owner` is the one task that owns a room: it makes everything durable
//! through a [`owner::Journal`] before anybody else sees it. `replay` makes the recording of a class out of
//! the same events, `chapters` its places to jump to. Nothing here knows HTTP or SQL.

pub mod act;
pub mod board;
pub mod chapters;
pub mod decide;
pub mod limits;
pub mod log;
pub mod owner;
pub mod polls;
pub mod rate;
pub mod replay;
pub mod seat;
pub mod state;
pub mod told;
pub mod view;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod manners;
