//! The tables `support_plan`, `plan_version`, `measure`, `measure_member` and `measure_event`.

use sqlx::{AnyConnection, FromRow};

use super::{Beneficiaries, Kind, Money, Status};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{
    AccountId, CourseId, CredentialId, HouseholdId, MeasureEventId, MeasureId, MemberId, PlanId,
    PlanVersionId,
};
use crate::people::access::ANSWERS;

/// A plan to write.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// For whom.
    pub household: HouseholdId,
    /// What is to be reached.
    pub goals: String,
    /// ISO 8601 date.
    pub starts_on: String,
    /// ISO 8601 date.
    pub ends_on: String,
    /// Who in the household agreed.
    pub consented_by: MemberId,
}

/// Writes an active plan that the household has agreed to, as version 1.
///
/// # Errors
/// When the household has a live plan, or the database fails.
pub async fn write(
    connection: &mut AnyConnection,
    new: &NewPlan,
    by: AccountId,
    now: Timestamp,
) -> Result<PlanId, Error> {
    let id = PlanId::new();
    sqlx::query(
        "insert into support_plan (id, household_id, created_by, created_at) \
         values ($1, $2, $3, $4)",
    )
    .bind(id)
    .bind(new.household)
    .bind(by)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into plan_version (id, plan_id, number, goals, starts_on, ends_on, status, \
         consented_by, consented_at, written_by, written_at) \
         values ($1, $2, 1, $3, $4, $5, 'active', $6, $7, $8, $7)",
    )
    .bind(PlanVersionId::new())
    .bind(id)
    .bind(&new.goals)
    .bind(&new.starts_on)
    .bind(&new.ends_on)
    .bind(new.consented_by)
    .bind(now)
    .bind(by)
    .execute(connection)
    .await?;
    Ok(id)
}

/// A measure to add.
#[derive(Clone, Debug)]
pub struct NewMeasure {
    /// Kind.
    pub kind: Kind,
    /// Title.
    pub title: String,
    /// The officer who answers for it.
    pub officer: AccountId,
    /// Of a training measure.
    pub course: Option<CourseId>,
    /// Who has to do it.
    pub beneficiaries: Beneficiaries,
    /// Of [`Beneficiaries::Named`].
    pub members: Vec<MemberId>,
    /// ISO 8601 date.
    pub due_on: String,
    /// What is promised for it.
    pub allowance: Money,
}

