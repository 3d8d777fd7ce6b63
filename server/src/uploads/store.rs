//! The tables `upload`, `upload_part` and `upload_account`.

use sqlx::{AnyConnection, FromRow};

use super::{LIFETIME, MOST_OPEN, NewUpload};
use crate::clock::Timestamp;
use crate::courses::proof::InLesson;
use crate::error::Error;
use crate::id::{AccountId, LessonId, UploadId};
use crate::people::Teacher;

/// An upload as its owner sees it.
#[derive(Clone, Debug, FromRow)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The lesson that it is for.
    #[sqlx(rename = "subject_id")]
    pub lesson_id: LessonId,
    /// Length of the whole file.
    pub length_bytes: i64,
    /// Bytes that are durable.
    pub offset_bytes: i64,
    /// When it is removed, if nothing more comes.
    pub expires_at: Timestamp,
    /// When its last byte was durable.
    pub completed_at: Option<Timestamp>,
    /// When it was given up.
    pub terminated_at: Option<Timestamp>,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Part {
    /// Its object.
    pub object_key: String,
    /// First byte within the file.
    pub offset_bytes: i64,
    /// Bytes.
    pub length_bytes: i64,
}

/// Begins an upload, unless the account has too many open ones.
///
/// # Errors
/// [`Error::TooMany`], or when the database fails.
pub async fn create(
    connection: &mut AnyConnection,
    lesson: &InLesson<Teacher>,
    new: &NewUpload,
    now: Timestamp,
) -> Result<Upload, Error> {
    // Locks the account's row until the transaction ends, so that two requests cannot both count
    // one upload less than there will be.
    sqlx::query(
        "insert into upload_account (account_id, uploads) values ($1, 1) \
         on conflict (account_id) do update set uploads = upload_account.uploads + 1",
    )
    .bind(lesson.account())
    .execute(&mut *connection)
    .await?;
    let (open,): (i64,) = sqlx::query_as(
        "select count(*) from upload where account_id = $1 and completed_at is null \
         and terminated_at is null and expires_at > $2",
    )
    .bind(lesson.account())
    .bind(now)
    .fetch_one(&mut *connection)
    .await?;
    if open >= MOST_OPEN {
        return Err(Error::TooMany {
            retry_after_s: 3600,
        });
    }
    let length = i64::try_from(new.length_bytes)
        .map_err(|_| Error::Malformed("the length is too large".into()))?;
    Ok(sqlx::query_as(
        "insert into upload (id, account_id, purpose, subject_id, file_name, media_type, \
         length_bytes, offset_bytes, created_at, expires_at) \
         values ($1, $2, 'lesson_video', $3, $4, $5, $6, 0, $7, $8) \
         returning id, account_id, subject_id, length_bytes, offset_bytes, expires_at, \
         completed_at, terminated_at",
    )
    .bind(UploadId::new())
    .bind(lesson.account())
    .bind(lesson.lesson())
    .bind(&new.file_name)
    .bind(&new.media_type)
    .bind(length)
    .bind(now)
    .bind(now.after(LIFETIME))
    .fetch_one(connection)
    .await?)
}

/// The account's own upload.
///
/// # Errors
/// When the database fails.
pub async fn find(
    connection: &mut AnyConnection,
    account: AccountId,
    id: UploadId,
) -> Result<Option<Upload>, Error> {
    Ok(sqlx::query_as(
        "select id, account_id, subject_id, length_bytes, offset_bytes, expires_at, \
         completed_at, terminated_at from upload where id = $1 and account_id = $2",
    )
    .bind(id)
    .bind(account)
    .fetch_optional(connection)
    .await?)
}

