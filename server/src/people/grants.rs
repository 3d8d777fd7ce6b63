//! The table `account_grant`, and what administrators see of accounts.

use sqlx::{AnyConnection, FromRow};

use super::access::{Administrator, Has, covers};
use super::{Role, access};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, AreaId, GrantId};

/// Most accounts on one page.
const PAGE: i64 = 50;

/// Proof that an administrator is responsible for an account: its home area is in one of the
/// administrator's areas.
#[derive(Clone, Debug)]
pub struct ManagedAccount {
    administrator: AccountId,
    account: AccountId,
}

impl ManagedAccount {
    /// Asks the database.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not so, as for an account that does not exist.
    pub async fn prove(
        connection: &mut AnyConnection,
        administrator: &Has<Administrator>,
        account: AccountId,
    ) -> Result<Self, Error> {
        let home: Option<(Option<AreaId>,)> =
            sqlx::query_as("select home_area_id from account where id = $1")
                .bind(account)
                .fetch_optional(&mut *connection)
                .await?;
        let Some((Some(area),)) = home else {
            return Err(Error::NotFound);
        };
        if !administrator.covers(connection, area).await? {
            return Err(Error::NotFound);
        }
        Ok(Self {
            administrator: administrator.account(),
            account,
        })
    }

    /// Who is managed.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Who manages.
    #[must_use]
    pub fn administrator(&self) -> AccountId {
        self.administrator
    }
}

/// Gives a role at an area, once.
///
/// # Errors
/// [`Error::Forbidden`] when the giver does not administer the area.
pub async fn give(
    connection: &mut AnyConnection,
    managed: &ManagedAccount,
    role: Role,
    area: AreaId,
    now: Timestamp,
) -> Result<(), Error> {
    if !covers(
        &mut *connection,
        managed.administrator,
        Role::Administrator,
        area,
    )
    .await?
    {
        return Err(Error::Forbidden);
    }
    insert(
        connection,
        managed.account,
        role,
        area,
        Some(managed.administrator),
        now,
    )
    .await
}

/// Adds the row unless it is there. For the first administrator and demo content; everybody else
/// goes through [`give`].
///
/// # Errors
/// When the database fails.
pub async fn insert(
    connection: &mut AnyConnection,
    account: AccountId,
    role: Role,
    area: AreaId,
    by: Option<AccountId>,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into account_grant (id, account_id, role, area_id, granted_by, granted_at) \
         select $1, $2, $3, $4, $5, $6 where not exists (select 1 from account_grant \
         where account_id = $2 and role = $3 and area_id = $4 and revoked_at is null)",
    )
    .bind(GrantId::new())
    .bind(account)
    .bind(role.word())
    .bind(area)
    .bind(by)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a role back; holds at that account's next request.
///
/// # Errors
/// [`Error::NotFound`] when there is no such grant in the administrator's areas;
/// [`Error::Conflict`] when it is the giver's own last hold on administration.
pub async fn revoke(
    connection: &mut AnyConnection,
    administrator: &Has<Administrator>,
    grant: GrantId,
    now: Timestamp,
) -> Result<AccountId, Error> {
    let row: Option<(AccountId, AreaId, String)> = sqlx::query_as(
        "select account_id, area_id, role from account_grant where id = $1 and revoked_at is null",
    )
    .bind(grant)
    .fetch_optional(&mut *connection)
    .await?;
    let (account, area, role) = row.ok_or(Error::NotFound)?;
    if !administrator.covers(&mut *connection, area).await? {
        return Err(Error::NotFound);
    }
    let own = account == administrator.account() && role == Role::Administrator.word();
    if own {
        return Err(Error::Conflict("own-grant"));
    }
    sqlx::query("update account_grant set revoked_at = $1 where id = $2 and revoked_at is null")
        .bind(now)
        .bind(grant)
        .execute(connection)
        .await?;
    Ok(account)
}

