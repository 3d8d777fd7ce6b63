//! Several nodes at one recording: the node that holds the job goes from the front, idle nodes make stretches
//! further on, and the first takes what they finished instead of making it.
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

use millet_manifest::PlanHead;

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
/// Shares of one recording at most.
const MOST_SHARES: usize = 100;
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

/// The stretches from seam to seam, which others may make, in the order in which they had better. The first one is
/// left out: the job's own worker begins there. None when the seams are not in order, or too many.
fn stretches(plan: &PlanHead) -> Vec<Stretch> {
    let seams = plan.seams_ms.iter().map(|ms| i64::try_from(*ms));
    let seams: Vec<i64> = seams.collect::<Result<_, _>>().unwrap_or_default();
    let in_order = std::iter::once(&0).chain(&seams).is_sorted_by(|a, b| a < b);
    if !in_order || seams.len() > MOST_SHARES {
        return Vec::new();
    }
    let ends = seams.iter().skip(1).copied().map(Some);
    let ends = ends.chain(std::iter::once(None));
    let mut stretches: Vec<_> = std::iter::zip(&seams, ends)
        .map(|(from_ms, until_ms)| Stretch {
            from_ms: *from_ms,
            until_ms,
        })
        .collect();
    if !plan.leaves_undecoded {
        // Whoever has to decode all would come upon what the others are just making.
        stretches.reverse();
    }
    stretches
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

    fn found(seams_ms: &[u64]) -> Vec<(i64, Option<i64>)> {
        let plan = PlanHead {
            seams_ms: seams_ms.to_vec(),
            leaves_undecoded: true,
            ..PlanHead::default()
        };
        let all = stretches(&plan).into_iter();
        all.map(|stretch| (stretch.from_ms, stretch.until_ms))
            .collect()
    }

    #[test]
    fn stretches_leave_the_front_and_reach_the_end_without_gaps() {
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[60_000]), [(60_000, None)]);
        assert_eq!(
            found(&[60_000, 120_000, 200_000]),
            [
                (60_000, Some(120_000)),
                (120_000, Some(200_000)),
                (200_000, None)
            ]
        );
    }

    #[test]
    fn where_all_is_decoded_help_comes_from_the_back() {
        let plan = PlanHead {
            seams_ms: vec![60_000, 120_000, 200_000],
            ..PlanHead::default()
        };
        let starts: Vec<_> = stretches(&plan).iter().map(|each| each.from_ms).collect();
        assert_eq!(starts, [200_000, 120_000, 60_000]);
    }

    #[test]
    fn seams_that_cannot_be_are_not_shared() {
        let many: Vec<u64> = (1..=101).collect();
        assert_eq!(found(&many[..100]).len(), 100);
        for seams_ms in [&many[..], &[0, 5], &[7, 7], &[9, 8], &[u64::MAX]] {
            assert_eq!(found(seams_ms), []);
        }
    }
}
