//! The tus protocol 1.0.0 (<https://tus.io/protocols/resumable-upload>) with the extensions
//! creation, creation-with-upload, expiration, checksum and termination.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use tokio_util::task::TaskTracker;

use super::receive::{Checksum, Received, Receiver};
use super::store::{self, Upload};
use super::{NewUpload, metadata, sweep};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::courses::proof::InLesson;
use crate::error::Error;
use crate::id::{LessonId, UploadId};
use crate::people::{Has, Teacher};

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,expiration,checksum,termination";
const BODY_TYPE: &str = "application/offset+octet-stream";

/// What this server can do.
pub async fn options(State(config): State<Arc<Config>>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    put(headers, "tus-version", VERSION);
    put(headers, "tus-extension", EXTENSIONS);
    put(
        headers,
        "tus-max-size",
        &config.upload_max_bytes.to_string(),
    );
    put(headers, "tus-checksum-algorithm", "sha1");
    response
}

/// What every answer about uploads says, a refusal too: the protocol's version here, and with a
/// refusal of another version the ones that are spoken.
pub async fn with_version(mut response: Response) -> Response {
    let refused = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    put(headers, "tus-resumable", VERSION);
    if refused {
        put(headers, "tus-version", VERSION);
    }
    response
}

/// Begins an upload; a body is its first bytes.
///
/// # Errors
/// As [`Receiver::create`] and [`Receiver::receive`].
pub async fn create(
    teacher: Has<Teacher>,
    receiver: Receiver,
    State(config): State<Arc<Config>>,
    State(tasks): State<TaskTracker>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    check_version(&headers)?;
    let length = number(&headers, "upload-length")?
        .ok_or_else(|| Error::Malformed("Upload-Length is needed".into()))?;
    let said = text(&headers, "upload-metadata").unwrap_or("");
    let lesson: LessonId = metadata::value(said, "lesson_id")?
        .and_then(|id| id.parse().ok())
        .ok_or(Error::NotFound)?;
    let mut connection = receiver.db.read().await?;
    let lesson = InLesson::<Teacher>::prove(&mut connection, teacher.account(), lesson).await?;
    drop(connection);
    lesson.takes_file()?;
    let new = NewUpload::new(
        &metadata::value(said, "filename")?.unwrap_or_default(),
        &metadata::value(said, "filetype")?.unwrap_or_default(),
        length,
        config.upload_max_bytes,
    )?;
    let upload = receiver.create(&lesson, &new).await?;
    let mut offset = 0;
    let mut expires_at = upload.expires_at;
    if text(&headers, "content-type") == Some(BODY_TYPE) {
        let checksum = checksum(&headers)?;
        let received = receive(&receiver, &tasks, &upload, 0, checksum, body).await?;
        offset = received.offset_bytes;
        expires_at = receiver.clock.now().after(super::LIFETIME);
    }
    let mut response = StatusCode::CREATED.into_response();
    put(
        response.headers_mut(),
        "location",
        &format!("/uploads/{}", upload.id),
    );
    state_headers(response.headers_mut(), offset, expires_at);
    Ok(response)
}

/// How many bytes are durable.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Gone`].
pub async fn head(
    teacher: Has<Teacher>,
    receiver: Receiver,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    check_version(&headers)?;
    let upload = open(&receiver, &teacher, &id).await?;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    put(headers, "cache-control", "no-store");
    put(headers, "upload-length", &upload.length_bytes.to_string());
    let offset = u64::try_from(upload.offset_bytes).unwrap_or(0);
    state_headers(headers, offset, upload.expires_at);
    Ok(response)
}

