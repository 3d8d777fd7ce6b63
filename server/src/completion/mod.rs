//! The one place where learning and support plans meet.
//!
//! A completed course, its credential, the fulfilled measure, the helper's notice and the audit
//! line are one transaction: all of them, or none.

#[cfg(test)]
mod race_tests;
pub mod routes;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;

use sqlx::AnyConnection;

use crate::audit::{self, Entry};
use crate::clock::Timestamp;
use crate::courses::proof::InCourse;
use crate::courses::publish;
use crate::error::Error;
use crate::form;
use crate::households;
use crate::id::{AccountId, CohortId, CourseId, CredentialId, LessonId};
use crate::jobs::{Finished, FinishedFuture};
use crate::learning::credentials::{self, Evidence, LessonEvidence};
use crate::learning::enrolment::{self, Enrolment, Source};
use crate::learning::evidence::{Outcome, Watched, WatchedFuture};
use crate::learning::progress;
use crate::learning::watched::Intervals;
use crate::notices;
use crate::people::Teacher;
use crate::plans::fulfil;

/// A timeline of which no more than this is missing was watched whole: players stop a few frames
/// before the end.
const MISSING_MS: i64 = 1_000;

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
    // What is being credited by those who still saw it unfinished is not missed.
    enrolment::lock_all_of_lesson(&mut *transaction, lesson).await?;
    for account in progress::watchers(&mut *transaction, lesson).await? {
        watched(&mut *transaction, account, lesson, now).await?;
    }
    Ok(())
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
    began(transaction, course, account, now).await
}

/// Lets the household's measures know that somebody was enrolled; of whoever comes back, what he or she
/// watched before counts.
///
/// # Errors
/// When the database fails.
pub async fn began(
    transaction: &mut AnyConnection,
    course: CourseId,
    account: AccountId,
    now: Timestamp,
) -> Result<(), Error> {
    if let Some(who) = households::store::of_account(&mut *transaction, account).await? {
        fulfil::began(&mut *transaction, who, course, now).await?;
    }
    for lesson in progress::begun(&mut *transaction, course, account).await? {
        watched(&mut *transaction, account, lesson, now).await?;
    }
    Ok(())
}

/// More of a lesson was played: completes what is complete now.
async fn watched(
    transaction: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    enrolment::lock_of_lesson(&mut *transaction, account, lesson).await?;
    let Some(enrolment) = enrolment::showing(&mut *transaction, account, lesson).await? else {
        return Ok(outcome);
    };
    let version = publish::version(&mut *transaction, enrolment.version_id).await?;
    // Of a class that goes on, or a recording that is not finished, there is no share yet.
    let percent = progress::of_lesson(&mut *transaction, account, lesson)
        .await?
        .into_iter()
        .filter(|(played, ms)| *ms > 0 && is_enough(played, *ms, version.required_percent))
        .map(|(played, ms)| played.percent_of(ms))
        .max();
    if let Some(percent) = percent {
        outcome = lesson_done(transaction, &enrolment, lesson, percent, now).await?;
    }
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
    enrolment::lock_all(&mut *transaction, course.course()).await?;
    let attended = progress::newly_shown(&mut *transaction, course.course()).await?;
    enrolment::follow_published(&mut *transaction, course).await?;
    for (account, lesson) in attended {
        watched(&mut *transaction, account, lesson, now).await?;
    }
    for enrolment in enrolment::finished(&mut *transaction, course).await? {
        course_done(&mut *transaction, &enrolment, now).await?;
    }
    Ok(())
}

fn is_enough(played: &Intervals, duration_ms: i64, required_percent: i64) -> bool {
    let whole = duration_ms - played.total_ms() <= MISSING_MS && played.total_ms() > 0;
    whole || played.percent_of(duration_ms) >= required_percent
}

/// A lesson is complete; perhaps the course is too.
///
/// # Errors
/// When the database fails; then the caller's transaction must not commit.
pub async fn lesson_done(
    transaction: &mut AnyConnection,
    enrolment: &Enrolment,
    lesson: LessonId,
    percent: i64,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let version = enrolment::lock(&mut *transaction, enrolment.id).await?;
    let enrolment = &Enrolment {
        version_id: version,
        ..enrolment.clone()
    };
    let account = enrolment.account_id;
    let lesson_completed =
        progress::complete(&mut *transaction, account, lesson, version, percent, now).await?;
    Ok(Outcome {
        lesson_completed,
        course_completed: course_done(transaction, enrolment, now).await?,
    })
}

