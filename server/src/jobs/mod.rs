//! Work that outlives a request: a table with leases, and the workers that take from it.
//!
//! A job is never lost and never done twice to visible effect: a worker holds a lease that it
//! renews, and every change it makes is conditional on still holding it.

pub mod adopt;
pub mod early;
pub mod figures;
pub mod node;
pub mod prepared;
pub mod shares;
pub mod store;
#[cfg(test)]
mod tests;
pub mod transcoder;
pub mod worker;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use sqlx::AnyConnection;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{JobId, LessonId, UploadId};

/// A lease ends this long after it was taken or renewed.
pub const LEASE: Duration = Duration::from_secs(20);
/// A lease is renewed this often while work goes on.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Progress is written down at most this often.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Faults (not refusals) after which a job is given up.
pub const MOST_ATTEMPTS: i64 = 3;
/// Wait before the second and the third attempt.
const BACKOFF: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];
/// Priority of a lesson that a teacher waits for; lower goes first.
pub const PRIORITY_LESSON: i64 = 100;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for a worker.
    Queued,
    /// A worker holds a lease on it.
    Running,
    /// The lesson shows the result.
    Done,
    /// The file is bad; trying again does not help.
    Refused,
    /// Given up after several faults of the system.
    Failed,
    /// A later file for the same lesson made it useless.
    Replaced,
}

impl Status {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Refused,
        Self::Failed,
        Self::Replaced,
    ];

    /// The word in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Replaced => "replaced",
        }
    }

    /// Reads [`Status::word`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// Proof that this worker took the job; the pair of owner and attempt fences off all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Its file.
    pub upload: UploadId,
    /// Its lesson.
    pub lesson: LessonId,
    /// Who holds the lease.
    pub owner: String,
    /// How often the job was taken, this time included.
    pub attempt: i64,
}

/// How far the work is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Thousandths of the whole, 0 to 1000.
    pub permille: i64,
    /// The transcoder's word for what it does, or `store` while the result is stored.
    pub stage: Option<&'static str>,
    /// Estimate of the time that is left.
    pub left_ms: Option<i64>,
}

/// What became of an attempt that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setback {
    /// The file is bad.
    Refused {
        /// Machine-readable reason, a word of the manifest's `BadInput`.
        reason: &'static str,
        /// The transcoder's sentence, for the operator.
        sentence: String,
    },
    /// The system is bad; the job is tried again until [`MOST_ATTEMPTS`].
    Fault {
        /// For the operator.
        sentence: String,
    },
}

/// The future of [`Finished::finished`].
pub type FinishedFuture<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Who wants to know that a timeline is finished which was shown before. Called inside the transaction that
/// finishes it, so that both are kept or neither.
pub trait Finished: std::fmt::Debug + Send + Sync {
    /// What was watched of `lesson` counts towards a whole now.
    fn finished<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        lesson: LessonId,
        now: Timestamp,
    ) -> FinishedFuture<'a>;
}

/// How long to wait after the fault of this attempt (counted from 1); `None`: give up.
#[must_use]
pub fn backoff(attempt: i64) -> Option<Duration> {
    if attempt >= MOST_ATTEMPTS {
        return None;
    }
    let index = usize::try_from(attempt - 1).unwrap_or(0);
    BACKOFF.get(index).or(BACKOFF.last()).copied()
}

/// What the editor's page shows about a lesson's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// The job.
    pub id: JobId,
    /// Where it stands.
    pub status: Status,
    /// How far it is.
    pub permille: i64,
    /// See [`Step::stage`].
    pub stage: Option<String>,
    /// See [`Step::left_ms`].
    pub left_ms: Option<i64>,
    /// Reason of a refusal.
    pub reason: Option<String>,
    /// How often it was taken.
    pub attempts: i64,
    /// Name of the file, as the teacher knows it.
    pub file_name: String,
    /// When it came in.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod rules {
    use super::*;

    #[test]
    fn a_fault_is_tried_again_later_each_time_and_then_given_up() {
        assert!(backoff(1).unwrap() < backoff(2).unwrap());
        assert_eq!(backoff(3), None);
    }
}
