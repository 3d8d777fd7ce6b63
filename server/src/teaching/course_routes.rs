//! A teacher's courses and the draft of one.

use std::collections::HashMap;

use axum::extract::{Multipart, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use millet_web::Language;
use millet_web::pages::teaching as pages;
use serde::Deserialize;

use super::media;
use crate::clock::Clock;
use crate::completion;
use crate::courses::proof::InCourse;
use crate::courses::{self, Draft, cover, outline, publish, store};
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, broken, empty_as_none};
use crate::id::{AreaId, CourseId, LessonId, ModuleId};
use crate::learning::enrolment;
use crate::objects::{Key, Objects};
use crate::people::view::{View, done};
use crate::people::{Has, Role, Teacher, areas};

/// What forms may promise.
pub(super) const LONGEST: pages::Longest = pages::Longest {
    title: courses::LONGEST_TITLE,
    description: courses::LONGEST_DESCRIPTION,
    body: courses::LONGEST_BODY,
};

/// `POST /teach/courses`
#[derive(Deserialize)]
pub struct NewCourseForm {
    #[serde(default, deserialize_with = "empty_as_none")]
    id: Option<CourseId>,
    title: String,
    area_id: AreaId,
    language: String,
}

/// `POST /teach/courses/{course_id}`
#[derive(Deserialize)]
pub struct DraftForm {
    revision: i64,
    title: String,
    description: String,
    language: String,
    isced_level: i64,
    isced_field: String,
    estimated_minutes: i64,
    required_percent: i64,
}

/// `POST /teach/courses/{course_id}/publish`
#[derive(Deserialize)]
pub struct PublishForm {
    revision: i64,
}

/// Where a course is edited.
#[must_use]
pub fn editor_path(course: CourseId) -> String {
    format!("/teach/courses/{course}")
}

/// `GET /teach`
///
/// # Errors
/// When the database fails.
pub async fn teaching_page(
    teacher: Has<Teacher>,
    view: View,
    State(db): State<Db>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let account = teacher.account();
    let taught = store::taught_by(&mut connection, account).await?;
    let counts = enrolment::counts(&mut connection, account).await?;
    let counts: HashMap<CourseId, i64> = counts.into_iter().collect();
    let language = view.language();
    let areas = areas::covered(&mut connection, account, Role::Teacher, language.code()).await?;
    drop(connection);
    view.page(&pages::Teaching {
        courses: taught
            .into_iter()
            .map(|course| pages::TaughtCourse {
                learners: counts.get(&course.id).copied().unwrap_or(0),
                id: course.id.to_string(),
                title: course.title,
                version: course.version,
            })
            .collect(),
        areas: areas::as_tree(areas)
            .into_iter()
            .map(|(area, _)| pages::Choice {
                value: area.id.to_string(),
                name: area.name,
                chosen: false,
            })
            .collect(),
        languages: languages(language.code()),
        new_course_id: CourseId::new().to_string(),
        longest: LONGEST,
    })
}

fn languages(chosen: &str) -> Vec<pages::Choice> {
    let mut choices: Vec<_> = Language::ALL
        .into_iter()
        .map(|language| pages::Choice {
            value: language.code().to_owned(),
            name: language.own_name().to_owned(),
            chosen: language.code() == chosen,
        })
        .collect();
    // A course may be in a language that the pages are not in.
    if choices.iter().all(|choice| !choice.chosen) {
        choices.push(pages::Choice {
            value: chosen.to_owned(),
            name: chosen.to_owned(),
            chosen: true,
        });
    }
    choices
}

/// `POST /teach/courses`
///
/// # Errors
/// [`Error::Invalid`], or [`Error::Forbidden`] for an area where the account does not teach.
pub async fn create(
    teacher: Has<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<NewCourseForm>,
) -> Result<Redirect, Error> {
    let draft = Draft::new(&form.title, &form.language)?;
    let mut transaction = db.write().await?;
    let (account, now) = (teacher.account(), clock.now());
    let id = CourseId::of_form(form.id);
    let area = form.area_id;
    let course = store::create_as(&mut transaction, id, account, area, &draft, now).await?;
    transaction.commit().await?;
    Ok(Redirect::to(&editor_path(course.course())))
}

