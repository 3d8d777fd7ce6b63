//! What a learner has watched and completed: `watch_interval`, `evidence_flag`, `lesson_completion`.

use std::collections::HashMap;

use sqlx::{AnyConnection, FromRow};

use super::watched::{Interval, Intervals};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, LessonId, TimelineId, VersionId};

#[derive(FromRow)]
struct Row {
    lesson_id: LessonId,
    from_ms: i64,
    until_ms: i64,
}

/// What was watched of one timeline of a lesson.
///
/// # Errors
/// When the database fails.
pub async fn of_timeline(
    connection: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
    timeline: TimelineId,
) -> Result<Intervals, Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "select from_ms, until_ms from watch_interval \
         where account_id = $1 and lesson_id = $2 and timeline_id = $3",
    )
    .bind(account)
    .bind(lesson)
    .bind(timeline)
    .fetch_all(connection)
    .await?;
    Ok(Intervals::merge(rows.into_iter().map(interval)))
}

/// What was watched of a lesson, of each of its timelines, with the timeline's length: a lesson may
/// have got other media while it was watched.
///
/// # Errors
/// When the database fails.
pub async fn of_lesson(
    connection: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
) -> Result<Vec<(Intervals, i64)>, Error> {
    let rows: Vec<(TimelineId, i64, i64, i64)> = sqlx::query_as(
        "select timeline.id, timeline.duration_ms, played.from_ms, played.until_ms \
         from watch_interval played join timeline on timeline.id = played.timeline_id \
         where played.account_id = $1 and played.lesson_id = $2",
    )
    .bind(account)
    .bind(lesson)
    .fetch_all(connection)
    .await?;
    let mut timelines: HashMap<TimelineId, (Vec<Interval>, i64)> = HashMap::new();
    for (timeline, duration_ms, from_ms, until_ms) in rows {
        let (parts, _) = timelines
            .entry(timeline)
            .or_insert_with(|| (Vec::new(), duration_ms));
        parts.push(interval((from_ms, until_ms)));
    }
    Ok(timelines
        .into_values()
        .map(|(parts, duration_ms)| (Intervals::merge(parts), duration_ms))
        .collect())
}

fn interval((from_ms, until_ms): (i64, i64)) -> Interval {
    Interval { from_ms, until_ms }
}

/// What was watched of each lesson of a version, of the media that the version shows.
///
/// # Errors
/// When the database fails.
pub async fn of_version(
    connection: &mut AnyConnection,
    account: AccountId,
    version: VersionId,
) -> Result<HashMap<LessonId, Intervals>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select played.lesson_id, played.from_ms, played.until_ms from version_lesson shown \
         join watch_interval played on played.lesson_id = shown.lesson_id \
         and played.timeline_id = shown.timeline_id \
         where shown.version_id = $1 and played.account_id = $2",
    )
    .bind(version)
    .bind(account)
    .fetch_all(connection)
    .await?;
    let mut parts: HashMap<LessonId, Vec<Interval>> = HashMap::new();
    for row in rows {
        let part = interval((row.from_ms, row.until_ms));
        parts.entry(row.lesson_id).or_default().push(part);
    }
    Ok(parts
        .into_iter()
        .map(|(lesson, parts)| (lesson, Intervals::merge(parts)))
        .collect())
}

/// Where the learner was in a timeline: the end of what was played last, 0 at first.
///
/// # Errors
/// When the database fails.
pub async fn position_ms(
    connection: &mut AnyConnection,
    account: AccountId,
    timeline: TimelineId,
) -> Result<i64, Error> {
    let last: Option<(i64,)> = sqlx::query_as(
        "select until_ms from watch_interval where account_id = $1 and timeline_id = $2 \
         order by recorded_at desc, until_ms desc limit 1",
    )
    .bind(account)
    .bind(timeline)
    .fetch_optional(connection)
    .await?;
    Ok(last.map_or(0, |(until_ms,)| until_ms))
}

/// A completed lesson.
#[derive(Clone, Debug, FromRow)]
pub struct Completed {
    /// Lesson.
    pub lesson_id: LessonId,
    /// Share that was watched then.
    pub watched_percent: i64,
}

/// The lessons of a version that the learner completed.
///
/// # Errors
/// When the database fails.
pub async fn completed(
    connection: &mut AnyConnection,
    account: AccountId,
    version: VersionId,
) -> Result<Vec<Completed>, Error> {
    Ok(sqlx::query_as(
        "select done.lesson_id, done.watched_percent from lesson_completion done \
         join version_lesson shown on shown.lesson_id = done.lesson_id \
         where shown.version_id = $1 and done.account_id = $2",
    )
    .bind(version)
    .bind(account)
    .fetch_all(connection)
    .await?)
}

/// Marks a lesson complete; false when it was.
///
/// # Errors
/// When the database fails.
pub async fn complete(
    connection: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
    version: VersionId,
    watched_percent: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    let added = sqlx::query(
        "insert into lesson_completion (account_id, lesson_id, version_id, watched_percent, \
         completed_at) values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(account)
    .bind(lesson)
    .bind(version)
    .bind(watched_percent)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// A report that was not credited.
#[derive(Clone, Debug, FromRow)]
pub struct Flag {
    /// Lesson.
    pub lesson_id: LessonId,
    /// Fixed word.
    pub reason: String,
    /// How often.
    pub times: i64,
}

/// What was not credited in the lessons of a version.
///
/// # Errors
/// When the database fails.
pub async fn flags(
    connection: &mut AnyConnection,
    account: AccountId,
    version: VersionId,
) -> Result<Vec<Flag>, Error> {
    Ok(sqlx::query_as(
        "select flag.lesson_id, flag.reason, count(*) as times from evidence_flag flag \
         join version_lesson shown on shown.lesson_id = flag.lesson_id \
         where shown.version_id = $1 and flag.account_id = $2 \
         group by flag.lesson_id, flag.reason order by flag.lesson_id, flag.reason",
    )
    .bind(version)
    .bind(account)
    .fetch_all(connection)
    .await?)
}
