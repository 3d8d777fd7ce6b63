//! One lesson of a draft: its recording, how the preparation goes, and the upload without script.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::StreamExt as _;
use millet_web::pages::teaching as pages;
use serde::Serialize;

use super::course_routes::LONGEST;
use super::outline_routes::lesson_path;
use super::{caption_routes, media};
use crate::clock::Clock;
use crate::config::Config;
use crate::courses::proof::InLesson;
use crate::courses::{captions, outline, store};
use crate::db::Db;
use crate::error::Error;
use crate::form::broken;
use crate::jobs;
use crate::people::Teacher;
use crate::people::view::{View, done};
use crate::timelines::Timelines;
use crate::uploads::receive::Receiver;
use crate::uploads::{NewUpload, take_whole};

/// `GET /teach/courses/{course_id}/lessons/{lesson_id}`
///
/// # Errors
/// When a store fails.
pub async fn editor(
    proof: InLesson<Teacher>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(config): State<Arc<Config>>,
    State(timelines): State<Timelines>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let course = store::draft(&mut connection, proof.course()).await?;
    let lessons = outline::lessons(&mut connection, proof.course()).await?;
    let lesson = lessons
        .into_iter()
        .find(|lesson| lesson.id == proof.lesson())
        .ok_or(Error::NotFound)?;
    let state = media::state(&mut connection, lesson.id, lesson.timeline_id, clock.now()).await?;
    let given = match lesson.timeline_id {
        Some(id) => captions::of(&mut connection, id).await?,
        None => Vec::new(),
    };
    drop(connection);
    let described = match lesson.timeline_id {
        Some(id) => match timelines.get(id).await {
            Ok(timeline) => Some((id, timeline)),
            // A live class that is not over is not described yet.
            Err(Error::NotFound) if lesson.kind == "live" => None,
            Err(other) => return Err(other),
        },
        None => None,
    };
    let shown = described.as_ref().map(|(id, timeline)| (*id, &**timeline));
    let finished = shown.filter(|(_, timeline)| !timeline.unfinished);
    let captions = finished.map(|(id, _)| caption_routes::page(id, &given, &course.language));
    view.page(&pages::LessonEditor {
        course_id: course.id.to_string(),
        course_title: course.title,
        lesson_id: lesson.id.to_string(),
        title: lesson.title,
        kind: lesson.kind,
        body: lesson.body,
        media: media::page(&state, shown),
        captions,
        upload_max_bytes: i64::try_from(config.upload_max_bytes).unwrap_or(i64::MAX),
        longest: LONGEST,
    })
}

/// `GET /teach/lessons/{lesson_id}/status`
#[derive(Serialize)]
pub struct MediaStatus {
    state: &'static str,
    permille: i64,
    reason: String,
}

/// What the page's script asks while a recording is prepared.
///
/// # Errors
/// When the database fails.
pub async fn status(
    proof: InLesson<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Json<MediaStatus>, Error> {
    let mut connection = db.read().await?;
    let lessons = outline::lessons(&mut connection, proof.course()).await?;
    let lesson = lessons
        .into_iter()
        .find(|lesson| lesson.id == proof.lesson())
        .ok_or(Error::NotFound)?;
    let state = media::state(&mut connection, lesson.id, lesson.timeline_id, clock.now()).await?;
    Ok(Json(MediaStatus {
        state: state.word,
        permille: state.permille,
        reason: state.reason,
    }))
}

/// `POST /teach/courses/{course_id}/lessons/{lesson_id}/again`: prepares a recording once more, after
/// the system failed with it.
///
/// # Errors
/// [`Error::Conflict`] when nothing failed, or the file is removed already.
pub async fn try_again(
    proof: InLesson<Teacher>,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Redirect, Error> {
    let mut transaction = db.write().await?;
    let job = jobs::store::latest_of_lesson(&mut transaction, proof.lesson()).await?;
    let job = job.ok_or(Error::Conflict("state"))?;
    if !jobs::store::try_again(&mut transaction, job.id, clock.now()).await? {
        return Err(Error::Conflict("state"));
    }
    transaction.commit().await?;
    let place = lesson_path(proof.course().course(), proof.lesson());
    Ok(done(&place, "saved"))
}

/// `POST /teach/courses/{course_id}/lessons/{lesson_id}/file`: the whole file in one form, for a
/// browser without script. The form's length bounds the file's.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::UnsupportedType`], or when a store fails; then nothing is kept.
pub async fn take_file(
    proof: InLesson<Teacher>,
    receiver: Receiver,
    State(config): State<Arc<Config>>,
    mut form: Multipart,
) -> Result<Response, Error> {
    proof.takes_file()?;
    let place = lesson_path(proof.course().course(), proof.lesson());
    let most = config.upload_max_bytes;
    let broken = broken(most);
    let Some(field) = form.next_field().await.map_err(&broken)? else {
        return Err(no_file());
    };
    let name = field.file_name().unwrap_or_default().to_owned();
    let media_type = field.content_type().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(no_file());
    }
    // A form does not say how long its file is, so the file is gathered on disk first.
    let file = tempfile::NamedTempFile::new_in(&config.data)?;
    let mut writer = tokio::io::BufWriter::new(tokio::fs::File::from_std(file.reopen()?));
    let mut length = 0_u64;
    let mut field = Box::pin(field);
    while let Some(bytes) = field.next().await {
        let bytes = bytes.map_err(&broken)?;
        length += bytes.len() as u64;
        if length > most {
            return Err(Error::TooLarge { limit_bytes: most });
        }
        tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await?;
    }
    tokio::io::AsyncWriteExt::flush(&mut writer).await?;
    let new = NewUpload::new(&name, &media_type, length, most)?;
    let read = tokio::fs::File::open(file.path()).await?;
    let body = tokio_util::io::ReaderStream::with_capacity(read, 64 * 1024);
    take_whole(&receiver, &proof, &new, body).await?;
    Ok(done(&place, "saved").into_response())
}

fn no_file() -> Error {
    Error::Invalid {
        field: "file",
        reason: "required",
    }
}
