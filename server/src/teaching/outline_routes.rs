//! The modules and lessons of a draft: adding, naming, moving, removing.

use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Redirect;
use serde::Deserialize;

use super::course_routes::editor_path;
use crate::clock::Clock;
use crate::courses::order::{self, Direction};
use crate::courses::outline;
use crate::courses::proof::{InCourse, InLesson};
use crate::courses::{self, LessonKind};
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, empty_as_none};
use crate::id::{CourseId, LessonId, ModuleId};
use crate::people::Teacher;
use crate::people::access::path_id;
use crate::people::view::done;

/// A module of the path in a course of the path; the store asks for both together.
pub struct ModuleOfCourse {
    course: InCourse<Teacher>,
    module: ModuleId,
}

impl<S> FromRequestParts<S> for ModuleOfCourse
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Ok(Self {
            course: InCourse::from_request_parts(parts, state).await?,
            module: path_id(parts, state, "module_id").await?,
        })
    }
}

/// `POST /teach/courses/{course_id}/modules`
#[derive(Deserialize)]
pub struct NewModuleForm {
    #[serde(default, deserialize_with = "empty_as_none")]
    id: Option<ModuleId>,
    title: String,
}

/// `POST /teach/courses/{course_id}/modules/{module_id}`
#[derive(Deserialize)]
pub struct ModuleForm {
    title: String,
    action: String,
}

/// `POST /teach/courses/{course_id}/lessons`
#[derive(Deserialize)]
pub struct NewLessonForm {
    #[serde(default, deserialize_with = "empty_as_none")]
    id: Option<LessonId>,
    module_id: ModuleId,
    title: String,
    kind: String,
}

/// `POST /teach/courses/{course_id}/lessons/{lesson_id}`
#[derive(Deserialize)]
pub struct LessonForm {
    title: String,
    #[serde(default)]
    body: String,
    action: String,
}

fn unknown_action() -> Error {
    Error::Invalid {
        field: "action",
        reason: "choice",
    }
}

/// Where a lesson is edited.
#[must_use]
pub fn lesson_path(course: CourseId, lesson: LessonId) -> String {
    format!("{}/lessons/{lesson}", editor_path(course))
}

/// `POST /teach/courses/{course_id}/modules`
///
/// # Errors
/// [`Error::Invalid`], or [`Error::Conflict`] when the course is full.
pub async fn add_module(
    course: InCourse<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<NewModuleForm>,
) -> Result<Redirect, Error> {
    let title = courses::title(&form.title)?;
    let mut transaction = db.write().await?;
    let id = ModuleId::of_form(form.id);
    outline::add_module_as(&mut transaction, &course, id, &title, clock.now()).await?;
    transaction.commit().await?;
    Ok(Redirect::to(&editor_path(course.course())))
}

/// `POST /teach/courses/{course_id}/modules/{module_id}`
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`].
pub async fn change_module(
    ModuleOfCourse { course, module }: ModuleOfCourse,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<ModuleForm>,
) -> Result<Redirect, Error> {
    let now = clock.now();
    let mut transaction = db.write().await?;
    let tx = &mut transaction;
    match form.action.as_str() {
        "rename" => {
            let title = courses::title(&form.title)?;
            outline::rename_module(tx, &course, module, &title, now).await?;
        }
        "up" => order::move_module(tx, &course, module, Direction::Up, now).await?,
        "down" => order::move_module(tx, &course, module, Direction::Down, now).await?,
        "remove" => outline::remove_module(tx, &course, module, now).await?,
        _ => return Err(unknown_action()),
    }
    transaction.commit().await?;
    Ok(done(&editor_path(course.course()), "saved"))
}

/// `POST /teach/courses/{course_id}/lessons`: leads to the new lesson.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], or [`Error::Conflict`] when the course is full.
pub async fn add_lesson(
    course: InCourse<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<NewLessonForm>,
) -> Result<Redirect, Error> {
    let title = courses::title(&form.title)?;
    let kind = LessonKind::from_word(&form.kind).ok_or(Error::Invalid {
        field: "kind",
        reason: "choice",
    })?;
    let now = clock.now();
    let mut transaction = db.write().await?;
    let (id, module) = (LessonId::of_form(form.id), form.module_id);
    let lesson =
        outline::add_lesson_as(&mut transaction, &course, id, module, &title, kind, now).await?;
    transaction.commit().await?;
    Ok(Redirect::to(&lesson_path(course.course(), lesson)))
}

/// `POST /teach/courses/{course_id}/lessons/{lesson_id}`
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`].
pub async fn change_lesson(
    lesson: InLesson<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<LessonForm>,
) -> Result<Redirect, Error> {
    let (now, course, id) = (clock.now(), lesson.course(), lesson.lesson());
    let mut transaction = db.write().await?;
    let tx = &mut transaction;
    match form.action.as_str() {
        "save" => {
            let (title, body) = (courses::title(&form.title)?, courses::body(&form.body)?);
            outline::edit_lesson(tx, course, id, &title, &body, now).await?;
        }
        "up" => order::move_lesson(tx, course, id, Direction::Up, now).await?,
        "down" => order::move_lesson(tx, course, id, Direction::Down, now).await?,
        "remove" => outline::remove_lesson(tx, course, id, now).await?,
        _ => return Err(unknown_action()),
    }
    transaction.commit().await?;
    let course = course.course();
    Ok(match form.action.as_str() {
        "save" => done(&lesson_path(course, id), "saved"),
        _ => done(&editor_path(course), "saved"),
    })
}
