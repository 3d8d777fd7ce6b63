//! Enrolling oneself, finishing a text, and the helper's look at what training led to.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use millet_web::pages::support as pages;
use serde::Deserialize;
use sqlx::AnyConnection;

use super::{enrol, lesson_done};
use crate::audit::{self, Entry};
use crate::clock::Clock;
use crate::courses::proof::InCourse;
use crate::db::Db;
use crate::error::Error;
use crate::form::Form;
use crate::households::store as households;
use crate::id::{CourseId, CredentialId};
use crate::learning::credentials::{self, LessonEvidence};
use crate::learning::enrolment::Source;
use crate::learning::lesson_routes::VisibleLesson;
use crate::learning::routes::enrolled;
use crate::notices;
use crate::people::view::{View, done};
use crate::people::{Helper, SignedIn, Teacher};
use crate::plans::proof::InMeasure;
use crate::plans::routes::{looked, measure_page};
use crate::plans::store::{MeasureRow, PartRow};
use crate::plans::{Status, fulfil, store};

/// `POST /support/measures/{measure_id}/return` and
/// `POST /teach/courses/{course_id}/credentials/{credential_id}/revoke`
#[derive(Deserialize)]
pub struct ReasonForm {
    reason: String,
}

/// `POST /courses/{course_id}/enrol`
///
/// # Errors
/// [`Error::NotFound`] when the course is not published, [`Error::Forbidden`] for a guest of a class.
pub async fn enrol_self(
    person: SignedIn,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Path(course): Path<String>,
) -> Result<Redirect, Error> {
    // Published courses are open to everybody, so the path's id needs no proof.
    let course: CourseId = course.parse().map_err(|_| Error::NotFound)?;
    // Nobody stands behind a guest's account whom a credential could name.
    if person.is_guest() {
        return Err(Error::Forbidden);
    }
    let account = person.account();
    let mut transaction = db.write().await?;
    let source = Source::Learner;
    enrol(
        &mut transaction,
        course,
        account,
        source,
        account,
        None,
        clock.now(),
    )
    .await?;
    transaction.commit().await?;
    Ok(enrolled(course))
}

