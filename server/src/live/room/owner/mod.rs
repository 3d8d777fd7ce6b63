//! The one task that owns a room. Connections and pages ask it by messages; it decides, makes durable
//! through its [`Journal`], and only then says it to others.

mod answer;
mod round;
#[cfg(test)]
mod tests;
mod time;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::act::{Reaction, Refusal, Request};
use super::decide::{Newcomer, Outcome};
use super::limits::{ACTS_AT_ONCE, BEAT, IDLE};
use super::log::{Line, Log, SeatNumber};
use super::rate::Rate;
use super::state::{Standing, State};
use super::told::{Event, Happened, RoomMessage, Snapshot};
use crate::clock::{Clock, Timestamp};
use crate::id::{ActId, ParticipantId};
use crate::stream::rooms::Following;

/// The journal could not be read or written; what it said.
#[derive(Debug, thiserror::Error)]
#[error("the journal of a class: {0}")]
pub struct JournalFault(pub String);

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// The act that it follows from; of several events of one act, the first has it.
    pub act: Option<ActId>,
}

/// A class as the journal has it.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// When it began; time 0 of its timeline.
    pub opened_at: Option<Timestamp>,
    /// Whether it is over.
    pub ended: bool,
    /// Its events in order.
    pub events: Vec<Recorded>,
}

/// Where the events of one class are durable.
pub trait Journal: Send + 'static {
    /// Everything that happened.
    fn load(&mut self) -> impl Future<Output = Result<Story, JournalFault>> + Send;

    /// Makes events durable, all or none; refuses a sequence that is taken.
    fn append(
        &mut self,
        events: &[Recorded],
    ) -> impl Future<Output = Result<(), JournalFault>> + Send;

    /// Minutes of the class that each really played so far.
    fn minutes(
        &mut self,
    ) -> impl Future<Output = Result<Vec<(ParticipantId, u32)>, JournalFault>> + Send;
}

/// A connection as the owner knows it.
#[derive(Debug)]
pub struct NewSeat {
    /// Events that the client has seen.
    pub events_after: Option<u64>,
    /// How it follows.
    pub follows: watch::Receiver<Following>,
}

/// The place of a connection in the room.
#[derive(Debug)]
pub struct Joined {
    /// Its number.
    pub number: SeatNumber,
    /// Where it reads on.
    pub cursor: u64,
    /// The room as it is; absent when the client goes on where it was.
    pub room: Option<Bytes>,
    /// What the person may see, kept up to date by the owner.
    pub standing: Arc<AtomicU8>,
    /// How fast the person acts, over all connections.
    pub rate: Arc<std::sync::Mutex<Rate>>,
}

/// Reads what [`Joined::standing`] holds.
#[must_use]
pub fn standing(kept: &AtomicU8) -> Standing {
    match kept.load(Ordering::Acquire) {
        0 => Standing::Outside,
        1 => Standing::Waiting,
        2 => Standing::Inside,
        _ => Standing::Leading,
    }
}

/// What the owner is asked.
#[derive(Debug)]
pub enum Ask {
    /// Somebody comes in on a new connection.
    Join {
        /// Who.
        who: Newcomer,
        /// The connection.
        seat: NewSeat,
        /// The answer.
        reply: oneshot::Sender<Result<Joined, Refusal>>,
    },
    /// A connection ended.
    Leave {
        /// Which.
        seat: SeatNumber,
    },
    /// A connection wants the room as it is now.
    Anew {
        /// Of whom.
        who: ParticipantId,
        /// The message, and the cursor behind what is in it.
        reply: oneshot::Sender<(Bytes, u64)>,
    },
    /// Somebody does something on a connection; the answer comes through the log.
    Act {
        /// Who.
        who: ParticipantId,
        /// On which connection.
        seat: SeatNumber,
        /// What.
        request: Request,
    },
    /// Somebody does something by a form, without a connection.
    Form {
        /// Who; comes in by it.
        who: Newcomer,
        /// What.
        request: Request,
        /// Sequence of its event, 0 for what is not kept.
        reply: oneshot::Sender<Result<u64, Refusal>>,
    },
    /// Somebody looks at a page without a connection, and so comes to the door.
    Look {
        /// Who.
        who: Newcomer,
        /// What he or she sees.
        reply: oneshot::Sender<Result<Snapshot, Refusal>>,
    },
    /// The system notes something.
    Note {
        /// What: opened, ended, host or a deck.
        happened: Happened,
        /// When the class began, with [`Happened::Opened`].
        opened_at: Option<Timestamp>,
        /// Durable when it comes.
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
}

/// What others learn of a room without asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// A leader ended the class.
    pub ending: bool,
    /// Those who may be heard now.
    pub floors: Vec<ParticipantId>,
    /// Changes whenever somebody is sent out or given another role.
    pub parts: u64,
    /// Connections.
    pub seats: usize,
}

