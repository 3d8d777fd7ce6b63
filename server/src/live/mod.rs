//! Live classes: a room where everything is an event, and media that grows while it is watched.
//!
//! `schedule` are the rules of dates; `planning` and `store` the classes, `participants` who is in them
//! and what follows from events; `proof` who may; `journal` and `rooms` give each open class its
//! owner; `attendance` counts what was really played and settles it when the class is over.

pub mod attendance;
pub mod deck_routes;
pub mod decks;
pub mod ends;
pub mod floor;
pub mod guests;
pub mod journal;
pub mod keys;
pub mod media;
pub mod on_air;
pub mod page;
pub mod participants;
pub mod planning;
pub mod proof;
pub mod publish;
pub mod remind;
pub mod room;
pub mod rooms;
pub mod routes;
pub mod schedule;
pub mod schedule_routes;
pub mod store;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
