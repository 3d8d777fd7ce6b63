//! Uploading slides to a class, and their pictures.

use axum::extract::{FromRef, FromRequestParts, Multipart, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use serde::Deserialize;

use super::deck_store;
use super::decks::{Decks, MOST_BYTES};
use super::proof::{InClass, Inside, Leader};
use super::replay_routes::OfRecording;
use super::room::limits::MOST_DECK_PAGES;
use super::rooms::LiveRooms;
use super::routes::class_path;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::form::{Query, broken};
use crate::id::{DeckId, LiveClassId};
use crate::objects::Objects;
use crate::people::access::path_id;

/// `POST /live/{class_id}/decks`: one PDF, or pictures in order.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::UnsupportedType`], [`Error::Invalid`], [`Error::Conflict`] when the
/// class is over or has enough slides, [`Error::Busy`] when too many are uploaded at once.
pub async fn add(
    proof: InClass<Leader>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(objects): State<Objects>,
    State(decks): State<Decks>,
    State(rooms): State<LiveRooms>,
    mut form: Multipart,
) -> Result<Redirect, Error> {
    if proof.row().ended_at.is_some() || proof.row().cancelled_at.is_some() {
        return Err(Error::Conflict("class-closed"));
    }
    // Both before anything of it is read.
    let mut connection = db.read().await?;
    deck_store::has_room(&mut connection, &proof).await?;
    drop(connection);
    let place = decks.place()?;
    let (name, files) = read(&mut form).await?;
    let pages = decks.draw(files).await?;
    drop(place);
    let deck = deck_store::store(&db, &objects, &proof, &name, pages, &clock).await?;
    let id = deck.id;
    let added = rooms.deck_added(proof.class(), deck).await;
    if let Err(Error::Conflict(_)) = added {
        deck_store::give_up(&db, &proof, id, clock.now()).await?;
    }
    added?;
    Ok(Redirect::to(&class_path(proof.class())))
}

/// The name of the first file, and all files.
async fn read(form: &mut Multipart) -> Result<(String, Vec<Bytes>), Error> {
    let broken = broken(MOST_BYTES as u64);
    let mut files = Vec::new();
    let mut name = String::new();
    while let Some(field) = form.next_field().await.map_err(&broken)? {
        if field.name() != Some("file") {
            continue;
        }
        if name.is_empty() {
            field.file_name().unwrap_or_default().clone_into(&mut name);
        }
        let bytes = field.bytes().await.map_err(&broken)?;
        // A form without a chosen file sends an empty one.
        if !bytes.is_empty() {
            files.push(bytes);
        }
        if files.len() > MOST_DECK_PAGES {
            return Err(Error::Invalid {
                field: "file",
                reason: "deck-pages",
            });
        }
    }
    Ok((name, files))
}

/// A page of slides of the class of the path: for whoever is in it, and once it is over for whoever may
/// watch its recording.
pub struct SlideOfClass {
    class: LiveClassId,
    deck: DeckId,
    page: usize,
}

impl<S> FromRequestParts<S> for SlideOfClass
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let class = match InClass::<Inside>::from_request_parts(parts, state).await {
            Ok(proof) => proof.class(),
            Err(refusal @ (Error::NotFound | Error::Forbidden)) => {
                let recording = OfRecording::from_request_parts(parts, state).await?;
                let over = recording.row().ended_at.is_some();
                if over {
                    recording.row().id
                } else {
                    return Err(refusal);
                }
            }
            Err(other) => return Err(other),
        };
        Ok(Self {
            class,
            deck: path_id(parts, state, "deck_id").await?,
            page: path_id(parts, state, "page").await?,
        })
    }
}

/// `?small`
#[derive(Deserialize)]
pub struct Wanted {
    small: Option<String>,
}

/// `GET /live/{class_id}/decks/{deck_id}/{page}`: a picture never changes under its path.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn slide(
    slide: SlideOfClass,
    Query(wanted): Query<Wanted>,
    State(objects): State<Objects>,
) -> Result<Response, Error> {
    let (class, small) = (slide.class, wanted.small.is_some());
    let picture = deck_store::read(&objects, class, slide.deck, slide.page, small).await?;
    let headers = [
        (header::CONTENT_TYPE, "image/webp"),
        (
            header::CACHE_CONTROL,
            "private, max-age=31536000, immutable",
        ),
    ];
    Ok((headers, picture).into_response())
}
