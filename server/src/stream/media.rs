//! `GET /media/{timeline_id}/{*path}`: the prepared files by plain HTTP, for players without the
//! stream, for keeping, and for pictures. They never change, so a browser keeps them for good.

use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::Streams;
use super::live_media::{self, Wanted};
use super::{texts, trimmed};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::TimelineId;
use crate::jobs::prepared::prefix;
use crate::learning::access::MayWatch;
use crate::objects::{Key, Objects};
use crate::people::SignedIn;
use crate::people::access::path_id;

/// Read from the objects and handed to the socket at once.
const PIECE: u64 = 256 * 1024;

/// Proof that the account may watch the timeline of the path.
#[derive(Clone, Copy, Debug)]
pub struct OfTimeline(MayWatch);

impl<S> FromRequestParts<S> for OfTimeline
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let person = SignedIn::from_request_parts(parts, state).await?;
        let timeline = path_id(parts, state, "timeline_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        let right = MayWatch::prove(&mut connection, person.account(), timeline).await?;
        Ok(Self(right))
    }
}

/// `GET` and `HEAD`, with RFC 9110 ranges (one at a time) and validators.
///
/// # Errors
/// [`Error::NotFound`]; when the objects fail.
pub async fn file(
    State(objects): State<Objects>,
    State(streams): State<Streams>,
    OfTimeline(right): OfTimeline,
    Path((_, path)): Path<(String, String)>,
    wanted: Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let timeline = right.timeline();
    if let Some(growing) = streams.growing().find(timeline)
        && let Some(response) = live_media::file(&growing, &path, wanted.0).await
    {
        return Ok(response);
    }
    if let Some(response) = trimmed::file(&streams, right, &path).await? {
        return Ok(response);
    }
    if let Some(response) = texts::file(&streams, &objects, right, &path).await? {
        return Ok(response);
    }
    let key = Key::new(format!("{}/{path}", prefix(timeline))).map_err(|_| Error::NotFound)?;
    let size = objects.size(&key).await?;
    let tag = tag(timeline, size);
    let has_tag = |name| {
        headers
            .get(name)
            .is_some_and(|value| value.as_bytes() == tag.as_bytes())
    };
    let mut response = if has_tag(header::IF_NONE_MATCH) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        // A range of another version than the client has would spoil its file.
        let whole = headers.contains_key(header::IF_RANGE) && !has_tag(header::IF_RANGE);
        let asked = headers.get(header::RANGE).filter(|_| !whole);
        match asked.and_then(|value| range(value, size)) {
            None => content(objects, key, 0, size, StatusCode::OK),
            Some(Some((from, until))) => {
                let status = StatusCode::PARTIAL_CONTENT;
                let mut response = content(objects, key, from, until, status);
                let value = format!("bytes {from}-{}/{size}", until - 1);
                insert(&mut response, header::CONTENT_RANGE, &value);
                response
            }
            Some(None) => {
                let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                insert(
                    &mut response,
                    header::CONTENT_RANGE,
                    &format!("bytes */{size}"),
                );
                response
            }
        }
    };
    let kind = media_type(&path);
    insert(&mut response, header::CONTENT_TYPE, kind);
    insert(&mut response, header::ACCEPT_RANGES, "bytes");
    // A class may be trimmed later, and a recording may get captions; their playlists are asked for anew.
    let changes = !path.contains('/') || path.starts_with("live/");
    let kept = if kind == PLAYLIST && changes {
        "private, no-cache"
    } else {
        "private, max-age=31536000, immutable"
    };
    insert(&mut response, header::CACHE_CONTROL, kept);
    // A playlist may be compressed on its way, and a strong tag names exact bytes.
    if kind != PLAYLIST {
        insert(&mut response, header::ETAG, &tag);
    }
    Ok(response)
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A timeline's files never change: its id and the size say which bytes they are.
fn tag(timeline: TimelineId, size: u64) -> String {
    format!("\"{timeline}-{size:x}\"")
}

fn content(objects: Objects, key: Key, from: u64, until: u64, status: StatusCode) -> Response {
    let pieces = stream::try_unfold(
        (objects, key, from),
        move |(objects, key, from)| async move {
            if from >= until {
                return Ok::<_, Error>(None);
            }
            let piece = objects
                .get_range(&key, from, PIECE.min(until - from))
                .await?;
            if piece.is_empty() {
                return Err(Error::Internal("an object became shorter".into()));
            }
            let next = from + piece.len() as u64;
            Ok(Some((piece, (objects, key, next))))
        },
    );
    let mut response = (status, Body::from_stream(pieces)).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(until - from));
    response
}

/// `None`: no range, or one that is to be ignored. `Some(None)`: outside. Else from and until.
#[allow(
    clippy::option_option,
    reason = "RFC 9110 section 14.2 has exactly these three cases"
)]
fn range(value: &HeaderValue, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = value
        .to_str()
        .ok()?
        .strip_prefix("bytes=")?
        .split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (from, until) = match (number(first), number(last)) {
        (Some(from), Some(last)) if from <= last => (from, last.saturating_add(1).min(size)),
        (Some(from), None) if last.is_empty() => (from, size),
        (None, Some(tail)) if first.is_empty() => (size.saturating_sub(tail), size),
        _ => return None,
    };
    Some((from < until).then_some((from, until)))
}

const PLAYLIST: &str = "application/vnd.apple.mpegurl";

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("m3u8") => PLAYLIST,
        Some("m4s" | "mp4" | "cmfv") => "video/mp4",
        Some("m4a" | "cmfa") => "audio/mp4",
        Some("webp") => "image/webp",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("vtt") => "text/vtt",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        let of = |text: &str| range(&HeaderValue::from_str(text).unwrap(), 100);
        assert_eq!(of("bytes=0-0"), Some(Some((0, 1))));
        assert_eq!(of("bytes=10-"), Some(Some((10, 100))));
        assert_eq!(of("bytes=90-500"), Some(Some((90, 100))));
        assert_eq!(of("bytes=-10"), Some(Some((90, 100))));
        assert_eq!(of("bytes=-500"), Some(Some((0, 100))));
        assert_eq!(of("bytes=100-"), Some(None));
        assert_eq!(of("bytes=-0"), Some(None));
        for ignored in [
            "bytes=5-1",
            "bytes=1-2,5-6",
            "items=0-1",
            "bytes=a-b",
            "bytes=-",
            "bytes=+1-2",
        ] {
            assert_eq!(of(ignored), None, "{ignored}");
        }
    }
}
