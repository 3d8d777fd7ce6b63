//! The tables `household`, `member`, `membership` and `household_helper`.

use sqlx::{AnyConnection, FromRow};

use super::proof::InHousehold;
use super::{Status, is_head};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, AreaId, HouseholdId, MemberId, MembershipId};
use crate::people::access::ANSWERS;
use crate::people::{Has, Helper};

/// A household to register.
#[derive(Clone, Debug)]
pub struct NewHousehold {
    /// Unique code.
    pub code: String,
    /// Where it is.
    pub area: AreaId,
    /// Address.
    pub address: String,
}

/// Registers a household.
///
/// # Errors
/// [`Error::Invalid`] when the code is taken.
pub async fn register(
    connection: &mut AnyConnection,
    new: &NewHousehold,
    by: AccountId,
    now: Timestamp,
) -> Result<HouseholdId, Error> {
    let id = HouseholdId::new();
    let added = sqlx::query(
        "insert into household (id, code, area_id, address, status, registered_at, registered_by) \
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(id)
    .bind(&new.code)
    .bind(new.area)
    .bind(&new.address)
    .bind(Status::Registered.word())
    .bind(now)
    .bind(by)
    .execute(connection)
    .await?;
    if added.rows_affected() == 1 {
        Ok(id)
    } else {
        Err(Error::Invalid {
            field: "code",
            reason: "code-taken",
        })
    }
}

/// A person to add to a household.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// Name.
    pub name: String,
    /// ISO 5218.
    pub sex: i64,
    /// ISO 8601 date.
    pub birth_date: Option<String>,
    /// GB/T 4761.
    pub relationship: String,
    /// ISCED 2011.
    pub schooling_level: Option<i64>,
    /// Learner account.
    pub account: Option<AccountId>,
}

/// Adds a person to a household.
///
/// # Errors
/// When the database fails, or the account belongs to another member.
pub async fn add_member(
    connection: &mut AnyConnection,
    household: HouseholdId,
    new: &NewMember,
    now: Timestamp,
) -> Result<MemberId, Error> {
    let id = MemberId::new();
    sqlx::query(
        "insert into member (id, name, sex, birth_date, schooling_level, account_id, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(&new.name)
    .bind(new.sex)
    .bind(&new.birth_date)
    .bind(new.schooling_level)
    .bind(new.account)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into membership (id, household_id, member_id, relationship, since) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(MembershipId::new())
    .bind(household)
    .bind(id)
    .bind(&new.relationship)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Makes `helper` answer for the household from now on; whoever did before does no more.
///
/// # Errors
/// When the database fails.
pub async fn assign_helper(
    connection: &mut AnyConnection,
    household: HouseholdId,
    helper: AccountId,
    by: AccountId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update household_helper set until = $1 where household_id = $2 and until is null")
        .bind(now)
        .bind(household)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "insert into household_helper (id, household_id, account_id, assigned_by, since) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(uuid::Uuid::now_v7().to_string())
    .bind(household)
    .bind(helper)
    .bind(by)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Who answers for the household now.
///
/// # Errors
/// When the database fails.
pub async fn helper(
    connection: &mut AnyConnection,
    household: HouseholdId,
) -> Result<Option<AccountId>, Error> {
    let row: Option<(AccountId,)> = sqlx::query_as(
        "select account_id from household_helper where household_id = $1 and until is null",
    )
    .bind(household)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(account,)| account))
}

/// A household as its helper sees it.
#[derive(Clone, Debug, FromRow)]
pub struct HouseholdRow {
    /// Its id.
    pub id: HouseholdId,
    /// Code.
    pub code: String,
    /// Name of the area.
    pub area: String,
    /// Address.
    pub address: String,
    /// Word of the status.
    pub status: String,
    /// Name of the head, empty without one.
    pub head: String,
}

/// With `$1` the reader's language.
const COLUMNS: &str = "select household.id, household.code, household.address, household.status, \
    coalesce((select name from area_name where area_name.area_id = household.area_id \
    and area_name.language = $1), (select min(name) from area_name \
    where area_name.area_id = household.area_id), '') as area, coalesce((select min(member.name) from membership \
    join member on member.id = membership.member_id \
    where membership.household_id = household.id and membership.until is null \
    and membership.relationship in ('01', '02')), '') as head from household ";

/// The helper's own households, by code.
///
/// # Errors
/// When the database fails.
pub async fn own(
    connection: &mut AnyConnection,
    helper: &Has<Helper>,
    language: &str,
) -> Result<Vec<HouseholdRow>, Error> {
    let sql = format!(
        "{COLUMNS} join household_helper own on own.household_id = household.id \
         where own.account_id = $2 and {ANSWERS} order by household.code limit 1000"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(language)
        .bind(helper.account())
        .fetch_all(connection)
        .await?)
}

/// One household.
///
/// # Errors
/// When the database fails.
pub async fn find(
    connection: &mut AnyConnection,
    proof: &InHousehold<Helper>,
    language: &str,
) -> Result<HouseholdRow, Error> {
    let sql = format!("{COLUMNS} where household.id = $2");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(language)
        .bind(proof.household())
        .fetch_optional(connection)
        .await?
        .ok_or(Error::NotFound)
}

/// A person of a household.
#[derive(Clone, Debug, FromRow)]
pub struct MemberRow {
    /// Its id.
    pub id: MemberId,
    /// Name.
    pub name: String,
    /// GB/T 4761.
    pub relationship: String,
    /// Learner account.
    pub account_id: Option<AccountId>,
}

/// The people of a household now, the head first. Whoever calls has a proof for the household.
///
/// # Errors
/// When the database fails.
pub async fn members(
    connection: &mut AnyConnection,
    household: HouseholdId,
) -> Result<Vec<MemberRow>, Error> {
    let mut rows: Vec<MemberRow> = sqlx::query_as(
        "select member.id, member.name, membership.relationship, member.account_id \
         from membership join member on member.id = membership.member_id \
         where membership.household_id = $1 and membership.until is null \
         order by membership.relationship, member.id",
    )
    .bind(household)
    .fetch_all(connection)
    .await?;
    rows.sort_by_key(|row| !is_head(&row.relationship));
    Ok(rows)
}

/// A member and the household that he or she belongs to now.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Belonging {
    /// Person.
    pub member_id: MemberId,
    /// Household.
    pub household_id: HouseholdId,
}

/// The member behind a learner's account, with the present household.
///
/// # Errors
/// When the database fails.
pub async fn of_account(
    connection: &mut AnyConnection,
    account: AccountId,
) -> Result<Option<Belonging>, Error> {
    Ok(sqlx::query_as(
        "select membership.member_id, membership.household_id from member \
         join membership on membership.member_id = member.id \
         where member.account_id = $1 and membership.until is null",
    )
    .bind(account)
    .fetch_optional(connection)
    .await?)
}
