//! The application: state, the route table, and what stands around every request.

pub mod accept;
pub mod answer;
pub mod assets;
pub mod demo;
pub mod guard;
pub mod health;
pub mod observe;
pub mod operator;
pub mod routes;
pub mod serve;
pub mod state;

pub use serve::{Running, ServeError, start};
pub use state::App;
