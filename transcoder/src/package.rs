//! Turns what the encoders made into the files and the manifest that the server takes.

use std::path::Path;

use millet_manifest::{
    Chapter, Content, Download, FileRef, Kind, Rendition, Segment, SourceInfo, Still,
    TIMELINE_FILE, TIMELINE_VERSION, Timeline,
};

use crate::captions::Captions;
use crate::error::Error;
use crate::mux::Parted;
use crate::resample::RATE;
use crate::sound::SoundEncoder;
use crate::video::Encoded;
use crate::{download, hls};

/// All that was made of one recording.
pub(crate) struct Made {
    pub(crate) content: Content,
    pub(crate) duration_ms: i64,
    pub(crate) cuts_ms: Vec<i64>,
    pub(crate) rungs: Vec<Encoded>,
    pub(crate) sounds: Vec<SoundEncoder>,
    pub(crate) poster: Option<FileRef>,
    pub(crate) stills: Vec<Still>,
    pub(crate) captions: Captions,
    pub(crate) chapters: Vec<Chapter>,
    pub(crate) source: SourceInfo,
}

/// Where a whole rendition lies until it was parted and joined.
pub(crate) fn whole(output: &Path, id: &str) -> std::path::PathBuf {
    output.join(id).join("whole.mp4")
}

/// Writes everything; the manifest last, so that a folder without one is incomplete.
pub(crate) fn write(output: &Path, made: Made) -> Result<Timeline, Error> {
    let (end_ms, cuts) = (made.duration_ms, &made.cuts_ms);
    let mut renditions = Vec::new();
    for sound in made.sounds {
        let (id, codec) = (sound.id, sound.codec);
        let muxer = sound.finish(end_ms)?;
        let parted = muxer.finish(end_ms, cuts, &output.join(id), id)?;
        renditions.push(audio(id, codec, parted, end_ms));
    }
    for encoded in made.rungs {
        let id = encoded.rung.id.clone();
        let parted = encoded.muxer.finish(end_ms, cuts, &output.join(&id), &id)?;
        let (average_bps, peak_bps) = rates(&parted.segments, end_ms);
        renditions.push(Rendition {
            id,
            kind: encoded.rung.kind,
            codec: encoded.codec,
            width: encoded.rung.width,
            height: encoded.rung.height,
            frame_rate_milli: encoded.rung.rate_milli,
            sample_rate: 0,
            channels: 0,
            average_bps,
            peak_bps,
            init: parted.init,
            segments: parted.segments,
        });
    }
    let downloads = downloads(output, &renditions)?;
    for rendition in &renditions {
        std::fs::remove_file(whole(output, &rendition.id))?;
    }
    let captions = made.captions.finish(output, end_ms)?;
    hls::write(output, &renditions, &captions, made.duration_ms)?;
    let mut chapters = made.chapters;
    chapters.retain(|chapter| i64::try_from(chapter.start_ms).is_ok_and(|at| at < end_ms));
    let timeline = Timeline {
        version: TIMELINE_VERSION,
        duration_ms: u64::try_from(end_ms).unwrap_or(0),
        content: made.content,
        cuts_ms: made
            .cuts_ms
            .iter()
            .map(|cut| u64::try_from(*cut).unwrap_or(0))
            .collect(),
        renditions,
        hls: hls::MASTER.into(),
        poster: made.poster,
        stills: made.stills,
        downloads,
        captions,
        chapters,
        source: made.source,
    };
    timeline
        .check()
        .map_err(|error| Error::Fault(error.to_string()))?;
    let json = serde_json::to_vec(&timeline).map_err(|error| Error::Fault(error.to_string()))?;
    std::fs::write(output.join(TIMELINE_FILE), json)?;
    Ok(timeline)
}

fn audio(id: &str, codec: &str, parted: Parted, end_ms: i64) -> Rendition {
    let (average_bps, peak_bps) = rates(&parted.segments, end_ms);
    Rendition {
        id: id.to_owned(),
        kind: Kind::Audio,
        codec: codec.to_owned(),
        width: 0,
        height: 0,
        frame_rate_milli: 0,
        sample_rate: RATE,
        channels: 1,
        average_bps,
        peak_bps,
        init: parted.init,
        segments: parted.segments,
    }
}

/// Average over all, and the highest over any 10 seconds that begin with a segment.
fn rates(segments: &[Segment], end_ms: i64) -> (u64, u64) {
    let bits = |bytes: u64, ms: u64| bytes.saturating_mul(8_000) / ms.max(1);
    let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let average = bits(total, u64::try_from(end_ms).unwrap_or(0));
    let peak = (0..segments.len())
        .map(|first| {
            let (mut bytes, mut ms) = (0, 0);
            for segment in &segments[first..] {
                bytes += segment.bytes;
                ms += segment.duration_ms;
                if ms >= 10_000 {
                    break;
                }
            }
            // A last short window says nothing about ten seconds.
            bits(bytes, ms.max(1_000))
        })
        .max()
        .unwrap_or(0);
    (average, peak.max(average))
}

fn downloads(output: &Path, renditions: &[Rendition]) -> Result<Vec<Download>, Error> {
    let sound = renditions
        .iter()
        .find(|rendition| rendition.codec.starts_with("mp4a"))
        .map(|rendition| (rendition.id.clone(), whole(output, &rendition.id)));
    let mut downloads = Vec::new();
    for rendition in renditions {
        if rendition.kind != Kind::Video {
            continue;
        }
        let picture = whole(output, &rendition.id);
        let mut wholes = vec![picture.as_path()];
        wholes.extend(sound.as_ref().map(|(_, whole)| whole.as_path()));
        let file = format!("{}.mp4", rendition.id);
        downloads.push(download::join(
            output,
            &file,
            &rendition.id,
            "video/mp4",
            &wholes,
        )?);
    }
    if let Some((id, whole)) = &sound {
        let wholes = [whole.as_path()];
        downloads.push(download::join(
            output,
            "sound.m4a",
            id,
            "audio/mp4",
            &wholes,
        )?);
    }
    Ok(downloads)
}
