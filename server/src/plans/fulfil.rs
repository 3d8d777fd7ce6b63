//! How a measure moves: begun by an enrolment, fulfilled by a credential, verified or returned by
//! the helper. Every step is one conditional update, so of two at the same moment one counts.

use sqlx::{AnyConnection, FromRow};

use super::proof::InMeasure;
use super::store::record;
use super::{Beneficiaries, Status};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::form;
use crate::households::store::Belonging;
use crate::id::{AccountId, CourseId, CredentialId, HouseholdId, MeasureId};
use crate::people::Helper;

#[derive(FromRow)]
struct Open {
    id: MeasureId,
    beneficiaries: String,
}

/// Training measures of the member's household that name the course and are not done.
async fn open(
    connection: &mut AnyConnection,
    who: Belonging,
    course: CourseId,
) -> Result<Vec<Open>, Error> {
    Ok(sqlx::query_as(
        "select measure.id, measure.beneficiaries from measure \
         join support_plan on support_plan.id = measure.plan_id \
         where support_plan.household_id = $1 and support_plan.closed_at is null \
         and measure.course_id = $2 and measure.kind = 'vocational_training' \
         and measure.status in ('planned', 'under_way') \
         and (measure.beneficiaries <> 'named' or exists (select 1 from measure_member part \
         where part.measure_id = measure.id and part.member_id = $3)) order by measure.id",
    )
    .bind(who.household_id)
    .bind(course)
    .bind(who.member_id)
    .fetch_all(connection)
    .await?)
}

/// A member began the course: its planned measures are under way.
///
/// # Errors
/// When the database fails.
pub async fn began(
    connection: &mut AnyConnection,
    who: Belonging,
    course: CourseId,
    now: Timestamp,
) -> Result<(), Error> {
    for measure in open(&mut *connection, who, course).await? {
        let changed = sqlx::query(
            "update measure set status = 'under_way' where id = $1 and status = 'planned'",
        )
        .bind(measure.id)
        .execute(&mut *connection)
        .await?;
        if changed.rows_affected() == 1 {
            record(
                &mut *connection,
                measure.id,
                "enrolled",
                None,
                None,
                None,
                now,
            )
            .await?;
        }
    }
    Ok(())
}

/// A member completed the course: does the member's part, and fulfils each measure whose every
/// part is done. Returns the fulfilled ones.
///
/// # Errors
/// When the database fails.
pub async fn completed(
    connection: &mut AnyConnection,
    who: Belonging,
    course: CourseId,
    credential: CredentialId,
    now: Timestamp,
) -> Result<Vec<MeasureId>, Error> {
    let mut fulfilled = Vec::new();
    for measure in open(&mut *connection, who, course).await? {
        // Locks the row until the transaction ends: two members may finish at the same moment.
        let held = sqlx::query(
            "update measure set status = 'under_way' \
             where id = $1 and status in ('planned', 'under_way')",
        )
        .bind(measure.id)
        .execute(&mut *connection)
        .await?;
        if held.rows_affected() == 0 {
            continue;
        }
        sqlx::query(
            "insert into measure_member (measure_id, member_id, credential_id, fulfilled_at) \
             values ($1, $2, $3, $4) on conflict (measure_id, member_id) do update set \
             credential_id = excluded.credential_id, fulfilled_at = excluded.fulfilled_at",
        )
        .bind(measure.id)
        .bind(who.member_id)
        .bind(credential)
        .bind(now)
        .execute(&mut *connection)
        .await?;
        if is_whole(&mut *connection, &measure, who).await? {
            sqlx::query(
                "update measure set status = 'fulfilled', fulfilled_at = $1, credential_id = $2 \
                 where id = $3",
            )
            .bind(now)
            .bind(credential)
            .bind(measure.id)
            .execute(&mut *connection)
            .await?;
            let by = Some(credential);
            record(
                &mut *connection,
                measure.id,
                "fulfilled",
                None,
                by,
                None,
                now,
            )
            .await?;
            fulfilled.push(measure.id);
        }
    }
    Ok(fulfilled)
}

