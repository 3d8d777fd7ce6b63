//! The tables `job_plan`, `job_share` and `job_parcel`.

use sqlx::{AnyConnection, FromRow};

use super::{MOST_ATTEMPTS, ParcelId, ShareLease, Stretch, node_of};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{JobId, UploadId};
use crate::jobs::{LEASE, Lease};

/// The plan by which a job's file is prepared, if it is shared.
pub(super) async fn plan(
    connection: &mut AnyConnection,
    job: JobId,
) -> Result<Option<String>, Error> {
    let plan: Option<(String,)> = sqlx::query_as("select plan from job_plan where job_id = $1")
        .bind(job)
        .fetch_optional(connection)
        .await?;
    Ok(plan.map(|(plan,)| plan))
}

/// Lets others help with the job by this plan, in the order of the stretches; false when the job's lease is lost.
/// Shares of the same plan stay as they are, those of another one are dropped.
pub(super) async fn open(
    connection: &mut AnyConnection,
    lease: &Lease,
    plan: &str,
    stretches: &[Stretch],
    now: Timestamp,
) -> Result<bool, Error> {
    if self::plan(&mut *connection, lease.job).await?.as_deref() == Some(plan) {
        // What an earlier attempt had reached itself is to be made again.
        sqlx::query(
            "update job_share set ended_at = null where job_id = $1 and lease_owner is null",
        )
        .bind(lease.job)
        .execute(&mut *connection)
        .await?;
        return Ok(true);
    }
    close(&mut *connection, lease.job).await?;
    let opened = sqlx::query(
        "insert into job_plan (job_id, plan, created_at) select $1, $2, $3 from job \
         where id = $1 and status = 'running' and lease_owner = $4 and attempts = $5",
    )
    .bind(lease.job)
    .bind(plan)
    .bind(now)
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(&mut *connection)
    .await?;
    if opened.rows_affected() == 0 {
        return Ok(false);
    }
    let mut in_time: Vec<_> = (0_i64..).zip(stretches).collect();
    in_time.sort_by_key(|(_, stretch)| stretch.from_ms);
    for (number, (turn, stretch)) in (0_i64..).zip(in_time) {
        sqlx::query(
            "insert into job_share (job_id, number, turn, from_ms, until_ms, attempts) \
             values ($1, $2, $3, $4, $5, 0)",
        )
        .bind(lease.job)
        .bind(number)
        .bind(turn)
        .bind(stretch.from_ms)
        .bind(stretch.until_ms)
        .execute(&mut *connection)
        .await?;
    }
    Ok(true)
}

