//! What happened in a class, for whoever may watch its recording; and which part of it is shown.

use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::proof::{InClass, Leader};
use super::replays::Replays;
use super::rooms::LiveRooms;
use super::store::{self, Class};
use super::trimming;
use crate::audit::{self, Entry};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, Query};
use crate::id::LiveClassId;
use crate::learning::access::MayWatch;
use crate::people::SignedIn;
use crate::people::access::path_id;
use crate::people::view::done;
use crate::timelines::Timelines;
use crate::timelines::trim::Trim;

/// Proof that somebody may watch the recording of the class of the path.
#[derive(Clone, Debug)]
pub struct OfRecording {
    class: Class,
    right: MayWatch,
}

impl OfRecording {
    /// The class.
    #[must_use]
    pub fn row(&self) -> &Class {
        &self.class
    }
}

impl<S> FromRequestParts<S> for OfRecording
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let person = SignedIn::from_request_parts(parts, state).await?;
        let class: LiveClassId = path_id(parts, state, "class_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        let class = store::find(&mut connection, class).await?;
        let class = class.ok_or(Error::NotFound)?;
        let right = MayWatch::prove(&mut connection, person.account(), class.timeline_id).await?;
        Ok(Self { class, right })
    }
}

/// `?shown=…&piece=…`
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    shown: String,
    #[serde(default)]
    piece: usize,
}

/// Where the pieces of a recording are; the number of a piece is to be added. Another trim has other
/// addresses, so that a piece never changes under its own.
#[must_use]
pub fn pieces_path(class: LiveClassId, trim: Trim) -> String {
    format!("/live/{class}/replay?shown={}&piece=", shown_word(trim))
}

fn shown_word(trim: Trim) -> String {
    let until = trim.until_ms.map(|until| until.to_string());
    format!("{}-{}", trim.from_ms, until.unwrap_or_default())
}

/// `GET /live/{class_id}/replay`
///
/// # Errors
/// [`Error::Conflict`] while the class goes on, [`Error::NotFound`] behind the last piece.
pub async fn replay(
    OfRecording { class, right }: OfRecording,
    Query(wanted): Query<Wanted>,
    State(replays): State<Replays>,
) -> Result<Response, Error> {
    let trim = right.trim();
    let replay = replays.of(&class, trim).await?;
    let piece = replay.pieces.get(wanted.piece).ok_or(Error::NotFound)?;
    let kept = if replay.complete && wanted.shown == shown_word(trim) {
        "private, max-age=31536000, immutable"
    } else {
        "private, no-store"
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, kept),
    ];
    Ok((headers, piece.json.clone()).into_response())
}

/// `POST /live/{class_id}/trim`
#[derive(Deserialize)]
pub struct TrimForm {
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    action: String,
}

/// `POST /live/{class_id}/trim`: shows a part of the recording, or all of it again. Who watched enough of
/// what remains has completed the lesson.
///
/// # Errors
/// [`Error::Conflict`] while the class goes on, [`Error::Invalid`] for a part in which there is nothing.
pub async fn trim(
    proof: InClass<Leader>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(timelines): State<Timelines>,
    State(rooms): State<LiveRooms>,
    Form(form): Form<TrimForm>,
) -> Result<Redirect, Error> {
    let class = proof.row();
    if class.ended_at.is_none() {
        return Err(Error::Conflict("class-goes-on"));
    }
    let trim = if form.action == "whole" {
        Trim::default()
    } else {
        let timeline = timelines.get(class.timeline_id).await?;
        trimming::read(&timeline, &form.from, &form.until)?
    };
    let now = clock.now();
    let mut transaction = db.write().await?;
    trimming::set(&mut transaction, &proof, trim).await?;
    let entry = Entry {
        account: Some(proof.account()),
        action: "recording.trimmed",
        subject_kind: "live_class",
        subject_id: class.id.to_string(),
        reason: None,
        at: now,
    };
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    rooms.settle(class.id);
    let (course, lesson) = (class.course_id, class.lesson_id);
    Ok(done(
        &format!("/courses/{course}/lessons/{lesson}"),
        "saved",
    ))
}
