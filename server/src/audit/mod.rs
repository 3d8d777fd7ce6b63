//! Append-only, hash-chained log of who read or changed what.
//!
//! No personal data ever stands in a row: ids and fixed words only, so the chain stays valid when a
//! person's record is erased.

use sha2::{Digest, Sha256};
use sqlx::{Any, AnyConnection, Row};

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::request::RequestId;

/// What is written down.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Who; absent for what the system does by itself.
    pub account: Option<AccountId>,
    /// A fixed word, for example `measure.verified`.
    pub action: &'static str,
    /// A fixed word, for example `household`.
    pub subject_kind: &'static str,
    /// An id.
    pub subject_id: String,
    /// Asked for outside one's own cases.
    pub reason: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

impl Entry<'_> {
    /// What somebody did with his or her own account.
    #[must_use]
    pub fn about_self(account: AccountId, action: &'static str, at: Timestamp) -> Self {
        Self {
            account: Some(account),
            action,
            subject_kind: "account",
            subject_id: account.to_string(),
            reason: None,
            at,
        }
    }
}

/// Appends `entry` in the caller's transaction. Writers wait for each other at the chain's head, so this
/// comes last: whoever holds the head must not wait for anything else.
///
/// # Errors
/// When the database fails; the caller's transaction must then be dropped.
pub async fn append(transaction: &mut AnyConnection, entry: Entry<'_>) -> Result<(), sqlx::Error> {
    // The update locks the head until the transaction ends, so number and hash cannot fork.
    let head = sqlx::query(
        "update audit_head set number = number + 1 where id = 1 returning number, hash",
    )
    .fetch_one(&mut *transaction)
    .await?;
    let number: i64 = head.try_get("number")?;
    let previous: String = head.try_get("hash")?;
    let account = entry.account.map(|id| id.to_string());
    let request = RequestId::current().map(|id| id.as_str().to_owned());
    let row = Link {
        number,
        at: entry.at,
        account: account.as_deref(),
        action: entry.action,
        subject_kind: entry.subject_kind,
        subject_id: &entry.subject_id,
        reason: entry.reason,
        request_id: request.as_deref(),
    };
    let hash = row.hash(&previous);
    sqlx::query::<Any>(
        "insert into audit (number, recorded_at, account_id, action, subject_kind, subject_id, \
         reason, request_id, previous_hash, hash) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(number)
    .bind(entry.at)
    .bind(account)
    .bind(entry.action)
    .bind(entry.subject_kind)
    .bind(&entry.subject_id)
    .bind(entry.reason)
    .bind(&request)
    .bind(&previous)
    .bind(&hash)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("update audit_head set hash = $1 where id = 1")
        .bind(&hash)
        .execute(transaction)
        .await?;
    Ok(())
}

/// The number of the first entry that does not fit the chain or is missing from its end; `None`
/// when all fit.
///
/// # Errors
/// When the database fails.
pub async fn first_broken(connection: &mut AnyConnection) -> Result<Option<i64>, sqlx::Error> {
    // Before the rows, which may grow meanwhile: the head knows how long the chain is at least, so
    // an end that was cut off is missed.
    let (head, head_hash): (i64, String) =
        sqlx::query_as("select number, hash from audit_head where id = 1")
            .fetch_one(&mut *connection)
            .await?;
    let mut previous = String::new();
    let mut last = 0_i64;
    loop {
        let rows = sqlx::query(
            "select number, recorded_at, account_id, action, subject_kind, subject_id, reason, \
             request_id, hash from audit where number > $1 order by number limit 500",
        )
        .bind(last)
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            return Ok((last < head).then_some(last + 1));
        }
        for row in rows {
            let number: i64 = row.try_get("number")?;
            let hash: String = row.try_get("hash")?;
            let expected = Link {
                number,
                at: Timestamp(row.try_get("recorded_at")?),
                account: row.try_get::<Option<String>, _>("account_id")?.as_deref(),
                action: &row.try_get::<String, _>("action")?,
                subject_kind: &row.try_get::<String, _>("subject_kind")?,
                subject_id: &row.try_get::<String, _>("subject_id")?,
                reason: row.try_get::<Option<String>, _>("reason")?.as_deref(),
                request_id: row.try_get::<Option<String>, _>("request_id")?.as_deref(),
            }
            .hash(&previous);
            let fits_head = number != head || hash == head_hash;
            if number != last + 1 || hash != expected || !fits_head {
                return Ok(Some(last + 1));
            }
            last = number;
            previous = hash;
        }
    }
}

