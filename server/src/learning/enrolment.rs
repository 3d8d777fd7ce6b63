//! The table `enrolment`: one learner on one course.

use sqlx::{AnyConnection, FromRow};

use crate::clock::Timestamp;
use crate::courses::proof::InCourse;
use crate::courses::store as courses;
use crate::error::Error;
use crate::id::{AccountId, CohortId, CourseId, CredentialId, EnrolmentId, LessonId, VersionId};
use crate::people::Teacher;

/// Who asked for the enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The learner.
    Learner,
    /// A teacher, one by one.
    Teacher,
    /// A teacher's list.
    Csv,
    /// A training measure of a support plan.
    Plan,
}

impl Source {
    fn word(self) -> &'static str {
        match self {
            Self::Learner => "self",
            Self::Teacher => "teacher",
            Self::Csv => "csv",
            Self::Plan => "plan",
        }
    }
}

/// A learner on a course.
#[derive(Clone, Debug, FromRow)]
pub struct Enrolment {
    /// Its id.
    pub id: EnrolmentId,
    /// Course.
    pub course_id: CourseId,
    /// The version that the learner follows.
    pub version_id: VersionId,
    /// Learner.
    pub account_id: AccountId,
    /// When the course was completed.
    pub completed_at: Option<Timestamp>,
}

/// Enrols on the published version; again is without effect, and a learner who had left comes back.
///
/// # Errors
/// [`Error::NotFound`] when the course is not published.
pub async fn enrol(
    connection: &mut AnyConnection,
    course: CourseId,
    account: AccountId,
    source: Source,
    by: AccountId,
    cohort: Option<CohortId>,
    now: Timestamp,
) -> Result<(), Error> {
    let inserted = sqlx::query(
        "insert into enrolment (id, course_id, version_id, account_id, cohort_id, source, \
         enrolled_by, enrolled_at) \
         select $1, id, published_version_id, $2, $3, $4, $5, $6 from course \
         where id = $7 and published_version_id is not null and archived_at is null \
         on conflict (course_id, account_id) do update set \
         withdrawn_at = null, cohort_id = coalesce(excluded.cohort_id, enrolment.cohort_id)",
    )
    .bind(EnrolmentId::new())
    .bind(account)
    .bind(cohort)
    .bind(source.word())
    .bind(by)
    .bind(now)
    .bind(course)
    .execute(connection)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    Ok(())
}

/// The learner's place on a course, unless the learner left it.
///
/// # Errors
/// When the database fails.
pub async fn find(
    connection: &mut AnyConnection,
    course: CourseId,
    account: AccountId,
) -> Result<Option<Enrolment>, Error> {
    Ok(sqlx::query_as(
        "select id, course_id, version_id, account_id, completed_at from enrolment \
         where course_id = $1 and account_id = $2 and withdrawn_at is null",
    )
    .bind(course)
    .bind(account)
    .fetch_optional(connection)
    .await?)
}

/// The learner's place on the course of a lesson, if the followed version has it and the course is
/// not complete.
///
/// # Errors
/// When the database fails.
pub async fn showing(
    connection: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
) -> Result<Option<Enrolment>, Error> {
    Ok(sqlx::query_as(
        "select enrolment.id, enrolment.course_id, enrolment.version_id, \
         enrolment.account_id, enrolment.completed_at from enrolment \
         join version_lesson shown on shown.version_id = enrolment.version_id \
         where enrolment.account_id = $1 and shown.lesson_id = $2 \
         and enrolment.completed_at is null and enrolment.withdrawn_at is null",
    )
    .bind(account)
    .bind(lesson)
    .fetch_optional(connection)
    .await?)
}

/// Holds somebody's place on the course of a lesson until the transaction ends, if there is one: who comes second
/// sees what the first wrote.
///
/// # Errors
/// When the database fails.
pub async fn hold_of_lesson(
    connection: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
) -> Result<(), Error> {
    sqlx::query(
        "update enrolment set version_id = version_id where account_id = $1 \
         and course_id = (select course_id from lesson where id = $2)",
    )
    .bind(account)
    .bind(lesson)
    .execute(connection)
    .await?;
    Ok(())
}

