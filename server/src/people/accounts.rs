//! The table `account`: names, phones, and what signing in needs.

use sqlx::{AnyConnection, FromRow};

use super::grants::ManagedAccount;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, AreaId};

/// Longest shown or sign-in name, in characters.
const LONGEST_NAME: usize = 100;

/// A new account, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Shown to people.
    pub name: String,
    /// Lowered.
    pub sign_in_name: String,
    /// Digits with an optional leading plus.
    pub phone: Option<String>,
    /// PHC string; absent for sign-in by card alone.
    pub password_hash: Option<String>,
    /// Where the person belongs.
    pub area: Option<AreaId>,
}

impl NewAccount {
    /// Checks the names and the phone; an empty phone is none.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the form's field.
    pub fn new(name: &str, sign_in_name: &str, phone: &str) -> Result<Self, Error> {
        let phone = match phone.trim() {
            "" => None,
            given => Some(self::phone(given).ok_or_else(|| invalid("phone", "phone"))?),
        };
        Ok(Self {
            name: self::name("name", name)?,
            sign_in_name: self::sign_in_name(sign_in_name)?,
            phone,
            password_hash: None,
            area: None,
        })
    }
}

/// Digits with an optional leading plus, as ITU-T E.164 allows; spaces, dashes and brackets go.
#[must_use]
pub fn phone(given: &str) -> Option<String> {
    let kept: String = given
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '(' | ')'))
        .collect();
    let digits = kept.strip_prefix('+').unwrap_or(&kept);
    let good = (5..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    good.then_some(kept)
}

/// What somebody typed to say who he or she is, in its one form, however it was spelled: a phone
/// number as it is kept, or a lowered name. A name is never a phone number, so the two do not meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GivenName(String);

impl GivenName {
    /// Reads a field.
    #[must_use]
    pub fn new(given: &str) -> Self {
        Self(phone(given).unwrap_or_else(|| given.trim().to_lowercase()))
    }
}

fn name(field: &'static str, given: &str) -> Result<String, Error> {
    let name = given.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        return Err(invalid(field, "required"));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(invalid(field, "too-long"));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid(field, "name"));
    }
    Ok(name)
}

/// Lowered; never only digits, so that it cannot stand for somebody else's phone.
fn sign_in_name(given: &str) -> Result<String, Error> {
    let name = name("sign_in_name", given)?.to_lowercase();
    if name.contains(' ') || phone(&name).is_some() {
        return Err(invalid("sign_in_name", "name"));
    }
    Ok(name)
}

fn invalid(field: &'static str, reason: &'static str) -> Error {
    Error::Invalid { field, reason }
}

/// Adds an account.
///
/// # Errors
/// [`Error::Invalid`] when the sign-in name or the phone is taken.
pub async fn create(
    connection: &mut AnyConnection,
    new: &NewAccount,
    created_by: Option<AccountId>,
    now: Timestamp,
) -> Result<AccountId, Error> {
    let id = AccountId::new();
    let added = sqlx::query(
        "insert into account (id, name, sign_in_name, phone, password_hash, home_area_id, \
         created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
    )
    .bind(id)
    .bind(&new.name)
    .bind(&new.sign_in_name)
    .bind(&new.phone)
    .bind(&new.password_hash)
    .bind(new.area)
    .bind(now)
    .bind(created_by)
    .execute(&mut *connection)
    .await?;
    if added.rows_affected() == 1 {
        return Ok(id);
    }
    let by_name: Option<(AccountId,)> =
        sqlx::query_as("select id from account where sign_in_name = $1")
            .bind(&new.sign_in_name)
            .fetch_optional(connection)
            .await?;
    Err(match by_name {
        Some(_) => invalid("sign_in_name", "name-taken"),
        None => invalid("phone", "phone-taken"),
    })
}

/// Adds an account for somebody who comes by a class code: a shown name, no way to sign in again.
///
/// # Errors
/// [`Error::Invalid`] for a name that cannot be shown.
pub async fn create_guest(
    connection: &mut AnyConnection,
    name: &str,
    now: Timestamp,
) -> Result<AccountId, Error> {
    let id = AccountId::new();
    sqlx::query(
        "insert into account (id, name, sign_in_name, created_at, guest_since) \
         values ($1, $2, $3, $4, $4)",
    )
    .bind(id)
    .bind(self::name("name", name)?)
    .bind(format!("guest {id}"))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(id)
}

/// What signing in needs.
#[derive(Clone, Debug, FromRow)]
pub struct Credentials {
    /// Who.
    pub id: AccountId,
    /// PHC string.
    pub password_hash: Option<String>,
}

/// The account behind a sign-in name or phone number, if it may sign in.
///
/// # Errors
/// When the database fails.
pub async fn by_name_or_phone(
    connection: &mut AnyConnection,
    GivenName(given): &GivenName,
) -> Result<Option<Credentials>, Error> {
    Ok(sqlx::query_as(
        "select id, password_hash from account \
         where (sign_in_name = $1 or phone = $1) and disabled_at is null",
    )
    .bind(given)
    .fetch_optional(connection)
    .await?)
}

/// What the owner sees of an account.
#[derive(Clone, Debug, FromRow)]
pub struct Own {
    /// Shown name.
    pub name: String,
    /// Sign-in name.
    pub sign_in_name: String,
    /// PHC string.
    pub password_hash: Option<String>,
}

