//! The table `credential`: what was achieved, frozen when it was.

use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, FromRow};

use super::watched::Intervals;
use crate::clock::Timestamp;
use crate::courses::proof::InCourse;
use crate::error::Error;
use crate::id::{AccountId, CourseId, CredentialId, EnrolmentId};
use crate::people::Teacher;

/// What a credential rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Every lesson of the version.
    pub lessons: Vec<LessonEvidence>,
}

/// What a credential rests on in one lesson.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonEvidence {
    /// Title in the version.
    pub title: String,
    /// Length, 0 for a text.
    pub duration_ms: i64,
    /// Share that was watched, at least what the course required.
    pub percent: i64,
    /// What was played.
    pub watched: Intervals,
    /// Reports that were not credited, as fixed words.
    pub flags: Vec<String>,
}

/// A credential as it is stored.
#[derive(Clone, Debug, FromRow)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Whose.
    pub account_id: AccountId,
    /// For which course.
    pub course_id: CourseId,
    /// Name then.
    pub learner_name: String,
    /// Title then.
    pub course_title: String,
    /// Who issued it.
    pub issuer_name: String,
    /// ISCED 2011.
    pub isced_level: i64,
    /// ISCED-F 2013.
    pub isced_field: String,
    /// Estimated length.
    pub estimated_minutes: i64,
    /// [`Evidence`] as JSON.
    pub evidence: String,
    /// When.
    pub issued_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
}

impl Credential {
    /// What it rests on.
    ///
    /// # Errors
    /// When the stored text is damaged.
    pub fn evidence(&self) -> Result<Evidence, Error> {
        serde_json::from_str(&self.evidence)
            .map_err(|error| Error::Internal(format!("evidence: {error}")))
    }
}

/// Issues the credential of an enrolment that was just completed.
///
/// # Errors
/// When the database fails, or there is one already that was not revoked.
pub async fn issue(
    connection: &mut AnyConnection,
    enrolment: EnrolmentId,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<CredentialId, Error> {
    let id = CredentialId::new();
    let evidence = serde_json::to_string(evidence)
        .map_err(|error| Error::Internal(format!("evidence: {error}")))?;
    sqlx::query(
        "insert into credential (id, enrolment_id, account_id, course_id, learner_name, \
         course_title, issuer_name, isced_level, isced_field, estimated_minutes, evidence, \
         issued_at) \
         select $1, enrolment.id, account.id, enrolment.course_id, account.name, version.title, \
         coalesce((select min(name) from area_name where area_name.area_id = course.area_id \
         and area_name.language = version.language), (select min(name) from area_name \
         where area_name.area_id = course.area_id), area.code), \
         version.isced_level, version.isced_field, version.estimated_minutes, $2, $3 \
         from enrolment join account on account.id = enrolment.account_id \
         join course_version version on version.id = enrolment.version_id \
         join course on course.id = enrolment.course_id join area on area.id = course.area_id \
         where enrolment.id = $4",
    )
    .bind(id)
    .bind(evidence)
    .bind(now)
    .bind(enrolment)
    .execute(connection)
    .await?;
    Ok(id)
}

const COLUMNS: &str = "select id, account_id, course_id, learner_name, course_title, issuer_name, \
    isced_level, isced_field, estimated_minutes, evidence, issued_at, revoked_at, revoked_reason \
    from credential ";

/// One credential, for anybody who has its address.
///
/// # Errors
/// When the database fails.
pub async fn find(
    connection: &mut AnyConnection,
    id: CredentialId,
) -> Result<Option<Credential>, Error> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} where id = $1"));
    Ok(sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(connection)
        .await?)
}

/// The credentials of a learner, newest first.
///
/// # Errors
/// When the database fails.
pub async fn of_account(
    connection: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<Credential>, Error> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} where account_id = $1 order by issued_at desc limit 200"
    ));
    Ok(sqlx::query_as(sql)
        .bind(account)
        .fetch_all(connection)
        .await?)
}

/// Revokes a credential of the teacher's course; for ever, and once. The reason is public.
///
/// # Errors
/// [`Error::NotFound`] for another course's, [`Error::Conflict`] when it was revoked before.
pub async fn revoke(
    connection: &mut AnyConnection,
    course: &InCourse<Teacher>,
    id: CredentialId,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let changed = sqlx::query(
        "update credential set revoked_at = $1, revoked_by = $2, revoked_reason = $3 \
         where id = $4 and course_id = $5 and revoked_at is null",
    )
    .bind(now)
    .bind(course.account())
    .bind(reason)
    .bind(id)
    .bind(course.course())
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() == 1 {
        return Ok(());
    }
    match find(connection, id).await? {
        Some(credential) if credential.course_id == course.course() => {
            Err(Error::Conflict("state"))
        }
        _ => Err(Error::NotFound),
    }
}
