//! What the node that holds a job does for those that help: says what is to be made, ends the shares that it has
//! reached itself, takes what was handed over.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use millet_manifest::{DECIDED_PERMILLE, ENCODED_PERMILLE};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::parcels::{Inbox, blocking};
use super::{HAND_OVER_EVERY, folder, store, stretches};
use crate::error::Error;
use crate::jobs::worker::Context;
use crate::jobs::{Lease, Step, transcoder};

/// Makes the folder, in that of the job, from which the transcoder takes what others made; with their plan, when
/// an earlier attempt shared the job.
///
/// # Errors
/// When the disk or the database fails.
pub async fn give(context: &Context, lease: &Lease, folder: &Path) -> Result<PathBuf, Error> {
    let mut connection = context.db.read().await?;
    let plan = store::plan(&mut connection, lease.job).await?;
    drop(connection);
    let given = given(folder);
    let place = given.clone();
    blocking(move || folder::give_plan(&place, plan.as_deref())).await?;
    Ok(given)
}

fn given(folder: &Path) -> PathBuf {
    folder.join("given")
}

/// Waits for `run`, the transcoder at the job in this folder, and lets others help meanwhile.
pub async fn beside<T>(
    context: &Context,
    lease: &Lease,
    folder: &Path,
    steps: watch::Receiver<Step>,
    run: impl Future<Output = T>,
) -> T {
    tokio::select! {
        done = run => done,
        never = share_out(context, lease, folder, steps) => match never {},
    }
}

/// Nothing in here stops the job: what fails is tried again, and without help it takes longer.
async fn share_out(
    context: &Context,
    lease: &Lease,
    folder: &Path,
    mut steps: watch::Receiver<Step>,
) -> Infallible {
    let decided = steps.wait_for(|step| step.stage == Some(transcoder::ENCODING));
    if decided.await.is_err() {
        return std::future::pending().await;
    }
    let mut lead = Lead {
        context,
        lease,
        output: folder.join("output"),
        inbox: Inbox::into(given(folder)),
        shared_ms: None,
    };
    let mut tick = interval(HAND_OVER_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let permille = steps.borrow().permille;
        match lead.turn(permille).await {
            Ok(true) => {}
            Ok(false) => return std::future::pending().await,
            Err(error) => tracing::warn!(%error, job = %lease.job, "a job could not be shared"),
        }
    }
}

struct Lead<'a> {
    context: &'a Context,
    lease: &'a Lease,
    output: PathBuf,
    inbox: Inbox,
    /// Length of the recording once it is shared, milliseconds.
    shared_ms: Option<i64>,
}

impl Lead<'_> {
    /// One look; false when there is nothing to share, or the lease is lost.
    async fn turn(&mut self, permille: i64) -> Result<bool, Error> {
        if self.shared_ms.is_none() {
            self.shared_ms = self.open().await?;
        }
        let Some(announced_ms) = self.shared_ms else {
            return Ok(false);
        };
        let reached_ms = reached_ms(announced_ms, permille);
        let mut transaction = self.context.db.write().await?;
        let now = self.context.clock.now();
        // Each time: what somebody took and laid down again may have been reached meanwhile.
        store::pass(&mut transaction, self.lease.job, reached_ms, now).await?;
        transaction.commit().await?;
        self.inbox.fetch(self.context, self.lease.job).await?;
        Ok(true)
    }

    /// Says what is to be made, if it is worth it; gives back how long the recording is, milliseconds.
    async fn open(&self) -> Result<Option<i64>, Error> {
        let output = self.output.clone();
        let (plan, head) = match blocking(move || folder::plan(&output)).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, job = %self.lease.job, "a plan cannot be shared");
                return Ok(None);
            }
        };
        let announced_ms = i64::try_from(head.announced_ms).unwrap_or(0);
        let stretches = stretches(&head);
        if !head.has_pictures || stretches.is_empty() {
            return Ok(None);
        }
        let mut transaction = self.context.db.write().await?;
        let now = self.context.clock.now();
        let opened = store::open(&mut transaction, self.lease, &plan, &stretches, now).await?;
        transaction.commit().await?;
        Ok(opened.then_some(announced_ms))
    }
}

/// About how far the front is when the whole job stands at `permille`.
fn reached_ms(announced_ms: i64, permille: i64) -> i64 {
    let (decided, encoded) = (i64::from(DECIDED_PERMILLE), i64::from(ENCODED_PERMILLE));
    let own = permille * 1000 / transcoder::SHARE;
    let done = (own - decided).clamp(0, encoded - decided);
    announced_ms.saturating_mul(done) / (encoded - decided)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_where_the_front_is() {
        let at = |permille| reached_ms(600_000, permille);
        assert_eq!(at(0), 0);
        assert_eq!(at(57), 0);
        assert!((at(484) - 300_000).abs() < 2_000);
        assert_eq!(at(912), 600_000);
        assert_eq!(at(1000), 600_000);
    }
}