/// Whether somebody may hand out a way to sign in as `account`: never upwards, so the account's
/// every role must lie in areas that the giver administers.
///
/// # Errors
/// When the database fails.
pub async fn is_below(
    connection: &mut AnyConnection,
    giver: AccountId,
    account: AccountId,
) -> Result<bool, Error> {
    let grants: Vec<(AreaId,)> = sqlx::query_as(
        "select area_id from account_grant where account_id = $1 and revoked_at is null",
    )
    .bind(account)
    .fetch_all(&mut *connection)
    .await?;
    for (area,) in grants {
        if !access::covers(&mut *connection, giver, Role::Administrator, area).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Refuses to lay hands on an account that is one's own, where the owner's ways are open, or that is
/// not below.
///
/// # Errors
/// [`Error::Conflict`] for one's own, [`Error::Forbidden`] for one that is not below.
pub async fn only_below(
    connection: &mut AnyConnection,
    managed: &ManagedAccount,
) -> Result<(), Error> {
    if managed.account == managed.administrator {
        return Err(Error::Conflict("own-account"));
    }
    match is_below(connection, managed.administrator, managed.account).await? {
        true => Ok(()),
        false => Err(Error::Forbidden),
    }
}

/// Whether the account has any role.
///
/// # Errors
/// When the database fails.
pub async fn has_any(connection: &mut AnyConnection, account: AccountId) -> Result<bool, Error> {
    let any: Option<(GrantId,)> = sqlx::query_as(
        "select id from account_grant where account_id = $1 and revoked_at is null limit 1",
    )
    .bind(account)
    .fetch_optional(connection)
    .await?;
    Ok(any.is_some())
}

/// A pattern for `like … escape '!'`: what begins with these letters.
fn prefix(search: &str) -> String {
    let mut pattern = String::new();
    for letter in search.trim().to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern + "%"
}

/// An account in an administrator's list.
#[derive(Clone, Debug, FromRow)]
pub struct ManagedRow {
    /// Account.
    pub id: AccountId,
    /// Shown name.
    pub name: String,
    /// Sign-in name.
    pub sign_in_name: String,
    /// When it was closed.
    pub disabled_at: Option<Timestamp>,
}

/// A role in an administrator's list.
#[derive(Clone, Debug, FromRow)]
pub struct GrantRow {
    /// Grant.
    pub id: GrantId,
    /// Whose.
    pub account_id: AccountId,
    /// Word of the role.
    pub role: String,
    /// Where.
    pub area_id: AreaId,
}

/// The newest accounts of the administrator's areas whose name, sign-in name or phone begins with
/// `search`, with their roles.
///
/// # Errors
/// When the database fails.
pub async fn managed(
    connection: &mut AnyConnection,
    administrator: &Has<Administrator>,
    search: &str,
) -> Result<(Vec<ManagedRow>, Vec<GrantRow>), Error> {
    let begin = prefix(search);
    let accounts: Vec<ManagedRow> = sqlx::query_as(
        "select account.id, account.name, account.sign_in_name, account.disabled_at from account \
         where exists (select 1 from account_grant own join area_closure closure \
         on closure.ancestor_id = own.area_id where own.account_id = $1 and own.role = 'administrator' \
         and own.revoked_at is null and closure.descendant_id = account.home_area_id) \
         and (account.sign_in_name like $3 escape '!' or lower(account.name) like $3 escape '!' \
         or account.phone like $3 escape '!') order by account.id desc limit $2",
    )
    .bind(administrator.account())
    .bind(PAGE)
    .bind(begin)
    .fetch_all(&mut *connection)
    .await?;
    let grants = sqlx::query_as(
        "select account_grant.id, account_grant.account_id, account_grant.role, \
         account_grant.area_id from account_grant \
         where account_grant.revoked_at is null and exists (select 1 from account_grant own \
         join area_closure closure on closure.ancestor_id = own.area_id \
         where own.account_id = $1 and own.role = 'administrator' and own.revoked_at is null \
         and closure.descendant_id = account_grant.area_id) order by account_grant.id",
    )
    .bind(administrator.account())
    .fetch_all(connection)
    .await?;
    Ok((accounts, grants))
}
