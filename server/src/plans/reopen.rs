//! What becomes of measures when a certificate is revoked.

use sqlx::{AnyConnection, FromRow};

use super::fulfil::{Concerned, fulfil, is_whole};
use super::store::record;
use super::{Beneficiaries, Status};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, CourseId, CredentialId, HouseholdId, MeasureId};

/// A certificate that was revoked.
#[derive(Clone, Copy, Debug)]
pub struct Revoked<'a> {
    /// Which.
    pub credential: CredentialId,
    /// Who revoked it.
    pub by: AccountId,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
}

/// A measure that lost what fulfilled it.
#[derive(Clone, Copy, Debug)]
pub struct Reopened {
    /// Measure.
    pub id: MeasureId,
    /// Whose helper has to know.
    pub household: HouseholdId,
    /// It waits for verification again, since other certificates fulfil it.
    pub fulfilled: bool,
}

#[derive(FromRow)]
struct Touched {
    #[sqlx(flatten)]
    measure: Concerned,
    household_id: HouseholdId,
    course_id: Option<CourseId>,
    created_at: Timestamp,
}

/// The parts that were done with a revoked certificate are open again. A measure that counted as done
/// because of them rests on valid certificates of others who may do it, and is to be verified again, or is
/// under way. Returns these measures.
///
/// # Errors
/// When the database fails.
pub async fn reopened(
    connection: &mut AnyConnection,
    revoked: Revoked<'_>,
) -> Result<Vec<Reopened>, Error> {
    let touched: Vec<Touched> = sqlx::query_as(
        "select measure.id, measure.beneficiaries, measure.course_id, measure.created_at, \
         support_plan.household_id from measure \
         join support_plan on support_plan.id = measure.plan_id \
         where measure.status <> 'cancelled' \
         and (measure.credential_id = $1 or exists (select 1 from measure_member part \
         where part.measure_id = measure.id and part.credential_id = $1)) order by measure.id",
    )
    .bind(revoked.credential)
    .fetch_all(&mut *connection)
    .await?;
    let mut reopened = Vec::new();
    for touched in touched {
        if let Some(fulfilled) = reopen(&mut *connection, &touched, revoked).await? {
            reopened.push(Reopened {
                id: touched.measure.id,
                household: touched.household_id,
                fulfilled,
            });
        }
    }
    Ok(reopened)
}

/// `None` when nothing changes for the measure as a whole, else whether it is fulfilled all the same.
async fn reopen(
    connection: &mut AnyConnection,
    touched: &Touched,
    revoked: Revoked<'_>,
) -> Result<Option<bool>, Error> {
    let id = touched.measure.id;
    // Locks the row until the transaction ends: another member may finish at the same moment.
    let (status, rests_on): (String, Option<CredentialId>) = sqlx::query_as(
        "update measure set status = status where id = $1 returning status, credential_id",
    )
    .bind(id)
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "update measure_member set credential_id = null, fulfilled_at = null \
         where measure_id = $1 and credential_id = $2",
    )
    .bind(id)
    .bind(revoked.credential)
    .execute(&mut *connection)
    .await?;
    let done = [Status::Fulfilled, Status::Verified, Status::Returned].map(Status::word);
    if !done.contains(&status.as_str()) {
        return Ok(None);
    }
    let household = touched.household_id;
    if rests_on != Some(revoked.credential)
        && is_whole(&mut *connection, &touched.measure, household).await?
    {
        return Ok(None);
    }
    let (by, credential, reason) = (Some(revoked.by), Some(revoked.credential), revoked.reason);
    let at = revoked.at;
    record(
        &mut *connection,
        id,
        "reopened",
        by,
        credential,
        Some(reason),
        at,
    )
    .await?;
    others_do_it(&mut *connection, touched).await?;
    if is_whole(&mut *connection, &touched.measure, household).await?
        && let Some((credential, since)) = last_part(&mut *connection, id).await?
    {
        fulfil(connection, id, credential, since, at).await?;
        return Ok(Some(true));
    }
    sqlx::query(
        "update measure set status = 'under_way', fulfilled_at = null, credential_id = null \
         where id = $1",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(Some(false))
}

/// Valid certificates that members earned since the measure was written do their parts, where these were not
/// written down: the measure was fulfilled already when they were earned.
async fn others_do_it(connection: &mut AnyConnection, touched: &Touched) -> Result<(), Error> {
    let named = touched.measure.beneficiaries == Beneficiaries::Named.word();
    sqlx::query(
        "insert into measure_member (measure_id, member_id, credential_id, fulfilled_at) \
         select $1, member.id, credential.id, credential.issued_at from membership \
         join member on member.id = membership.member_id \
         join credential on credential.account_id = member.account_id \
         and credential.course_id = $2 and credential.revoked_at is null \
         and credential.issued_at >= $3 \
         where membership.household_id = $4 and membership.until is null \
         and ($5 = 0 or exists (select 1 from measure_member part \
         where part.measure_id = $1 and part.member_id = member.id)) \
         on conflict (measure_id, member_id) do update set \
         credential_id = excluded.credential_id, fulfilled_at = excluded.fulfilled_at \
         where measure_member.credential_id is null",
    )
    .bind(touched.measure.id)
    .bind(touched.course_id)
    .bind(touched.created_at)
    .bind(touched.household_id)
    .bind(i64::from(named))
    .execute(connection)
    .await?;
    Ok(())
}

async fn last_part(
    connection: &mut AnyConnection,
    measure: MeasureId,
) -> Result<Option<(CredentialId, Timestamp)>, Error> {
    Ok(sqlx::query_as(
        "select credential_id, fulfilled_at from measure_member \
         where measure_id = $1 and credential_id is not null \
         order by fulfilled_at desc, member_id desc limit 1",
    )
    .bind(measure)
    .fetch_optional(connection)
    .await?)
}
