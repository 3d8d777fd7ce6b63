//! Watch evidence: which intervals of a timeline a learner really played, as the server accounts
//! for them. A client only claims; an interval is credited when it was delivered and when the
//! account's wall clock has room for it.
//!
//! Nothing here decides about people: what is not credited is written down as a flag for a review.

pub mod credit;
pub mod delivered;
pub mod receipt;
pub mod store;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sqlx::AnyConnection;
use tokio::sync::OnceCell;

use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, IntervalId, LessonId};
use receipt::ReceiptKey;

/// What watching brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The lesson is completed by it, for the first time.
    pub lesson_completed: bool,
    /// The course too.
    pub course_completed: bool,
}

/// The future of [`Watched::watched`].
pub type WatchedFuture<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Error>> + Send + 'a>>;

/// Who wants to know that evidence was credited. Called inside the transaction that credits, so that
/// both are kept or neither.
pub trait Watched: Send + Sync {
    /// `account` has new evidence for `lesson`.
    fn watched<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        account: AccountId,
        lesson: LessonId,
        now: Timestamp,
    ) -> WatchedFuture<'a>;
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct NobodyWatches;

impl Watched for NobodyWatches {
    fn watched<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        _account: AccountId,
        _lesson: LessonId,
        _now: Timestamp,
    ) -> WatchedFuture<'a> {
        Box::pin(std::future::ready(Ok(Outcome::default())))
    }
}

/// An interval that a client says was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Made by the client; the same id again changes nothing.
    pub id: IntervalId,
    /// Begin on the timeline, milliseconds.
    pub from_ms: i64,
    /// End on the timeline, milliseconds.
    pub until_ms: i64,
    /// Playback rate in thousandths.
    pub rate_permille: i64,
}

/// Why an interval was not credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The server did not send that part.
    NotDelivered,
    /// Less wall clock has passed than playing it takes.
    FasterThanTime,
    /// The wall clock was used by another play session of the account.
    TwoAtOnce,
    /// No interval of this timeline.
    OutOfRange,
    /// Shorter than playback is reported, or in more pieces than playback has.
    TooFine,
}

impl Reason {
    /// The word in the database and on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotDelivered => "not_delivered",
            Self::FasterThanTime => "faster_than_time",
            Self::TwoAtOnce => "two_at_once",
            Self::OutOfRange => "out_of_range",
            Self::TooFine => "too_fine",
        }
    }
}

/// Crediting for one node; cheap to clone.
#[derive(Clone)]
pub struct Evidence {
    db: Db,
    clock: Clock,
    key: Arc<OnceCell<ReceiptKey>>,
    watched: Arc<dyn Watched>,
}

impl Evidence {
    /// Credits in `db`; tells `watched`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, watched: Arc<dyn Watched>) -> Self {
        Self {
            db,
            clock,
            key: Arc::new(OnceCell::new()),
            watched,
        }
    }

    /// Time as the evidence sees it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The installation's key for receipts; made on first use and then the same on every node.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key(&self) -> Result<&ReceiptKey, Error> {
        self.key
            .get_or_try_init(|| async {
                let mut transaction = self.db.write().await?;
                let text = store::receipt_key(&mut transaction, self.now()).await?;
                transaction.commit().await?;
                ReceiptKey::from_hex(&text)
                    .ok_or_else(|| Error::Internal("the stored receipt key is malformed".into()))
            })
            .await
    }
}
