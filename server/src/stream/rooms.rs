//! How a stream meets the room of a live class, which stands above it: the room's messages travel on the
//! viewer's socket, and the socket does not look into them.

use crate::websocket::Utf8Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::error::Error;
use crate::id::{AccountId, TimelineId};

/// Rooms of live classes.
pub trait Rooms: Send + Sync {
    /// Joins the room of the class with this timeline; `None`: the timeline has no room, or none that is
    /// open. With `events_after` the client holds the room as it was after that event; what happened
    /// since is said one by one if it is still at hand, else the room is said as it is.
    fn join(
        &self,
        timeline: TimelineId,
        account: AccountId,
        events_after: Option<u64>,
    ) -> BoxFuture<'_, Result<Option<Seat>, Error>>;

    /// Whether somebody who joined still has a part in the class; who has a lesser one by now has it in the
    /// room too. [`Error::NotFound`]: none.
    fn prove(&self, timeline: TimelineId, account: AccountId) -> BoxFuture<'_, Result<(), Error>>;
}

/// One connection to a room; dropping it ends the connection.
#[derive(Debug)]
pub struct Seat {
    /// Text messages for this client. Closed: sent out, or the class is over.
    pub says: mpsc::Receiver<Utf8Bytes>,
    /// Acts of this client; full means too fast.
    pub acts: mpsc::Sender<Value>,
    /// How this client follows, newest only.
    pub follows: watch::Sender<Following>,
}

/// How one connection follows the class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// Rung that is sent; empty before the first.
    pub rung: String,
    /// How far what plays is behind the present.
    pub behind_ms: u64,
    /// Nothing plays because nothing is stored.
    pub stuck: bool,
}

/// No class has a room.
#[derive(Clone, Copy, Debug)]
pub struct NoRooms;

impl Rooms for NoRooms {
    fn join(
        &self,
        _timeline: TimelineId,
        _account: AccountId,
        _events_after: Option<u64>,
    ) -> BoxFuture<'_, Result<Option<Seat>, Error>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn prove(
        &self,
        _timeline: TimelineId,
        _account: AccountId,
    ) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
