//! HLS playlists (RFC 8216) over the same segments, for players without Media Source Extensions.

use std::fmt::Write as _;
use std::path::Path;

use millet_manifest::{Kind, Rendition};

use crate::error::Error;

/// Name of the multivariant playlist.
pub(crate) const MASTER: &str = "master.m3u8";

/// Writes a playlist for each rendition and one for all.
pub(crate) fn write(output: &Path, renditions: &[Rendition]) -> Result<(), Error> {
    for rendition in renditions {
        let place = output.join(&rendition.id).join("index.m3u8");
        std::fs::write(place, media(rendition))?;
    }
    std::fs::write(output.join(MASTER), master(renditions))?;
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
fn master(renditions: &[Rendition]) -> String {
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
             RESOLUTION={}x{},FRAME-RATE={}.{:03}{group}\n{}/index.m3u8\n",
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
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\",AUDIO=\"sound\"\n\
             {}/index.m3u8\n",
            sound.peak_bps, sound.average_bps, sound.codec, sound.id
        );
    }
    text
}
