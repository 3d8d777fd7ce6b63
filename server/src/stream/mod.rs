//! The stream: one WebSocket that carries a timeline to a viewer and evidence back
//! (`millet.stream.v1`, see `PROTOCOL.md`), and the same files by HTTP for other players.
//!
//! `wire` are the messages; `ladder`, `cursor`, `credit`, `adapt` and `viewer` decide what is sent
//! and do no input or output; `socket` moves bytes and decides nothing.

pub mod ack_delay;
pub mod adapt;
pub mod begin;
pub mod bursts;
pub mod credit;
pub mod cursor;
pub mod frame;
pub mod growing;
pub mod header;
pub mod hls;
pub mod index;
pub mod ladder;
pub mod live_media;
pub mod media;
pub mod rooms;
pub mod seats;
pub mod segments;
pub mod socket;
pub mod testing;
mod texts;
mod trimmed;
pub mod viewer;
pub mod wire;

#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::db::Db;
use crate::id::{AccountId, PlaySessionId, TimelineId};
use crate::learning::evidence::Evidence;
use crate::learning::evidence::delivered::Delivered;
use crate::objects::Objects;
use crate::timelines::Timelines;
use growing::GrowingTimelines;
use rooms::{NoRooms, Rooms};
use seats::Seats;
use segments::Segments;

/// Play sessions whose deliveries are remembered after their socket ended.
const MOST_RECENT: u64 = 20_000;
/// For this long: a client without storage has no receipt to show.
const RECENT: Duration = Duration::from_secs(3600);

type Recent = Cache<PlaySessionId, Arc<(AccountId, TimelineId, Delivered)>>;

/// The streams of one node; cheap to clone.
#[derive(Clone)]
pub struct Streams {
    db: Db,
    timelines: Timelines,
    growing: GrowingTimelines,
    rooms: Arc<dyn Rooms>,
    segments: Segments,
    evidence: Evidence,
    seats: Seats,
    recent: Recent,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Streams {
    /// Viewers end when `stop` is cancelled; their tasks are counted in `tasks`.
    #[must_use]
    pub fn new(
        db: Db,
        objects: Objects,
        timelines: Timelines,
        evidence: Evidence,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            db,
            timelines,
            growing: GrowingTimelines::default(),
            rooms: Arc::new(NoRooms),
            segments: Segments::new(objects),
            evidence,
            seats: Seats::default(),
            recent: Cache::builder()
                .max_capacity(MOST_RECENT)
                .time_to_live(RECENT)
                .build(),
            stop,
            tasks,
        }
    }

    /// The timelines that grow on this node.
    #[must_use]
    pub fn growing(&self) -> &GrowingTimelines {
        &self.growing
    }

    /// Lets viewers of classes into their rooms.
    #[must_use]
    pub fn with_rooms(mut self, rooms: Arc<dyn Rooms>) -> Self {
        self.rooms = rooms;
        self
    }
}