/// Shared by the owner, the connections and the registry.
#[derive(Debug)]
pub struct Hall {
    /// What is said.
    pub log: Log,
    /// What others learn.
    pub signs: watch::Sender<Signs>,
}

impl Default for Hall {
    fn default() -> Self {
        Self {
            log: Log::default(),
            signs: watch::channel(Signs::default()).0,
        }
    }
}

struct SeatInfo {
    who: ParticipantId,
    standing: Arc<AtomicU8>,
    follows: watch::Receiver<Following>,
}

/// What is done once everything decided so far is durable; `None` in a place of an answer: try again.
enum Then {
    Say(Vec<Line>, Vec<ParticipantId>),
    Acted(SeatNumber, ActId, Result<u64, Refusal>),
    Board(SeatNumber, ActId, ParticipantId, u16),
    Ephemeral(SeatNumber, ActId, Outcome),
    Joined(Newcomer, NewSeat, oneshot::Sender<Result<Joined, Refusal>>),
    Room(ParticipantId, oneshot::Sender<(Bytes, u64)>),
    Form(oneshot::Sender<Result<u64, Refusal>>, Result<u64, Refusal>),
    Look(ParticipantId, oneshot::Sender<Result<Snapshot, Refusal>>),
    Noted(oneshot::Sender<Result<(), Refusal>>, Result<(), Refusal>),
}

/// The owner of one room.
pub struct Owner<J> {
    journal: J,
    clock: Clock,
    hall: Arc<Hall>,
    state: State,
    /// What is decided, in `state`, and not yet durable.
    pending: Vec<Recorded>,
    then: Vec<Then>,
    acts: HashMap<ActId, (ParticipantId, u64)>,
    opened_at: Option<Timestamp>,
    /// Whether `state` is what the journal says, and what `pending` adds.
    loaded: bool,
    /// Events up to this one were said.
    said: u64,
    seats: HashMap<SeatNumber, SeatInfo>,
    next_seat: SeatNumber,
    rates: HashMap<ParticipantId, Arc<std::sync::Mutex<Rate>>>,
    /// Since when somebody who is present has no connection.
    gone: HashMap<ParticipantId, Instant>,
    reactions: HashMap<Reaction, u32>,
    minutes: HashMap<ParticipantId, u32>,
    minutes_at: Option<Instant>,
    followers_at: Instant,
    idle_since: Instant,
}

impl<J: Journal> Owner<J> {
    /// An owner that has read nothing yet.
    #[must_use]
    pub fn new(journal: J, clock: Clock, hall: Arc<Hall>) -> Self {
        let now = Instant::now();
        Self {
            journal,
            clock,
            hall,
            state: State::default(),
            pending: Vec::new(),
            then: Vec::new(),
            acts: HashMap::new(),
            opened_at: None,
            loaded: false,
            said: 0,
            seats: HashMap::new(),
            next_seat: 1,
            rates: HashMap::new(),
            gone: HashMap::new(),
            reactions: HashMap::new(),
            minutes: HashMap::new(),
            minutes_at: None,
            followers_at: now,
            idle_since: now,
        }
    }

    /// Answers until nobody needs the room, or all askers are gone. Whoever asks afterwards finds the
    /// channel closed, and a new owner reads the journal.
    pub async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(ACTS_AT_ONCE);
        loop {
            tokio::select! {
                count = asked.recv_many(&mut batch, ACTS_AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                    self.round(&mut batch).await;
                }
                _ = beat.tick() => {
                    self.beat().await;
                    if self.seats.is_empty() && self.idle_since.elapsed() > IDLE {
                        break;
                    }
                }
            }
        }
        self.hall.log.close();
    }

    /// Answers a few questions with one append.
    pub async fn round(&mut self, batch: &mut Vec<Ask>) {
        self.idle_since = Instant::now();
        if !self.ensure().await {
            for ask in batch.drain(..) {
                self.refuse(ask);
            }
            return;
        }
        for ask in batch.drain(..) {
            self.ask(ask);
        }
        self.settle().await;
    }
}

/// A message as it is sent.
fn text(message: &RoomMessage) -> Option<Bytes> {
    match serde_json::to_vec(message) {
        Ok(text) => Some(text.into()),
        Err(error) => {
            tracing::error!(%error, "a message of a room could not be written");
            None
        }
    }
}
