//! Live classes: a room where everything is an event, and media that grows while it is watched.
//!
//! `schedule` are the rules of dates; `planning` and `store` the classes, `participants` who is in them
//! and what follows from events; `proof` who may; `journal` and `rooms` give each open class its
//! owner; `attendance` counts what was really played and settles it when the class is over. `replays` and
//! `lesson_page` show what happened beside the recording, `trimming` how much of it.

pub mod attendance;
pub mod deck_routes;
pub mod deck_store;
pub mod decks;
pub mod ends;
pub mod farewell;
pub mod floor;
pub mod guests;
pub mod journal;
pub mod keys;
pub mod lesson_page;
pub mod media;
pub mod on_air;
pub mod page;
pub mod participants;
pub mod parting;
pub mod planning;
pub mod proof;
pub mod publish;
pub mod remind;
pub mod replay_routes;
pub mod replays;
pub mod room;
pub mod rooms;
pub mod routes;
pub mod schedule;
pub mod schedule_routes;
pub mod store;
pub mod trimming;

#[cfg(test)]
mod deck_tests;
#[cfg(test)]
mod recording_tests;
#[cfg(test)]
mod rights_tests;
#[cfg(test)]
mod settle_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