/// A row as it is hashed.
struct Link<'a> {
    number: i64,
    at: Timestamp,
    account: Option<&'a str>,
    action: &'a str,
    subject_kind: &'a str,
    subject_id: &'a str,
    reason: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl Link<'_> {
    /// SHA-256 over the previous hash and every field, each with its length before it so that no two
    /// different rows read the same.
    fn hash(&self, previous: &str) -> String {
        let mut hasher = Sha256::new();
        let (number, at) = (self.number.to_string(), self.at.0.to_string());
        let fields = [
            previous,
            &number,
            &at,
            self.account.unwrap_or(""),
            self.action,
            self.subject_kind,
            self.subject_id,
            self.reason.unwrap_or(""),
            self.request_id.unwrap_or(""),
        ];
        for field in fields {
            hasher.update(field.len().to_be_bytes());
            hasher.update(field);
        }
        hex::encode(hasher.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Engine, testing};
    use sqlx::Executor;

    #[tokio::test]
    async fn a_changed_row_breaks_the_chain_and_the_database_refuses_to_change_it() {
        for (db, _folder) in testing::both().await {
            let mut transaction = db.write().await.unwrap();
            for subject in ["a", "b", "c"] {
                let entry = Entry {
                    account: None,
                    action: "household.read",
                    subject_kind: "household",
                    subject_id: subject.into(),
                    reason: None,
                    at: Timestamp(7),
                };
                append(&mut transaction, entry).await.unwrap();
            }
            assert_eq!(first_broken(&mut transaction).await.unwrap(), None);
            transaction.commit().await.unwrap();

            let mut transaction = db.write().await.unwrap();
            let refused = sqlx::query("update audit set subject_id = 'x' where number = 2")
                .execute(&mut *transaction)
                .await;
            assert!(refused.unwrap_err().to_string().contains("append-only"));
            drop(transaction);

            let drop_guard = match db.engine() {
                Engine::Sqlite => "drop trigger audit_refuse_update",
                Engine::Postgres => "drop trigger audit_refuse_update on audit",
            };
            let mut transaction = db.write().await.unwrap();
            transaction.execute(drop_guard).await.unwrap();
            transaction
                .execute("update audit set subject_id = 'x' where number = 2")
                .await
                .unwrap();
            assert_eq!(first_broken(&mut transaction).await.unwrap(), Some(2));
        }
    }

    #[tokio::test]
    async fn an_end_that_was_cut_off_is_found_and_a_request_stands_in_its_row() {
        for (db, _folder) in testing::both().await {
            let mut transaction = db.write().await.unwrap();
            let request = RequestId::new();
            request
                .clone()
                .scope(async {
                    for at in [1, 2] {
                        let account = AccountId::new();
                        let entry = Entry::about_self(account, "session.begun", Timestamp(at));
                        append(&mut transaction, entry).await.unwrap();
                    }
                })
                .await;
            let (kept,): (String,) =
                sqlx::query_as("select request_id from audit where number = 2")
                    .fetch_one(&mut *transaction)
                    .await
                    .unwrap();
            assert_eq!(kept, request.as_str());
            assert_eq!(first_broken(&mut transaction).await.unwrap(), None);
            let drop_guard = match db.engine() {
                Engine::Sqlite => "drop trigger audit_refuse_delete",
                Engine::Postgres => "drop trigger audit_refuse_delete on audit",
            };
            for sql in [drop_guard, "delete from audit where number = 2"] {
                transaction.execute(sql).await.unwrap();
            }
            assert_eq!(first_broken(&mut transaction).await.unwrap(), Some(2));
        }
    }
}
