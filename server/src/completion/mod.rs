//! The one place where learning and support plans meet.
//!
//! A completed course, its credential, the fulfilled measure, the helper's notice and the audit
//! line are one transaction: all of them, or none.

#[cfg(test)]
mod race_tests;
#[cfg(test)]
mod revoke_tests;
pub mod routes;
mod step;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;

use sqlx::AnyConnection;

use crate::clock::Timestamp;
use crate::courses::proof::InCourse;
use crate::error::Error;
use crate::form;
use crate::id::{AccountId, CohortId, CourseId, CredentialId, EnrolmentId, LessonId};
use crate::jobs::{Finished, FinishedFuture};
use crate::learning::enrolment::{self, Source};
use crate::learning::evidence::{Outcome, Watched, WatchedFuture};
use crate::learning::progress;
use crate::people::Teacher;
use crate::plans::reopen::Revoked;
use step::Step;

/// Completes lessons and courses when evidence is credited.
#[derive(Clone, Copy, Debug)]
pub struct Completion;

impl Watched for Completion {
    fn watched<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        account: AccountId,
        lesson: LessonId,
        now: Timestamp,
    ) -> WatchedFuture<'a> {
        Box::pin(watched(connection, account, lesson, now))
    }
}

impl Finished for Completion {
    fn finished<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        lesson: LessonId,
        now: Timestamp,
    ) -> FinishedFuture<'a> {
        Box::pin(finished(connection, lesson, now))
    }
}

/// A recording is whole that was watched before: whoever has seen enough of it has completed the lesson.
async fn finished(
    transaction: &mut AnyConnection,
    lesson: LessonId,
    now: Timestamp,
) -> Result<(), Error> {
    enrolment::hold_all_of_lesson(&mut *transaction, lesson).await?;
    let watchers = progress::watchers(&mut *transaction, lesson).await?;
    let mut step = Step::new(transaction, now);
    for account in watchers {
        step.watched(account, lesson).await?;
    }
    step.end().await
}

/// Enrols somebody, and lets the household's measures know.
///
/// # Errors
/// As [`enrolment::enrol`].
pub async fn enrol(
    transaction: &mut AnyConnection,
    course: CourseId,
    account: AccountId,
    source: Source,
    by: AccountId,
    cohort: Option<CohortId>,
    now: Timestamp,
) -> Result<(), Error> {
    enrolment::enrol(&mut *transaction, course, account, source, by, cohort, now).await?;
    began(transaction, course, &[account], now).await
}

/// Lets the households' measures know that people were enrolled; of whoever comes back, what he or she
/// watched before counts.
///
/// # Errors
/// When the database fails; then the caller's transaction must not commit.
pub async fn began(
    transaction: &mut AnyConnection,
    course: CourseId,
    accounts: &[AccountId],
    now: Timestamp,
) -> Result<(), Error> {
    let mut step = Step::new(transaction, now);
    for account in accounts {
        step.began(course, *account).await?;
    }
    step.end().await
}

/// More of a lesson was played: completes what is complete now.
async fn watched(
    transaction: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let mut step = Step::new(transaction, now);
    let outcome = step.watched(account, lesson).await?;
    step.end().await?;
    Ok(outcome)
}

/// A new version is published: whoever has not completed the course follows it, whoever attended a class
/// that it shows for the first time has completed that lesson, and whoever has done all that it still
/// asks for has completed it now.
///
/// # Errors
/// When the database fails; then the caller's transaction must not commit.
pub async fn republished(
    transaction: &mut AnyConnection,
    course: &InCourse<Teacher>,
    now: Timestamp,
) -> Result<(), Error> {
    enrolment::hold_all(&mut *transaction, course.course()).await?;
    let attended = progress::newly_shown(&mut *transaction, course.course()).await?;
    enrolment::follow_published(&mut *transaction, course).await?;
    let mut step = Step::new(transaction, now);
    for (account, lesson) in attended {
        step.watched(account, lesson).await?;
    }
    step.courses_done(course).await?;
    step.end().await
}

/// A lesson is complete; perhaps the course is too. Of a course that is complete nothing changes.
///
/// # Errors
/// When the database fails; then the caller's transaction must not commit.
pub async fn lesson_done(
    transaction: &mut AnyConnection,
    enrolment: EnrolmentId,
    lesson: LessonId,
    percent: i64,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let mut step = Step::new(transaction, now);
    let outcome = step.lesson_done(enrolment, lesson, percent).await?;
    step.end().await?;
    Ok(outcome)
}

/// Takes a certificate back. Its course is open again to whoever had it: all lessons are to be done once
/// more, since nobody knows which of the evidence was somebody else's. The measures that it fulfilled rest
/// on other certificates or are open again, and their helpers know.
///
/// # Errors
/// As [`credentials::revoke`](crate::learning::credentials::revoke); [`Error::Invalid`] without a reason.
pub async fn revoke(
    transaction: &mut AnyConnection,
    course: &InCourse<Teacher>,
    credential: CredentialId,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let revoked = Revoked {
        credential,
        by: course.account(),
        reason: form::reason(reason)?,
        at: now,
    };
    let mut step = Step::new(transaction, now);
    step.revoke(course, revoked).await?;
    step.end().await
}
