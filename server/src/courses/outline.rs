//! The tables `module` and `lesson`: the order of a draft.

use sqlx::{AnyConnection, FromRow};

use super::proof::InCourse;
use super::publish::PublishedLesson;
use super::store::touch;
use super::{LessonKind, MOST_LESSONS, MOST_MODULES};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{CourseId, LessonId, ModuleId, TimelineId};
use crate::people::Teacher;

/// A module of the draft.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Module {
    /// Its id.
    pub id: ModuleId,
    /// Title.
    pub title: String,
    /// Lower comes first.
    pub position: i64,
}

/// A lesson of the draft.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Lesson {
    /// Its id.
    pub id: LessonId,
    /// Its module.
    pub module_id: ModuleId,
    /// Title.
    pub title: String,
    /// Word of a [`LessonKind`].
    pub kind: String,
    /// Text of a text lesson.
    pub body: String,
    /// Lower comes first within the module.
    pub position: i64,
    /// The prepared media that the draft shows.
    pub timeline_id: Option<TimelineId>,
}

impl Lesson {
    /// Whether learners could follow it now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match LessonKind::from_word(&self.kind) {
            // A class has its timeline from the moment it is scheduled.
            Some(LessonKind::Video | LessonKind::Live) => self.timeline_id.is_some(),
            Some(LessonKind::Text) => !self.body.is_empty(),
            Some(LessonKind::File | LessonKind::Quiz) | None => false,
        }
    }
}

/// The modules of the draft in order.
///
/// # Errors
/// When the database fails.
pub async fn modules(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
) -> Result<Vec<Module>, Error> {
    Ok(sqlx::query_as(
        "select id, title, position from module \
         where course_id = $1 and removed_at is null order by position, id",
    )
    .bind(proof.course())
    .fetch_all(connection)
    .await?)
}

/// The lessons of the draft, in order of modules and within each.
///
/// # Errors
/// When the database fails.
pub async fn lessons(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
) -> Result<Vec<Lesson>, Error> {
    Ok(sqlx::query_as(
        "select lesson.id, lesson.module_id, lesson.title, lesson.kind, lesson.body, \
         lesson.position, lesson.timeline_id from lesson \
         join module on module.id = lesson.module_id \
         where lesson.course_id = $1 and lesson.removed_at is null and module.removed_at is null \
         order by module.position, module.id, lesson.position, lesson.id",
    )
    .bind(proof.course())
    .fetch_all(connection)
    .await?)
}

/// The lessons of the draft as learners would see them.
///
/// # Errors
/// When the database fails.
pub async fn preview(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
) -> Result<Vec<PublishedLesson>, Error> {
    Ok(sqlx::query_as(
        "select lesson.id as lesson_id, module.title as module_title, \
         module.position as module_position, lesson.title, lesson.kind, lesson.body, \
         lesson.timeline_id, coalesce(coalesce(timeline.shown_until_ms, timeline.duration_ms) \
         - timeline.shown_from_ms, 0) as duration_ms, \
         coalesce(timeline.shown_from_ms, 0) as shown_from_ms, timeline.shown_until_ms \
         from lesson \
         join module on module.id = lesson.module_id \
         left join timeline on timeline.id = lesson.timeline_id \
         where lesson.course_id = $1 and lesson.removed_at is null and module.removed_at is null \
         order by module.position, module.id, lesson.position, lesson.id",
    )
    .bind(proof.course())
    .fetch_all(connection)
    .await?)
}

/// Adds a module at the end.
///
/// # Errors
/// [`Error::Conflict`] when the course is full.
pub async fn add_module(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    title: &str,
    now: Timestamp,
) -> Result<ModuleId, Error> {
    add_module_as(connection, proof, ModuleId::new(), title, now).await
}

