//! Stream keys: secrets with which an encoder publishes into a class. The table `live_key`.

use sqlx::{AnyConnection, FromRow};

use super::proof::{InClass, Leader};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{LiveClassId, StreamKeyId};
use crate::people::session::Token;

/// Keys of one class that work.
const MOST_KEYS: usize = 10;

/// A key that works; its secret is nowhere.
#[derive(Clone, Debug, FromRow)]
pub struct Key {
    /// Its id.
    pub id: StreamKeyId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Makes a key; the secret is shown once.
///
/// # Errors
/// [`Error::Conflict`] when the class has enough.
pub async fn issue(
    connection: &mut AnyConnection,
    proof: &InClass<Leader>,
    now: Timestamp,
) -> Result<Token, Error> {
    if list(&mut *connection, proof).await?.len() >= MOST_KEYS {
        return Err(Error::Conflict("class-full"));
    }
    let token = Token::new()?;
    sqlx::query(
        "insert into live_key (id, class_id, token_hash, created_by, created_at) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(StreamKeyId::new())
    .bind(proof.class())
    .bind(token.hash())
    .bind(proof.account())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(token)
}

/// The keys of a class that work.
///
/// # Errors
/// When the database fails.
pub async fn list(
    connection: &mut AnyConnection,
    proof: &InClass<Leader>,
) -> Result<Vec<Key>, Error> {
    Ok(sqlx::query_as(
        "select id, created_at from live_key where class_id = $1 and revoked_at is null \
         order by created_at, id",
    )
    .bind(proof.class())
    .fetch_all(connection)
    .await?)
}

/// Ends a key.
///
/// # Errors
/// [`Error::NotFound`] when the class has no such key that works.
pub async fn revoke(
    connection: &mut AnyConnection,
    proof: &InClass<Leader>,
    key: StreamKeyId,
    now: Timestamp,
) -> Result<(), Error> {
    let ended = sqlx::query(
        "update live_key set revoked_at = $1 where id = $2 and class_id = $3 \
         and revoked_at is null",
    )
    .bind(now)
    .bind(key)
    .bind(proof.class())
    .execute(connection)
    .await?;
    if ended.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

/// The class of a key that works, while the class is neither over nor cancelled.
///
/// # Errors
/// When the database fails.
pub async fn class_of(
    connection: &mut AnyConnection,
    secret: &str,
) -> Result<Option<LiveClassId>, Error> {
    let Some(token) = Token::received(secret) else {
        return Ok(None);
    };
    let row: Option<(LiveClassId,)> = sqlx::query_as(
        "select class.id from live_key own join live_class class on class.id = own.class_id \
         where own.token_hash = $1 and own.revoked_at is null and class.ended_at is null \
         and class.cancelled_at is null",
    )
    .bind(token.hash())
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(class,)| class))
}
