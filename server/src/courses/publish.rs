//! The tables `course_version` and `version_lesson`: what learners see, frozen.

use sqlx::{AnyConnection, FromRow};

use super::proof::InCourse;
use super::{outline, store};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{CourseId, LessonId, TimelineId, VersionId};
use crate::people::Teacher;
use crate::timelines::trim::Trim;

/// Freezes the draft of this revision into a new version and shows it to learners. When they see it already,
/// as after a form that was sent twice, that version stays.
///
/// # Errors
/// [`Error::Conflict`] when somebody changed the draft since, when there is no lesson, or when a
/// lesson is not ready; nothing is published then.
pub async fn publish(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    expected: i64,
    now: Timestamp,
) -> Result<VersionId, Error> {
    // First the conditional update: it locks the draft until the transaction ends.
    let held = sqlx::query(
        "update course set changed_at = $1 \
         where id = $2 and revision = $3 and archived_at is null",
    )
    .bind(now)
    .bind(proof.course())
    .bind(expected)
    .execute(&mut *connection)
    .await?;
    if held.rows_affected() != 1 {
        return Err(Error::Conflict("course-changed"));
    }
    let published = store::draft(&mut *connection, proof)
        .await?
        .published_version_id;
    if let Some(version) = published
        && !is_changed(&mut *connection, proof).await?
    {
        return Ok(version);
    }
    let version = VersionId::new();
    let lessons = outline::lessons(&mut *connection, proof).await?;
    if lessons.is_empty() {
        return Err(Error::Conflict("course-empty"));
    }
    if !lessons.iter().all(outline::Lesson::is_ready) {
        return Err(Error::Conflict("lesson-not-ready"));
    }
    sqlx::query(
        "insert into course_version (id, course_id, number, title, description, language, \
         isced_level, isced_field, estimated_minutes, cover_key, required_percent, published_at, \
         published_by, draft_revision) \
         select $1, id, (select coalesce(max(number), 0) + 1 from course_version \
         where course_id = $2), title, description, language, isced_level, isced_field, \
         estimated_minutes, cover_key, required_percent, $3, $4, revision \
         from course where id = $2",
    )
    .bind(version)
    .bind(proof.course())
    .bind(now)
    .bind(proof.account())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into version_lesson (version_id, lesson_id, module_title, module_position, title, \
         kind, body, position, timeline_id) \
         select $1, lesson.id, module.title, module.position, lesson.title, lesson.kind, \
         lesson.body, lesson.position, lesson.timeline_id from lesson \
         join module on module.id = lesson.module_id \
         where lesson.course_id = $2 and lesson.removed_at is null and module.removed_at is null",
    )
    .bind(version)
    .bind(proof.course())
    .execute(&mut *connection)
    .await?;
    sqlx::query("update course set published_version_id = $1 where id = $2")
        .bind(version)
        .bind(proof.course())
        .execute(connection)
        .await?;
    Ok(version)
}

/// Whether the draft shows something else than the published version.
///
/// # Errors
/// When the database fails.
pub async fn is_changed(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
) -> Result<bool, Error> {
    let draft = store::draft(&mut *connection, proof).await?;
    let Some(version) = draft.published_version_id else {
        return Ok(true);
    };
    if draft.revision != draft.published_revision {
        return Ok(true);
    }
    // A newly prepared video changes the draft without counting as a change of its forms.
    let other: Option<(LessonId,)> = sqlx::query_as(
        "select lesson.id from lesson join version_lesson on version_lesson.lesson_id = lesson.id \
         where version_lesson.version_id = $1 \
         and coalesce(lesson.timeline_id, '') <> coalesce(version_lesson.timeline_id, '') limit 1",
    )
    .bind(version)
    .fetch_optional(connection)
    .await?;
    Ok(other.is_some())
}