/// Adds a measure.
///
/// # Errors
/// When the database fails.
pub async fn add_measure(
    connection: &mut AnyConnection,
    plan: PlanId,
    new: &NewMeasure,
    by: AccountId,
    now: Timestamp,
) -> Result<MeasureId, Error> {
    let id = MeasureId::new();
    sqlx::query(
        "insert into measure (id, plan_id, kind, title, officer_id, course_id, beneficiaries, \
         due_on, allowance_minor, currency, status, created_by, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(id)
    .bind(plan)
    .bind(new.kind.word())
    .bind(&new.title)
    .bind(new.officer)
    .bind(new.course)
    .bind(new.beneficiaries.word())
    .bind(&new.due_on)
    .bind(new.allowance.minor)
    .bind(&new.allowance.currency)
    .bind(Status::Planned.word())
    .bind(by)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    for member in &new.members {
        sqlx::query("insert into measure_member (measure_id, member_id) values ($1, $2)")
            .bind(id)
            .bind(member)
            .execute(&mut *connection)
            .await?;
    }
    record(connection, id, "created", Some(by), None, None, now).await?;
    Ok(id)
}

/// Appends to the history of a measure.
///
/// # Errors
/// When the database fails.
pub async fn record(
    connection: &mut AnyConnection,
    measure: MeasureId,
    kind: &'static str,
    by: Option<AccountId>,
    credential: Option<CredentialId>,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into measure_event (id, measure_id, kind, account_id, credential_id, reason, \
         recorded_at) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(MeasureEventId::new())
    .bind(measure)
    .bind(kind)
    .bind(by)
    .bind(credential)
    .bind(reason)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The live plan of a household in its newest version.
#[derive(Clone, Debug, FromRow)]
pub struct PlanRow {
    /// Plan.
    pub id: PlanId,
    /// Version.
    pub number: i64,
    /// What is to be reached.
    pub goals: String,
    /// ISO 8601 date.
    pub starts_on: String,
    /// ISO 8601 date.
    pub ends_on: String,
    /// Word.
    pub status: String,
    /// Name of the helper, empty without one.
    pub helper: String,
}

/// The live plan of a household. Whoever calls has a proof for the household.
///
/// # Errors
/// When the database fails.
pub async fn live(
    connection: &mut AnyConnection,
    household: HouseholdId,
) -> Result<Option<PlanRow>, Error> {
    Ok(sqlx::query_as(
        "select support_plan.id, version.number, version.goals, version.starts_on, \
         version.ends_on, version.status, coalesce((select account.name from household_helper \
         join account on account.id = household_helper.account_id \
         where household_helper.household_id = support_plan.household_id \
         and household_helper.until is null), '') as helper \
         from support_plan join plan_version version on version.plan_id = support_plan.id \
         where support_plan.household_id = $1 and support_plan.closed_at is null \
         order by version.number desc limit 1",
    )
    .bind(household)
    .fetch_optional(connection)
    .await?)
}

/// A measure with what people see of it.
#[derive(Clone, Debug, FromRow)]
pub struct MeasureRow {
    /// Measure.
    pub id: MeasureId,
    /// Word of the kind.
    pub kind: String,
    /// Title.
    pub title: String,
    /// Of a training measure.
    pub course_id: Option<CourseId>,
    /// Its title, empty without one.
    pub course_title: String,
    /// ISO 8601 date.
    pub due_on: String,
    /// Minor units.
    pub allowance_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Word of the status.
    pub status: String,
    /// When it was fulfilled.
    pub fulfilled_at: Option<Timestamp>,
    /// Last day of its plan in the newest version, ISO 8601.
    pub plan_ends_on: String,
    /// Why it was returned or reopened, empty otherwise.
    pub reason: String,
}

impl MeasureRow {
    /// Whether a moment is later than the measure's last day, or its plan's. Days are those of UTC, as
    /// pages show them.
    #[must_use]
    pub fn is_late(&self, at: Timestamp) -> bool {
        // A moment that no calendar knows is after every deadline.
        let day = jiff::Timestamp::from_millisecond(at.0).map_or_else(
            |_| "9999-12-31".to_owned(),
            |moment| {
                let zone = jiff::tz::TimeZone::UTC;
                moment.to_zoned_datetime(zone).date().to_string()
            },
        );
        day > self.due_on || day > self.plan_ends_on
    }

    /// What is promised.
    #[must_use]
    pub fn allowance(&self) -> Money {
        Money {
            minor: self.allowance_minor,
            currency: self.currency.clone(),
        }
    }
}

const MEASURES: &str = "select measure.id, measure.kind, measure.title, measure.course_id, \
    coalesce(course.title, '') as course_title, measure.due_on, measure.allowance_minor, \
    measure.currency, measure.status, measure.fulfilled_at, \
    (select version.ends_on from plan_version version where version.plan_id = measure.plan_id \
    order by version.number desc limit 1) as plan_ends_on, \
    coalesce((select reason from measure_event where measure_event.measure_id = measure.id \
    and ((measure_event.kind = 'returned' and measure.status = 'returned') \
    or (measure_event.kind = 'reopened' and measure.status = 'under_way')) \
    order by recorded_at desc, id desc limit 1), '') as reason \
    from measure left join course on course.id = measure.course_id ";

/// The measures of a plan.
///
/// # Errors
/// When the database fails.
pub async fn measures(
    connection: &mut AnyConnection,
    plan: PlanId,
) -> Result<Vec<MeasureRow>, Error> {
    let sql = format!("{MEASURES} where measure.plan_id = $1 order by measure.due_on, measure.id");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(plan)
        .fetch_all(connection)
        .await?)
}

/// One measure. Whoever calls has a proof for it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn measure(
    connection: &mut AnyConnection,
    measure: MeasureId,
) -> Result<MeasureRow, Error> {
    let sql = format!("{MEASURES} where measure.id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(measure)
        .fetch_optional(connection)
        .await?
        .ok_or(Error::NotFound)
}

/// A member's part in a measure.
#[derive(Clone, Debug, FromRow)]
pub struct PartRow {
    /// Measure.
    pub measure_id: MeasureId,
    /// Name of the member.
    pub name: String,
    /// What the member did it with.
    pub credential_id: Option<CredentialId>,
    /// When.
    pub fulfilled_at: Option<Timestamp>,
}

/// Who takes part in the measures of a plan.
///
/// # Errors
/// When the database fails.
pub async fn parts(connection: &mut AnyConnection, plan: PlanId) -> Result<Vec<PartRow>, Error> {
    Ok(sqlx::query_as(
        "select part.measure_id, member.name, part.credential_id, part.fulfilled_at \
         from measure_member part \
         join member on member.id = part.member_id join measure on measure.id = part.measure_id \
         where measure.plan_id = $1 order by member.name, member.id",
    )
    .bind(plan)
    .fetch_all(connection)
    .await?)
}

/// The plan of a measure.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn plan_of(connection: &mut AnyConnection, measure: MeasureId) -> Result<PlanId, Error> {
    let row: Option<(PlanId,)> = sqlx::query_as("select plan_id from measure where id = $1")
        .bind(measure)
        .fetch_optional(connection)
        .await?;
    row.map(|(plan,)| plan).ok_or(Error::NotFound)
}

