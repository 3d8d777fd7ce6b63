//! The tables `prepared` and `timeline`: what the transcoder made.

use sqlx::{AnyConnection, FromRow};

use super::Lease;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::TimelineId;

/// A timeline as it is written down once.
#[derive(Clone, Debug)]
pub struct NewTimeline {
    /// Its id, also the folder of its objects.
    pub id: TimelineId,
    /// Length.
    pub duration_ms: i64,
    /// Bytes of all objects.
    pub total_bytes: i64,
}

/// Where the objects of a timeline live, without a slash at the end.
#[must_use]
pub fn prefix(timeline: TimelineId) -> String {
    format!("media/{timeline}")
}

/// Writes down which objects an attempt is about to store.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    connection: &mut AnyConnection,
    lease: &Lease,
    id: TimelineId,
    files: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into prepared (id, job_id, attempt, files, created_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(lease.job)
    .bind(lease.attempt)
    .bind(files.join("\n"))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes prepared files a timeline. In the transaction that marks the job done.
///
/// # Errors
/// When the database fails.
pub async fn adopt(
    connection: &mut AnyConnection,
    lease: &Lease,
    timeline: &NewTimeline,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into timeline (id, job_id, lesson_id, duration_ms, object_prefix, total_bytes, \
         created_at) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(timeline.id)
    .bind(lease.job)
    .bind(lease.lesson)
    .bind(timeline.duration_ms)
    .bind(prefix(timeline.id))
    .bind(timeline.total_bytes)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query("update prepared set adopted_at = $1 where id = $2")
        .bind(now)
        .bind(timeline.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Prepared files that no timeline shows and no attempt works on any more.
#[derive(Debug, FromRow)]
pub struct Orphan {
    /// The id below `media/`.
    pub id: TimelineId,
    /// Names of the files, one a line.
    pub files: String,
}

/// A few of the [`Orphan`]s that were begun before `begun_before`: a worker that lost its lease
/// without noticing yet must have stopped storing.
///
/// # Errors
/// When the database fails.
pub async fn orphans(
    connection: &mut AnyConnection,
    begun_before: Timestamp,
) -> Result<Vec<Orphan>, Error> {
    Ok(sqlx::query_as(
        "select prepared.id, prepared.files from prepared join job on job.id = prepared.job_id \
         where prepared.adopted_at is null and prepared.created_at < $1 \
         and (job.status <> 'running' or job.attempts <> prepared.attempt) \
         order by prepared.id limit 16",
    )
    .bind(begun_before)
    .fetch_all(connection)
    .await?)
}

/// Forgets prepared files, after their objects are gone.
///
/// # Errors
/// When the database fails.
pub async fn forget(connection: &mut AnyConnection, id: TimelineId) -> Result<(), Error> {
    sqlx::query("delete from prepared where id = $1 and adopted_at is null")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