/// One's own account.
///
/// # Errors
/// [`Error::NotFound`] or when the database fails.
pub async fn own(connection: &mut AnyConnection, account: AccountId) -> Result<Own, Error> {
    sqlx::query_as("select name, sign_in_name, password_hash from account where id = $1")
        .bind(account)
        .fetch_optional(connection)
        .await?
        .ok_or(Error::NotFound)
}

/// Changes the password, if it still is the one that was checked.
///
/// # Errors
/// [`Error::Conflict`] when somebody changed it meanwhile.
pub async fn set_password(
    connection: &mut AnyConnection,
    account: AccountId,
    checked_hash: &str,
    hash: &str,
) -> Result<(), Error> {
    let set =
        sqlx::query("update account set password_hash = $1 where id = $2 and password_hash = $3")
            .bind(hash)
            .bind(account)
            .bind(checked_hash)
            .execute(connection)
            .await?;
    changed(set.rows_affected())
}

/// Sets a password for somebody who lost it; whoever knows the old one goes by [`set_password`].
///
/// # Errors
/// When the database fails.
pub async fn give_password(
    connection: &mut AnyConnection,
    managed: &ManagedAccount,
    hash: &str,
) -> Result<(), Error> {
    sqlx::query("update account set password_hash = $1 where id = $2")
        .bind(hash)
        .bind(managed.account())
        .execute(connection)
        .await?;
    Ok(())
}

/// Closes an account: nobody signs in to it any more.
///
/// # Errors
/// [`Error::Conflict`] when it is closed already.
pub async fn close(
    connection: &mut AnyConnection,
    managed: &ManagedAccount,
    now: Timestamp,
) -> Result<(), Error> {
    let closed =
        sqlx::query("update account set disabled_at = $1 where id = $2 and disabled_at is null")
            .bind(now)
            .bind(managed.account())
            .execute(connection)
            .await?;
    changed(closed.rows_affected())
}

/// Opens a closed account again.
///
/// # Errors
/// [`Error::Conflict`] when it is open.
pub async fn open_again(
    connection: &mut AnyConnection,
    managed: &ManagedAccount,
) -> Result<(), Error> {
    let opened = sqlx::query(
        "update account set disabled_at = null where id = $1 and disabled_at is not null",
    )
    .bind(managed.account())
    .execute(connection)
    .await?;
    changed(opened.rows_affected())
}

fn changed(rows: u64) -> Result<(), Error> {
    match rows {
        1 => Ok(()),
        _ => Err(Error::Conflict("state")),
    }
}

/// Remembers the language of an account.
///
/// # Errors
/// When the database fails.
pub async fn set_language(
    connection: &mut AnyConnection,
    account: AccountId,
    language: &str,
) -> Result<(), Error> {
    sqlx::query("update account set language = $1 where id = $2")
        .bind(language)
        .bind(account)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether no account exists yet.
///
/// # Errors
/// When the database fails.
pub async fn is_empty(connection: &mut AnyConnection) -> Result<bool, Error> {
    let any: Option<(AccountId,)> = sqlx::query_as("select id from account limit 1")
        .fetch_optional(connection)
        .await?;
    Ok(any.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing;

    #[test]
    fn names_and_phones_are_checked() {
        let new = NewAccount::new(" 王  芳 ", "WangFang", "+86 138-0000 0000").unwrap();
        assert_eq!(new.name, "王 芳");
        assert_eq!(new.sign_in_name, "wangfang");
        assert_eq!(new.phone.as_deref(), Some("+8613800000000"));
        for (name, sign_in_name, phone) in [
            ("", "a", ""),
            ("A", " ", ""),
            ("A", "13800000000", ""),
            ("A", "two words", ""),
            ("A", "a", "12ab5678"),
        ] {
            assert!(NewAccount::new(name, sign_in_name, phone).is_err());
        }
    }

    #[tokio::test]
    async fn a_name_and_a_phone_belong_to_one_account() {
        for (db, _folder) in testing::both().await {
            let now = Timestamp(1);
            let mut tx = db.write().await.unwrap();
            let name = format!("a{}", uuid::Uuid::now_v7().simple());
            let mut new = NewAccount::new("A", &name, "").unwrap();
            let digits: String = name
                .bytes()
                .filter(u8::is_ascii_digit)
                .map(char::from)
                .collect();
            new.phone = Some(format!("{digits:0>15}")[..15].to_owned());
            let id = create(&mut tx, &new, None, now).await.unwrap();
            let taken = create(&mut tx, &new, None, now).await.unwrap_err();
            assert!(matches!(
                taken,
                Error::Invalid {
                    reason: "name-taken",
                    ..
                }
            ));
            new.sign_in_name.push('2');
            let taken = create(&mut tx, &new, None, now).await.unwrap_err();
            assert!(matches!(
                taken,
                Error::Invalid {
                    reason: "phone-taken",
                    ..
                }
            ));
            let phone = new.phone.clone().unwrap();
            for given in [name.to_uppercase(), phone] {
                let given = GivenName::new(&given);
                let found = by_name_or_phone(&mut tx, &given).await.unwrap().unwrap();
                assert_eq!(found.id, id);
            }
        }
    }
}