/// A published course in a list.
#[derive(Clone, Debug, FromRow)]
pub struct PublishedCourse {
    /// The course.
    pub course_id: CourseId,
    /// Its published version.
    pub version_id: VersionId,
    /// Title.
    pub title: String,
    /// Plain paragraphs.
    pub description: String,
    /// BCP 47.
    pub language: String,
    /// ISCED 2011.
    pub isced_level: i64,
    /// ISCED-F 2013 detailed field.
    pub isced_field: String,
    /// Estimated length.
    pub estimated_minutes: i64,
    /// Object of the picture.
    pub cover_key: Option<String>,
    /// Share of a lesson that must be watched.
    pub required_percent: i64,
}

/// The published courses, newest first, below `before` when it is given, `limit` at most.
///
/// # Errors
/// When the database fails.
pub async fn list(
    connection: &mut AnyConnection,
    before: Option<CourseId>,
    limit: i64,
) -> Result<Vec<PublishedCourse>, Error> {
    Ok(sqlx::query_as(
        "select version.course_id, version.id as version_id, version.title, version.description, \
         version.language, version.isced_level, version.isced_field, version.estimated_minutes, \
         version.cover_key, version.required_percent \
         from course join course_version version on version.id = course.published_version_id \
         where course.archived_at is null and (course.id < $1 or $1 = '') \
         order by course.id desc limit $2",
    )
    .bind(before.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

/// The published version of one course; `None` for a draft, an archived or an unknown course.
///
/// # Errors
/// When the database fails.
pub async fn find(
    connection: &mut AnyConnection,
    course: CourseId,
) -> Result<Option<PublishedCourse>, Error> {
    Ok(sqlx::query_as(
        "select version.course_id, version.id as version_id, version.title, version.description, \
         version.language, version.isced_level, version.isced_field, version.estimated_minutes, \
         version.cover_key, version.required_percent \
         from course join course_version version on version.id = course.published_version_id \
         where course.id = $1 and course.archived_at is null",
    )
    .bind(course)
    .fetch_optional(connection)
    .await?)
}

/// What a version says about the course as a whole.
#[derive(Clone, Debug, FromRow)]
pub struct Version {
    /// Course.
    pub course_id: CourseId,
    /// Title.
    pub title: String,
    /// Share of a lesson that must be watched.
    pub required_percent: i64,
}

/// One version.
///
/// # Errors
/// [`Error::NotFound`] or when the database fails.
pub async fn version(connection: &mut AnyConnection, version: VersionId) -> Result<Version, Error> {
    sqlx::query_as("select course_id, title, required_percent from course_version where id = $1")
        .bind(version)
        .fetch_optional(connection)
        .await?
        .ok_or(Error::NotFound)
}

/// A lesson of a version.
#[derive(Clone, Debug, FromRow)]
pub struct PublishedLesson {
    /// The lesson.
    pub lesson_id: LessonId,
    /// Title of its module.
    pub module_title: String,
    /// Lower comes first.
    pub module_position: i64,
    /// Title.
    pub title: String,
    /// Word of a [`super::LessonKind`].
    pub kind: String,
    /// Text of a text lesson.
    pub body: String,
    /// Its media.
    pub timeline_id: Option<TimelineId>,
    /// Length of what is shown of its media, 0 without any.
    pub duration_ms: i64,
    /// What is shown of its media.
    #[sqlx(flatten)]
    pub trim: Trim,
}

/// The lessons of a version in order.
///
/// # Errors
/// When the database fails.
pub async fn lessons(
    connection: &mut AnyConnection,
    version: VersionId,
) -> Result<Vec<PublishedLesson>, Error> {
    Ok(sqlx::query_as(
        "select version_lesson.lesson_id, version_lesson.module_title, \
         version_lesson.module_position, version_lesson.title, version_lesson.kind, \
         version_lesson.body, version_lesson.timeline_id, \
         coalesce(coalesce(timeline.shown_until_ms, timeline.duration_ms) \
         - timeline.shown_from_ms, 0) as duration_ms, \
         coalesce(timeline.shown_from_ms, 0) as shown_from_ms, timeline.shown_until_ms \
         from version_lesson \
         left join timeline on timeline.id = version_lesson.timeline_id \
         where version_lesson.version_id = $1 \
         order by version_lesson.module_position, version_lesson.position, \
         version_lesson.lesson_id",
    )
    .bind(version)
    .fetch_all(connection)
    .await?)
}
