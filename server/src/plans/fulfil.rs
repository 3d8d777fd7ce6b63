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
use crate::id::{CourseId, CredentialId, HouseholdId, MeasureId};
use crate::people::Helper;

/// A measure and who has to do it.
#[derive(FromRow)]
pub(super) struct Concerned {
    pub(super) id: MeasureId,
    pub(super) beneficiaries: String,
}

/// Training measures of the member's household that name the course and concern the member.
async fn concerned(
    connection: &mut AnyConnection,
    who: Belonging,
    course: CourseId,
) -> Result<Vec<Concerned>, Error> {
    Ok(sqlx::query_as(
        "select measure.id, measure.beneficiaries from measure \
         join support_plan on support_plan.id = measure.plan_id \
         where support_plan.household_id = $1 and support_plan.closed_at is null \
         and measure.course_id = $2 and measure.kind = 'vocational_training' \
         and measure.status <> 'cancelled' \
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
    for measure in concerned(&mut *connection, who, course).await? {
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
/// A part is kept also of a measure that another member fulfilled before, and a measure that was
/// returned may be fulfilled by another one.
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
    for measure in concerned(&mut *connection, who, course).await? {
        // Locks the row until the transaction ends: two members may finish at the same moment.
        let held: Option<(String,)> = sqlx::query_as(
            "update measure set status = case when status = 'planned' then 'under_way' \
             else status end where id = $1 and status <> 'cancelled' returning status",
        )
        .bind(measure.id)
        .fetch_optional(&mut *connection)
        .await?;
        let Some((status,)) = held else { continue };
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
        let done = [Status::Fulfilled, Status::Verified].map(Status::word);
        if !done.contains(&status.as_str())
            && is_whole(&mut *connection, &measure, who.household_id).await?
        {
            fulfil(&mut *connection, measure.id, credential, now, now).await?;
            fulfilled.push(measure.id);
        }
    }
    Ok(fulfilled)
}

/// Marks a measure fulfilled: `since` is when the last part of it was done, `now` when that is written.
pub(super) async fn fulfil(
    connection: &mut AnyConnection,
    measure: MeasureId,
    credential: CredentialId,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update measure set status = 'fulfilled', fulfilled_at = $1, credential_id = $2 \
         where id = $3",
    )
    .bind(since)
    .bind(credential)
    .bind(measure)
    .execute(&mut *connection)
    .await?;
    let by = Some(credential);
    record(connection, measure, "fulfilled", None, by, None, now).await
}

/// Whether all parts of a measure are done that have to be; of nobody nothing is.
pub(super) async fn is_whole(
    connection: &mut AnyConnection,
    measure: &Concerned,
    household: HouseholdId,
) -> Result<bool, Error> {
    let (done, waiting): (i64, i64) = sqlx::query_as(
        "select count(fulfilled_at), count(*) - count(fulfilled_at) from measure_member \
         where measure_id = $1",
    )
    .bind(measure.id)
    .fetch_one(&mut *connection)
    .await?;
    let missing = match Beneficiaries::from_word(&measure.beneficiaries) {
        Some(Beneficiaries::Any) => 0,
        Some(Beneficiaries::Named) => waiting,
        Some(Beneficiaries::All) => {
            let (missing,): (i64,) = sqlx::query_as(
                "select count(*) from membership where household_id = $1 and until is null \
                 and not exists (select 1 from measure_member part where part.measure_id = $2 \
                 and part.member_id = membership.member_id and part.fulfilled_at is not null)",
            )
            .bind(household)
            .bind(measure.id)
            .fetch_one(connection)
            .await?;
            missing
        }
        None => return Err(Error::Internal(format!("beneficiaries of {}", measure.id))),
    };
    Ok(done > 0 && missing == 0)
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