/// `POST /courses/{course_id}/lessons/{lesson_id}/read`: the learner says that a text is read.
///
/// # Errors
/// [`Error::Conflict`] for a lesson that is watched, [`Error::Forbidden`] for who does not learn.
pub async fn read_text(
    visible: VisibleLesson,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Redirect, Error> {
    let lesson = visible.lesson();
    if lesson.kind != "text" {
        return Err(Error::Conflict("lesson-kind"));
    }
    let enrolment = visible.member().enrolment().ok_or(Error::Forbidden)?;
    let mut transaction = db.write().await?;
    lesson_done(
        &mut transaction,
        enrolment.id,
        lesson.lesson_id,
        100,
        clock.now(),
    )
    .await?;
    transaction.commit().await?;
    let course = enrolment.course_id;
    Ok(Redirect::to(&format!(
        "/courses/{course}/lessons/{}",
        lesson.lesson_id
    )))
}

/// `GET /support/measures/{measure_id}`: the evidence behind a measure.
///
/// # Errors
/// When the database fails.
pub async fn measure_evidence(
    proof: InMeasure<Helper>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let (account, now) = (proof.account(), clock.now());
    let mut connection = db.read().await?;
    let measure = store::measure(&mut connection, proof.measure()).await?;
    let plan = store::plan_of(&mut connection, measure.id).await?;
    let parts = store::parts(&mut connection, plan).await?;
    let (mut names, mut members) = (Vec::new(), Vec::new());
    for part in parts {
        if part.measure_id != measure.id {
            continue;
        }
        members.extend(member(&mut connection, &measure, &part).await?);
        names.push(part.name);
    }
    members.sort_by_key(|member| member.fulfilled_at);
    let language = view.language().code();
    let household = households::find(&mut connection, proof.household(), language).await?;
    drop(connection);
    let mut transaction = db.write().await?;
    notices::read(&mut transaction, account, measure.id, now).await?;
    let read = looked(account, "measure.read", "measure", measure.id, now);
    audit::append(&mut transaction, read).await?;
    transaction.commit().await?;
    let open = Status::from_word(&measure.status).is_some_and(Status::is_open);
    view.page(&pages::Verification {
        household_id: household.id.to_string(),
        household: household.code,
        fulfilled_at: measure.fulfilled_at.map(|at| at.0),
        late: measure.fulfilled_at.is_some_and(|at| measure.is_late(at)),
        plan_ends_on: measure.plan_ends_on.clone(),
        measure: measure_page(measure, names),
        members,
        open,
    })
}

/// `None` for a part that is not done.
async fn member(
    connection: &mut AnyConnection,
    measure: &MeasureRow,
    part: &PartRow,
) -> Result<Option<pages::MemberEvidence>, Error> {
    let (Some(id), Some(at)) = (part.credential_id, part.fulfilled_at) else {
        return Ok(None);
    };
    let credential = credentials::find(connection, id)
        .await?
        .ok_or(Error::NotFound)?;
    let lessons = credential.evidence()?.lessons;
    Ok(Some(pages::MemberEvidence {
        name: part.name.clone(),
        credential_id: id.to_string(),
        fulfilled_at: at.0,
        late: measure.is_late(at),
        lessons: lessons.into_iter().map(lesson).collect(),
    }))
}

fn lesson(lesson: LessonEvidence) -> pages::LessonEvidence {
    let permille = |ms: i64| match lesson.duration_ms {
        0 => 0,
        whole => (ms * 1000 / whole).clamp(0, 1000),
    };
    pages::LessonEvidence {
        duration_ms: lesson.duration_ms,
        watched_ms: lesson.watched.total_ms(),
        percent: lesson.percent,
        parts: lesson
            .watched
            .parts()
            .iter()
            .map(|part| pages::Part {
                from: permille(part.from_ms),
                width: (permille(part.until_ms) - permille(part.from_ms)).max(1),
            })
            .collect(),
        title: lesson.title,
        flags: lesson.flags,
    }
}

/// `POST /support/measures/{measure_id}/verify`
///
/// # Errors
/// [`Error::Conflict`] when somebody decided before.
pub async fn verify(
    proof: InMeasure<Helper>,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Redirect, Error> {
    let now = clock.now();
    let mut transaction = db.write().await?;
    fulfil::verify(&mut transaction, &proof, now).await?;
    audit::append(&mut transaction, entry(&proof, "measure.verified", now)).await?;
    transaction.commit().await?;
    Ok(done("/support/verify", "verified"))
}

/// `POST /support/measures/{measure_id}/return`
///
/// # Errors
/// [`Error::Conflict`] when somebody decided before, [`Error::Invalid`] without a reason.
pub async fn give_back(
    proof: InMeasure<Helper>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<ReasonForm>,
) -> Result<Redirect, Error> {
    let now = clock.now();
    let mut transaction = db.write().await?;
    fulfil::give_back(&mut transaction, &proof, &form.reason, now).await?;
    for learner in store::learners(&mut transaction, proof.measure()).await? {
        let kind = notices::Kind::MeasureReturned;
        notices::leave(&mut transaction, learner, kind, proof.measure(), now).await?;
    }
    audit::append(&mut transaction, entry(&proof, "measure.returned", now)).await?;
    transaction.commit().await?;
    Ok(done("/support/verify", "returned"))
}

/// `POST /teach/courses/{course_id}/credentials/{credential_id}/revoke`
///
/// # Errors
/// As [`super::revoke`].
pub async fn revoke(
    course: InCourse<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Path(path): Path<HashMap<String, String>>,
    Form(form): Form<ReasonForm>,
) -> Result<Redirect, Error> {
    // The store asks whether the credential is of the proof's course.
    let credential: CredentialId = path
        .get("credential_id")
        .and_then(|id| id.parse().ok())
        .ok_or(Error::NotFound)?;
    let mut transaction = db.write().await?;
    super::revoke(
        &mut transaction,
        &course,
        credential,
        &form.reason,
        clock.now(),
    )
    .await?;
    transaction.commit().await?;
    let learners = format!("/teach/courses/{}/learners", course.course());
    Ok(done(&learners, "revoked"))
}

fn entry(
    proof: &InMeasure<Helper>,
    action: &'static str,
    at: crate::clock::Timestamp,
) -> Entry<'static> {
    Entry {
        account: Some(proof.account()),
        action,
        subject_kind: "measure",
        subject_id: proof.measure().to_string(),
        reason: None,
        at,
    }
}
