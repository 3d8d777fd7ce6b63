//! The Millet server. Folders are capabilities and import downwards only; see `ARCHITECTURE.md`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod allowance;
pub mod app;
pub mod audit;
pub mod clock;
pub mod completion;
pub mod config;
pub mod courses;
pub mod db;
#[cfg(test)]
mod declarations;
pub mod error;
pub mod form;
pub mod households;
pub mod id;
pub mod jobs;
pub mod learning;
pub mod live;
pub mod notices;
pub mod objects;
pub mod people;
pub mod plans;
pub mod request;
pub mod stream;
pub mod teaching;
pub mod timelines;
pub mod uploads;
pub mod websocket;
