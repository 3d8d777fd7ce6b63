//! Printed sign-in cards: a QR code for a learner who cannot type.
//!
//! A new card ends the older ones of its account, so a lost card is withdrawn by printing another.

use std::time::Duration;

use qrcode::QrCode;
use qrcode::render::svg;
use sqlx::{AnyConnection, FromRow};

use super::session::Token;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, CardId};

/// A card works this long.
const LIFETIME: Duration = Duration::from_secs(180 * 24 * 3600);
/// A card that works once must be used within this time.
const SINGLE_USE_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// A card that was just made; the token is nowhere else.
pub struct Issued {
    /// For the QR code.
    pub token: Token,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Makes a card with the id that a form carries and withdraws the older ones of the account.
///
/// # Errors
/// [`Error::Conflict`] when the same form made one before: its token is nowhere any more, and a page that is
/// loaded again must not withdraw what it printed.
pub async fn issue(
    connection: &mut AnyConnection,
    id: CardId,
    account: AccountId,
    issued_by: AccountId,
    single_use: bool,
    now: Timestamp,
) -> Result<Issued, Error> {
    let token = Token::new()?;
    let expires_at = now.after(if single_use {
        SINGLE_USE_LIFETIME
    } else {
        LIFETIME
    });
    let made = sqlx::query(
        "insert into sign_in_card (id, token_hash, account_id, issued_by, issued_at, expires_at, \
         single_use_since) values ($1, $2, $3, $4, $5, $6, $7) \
         on conflict do nothing",
    )
    .bind(id)
    .bind(token.hash())
    .bind(account)
    .bind(issued_by)
    .bind(now)
    .bind(expires_at)
    .bind(single_use.then_some(now))
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() == 0 {
        return Err(Error::Conflict("card-printed"));
    }
    sqlx::query(
        "update sign_in_card set revoked_at = $1 \
         where account_id = $2 and revoked_at is null and id <> $3",
    )
    .bind(now)
    .bind(account)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(Issued { token, expires_at })
}

/// Withdraws every card of the account.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(
    connection: &mut AnyConnection,
    account: AccountId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update sign_in_card set revoked_at = $1 where account_id = $2 and revoked_at is null",
    )
    .bind(now)
    .bind(account)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose card it is.
#[derive(Clone, Debug, FromRow)]
pub struct Holder {
    /// Account.
    pub id: AccountId,
    /// Shown name.
    pub name: String,
}

/// The holder of a card that works now; `None` for every other token.
///
/// # Errors
/// When the database fails.
pub async fn holder(
    connection: &mut AnyConnection,
    token: &Token,
    now: Timestamp,
) -> Result<Option<Holder>, Error> {
    Ok(sqlx::query_as(
        "select account.id, account.name from sign_in_card card \
         join account on account.id = card.account_id \
         where card.token_hash = $1 and card.revoked_at is null and card.expires_at > $2 \
         and (card.single_use_since is null or card.used_at is null) \
         and account.disabled_at is null",
    )
    .bind(token.hash())
    .bind(now)
    .fetch_optional(connection)
    .await?)
}

/// Uses a card: of two at once, a card that works once lets one in.
///
/// # Errors
/// [`Error::CardRefused`] when it does not work.
pub async fn take(
    connection: &mut AnyConnection,
    token: &Token,
    now: Timestamp,
) -> Result<AccountId, Error> {
    let used: Option<(AccountId,)> = sqlx::query_as(
        "update sign_in_card set used_at = $1 where token_hash = $2 and revoked_at is null \
         and expires_at > $1 and (single_use_since is null or used_at is null) \
         and exists (select 1 from account where account.id = sign_in_card.account_id \
         and account.disabled_at is null) returning account_id",
    )
    .bind(now)
    .bind(token.hash())
    .fetch_optional(connection)
    .await?;
    used.map(|(account,)| account).ok_or(Error::CardRefused)
}

/// The QR code (ISO/IEC 18004) of an address, as SVG without size of its own.
///
/// # Errors
/// When the address is too long for a code.
pub fn qr_svg(address: &str) -> Result<String, Error> {
    let code =
        QrCode::new(address).map_err(|error| Error::Internal(format!("QR code: {error}")))?;
    Ok(code.render::<svg::Color>().min_dimensions(200, 200).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::courses::testing as people;
    use crate::db::testing;

    #[tokio::test]
    async fn a_card_that_works_once_lets_one_in_and_a_new_card_ends_the_old() {
        for (db, _folder) in testing::both().await {
            let mut tx = db.write().await.unwrap();
            let area = people::area(&mut tx).await;
            let account = people::teacher(&mut tx, area).await;
            let now = Timestamp(1_000);
            let once = issue(&mut tx, CardId::new(), account, account, true, now)
                .await
                .unwrap();
            assert_eq!(
                holder(&mut tx, &once.token, now).await.unwrap().unwrap().id,
                account
            );
            assert_eq!(take(&mut tx, &once.token, now).await.unwrap(), account);
            assert!(take(&mut tx, &once.token, now).await.is_err());
            assert!(holder(&mut tx, &once.token, now).await.unwrap().is_none());

            let lasting = issue(&mut tx, CardId::new(), account, account, false, now)
                .await
                .unwrap();
            take(&mut tx, &lasting.token, now).await.unwrap();
            take(&mut tx, &lasting.token, now).await.unwrap();
            assert!(
                take(&mut tx, &lasting.token, lasting.expires_at)
                    .await
                    .is_err()
            );
            let newer = issue(&mut tx, CardId::new(), account, account, false, now)
                .await
                .unwrap();
            assert!(take(&mut tx, &lasting.token, now).await.is_err());
            take(&mut tx, &newer.token, now).await.unwrap();

            let id = CardId::new();
            let printed = issue(&mut tx, id, account, account, false, now)
                .await
                .unwrap();
            let again = issue(&mut tx, id, account, account, false, now).await;
            assert!(matches!(again, Err(Error::Conflict("card-printed"))));
            take(&mut tx, &printed.token, now).await.unwrap();
        }
    }
}
