//! The tables `course` and `course_teacher`.

use sqlx::{AnyConnection, FromRow};

use super::Draft;
use super::proof::InCourse;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, AreaId, CourseId, LessonId, VersionId};
use crate::people::access::covers;
use crate::people::{Role, Teacher};

/// Makes a course that `account` teaches, at an area where the account is a teacher.
///
/// # Errors
/// [`Error::Forbidden`] when it is not, or when the database fails.
pub async fn create(
    connection: &mut AnyConnection,
    account: AccountId,
    area: AreaId,
    draft: &Draft,
    now: Timestamp,
) -> Result<InCourse<Teacher>, Error> {
    create_as(connection, CourseId::new(), account, area, draft, now).await
}

/// As [`create`], with the id that a form carries: the same form again makes no second course.
///
/// # Errors
/// As [`create`]; [`Error::NotFound`] for the id of a course that the account does not teach.
pub async fn create_as(
    connection: &mut AnyConnection,
    course: CourseId,
    account: AccountId,
    area: AreaId,
    draft: &Draft,
    now: Timestamp,
) -> Result<InCourse<Teacher>, Error> {
    if !covers(&mut *connection, account, Role::Teacher, area).await? {
        return Err(Error::Forbidden);
    }
    let made = sqlx::query(
        "insert into course (id, area_id, title, description, language, isced_level, isced_field, \
         estimated_minutes, required_percent, created_by, created_at, changed_at, revision) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, 1) \
         on conflict do nothing",
    )
    .bind(course)
    .bind(area)
    .bind(&draft.title)
    .bind(&draft.description)
    .bind(&draft.language)
    .bind(draft.isced_level)
    .bind(&draft.isced_field)
    .bind(draft.estimated_minutes)
    .bind(draft.required_percent)
    .bind(account)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() == 1 {
        sqlx::query(
            "insert into course_teacher (course_id, account_id, added_at) values ($1, $2, $3)",
        )
        .bind(course)
        .bind(account)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    }
    InCourse::prove(connection, account, course).await
}

/// Counts a change of the draft and locks it until the transaction ends. With `expected`, only when
/// nobody else changed it since that revision.
///
/// # Errors
/// [`Error::Conflict`]; nothing was changed.
pub async fn touch(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<(), Error> {
    // No revision is negative, so -1 stands for "any" in one text for both engines.
    let changed = sqlx::query(
        "update course set revision = revision + 1, changed_at = $1 \
         where id = $2 and (revision = $3 or $3 = -1) and archived_at is null",
    )
    .bind(now)
    .bind(proof.course())
    .bind(expected.unwrap_or(-1))
    .execute(connection)
    .await?;
    if changed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::Conflict("course-changed"))
    }
}

/// Locks a course until the transaction ends, without a change. Whoever takes more of it than one row, of lessons or of
/// learners' places, begins with this or with [`touch`], so that two of them never wait for each other.
///
/// # Errors
/// When the database fails.
pub async fn hold(connection: &mut AnyConnection, course: CourseId) -> Result<(), Error> {
    sqlx::query("update course set changed_at = changed_at where id = $1")
        .bind(course)
        .execute(connection)
        .await?;
    Ok(())
}

/// As [`hold`], for the course of a lesson.
///
/// # Errors
/// When the database fails.
pub async fn hold_of_lesson(connection: &mut AnyConnection, lesson: LessonId) -> Result<(), Error> {
    sqlx::query(
        "update course set changed_at = changed_at \
         where id = (select course_id from lesson where lesson.id = $1)",
    )
    .bind(lesson)
    .execute(connection)
    .await?;
    Ok(())
}

/// Changes the draft's fields.
///
/// # Errors
/// [`Error::Conflict`] when somebody changed it since `expected`; theirs was kept.
pub async fn edit(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    expected: i64,
    draft: &Draft,
    now: Timestamp,
) -> Result<(), Error> {
    touch(&mut *connection, proof, Some(expected), now).await?;
    sqlx::query(
        "update course set title = $1, description = $2, language = $3, isced_level = $4, \
         isced_field = $5, estimated_minutes = $6, required_percent = $7 where id = $8",
    )
    .bind(&draft.title)
    .bind(&draft.description)
    .bind(&draft.language)
    .bind(draft.isced_level)
    .bind(&draft.isced_field)
    .bind(draft.estimated_minutes)
    .bind(draft.required_percent)
    .bind(proof.course())
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets the cover's object and returns the one before, if nothing published shows it.
///
/// # Errors
/// When the database fails.
pub async fn set_cover(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    key: &str,
    now: Timestamp,
) -> Result<Option<String>, Error> {
    touch(&mut *connection, proof, None, now).await?;
    let unused: Option<(Option<String>,)> = sqlx::query_as(
        "select cover_key from course where id = $1 and not exists \
         (select 1 from course_version where course_version.cover_key = course.cover_key)",
    )
    .bind(proof.course())
    .fetch_optional(&mut *connection)
    .await?;
    sqlx::query("update course set cover_key = $1 where id = $2")
        .bind(key)
        .bind(proof.course())
        .execute(connection)
        .await?;
    Ok(unused.and_then(|(key,)| key))
}

/// A course's draft as its teachers see it.
#[derive(Clone, Debug, FromRow)]
pub struct DraftRow {
    /// Its id.
    pub id: CourseId,
    /// See [`Draft`].
    pub title: String,
    /// See [`Draft`].
    pub description: String,
    /// See [`Draft`].
    pub language: String,
    /// See [`Draft`].
    pub isced_level: i64,
    /// See [`Draft`].
    pub isced_field: String,
    /// See [`Draft`].
    pub estimated_minutes: i64,
    /// See [`Draft`].
    pub required_percent: i64,
    /// Object of the picture.
    pub cover_key: Option<String>,
    /// Count of changes.
    pub revision: i64,
    /// What learners see.
    pub published_version_id: Option<VersionId>,
    /// Number of that version, 0 without one.
    pub version: i64,
    /// Revision that was frozen in it, 0 without one.
    pub published_revision: i64,
}

/// The draft.
///
/// # Errors
/// When the database fails.
pub async fn draft(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
) -> Result<DraftRow, Error> {
    sqlx::query_as(
        "select course.id, course.title, course.description, course.language, \
         course.isced_level, course.isced_field, course.estimated_minutes, \
         course.required_percent, course.cover_key, course.revision, \
         course.published_version_id, coalesce(course_version.number, 0) as version, \
         coalesce(course_version.draft_revision, 0) as published_revision \
         from course left join course_version on course_version.id = course.published_version_id \
         where course.id = $1",
    )
    .bind(proof.course())
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)
}

/// A line of a teacher's list.
#[derive(Clone, Debug, FromRow)]
pub struct Taught {
    /// Its id.
    pub id: CourseId,
    /// Title of the draft.
    pub title: String,
    /// Number of the published version, 0 for a draft.
    pub version: i64,
}

/// The courses that an account teaches, newest first.
///
/// # Errors
/// When the database fails.
pub async fn taught_by(
    connection: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<Taught>, Error> {
    Ok(sqlx::query_as(
        "select course.id, course.title, coalesce(course_version.number, 0) as version \
         from course_teacher join course on course.id = course_teacher.course_id \
         left join course_version on course_version.id = course.published_version_id \
         where course_teacher.account_id = $1 and course_teacher.removed_at is null \
         and course.archived_at is null order by course.id desc limit 500",
    )
    .bind(account)
    .fetch_all(connection)
    .await?)
}
