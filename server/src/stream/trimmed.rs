//! Files of a timeline of which a part is shown: playlists of that part, and no file of the rest. And the
//! playlists of a recording that is not finished, or was not when somebody began to play it.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::index::Index;
use super::{Streams, hls};
use crate::error::Error;
use crate::learning::access::MayWatch;
use crate::timelines::trim;

/// The answer for a playlist that is not stored; `None` for what is stored as it is.
///
/// # Errors
/// [`Error::NotFound`] for what is not shown.
pub async fn file(
    streams: &Streams,
    right: MayWatch,
    path: &str,
) -> Result<Option<Response>, Error> {
    let is_playlist = path == hls::MASTER || path.starts_with("live/") && path.ends_with(".m3u8");
    if right.trim().is_whole() && !is_playlist {
        return Ok(None);
    }
    let shown = streams
        .timelines
        .shown(right.timeline(), right.trim())
        .await?;
    // The playlists of a class are stored when it ends.
    let stored = right.trim().is_whole() && !shown.unfinished && shown.hls == hls::MASTER;
    if stored || trim::names(&shown, path) {
        return Ok(None);
    }
    let index = Index::Closed(shown);
    let text = if path == hls::MASTER {
        hls::master(&index)
    } else {
        let id = path.strip_prefix("live/");
        let id = id.and_then(|file| file.strip_suffix(".m3u8"));
        let mut renditions = index.renditions().iter();
        let own = renditions.position(|own| Some(own.id.as_str()) == id);
        hls::media(&index, own.ok_or(Error::NotFound)?)
    };
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.apple.mpegurl"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    Ok(Some((headers, text).into_response()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::cursor::{self, Lane};
    use crate::stream::testing::lecture;
    use crate::timelines::trim::Trim;

    #[test]
    fn a_jump_before_the_beginning_finds_the_beginning() {
        let whole = lecture(60_000);
        let shown = trim::trimmed(&whole, Trim::at_cuts(&whole, 20_000, None));
        let index = Index::Closed(shown.into());
        for rendition in 0..index.renditions().len() {
            let lane = Lane::new(&index, Some(rendition), cursor::at(&index, rendition, 0));
            let (.., chunk) = lane.peek(&index).unwrap();
            assert_eq!(chunk.start_ms, 16_000);
        }
        let list = hls::media(&index, 0);
        assert!(list.contains("#EXT-X-MEDIA-SEQUENCE:1\n") && !list.contains("GAP"));
    }
}