/// Writes down that a part is about to be stored.
///
/// # Errors
/// When the database fails.
pub async fn begin_part(
    connection: &mut AnyConnection,
    upload: UploadId,
    part: &Part,
) -> Result<(), Error> {
    sqlx::query(
        "insert into upload_part (object_key, upload_id, offset_bytes, length_bytes) \
         values ($1, $2, $3, $4)",
    )
    .bind(&part.object_key)
    .bind(upload)
    .bind(part.offset_bytes)
    .bind(part.length_bytes)
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the offset over durable parts; the one conditional update decides between two clients.
/// Returns whether the upload is complete now.
///
/// # Errors
/// [`Error::Conflict`] when the offset is not `from` any more or the upload has ended.
pub async fn advance(
    connection: &mut AnyConnection,
    upload: UploadId,
    from: i64,
    parts: &[Part],
    now: Timestamp,
) -> Result<bool, Error> {
    let to = from + parts.iter().map(|part| part.length_bytes).sum::<i64>();
    let moved: Option<(i64,)> = sqlx::query_as(
        "update upload set offset_bytes = $1, expires_at = $2 where id = $3 and offset_bytes = $4 \
         and length_bytes >= $1 and completed_at is null and terminated_at is null \
         returning length_bytes",
    )
    .bind(to)
    .bind(now.after(LIFETIME))
    .bind(upload)
    .bind(from)
    .fetch_optional(&mut *connection)
    .await?;
    let (length,) = moved.ok_or(Error::Conflict("upload-offset"))?;
    for part in parts {
        let stored = sqlx::query(
            "update upload_part set stored_at = $1 where object_key = $2 and stored_at is null",
        )
        .bind(now)
        .bind(&part.object_key)
        .execute(&mut *connection)
        .await?;
        if stored.rows_affected() != 1 {
            return Err(Error::Conflict("upload-offset"));
        }
    }
    if to < length {
        return Ok(false);
    }
    sqlx::query("update upload set completed_at = $1 where id = $2")
        .bind(now)
        .bind(upload)
        .execute(connection)
        .await?;
    Ok(true)
}

/// The parts of the file in order.
///
/// # Errors
/// When the database fails.
pub async fn stored_parts(
    connection: &mut AnyConnection,
    upload: UploadId,
) -> Result<Vec<Part>, Error> {
    Ok(sqlx::query_as(
        "select object_key, offset_bytes, length_bytes from upload_part \
         where upload_id = $1 and stored_at is not null order by offset_bytes",
    )
    .bind(upload)
    .fetch_all(connection)
    .await?)
}

/// Gives an incomplete upload up; false when it has ended already.
///
/// # Errors
/// When the database fails.
pub async fn terminate(
    connection: &mut AnyConnection,
    account: AccountId,
    id: UploadId,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = sqlx::query(
        "update upload set terminated_at = $1 where id = $2 and account_id = $3 \
         and terminated_at is null and completed_at is null",
    )
    .bind(now)
    .bind(id)
    .bind(account)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Gives up every incomplete upload whose time is over.
///
/// # Errors
/// When the database fails.
pub async fn terminate_expired(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<u64, Error> {
    let changed = sqlx::query(
        "update upload set terminated_at = $1 \
         where expires_at <= $1 and terminated_at is null and completed_at is null",
    )
    .bind(now)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected())
}

/// A few uploads that still have parts although nobody needs them: given up, or their job ended.
/// A job that failed by the system's fault keeps its file for a while, for another try.
///
/// # Errors
/// When the database fails.
pub async fn removable(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<UploadId>, Error> {
    let rows: Vec<(UploadId,)> = sqlx::query_as(
        "select distinct upload_part.upload_id from upload_part \
         join upload on upload.id = upload_part.upload_id \
         where upload.terminated_at is not null \
         or exists (select 1 from job where job.upload_id = upload.id \
           and (job.status in ('done', 'refused', 'replaced') \
             or (job.status = 'failed' and upload.expires_at <= $1))) \
         limit 32",
    )
    .bind(now)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A few parts of an upload, stored or only begun.
///
/// # Errors
/// When the database fails.
pub async fn any_parts(
    connection: &mut AnyConnection,
    upload: UploadId,
) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> =
        sqlx::query_as("select object_key from upload_part where upload_id = $1 limit 64")
            .bind(upload)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// Forgets a part whose object is gone.
///
/// # Errors
/// When the database fails.
pub async fn forget_part(connection: &mut AnyConnection, object_key: &str) -> Result<(), Error> {
    sqlx::query("delete from upload_part where object_key = $1")
        .bind(object_key)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a file for the lesson is on its way.
///
/// # Errors
/// When the database fails.
pub async fn is_under_way(
    connection: &mut AnyConnection,
    lesson: LessonId,
    now: Timestamp,
) -> Result<bool, Error> {
    let open: Option<(UploadId,)> = sqlx::query_as(
        "select id from upload where subject_id = $1 and completed_at is null \
         and terminated_at is null and expires_at > $2 limit 1",
    )
    .bind(lesson)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    Ok(open.is_some())
}
