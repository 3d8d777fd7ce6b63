//! A teacher schedules, changes and cancels the classes of a course.

use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{Redirect, Response};
use millet_web::pages::live as pages;
use millet_web::pages::teaching::Choice;
use serde::Deserialize;

use super::page;
use super::planning::{self, Moments};
use super::schedule::{self, NewClass, Repeats, When};
use super::store::{Class, Stage};
use crate::clock::Clock;
use crate::courses::proof::InCourse;
use crate::courses::{LONGEST_TITLE, outline, publish, store as courses};
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, empty_as_none};
use crate::id::{CourseId, LiveClassId, ModuleId};
use crate::people::Teacher;
use crate::people::access::path_id;
use crate::people::view::{View, done};

/// Where nobody said another one.
const TIME_ZONE: &str = "Asia/Shanghai";
/// A class of a lesson's length.
const MINUTES: i64 = 45;

/// `POST /teach/courses/{course_id}/live`
#[derive(Deserialize)]
pub struct ScheduleForm {
    #[serde(default, deserialize_with = "empty_as_none")]
    id: Option<LiveClassId>,
    title: String,
    module_id: ModuleId,
    date: String,
    time: String,
    time_zone: String,
    minutes: i64,
    #[serde(default)]
    repeats: String,
    #[serde(default)]
    until: String,
    #[serde(default, deserialize_with = "empty_as_none")]
    times: Option<i64>,
    #[serde(default, deserialize_with = "empty_as_none")]
    remind_minutes: Option<i64>,
    #[serde(default)]
    guests: String,
    #[serde(default)]
    lobby: String,
}

/// `POST /teach/courses/{course_id}/live/{class_id}`
#[derive(Deserialize)]
pub struct ChangeForm {
    action: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    date: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    minutes: i64,
    #[serde(default, deserialize_with = "empty_as_none")]
    remind_minutes: Option<i64>,
    #[serde(default)]
    guests: String,
    #[serde(default)]
    lobby: String,
}

fn path(course: CourseId) -> String {
    format!("/teach/courses/{course}/live")
}

/// `GET /teach/courses/{course_id}/live`
///
/// # Errors
/// When the database fails.
pub async fn schedule_page(
    course: InCourse<Teacher>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let now = clock.now();
    let mut connection = db.read().await?;
    let draft = courses::draft(&mut connection, &course).await?;
    let modules = outline::modules(&mut connection, &course).await?;
    let classes = planning::all_of_course(&mut connection, &course, now).await?;
    let unpublished = publish::is_changed(&mut connection, &course).await?;
    drop(connection);
    let zone = classes
        .last()
        .map_or(TIME_ZONE, |class| class.time_zone.as_str())
        .to_owned();
    // The next full hour but one.
    let soon = now.after(Duration::from_secs(3600));
    let soon = crate::clock::Timestamp(soon.0 - soon.0.rem_euclid(3_600_000) + 3_600_000);
    let (date, time) = schedule::fields(soon, &zone);
    view.page(&pages::Schedule {
        course_id: draft.id.to_string(),
        course_title: draft.title.clone(),
        classes: classes
            .iter()
            .map(|class| scheduled(&view, class, &draft.title))
            .collect(),
        modules: modules
            .into_iter()
            .map(|module| Choice {
                value: module.id.to_string(),
                name: module.title,
                chosen: false,
            })
            .collect(),
        form: pages::ScheduleForm {
            id: LiveClassId::new().to_string(),
            title: String::new(),
            date,
            time,
            time_zone: zone,
            minutes: MINUTES,
        },
        unpublished,
        longest_title: LONGEST_TITLE,
    })
}

fn scheduled(view: &View, class: &Class, course_title: &str) -> pages::ScheduledClass {
    let (date, time) = schedule::fields(class.starts_at, &class.time_zone);
    pages::ScheduledClass {
        line: page::line(view, class, course_title, false),
        date,
        time,
        minutes: class.planned_minutes,
        remind: class
            .remind_minutes
            .map_or_else(String::new, |minutes| minutes.to_string()),
        guests: class.code.is_some(),
        lobby: class.lobby_since.is_some(),
        code: class.code.clone().unwrap_or_default(),
        changeable: class.stage() == Stage::Scheduled,
        series: class.series_id.is_some(),
    }
}

/// `POST /teach/courses/{course_id}/live`
///
/// # Errors
/// [`Error::Invalid`], or [`Error::Conflict`] when the course is full.
pub async fn schedule(
    course: InCourse<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<ScheduleForm>,
) -> Result<Redirect, Error> {
    let now = clock.now();
    let new = NewClass {
        title: form.title,
        minutes: form.minutes,
        remind_minutes: form.remind_minutes,
        guests: !form.guests.is_empty(),
        lobby: !form.lobby.is_empty(),
    }
    .checked()?;
    let when = When::read(&form.date, &form.time, &form.time_zone)?;
    let repeats = Repeats::from_word(&form.repeats).ok_or(Error::Invalid {
        field: "repeats",
        reason: "choice",
    })?;
    let until = schedule::optional_date("until", &form.until)?;
    let moments = when.occurrences(repeats, form.times, until, now)?;
    let mut transaction = db.write().await?;
    planning::schedule_as(
        &mut transaction,
        &course,
        LiveClassId::of_form(form.id),
        form.module_id,
        &new,
        Moments {
            moments: &moments,
            zone: when.zone_name(),
        },
        now,
    )
    .await?;
    transaction.commit().await?;
    Ok(done(&path(course.course()), "saved"))
}

/// A class of the path in a course of the path; the store asks for both together.
pub struct ClassOfCourse {
    course: InCourse<Teacher>,
    class: LiveClassId,
}

impl<S> FromRequestParts<S> for ClassOfCourse
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Ok(Self {
            course: InCourse::from_request_parts(parts, state).await?,
            class: path_id(parts, state, "class_id").await?,
        })
    }
}

/// `POST /teach/courses/{course_id}/live/{class_id}`
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::Conflict`] when it has begun.
pub async fn change(
    ClassOfCourse { course, class }: ClassOfCourse,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<ChangeForm>,
) -> Result<Redirect, Error> {
    let now = clock.now();
    let mut transaction = db.write().await?;
    let tx = &mut transaction;
    match form.action.as_str() {
        "change" => {
            let before = planning::of_course(&mut *tx, &course, class).await?;
            let new = NewClass {
                title: form.title,
                minutes: form.minutes,
                remind_minutes: form.remind_minutes,
                guests: !form.guests.is_empty(),
                lobby: !form.lobby.is_empty(),
            }
            .checked()?;
            let when = When::read(&form.date, &form.time, &before.time_zone)?;
            let moments = when.occurrences(Repeats::No, None, None, now)?;
            let [starts_at] = moments[..] else {
                return Err(Error::Internal("a class at no moment".into()));
            };
            planning::change(tx, &course, class, &new, starts_at, now).await?;
        }
        "cancel" => planning::cancel(tx, &course, class, false, now).await?,
        "cancel_following" => planning::cancel(tx, &course, class, true, now).await?,
        _ => {
            return Err(Error::Invalid {
                field: "action",
                reason: "choice",
            });
        }
    }
    transaction.commit().await?;
    Ok(done(&path(course.course()), "saved"))
}
