//! Hands finished segments over to the node that holds the job, and takes them there.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use millet_manifest::Record;

use super::folder::{self, Finished};
use super::{ParcelId, ShareLease, store};
use crate::error::Error;
use crate::id::JobId;
use crate::jobs::worker::Context;
use crate::objects::{Key, ObjectsError};

/// Objects stored or removed at the same time.
const AT_ONCE: usize = 4;

/// Why finished segments were not handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHandedOver {
    /// Somebody else has the share, or the job has ended.
    #[error("the lease of a share is lost")]
    LeaseLost,
    /// The transcoder wrote what it never writes.
    #[error("the output of a share: {0}")]
    Output(io::Error),
    /// The database or the objects; later it may work.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What a helper finished and did not hand over yet.
#[derive(Debug)]
pub(super) struct Outbox {
    output: PathBuf,
    handed_over: HashSet<String>,
}

impl Outbox {
    /// Of this output folder.
    pub(super) fn of(output: PathBuf) -> Self {
        Self {
            output,
            handed_over: HashSet::new(),
        }
    }

    /// Hands over all that is finished by now.
    pub(super) async fn empty(
        &mut self,
        context: &Context,
        lease: &ShareLease,
    ) -> Result<(), NotHandedOver> {
        loop {
            let (output, known) = (self.output.clone(), std::mem::take(&mut self.handed_over));
            let (known, found) = blocking(move || {
                let found = folder::finished(&output, &known);
                Ok((known, found))
            })
            .await?;
            self.handed_over = known;
            let found = found.map_err(NotHandedOver::Output)?;
            if found.is_empty() {
                return Ok(());
            }
            let names = found.iter().filter_map(|finished| {
                let (rendition, start_ms) = finished.record.place()?;
                Some(Record::file(rendition, start_ms))
            });
            let names: Vec<String> = names.collect();
            send(context, lease, found).await?;
            self.handed_over.extend(names);
        }
    }
}

async fn send(
    context: &Context,
    lease: &ShareLease,
    finished: Vec<Finished>,
) -> Result<(), NotHandedOver> {
    let id = ParcelId::new();
    let lines: Result<Vec<String>, _> = finished
        .iter()
        .map(|finished| serde_json::to_string(&finished.record))
        .collect();
    let records = lines.map_err(internal)?.join("\n");
    let mut transaction = context.db.write().await.map_err(Error::from)?;
    let now = context.clock.now();
    if !store::begin_parcel(&mut transaction, lease, id, &records, now).await? {
        return Err(NotHandedOver::LeaseLost);
    }
    transaction.commit().await.map_err(Error::from)?;
    let mut stored = stream::iter(finished)
        .map(|Finished { record, media }| {
            let (objects, key) = (context.objects.clone(), key(lease.job, id, &record));
            async move { Ok::<_, Error>(objects.put(&key?, media).await?) }
        })
        .buffer_unordered(AT_ONCE);
    while stored.try_next().await?.is_some() {}
    let mut transaction = context.db.write().await.map_err(Error::from)?;
    let held = store::hand_over(&mut transaction, lease, id, context.clock.now()).await?;
    transaction.commit().await.map_err(Error::from)?;
    if held {
        return Ok(());
    }
    remove(context, lease.job, id).await?;
    Err(NotHandedOver::LeaseLost)
}

/// What others handed over, as far as it was fetched.
#[derive(Debug)]
pub(super) struct Inbox {
    given: PathBuf,
    fetched: HashSet<ParcelId>,
}

impl Inbox {
    /// Into this folder.
    pub(super) fn into(given: PathBuf) -> Self {
        Self {
            given,
            fetched: HashSet::new(),
        }
    }

    /// Fetches all that was handed over since; what cannot be used is left out and said in the log.
    pub(super) async fn fetch(&mut self, context: &Context, job: JobId) -> Result<(), Error> {
        let mut connection = context.db.read().await?;
        let parcels = store::stored_parcels(&mut connection, job).await?;
        drop(connection);
        for parcel in parcels {
            if self.fetched.contains(&parcel) {
                continue;
            }
            let mut connection = context.db.read().await?;
            let records = store::records(&mut connection, parcel).await?;
            drop(connection);
            for record in read(&records.unwrap_or_default()) {
                self.take(context, job, parcel, record).await?;
            }
            self.fetched.insert(parcel);
        }
        Ok(())
    }

    async fn take(
        &self,
        context: &Context,
        job: JobId,
        parcel: ParcelId,
        record: Record,
    ) -> Result<(), Error> {
        if let Some((rendition, start_ms)) = record.place()
            && folder::is_given(&self.given, rendition, start_ms)
        {
            return Ok(());
        }
        let media = match context.objects.get(&key(job, parcel, &record)?).await {
            Ok(media) => media,
            Err(ObjectsError::NotFound) => {
                tracing::warn!(%job, %parcel, "a segment that was handed over is gone");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let given = self.given.clone();
        blocking(move || folder::give(&given, &record, &media)).await
    }
}

/// The records of a parcel; a line that is none, or is not in order, is left out.
fn read(records: &str) -> impl Iterator<Item = Record> + '_ {
    records.lines().filter_map(|line| {
        let record: Record = serde_json::from_str(line).ok()?;
        let (rendition, start_ms) = record.place()?;
        let checked = record.check(rendition, start_ms);
        if let Err(error) = &checked {
            tracing::warn!(%error, "a record that was handed over is not used");
        }
        checked.is_ok().then_some(record)
    })
}

/// Removes the objects of a parcel and forgets it.
pub(super) async fn remove(context: &Context, job: JobId, parcel: ParcelId) -> Result<(), Error> {
    let mut connection = context.db.read().await?;
    let records = store::records(&mut connection, parcel).await?;
    drop(connection);
    for record in read(&records.unwrap_or_default()) {
        let key = key(job, parcel, &record)?;
        context.objects.delete(&key).await?;
    }
    let mut transaction = context.db.write().await?;
    store::forget_parcel(&mut transaction, parcel).await?;
    transaction.commit().await?;
    Ok(())
}

fn key(job: JobId, parcel: ParcelId, record: &Record) -> Result<Key, Error> {
    Ok(Key::new(format!(
        "work/{job}/{parcel}/{}",
        record.segment.file
    ))?)
}

/// Runs what blocks on the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    Ok(tokio::task::spawn_blocking(work)
        .await
        .map_err(internal)??)
}

fn internal(error: impl ToString) -> Error {
    Error::Internal(error.to_string())
}