/// Completes the course if every lesson is complete and it was not yet.
async fn course_done(
    transaction: &mut AnyConnection,
    enrolment: &Enrolment,
    now: Timestamp,
) -> Result<bool, Error> {
    let (account, version) = (enrolment.account_id, enrolment.version_id);
    let lessons = publish::lessons(&mut *transaction, version).await?;
    let done = progress::completed(&mut *transaction, account, version).await?;
    let is_done = |lesson| done.iter().any(|done| done.lesson_id == lesson);
    if lessons.is_empty() || !lessons.iter().all(|lesson| is_done(lesson.lesson_id)) {
        return Ok(false);
    }
    if !enrolment::complete(&mut *transaction, enrolment.id, now).await? {
        return Ok(false);
    }
    let evidence = evidence(&mut *transaction, enrolment, &lessons, &done).await?;
    let credential = credentials::issue(&mut *transaction, enrolment.id, &evidence, now).await?;
    let entry = Entry {
        account: None,
        action: "credential.issued",
        subject_kind: "credential",
        subject_id: credential.to_string(),
        reason: None,
        at: now,
    };
    audit::append(&mut *transaction, entry).await?;
    let Some(who) = households::store::of_account(&mut *transaction, account).await? else {
        return Ok(true);
    };
    let course = enrolment.course_id;
    for measure in fulfil::completed(&mut *transaction, who, course, credential, now).await? {
        let helper = households::store::helper(&mut *transaction, who.household_id).await?;
        if let Some(helper) = helper {
            let kind = notices::Kind::MeasureFulfilled;
            notices::leave(&mut *transaction, helper, kind, measure, now).await?;
        }
        let entry = Entry {
            account: None,
            action: "measure.fulfilled",
            subject_kind: "measure",
            subject_id: measure.to_string(),
            reason: None,
            at: now,
        };
        audit::append(&mut *transaction, entry).await?;
    }
    Ok(true)
}

/// Takes a credential back: the measures that it fulfilled are open again, and their helpers know.
///
/// # Errors
/// As [`credentials::revoke`]; [`Error::Invalid`] without a reason.
pub async fn revoke(
    transaction: &mut AnyConnection,
    course: &InCourse<Teacher>,
    credential: CredentialId,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let (by, reason) = (course.account(), form::reason(reason)?);
    credentials::revoke(&mut *transaction, course, credential, reason, now).await?;
    let entry = |action, subject_kind, subject_id| Entry {
        account: Some(by),
        action,
        subject_kind,
        subject_id,
        reason: None,
        at: now,
    };
    let revoked = entry("credential.revoked", "credential", credential.to_string());
    audit::append(&mut *transaction, revoked).await?;
    for measure in fulfil::reopened(&mut *transaction, credential, by, reason, now).await? {
        let helper = households::store::helper(&mut *transaction, measure.household_id).await?;
        if let Some(helper) = helper {
            let kind = notices::Kind::MeasureReopened;
            notices::leave(&mut *transaction, helper, kind, measure.id, now).await?;
        }
        let reopened = entry("measure.reopened", "measure", measure.id.to_string());
        audit::append(&mut *transaction, reopened).await?;
    }
    Ok(())
}

async fn evidence(
    transaction: &mut AnyConnection,
    enrolment: &Enrolment,
    lessons: &[publish::PublishedLesson],
    done: &[progress::Completed],
) -> Result<Evidence, Error> {
    let (account, version) = (enrolment.account_id, enrolment.version_id);
    let mut watched = progress::of_version(&mut *transaction, account, version).await?;
    let flags = progress::flags(transaction, account, version).await?;
    let lessons = lessons.iter().map(|lesson| {
        let id = lesson.lesson_id;
        let completed = done.iter().find(|done| done.lesson_id == id);
        let watched = watched.remove(&id).unwrap_or_default();
        let percent = completed.map_or(0, |done| done.watched_percent);
        LessonEvidence {
            title: lesson.title.clone(),
            duration_ms: lesson.duration_ms,
            // More may have been watched since the lesson was complete.
            percent: percent.max(watched.percent_of(lesson.duration_ms)),
            watched,
            flags: flags
                .iter()
                .filter(|flag| flag.lesson_id == id)
                .map(|flag| flag.reason.clone())
                .collect(),
        }
    });
    Ok(Evidence {
        lessons: lessons.collect(),
    })
}