/// The next bytes.
///
/// # Errors
/// As [`Receiver::receive`].
pub async fn patch(
    teacher: Has<Teacher>,
    receiver: Receiver,
    State(tasks): State<TaskTracker>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    check_version(&headers)?;
    if text(&headers, "content-type") != Some(BODY_TYPE) {
        return Err(Error::UnsupportedType);
    }
    let offset = number(&headers, "upload-offset")?
        .ok_or_else(|| Error::Malformed("Upload-Offset is needed".into()))?;
    let checksum = checksum(&headers)?;
    let upload = open(&receiver, &teacher, &id).await?;
    // A teacher who was taken off the course may not go on.
    let mut connection = receiver.db.read().await?;
    InLesson::<Teacher>::prove(&mut connection, teacher.account(), upload.lesson_id).await?;
    drop(connection);
    // A client that is behind learns that it is, not that its bytes are too many.
    if i64::try_from(offset) != Ok(upload.offset_bytes) {
        return Err(Error::Conflict("upload-offset"));
    }
    if let Some(length) = number(&headers, "content-length")?
        && offset.saturating_add(length) > u64::try_from(upload.length_bytes).unwrap_or(0)
    {
        return Err(Error::Malformed(
            "more bytes than Upload-Length says".into(),
        ));
    }
    let received = receive(&receiver, &tasks, &upload, offset, checksum, body).await?;
    if received.cut {
        // Nobody may be listening any more; whoever is learns how far the upload is by asking.
        return Err(Error::Busy);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let expires_at = receiver.clock.now().after(super::LIFETIME);
    state_headers(response.headers_mut(), received.offset_bytes, expires_at);
    Ok(response)
}

/// Gives the upload up and removes its bytes.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Gone`], [`Error::Conflict`] when it is complete.
pub async fn terminate(
    teacher: Has<Teacher>,
    receiver: Receiver,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    check_version(&headers)?;
    let upload = open(&receiver, &teacher, &id).await?;
    let mut transaction = receiver.db.write().await?;
    let now = receiver.clock.now();
    if !store::terminate(&mut transaction, teacher.account(), upload.id, now).await? {
        return Err(Error::Conflict("upload-complete"));
    }
    transaction.commit().await?;
    sweep::remove_parts(&receiver.db, &receiver.objects, upload.id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Methods that a proxy or an old client could not send, by `X-HTTP-Method-Override`.
///
/// # Errors
/// As the method itself.
pub async fn overridden(
    teacher: Has<Teacher>,
    receiver: Receiver,
    tasks: State<TaskTracker>,
    path: Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    match text(&headers, "x-http-method-override") {
        Some("PATCH") => patch(teacher, receiver, tasks, path, headers, body).await,
        Some("DELETE") => terminate(teacher, receiver, path, headers).await,
        Some("HEAD") => head(teacher, receiver, path, headers).await,
        _ => Err(Error::Malformed("X-HTTP-Method-Override is needed".into())),
    }
}

/// The teacher's own upload, while it lives.
async fn open(receiver: &Receiver, teacher: &Has<Teacher>, id: &str) -> Result<Upload, Error> {
    let id: UploadId = id.parse().map_err(|_| Error::NotFound)?;
    let mut connection = receiver.db.read().await?;
    let upload = store::find(&mut connection, teacher.account(), id)
        .await?
        .ok_or(Error::NotFound)?;
    let expired = upload.completed_at.is_none() && upload.expires_at <= receiver.clock.now();
    if upload.terminated_at.is_some() || expired {
        return Err(Error::Gone);
    }
    Ok(upload)
}

/// Receives in a task of its own: when the client is cut off, the request's own future is dropped,
/// but what arrived must still become durable.
async fn receive(
    receiver: &Receiver,
    tasks: &TaskTracker,
    upload: &Upload,
    offset: u64,
    checksum: Option<Checksum>,
    body: Body,
) -> Result<Received, Error> {
    let (receiver, upload) = (receiver.clone(), upload.clone());
    tasks
        .spawn(async move {
            let bytes = body.into_data_stream().map(|bytes| bytes.map_err(drop));
            receiver.receive(&upload, offset, bytes, checksum).await
        })
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
}

fn check_version(headers: &HeaderMap) -> Result<(), Error> {
    match text(headers, "tus-resumable") {
        Some(VERSION) => Ok(()),
        _ => Err(Error::TusVersion),
    }
}

/// `Upload-Checksum: sha1 BASE64`.
fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Error> {
    let malformed =
        || Error::Malformed("Upload-Checksum must be sha1 and 20 bytes in base64".into());
    let Some(said) = headers.get("upload-checksum") else {
        return Ok(None);
    };
    let said = said.to_str().map_err(|_| malformed())?;
    let (algorithm, value) = said.split_once(' ').ok_or_else(malformed)?;
    if algorithm != "sha1" {
        return Err(malformed());
    }
    let bytes = STANDARD.decode(value.trim()).map_err(|_| malformed())?;
    bytes.try_into().map(Some).map_err(|_| malformed())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>, Error> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|text| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    });
    let malformed = || Error::Malformed(format!("{name} must be a number"));
    number.map(Some).ok_or_else(malformed)
}

fn state_headers(headers: &mut HeaderMap, offset: u64, expires_at: Timestamp) {
    put(headers, "upload-offset", &offset.to_string());
    if let Some(date) = http_date(expires_at) {
        put(headers, "upload-expires", &date);
    }
}

/// RFC 9110 section 5.6.7.
fn http_date(at: Timestamp) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(at.0).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&moment)
        .ok()
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Values here are fixed words, numbers, ids and dates: always valid.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
