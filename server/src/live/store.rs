//! The table `live_class`: finding, opening, closing; `planning` writes what is to come.

use sqlx::{AnyConnection, FromRow};

use super::proof::{InClass, Leader};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, CourseId, LessonId, LiveClassId, SeriesId, TimelineId};

/// A class.
#[derive(Clone, Debug, FromRow)]
pub struct Class {
    /// Its id.
    pub id: LiveClassId,
    /// Course.
    pub course_id: CourseId,
    /// The lesson that it is.
    pub lesson_id: LessonId,
    /// What is watched.
    pub timeline_id: TimelineId,
    /// Classes that were scheduled together.
    pub series_id: Option<SeriesId>,
    /// Title.
    pub title: String,
    /// Planned start.
    pub starts_at: Timestamp,
    /// IANA name.
    pub time_zone: String,
    /// Planned length.
    pub planned_minutes: i64,
    /// Minutes before the start when learners are reminded.
    pub remind_minutes: Option<i64>,
    /// Lets people without an account in.
    pub code: Option<String>,
    /// They wait to be let in.
    pub lobby_since: Option<Timestamp>,
    /// Who scheduled it: the host.
    pub created_by: AccountId,
    /// Time 0 of the timeline.
    pub opened_at: Option<Timestamp>,
    /// A leader ended it.
    pub ending_at: Option<Timestamp>,
    /// It is over and its timeline closed.
    pub ended_at: Option<Timestamp>,
    /// It does not take place.
    pub cancelled_at: Option<Timestamp>,
}

/// Where a class stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// To come.
    Scheduled,
    /// Now.
    Open,
    /// Over.
    Ended,
    /// Does not take place.
    Cancelled,
}

impl Stage {
    /// The word on pages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Open => "open",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Class {
    /// Where it stands.
    #[must_use]
    pub fn stage(&self) -> Stage {
        if self.cancelled_at.is_some() {
            Stage::Cancelled
        } else if self.ended_at.is_some() {
            Stage::Ended
        } else if self.opened_at.is_some() {
            Stage::Open
        } else {
            Stage::Scheduled
        }
    }
}

/// Selects [`Class`].
macro_rules! class {
    ($rest:literal) => {
        concat!(
            "select class.id, class.course_id, class.lesson_id, class.timeline_id, \
             class.series_id, class.title, class.starts_at, class.time_zone, \
             class.planned_minutes, class.remind_minutes, class.code, class.lobby_since, \
             class.created_by, class.opened_at, class.ending_at, class.ended_at, \
             class.cancelled_at from live_class class ",
            $rest
        )
    };
}

pub(super) use class;

/// A class in somebody's list.
#[derive(Clone, Debug, FromRow)]
pub struct Mine {
    /// The class.
    #[sqlx(flatten)]
    pub class: Class,
    /// Title of the course.
    pub course_title: String,
}

/// The classes of the courses that an account takes or teaches, and those it came to by a code, that
/// began after `since`; soonest first.
///
/// # Errors
/// When the database fails.
pub async fn of_account(
    connection: &mut AnyConnection,
    account: AccountId,
    since: Timestamp,
) -> Result<Vec<Mine>, Error> {
    Ok(sqlx::query_as(
        "select class.id, class.course_id, class.lesson_id, class.timeline_id, \
         class.series_id, class.title, class.starts_at, class.time_zone, \
         class.planned_minutes, class.remind_minutes, class.code, class.lobby_since, \
         class.created_by, class.opened_at, class.ending_at, class.ended_at, \
         class.cancelled_at, course.title as course_title from live_class class \
         join course on course.id = class.course_id \
         where class.cancelled_at is null \
         and (class.starts_at > $2 or (class.opened_at is not null and class.ended_at is null)) \
         and (exists (select 1 from enrolment where enrolment.course_id = class.course_id \
         and enrolment.account_id = $1 and enrolment.withdrawn_at is null) \
         or exists (select 1 from course_teacher teacher where teacher.course_id = class.course_id \
         and teacher.account_id = $1 and teacher.removed_at is null) \
         or exists (select 1 from live_participant part where part.class_id = class.id \
         and part.account_id = $1 and part.removed_at is null)) \
         order by class.starts_at, class.id limit 200",
    )
    .bind(account)
    .bind(since)
    .fetch_all(connection)
    .await?)
}

/// A class, for proofs and for the parts of the system that act by themselves.
///
/// # Errors
/// When the database fails.
pub async fn find(
    connection: &mut AnyConnection,
    class: LiveClassId,
) -> Result<Option<Class>, Error> {
    Ok(sqlx::query_as(class!("where class.id = $1"))
        .bind(class)
        .fetch_optional(connection)
        .await?)
}

