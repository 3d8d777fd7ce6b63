//! Who follows a course: learners, cohorts, lists, and cards for those who cannot type.

use std::sync::Arc;

use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use millet_web::pages::{people as people_pages, teaching as pages};
use serde::Deserialize;

use crate::clock::Clock;
use crate::completion;
use crate::config::{Config, FORM_LIMIT_BYTES};
use crate::courses::proof::InCourse;
use crate::courses::store;
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, broken, empty_as_none};
use crate::households::store as households;
use crate::id::{AccountId, CardId, CohortId, CourseId};
use crate::learning::roster::LineError;
use crate::learning::{cohorts, enrolment, roster};
use crate::people::view::{View, done};
use crate::people::{Teacher, admin_routes, grants};

/// `POST /teach/courses/{course_id}/learners`: typed lines, a file of such lines, or both.
#[derive(Default)]
struct ListForm {
    lines: String,
    cohort_id: Option<CohortId>,
}

impl ListForm {
    async fn read(mut form: Multipart) -> Result<Self, Error> {
        let malformed = || Error::Malformed("cohort_id".into());
        let broken = broken(FORM_LIMIT_BYTES as u64);
        let mut list = Self::default();
        while let Some(field) = form.next_field().await.map_err(&broken)? {
            let name = field.name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(&broken)?;
            let text = std::str::from_utf8(&bytes).map_err(|_| Error::Invalid {
                field: "file",
                reason: "not-utf-8",
            })?;
            match name.as_str() {
                "lines" | "file" if !list.lines.is_empty() => {
                    list.lines.push('\n');
                    list.lines += text.trim_start_matches('\u{feff}');
                }
                "lines" | "file" => text.clone_into(&mut list.lines),
                "cohort_id" if !text.is_empty() => {
                    list.cohort_id = Some(text.parse().map_err(|_| malformed())?);
                }
                _ => {}
            }
        }
        Ok(list)
    }
}

/// `POST /teach/courses/{course_id}/cohorts`
#[derive(Deserialize)]
pub struct CohortForm {
    #[serde(default, deserialize_with = "empty_as_none")]
    id: Option<CohortId>,
    name: String,
}

/// `POST /teach/courses/{course_id}/cards`
#[derive(Deserialize)]
pub struct CardForm {
    account_id: AccountId,
    #[serde(default, deserialize_with = "empty_as_none")]
    card_id: Option<CardId>,
    #[serde(default)]
    single_use: String,
}

fn path(course: CourseId) -> String {
    format!("/teach/courses/{course}/learners")
}

/// `GET /teach/courses/{course_id}/learners`
///
/// # Errors
/// When the database fails.
pub async fn learners_page(
    course: InCourse<Teacher>,
    view: View,
    State(db): State<Db>,
) -> Result<Response, Error> {
    let page = page(&db, &course, Vec::new(), String::new()).await?;
    view.page(&page)
}

async fn page(
    db: &Db,
    course: &InCourse<Teacher>,
    errors: Vec<LineError>,
    lines: String,
) -> Result<pages::Learners, Error> {
    let mut connection = db.read().await?;
    let draft = store::draft(&mut connection, course).await?;
    let learners = enrolment::of_course(&mut connection, course).await?;
    let cohorts = cohorts::list(&mut connection, course).await?;
    Ok(pages::Learners {
        course_id: draft.id.to_string(),
        course_title: draft.title,
        learners: learners
            .into_iter()
            .map(|learner| pages::Learner {
                percent: enrolment::share(learner.lessons_completed, learner.lessons),
                account_id: learner.account_id.to_string(),
                name: learner.name,
                cohort: learner.cohort,
                completed: learner.completed_at.is_some(),
                credential_id: learner.credential_id.map(|id| id.to_string()),
                revoked: learner.revoked_at.is_some(),
                card_id: CardId::new().to_string(),
            })
            .collect(),
        cohorts: cohorts
            .into_iter()
            .map(|cohort| pages::Choice {
                value: cohort.id.to_string(),
                name: cohort.name,
                chosen: false,
            })
            .collect(),
        errors: errors
            .into_iter()
            .map(|error| pages::LineError {
                line: i64::try_from(error.line).unwrap_or(i64::MAX),
                column: error.column,
                reason: error.reason.to_owned(),
            })
            .collect(),
        lines,
        new_cohort_id: CohortId::new().to_string(),
        longest_name: cohorts::LONGEST_NAME,
    })
}

/// `POST /teach/courses/{course_id}/learners`: everybody of the list, or nobody.
///
/// # Errors
/// [`Error::NotFound`] for a draft or another course's cohort.
pub async fn enrol_list(
    course: InCourse<Teacher>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    form: Multipart,
) -> Result<Response, Error> {
    let form = ListForm::read(form).await?;
    let now = clock.now();
    let mut transaction = db.write().await?;
    match roster::enrol(&mut transaction, &course, &form.lines, form.cohort_id, now).await? {
        Ok(accounts) => {
            completion::began(&mut transaction, course.course(), &accounts, now).await?;
            transaction.commit().await?;
            Ok(done(&path(course.course()), "saved").into_response())
        }
        Err(errors) => {
            drop(transaction);
            let page = page(&db, &course, errors, form.lines).await?;
            view.page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// `POST /teach/courses/{course_id}/cohorts`
///
/// # Errors
/// [`Error::Invalid`].
pub async fn add_cohort(
    course: InCourse<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<CohortForm>,
) -> Result<Redirect, Error> {
    let mut transaction = db.write().await?;
    let id = CohortId::of_form(form.id);
    cohorts::create(&mut transaction, &course, id, &form.name, clock.now()).await?;
    transaction.commit().await?;
    Ok(done(&path(course.course()), "saved"))
}

/// `POST /teach/courses/{course_id}/cards`: for an enrolled learner of the teacher's area who is
/// nothing but a learner, so that a card never gives a teacher more than a teacher has. Whoever has
/// a role or belongs to a household, whose plan the account shows, gets a card from others.
///
/// # Errors
/// [`Error::NotFound`] for who is not enrolled, [`Error::Conflict`] for who gets a card elsewhere.
pub async fn print_card(
    course: InCourse<Teacher>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(config): State<Arc<Config>>,
    headers: HeaderMap,
    Form(form): Form<CardForm>,
) -> Result<Response, Error> {
    let mut transaction = db.write().await?;
    let learner = form.account_id;
    enrolment::find(&mut transaction, course.course(), learner)
        .await?
        .ok_or(Error::NotFound)?;
    let elsewhere = !course.reaches(&mut transaction, learner).await?
        || grants::has_any(&mut transaction, learner).await?
        || households::of_account(&mut transaction, learner)
            .await?
            .is_some();
    if elsewhere {
        return Err(Error::Conflict("card-elsewhere"));
    }
    let card = admin_routes::card(
        &mut transaction,
        CardId::of_form(form.card_id),
        learner,
        course.account(),
        !form.single_use.is_empty(),
        &config.origin(&headers),
        clock.now(),
    )
    .await?;
    transaction.commit().await?;
    view.page(&people_pages::CardSheet { cards: vec![card] })
}