/// `GET /teach/courses/{course_id}`
///
/// # Errors
/// When the database fails.
pub async fn editor(
    course: InCourse<Teacher>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let draft = store::draft(&mut connection, &course).await?;
    let changed = publish::is_changed(&mut connection, &course).await?;
    let modules = outline::modules(&mut connection, &course).await?;
    let lessons = outline::lessons(&mut connection, &course).await?;
    let publishable = !lessons.is_empty() && lessons.iter().all(outline::Lesson::is_ready);
    let now = clock.now();
    let mut lines = Vec::with_capacity(lessons.len());
    for lesson in lessons {
        let state = match lesson.kind.as_str() {
            "video" => {
                media::state(&mut connection, lesson.id, lesson.timeline_id, now)
                    .await?
                    .word
            }
            _ if lesson.is_ready() => "ready",
            _ => "empty",
        };
        let line = pages::EditorLesson {
            id: lesson.id.to_string(),
            title: lesson.title,
            kind: lesson.kind,
            state: state.to_owned(),
        };
        lines.push((lesson.module_id, line));
    }
    drop(connection);
    let modules = modules
        .into_iter()
        .map(|module| pages::EditorModule {
            id: module.id.to_string(),
            new_lesson_id: LessonId::new().to_string(),
            title: module.title,
            lessons: lines
                .iter()
                .filter(|(of, _)| *of == module.id)
                .map(|(_, line)| line.clone())
                .collect(),
        })
        .collect();
    view.page(&pages::CourseEditor {
        id: draft.id.to_string(),
        revision: draft.revision,
        languages: languages(&draft.language),
        isced_levels: (0..=8)
            .map(|level: i64| pages::Choice {
                value: level.to_string(),
                name: level.to_string(),
                chosen: level == draft.isced_level,
            })
            .collect(),
        title: draft.title,
        description: draft.description,
        isced_field: draft.isced_field,
        estimated_minutes: draft.estimated_minutes,
        required_percent: draft.required_percent,
        cover: draft.cover_key.as_deref().map(cover::path),
        modules,
        new_module_id: ModuleId::new().to_string(),
        version: draft.version,
        publishable,
        changed,
        longest: LONGEST,
    })
}

/// `POST /teach/courses/{course_id}`
///
/// # Errors
/// [`Error::Invalid`], or [`Error::Conflict`] when somebody else changed the draft.
pub async fn edit(
    course: InCourse<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<DraftForm>,
) -> Result<Redirect, Error> {
    let draft = Draft {
        title: form.title,
        description: form.description,
        language: form.language,
        isced_level: form.isced_level,
        isced_field: form.isced_field,
        estimated_minutes: form.estimated_minutes,
        required_percent: form.required_percent,
    }
    .checked()?;
    let mut transaction = db.write().await?;
    store::edit(
        &mut transaction,
        &course,
        form.revision,
        &draft,
        clock.now(),
    )
    .await?;
    transaction.commit().await?;
    Ok(done(&editor_path(course.course()), "saved"))
}

/// `POST /teach/courses/{course_id}/publish`: learners who are not done follow the new version.
///
/// # Errors
/// [`Error::Conflict`] when somebody else changed the draft or a lesson is not ready.
pub async fn publish(
    course: InCourse<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<PublishForm>,
) -> Result<Redirect, Error> {
    let now = clock.now();
    let mut transaction = db.write().await?;
    publish::publish(&mut transaction, &course, form.revision, now).await?;
    completion::republished(&mut transaction, &course, now).await?;
    transaction.commit().await?;
    Ok(done(&editor_path(course.course()), "published"))
}

/// `POST /teach/courses/{course_id}/cover`
///
/// # Errors
/// [`Error::TooLarge`], [`Error::UnsupportedType`], or when a store fails.
pub async fn set_cover(
    course: InCourse<Teacher>,
    State(db): State<Db>,
    State(objects): State<Objects>,
    State(clock): State<Clock>,
    mut form: Multipart,
) -> Result<Response, Error> {
    let picture = picture(&mut form).await?;
    let key = cover::check(&picture)?;
    objects.put(&key, picture).await?;
    let mut transaction = db.write().await?;
    let unused = store::set_cover(&mut transaction, &course, key.as_str(), clock.now()).await?;
    transaction.commit().await?;
    if let Some(unused) = unused {
        // The new picture is in place already; an old one that stays only costs its bytes.
        if let Err(error) = objects.delete(&Key::new(unused)?).await {
            tracing::warn!(%error, "a replaced cover could not be removed");
        }
    }
    Ok(done(&editor_path(course.course()), "saved").into_response())
}

async fn picture(form: &mut Multipart) -> Result<Bytes, Error> {
    let broken = broken(cover::MOST_BYTES as u64);
    while let Some(field) = form.next_field().await.map_err(&broken)? {
        if field.name() == Some("cover") {
            return field.bytes().await.map_err(&broken);
        }
    }
    Err(Error::Invalid {
        field: "cover",
        reason: "required",
    })
}