/// The class whose timeline this is.
///
/// # Errors
/// When the database fails.
pub async fn class_of_timeline(
    connection: &mut AnyConnection,
    timeline: TimelineId,
) -> Result<Option<Class>, Error> {
    Ok(sqlx::query_as(class!("where class.timeline_id = $1"))
        .bind(timeline)
        .fetch_optional(connection)
        .await?)
}

/// The class that a lesson is.
///
/// # Errors
/// When the database fails.
pub async fn class_of_lesson(
    connection: &mut AnyConnection,
    lesson: LessonId,
) -> Result<Option<Class>, Error> {
    Ok(sqlx::query_as(class!("where class.lesson_id = $1"))
        .bind(lesson)
        .fetch_optional(connection)
        .await?)
}

/// The class that lets people in by this code, unless it is over.
///
/// # Errors
/// When the database fails.
pub async fn class_of_code(
    connection: &mut AnyConnection,
    code: &str,
) -> Result<Option<Class>, Error> {
    let code: String = code
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_uppercase())
        .collect();
    Ok(sqlx::query_as(class!(
        "where class.code = $1 and class.ended_at is null and class.cancelled_at is null"
    ))
    .bind(code)
    .fetch_optional(connection)
    .await?)
}

/// Classes that are open: after a restart their media goes on, and those with `ending_at` are closed.
///
/// # Errors
/// When the database fails.
pub async fn open_classes(connection: &mut AnyConnection) -> Result<Vec<Class>, Error> {
    Ok(sqlx::query_as(class!(
        "where class.opened_at is not null and class.ended_at is null order by class.id"
    ))
    .fetch_all(connection)
    .await?)
}

/// Opens the class: time 0 of its timeline. Again it says when that was.
///
/// # Errors
/// [`Error::Conflict`] when it is over or was cancelled.
pub async fn open(
    connection: &mut AnyConnection,
    proof: &InClass<Leader>,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    let opened: Option<(Timestamp,)> = sqlx::query_as(
        "update live_class set opened_at = coalesce(opened_at, $1) where id = $2 \
         and ending_at is null and ended_at is null and cancelled_at is null returning opened_at",
    )
    .bind(now)
    .bind(proof.class())
    .fetch_optional(connection)
    .await?;
    opened
        .map(|(at,)| at)
        .ok_or(Error::Conflict("class-closed"))
}

/// Closes the class and its timeline, in one transaction with whatever describes the timeline; false
/// when it was closed before. What follows for the learners is [`super::attendance::settle`]'s.
///
/// # Errors
/// When the database fails.
pub async fn close(
    connection: &mut AnyConnection,
    class: LiveClassId,
    duration_ms: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    let closed: Option<(TimelineId,)> = sqlx::query_as(
        "update live_class set ended_at = $1, ending_at = coalesce(ending_at, $1) where id = $2 \
         and opened_at is not null and ended_at is null returning timeline_id",
    )
    .bind(now)
    .bind(class)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((timeline,)) = closed else {
        return Ok(false);
    };
    // 0 would mean that it still grows.
    sqlx::query("update timeline set duration_ms = $1 where id = $2 and duration_ms = 0")
        .bind(duration_ms.max(1))
        .bind(timeline)
        .execute(connection)
        .await?;
    Ok(true)
}

/// A leader ended the class: its media is to be closed, also after a restart.
///
/// # Errors
/// When the database fails.
pub async fn ending(
    connection: &mut AnyConnection,
    class: LiveClassId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update live_class set ending_at = $1 where id = $2 and ending_at is null")
        .bind(now)
        .bind(class)
        .execute(connection)
        .await?;
    Ok(())
}

/// Classes that are over and whose attendance was not settled.
///
/// # Errors
/// When the database fails.
pub async fn unsettled(connection: &mut AnyConnection) -> Result<Vec<LiveClassId>, Error> {
    let rows: Vec<(LiveClassId,)> = sqlx::query_as(
        "select id from live_class where ended_at is not null and settled_at is null order by id",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(class,)| class).collect())
}

/// Everybody's attendance was looked at.
///
/// # Errors
/// When the database fails.
pub async fn settled(
    connection: &mut AnyConnection,
    class: LiveClassId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update live_class set settled_at = $1 where id = $2 and settled_at is null")
        .bind(now)
        .bind(class)
        .execute(connection)
        .await?;
    Ok(())
}
