//! Something a person should see, kept until it is read. The table `notice`.

use sqlx::AnyConnection;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, NoticeId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A measure of one's household waits for verification.
    MeasureFulfilled,
    /// A measure was returned.
    MeasureReturned,
    /// A live class begins soon.
    ClassStarts,
    /// A measure of one's household lost the credential that fulfilled it.
    MeasureReopened,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::MeasureFulfilled => "measure_fulfilled",
            Self::MeasureReturned => "measure_returned",
            Self::ClassStarts => "class_starts",
            Self::MeasureReopened => "measure_reopened",
        }
    }
}

/// Leaves a notice; the same one at the same moment is one.
///
/// # Errors
/// When the database fails.
pub async fn leave(
    connection: &mut AnyConnection,
    account: AccountId,
    kind: Kind,
    subject: impl ToString + Send,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into notice (id, account_id, kind, subject_id, created_at) \
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(NoticeId::new())
    .bind(account)
    .bind(kind.word())
    .bind(subject.to_string())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks the notices about a subject as read.
///
/// # Errors
/// When the database fails.
pub async fn read(
    connection: &mut AnyConnection,
    account: AccountId,
    subject: impl ToString + Send,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update notice set read_at = $1 where account_id = $2 and subject_id = $3 \
         and read_at is null",
    )
    .bind(now)
    .bind(account)
    .bind(subject.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks the notices of one kind as read: the page that tells of all of them was shown.
///
/// # Errors
/// When the database fails.
pub async fn read_all(
    connection: &mut AnyConnection,
    account: AccountId,
    kind: Kind,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update notice set read_at = $1 where account_id = $2 and kind = $3 and read_at is null",
    )
    .bind(now)
    .bind(account)
    .bind(kind.word())
    .execute(connection)
    .await?;
    Ok(())
}

/// Unread notices of an account.
///
/// # Errors
/// When the database fails.
pub async fn unread(connection: &mut AnyConnection, account: AccountId) -> Result<i64, Error> {
    let (count,): (i64,) =
        sqlx::query_as("select count(*) from notice where account_id = $1 and read_at is null")
            .bind(account)
            .fetch_one(connection)
            .await?;
    Ok(count)
}

/// Subjects of the unread notices of one kind.
///
/// # Errors
/// When the database fails.
pub async fn unread_subjects(
    connection: &mut AnyConnection,
    account: AccountId,
    kind: Kind,
) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "select subject_id from notice where account_id = $1 and kind = $2 and read_at is null \
         order by created_at desc limit 100",
    )
    .bind(account)
    .bind(kind.word())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(subject,)| subject).collect())
}
