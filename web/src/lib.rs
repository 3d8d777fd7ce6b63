//! Pages, text, style and scripts. Nothing else in the workspace knows HTML, and this crate knows
//! neither HTTP nor SQL: typed page models in, text out.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod assets;
mod helpers;
pub mod language;
pub mod pages;
pub mod render;
mod script;
mod templates;
pub mod text;

pub use language::Language;
pub use render::{Error, Frame, Navigation, Notice, Page, Renderer};
