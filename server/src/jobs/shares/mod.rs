//! Several nodes at one recording: the node that holds the job goes from the front, idle nodes make
//! stretches from the back, and the first takes what they finished instead of making it.
//!
//! Nothing waits for a helper: one that dies costs what it had not handed over, and a node that is alone does
//! what it would do anyway.

mod folder;
pub mod help;
pub mod lead;
mod parcels;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::worker::Context;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{JobId, UploadId};

crate::ids! {
    /// Segments that a helper handed over together.
    ParcelId;
}

/// How often finished segments are handed over and taken.
const HAND_OVER_EVERY: Duration = Duration::from_secs(2);
/// A shorter recording is prepared before help would pay, milliseconds.
const SHORTEST_MS: i64 = 5 * 60_000;
/// Shares of one recording at most: for each, a helper reads from the beginning.
const MOST_SHARES: i64 = 12;
/// Shortest share, milliseconds.
const SHORTEST_SHARE_MS: i64 = 60_000;
/// A share that failed so often is left to the job's own worker.
const MOST_ATTEMPTS: i64 = 2;

/// Proof that this worker took a share; owner and attempt fence off all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShareLease {
    job: JobId,
    upload: UploadId,
    number: i64,
    stretch: Stretch,
    owner: String,
    attempt: i64,
}

/// Segments that begin within these times, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first moment.
    pub from_ms: i64,
    /// The first moment behind it; absent: to the end, wherever that is.
    pub until_ms: Option<i64>,
}

/// Cuts a recording of about this length into stretches that others may make. The first one is left out: the
/// job's own worker begins there.
fn stretches(announced_ms: i64) -> Vec<Stretch> {
    if announced_ms < SHORTEST_MS {
        return Vec::new();
    }
    let length = (announced_ms / MOST_SHARES).max(SHORTEST_SHARE_MS);
    let count = announced_ms / length;
    (1..count)
        .map(|number| Stretch {
            from_ms: number * length,
            until_ms: (number + 1 < count).then_some((number + 1) * length),
        })
        .collect()
}

/// The part of a worker's name that names its node, see [`super::node::Node::owner`].
fn node_of(owner: &str) -> &str {
    owner.get(..36).unwrap_or(owner)
}

/// Ends all help for a job that ended or begins anew, and removes what was handed over.
///
/// # Errors
/// When a store fails; what is left is swept once the job has ended.
pub async fn end(context: &Context, job: JobId) -> Result<(), Error> {
    let mut transaction = context.db.write().await?;
    store::close(&mut transaction, job).await?;
    transaction.commit().await?;
    let mut connection = context.db.read().await?;
    let handed_over = store::stored_parcels(&mut connection, job).await?;
    drop(connection);
    for parcel in handed_over {
        parcels::remove(context, job, parcel).await?;
    }
    Ok(())
}

/// Removes what jobs left that ended without [`end`], and parcels begun before `begun_before` that were never
/// finished.
///
/// # Errors
/// When a store fails; the next sweep tries again.
pub async fn sweep(context: &Context, begun_before: Timestamp) -> Result<(), Error> {
    let mut connection = context.db.read().await?;
    let ended = store::ended(&mut connection).await?;
    let unfinished = store::unfinished_parcels(&mut connection, begun_before).await?;
    drop(connection);
    for job in ended {
        end(context, job).await?;
    }
    for (job, parcel) in unfinished {
        parcels::remove(context, job, parcel).await?;
    }
    Ok(())
}

#[cfg(test)]
mod rules {
    use super::*;

    #[test]
    fn stretches_leave_the_front_and_reach_the_end_without_gaps() {
        assert_eq!(stretches(SHORTEST_MS - 1), []);
        assert_eq!(stretches(0), []);
        for announced_ms in [SHORTEST_MS, 1_234_567, 7_200_000, 4 * 3_600_000] {
            let all = stretches(announced_ms);
            assert!(all.len() >= 2 && (all.len() as i64) < MOST_SHARES);
            assert!(all[0].from_ms >= SHORTEST_SHARE_MS);
            let joined = all.windows(2);
            assert!(
                joined
                    .into_iter()
                    .all(|pair| pair[0].until_ms == Some(pair[1].from_ms))
            );
            assert_eq!(all.last().unwrap().until_ms, None);
        }
    }
}
