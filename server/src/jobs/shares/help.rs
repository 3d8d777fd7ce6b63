//! Makes shares of jobs that other nodes hold, while this node has nothing else to do.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::parcels::{NotHandedOver, Outbox, blocking};
use super::store::Outcome;
use super::{HAND_OVER_EVERY, ShareLease, folder, store};
use crate::error::Error;
use crate::id::JobId;
use crate::jobs::early::growth::Growth;
use crate::jobs::worker::{self, Context};
use crate::jobs::{LEASE, RENEW_EVERY, Setback, Step, transcoder};

/// Why a share was not made.
#[derive(Debug, thiserror::Error)]
enum NotMade {
    #[error(transparent)]
    NotHandedOver(#[from] NotHandedOver),
    #[error(transparent)]
    Store(#[from] Error),
    /// The transcoder did not succeed.
    #[error("{0}")]
    Run(String),
}

impl From<Setback> for NotMade {
    fn from(setback: Setback) -> Self {
        let (Setback::Refused { sentence, .. } | Setback::Fault { sentence }) = setback;
        Self::Run(sentence)
    }
}

/// Makes shares as long as there are any and no job waits; false when there was none.
///
/// # Errors
/// When a store or the work folder fails, or a share could not be made; the job does not depend on it.
pub async fn one(context: &Context, owner: &str, work: &Path) -> Result<bool, Error> {
    let worker = owner.rsplit('/').next().unwrap_or(owner);
    let folder = work.join(format!("help-{worker}"));
    let mut input_of = None;
    let ended = shares(context, owner, &folder, &mut input_of).await;
    if input_of.is_some() {
        remove_folder(&folder).await?;
    }
    ended.map(|()| input_of.is_some())
}

/// `input_of`: the job whose input lies in the folder.
async fn shares(
    context: &Context,
    owner: &str,
    folder: &Path,
    input_of: &mut Option<JobId>,
) -> Result<(), Error> {
    while let Some(share) = claim(context, owner).await? {
        if *input_of != Some(share.job) {
            remove_folder(folder).await?;
            *input_of = Some(share.job);
        }
        let (job, number) = (share.job, share.number);
        let outcome = hold(context, &share, folder).await;
        let written = match &outcome {
            Ok(outcome) => *outcome,
            Err(_) => Outcome::Failed,
        };
        let mut transaction = context.db.write().await?;
        store::give_up(&mut transaction, &share, written, context.clock.now()).await?;
        transaction.commit().await?;
        match outcome {
            Ok(Outcome::Made) => tracing::info!(%job, number, "made a share for another node"),
            Ok(_) => return Ok(()),
            Err(NotMade::Store(error)) => return Err(error),
            Err(error) => {
                return Err(Error::Internal(format!("share {number} of {job}: {error}")));
            }
        }
    }
    Ok(())
}

/// Takes a share, unless a job waits.
async fn claim(context: &Context, owner: &str) -> Result<Option<ShareLease>, Error> {
    let now = context.clock.now();
    let mut connection = context.db.read().await?;
    let job_waits = crate::jobs::store::next(&mut connection, now).await?;
    if job_waits.is_some() || !store::is_any(&mut connection, owner, now).await? {
        return Ok(None);
    }
    drop(connection);
    let mut transaction = context.db.write().await?;
    let share = store::claim(&mut transaction, owner, now).await?;
    transaction.commit().await?;
    Ok(share)
}

/// Works while the lease holds and nothing goes before it.
async fn hold(context: &Context, share: &ShareLease, folder: &Path) -> Result<Outcome, NotMade> {
    // A panic in here must count as a fault of this share, not end the worker.
    let made = std::panic::AssertUnwindSafe(make(context, share, folder)).catch_unwind();
    tokio::select! {
        made = made => match made {
            Ok(Ok(())) => Ok(Outcome::Made),
            Ok(Err(NotMade::NotHandedOver(NotHandedOver::LeaseLost))) => Ok(Outcome::LaidDown),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(NotMade::Run("a panic".into())),
        },
        () = keep(context, share) => Ok(Outcome::LaidDown),
        () = context.stop.cancelled() => Ok(Outcome::LaidDown),
    }
}

/// Renews the lease; returns when it is lost or a job waits for a worker.
async fn keep(context: &Context, share: &ShareLease) {
    let mut tick = interval(crate::jobs::PROGRESS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    loop {
        tick.tick().await;
        let due = renewed.elapsed() >= RENEW_EVERY;
        match goes_on(context, share, due).await {
            Ok(true) if due => renewed = Instant::now(),
            Ok(true) => {}
            Ok(false) => return,
            // The database may be back before the lease ends.
            Err(error) => {
                tracing::warn!(%error, job = %share.job, "the lease of a share was not renewed");
                if renewed.elapsed() >= LEASE {
                    return;
                }
            }
        }
    }
}

async fn goes_on(context: &Context, share: &ShareLease, renew: bool) -> Result<bool, Error> {
    let now = context.clock.now();
    let mut connection = context.db.read().await?;
    let job_waits = crate::jobs::store::next(&mut connection, now).await?;
    drop(connection);
    if job_waits.is_some() || !renew {
        return Ok(job_waits.is_none());
    }
    let mut transaction = context.db.write().await?;
    let held = store::renew(&mut transaction, share, now).await?;
    transaction.commit().await?;
    Ok(held)
}

/// The work itself: parts to a file, the transcoder, finished segments to the node that holds the job.
async fn make(context: &Context, share: &ShareLease, folder: &Path) -> Result<(), NotMade> {
    let (input, output, given) = (
        folder.join("input"),
        folder.join("output"),
        folder.join("given"),
    );
    remove_folder(&output).await.map_err(Error::from)?;
    tokio::fs::create_dir_all(&output)
        .await
        .map_err(Error::from)?;
    give_plan(context, share, given.clone()).await?;
    assemble(context, share, &input).await?;
    let tool = transcoder::Tool {
        program: &context.transcoder,
        av1: context.av1,
        within: transcoder::LONGEST_RUN,
        given: Some(&given),
        stretch: Some(share.stretch),
    };
    // The job's own run tells of what is taken.
    let (report, _) = watch::channel(Step::default());
    let (growth, _) = watch::channel(Growth::default());
    let mut outbox = Outbox::of(output.clone());
    tokio::select! {
        run = transcoder::prepare(tool, &input, &output, &report, &growth) => run?,
        error = hand_over(context, share, &mut outbox) => return Err(error.into()),
    }
    Ok(outbox.empty(context, share).await?)
}

async fn give_plan(context: &Context, share: &ShareLease, given: PathBuf) -> Result<(), NotMade> {
    let mut connection = context.db.read().await.map_err(Error::from)?;
    let plan = store::plan(&mut connection, share.job).await?;
    drop(connection);
    blocking(move || folder::give_plan(&given, plan.as_deref())).await?;
    Ok(())
}

/// The input serves all shares of its job.
async fn assemble(context: &Context, share: &ShareLease, input: &Path) -> Result<(), Error> {
    if tokio::fs::try_exists(input).await? {
        return Ok(());
    }
    let unfinished = input.with_extension("part");
    worker::assemble(context, share.upload, &unfinished).await?;
    tokio::fs::rename(unfinished, input).await?;
    Ok(())
}

/// Hands over what is finished, again and again; returns when that has no sense any more.
async fn hand_over(context: &Context, share: &ShareLease, outbox: &mut Outbox) -> NotHandedOver {
    let mut tick = interval(HAND_OVER_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match outbox.empty(context, share).await {
            Ok(()) => {}
            Err(NotHandedOver::Store(error)) => {
                tracing::warn!(%error, job = %share.job, "segments could not be handed over yet");
            }
            Err(error) => return error,
        }
    }
}

async fn remove_folder(folder: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
