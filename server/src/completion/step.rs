//! What moves within one transaction. It takes locks in one order, so that two transactions never wait for
//! each other: enrolments, then measures, and the head of the audit when all else is done.

use sqlx::AnyConnection;

use crate::audit::{self, Entry};
use crate::clock::Timestamp;
use crate::courses::proof::InCourse;
use crate::courses::publish;
use crate::error::Error;
use crate::households;
use crate::id::{AccountId, CourseId, CredentialId, EnrolmentId, HouseholdId, LessonId, MeasureId};
use crate::learning::credentials::{self, Evidence, LessonEvidence};
use crate::learning::enrolment::{self, Enrolment};
use crate::learning::evidence::Outcome;
use crate::learning::progress;
use crate::learning::watched::Intervals;
use crate::notices;
use crate::people::Teacher;
use crate::plans::fulfil;
use crate::plans::reopen::{self, Revoked};

/// A timeline of which no more than this is missing was watched whole: players stop a few frames
/// before the end.
const MISSING_MS: i64 = 1_000;

/// Steps of one transaction, at one moment; nothing of them holds without [`Step::end`].
pub(super) struct Step<'a> {
    transaction: &'a mut AnyConnection,
    now: Timestamp,
    entries: Vec<Entry<'static>>,
}

impl<'a> Step<'a> {
    pub(super) fn new(transaction: &'a mut AnyConnection, now: Timestamp) -> Self {
        Self {
            transaction,
            now,
            entries: Vec::new(),
        }
    }

