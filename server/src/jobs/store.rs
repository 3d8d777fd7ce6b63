//! The table `job`.

use sqlx::{AnyConnection, FromRow};

use super::early;
use super::{
    JobView, LEASE, Lease, MOST_ATTEMPTS, PRIORITY_LESSON, Setback, Status, Step, backoff,
};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{JobId, LessonId, UploadId};

/// Enqueues the preparation of an upload for a lesson. Earlier open jobs of the lesson are replaced:
/// the teacher has chosen another file.
///
/// # Errors
/// When the database fails.
pub async fn enqueue_prepare(
    connection: &mut AnyConnection,
    upload: UploadId,
    lesson: LessonId,
    now: Timestamp,
) -> Result<JobId, Error> {
    sqlx::query(
        "update job set status = 'replaced', ended_at = $1, lease_owner = null, lease_until = null \
         where lesson_id = $2 and status in ('queued', 'running', 'failed')",
    )
    .bind(now)
    .bind(lesson)
    .execute(&mut *connection)
    .await?;
    early::withdraw_ended(&mut *connection).await?;
    let id = JobId::new();
    sqlx::query(
        "insert into job (id, kind, upload_id, lesson_id, status, priority, attempts, not_before, \
         permille, created_at) values ($1, 'prepare', $2, $3, 'queued', $4, 0, $5, 0, $5)",
    )
    .bind(id)
    .bind(upload)
    .bind(lesson)
    .bind(PRIORITY_LESSON)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(id)
}

#[derive(FromRow)]
struct Claimed {
    upload_id: UploadId,
    lesson_id: LessonId,
    attempts: i64,
}

/// Takes the next job that waits or whose lease has ended; `None` when there is none.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    connection: &mut AnyConnection,
    owner: &str,
    now: Timestamp,
) -> Result<Option<Lease>, Error> {
    // A worker that died with the job did not report a fault, but it counts as one.
    let given_up = sqlx::query(
        "update job set status = 'failed', ended_at = $1, lease_owner = null, lease_until = null, \
         sentence = 'the worker died each time' \
         where status = 'running' and lease_until <= $1 and attempts >= $2",
    )
    .bind(now)
    .bind(MOST_ATTEMPTS)
    .execute(&mut *connection)
    .await?;
    if given_up.rows_affected() > 0 {
        early::withdraw_ended(&mut *connection).await?;
    }
    while let Some(job) = next(&mut *connection, now).await? {
        let claimed: Option<Claimed> = sqlx::query_as(
            "update job set status = 'running', lease_owner = $1, lease_until = $2, \
             attempts = attempts + 1, permille = 0, stage = null, left_ms = null, \
             started_at = coalesce(started_at, $3) \
             where id = $4 and ((status = 'queued' and not_before <= $3) \
             or (status = 'running' and lease_until <= $3)) \
             returning upload_id, lesson_id, attempts",
        )
        .bind(owner)
        .bind(now.after(LEASE))
        .bind(now)
        .bind(job)
        .fetch_optional(&mut *connection)
        .await?;
        // None: another worker was quicker with this one; look for the next.
        if let Some(claimed) = claimed {
            return Ok(Some(Lease {
                job,
                upload: claimed.upload_id,
                lesson: claimed.lesson_id,
                owner: owner.to_owned(),
                attempt: claimed.attempts,
            }));
        }
    }
    Ok(None)
}

/// The job that [`claim`] would try next; a cheap look that takes no write lock.
///
/// # Errors
/// When the database fails.
pub async fn next(connection: &mut AnyConnection, now: Timestamp) -> Result<Option<JobId>, Error> {
    let next: Option<(JobId,)> = sqlx::query_as(
        "select id from job where (status = 'queued' and not_before <= $1) \
         or (status = 'running' and lease_until <= $1) \
         order by priority, created_at, id limit 1",
    )
    .bind(now)
    .fetch_optional(connection)
    .await?;
    Ok(next.map(|(job,)| job))
}

/// How many jobs wait and run.
///
/// # Errors
/// When the database fails.
pub async fn open(connection: &mut AnyConnection) -> Result<[(Status, i64); 2], Error> {
    let (queued, running): (i64, i64) = sqlx::query_as(
        "select cast(coalesce(sum(case when status = 'queued' then 1 else 0 end), 0) as bigint), \
         cast(coalesce(sum(case when status = 'running' then 1 else 0 end), 0) as bigint) \
         from job where status in ('queued', 'running')",
    )
    .fetch_one(connection)
    .await?;
    Ok([(Status::Queued, queued), (Status::Running, running)])
}

