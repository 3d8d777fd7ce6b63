//! The files of a timeline that still grows, for players without the stream: playlists made when they
//! are asked for, segments and parts out of the ring.

use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use tokio::time::timeout;

use super::growing::Growing;
use super::hls::{self, Named};
use super::index::Index;

/// Longest wait for a part that a player asked for before it was made.
const BLOCKED_FOR: Duration = Duration::from_secs(4);
/// A player may ask for what comes next, not for what comes some day.
const MOST_AHEAD: usize = 2;

/// What a player that blocks asks for (draft-pantos-hls-rfc8216bis, section 6.2.5.2).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Wanted {
    /// Media sequence number.
    #[serde(rename = "_HLS_msn")]
    segment: Option<usize>,
    /// Part of it.
    #[serde(rename = "_HLS_part")]
    part: Option<usize>,
}

/// A file that is made from the ring; `None` when it must be among the objects.
pub async fn file(growing: &Growing, path: &str, wanted: Wanted) -> Option<Response> {
    if path == hls::MASTER {
        return Some(playlist(hls::master(&growing.index().borrow())));
    }
    match hls::named(&growing.grown(), path)? {
        Named::Playlist(rendition) => {
            let index = reached(growing, rendition, wanted).await;
            Some(playlist(hls::media(&index, rendition)))
        }
        Named::Init(rendition) => {
            let init = growing.init(u8::try_from(rendition).ok()?)?;
            Some(media(init))
        }
        Named::Part(rendition, segment, part) => {
            let payload = growing.payload(
                u8::try_from(rendition).ok()?,
                u32::try_from(segment).ok()?,
                u16::try_from(part).ok()?,
            )?;
            Some(media(payload))
        }
        Named::Segment(rendition, segment) => whole(growing, rendition, segment).map(media),
    }
}

/// All parts of a complete segment, if the ring holds them.
fn whole(growing: &Growing, rendition: usize, segment: usize) -> Option<Bytes> {
    let index = growing.index().borrow().clone();
    if !index.is_complete(rendition, segment) {
        return None;
    }
    let mut bytes = BytesMut::new();
    for part in 0..index.segment(rendition, segment)?.chunks.len() {
        let payload = growing.payload(
            u8::try_from(rendition).ok()?,
            u32::try_from(segment).ok()?,
            u16::try_from(part).ok()?,
        )?;
        bytes.extend_from_slice(&payload);
    }
    (!bytes.is_empty()).then(|| bytes.freeze())
}

/// The index once it has what is wanted, or as it is when that does not come.
async fn reached(growing: &Growing, rendition: usize, wanted: Wanted) -> std::sync::Arc<Index> {
    let mut index = growing.index();
    let Some(segment) = wanted.segment else {
        return index.borrow().clone();
    };
    let there = |index: &Index| {
        let part = wanted.part.unwrap_or(0);
        let next_part = index.chunk(rendition, segment, part).is_some();
        let whole = segment + 1 < index.segments(rendition);
        !index.grows()
            || whole
            || (wanted.part.is_some() && next_part)
            || segment > index.segments(rendition) + MOST_AHEAD
    };
    let wait = async {
        loop {
            let now = index.borrow_and_update().clone();
            if there(&now) || index.changed().await.is_err() {
                return now;
            }
        }
    };
    match timeout(BLOCKED_FOR, wait).await {
        Ok(index) => index,
        Err(_) => growing.index().borrow().clone(),
    }
}

fn playlist(text: String) -> Response {
    let kind = HeaderValue::from_static("application/vnd.apple.mpegurl");
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    let now = HeaderValue::from_static("private, no-cache");
    response.headers_mut().insert(header::CACHE_CONTROL, now);
    response
}

fn media(bytes: Bytes) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("video/mp4"));
    // A part never changes once it is named.
    let kept = HeaderValue::from_static("private, max-age=3600");
    headers.insert(header::CACHE_CONTROL, kept);
    response
}
