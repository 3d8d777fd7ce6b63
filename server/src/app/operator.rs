//! What the operator does from a shell: the first administrator, and a look at the audit chain.

use std::io::Read as _;

use sqlx::AnyConnection;

use crate::audit::{self, Entry};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, AreaId};
use crate::people::accounts::{self, NewAccount};
use crate::people::areas::{self, NewArea};
use crate::people::password::{self, Passwords};
use crate::people::{Role, grants};

/// An account that was made, with the password that nobody else has seen.
pub struct Created {
    /// Name to sign in with.
    pub sign_in_name: String,
    /// Present when it was made up here.
    pub password: Option<String>,
}

/// Makes an administrator of every top area, and a top area when there is none yet.
///
/// # Errors
/// When the name is taken, the password too short, or the database fails.
pub async fn create_administrator(
    db: &Db,
    name: &str,
    sign_in_name: Option<&str>,
    given: Option<String>,
) -> Result<Created, Error> {
    let joined: String = name.split_whitespace().collect();
    let mut new = NewAccount::new(name, sign_in_name.unwrap_or(&joined), "")?;
    let made_up = match given {
        Some(_) => None,
        None => Some(password::made_up()?),
    };
    let chosen = given.or_else(|| made_up.clone()).unwrap_or_default();
    new.password_hash = Some(Passwords::default().hash(&chosen).await?);
    let now = Clock::System.now();
    let mut transaction = db.write().await?;
    let tops = tops(&mut transaction, now).await?;
    new.area = tops.first().copied();
    let account = accounts::create(&mut transaction, &new, None, now).await?;
    for top in tops {
        grants::insert(
            &mut transaction,
            account,
            Role::Administrator,
            top,
            None,
            now,
        )
        .await?;
    }
    note(&mut transaction, account, now).await?;
    transaction.commit().await?;
    Ok(Created {
        sign_in_name: new.sign_in_name,
        password: made_up,
    })
}

async fn tops(connection: &mut AnyConnection, now: Timestamp) -> Result<Vec<AreaId>, Error> {
    let tops = areas::tops(&mut *connection).await?;
    if !tops.is_empty() {
        return Ok(tops);
    }
    let whole = NewArea::new("0", "province", "全部地区", "All areas")?;
    Ok(vec![areas::create(connection, None, &whole, now).await?])
}

async fn note(
    connection: &mut AnyConnection,
    account: AccountId,
    at: Timestamp,
) -> Result<(), Error> {
    let entry = Entry {
        account: None,
        action: "administrator.created",
        subject_kind: "account",
        subject_id: account.to_string(),
        reason: None,
        at,
    };
    Ok(audit::append(connection, entry).await?)
}

/// The first line of standard input.
///
/// # Errors
/// When it cannot be read.
pub fn password_from_stdin() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(1024).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Number of the first audit entry that does not fit the chain.
///
/// # Errors
/// When the database fails.
pub async fn verify_audit(
    config: &Config,
) -> Result<Option<i64>, Box<dyn std::error::Error + Send + Sync>> {
    let db = Db::open(&config.database_url).await?;
    let mut connection = db.read().await?;
    let broken = audit::first_broken(&mut connection).await?;
    drop(connection);
    db.close().await;
    Ok(broken)
}