/// Renews the lease and writes down how far the work is; false when the lease is lost.
///
/// # Errors
/// When the database fails.
pub async fn renew(
    connection: &mut AnyConnection,
    lease: &Lease,
    step: &Step,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = sqlx::query(
        "update job set lease_until = $1, permille = $2, stage = $3, left_ms = $4 \
         where id = $5 and status = 'running' and lease_owner = $6 and attempts = $7",
    )
    .bind(now.after(LEASE))
    .bind(step.permille)
    .bind(step.stage)
    .bind(step.left_ms)
    .bind(lease.job)
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Whether the lease holds, for the rest of the transaction: the job's row is locked until then.
///
/// # Errors
/// When the database fails.
pub async fn is_held(connection: &mut AnyConnection, lease: &Lease) -> Result<bool, Error> {
    let held = sqlx::query(
        "update job set lease_owner = lease_owner \
         where id = $1 and status = 'running' and lease_owner = $2 and attempts = $3",
    )
    .bind(lease.job)
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(connection)
    .await?;
    Ok(held.rows_affected() == 1)
}

/// Marks the job done; false when the lease is lost, and then nothing else may be written.
///
/// # Errors
/// When the database fails.
pub async fn finish(
    connection: &mut AnyConnection,
    lease: &Lease,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = sqlx::query(
        "update job set status = 'done', permille = 1000, stage = null, left_ms = null, \
         ended_at = $1, lease_owner = null, lease_until = null \
         where id = $2 and status = 'running' and lease_owner = $3 and attempts = $4",
    )
    .bind(now)
    .bind(lease.job)
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Writes down what went wrong and where the job goes from here; `None` when the lease is lost.
///
/// # Errors
/// When the database fails.
pub async fn set_back(
    connection: &mut AnyConnection,
    lease: &Lease,
    setback: &Setback,
    now: Timestamp,
) -> Result<Option<Status>, Error> {
    let (status, reason, sentence, not_before) = match setback {
        Setback::Refused { reason, sentence } => (Status::Refused, Some(*reason), sentence, now),
        Setback::Fault { sentence } => match backoff(lease.attempt) {
            Some(wait) => (Status::Queued, None, sentence, now.after(wait)),
            None => (Status::Failed, None, sentence, now),
        },
    };
    let ended = (status != Status::Queued).then_some(now);
    let changed = sqlx::query(
        "update job set status = $1, reason = $2, sentence = $3, not_before = $4, ended_at = $5, \
         permille = 0, stage = null, left_ms = null, lease_owner = null, lease_until = null \
         where id = $6 and status = 'running' and lease_owner = $7 and attempts = $8",
    )
    .bind(status.word())
    .bind(reason)
    .bind(sentence)
    .bind(not_before)
    .bind(ended)
    .bind(lease.job)
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(&mut *connection)
    .await?;
    if status != Status::Queued {
        early::withdraw_ended(connection).await?;
    }
    Ok((changed.rows_affected() == 1).then_some(status))
}

/// Gives a job back untried, because this node stops; it does not count as an attempt.
///
/// # Errors
/// When the database fails.
pub async fn release(connection: &mut AnyConnection, lease: &Lease) -> Result<(), Error> {
    sqlx::query(
        "update job set status = 'queued', attempts = attempts - 1, permille = 0, stage = null, \
         left_ms = null, lease_owner = null, lease_until = null \
         where id = $1 and status = 'running' and lease_owner = $2 and attempts = $3",
    )
    .bind(lease.job)
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the leases that earlier lives of this node left behind, so that their jobs need not wait.
/// Only for a node that knows it is alone with its name, which is a UUID.
///
/// # Errors
/// When the database fails.
pub async fn end_leases_of_node(
    connection: &mut AnyConnection,
    node: &str,
    now: Timestamp,
) -> Result<u64, Error> {
    let changed = sqlx::query(
        "update job set lease_until = $1 where status = 'running' and lease_until > $1 \
         and substr(lease_owner, 1, 36) = $2",
    )
    .bind(now)
    .bind(node)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected())
}

/// Whether a job is queued or worked on.
///
/// # Errors
/// When the database fails.
pub async fn goes_on(connection: &mut AnyConnection, job: JobId) -> Result<bool, Error> {
    let found: Option<(i64,)> =
        sqlx::query_as("select 1 from job where id = $1 and status in ('queued', 'running')")
            .bind(job)
            .fetch_optional(connection)
            .await?;
    Ok(found.is_some())
}

/// Puts a job that was given up back into the queue; false when it was not given up, or its file is
/// removed already.
///
/// # Errors
/// When the database fails.
pub async fn try_again(
    connection: &mut AnyConnection,
    job: JobId,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = sqlx::query(
        "update job set status = 'queued', attempts = 0, not_before = $1, ended_at = null, \
         sentence = null where id = $2 and status = 'failed' \
         and exists (select 1 from upload_part where upload_part.upload_id = job.upload_id)",
    )
    .bind(now)
    .bind(job)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

#[derive(FromRow)]
struct ViewRow {
    id: JobId,
    lesson_id: LessonId,
    status: String,
    permille: i64,
    stage: Option<String>,
    left_ms: Option<i64>,
    reason: Option<String>,
    attempts: i64,
    file_name: String,
    created_at: Timestamp,
}

impl ViewRow {
    fn read(self) -> Result<(LessonId, JobView), Error> {
        let status = Status::from_word(&self.status)
            .ok_or_else(|| Error::Internal(format!("job status {}", self.status)))?;
        let view = JobView {
            id: self.id,
            status,
            permille: self.permille,
            stage: self.stage,
            left_ms: self.left_ms,
            reason: self.reason,
            attempts: self.attempts,
            file_name: self.file_name,
            created_at: self.created_at,
        };
        Ok((self.lesson_id, view))
    }
}

/// The latest job of a lesson.
///
/// # Errors
/// When the database fails.
pub async fn latest_of_lesson(
    connection: &mut AnyConnection,
    lesson: LessonId,
) -> Result<Option<JobView>, Error> {
    let row: Option<ViewRow> = sqlx::query_as(
        "select job.id, job.lesson_id, job.status, job.permille, job.stage, job.left_ms, \
         job.reason, job.attempts, upload.file_name, job.created_at \
         from job join upload on upload.id = job.upload_id \
         where job.lesson_id = $1 order by job.created_at desc, job.id desc limit 1",
    )
    .bind(lesson)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(ViewRow::read).transpose()?.map(|(_, view)| view))
}
