//! The published courses, and enrolling.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use millet_web::Language;
use millet_web::pages::learning as pages;
use serde::Deserialize;
use sqlx::AnyConnection;

use super::enrolment::{self, Taken};
use super::watched::Intervals;
use super::{credentials, progress};
use crate::courses::cover;
use crate::courses::proof::InCourse;
use crate::courses::publish::{self, PublishedCourse, PublishedLesson};
use crate::db::Db;
use crate::error::Error;
use crate::form::{Query, empty_as_none};
use crate::id::{AccountId, CourseId, LessonId};
use crate::objects::Objects;
use crate::people::view::View;
use crate::people::{SignedIn, Teacher};

/// Courses on one page.
const PAGE: usize = 20;

/// `?before=`: the last course of the page before.
#[derive(Deserialize)]
pub struct Before {
    #[serde(default, deserialize_with = "empty_as_none")]
    before: Option<CourseId>,
}

/// `GET /courses`
///
/// # Errors
/// When the database fails.
pub async fn course_list(
    view: View,
    State(db): State<Db>,
    Query(query): Query<Before>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    // One more than is shown tells whether there are more.
    let most = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut courses = publish::list(&mut connection, query.before, most).await?;
    let taken = match view.signed_in() {
        Some(person) => enrolment::of_account(&mut connection, person.account()).await?,
        None => Vec::new(),
    };
    drop(connection);
    let by_course: HashMap<CourseId, &Taken> =
        taken.iter().map(|taken| (taken.course_id, taken)).collect();
    let more = courses.len() > PAGE;
    courses.truncate(PAGE);
    let last = courses.last().map(|course| course.course_id.to_string());
    let courses = courses
        .into_iter()
        .map(|course| {
            let taken = by_course.get(&course.course_id).copied();
            published_card(&course, taken)
        })
        .collect();
    view.page(&pages::CourseList {
        courses,
        more: last.filter(|_| more),
    })
}

fn published_card(course: &PublishedCourse, taken: Option<&Taken>) -> pages::CourseCard {
    pages::CourseCard {
        id: course.course_id.to_string(),
        title: course.title.clone(),
        language: language_name(&course.language),
        cover: course.cover_key.as_deref().map(cover::path),
        estimated_minutes: course.estimated_minutes,
        enrolled: taken.is_some(),
        completed: taken.is_some_and(|taken| taken.completed_at.is_some()),
        percent: taken.map_or(0, Taken::percent),
    }
}

/// The card of a course that somebody takes.
#[must_use]
pub fn taken_card(taken: &Taken) -> pages::CourseCard {
    pages::CourseCard {
        id: taken.course_id.to_string(),
        title: taken.title.clone(),
        language: language_name(&taken.language),
        cover: taken.cover_key.as_deref().map(cover::path),
        estimated_minutes: taken.estimated_minutes,
        enrolled: true,
        completed: taken.completed_at.is_some(),
        percent: taken.percent(),
    }
}

/// A language's own name where this system knows it, else its code.
#[must_use]
pub fn language_name(code: &str) -> String {
    Language::ALL
        .into_iter()
        .find(|language| language.code() == code)
        .map_or_else(
            || code.to_owned(),
            |language| language.own_name().to_owned(),
        )
}

/// `GET /courses/{course_id}`
///
/// # Errors
/// [`Error::NotFound`] when it is not published.
pub async fn course_page(
    view: View,
    State(db): State<Db>,
    Path(course): Path<String>,
) -> Result<Response, Error> {
    // Published courses are for everybody, so the path's id needs no proof.
    let course: CourseId = course.parse().map_err(|_| Error::NotFound)?;
    let mut connection = db.read().await?;
    let published = publish::find(&mut connection, course)
        .await?
        .ok_or(Error::NotFound)?;
    let person = view.signed_in().map(SignedIn::account);
    let reader = match person {
        Some(account) => Reader::find(&mut connection, account, &published).await?,
        None => Reader::default(),
    };
    let followed = reader
        .taken
        .as_ref()
        .map_or(published.version_id, |taken| taken.version_id);
    let lessons = publish::lessons(&mut connection, followed).await?;
    drop(connection);
    let next = reader
        .taken
        .is_some()
        .then(|| reader.next(&lessons))
        .flatten();
    view.page(&pages::Course {
        card: published_card(&published, reader.taken.as_ref()),
        description: paragraphs(&published.description),
        isced_level: published.isced_level,
        modules: modules(&lessons, &reader),
        teaches: reader.teaches,
        signed_in: person.is_some(),
        next_lesson: next.map(|lesson| lesson.to_string()),
        credential: reader.credential,
        revoked: reader.revoked,
    })
}

