//! The workers of this node, and the sweeper that removes what nobody needs any more.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::adopt::{self, Adopted, Stored};
use super::early::{self, growth::Growth};
use super::node::Node;
use super::{
    Finished, LEASE, Lease, PROGRESS_EVERY, RENEW_EVERY, Setback, Status, Step, figures, shares,
    store, transcoder,
};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::UploadId;
use crate::objects::{Key, Objects};
use crate::uploads;

/// An idle worker looks for a job this often; other nodes enqueue without telling this one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a fault of the database or the disk a worker waits this long.
const FAULT_PAUSE: Duration = Duration::from_secs(5);

/// All that the workers need; cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Database.
    pub db: Db,
    /// Objects.
    pub objects: Objects,
    /// Time.
    pub clock: Clock,
    /// The transcoder's program.
    pub transcoder: PathBuf,
    /// Whether lessons get AV1 beside H.264, where it is worth it.
    pub av1: bool,
    /// Told of timelines that were watched before they were finished.
    pub finished: Arc<dyn Finished>,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The lesson shows the result.
    Done,
    /// A setback was written down; the job stands here now.
    SetBack(Status),
    /// Somebody else has the job, or it was replaced.
    LeaseLost,
    /// Given back, because this node stops.
    Released,
}

/// Starts the workers and the sweeper; they end when `context.stop` is cancelled.
///
/// # Errors
/// When the data folder or the database cannot be used.
pub async fn start(
    context: Context,
    data: &Path,
    workers: u16,
    tasks: &TaskTracker,
) -> Result<(), Error> {
    let node = Arc::new(Node::open(data).await?);
    if node.is_alone() {
        let mut transaction = context.db.write().await?;
        let now = context.clock.now();
        let ended = store::end_leases_of_node(&mut transaction, node.name(), now).await?;
        transaction.commit().await?;
        if ended > 0 {
            tracing::info!(ended, "took over jobs of an earlier life of this node");
        }
        forget_ended(&context, node.work()).await?;
    }
    for number in 0..workers {
        tasks.spawn(work(context.clone(), Arc::clone(&node), number));
    }
    tasks.spawn(figures::run(context.clone()));
    tasks.spawn(uploads::sweep::run(context));
    Ok(())
}