    /// Writes the audit.
    pub(super) async fn end(self) -> Result<(), Error> {
        for entry in self.entries {
            audit::append(&mut *self.transaction, entry).await?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        account: Option<AccountId>,
        action: &'static str,
        subject_kind: &'static str,
        subject: impl ToString,
    ) {
        self.entries.push(Entry {
            account,
            action,
            subject_kind,
            subject_id: subject.to_string(),
            reason: None,
            at: self.now,
        });
    }

    /// Somebody was enrolled.
    pub(super) async fn began(
        &mut self,
        course: CourseId,
        account: AccountId,
    ) -> Result<(), Error> {
        let belonging = households::store::of_account(&mut *self.transaction, account).await?;
        if let Some(who) = belonging {
            fulfil::began(&mut *self.transaction, who, course, self.now).await?;
        }
        for lesson in progress::begun(&mut *self.transaction, course, account).await? {
            self.watched(account, lesson).await?;
        }
        Ok(())
    }

    /// More of a lesson was played.
    pub(super) async fn watched(
        &mut self,
        account: AccountId,
        lesson: LessonId,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        // What others credit at this moment is seen by whoever comes second.
        enrolment::hold_of_lesson(&mut *self.transaction, account, lesson).await?;
        let showing = enrolment::showing(&mut *self.transaction, account, lesson).await?;
        let Some(enrolment) = showing else {
            return Ok(outcome);
        };
        let version = publish::version(&mut *self.transaction, enrolment.version_id).await?;
        // Of a class that goes on, or a recording that is not finished, there is no share yet.
        let percent = progress::of_lesson(&mut *self.transaction, account, lesson)
            .await?
            .into_iter()
            .filter(|(played, ms)| *ms > 0 && is_enough(played, *ms, version.required_percent))
            .map(|(played, ms)| played.percent_of(ms))
            .max();
        if let Some(percent) = percent {
            outcome = self.lesson_done(enrolment.id, lesson, percent).await?;
        }
        Ok(outcome)
    }

    /// A lesson is complete.
    pub(super) async fn lesson_done(
        &mut self,
        enrolment: EnrolmentId,
        lesson: LessonId,
        percent: i64,
    ) -> Result<Outcome, Error> {
        // What the caller read may be older than a version that was published since.
        let Some(enrolment) = enrolment::hold(&mut *self.transaction, enrolment).await? else {
            return Ok(Outcome::default());
        };
        let (account, version) = (enrolment.account_id, enrolment.version_id);
        let lesson_completed = progress::complete(
            &mut *self.transaction,
            account,
            lesson,
            version,
            percent,
            self.now,
        )
        .await?;
        Ok(Outcome {
            lesson_completed,
            course_completed: self.course_done(&enrolment).await?,
        })
    }

    /// Completes the course for all who have done what its new version asks for.
    pub(super) async fn courses_done(&mut self, course: &InCourse<Teacher>) -> Result<(), Error> {
        for enrolment in enrolment::finished(&mut *self.transaction, course).await? {
            self.course_done(&enrolment).await?;
        }
        Ok(())
    }

    /// Completes the course if every lesson is complete and it was not yet.
    async fn course_done(&mut self, enrolment: &Enrolment) -> Result<bool, Error> {
        let (account, version, now) = (enrolment.account_id, enrolment.version_id, self.now);
        let lessons = publish::lessons(&mut *self.transaction, version).await?;
        let done = progress::completed(&mut *self.transaction, account, version).await?;
        let is_done = |lesson| done.iter().any(|done| done.lesson_id == lesson);
        if lessons.is_empty() || !lessons.iter().all(|lesson| is_done(lesson.lesson_id)) {
            return Ok(false);
        }
        if !enrolment::complete(&mut *self.transaction, enrolment.id, now).await? {
            return Ok(false);
        }
        let evidence = evidence(&mut *self.transaction, enrolment, &lessons, &done).await?;
        let credential =
            credentials::issue(&mut *self.transaction, enrolment.id, &evidence, now).await?;
        self.note(None, "credential.issued", "credential", credential);
        self.fulfil(account, enrolment.course_id, credential)
            .await?;
        Ok(true)
    }

    async fn fulfil(
        &mut self,
        account: AccountId,
        course: CourseId,
        credential: CredentialId,
    ) -> Result<(), Error> {
        let belonging = households::store::of_account(&mut *self.transaction, account).await?;
        let Some(who) = belonging else { return Ok(()) };
        let transaction = &mut *self.transaction;
        for measure in fulfil::completed(transaction, who, course, credential, self.now).await? {
            let kind = notices::Kind::MeasureFulfilled;
            self.tell_helper(who.household_id, kind, measure).await?;
            self.note(None, "measure.fulfilled", "measure", measure);
        }
        Ok(())
    }

    /// A teacher takes a certificate back.
    pub(super) async fn revoke(
        &mut self,
        course: &InCourse<Teacher>,
        revoked: Revoked<'_>,
    ) -> Result<(), Error> {
        let (credential, by, now) = (revoked.credential, Some(revoked.by), self.now);
        let reason = revoked.reason;
        credentials::revoke(&mut *self.transaction, course, credential, reason, now).await?;
        enrolment::reopen(&mut *self.transaction, credential, now).await?;
        progress::withdraw(&mut *self.transaction, credential).await?;
        self.note(by, "credential.revoked", "credential", credential);
        for measure in reopen::reopened(&mut *self.transaction, revoked).await? {
            self.note(by, "measure.reopened", "measure", measure.id);
            let kind = if measure.fulfilled {
                self.note(None, "measure.fulfilled", "measure", measure.id);
                notices::Kind::MeasureFulfilled
            } else {
                notices::Kind::MeasureReopened
            };
            self.tell_helper(measure.household, kind, measure.id)
                .await?;
        }
        Ok(())
    }

    async fn tell_helper(
        &mut self,
        household: HouseholdId,
        kind: notices::Kind,
        measure: MeasureId,
    ) -> Result<(), Error> {
        let helper = households::store::helper(&mut *self.transaction, household).await?;
        if let Some(helper) = helper {
            notices::leave(&mut *self.transaction, helper, kind, measure, self.now).await?;
        }
        Ok(())
    }
}

fn is_enough(played: &Intervals, duration_ms: i64, required_percent: i64) -> bool {
    let whole = duration_ms - played.total_ms() <= MISSING_MS && played.total_ms() > 0;
    whole || played.percent_of(duration_ms) >= required_percent
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::watched::Interval;

    #[test]
    fn the_last_frames_do_not_decide() {
        let played = |until_ms| {
            Intervals::merge([Interval {
                from_ms: 0,
                until_ms,
            }])
        };
        assert!(is_enough(&played(9_200), 10_000, 100));
        assert!(!is_enough(&played(8_900), 10_000, 100));
        assert!(is_enough(&played(9_000), 10_000, 90));
        assert!(!is_enough(&played(8_999), 10_000, 90));
        assert!(!is_enough(&Intervals::default(), 500, 90));
    }
}
