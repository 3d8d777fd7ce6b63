//! HLS playlists (RFC 8216, and draft-pantos-hls-rfc8216bis for parts) of a recorded or growing class,
//! from the index that the stream walks over too.

use std::fmt::Write as _;

use millet_manifest::{Kind, Rendition, Segment};

use super::index::{Grown, Index};
use crate::timelines::MADE_PLAYLIST;

/// Name of the multivariant playlist.
pub const MASTER: &str = MADE_PLAYLIST;
/// Longest segment of a recording, seconds: a playlist that grows must announce it before it is there.
const LONGEST_S: u64 = 16;
/// Segments that the playlist of a growing timeline names: it is loaded again every second or two.
const WINDOW: usize = 15;
/// Segments whose parts are named one by one.
const IN_PARTS: usize = 3;
/// Longest part, seconds.
const PART_S: f64 = millet_manifest::live::CHUNK_MS as f64 / 1000.0;

/// The playlist of one rendition.
#[must_use]
pub fn media(index: &Index, rendition: usize) -> String {
    let count = index.segments(rendition);
    let id = index.rendition(rendition).map_or("", |own| own.id.as_str());
    let init = index
        .rendition(rendition)
        .map_or("", |own| own.init.file.as_str());
    let grows = index.grows();
    let lesson = is_lesson(index);
    let first = if grows {
        count.saturating_sub(WINDOW)
    } else {
        first_shown(index)
    };
    let longest = (first..count)
        .filter_map(|number| index.segment(rendition, number))
        .map(|segment| segment.duration_ms.div_ceil(1000))
        .chain(lesson.then_some(LONGEST_S))
        .max()
        .unwrap_or(2);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{longest}\n\
         #EXT-X-MEDIA-SEQUENCE:{first}\n"
    );
    text.push_str(if grows {
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5\n\
         #EXT-X-PART-INF:PART-TARGET=0.5\n"
    } else if lesson {
        // It is watched from its beginning, and stays what it was at first when it is finished.
        "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0\n"
    } else {
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
    });
    let _ = writeln!(
        text,
        "#EXT-X-MAP:URI=\"{}\"",
        beside(init, || format!("{id}/init.mp4"))
    );
    for number in first..count {
        let Some(segment) = index.segment(rendition, number) else {
            break;
        };
        if grows && number + IN_PARTS >= count {
            parts(&mut text, id, number, segment);
        }
        if index.is_complete(rendition, number) {
            whole(&mut text, id, number, segment);
        }
    }
    if !grows && !index.is_unfinished() {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

/// Whether it is a recording, of which the transcoder makes the playlists when it is finished.
fn is_lesson(index: &Index) -> bool {
    matches!(index, Index::Closed(timeline) if timeline.unfinished || timeline.hls != MASTER)
}

/// A file of the timeline as a playlist below `live/` names it.
fn beside(file: &str, unnamed: impl FnOnce() -> String) -> String {
    match file.strip_prefix("live/") {
        Some(own) => own.to_owned(),
        None if file.is_empty() => unnamed(),
        None => format!("../{file}"),
    }
}

/// The first segment of which there is anything but a still that goes on: what lies before is not shown.
fn first_shown(index: &Index) -> usize {
    let begins = |(own, rendition): (usize, &Rendition)| {
        let has = |number: &usize| {
            let segment = index.segment(own, *number);
            segment.is_some_and(|segment| !segment.chunks.is_empty())
        };
        let counts = rendition.kind != Kind::Stills;
        (0..index.segments(own)).find(has).filter(|_| counts)
    };
    let renditions = index.renditions().iter().enumerate();
    renditions.filter_map(begins).min().unwrap_or(0)
}

fn parts(text: &mut String, id: &str, number: usize, segment: &Segment) {
    for (part, chunk) in segment.chunks.iter().enumerate() {
        let seconds = (chunk.duration_ms as f64 / 1000.0).min(PART_S);
        let independent = if chunk.keyframe {
            ",INDEPENDENT=YES"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "#EXT-X-PART:DURATION={seconds:.3},URI=\"{id}/{number:06}.{part}.m4s\"{independent}"
        );
    }
}

fn whole(text: &mut String, id: &str, number: usize, segment: &Segment) {
    if segment.chunks.is_empty() {
        text.push_str("#EXT-X-GAP\n");
    }
    let seconds = segment.duration_ms as f64 / 1000.0;
    let file = beside(&segment.file, || format!("{id}/{number:06}.m4s"));
    let _ = write!(text, "#EXTINF:{seconds:.3},\n{file}\n");
}

/// The playlist of all: players without the stream get AAC and H.264.
#[must_use]
pub fn master(index: &Index) -> String {
    let renditions = index.renditions();
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    let sound = renditions
        .iter()
        .find(|rendition| rendition.codec.starts_with("mp4a"));
    if let Some(sound) = sound {
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"sound\",DEFAULT=YES,AUTOSELECT=YES,\
             CHANNELS=\"1\",URI=\"live/{}.m3u8\"",
            sound.id
        );
    }
    for rendition in renditions.iter().filter(|own| own.kind == Kind::Video) {
        variant(&mut text, rendition, sound);
    }
    if let Some(sound) = sound {
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={},CODECS=\"{}\",AUDIO=\"sound\"\nlive/{}.m3u8\n",
            sound.peak_bps, sound.codec, sound.id
        );
    }
    text
}

fn variant(text: &mut String, rendition: &Rendition, sound: Option<&Rendition>) {
    let peak = rendition.peak_bps + sound.map_or(0, |sound| sound.peak_bps);
    let (codecs, group) = match sound {
        Some(sound) => (
            format!("{},{}", rendition.codec, sound.codec),
            ",AUDIO=\"sound\"",
        ),
        None => (rendition.codec.clone(), ""),
    };
    let _ = write!(
        text,
        "#EXT-X-STREAM-INF:BANDWIDTH={peak},CODECS=\"{codecs}\",RESOLUTION={}x{},\
         FRAME-RATE={:.3}{group}\nlive/{}.m3u8\n",
        rendition.width,
        rendition.height,
        f64::from(rendition.frame_rate_milli) / 1000.0,
        rendition.id
    );
}

/// What a path below `live/` of a growing timeline names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The playlist of a rendition.
    Playlist(usize),
    /// Its initialisation.
    Init(usize),
    /// A whole segment.
    Segment(usize, usize),
    /// A part of a segment.
    Part(usize, usize, usize),
}

/// Reads such a path; `None` when it names nothing.
#[must_use]
pub fn named(grown: &Grown, path: &str) -> Option<Named> {
    let path = path.strip_prefix("live/")?;
    let find = |id: &str| grown.renditions.iter().position(|own| own.id == id);
    let Some((id, file)) = path.split_once('/') else {
        return find(path.strip_suffix(".m3u8")?).map(Named::Playlist);
    };
    let rendition = find(id)?;
    if file == "init.mp4" {
        return Some(Named::Init(rendition));
    }
    let file = file.strip_suffix(".m4s")?;
    match file.split_once('.') {
        Some((segment, part)) => Some(Named::Part(
            rendition,
            segment.parse().ok()?,
            part.parse().ok()?,
        )),
        None => Some(Named::Segment(rendition, file.parse().ok()?)),
    }
}
