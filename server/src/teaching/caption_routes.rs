//! Captions of a lesson's recording: a file for each language, given, replaced and taken away.

use axum::extract::{Multipart, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use millet_manifest::captions::{CaptionError, MOST_CAPTION_BYTES, read_captions, write_captions};
use millet_web::pages::teaching as pages;
use serde::Deserialize;

use super::outline_routes::lesson_path;
use crate::clock::Clock;
use crate::courses::captions::{self, Given, LANGUAGES, NewCaptions};
use crate::courses::proof::InLesson;
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, broken};
use crate::id::{CaptionId, TimelineId};
use crate::objects::Objects;
use crate::people::Teacher;
use crate::people::view::done;
use crate::timelines;

/// `POST /teach/courses/{course_id}/lessons/{lesson_id}/captions/remove`
#[derive(Deserialize)]
pub struct RemoveForm {
    caption_id: CaptionId,
}

/// What the lesson's page shows of the captions of a recording that is ready.
#[must_use]
pub fn page(timeline: TimelineId, given: &[Given], language: &str) -> pages::LessonCaptions {
    let course = language.split('-').next().unwrap_or_default();
    pages::LessonCaptions {
        timeline_id: timeline.to_string(),
        given: given
            .iter()
            .map(|own| pages::GivenCaptions {
                id: own.id.to_string(),
                path: timelines::path(timeline, &own.file()),
                language: own.language.clone(),
                name: own.label().to_owned(),
            })
            .collect(),
        languages: LANGUAGES
            .iter()
            .map(|(code, name)| pages::Choice {
                value: (*code).to_owned(),
                name: (*name).to_owned(),
                chosen: *code == course,
            })
            .collect(),
        most_bytes: i64::try_from(MOST_CAPTION_BYTES).unwrap_or(i64::MAX),
    }
}

/// `POST /teach/courses/{course_id}/lessons/{lesson_id}/captions`: a file in one language, instead of
/// what there is in this language.
///
/// # Errors
/// [`Error::Invalid`], [`Error::TooLarge`], or [`Error::Conflict`] when the lesson shows another recording.
pub async fn give(
    proof: InLesson<Teacher>,
    State(db): State<Db>,
    State(objects): State<Objects>,
    State(clock): State<Clock>,
    form: Multipart,
) -> Result<Response, Error> {
    proof.takes_file()?;
    let form = CaptionsForm::read(form).await?;
    // A large file takes a moment to read.
    let text = tokio::task::spawn_blocking(move || read_captions(&form.file))
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
        .map(|cues| write_captions(&cues))
        .map_err(refused)?;
    let new = NewCaptions::new(form.timeline, &form.language, &text)?;
    let mut transaction = db.write().await?;
    let begun = captions::begin(&mut transaction, &proof, &new, clock.now()).await?;
    transaction.commit().await?;
    if let Some(id) = begun {
        let key = captions::key(new.timeline, id)?;
        objects.put(&key, Bytes::from(text)).await?;
        let mut transaction = db.write().await?;
        captions::show(&mut transaction, &proof, &new, id, clock.now()).await?;
        transaction.commit().await?;
    }
    let place = lesson_path(proof.course().course(), proof.lesson());
    Ok(done(&place, "saved").into_response())
}

/// `POST /teach/courses/{course_id}/lessons/{lesson_id}/captions/remove`
///
/// # Errors
/// When the database fails.
pub async fn remove(
    proof: InLesson<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<RemoveForm>,
) -> Result<Redirect, Error> {
    let mut transaction = db.write().await?;
    captions::remove(&mut transaction, &proof, form.caption_id, clock.now()).await?;
    transaction.commit().await?;
    let place = lesson_path(proof.course().course(), proof.lesson());
    Ok(done(&place, "saved"))
}

struct CaptionsForm {
    timeline: TimelineId,
    language: String,
    file: Bytes,
}

impl CaptionsForm {
    async fn read(mut form: Multipart) -> Result<Self, Error> {
        let broken = broken(MOST_CAPTION_BYTES as u64);
        let (mut timeline, mut language, mut file) = (None, None, None);
        while let Some(field) = form.next_field().await.map_err(&broken)? {
            match field.name() {
                Some("timeline_id") => {
                    timeline = field.text().await.map_err(&broken)?.parse().ok();
                }
                Some("language") => language = Some(field.text().await.map_err(&broken)?),
                Some("captions") => file = Some(field.bytes().await.map_err(&broken)?),
                _ => {}
            }
        }
        Ok(Self {
            timeline: timeline.ok_or(Error::Conflict("recording-changed"))?,
            language: language.ok_or_else(|| required("language"))?,
            file: file
                .filter(|file| !file.is_empty())
                .ok_or_else(|| required("captions"))?,
        })
    }
}

fn required(field: &'static str) -> Error {
    Error::Invalid {
        field,
        reason: "required",
    }
}

fn too_large() -> Error {
    Error::TooLarge {
        limit_bytes: MOST_CAPTION_BYTES as u64,
    }
}

fn refused(error: CaptionError) -> Error {
    let reason = match error {
        CaptionError::TooLarge => return too_large(),
        CaptionError::TooMany => "captions-many",
        CaptionError::Encoding => "captions-encoding",
        CaptionError::Time(_) => "captions-time",
        CaptionError::NoCue => "captions-none",
    };
    Error::Invalid {
        field: "captions",
        reason,
    }
}