async fn is_whole(
    connection: &mut AnyConnection,
    measure: &Open,
    who: Belonging,
) -> Result<bool, Error> {
    let missing: (i64,) = match Beneficiaries::from_word(&measure.beneficiaries) {
        Some(Beneficiaries::Any) => return Ok(true),
        Some(Beneficiaries::Named) => {
            sqlx::query_as(
                "select count(*) from measure_member \
                 where measure_id = $1 and fulfilled_at is null and member_id <> $2",
            )
            .bind(measure.id)
            .bind(who.member_id)
            .fetch_one(connection)
            .await?
        }
        Some(Beneficiaries::All) => {
            sqlx::query_as(
                "select count(*) from membership where household_id = $1 and until is null \
                 and not exists (select 1 from measure_member part where part.measure_id = $2 \
                 and part.member_id = membership.member_id and part.fulfilled_at is not null)",
            )
            .bind(who.household_id)
            .bind(measure.id)
            .fetch_one(connection)
            .await?
        }
        None => return Err(Error::Internal(format!("beneficiaries of {}", measure.id))),
    };
    Ok(missing.0 == 0)
}

/// A measure that lost what fulfilled it.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Reopened {
    /// Measure.
    pub id: MeasureId,
    /// Whose helper has to know.
    pub household_id: HouseholdId,
}

/// A credential was revoked: the parts that were done with it are open again, and so is every
/// measure that counted as fulfilled because of them. Returns these measures.
///
/// # Errors
/// When the database fails.
pub async fn reopened(
    connection: &mut AnyConnection,
    credential: CredentialId,
    by: AccountId,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<Reopened>, Error> {
    let reopened: Vec<Reopened> = sqlx::query_as(
        "select measure.id, support_plan.household_id from measure \
         join support_plan on support_plan.id = measure.plan_id \
         where measure.status in ('fulfilled', 'verified', 'returned') \
         and (measure.credential_id = $1 or exists (select 1 from measure_member part \
         where part.measure_id = measure.id and part.credential_id = $1)) order by measure.id",
    )
    .bind(credential)
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query(
        "update measure_member set credential_id = null, fulfilled_at = null \
         where credential_id = $1",
    )
    .bind(credential)
    .execute(&mut *connection)
    .await?;
    for measure in &reopened {
        sqlx::query(
            "update measure set status = 'under_way', fulfilled_at = null, credential_id = null \
             where id = $1",
        )
        .bind(measure.id)
        .execute(&mut *connection)
        .await?;
        let (by, credential, reason) = (Some(by), Some(credential), Some(reason));
        record(
            &mut *connection,
            measure.id,
            "reopened",
            by,
            credential,
            reason,
            now,
        )
        .await?;
    }
    Ok(reopened)
}

/// The helper agrees.
///
/// # Errors
/// [`Error::Conflict`] when it does not wait any more.
pub async fn verify(
    connection: &mut AnyConnection,
    proof: &InMeasure<Helper>,
    now: Timestamp,
) -> Result<(), Error> {
    decide(
        &mut *connection,
        proof,
        Status::Verified,
        &["fulfilled", "returned"],
    )
    .await?;
    let by = Some(proof.account());
    record(connection, proof.measure(), "verified", by, None, None, now).await
}

/// The helper does not agree, and says why.
///
/// # Errors
/// [`Error::Conflict`] when it does not wait any more, [`Error::Invalid`] without a reason.
pub async fn give_back(
    connection: &mut AnyConnection,
    proof: &InMeasure<Helper>,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let reason = form::reason(reason)?;
    decide(&mut *connection, proof, Status::Returned, &["fulfilled"]).await?;
    let by = Some(proof.account());
    record(
        connection,
        proof.measure(),
        "returned",
        by,
        None,
        Some(reason),
        now,
    )
    .await
}

async fn decide(
    connection: &mut AnyConnection,
    proof: &InMeasure<Helper>,
    to: Status,
    from: &[&str],
) -> Result<(), Error> {
    let changed = sqlx::query(
        "update measure set status = $1 where id = $2 and status in ($3, $4) \
         and exists (select 1 from support_plan where support_plan.id = measure.plan_id \
         and support_plan.household_id = $5)",
    )
    .bind(to.word())
    .bind(proof.measure())
    .bind(from[0])
    .bind(from[from.len() - 1])
    .bind(proof.household().household())
    .execute(connection)
    .await?;
    if changed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::Conflict("decided"))
    }
}