/// How many measures a household has, how many of them wait, and of how many its helper has not seen the news.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Load {
    /// Household.
    pub household_id: HouseholdId,
    /// Live measures.
    pub measures: i64,
    /// Fulfilled, to be verified.
    pub to_verify: i64,
    /// With news that the helper has not seen.
    pub news: i64,
}

/// The load of each household of a helper.
///
/// # Errors
/// When the database fails.
pub async fn loads(connection: &mut AnyConnection, helper: AccountId) -> Result<Vec<Load>, Error> {
    let sql = format!(
        "select support_plan.household_id, count(*) as measures, \
         cast(sum(case when measure.status = 'fulfilled' then 1 else 0 end) as bigint) as to_verify, \
         cast(sum(case when exists (select 1 from notice where notice.account_id = own.account_id \
         and notice.subject_id = measure.id and notice.read_at is null) then 1 else 0 end) \
         as bigint) as news \
         from measure join support_plan on support_plan.id = measure.plan_id \
         join household on household.id = support_plan.household_id \
         join household_helper own on own.household_id = household.id \
         where own.account_id = $1 and {ANSWERS} and support_plan.closed_at is null \
         and measure.status <> 'cancelled' group by support_plan.household_id"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(helper)
        .fetch_all(connection)
        .await?)
}

/// A measure that waits for verification.
#[derive(Clone, Debug, FromRow)]
pub struct WaitingRow {
    /// Measure.
    pub id: MeasureId,
    /// Title.
    pub title: String,
    /// Name of the member who finished it, empty when it was not a training.
    pub member: String,
    /// Code of the household.
    pub household: String,
    /// Word of the status.
    pub status: String,
    /// When it was fulfilled.
    pub fulfilled_at: Timestamp,
}

/// What waits for a helper, oldest first, and then what was returned and may be verified after all.
///
/// # Errors
/// When the database fails.
pub async fn waiting(
    connection: &mut AnyConnection,
    helper: AccountId,
) -> Result<Vec<WaitingRow>, Error> {
    let sql = format!(
        "select measure.id, measure.title, coalesce((select min(member.name) \
         from measure_member part join member on member.id = part.member_id \
         where part.measure_id = measure.id and part.credential_id = measure.credential_id), '') \
         as member, household.code as household, measure.status, measure.fulfilled_at from measure \
         join support_plan on support_plan.id = measure.plan_id \
         join household on household.id = support_plan.household_id \
         join household_helper own on own.household_id = household.id \
         where own.account_id = $1 and {ANSWERS} \
         and measure.status in ('fulfilled', 'returned') \
         order by measure.status, measure.fulfilled_at, measure.id limit 500"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(helper)
        .fetch_all(connection)
        .await?)
}

/// The accounts of the members who did their part in a measure.
///
/// # Errors
/// When the database fails.
pub async fn learners(
    connection: &mut AnyConnection,
    measure: MeasureId,
) -> Result<Vec<AccountId>, Error> {
    let rows: Vec<(AccountId,)> = sqlx::query_as(
        "select member.account_id from measure_member part \
         join member on member.id = part.member_id \
         where part.measure_id = $1 and part.credential_id is not null \
         and member.account_id is not null",
    )
    .bind(measure)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(account,)| account).collect())
}
