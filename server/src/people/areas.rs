//! The administrative tree: `area`, `area_name`, `area_closure`.

use sqlx::{AnyConnection, FromRow};

use super::Role;
use super::access::{Administrator, Has};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, AreaId};

/// Most areas in a list to choose from.
const MOST: i64 = 2_000;

/// The levels, from the top.
pub const LEVELS: [&str; 5] = ["province", "prefecture", "county", "township", "village"];

/// A new area, checked.
#[derive(Clone, Debug)]
pub struct NewArea {
    /// Code of the national register, for example GB/T 2260.
    pub code: String,
    /// One of [`LEVELS`].
    pub level: &'static str,
    /// Names by language code.
    pub names: Vec<(&'static str, String)>,
}

impl NewArea {
    /// Checks code, level and names; one name is enough.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the form's field.
    pub fn new(code: &str, level: &str, zh: &str, en: &str) -> Result<Self, Error> {
        let invalid = |field, reason| Error::Invalid { field, reason };
        let code = code.trim().to_owned();
        if code.is_empty() {
            return Err(invalid("code", "required"));
        }
        if code.len() > 20 || !code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(invalid("code", "code"));
        }
        let level = LEVELS
            .into_iter()
            .find(|known| *known == level)
            .ok_or_else(|| invalid("level", "choice"))?;
        let names: Vec<_> = [("zh-CN", zh), ("en", en)]
            .into_iter()
            .map(|(language, name)| (language, name.trim().to_owned()))
            .filter(|(_, name)| !name.is_empty())
            .collect();
        if names.is_empty() {
            return Err(invalid("name_zh", "required"));
        }
        if names.iter().any(|(_, name)| name.chars().count() > 100) {
            return Err(invalid("name_zh", "too-long"));
        }
        Ok(Self { code, level, names })
    }
}

/// Adds an area below `parent`, or a top.
///
/// # Errors
/// [`Error::Invalid`] when the code is taken, [`Error::NotFound`] for an unknown parent.
pub async fn create(
    connection: &mut AnyConnection,
    parent: Option<AreaId>,
    new: &NewArea,
    now: Timestamp,
) -> Result<AreaId, Error> {
    let id = AreaId::new();
    let added = sqlx::query(
        "insert into area (id, code, parent_id, level, created_at) values ($1, $2, $3, $4, $5) \
         on conflict do nothing",
    )
    .bind(id)
    .bind(&new.code)
    .bind(parent)
    .bind(new.level)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if added.rows_affected() != 1 {
        return Err(Error::Invalid {
            field: "code",
            reason: "code-taken",
        });
    }
    for (language, name) in &new.names {
        sqlx::query("insert into area_name (area_id, language, name) values ($1, $2, $3)")
            .bind(id)
            .bind(language)
            .bind(name)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query(
        "insert into area_closure (ancestor_id, descendant_id, depth) \
         select ancestor_id, $1, depth + 1 from area_closure where descendant_id = $2",
    )
    .bind(id)
    .bind(parent)
    .execute(&mut *connection)
    .await?;
    sqlx::query("insert into area_closure (ancestor_id, descendant_id, depth) values ($1, $1, 0)")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(id)
}

/// An area in a list.
#[derive(Clone, Debug, FromRow)]
pub struct AreaRow {
    /// Area.
    pub id: AreaId,
    /// Code.
    pub code: String,
    /// Area above.
    pub parent_id: Option<AreaId>,
    /// One of [`LEVELS`].
    pub level: String,
    /// Name in the asked language, or any, or the code.
    pub name: String,
}

const NAMED: &str = "select distinct area.id, area.code, area.parent_id, area.level, \
    coalesce((select name from area_name where area_id = area.id and language = $1), \
    (select min(name) from area_name where area_id = area.id), area.code) as name from area ";

/// The areas where the account has the role, with all below them.
///
/// # Errors
/// When the database fails.
pub async fn covered(
    connection: &mut AnyConnection,
    account: AccountId,
    role: Role,
    language: &str,
) -> Result<Vec<AreaRow>, Error> {
    let sql = format!(
        "{NAMED} join area_closure closure on closure.descendant_id = area.id \
         join account_grant own on own.area_id = closure.ancestor_id \
         where own.account_id = $2 and own.role = $3 and own.revoked_at is null \
         order by code limit $4"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(language)
        .bind(account)
        .bind(role.word())
        .bind(MOST)
        .fetch_all(connection)
        .await?)
}

/// Name of one area in a language.
///
/// # Errors
/// When the database fails.
pub async fn name(
    connection: &mut AnyConnection,
    area: AreaId,
    language: &str,
) -> Result<String, Error> {
    let row: Option<AreaRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{NAMED} where area.id = $2")))
            .bind(language)
            .bind(area)
            .fetch_optional(connection)
            .await?;
    Ok(row.map(|row| row.name).unwrap_or_default())
}

/// The areas that no other is above.
///
/// # Errors
/// When the database fails.
pub async fn tops(connection: &mut AnyConnection) -> Result<Vec<AreaId>, Error> {
    let rows: Vec<(AreaId,)> =
        sqlx::query_as("select id from area where parent_id is null order by code")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// In order of the tree, each with its steps below the top of the list.
#[must_use]
pub fn as_tree(rows: Vec<AreaRow>) -> Vec<(AreaRow, i64)> {
    fn below(rows: &[AreaRow], parent: &AreaRow, depth: i64, out: &mut Vec<(AreaRow, i64)>) {
        out.push((parent.clone(), depth));
        for child in rows.iter().filter(|row| row.parent_id == Some(parent.id)) {
            below(rows, child, depth + 1, out);
        }
    }
    let mut out = Vec::with_capacity(rows.len());
    for row in &rows {
        let is_top = !rows.iter().any(|other| Some(other.id) == row.parent_id);
        if is_top {
            below(&rows, row, 0, &mut out);
        }
    }
    out
}

/// Adds an area below one that the administrator has.
///
/// # Errors
/// [`Error::NotFound`] for a parent outside, else as [`create`].
pub async fn create_below(
    connection: &mut AnyConnection,
    administrator: &Has<Administrator>,
    parent: AreaId,
    new: &NewArea,
    now: Timestamp,
) -> Result<AreaId, Error> {
    if !administrator.covers(&mut *connection, parent).await? {
        return Err(Error::NotFound);
    }
    create(connection, Some(parent), new, now).await
}
