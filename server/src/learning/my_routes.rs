//! My learning, and credentials with their public page.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use millet_web::pages::learning as pages;
use serde_json::json;
use sqlx::AnyConnection;

use super::credentials::{self, Credential};
use super::enrolment::{self, Taken};
use super::progress;
use super::routes::taken_card;
use crate::config::Config;
use crate::courses::{cover, publish};
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, CredentialId};
use crate::people::SignedIn;
use crate::people::view::View;

/// `GET /learning`
///
/// # Errors
/// When the database fails.
pub async fn my_learning(
    person: SignedIn,
    view: View,
    State(db): State<Db>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let account = person.account();
    let taken = enrolment::of_account(&mut connection, account).await?;
    let credentials = credentials::of_account(&mut connection, account).await?;
    let (completed, under_way): (Vec<_>, Vec<_>) = taken
        .into_iter()
        .partition(|taken| taken.completed_at.is_some());
    let next = match under_way.first() {
        Some(first) => next_lesson(&mut connection, account, first).await?,
        None => None,
    };
    drop(connection);
    view.page(&pages::MyLearning {
        next,
        under_way: under_way.iter().map(taken_card).collect(),
        completed: completed.iter().map(taken_card).collect(),
        credentials: credentials
            .into_iter()
            .map(|credential| pages::CredentialLine {
                id: credential.id.to_string(),
                course_title: credential.course_title,
                issued_at: credential.issued_at.0,
                revoked: credential.revoked_at.is_some(),
            })
            .collect(),
    })
}

async fn next_lesson(
    connection: &mut AnyConnection,
    account: AccountId,
    taken: &Taken,
) -> Result<Option<pages::NextLesson>, Error> {
    let lessons = publish::lessons(&mut *connection, taken.version_id).await?;
    let completed = progress::completed(&mut *connection, account, taken.version_id).await?;
    let watched = progress::of_version(connection, account, taken.version_id).await?;
    let next = lessons.into_iter().find(|lesson| {
        !completed
            .iter()
            .any(|done| done.lesson_id == lesson.lesson_id)
    });
    Ok(next.map(|lesson| pages::NextLesson {
        course_id: taken.course_id.to_string(),
        course_title: taken.title.clone(),
        lesson_id: lesson.lesson_id.to_string(),
        percent: watched
            .get(&lesson.lesson_id)
            .map_or(0, |all| all.percent_of(lesson.duration_ms)),
        title: lesson.title,
        picture: taken.cover_key.as_deref().map(cover::path),
    }))
}

/// `GET /credentials/{credential_id}`: public, so that an employer needs no account. Its address is
/// long and random, and is known only to whom the learner gave it. JSON for machines that ask.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn credential_page(
    view: View,
    State(db): State<Db>,
    State(config): State<Arc<Config>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id: CredentialId = id.parse().map_err(|_| Error::NotFound)?;
    let mut connection = db.read().await?;
    let credential = credentials::find(&mut connection, id)
        .await?
        .ok_or(Error::NotFound)?;
    drop(connection);
    let url = format!("{}/credentials/{id}", config.origin(&headers));
    let lessons = credential.evidence()?.lessons;
    let lessons: Vec<_> = lessons
        .into_iter()
        .map(|lesson| pages::CredentialLesson {
            title: lesson.title,
            percent: lesson.percent,
        })
        .collect();
    if asks_for_json(&headers) {
        return Ok(machine_readable(&credential, &url, &lessons));
    }
    view.page(&pages::Credential {
        id: id.to_string(),
        learner_name: credential.learner_name,
        course_title: credential.course_title,
        issuer_name: credential.issuer_name,
        issued_at: credential.issued_at.0,
        isced_level: credential.isced_level,
        estimated_minutes: credential.estimated_minutes,
        lessons,
        revoked_at: credential.revoked_at.map(|at| at.0),
        revoked_reason: credential.revoked_reason.unwrap_or_default(),
        url,
    })
}

fn asks_for_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("json") && !accept.contains("text/html"))
}

fn machine_readable(
    credential: &Credential,
    url: &str,
    lessons: &[pages::CredentialLesson],
) -> Response {
    Json(json!({
        "id": url,
        "learner": credential.learner_name,
        "course": credential.course_title,
        "issuer": credential.issuer_name,
        "issued_at_ms": credential.issued_at,
        "isced_level": credential.isced_level,
        "isced_field": credential.isced_field,
        "estimated_minutes": credential.estimated_minutes,
        "lessons": lessons,
        "revoked_at_ms": credential.revoked_at,
        "revoked_reason": credential.revoked_reason,
    }))
    .into_response()
}
