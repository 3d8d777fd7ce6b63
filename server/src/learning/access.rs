//! Proof that somebody may follow a course: enrolled, or teaching it.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use sqlx::{AnyConnection, FromRow};

use super::enrolment::{self, Enrolment};
use crate::clock::{Clock, Timestamp};
use crate::courses::proof::InCourse;
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, CourseId, LessonId, TimelineId};
use crate::people::access::path_id;
use crate::people::{SignedIn, Teacher};
use crate::timelines::trim::Trim;

/// Proof for the course `{course_id}` of the path.
#[derive(Clone, Debug)]
pub struct CourseMember {
    account: AccountId,
    course: CourseId,
    enrolment: Option<Enrolment>,
    teacher: Option<InCourse<Teacher>>,
}

impl CourseMember {
    /// Asks the database.
    ///
    /// # Errors
    /// [`Error::NotFound`] for everybody else.
    pub async fn prove(
        connection: &mut AnyConnection,
        account: AccountId,
        course: CourseId,
    ) -> Result<Self, Error> {
        let enrolment = enrolment::find(&mut *connection, course, account).await?;
        let teacher = match InCourse::<Teacher>::prove(connection, account, course).await {
            Ok(proof) => Some(proof),
            Err(Error::NotFound) => None,
            Err(other) => return Err(other),
        };
        if enrolment.is_none() && teacher.is_none() {
            return Err(Error::NotFound);
        }
        Ok(Self {
            account,
            course,
            enrolment,
            teacher,
        })
    }

    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Which course.
    #[must_use]
    pub fn course(&self) -> CourseId {
        self.course
    }

    /// As a learner.
    #[must_use]
    pub fn enrolment(&self) -> Option<&Enrolment> {
        self.enrolment.as_ref()
    }

    /// As a teacher.
    #[must_use]
    pub fn teacher(&self) -> Option<&InCourse<Teacher>> {
        self.teacher.as_ref()
    }
}

impl<S> FromRequestParts<S> for CourseMember
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let person = SignedIn::from_request_parts(parts, state).await?;
        let course = path_id(parts, state, "course_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        Self::prove(&mut connection, person.account(), course).await
    }
}

#[derive(FromRow)]
struct Shown {
    lesson_id: LessonId,
    course_id: CourseId,
    duration_ms: i64,
    admitted_at: Option<Timestamp>,
    counts_since: Option<Timestamp>,
    barred_at: Option<Timestamp>,
    #[sqlx(flatten)]
    trim: Trim,
}

/// Lets an account watch a timeline that grows, as a learner whose watching counts or not.
///
/// # Errors
/// When the database fails.
pub async fn admit(
    connection: &mut AnyConnection,
    timeline: TimelineId,
    account: AccountId,
    counts: bool,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into timeline_viewer (timeline_id, account_id, admitted_at, counts_since) \
         values ($1, $2, $3, $4) on conflict (timeline_id, account_id) \
         do update set counts_since = excluded.counts_since",
    )
    .bind(timeline)
    .bind(account)
    .bind(now)
    .bind(counts.then_some(now))
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets an account watch a timeline no more while it grows.
///
/// # Errors
/// When the database fails.
pub async fn bar(
    connection: &mut AnyConnection,
    timeline: TimelineId,
    account: AccountId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into timeline_viewer (timeline_id, account_id, admitted_at, barred_at) \
         values ($1, $2, $3, $3) on conflict (timeline_id, account_id) \
         do update set barred_at = excluded.barred_at",
    )
    .bind(timeline)
    .bind(account)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Proof that an account may watch a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MayWatch {
    account: AccountId,
    timeline: TimelineId,
    lesson: LessonId,
    learner: bool,
    duration_ms: i64,
    trim: Trim,
}

impl MayWatch {
    /// Asks the database: the timeline is shown by the version that the account follows or by one
    /// before it (a lesson may be on its way while the course is published again), or the account
    /// teaches the course, or was let into the live class whose timeline it is.
    ///
    /// While the timeline grows, whoever was sent out of the class may not watch, and only those whom
    /// the class counts as learners leave evidence.
    ///
    /// # Errors
    /// [`Error::NotFound`] for everybody else.
    pub async fn prove(
        connection: &mut AnyConnection,
        account: AccountId,
        timeline: TimelineId,
    ) -> Result<Self, Error> {
        let shown: Option<Shown> = sqlx::query_as(
            "select timeline.lesson_id, lesson.course_id, timeline.duration_ms, \
             timeline.shown_from_ms, timeline.shown_until_ms, \
             viewer.admitted_at, viewer.counts_since, viewer.barred_at from timeline \
             join lesson on lesson.id = timeline.lesson_id \
             left join timeline_viewer viewer on viewer.timeline_id = timeline.id \
             and viewer.account_id = $2 where timeline.id = $1",
        )
        .bind(timeline)
        .bind(account)
        .fetch_optional(&mut *connection)
        .await?;
        let shown = shown.ok_or(Error::NotFound)?;
        let watch = |lesson, learner| Self {
            account,
            timeline,
            lesson,
            learner,
            duration_ms: shown.duration_ms,
            trim: shown.trim,
        };
        let grows = shown.duration_ms == 0;
        if grows && shown.barred_at.is_some() {
            return Err(Error::NotFound);
        }
        if grows && shown.admitted_at.is_some() {
            return Ok(watch(shown.lesson_id, shown.counts_since.is_some()));
        }
        let followed: Option<(LessonId,)> = sqlx::query_as(
            "select shown.lesson_id from version_lesson shown \
             join course_version version on version.id = shown.version_id \
             join enrolment on enrolment.course_id = version.course_id \
             join course_version followed on followed.id = enrolment.version_id \
             where shown.timeline_id = $1 and enrolment.account_id = $2 \
             and version.number <= followed.number and enrolment.withdrawn_at is null limit 1",
        )
        .bind(timeline)
        .bind(account)
        .fetch_optional(&mut *connection)
        .await?;
        if let Some((lesson,)) = followed {
            return Ok(watch(lesson, true));
        }
        // A class may be held before the version that shows it is published.
        let takes_course = grows && {
            let enrolled = enrolment::find(&mut *connection, shown.course_id, account).await?;
            enrolled.is_some()
        };
        if takes_course {
            return Ok(watch(shown.lesson_id, true));
        }
        if shown.admitted_at.is_some() && shown.barred_at.is_none() {
            return Ok(watch(shown.lesson_id, false));
        }
        InCourse::<Teacher>::prove(connection, account, shown.course_id).await?;
        Ok(watch(shown.lesson_id, false))
    }

    /// A proof out of nothing, for tests of rules that need none.
    #[cfg(test)]
    pub fn for_tests(account: AccountId, timeline: TimelineId, lesson: LessonId) -> Self {
        Self {
            account,
            timeline,
            lesson,
            learner: true,
            duration_ms: 0,
            trim: Trim::default(),
        }
    }

    /// Who.
    #[must_use]
    pub fn account(self) -> AccountId {
        self.account
    }

    /// What.
    #[must_use]
    pub fn timeline(self) -> TimelineId {
        self.timeline
    }

    /// For which lesson.
    #[must_use]
    pub fn lesson(self) -> LessonId {
        self.lesson
    }

    /// Length of all of it, 0 while it grows.
    #[must_use]
    pub fn duration_ms(self) -> i64 {
        self.duration_ms
    }

    /// What of it.
    #[must_use]
    pub fn trim(self) -> Trim {
        self.trim
    }

    /// Whether watching counts: false for a teacher who looks at the own course.
    #[must_use]
    pub fn counts(self) -> bool {
        self.learner
    }
}