/// The same for the places of all learners of a course: whatever was credited to them is seen from now on.
///
/// # Errors
/// When the database fails.
pub async fn hold_all(connection: &mut AnyConnection, course: CourseId) -> Result<(), Error> {
    courses::hold(&mut *connection, course).await?;
    sqlx::query("update enrolment set version_id = version_id where course_id = $1")
        .bind(course)
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets learners who have not completed the course follow its published version.
///
/// # Errors
/// When the database fails.
pub async fn follow_published(
    connection: &mut AnyConnection,
    course: &InCourse<Teacher>,
) -> Result<(), Error> {
    sqlx::query(
        "update enrolment set version_id = (select published_version_id from course \
         where course.id = enrolment.course_id) where course_id = $1 and completed_at is null",
    )
    .bind(course.course())
    .execute(connection)
    .await?;
    Ok(())
}

/// Learners who have completed every lesson of the version that they follow, but not the course:
/// the missing lesson is not asked for any more.
///
/// # Errors
/// When the database fails.
pub async fn finished(
    connection: &mut AnyConnection,
    course: &InCourse<Teacher>,
) -> Result<Vec<Enrolment>, Error> {
    Ok(sqlx::query_as(
        "select id, course_id, version_id, account_id, completed_at from enrolment \
         where course_id = $1 and completed_at is null and withdrawn_at is null \
         and not exists (select 1 from version_lesson shown \
         where shown.version_id = enrolment.version_id and not exists \
         (select 1 from lesson_completion done where done.account_id = enrolment.account_id \
         and done.lesson_id = shown.lesson_id)) order by id",
    )
    .bind(course.course())
    .fetch_all(connection)
    .await?)
}

/// Holds the learner's place until the transaction ends and tells which version it follows now; `None` when
/// the course is complete or was left. Whoever looks at what is missing begins with this: a version may be
/// published at the same moment.
///
/// # Errors
/// When the database fails.
pub async fn hold(
    connection: &mut AnyConnection,
    enrolment: EnrolmentId,
) -> Result<Option<Enrolment>, Error> {
    Ok(sqlx::query_as(
        "update enrolment set version_id = version_id where id = $1 and completed_at is null \
         and withdrawn_at is null returning id, course_id, version_id, account_id, completed_at",
    )
    .bind(enrolment)
    .fetch_optional(connection)
    .await?)
}

/// As [`hold_all`], for the course of a lesson.
///
/// # Errors
/// When the database fails.
pub async fn hold_all_of_lesson(
    connection: &mut AnyConnection,
    lesson: LessonId,
) -> Result<(), Error> {
    courses::hold_of_lesson(&mut *connection, lesson).await?;
    sqlx::query(
        "update enrolment set version_id = version_id where course_id = \
         (select course_id from lesson where lesson.id = $1)",
    )
    .bind(lesson)
    .execute(connection)
    .await?;
    Ok(())
}

/// The certificate was revoked: the course is to be completed again, in its published version, and only
/// what is done and played from now on counts.
///
/// # Errors
/// When the database fails.
pub async fn reopen(
    connection: &mut AnyConnection,
    credential: CredentialId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update enrolment set completed_at = null, counts_from = $1, \
         version_id = coalesce((select published_version_id from course \
         where course.id = enrolment.course_id), version_id) \
         where id = (select enrolment_id from credential where credential.id = $2)",
    )
    .bind(now)
    .bind(credential)
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks the course complete, once.
///
/// # Errors
/// When the database fails.
pub async fn complete(
    connection: &mut AnyConnection,
    enrolment: EnrolmentId,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = sqlx::query(
        "update enrolment set completed_at = $1 where id = $2 and completed_at is null \
         and withdrawn_at is null",
    )
    .bind(now)
    .bind(enrolment)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// A course in a learner's list.
#[derive(Clone, Debug, FromRow)]
pub struct Taken {
    /// Course.
    pub course_id: CourseId,
    /// Version that is followed.
    pub version_id: VersionId,
    /// Title of that version.
    pub title: String,
    /// BCP 47.
    pub language: String,
    /// Object of the picture.
    pub cover_key: Option<String>,
    /// Estimated length.
    pub estimated_minutes: i64,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
    /// Lessons.
    pub lessons: i64,
    /// Lessons that the learner completed.
    pub lessons_completed: i64,
}

impl Taken {
    /// Completed lessons in percent.
    #[must_use]
    pub fn percent(&self) -> i64 {
        share(self.lessons_completed, self.lessons)
    }
}

/// `part` of `whole` in percent, rounded down.
#[must_use]
pub fn share(part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        0
    } else {
        (part * 100 / whole).clamp(0, 100)
    }
}

/// The courses of one learner, newest first.
///
/// # Errors
/// When the database fails.
pub async fn of_account(
    connection: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<Taken>, Error> {
    Ok(sqlx::query_as(
        "select enrolment.course_id, enrolment.version_id, version.title, version.language, \
         version.cover_key, version.estimated_minutes, enrolment.completed_at, \
         (select count(*) from version_lesson \
         where version_lesson.version_id = enrolment.version_id) as lessons, \
         (select count(*) from version_lesson join lesson_completion done \
         on done.lesson_id = version_lesson.lesson_id and done.account_id = $1 \
         where version_lesson.version_id = enrolment.version_id) as lessons_completed \
         from enrolment join course_version version on version.id = enrolment.version_id \
         where enrolment.account_id = $1 and enrolment.withdrawn_at is null \
         order by enrolment.enrolled_at desc, enrolment.id desc limit 200",
    )
    .bind(account)
    .fetch_all(connection)
    .await?)
}

/// A learner in a teacher's list.
#[derive(Clone, Debug, FromRow)]
pub struct LearnerRow {
    /// Learner.
    pub account_id: AccountId,
    /// Name.
    pub name: String,
    /// Name of the cohort, empty without one.
    pub cohort: String,
    /// When the course was completed.
    pub completed_at: Option<Timestamp>,
    /// Lessons of the version that the learner follows.
    pub lessons: i64,
    /// Completed ones.
    pub lessons_completed: i64,
    /// What completing the course led to the last time.
    pub credential_id: Option<CredentialId>,
    /// When that was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// The learners of a course, by cohort and name.
///
/// # Errors
/// When the database fails.
pub async fn of_course(
    connection: &mut AnyConnection,
    course: &InCourse<Teacher>,
) -> Result<Vec<LearnerRow>, Error> {
    Ok(sqlx::query_as(
        "select enrolment.account_id, account.name, coalesce(cohort.name, '') as cohort, \
         enrolment.completed_at, (select count(*) from version_lesson \
         where version_lesson.version_id = enrolment.version_id) as lessons, \
         (select count(*) from version_lesson join lesson_completion done \
         on done.lesson_id = version_lesson.lesson_id and done.account_id = enrolment.account_id \
         where version_lesson.version_id = enrolment.version_id) as lessons_completed, \
         credential.id as credential_id, credential.revoked_at \
         from enrolment join account on account.id = enrolment.account_id \
         left join cohort on cohort.id = enrolment.cohort_id \
         left join credential on credential.id = (select last.id from credential last \
         where last.enrolment_id = enrolment.id order by last.issued_at desc, last.id desc limit 1) \
         where enrolment.course_id = $1 and enrolment.withdrawn_at is null \
         order by cohort, account.name limit 2000",
    )
    .bind(course.course())
    .fetch_all(connection)
    .await?)
}

/// How many learn in each course that the account teaches.
///
/// # Errors
/// When the database fails.
pub async fn counts(
    connection: &mut AnyConnection,
    teacher: AccountId,
) -> Result<Vec<(CourseId, i64)>, Error> {
    Ok(sqlx::query_as(
        "select enrolment.course_id, count(*) from enrolment \
         join course_teacher on course_teacher.course_id = enrolment.course_id \
         where course_teacher.account_id = $1 and course_teacher.removed_at is null \
         and enrolment.withdrawn_at is null group by enrolment.course_id",
    )
    .bind(teacher)
    .fetch_all(connection)
    .await?)
}
