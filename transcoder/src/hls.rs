//! HLS playlists (RFC 8216) over the same segments, for players without Media Source Extensions.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use millet_manifest::captions::{caption_cuts, caption_piece, caption_playlist};
use millet_manifest::{Caption, Kind, Rendition};

use crate::captions::Written;
use crate::error::Error;

/// Name of the multivariant playlist.
pub(crate) const MASTER: &str = "master.m3u8";

/// Writes a playlist for each rendition and text track, and one for all.
pub(crate) fn write(
    output: &Path,
    renditions: &[Rendition],
    captions: &[Written],
    cuts_ms: &[u64],
    duration_ms: u64,
) -> Result<(), Error> {
    for rendition in renditions {
        let place = output.join(&rendition.id).join("index.m3u8");
        std::fs::write(place, media(rendition))?;
    }
    let cuts = caption_cuts(cuts_ms);
    for written in captions {
        text_track(output, written, &cuts, duration_ms)?;
    }
    let captions: Vec<&Caption> = captions.iter().map(|written| &written.caption).collect();
    std::fs::write(output.join(MASTER), master(renditions, &captions))?;
    Ok(())
}

fn playlist(caption: &Caption) -> String {
    caption.file.replace(".vtt", ".m3u8")
}

/// Writes the text in pieces, in a folder beside the whole, and their playlist.
fn text_track(
    output: &Path,
    written: &Written,
    cuts: &[u64],
    duration_ms: u64,
) -> Result<(), Error> {
    let place = output.join(&written.caption.file).with_extension("");
    let folder = place.file_name().unwrap_or_default().to_string_lossy();
    let name = |number: usize| format!("{number:05}.vtt");
    std::fs::create_dir_all(&place)?;
    for number in 0..cuts.len() {
        if let Some(piece) = caption_piece(&written.cues, cuts, number, duration_ms) {
            std::fs::write(place.join(name(number)), piece)?;
        }
    }
    let list = caption_playlist(cuts, duration_ms, |number| {
        format!("{folder}/{}", name(number))
    });
    std::fs::write(output.join(playlist(&written.caption)), list)?;
    Ok(())
}

fn media(rendition: &Rendition) -> String {
    let longest = rendition
        .segments
        .iter()
        .map(|segment| segment.duration_ms.div_ceil(1000))
        .max()
        .unwrap_or(1);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n"
    );
    for segment in &rendition.segments {
        let name = segment.file.rsplit('/').next().unwrap_or(&segment.file);
        let seconds = segment.duration_ms / 1000;
        let rest = segment.duration_ms % 1000;
        // Writing to a String cannot fail.
        let _ = write!(text, "#EXTINF:{seconds}.{rest:03},\n{name}\n");
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

/// The variants name AAC alone: whatever plays HLS by itself plays it, and not all play Opus.
fn master(renditions: &[Rendition], captions: &[&Caption]) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let sound = renditions
        .iter()
        .find(|rendition| rendition.codec.starts_with("mp4a"));
    if let Some(sound) = sound {
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"sound\",DEFAULT=YES,AUTOSELECT=YES,\
             CHANNELS=\"1\",URI=\"{}/index.m3u8\"",
            sound.id
        );
    }
    let mut names = BTreeSet::new();
    for (number, caption) in (1..).zip(captions) {
        let label = caption.label.as_ref().or(caption.language.as_ref());
        let mut name = label.map_or_else(|| format!("{number}"), Clone::clone);
        // No two of a group have one name (RFC 8216 section 4.3.4.1.1).
        while !names.insert(name.clone()) {
            name = format!("{name} {number}");
        }
        let language = caption.language.as_ref();
        let language = language.map_or(String::new(), |code| format!(",LANGUAGE=\"{code}\""));
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"{name}\"{language},DEFAULT=NO,\
             AUTOSELECT=YES,URI=\"{}\"",
            playlist(caption)
        );
    }
    let texts = if captions.is_empty() {
        ""
    } else {
        ",SUBTITLES=\"text\""
    };
    for rendition in renditions {
        if rendition.kind == Kind::Audio {
            continue;
        }
        let peak = rendition.peak_bps + sound.map_or(0, |sound| sound.peak_bps);
        let average = rendition.average_bps + sound.map_or(0, |sound| sound.average_bps);
        let (codecs, group) = match sound {
            Some(sound) => (
                format!("{},{}", rendition.codec, sound.codec),
                ",AUDIO=\"sound\"",
            ),
            None => (rendition.codec.clone(), ""),
        };
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\",\
             RESOLUTION={}x{},FRAME-RATE={}.{:03}{group}{texts}\n{}/index.m3u8\n",
            rendition.width,
            rendition.height,
            rendition.frame_rate_milli / 1000,
            rendition.frame_rate_milli % 1000,
            rendition.id
        );
    }
    if let Some(sound) = sound {
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\",AUDIO=\"sound\"{texts}\n\
             {}/index.m3u8\n",
            sound.peak_bps, sound.average_bps, sound.codec, sound.id
        );
    }
    text
}
