//! Captions that teachers give a recording. They belong to the recording, not to the lesson: its times are
//! theirs. Whoever sees the recording sees them, in published versions too.

use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, FromRow};

use super::proof::InLesson;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{CaptionId, TimelineId};
use crate::jobs::prepared::prefix;
use crate::objects::Key;
use crate::people::Teacher;

/// Languages that captions can be in, with the names that their speakers give them.
pub const LANGUAGES: [(&str, &str); 9] = [
    ("zh", "中文"),
    ("en", "English"),
    ("bo", "བོད་ཡིག"),
    ("ii", "ꆈꌠꉙ"),
    ("kk", "قازاقشا"),
    ("ko", "조선말"),
    ("mn", "ᠮᠣᠩᠭᠣᠯ"),
    ("ug", "ئۇيغۇرچە"),
    ("za", "Vahcuengh"),
];

/// What a language is called by those who speak it.
#[must_use]
pub fn own_name(language: &str) -> &str {
    let known = LANGUAGES.iter().find(|(code, _)| *code == language);
    known.map_or(language, |(_, name)| name)
}

/// Captions that a recording is shown with.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Given {
    /// Their id.
    pub id: CaptionId,
    /// One of [`LANGUAGES`].
    pub language: String,
}

impl Given {
    /// Name of the file below the recording's.
    #[must_use]
    pub fn file(&self) -> String {
        file(self.id)
    }

    /// What people call it.
    #[must_use]
    pub fn label(&self) -> &str {
        own_name(&self.language)
    }
}

fn file(id: CaptionId) -> String {
    format!("given/{id}.vtt")
}

/// Where the object is.
///
/// # Errors
/// Never, since ids are safe.
pub fn key(timeline: TimelineId, id: CaptionId) -> Result<Key, Error> {
    Ok(Key::new(format!("{}/{}", prefix(timeline), file(id)))?)
}

/// Captions that are about to be stored.
#[derive(Clone, Debug)]
pub struct NewCaptions {
    /// The recording.
    pub timeline: TimelineId,
    language: &'static str,
    bytes: i64,
    digest: String,
}

impl NewCaptions {
    /// Of this text, which is `WebVTT`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a language that is not one of [`LANGUAGES`].
    pub fn new(timeline: TimelineId, language: &str, text: &str) -> Result<Self, Error> {
        let known = LANGUAGES.iter().find(|(code, _)| *code == language);
        let (language, _) = known.ok_or(Error::Invalid {
            field: "language",
            reason: "choice",
        })?;
        Ok(Self {
            timeline,
            language,
            bytes: i64::try_from(text.len()).unwrap_or(i64::MAX),
            digest: hex::encode(Sha256::digest(text)),
        })
    }
}

/// What a recording is shown with, in the order of [`LANGUAGES`].
///
/// # Errors
/// When the database fails.
pub async fn of(connection: &mut AnyConnection, timeline: TimelineId) -> Result<Vec<Given>, Error> {
    let mut given: Vec<Given> = sqlx::query_as(
        "select id, language from caption \
         where timeline_id = $1 and stored_at is not null and removed_at is null",
    )
    .bind(timeline)
    .fetch_all(connection)
    .await?;
    let place = |own: &Given| LANGUAGES.iter().position(|(code, _)| *code == own.language);
    given.sort_by_key(place);
    Ok(given)
}

/// Writes down that captions are about to be stored; `None` when just these are shown already.
///
/// # Errors
/// [`Error::Conflict`] when the lesson does not show this recording, or not all of it yet.
pub async fn begin(
    connection: &mut AnyConnection,
    proof: &InLesson<Teacher>,
    new: &NewCaptions,
    now: Timestamp,
) -> Result<Option<CaptionId>, Error> {
    hold(&mut *connection, proof, new.timeline).await?;
    let same: Option<(CaptionId,)> = sqlx::query_as(
        "select id from caption where timeline_id = $1 and language = $2 and digest = $3 \
         and stored_at is not null and removed_at is null",
    )
    .bind(new.timeline)
    .bind(new.language)
    .bind(&new.digest)
    .fetch_optional(&mut *connection)
    .await?;
    if same.is_some() {
        return Ok(None);
    }
    let id = CaptionId::new();
    sqlx::query(
        "insert into caption (id, timeline_id, language, bytes, digest, account_id, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(new.timeline)
    .bind(new.language)
    .bind(new.bytes)
    .bind(&new.digest)
    .bind(proof.account())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(Some(id))
}

/// Shows captions whose object is stored, instead of others in their language.
///
/// # Errors
/// [`Error::Conflict`] when the lesson has another recording by now, or it took too long.
pub async fn show(
    connection: &mut AnyConnection,
    proof: &InLesson<Teacher>,
    new: &NewCaptions,
    id: CaptionId,
    now: Timestamp,
) -> Result<(), Error> {
    hold(&mut *connection, proof, new.timeline).await?;
    sqlx::query(
        "update caption set removed_at = $1 where timeline_id = $2 and language = $3 \
         and stored_at is not null and removed_at is null",
    )
    .bind(now)
    .bind(new.timeline)
    .bind(new.language)
    .execute(&mut *connection)
    .await?;
    let shown = sqlx::query(
        "update caption set stored_at = $1 where id = $2 and timeline_id = $3 and stored_at is null",
    )
    .bind(now)
    .bind(id)
    .bind(new.timeline)
    .execute(connection)
    .await?;
    match shown.rows_affected() {
        1 => Ok(()),
        _ => Err(Error::Conflict("recording-changed")),
    }
}

/// Locks the recording's row: of each language, one is shown, whoever comes at the same time.
async fn hold(
    connection: &mut AnyConnection,
    proof: &InLesson<Teacher>,
    timeline: TimelineId,
) -> Result<(), Error> {
    let held = sqlx::query(
        "update timeline set total_bytes = total_bytes where id = $1 \
         and unfinished_since is null and id = (select timeline_id from lesson where id = $2)",
    )
    .bind(timeline)
    .bind(proof.lesson())
    .execute(connection)
    .await?;
    match held.rows_affected() {
        1 => Ok(()),
        _ => Err(Error::Conflict("recording-changed")),
    }
}

/// Shows captions of the lesson no more. Those that are not shown stay so.
///
/// # Errors
/// When the database fails.
pub async fn remove(
    connection: &mut AnyConnection,
    proof: &InLesson<Teacher>,
    id: CaptionId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update caption set removed_at = $1 where id = $2 and removed_at is null \
         and timeline_id in (select id from timeline where lesson_id = $3)",
    )
    .bind(now)
    .bind(id)
    .bind(proof.lesson())
    .execute(connection)
    .await?;
    Ok(())
}

/// A few whose objects are to be removed: those taken away, and those of requests that died, before then.
///
/// # Errors
/// When the database fails.
pub async fn unneeded(
    connection: &mut AnyConnection,
    before: Timestamp,
) -> Result<Vec<(TimelineId, CaptionId)>, Error> {
    Ok(sqlx::query_as(
        "select timeline_id, id from caption where removed_at < $1 \
         or (stored_at is null and created_at < $1) order by id limit 16",
    )
    .bind(before)
    .fetch_all(connection)
    .await?)
}

/// Forgets one, after its object is gone.
///
/// # Errors
/// When the database fails.
pub async fn forget(connection: &mut AnyConnection, id: CaptionId) -> Result<(), Error> {
    sqlx::query("delete from caption where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
