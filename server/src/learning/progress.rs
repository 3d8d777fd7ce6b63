//! What a learner has watched and completed: `play_session`, `watch_interval`, `evidence_flag`,
//! `lesson_completion`, `revoked_completion`.
//!
//! Of what was played before a certificate of the course was revoked, nothing counts.

use std::collections::HashMap;

use sqlx::{AnyConnection, FromRow};

use super::watched::{Interval, Intervals};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, CourseId, CredentialId, LessonId, TimelineId, VersionId};
use crate::timelines::trim::Trim;

/// Since when it counts what `$1`, an account, plays of `$2`, a lesson.
pub(super) const LESSON_COUNTS_FROM: &str = "coalesce((select enrolment.counts_from from lesson \
    join enrolment on enrolment.course_id = lesson.course_id \
    where lesson.id = $2 and enrolment.account_id = $1), 0)";

/// The same for `$1`, an account, and `$2`, a version.
const VERSION_COUNTS_FROM: &str = "coalesce((select enrolment.counts_from from course_version \
    join enrolment on enrolment.course_id = course_version.course_id \
    where course_version.id = $2 and enrolment.account_id = $1), 0)";

#[derive(FromRow)]
struct Row {
    lesson_id: LessonId,
    from_ms: i64,
    until_ms: i64,
    #[sqlx(flatten)]
    trim: Trim,
}

impl Row {
    fn shown(&self) -> Interval {
        let part = Interval {
            from_ms: self.from_ms,
            until_ms: self.until_ms,
        };
        part.within(self.trim)
    }
}