/// Ends all help for a job.
pub(super) async fn close(connection: &mut AnyConnection, job: JobId) -> Result<(), Error> {
    for statement in [
        "delete from job_share where job_id = $1",
        "delete from job_plan where job_id = $1",
    ] {
        sqlx::query(statement)
            .bind(job)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Ends the shares that nobody makes and that begin before `reached_ms`, where the job's own worker is.
pub(super) async fn pass(
    connection: &mut AnyConnection,
    job: JobId,
    reached_ms: i64,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update job_share set ended_at = $1 where job_id = $2 and from_ms <= $3 \
         and ended_at is null and (lease_until is null or lease_until <= $1)",
    )
    .bind(now)
    .bind(job)
    .bind(reached_ms)
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct Candidate {
    job_id: JobId,
    upload_id: UploadId,
    number: i64,
    from_ms: i64,
    until_ms: Option<i64>,
}

/// The share that [`claim`] would try next: the first one of the job that goes first. None of a job of this very
/// node, nor while the node works on anything: its cores are taken.
async fn next(
    connection: &mut AnyConnection,
    owner: &str,
    now: Timestamp,
) -> Result<Option<Candidate>, Error> {
    Ok(sqlx::query_as(
        "select job_share.job_id, job.upload_id, job_share.number, job_share.from_ms, \
         job_share.until_ms from job_share join job on job.id = job_share.job_id \
         where job.status = 'running' and job.lease_until > $1 \
         and job_share.ended_at is null and job_share.attempts < $2 \
         and (job_share.lease_until is null or job_share.lease_until <= $1) \
         and not exists (select 1 from job own where own.status = 'running' \
         and own.lease_until > $1 and substr(own.lease_owner, 1, 36) = $3) \
         and not exists (select 1 from job_share own where own.ended_at is null \
         and own.lease_until > $1 and substr(own.lease_owner, 1, 36) = $3) \
         order by job.priority, job.created_at, job.id, job_share.turn, \
         job_share.number desc limit 1",
    )
    .bind(now)
    .bind(MOST_ATTEMPTS)
    .bind(node_of(owner))
    .fetch_optional(connection)
    .await?)
}

/// Whether there is a share for this worker; a look that takes no write lock.
pub(super) async fn is_any(
    connection: &mut AnyConnection,
    owner: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(next(connection, owner, now).await?.is_some())
}

/// Takes a share; `None` when there is none for this worker.
pub(super) async fn claim(
    connection: &mut AnyConnection,
    owner: &str,
    now: Timestamp,
) -> Result<Option<ShareLease>, Error> {
    while let Some(share) = next(&mut *connection, owner, now).await? {
        let claimed: Option<(i64,)> = sqlx::query_as(
            "update job_share set lease_owner = $1, lease_until = $2, attempts = attempts + 1 \
             where job_id = $3 and number = $4 and ended_at is null and attempts < $5 \
             and (lease_until is null or lease_until <= $6) returning attempts",
        )
        .bind(owner)
        .bind(now.after(LEASE))
        .bind(share.job_id)
        .bind(share.number)
        .bind(MOST_ATTEMPTS)
        .bind(now)
        .fetch_optional(&mut *connection)
        .await?;
        // None: another worker was quicker with this one; look for the next.
        if let Some((attempt,)) = claimed {
            return Ok(Some(ShareLease {
                job: share.job_id,
                upload: share.upload_id,
                number: share.number,
                stretch: Stretch {
                    from_ms: share.from_ms,
                    until_ms: share.until_ms,
                },
                owner: owner.to_owned(),
                attempt,
            }));
        }
    }
    Ok(None)
}

/// Renews the lease; false when it is lost or the job goes on no more.
pub(super) async fn renew(
    connection: &mut AnyConnection,
    lease: &ShareLease,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = sqlx::query(
        "update job_share set lease_until = $1 where job_id = $2 and number = $3 \
         and lease_owner = $4 and attempts = $5 and ended_at is null and exists \
         (select 1 from job where job.id = job_share.job_id and job.status = 'running')",
    )
    .bind(now.after(LEASE))
    .bind(lease.job)
    .bind(lease.number)
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// How work on a share ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything was handed over.
    Made,
    /// It did not succeed; the attempt counts.
    Failed,
    /// Something else goes first; the attempt does not count.
    LaidDown,
}

/// Gives the lease up; nothing happens when it is lost.
pub(super) async fn give_up(
    connection: &mut AnyConnection,
    lease: &ShareLease,
    outcome: Outcome,
    now: Timestamp,
) -> Result<(), Error> {
    let untried = i64::from(outcome == Outcome::LaidDown);
    sqlx::query(
        "update job_share set lease_owner = case when $1 is null then null else lease_owner end, \
         lease_until = null, ended_at = $1, attempts = attempts - $2 \
         where job_id = $3 and number = $4 \
         and lease_owner = $5 and attempts = $6 and ended_at is null",
    )
    .bind((outcome == Outcome::Made).then_some(now))
    .bind(untried)
    .bind(lease.job)
    .bind(lease.number)
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes down which segments are about to be stored; false, and nothing is written, when the lease is lost.
pub(super) async fn begin_parcel(
    connection: &mut AnyConnection,
    lease: &ShareLease,
    id: ParcelId,
    records: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    if !renew(&mut *connection, lease, now).await? {
        return Ok(false);
    }
    sqlx::query("insert into job_parcel (id, job_id, records, created_at) values ($1, $2, $3, $4)")
        .bind(id)
        .bind(lease.job)
        .bind(records)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(true)
}

/// Hands the stored segments over; false when the lease is lost.
pub(super) async fn hand_over(
    connection: &mut AnyConnection,
    lease: &ShareLease,
    id: ParcelId,
    now: Timestamp,
) -> Result<bool, Error> {
    if !renew(&mut *connection, lease, now).await? {
        return Ok(false);
    }
    sqlx::query("update job_parcel set stored_at = $1 where id = $2")
        .bind(now)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(true)
}

/// What was handed over for a job.
pub(super) async fn stored_parcels(
    connection: &mut AnyConnection,
    job: JobId,
) -> Result<Vec<ParcelId>, Error> {
    let found: Vec<(ParcelId,)> = sqlx::query_as(
        "select id from job_parcel where job_id = $1 and stored_at is not null order by id",
    )
    .bind(job)
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Records of a parcel; `None` when it is gone.
pub(super) async fn records(
    connection: &mut AnyConnection,
    id: ParcelId,
) -> Result<Option<String>, Error> {
    let records: Option<(String,)> = sqlx::query_as("select records from job_parcel where id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(records.map(|(records,)| records))
}

/// Forgets a parcel, after its objects are gone.
pub(super) async fn forget_parcel(
    connection: &mut AnyConnection,
    id: ParcelId,
) -> Result<(), Error> {
    sqlx::query("delete from job_parcel where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Jobs that ended and left something that others can see.
pub(super) async fn ended(connection: &mut AnyConnection) -> Result<Vec<JobId>, Error> {
    let found: Vec<(JobId,)> = sqlx::query_as(
        "select id from job where status not in ('queued', 'running') \
         and id in (select job_id from job_plan \
         union select job_id from job_parcel where stored_at is not null)",
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|(job,)| job).collect())
}

/// Parcels begun before `begun_before` of which nothing was handed over: whoever began them is dead.
pub(super) async fn unfinished_parcels(
    connection: &mut AnyConnection,
    begun_before: Timestamp,
) -> Result<Vec<(JobId, ParcelId)>, Error> {
    Ok(sqlx::query_as(
        "select job_id, id from job_parcel where stored_at is null and created_at < $1 order by id",
    )
    .bind(begun_before)
    .fetch_all(connection)
    .await?)
}