/// As [`add_module`], with the id that a form carries: the same form again adds nothing.
///
/// # Errors
/// As [`add_module`]; [`Error::NotFound`] for the id of another course's module.
pub async fn add_module_as(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    id: ModuleId,
    title: &str,
    now: Timestamp,
) -> Result<ModuleId, Error> {
    if is_made(&mut *connection, proof, MODULE_OF, id).await? {
        return Ok(id);
    }
    touch(&mut *connection, proof, None, now).await?;
    let before = modules(&mut *connection, proof).await?;
    if before.len() >= MOST_MODULES {
        return Err(Error::Conflict("course-full"));
    }
    let position = before.last().map_or(0, |last| last.position + 1);
    sqlx::query(
        "insert into module (id, course_id, title, position, created_at) \
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(id)
    .bind(proof.course())
    .bind(title)
    .bind(position)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    found(is_made(connection, proof, MODULE_OF, id).await?.into())?;
    Ok(id)
}

/// Gives a module another title.
///
/// # Errors
/// [`Error::NotFound`] when the course has no such module.
pub async fn rename_module(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    module: ModuleId,
    title: &str,
    now: Timestamp,
) -> Result<(), Error> {
    touch(&mut *connection, proof, None, now).await?;
    let changed = sqlx::query(
        "update module set title = $1 where id = $2 and course_id = $3 and removed_at is null",
    )
    .bind(title)
    .bind(module)
    .bind(proof.course())
    .execute(connection)
    .await?;
    found(changed.rows_affected())
}

/// Removes a module and its lessons from the draft; published versions keep theirs.
///
/// # Errors
/// [`Error::NotFound`] when the course has no such module.
pub async fn remove_module(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    module: ModuleId,
    now: Timestamp,
) -> Result<(), Error> {
    touch(&mut *connection, proof, None, now).await?;
    let changed = sqlx::query(
        "update module set removed_at = $1 where id = $2 and course_id = $3 and removed_at is null",
    )
    .bind(now)
    .bind(module)
    .bind(proof.course())
    .execute(&mut *connection)
    .await?;
    found(changed.rows_affected())?;
    sqlx::query(
        "update lesson set removed_at = $1 \
         where module_id = $2 and course_id = $3 and removed_at is null",
    )
    .bind(now)
    .bind(module)
    .bind(proof.course())
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds a lesson at the end of a module.
///
/// # Errors
/// [`Error::Invalid`] for a kind that cannot be made yet, [`Error::NotFound`] for a module of
/// another course, [`Error::Conflict`] when the course is full.
pub async fn add_lesson(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    module: ModuleId,
    title: &str,
    kind: LessonKind,
    now: Timestamp,
) -> Result<LessonId, Error> {
    add_lesson_as(connection, proof, LessonId::new(), module, title, kind, now).await
}

/// As [`add_lesson`], with the id that a form carries: the same form again adds nothing.
///
/// # Errors
/// As [`add_lesson`]; [`Error::NotFound`] also for the id of another course's lesson.
pub async fn add_lesson_as(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    id: LessonId,
    module: ModuleId,
    title: &str,
    kind: LessonKind,
    now: Timestamp,
) -> Result<LessonId, Error> {
    if !kind.is_available() {
        return Err(Error::Invalid {
            field: "kind",
            reason: "kind-not-yet",
        });
    }
    insert_lesson(connection, proof, id, module, title, kind, now).await
}

/// Adds the lesson that a live class is, with the timeline that will grow.
///
/// # Errors
/// [`Error::NotFound`] for a module of another course, [`Error::Conflict`] when the course is full.
pub async fn add_live_lesson(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    module: ModuleId,
    title: &str,
    timeline: TimelineId,
    now: Timestamp,
) -> Result<LessonId, Error> {
    let (id, kind) = (LessonId::new(), LessonKind::Live);
    insert_lesson(&mut *connection, proof, id, module, title, kind, now).await?;
    show_timeline(connection, id, timeline).await?;
    Ok(id)
}

async fn insert_lesson(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    id: LessonId,
    module: ModuleId,
    title: &str,
    kind: LessonKind,
    now: Timestamp,
) -> Result<LessonId, Error> {
    if is_made(&mut *connection, proof, LESSON_OF, id).await? {
        return Ok(id);
    }
    touch(&mut *connection, proof, None, now).await?;
    let known = modules(&mut *connection, proof).await?;
    if !known.iter().any(|known| known.id == module) {
        return Err(Error::NotFound);
    }
    let lessons = lessons(&mut *connection, proof).await?;
    if lessons.len() >= MOST_LESSONS {
        return Err(Error::Conflict("course-full"));
    }
    let last = lessons.iter().rfind(|lesson| lesson.module_id == module);
    sqlx::query(
        "insert into lesson (id, course_id, module_id, title, kind, body, position, created_at) \
         values ($1, $2, $3, $4, $5, '', $6, $7) on conflict do nothing",
    )
    .bind(id)
    .bind(proof.course())
    .bind(module)
    .bind(title)
    .bind(kind.word())
    .bind(last.map_or(0, |last| last.position + 1))
    .bind(now)
    .execute(&mut *connection)
    .await?;
    found(is_made(connection, proof, LESSON_OF, id).await?.into())?;
    Ok(id)
}

/// Changes a lesson's title and, of a text lesson, its text.
///
/// # Errors
/// [`Error::NotFound`] when the course has no such lesson.
pub async fn edit_lesson(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    lesson: LessonId,
    title: &str,
    body: &str,
    now: Timestamp,
) -> Result<(), Error> {
    touch(&mut *connection, proof, None, now).await?;
    let changed = sqlx::query(
        "update lesson set title = $1, body = case when kind = 'text' then $2 else body end \
         where id = $3 and course_id = $4 and removed_at is null",
    )
    .bind(title)
    .bind(body)
    .bind(lesson)
    .bind(proof.course())
    .execute(connection)
    .await?;
    found(changed.rows_affected())
}

/// Removes a lesson from the draft; published versions keep it.
///
/// # Errors
/// [`Error::NotFound`] when the course has no such lesson.
pub async fn remove_lesson(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    lesson: LessonId,
    now: Timestamp,
) -> Result<(), Error> {
    touch(&mut *connection, proof, None, now).await?;
    let changed = sqlx::query(
        "update lesson set removed_at = $1 where id = $2 and course_id = $3 and removed_at is null",
    )
    .bind(now)
    .bind(lesson)
    .bind(proof.course())
    .execute(connection)
    .await?;
    found(changed.rows_affected())
}

/// Lets the draft show a timeline. Only for the transaction that ends the job that made it, where the
/// job's lease stands for the proof, and for the one that makes the lesson. Forms under way are not disturbed, so no change is counted.
///
/// # Errors
/// When the database fails.
pub async fn show_timeline(
    connection: &mut AnyConnection,
    lesson: LessonId,
    timeline: TimelineId,
) -> Result<(), Error> {
    sqlx::query("update lesson set timeline_id = $1 where id = $2")
        .bind(timeline)
        .bind(lesson)
        .execute(connection)
        .await?;
    Ok(())
}

const MODULE_OF: &str = "select course_id from module where id = $1";
const LESSON_OF: &str = "select course_id from lesson where id = $1";

/// Whether there is such a thing in the course already.
///
/// # Errors
/// [`Error::NotFound`] when it is in another.
async fn is_made(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    sql: &'static str,
    id: impl ToString,
) -> Result<bool, Error> {
    let of: Option<(CourseId,)> = sqlx::query_as(sql)
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    match of {
        Some((course,)) if course != proof.course() => Err(Error::NotFound),
        of => Ok(of.is_some()),
    }
}

fn found(rows: u64) -> Result<(), Error> {
    if rows == 1 {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}