async fn work(context: Context, node: Arc<Node>, number: u16) {
    let owner = node.owner(number);
    while !context.stop.is_cancelled() {
        let pause = match one_or_help(&context, &owner, node.work()).await {
            Ok(true) => continue,
            Ok(false) => LOOK_EVERY,
            Err(error) => {
                tracing::error!(%error, "a worker could not do its work");
                FAULT_PAUSE
            }
        };
        tokio::select! {
            () = context.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Takes one job, or else helps another node; false when there is nothing to do.
async fn one_or_help(context: &Context, owner: &str, work: &Path) -> Result<bool, Error> {
    if one(context, owner, work).await?.is_some() {
        return Ok(true);
    }
    shares::help::one(context, owner, work).await
}

/// Takes one job, if there is one, and works on it until it ends one way or another.
///
/// # Errors
/// When the database or the work folder fails.
pub async fn one(context: &Context, owner: &str, work: &Path) -> Result<Option<Ended>, Error> {
    let now = context.clock.now();
    let mut connection = context.db.read().await?;
    if store::next(&mut connection, now).await?.is_none() {
        return Ok(None);
    }
    drop(connection);
    let mut transaction = context.db.write().await?;
    let lease = store::claim(&mut transaction, owner, now).await?;
    transaction.commit().await?;
    let Some(lease) = lease else { return Ok(None) };
    let folder = work.join(lease.job.to_string());
    let ended = hold(context, &lease, &folder).await;
    // Segments that are finished serve the next attempt; after a fault they may be the reason for it.
    let goes_on = matches!(ended, Ok(Ended::Released));
    if !goes_on && let Err(error) = remove_folder(&folder).await {
        tracing::warn!(%error, "a work folder is left until the next start");
    }
    let ended = ended?;
    figures::ended(&ended);
    tracing::info!(job = %lease.job, attempt = lease.attempt, ?ended, "an attempt ended");
    // After a fault, what others made may be the reason for it.
    if matches!(ended, Ended::Done | Ended::SetBack(_))
        && let Err(error) = shares::end(context, lease.job).await
    {
        tracing::warn!(%error, "what others made is left until the next sweep");
    }
    if matches!(ended, Ended::Done | Ended::SetBack(Status::Refused)) {
        uploads::sweep::remove_parts(&context.db, &context.objects, lease.upload).await?;
    }
    Ok(Some(ended))
}

/// Works while the lease holds, and writes down how it ended.
async fn hold(context: &Context, lease: &Lease, folder: &Path) -> Result<Ended, Error> {
    let (report, steps) = watch::channel(Step::default());
    let stored = tokio::select! {
        stored = attempt(context, lease, folder, &report) => stored,
        () = keep(context, lease, steps) => return Ok(Ended::LeaseLost),
        () = context.stop.cancelled() => {
            let mut transaction = context.db.write().await?;
            store::release(&mut transaction, lease).await?;
            transaction.commit().await?;
            return Ok(Ended::Released);
        }
    };
    // No longer beside the lease's renewal: to that, a job which has just been done looks like one that was lost.
    let adopted = match stored {
        Ok(stored) => stored.show(context, lease).await,
        Err(setback) => Err(setback),
    };
    match adopted {
        Ok(Adopted::LeaseLost) => Ok(Ended::LeaseLost),
        Ok(Adopted::Shown(_)) => Ok(Ended::Done),
        Err(setback) => {
            match &setback {
                Setback::Refused { reason, .. } => {
                    tracing::info!(job = %lease.job, reason, "a file was refused");
                }
                Setback::Fault { sentence } => {
                    tracing::error!(job = %lease.job, attempt = lease.attempt, sentence, "an attempt failed");
                }
            }
            let mut transaction = context.db.write().await?;
            let now = context.clock.now();
            let status = store::set_back(&mut transaction, lease, &setback, now).await?;
            transaction.commit().await?;
            Ok(status.map_or(Ended::LeaseLost, Ended::SetBack))
        }
    }
}

/// Renews the lease and writes progress down; returns when the lease is lost.
async fn keep(context: &Context, lease: &Lease, mut steps: watch::Receiver<Step>) {
    let mut tick = interval(PROGRESS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    loop {
        tick.tick().await;
        let news = steps.has_changed().unwrap_or(false);
        if !news && renewed.elapsed() < RENEW_EVERY {
            continue;
        }
        let step = steps.borrow_and_update().clone();
        match renew(context, lease, &step).await {
            Ok(true) => renewed = Instant::now(),
            Ok(false) => return,
            // The database may be back before the lease ends.
            Err(error) => {
                tracing::warn!(%error, job = %lease.job, "a lease was not renewed");
                if renewed.elapsed() >= LEASE {
                    return;
                }
            }
        }
    }
}

async fn renew(context: &Context, lease: &Lease, step: &Step) -> Result<bool, Error> {
    let mut transaction = context.db.write().await?;
    let held = store::renew(&mut transaction, lease, step, context.clock.now()).await?;
    transaction.commit().await?;
    Ok(held)
}

/// The work itself: parts to a file, the transcoder, its output to objects.
async fn attempt(
    context: &Context,
    lease: &Lease,
    folder: &Path,
    report: &watch::Sender<Step>,
) -> Result<Stored, Setback> {
    let fault = |error: &dyn std::fmt::Display| Setback::Fault {
        sentence: error.to_string(),
    };
    let (input, output) = (folder.join("input"), folder.join("output"));
    tokio::fs::create_dir_all(&output)
        .await
        .map_err(|error| fault(&error))?;
    assemble(context, lease.upload, &input)
        .await
        .map_err(|error| fault(&error))?;
    let given = shares::lead::give(context, lease, folder)
        .await
        .map_err(|error| fault(&error))?;
    // A panic in here must count as a fault of this job, not end the worker.
    let tool = transcoder::Tool {
        program: &context.transcoder,
        av1: context.av1,
        within: transcoder::LONGEST_RUN,
        given: Some(&given),
        stretch: None,
    };
    let (growth, grown) = watch::channel(Growth::default());
    let prepared = transcoder::prepare(tool, &input, &output, report, &growth);
    let prepared = shares::lead::beside(context, lease, folder, report.subscribe(), prepared);
    let prepared = std::panic::AssertUnwindSafe(prepared).catch_unwind();
    let never: Result<(), Infallible> = tokio::select! {
        prepared = prepared => Ok(prepared.map_err(|_| fault(&"a panic"))??),
        never = early::publish(context, lease, &output, grown) => Err(never),
    };
    let Ok(()) = never;
    adopt::store(context, lease, &output, report).await
}

/// Writes an upload's parts to one file.
///
/// # Errors
/// When a store or the disk fails, or a part is not as it was.
pub(super) async fn assemble(
    context: &Context,
    upload: UploadId,
    input: &Path,
) -> Result<(), Error> {
    let mut connection = context.db.read().await?;
    let parts = uploads::store::stored_parts(&mut connection, upload).await?;
    drop(connection);
    let mut file = tokio::fs::File::create(input).await?;
    for part in parts {
        let bytes = context.objects.get(&Key::new(part.object_key)?).await?;
        if i64::try_from(bytes.len()) != Ok(part.length_bytes) {
            return Err(Error::Internal("a part is not as long as it was".into()));
        }
        file.write_all(&bytes).await?;
    }
    file.flush().await?;
    Ok(())
}

/// Removes the folders of jobs that nobody goes on with.
async fn forget_ended(context: &Context, work: &Path) -> Result<(), Error> {
    let mut entries = tokio::fs::read_dir(work).await?;
    while let Some(entry) = entries.next_entry().await? {
        if !entry.file_type().await?.is_dir() {
            continue;
        }
        let job = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let goes_on = match job {
            Some(job) => {
                let mut connection = context.db.read().await?;
                store::goes_on(&mut connection, job).await?
            }
            None => false,
        };
        if !goes_on {
            remove_folder(&entry.path()).await?;
        }
    }
    Ok(())
}

async fn remove_folder(folder: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
