//! What whole-system tests are written with: a real server as its own process, a real browser, a
//! bad link, real media, and a village that lives in the database.

pub mod browser;
pub mod class;
pub mod course;
pub mod engines;
mod family;
pub mod firefox;
pub mod link;
pub mod media;
pub mod recorded;
pub mod school;
pub mod server;
pub mod village;
pub mod visitor;

pub use browser::Browser;
pub use class::{Class, Publisher};
pub use course::Course;
pub use engines::{Engines, Storage};
pub use firefox::{Firefox, Loudspeaker};
pub use link::Link;
pub use recorded::Recorded;
pub use school::School;
pub use server::Server;
pub use village::Village;
pub use visitor::Visitor;

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks again until the answer is there; panics with `what` when it takes longer than `within`.
///
/// # Panics
/// When the answer does not come.
pub async fn until<T, F, Fut>(what: &str, within: Duration, mut ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        // The pause between two questions; the signal is the answer.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
