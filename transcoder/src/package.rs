//! Turns what the encoders made into the files and the manifest that the server takes.

use std::path::Path;

use millet_manifest::{
    Chapter, Content, Decision, Download, FileRef, Kind, Rendition, Segment, SourceInfo, Still,
    TIMELINE_FILE, TIMELINE_VERSION, Timeline,
};

use crate::captions::Captions;
use crate::compare::peak;
use crate::error::Error;
use crate::finished::Encoded;
use crate::resample::RATE;
use crate::sounding::Sounded;
use crate::store::Store;
use crate::{download, hls};

/// All that was made of one recording.
pub(crate) struct Made {
    pub(crate) content: Content,
    pub(crate) duration_ms: i64,
    pub(crate) cuts_ms: Vec<i64>,
    pub(crate) rungs: Vec<Encoded>,
    pub(crate) sounds: Vec<Sounded>,
    pub(crate) poster: Option<FileRef>,
    pub(crate) stills: Vec<Still>,
    pub(crate) captions: Captions,
    pub(crate) chapters: Vec<Chapter>,
    pub(crate) source: SourceInfo,
    pub(crate) decision: Decision,
}

/// Writes everything; the manifest last, so that a folder without one is incomplete.
pub(crate) fn write(output: &Path, store: &Store, made: Made) -> Result<Timeline, Error> {
    let end_ms = made.duration_ms;
    let mut renditions = Vec::new();
    for sound in made.sounds {
        renditions.push(audio(sound, end_ms));
    }
    for encoded in made.rungs {
        renditions.push(pictures(encoded, end_ms));
    }
    let downloads = downloads(output, store, &renditions, end_ms)?;
    let duration_ms = u64::try_from(end_ms).unwrap_or(0);
    let cuts_ms: Vec<u64> = made
        .cuts_ms
        .iter()
        .map(|cut| u64::try_from(*cut).unwrap_or(0))
        .collect();
    let captions = made.captions.finish(output, end_ms)?;
    hls::write(output, &renditions, &captions, &cuts_ms, duration_ms)?;
    let mut chapters = made.chapters;
    chapters.retain(|chapter| i64::try_from(chapter.start_ms).is_ok_and(|at| at < end_ms));
    let mut timeline = Timeline {
        version: TIMELINE_VERSION,
        duration_ms,
        unfinished: false,
        content: made.content,
        cuts_ms,
        renditions,
        hls: hls::MASTER.into(),
        poster: made.poster,
        stills: made.stills,
        downloads,
        captions: captions
            .into_iter()
            .map(|written| written.caption)
            .collect(),
        chapters,
        source: made.source,
        decision: None,
    };
    let sentence = timeline.in_short();
    timeline.decision = Some(Decision {
        sentence,
        ..made.decision
    });
    timeline
        .check()
        .map_err(|error| Error::Fault(error.to_string()))?;
    let json = serde_json::to_vec(&timeline).map_err(|error| Error::Fault(error.to_string()))?;
    store.close()?;
    std::fs::write(output.join(TIMELINE_FILE), json)?;
    Ok(timeline)
}

fn pictures(encoded: Encoded, end_ms: i64) -> Rendition {
    let (average_bps, peak_bps) = rates(&encoded.segments, end_ms);
    Rendition {
        average_bps,
        peak_bps,
        segments: encoded.segments,
        ..encoded.rung.rendition(encoded.codec, encoded.init_bytes)
    }
}

fn audio(sound: Sounded, end_ms: i64) -> Rendition {
    let (average_bps, peak_bps) = rates(&sound.segments, end_ms);
    Rendition {
        id: sound.id.to_owned(),
        kind: Kind::Audio,
        codec: sound.codec.to_owned(),
        width: 0,
        height: 0,
        frame_rate_milli: 0,
        sample_rate: RATE,
        channels: 1,
        average_bps,
        peak_bps,
        init: sound.init,
        segments: sound.segments,
    }
}

/// Average over all, and the highest over any 10 seconds.
fn rates(segments: &[Segment], end_ms: i64) -> (u64, u64) {
    let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let average = total.saturating_mul(8_000) / u64::try_from(end_ms.max(1)).unwrap_or(1);
    let chunks: Vec<(i64, u64)> = segments
        .iter()
        .flat_map(|segment| &segment.chunks)
        .map(|chunk| (i64::try_from(chunk.start_ms).unwrap_or(0), chunk.bytes))
        .collect();
    (average, peak(&chunks, end_ms).max(average))
}

/// One plain file for each picture of H.264 with the sound, and one of the sound alone.
fn downloads(
    output: &Path,
    store: &Store,
    renditions: &[Rendition],
    end_ms: i64,
) -> Result<Vec<Download>, Error> {
    let sound = renditions
        .iter()
        .find(|rendition| rendition.codec.starts_with("mp4a"))
        .map(|rendition| {
            let whole = store.joined(&rendition.id, &rendition.segments)?;
            Ok::<_, Error>((rendition.id.clone(), whole))
        })
        .transpose()?;
    let mut downloads = Vec::new();
    for rendition in renditions {
        if rendition.kind != Kind::Video || !rendition.codec.starts_with("avc1") {
            continue;
        }
        let picture = store.joined(&rendition.id, &rendition.segments)?;
        let mut wholes = vec![picture.as_path()];
        wholes.extend(sound.as_ref().map(|(_, whole)| whole.as_path()));
        let file = format!("{}.mp4", rendition.id);
        downloads.push(download::join(
            output,
            &file,
            &rendition.id,
            "video/mp4",
            &wholes,
            end_ms,
        )?);
        // The disk need hold one at a time.
        std::fs::remove_file(&picture)?;
    }
    if let Some((id, whole)) = &sound {
        let wholes = [whole.as_path()];
        downloads.push(download::join(
            output,
            "sound.m4a",
            id,
            "audio/mp4",
            &wholes,
            end_ms,
        )?);
    }
    Ok(downloads)
}
