//! The tables `prepared` and `timeline`: what the transcoder made.

use sqlx::{AnyConnection, FromRow};

use super::Lease;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{JobId, TimelineId};

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

/// Writes down which objects an attempt is about to store; of a timeline that is shown early, beside those
/// that are.
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
        "insert into prepared (id, job_id, attempt, files, created_at) values ($1, $2, $3, $4, $5) \
         on conflict (id) do update set files = excluded.files, attempt = excluded.attempt",
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

/// Writes down which more objects an attempt is about to store.
///
/// # Errors
/// When the database fails.
pub async fn go_on(
    connection: &mut AnyConnection,
    lease: &Lease,
    id: TimelineId,
    files: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    let added = sqlx::query(
        "update prepared set files = files || $1 || $2, attempt = $3 where id = $4 and job_id = $5",
    )
    .bind("\n")
    .bind(files.join("\n"))
    .bind(lease.attempt)
    .bind(id)
    .bind(lease.job)
    .execute(&mut *connection)
    .await?;
    if added.rows_affected() == 0 {
        begin(connection, lease, id, files, now).await?;
    }
    Ok(())
}

/// The timeline that a job lets its lesson show before it is done.
///
/// # Errors
/// When the database fails.
pub async fn unfinished(
    connection: &mut AnyConnection,
    job: JobId,
) -> Result<Option<TimelineId>, Error> {
    let found: Option<(TimelineId,)> = sqlx::query_as(
        "select id from timeline where job_id = $1 and unfinished_since is not null",
    )
    .bind(job)
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(id,)| id))
}

/// Makes what there is so far a timeline that is not finished.
///
/// # Errors
/// When the database fails.
pub async fn show_unfinished(
    connection: &mut AnyConnection,
    lease: &Lease,
    timeline: &NewTimeline,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into timeline (id, job_id, lesson_id, duration_ms, object_prefix, total_bytes, \
         created_at, unfinished_since) values ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(timeline.id)
    .bind(lease.job)
    .bind(lease.lesson)
    .bind(timeline.duration_ms)
    .bind(prefix(timeline.id))
    .bind(timeline.total_bytes)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets go of a timeline that the job's result does not go on with.
///
/// # Errors
/// When the database fails.
pub async fn let_go(connection: &mut AnyConnection, id: TimelineId) -> Result<(), Error> {
    sqlx::query("update timeline set job_id = null where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets go of all unfinished timelines whose jobs ended without a result; which these are.
///
/// # Errors
/// When the database fails.
pub async fn let_go_of_ended(connection: &mut AnyConnection) -> Result<Vec<TimelineId>, Error> {
    let ended: Vec<(TimelineId,)> = sqlx::query_as(
        "update timeline set job_id = null where unfinished_since is not null and job_id in \
         (select id from job where status in ('refused', 'failed', 'replaced')) returning id",
    )
    .fetch_all(connection)
    .await?;
    Ok(ended.into_iter().map(|(id,)| id).collect())
}

/// Makes prepared files a timeline, or finishes the one that was shown early. In the transaction that marks the job done.
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
         created_at) values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do update set \
         duration_ms = excluded.duration_ms, total_bytes = excluded.total_bytes, \
         unfinished_since = null",
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
         and not exists (select 1 from timeline where timeline.id = prepared.id \
         and timeline.job_id is not null) \
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
