//! Captions that a teacher gave a recording, in HLS: pieces of the file are cut when they are asked for, and
//! the multivariant playlist that is stored gets their names.

use std::fmt::Write as _;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use millet_manifest::captions::{caption_cuts, caption_piece, caption_playlist, read_captions};

use super::{Streams, hls};
use crate::courses::captions::{self, Given};
use crate::error::Error;
use crate::id::{CaptionId, TimelineId};
use crate::jobs::prepared::prefix;
use crate::learning::access::MayWatch;
use crate::objects::{Key, Objects};

/// What captions of a recording are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Playlist(CaptionId),
    Piece(CaptionId, usize),
}

/// The answer for a playlist that names captions, or a piece of them; `None` for what is stored as it is.
///
/// # Errors
/// [`Error::NotFound`] for captions that were taken away; when a store fails.
pub async fn file(
    streams: &Streams,
    objects: &Objects,
    right: MayWatch,
    path: &str,
) -> Result<Option<Response>, Error> {
    let timeline = right.timeline();
    match wanted(path) {
        Some(Wanted::Playlist(id)) => {
            objects.size(&captions::key(timeline, id)?).await?;
            let shown = streams.timelines.shown(timeline, right.trim()).await?;
            let cuts = caption_cuts(&shown.cuts_ms);
            let list = caption_playlist(&cuts, shown.duration_ms, |n| format!("{id}/{n:05}.vtt"));
            Ok(Some(answer(PLAYLIST, KEPT, list)))
        }
        Some(Wanted::Piece(id, number)) => {
            let text = objects.get(&captions::key(timeline, id)?).await?;
            let shown = streams.timelines.shown(timeline, right.trim()).await?;
            let cuts = caption_cuts(&shown.cuts_ms);
            let cues = read_captions(&text).map_err(|error| Error::Internal(error.to_string()))?;
            let piece = caption_piece(&cues, &cuts, number, shown.duration_ms);
            Ok(Some(answer(WEBVTT, KEPT, piece.ok_or(Error::NotFound)?)))
        }
        None if path.ends_with(".m3u8") && !path.contains('/') && path != hls::MASTER => {
            master(streams, objects, timeline, path).await
        }
        None => Ok(None),
    }
}

/// The playlist of all that the transcoder made, with captions that were given since.
async fn master(
    streams: &Streams,
    objects: &Objects,
    timeline: TimelineId,
    path: &str,
) -> Result<Option<Response>, Error> {
    let mut connection = streams.db.read().await?;
    let given = captions::of(&mut connection, timeline).await?;
    drop(connection);
    if given.is_empty() {
        return Ok(None);
    }
    let key = Key::new(format!("{}/{path}", prefix(timeline))).map_err(|_| Error::NotFound)?;
    let stored = objects.get(&key).await?;
    let stored =
        std::str::from_utf8(&stored).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Some(answer(PLAYLIST, ASKED_ANEW, with(stored, &given))))
}

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const WEBVTT: &str = "text/vtt";
/// They never change: what replaces them has another id.
const KEPT: &str = "private, max-age=31536000, immutable";
const ASKED_ANEW: &str = "private, no-cache";

fn answer(kind: &'static str, kept: &'static str, text: String) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)];
    (headers, text).into_response()
}

fn wanted(path: &str) -> Option<Wanted> {
    let path = path.strip_prefix("given/")?;
    if let Some(id) = path.strip_suffix(".m3u8") {
        return id.parse().ok().map(Wanted::Playlist);
    }
    let (id, number) = path.strip_suffix(".vtt")?.split_once('/')?;
    Some(Wanted::Piece(id.parse().ok()?, number.parse().ok()?))
}

/// Adds captions to the group of texts of a playlist, which may have none yet.
fn with(stored: &str, given: &[Given]) -> String {
    let mut text = String::with_capacity(stored.len() + 200 * given.len());
    let mut named = false;
    for line in stored.lines() {
        if line.starts_with("#EXT-X-MEDIA:TYPE=SUBTITLES") || line.starts_with(VARIANT) {
            if !named {
                given.iter().for_each(|own| name(&mut text, stored, own));
            }
            named = true;
        }
        text.push_str(line);
        if line.starts_with(VARIANT) && !line.contains(",SUBTITLES=") {
            text.push_str(",SUBTITLES=\"text\"");
        }
        text.push('\n');
    }
    text
}

const VARIANT: &str = "#EXT-X-STREAM-INF:";

fn name(text: &mut String, stored: &str, own: &Given) {
    let mut label = own.label().to_owned();
    // No two of a group have one name (RFC 8216 section 4.3.4.1.1).
    while stored.contains(&format!("NAME=\"{label}\"")) {
        label.push_str(" *");
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"{label}\",LANGUAGE=\"{}\",\
         DEFAULT=NO,AUTOSELECT=YES,URI=\"given/{}.m3u8\"",
        own.language, own.id
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_join_those_that_the_recording_brought() {
        let id = CaptionId::new();
        let given = [Given {
            id,
            language: "en".into(),
        }];
        let bare = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv240/index.m3u8\n";
        let own = |name: &str| {
            format!(
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"{name}\",LANGUAGE=\"en\",\
                 DEFAULT=NO,AUTOSELECT=YES,URI=\"given/{id}.m3u8\"\n"
            )
        };
        let variant = "#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES=\"text\"\nv240/index.m3u8\n";
        let expected = format!("#EXTM3U\n{}{variant}", own("English"));
        assert_eq!(with(bare, &given), expected);
        let brought = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"English\",URI=\"a\"\n";
        let both = format!("#EXTM3U\n{brought}{variant}");
        let expected = format!("#EXTM3U\n{}{brought}{variant}", own("English *"));
        assert_eq!(with(&both, &given), expected);
    }

    #[test]
    fn a_path_names_a_playlist_a_piece_or_nothing() {
        let id = CaptionId::new();
        let of = |rest: &str| wanted(&format!("given/{id}{rest}"));
        assert_eq!(of(".m3u8"), Some(Wanted::Playlist(id)));
        assert_eq!(of("/00012.vtt"), Some(Wanted::Piece(id, 12)));
        for other in [".vtt", "/x.vtt", "/1/2.vtt", "/-1.vtt", "/1.m3u8"] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(wanted("captions/0/00000.vtt"), None);
    }
}