/// What one person has to do with a course.
#[derive(Default)]
struct Reader {
    taken: Option<Taken>,
    teaches: bool,
    credential: Option<String>,
    /// Why the last certificate was revoked, if none is valid.
    revoked: Option<String>,
    watched: HashMap<LessonId, Intervals>,
    completed: HashMap<LessonId, i64>,
}

impl Reader {
    async fn find(
        connection: &mut AnyConnection,
        account: AccountId,
        course: &PublishedCourse,
    ) -> Result<Self, Error> {
        let taken = enrolment::of_account(&mut *connection, account).await?;
        let taken = taken
            .into_iter()
            .find(|taken| taken.course_id == course.course_id);
        let teaches =
            match InCourse::<Teacher>::prove(&mut *connection, account, course.course_id).await {
                Ok(_) => true,
                Err(Error::NotFound) => false,
                Err(other) => return Err(other),
            };
        let Some(version) = taken.as_ref().map(|taken| taken.version_id) else {
            return Ok(Self {
                teaches,
                ..Self::default()
            });
        };
        let credentials = credentials::of_account(&mut *connection, account).await?;
        let last = credentials
            .into_iter()
            .find(|credential| credential.course_id == course.course_id);
        let (credential, revoked) = match last {
            Some(last) if last.revoked_at.is_some() => (None, last.revoked_reason),
            last => (last.map(|last| last.id.to_string()), None),
        };
        let completed = progress::completed(&mut *connection, account, version).await?;
        Ok(Self {
            taken,
            teaches,
            credential,
            revoked,
            watched: progress::of_version(connection, account, version).await?,
            completed: completed
                .into_iter()
                .map(|done| (done.lesson_id, done.watched_percent))
                .collect(),
        })
    }

    /// The first lesson that is not complete, else the first.
    fn next(&self, lessons: &[PublishedLesson]) -> Option<LessonId> {
        lessons
            .iter()
            .find(|lesson| !self.completed.contains_key(&lesson.lesson_id))
            .or(lessons.first())
            .map(|lesson| lesson.lesson_id)
    }
}

fn modules(lessons: &[PublishedLesson], reader: &Reader) -> Vec<pages::Module> {
    lessons
        .chunk_by(|a, b| {
            (a.module_position, &a.module_title) == (b.module_position, &b.module_title)
        })
        .map(|lessons| pages::Module {
            title: lessons[0].module_title.clone(),
            lessons: lessons
                .iter()
                .map(|lesson| {
                    let watched = reader.watched.get(&lesson.lesson_id);
                    pages::LessonLine {
                        id: lesson.lesson_id.to_string(),
                        title: lesson.title.clone(),
                        duration_ms: lesson.duration_ms,
                        percent: watched.map_or(0, |all| all.percent_of(lesson.duration_ms)),
                        completed: reader.completed.contains_key(&lesson.lesson_id),
                    }
                })
                .collect(),
        })
        .collect()
}

/// Paragraphs of a plain text: an empty line parts them.
#[must_use]
pub fn paragraphs(text: &str) -> Vec<String> {
    text.split("\n\n")
        .map(|paragraph| paragraph.trim().to_owned())
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}

/// `GET /covers/{name}`: a picture never changes under its name.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn cover_picture(
    State(objects): State<Objects>,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let (key, picture) = cover::find(&name).ok_or(Error::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, picture.media_type()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, objects.get(&key).await?).into_response())
}

/// Where a course's page is.
#[must_use]
pub fn course_path(course: CourseId) -> String {
    format!("/courses/{course}")
}

/// Leads back to a course that was just enrolled on.
pub fn enrolled(course: CourseId) -> Redirect {
    crate::people::view::done(&course_path(course), "enrolled")
}