/// What was watched of what one timeline of a lesson shows.
///
/// # Errors
/// When the database fails.
pub async fn of_timeline(
    connection: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
    timeline: TimelineId,
) -> Result<Intervals, Error> {
    let sql = format!(
        "select played.lesson_id, played.from_ms, played.until_ms, timeline.shown_from_ms, \
         timeline.shown_until_ms from watch_interval played \
         join timeline on timeline.id = played.timeline_id \
         where played.account_id = $1 and played.lesson_id = $2 and played.timeline_id = $3 \
         and played.wall_from >= {LESSON_COUNTS_FROM}"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(account)
        .bind(lesson)
        .bind(timeline)
        .fetch_all(connection)
        .await?;
    Ok(Intervals::merge(rows.iter().map(Row::shown)))
}

/// What was watched of a lesson, of what each of its timelines shows, with the length of that: a lesson
/// may have got other media while it was watched. The length is 0 of what is not finished.
///
/// # Errors
/// When the database fails.
pub async fn of_lesson(
    connection: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
) -> Result<Vec<(Intervals, i64)>, Error> {
    let sql = format!(
        "select timeline.id, case when timeline.unfinished_since is null \
         then timeline.duration_ms else 0 end as duration_ms, played.lesson_id, played.from_ms, \
         played.until_ms, timeline.shown_from_ms, timeline.shown_until_ms \
         from watch_interval played join timeline on timeline.id = played.timeline_id \
         where played.account_id = $1 and played.lesson_id = $2 \
         and played.wall_from >= {LESSON_COUNTS_FROM}"
    );
    let rows: Vec<OfTimeline> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(account)
        .bind(lesson)
        .fetch_all(connection)
        .await?;
    let mut timelines: HashMap<TimelineId, (Vec<Interval>, i64)> = HashMap::new();
    for OfTimeline {
        id,
        duration_ms,
        row,
    } in rows
    {
        let length_ms = row.trim.length_ms(duration_ms);
        let (parts, _) = timelines.entry(id).or_insert((Vec::new(), length_ms));
        parts.push(row.shown());
    }
    Ok(timelines
        .into_values()
        .map(|(parts, length_ms)| (Intervals::merge(parts), length_ms))
        .collect())
}

#[derive(FromRow)]
struct OfTimeline {
    id: TimelineId,
    duration_ms: i64,
    #[sqlx(flatten)]
    row: Row,
}

/// What was watched of each lesson of a version, of what is shown of the media that the version names;
/// times are since the begin of what is shown.
///
/// # Errors
/// When the database fails.
pub async fn of_version(
    connection: &mut AnyConnection,
    account: AccountId,
    version: VersionId,
) -> Result<HashMap<LessonId, Intervals>, Error> {
    let sql = format!(
        "select played.lesson_id, played.from_ms, played.until_ms, timeline.shown_from_ms, \
         timeline.shown_until_ms from version_lesson shown \
         join watch_interval played on played.lesson_id = shown.lesson_id \
         and played.timeline_id = shown.timeline_id \
         join timeline on timeline.id = shown.timeline_id \
         where shown.version_id = $2 and played.account_id = $1 \
         and played.wall_from >= {VERSION_COUNTS_FROM}"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(account)
        .bind(version)
        .fetch_all(connection)
        .await?;
    let mut lessons: HashMap<LessonId, (Vec<Interval>, i64)> = HashMap::new();
    for row in rows {
        let (parts, _) = lessons
            .entry(row.lesson_id)
            .or_insert((Vec::new(), row.trim.from_ms));
        parts.push(row.shown());
    }
    Ok(lessons
        .into_iter()
        .map(|(lesson, (parts, origin_ms))| (lesson, Intervals::merge(parts).since(origin_ms)))
        .collect())
}

/// Learners of the course who have evidence of a lesson and have not completed it.
///
/// # Errors
/// When the database fails.
pub async fn watchers(
    connection: &mut AnyConnection,
    lesson: LessonId,
) -> Result<Vec<AccountId>, Error> {
    let rows: Vec<(AccountId,)> = sqlx::query_as(
        "select distinct played.account_id from lesson \
         join enrolment on enrolment.course_id = lesson.course_id \
         and enrolment.withdrawn_at is null \
         join watch_interval played on played.account_id = enrolment.account_id \
         and played.lesson_id = lesson.id \
         where lesson.id = $1 and not exists (select 1 from lesson_completion done \
         where done.account_id = enrolment.account_id and done.lesson_id = lesson.id) \
         order by played.account_id",
    )
    .bind(lesson)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(account,)| account).collect())
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
    let reached: Option<(i64,)> = sqlx::query_as(
        "select reached_ms from play_session where account_id = $1 and timeline_id = $2 \
         and reached_at is not null order by reached_at desc, reached_ms desc limit 1",
    )
    .bind(account)
    .bind(timeline)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((reached_ms,)) = reached {
        return Ok(reached_ms);
    }
    // Sessions of before this was kept.
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

/// Learners and the lessons that they have evidence of and have not completed, that the published version
/// shows and the version that they follow does not: classes that were held before.
///
/// # Errors
/// When the database fails.
pub async fn newly_shown(
    connection: &mut AnyConnection,
    course: CourseId,
) -> Result<Vec<(AccountId, LessonId)>, Error> {
    Ok(sqlx::query_as(
        "select distinct played.account_id, played.lesson_id from course \
         join version_lesson shown on shown.version_id = course.published_version_id \
         join enrolment on enrolment.course_id = course.id and enrolment.completed_at is null \
         and enrolment.withdrawn_at is null \
         join watch_interval played on played.account_id = enrolment.account_id \
         and played.lesson_id = shown.lesson_id \
         where course.id = $1 and not exists (select 1 from version_lesson before \
         where before.version_id = enrolment.version_id and before.lesson_id = shown.lesson_id) \
         and not exists (select 1 from lesson_completion done \
         where done.account_id = enrolment.account_id and done.lesson_id = shown.lesson_id) \
         order by played.account_id, played.lesson_id",
    )
    .bind(course)
    .fetch_all(connection)
    .await?)
}

/// Lessons of the version that a learner follows, that he or she has evidence of and has not completed.
///
/// # Errors
/// When the database fails.
pub async fn begun(
    connection: &mut AnyConnection,
    course: CourseId,
    account: AccountId,
) -> Result<Vec<LessonId>, Error> {
    let rows: Vec<(LessonId,)> = sqlx::query_as(
        "select distinct played.lesson_id from enrolment \
         join version_lesson shown on shown.version_id = enrolment.version_id \
         join watch_interval played on played.account_id = enrolment.account_id \
         and played.lesson_id = shown.lesson_id \
         where enrolment.course_id = $1 and enrolment.account_id = $2 \
         and not exists (select 1 from lesson_completion done \
         where done.account_id = enrolment.account_id and done.lesson_id = shown.lesson_id) \
         order by played.lesson_id",
    )
    .bind(course)
    .bind(account)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(lesson,)| lesson).collect())
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

/// Of a revoked certificate: the lessons of its course are not complete any more. That they were is kept.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(
    connection: &mut AnyConnection,
    credential: CredentialId,
) -> Result<(), Error> {
    sqlx::query(
        "insert into revoked_completion (credential_id, account_id, lesson_id, version_id, \
         watched_percent, completed_at) select credential.id, done.account_id, done.lesson_id, \
         done.version_id, done.watched_percent, done.completed_at from credential \
         join lesson on lesson.course_id = credential.course_id \
         join lesson_completion done on done.lesson_id = lesson.id \
         and done.account_id = credential.account_id where credential.id = $1",
    )
    .bind(credential)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "delete from lesson_completion where exists (select 1 from revoked_completion kept \
         where kept.credential_id = $1 and kept.account_id = lesson_completion.account_id \
         and kept.lesson_id = lesson_completion.lesson_id)",
    )
    .bind(credential)
    .execute(connection)
    .await?;
    Ok(())
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
    let sql = format!(
        "select flag.lesson_id, flag.reason, count(*) as times from evidence_flag flag \
         join version_lesson shown on shown.lesson_id = flag.lesson_id \
         where shown.version_id = $2 and flag.account_id = $1 \
         and flag.recorded_at >= {VERSION_COUNTS_FROM} \
         group by flag.lesson_id, flag.reason order by flag.lesson_id, flag.reason"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(account)
        .bind(version)
        .fetch_all(connection)
        .await?)
}
