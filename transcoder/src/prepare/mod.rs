//! The main loop: one reader and one decoder feed every rung.

mod collect;
mod end;
mod head;
mod holes;
mod pace;
mod progress;
mod watchable;
mod work;

use std::num::NonZero;
use std::path::Path;

use millet_manifest::{Stage, Timeline};

use crate::content;
use crate::error::Error;
use crate::package;
use crate::picture::Picture;
use crate::plan::Plan;
use crate::report::Report;
use crate::segments::Wanted;
use crate::source::{Source, to_ms};
use crate::store::Store;
use work::{Pictures, Sound, Work, give};

pub(crate) use collect::Collector;
pub(crate) use pace::Pace;

/// Part of the work, in thousandths, that is done when rungs are decided on.
const DECIDED: u32 = 60;

/// Prepares `input` into the folder `output` and writes `timeline.json` there at the end. The folder
/// is empty, or holds what a run of the same input left that was killed: then only what is missing
/// is made. `workers` cores encode; with `av1`, rungs of AV1 are
/// tried too.
///
/// # Errors
/// [`Error::Bad`] when the input is to blame; everything else is a fault.
pub fn prepare(
    input: &Path,
    output: &Path,
    workers: NonZero<usize>,
    av1: bool,
    report: &Report,
) -> Result<Timeline, Error> {
    report.step(Stage::Probe, 0);
    let source = Source::open(input)?;
    let store = Store::open(output)?;
    let plan = match Plan::found(&store, input)? {
        Some(plan) => plan,
        None => {
            let look = match source.video {
                Some(_) => content::look(input)?,
                None => None,
            };
            report.step(Stage::Probe, DECIDED / 3);
            let settled = |plan| head::make(input, plan, output, &store, workers, report);
            let plan = Plan::decide(input, &source, look, workers, av1, settled)?;
            plan.note(&store)?;
            plan
        }
    };
    report.step(Stage::Probe, DECIDED);
    let mut work = Work::begin(&source, plan, Wanted::All, output, &store, workers, report)?;
    let source = work_through(source, &mut work, |_| false)?;
    let made = work.end(source)?;
    report.step(Stage::Package, 970);
    package::write(output, &store, made)
}

/// Reads to the end, or until it is `enough`, and hands the source back.
fn work_through(
    mut source: Source,
    work: &mut Work,
    enough: impl Fn(&Work) -> bool,
) -> Result<Source, Error> {
    let video = source.video.as_ref().map(|track| track.index);
    let audio = source.audio.as_ref().map(|track| track.index);
    let (announced_ms, bytes) = (source.announced_ms, source.bytes);
    let start_ms = source.start_ms;
    for (stream, packet) in source.input.packets() {
        let index = Some(stream.index());
        if index == video {
            pictures(work, Some(&packet))?;
        } else if index == audio {
            sound(work, Some(&packet))?;
        } else {
            work.captions.take(&packet);
            let end = packet.pts().unwrap_or(0).saturating_add(packet.duration());
            let end_ms = to_ms(end, stream.time_base(), start_ms);
            work.others_ms = work.others_ms.max(end_ms);
            continue;
        }
        let read = match announced_ms {
            0 => {
                i64::try_from(packet.position()).unwrap_or(0).max(0) * 1000
                    / i64::try_from(bytes).unwrap_or(i64::MAX).max(1)
            }
            whole => work.end_ms() * 1000 / whole,
        };
        work.progress.read(u32::try_from(read).unwrap_or(0));
        if enough(work) {
            return Ok(source);
        }
    }
    pictures(work, None)?;
    sound(work, None)?;
    Ok(source)
}

fn pictures(work: &mut Work, packet: Option<&ffmpeg_next::Packet>) -> Result<(), Error> {
    let Some(pictures) = &mut work.pictures else {
        return Ok(());
    };
    // One packet gives a few pictures at most; at the end, as many as the decoder held.
    let mut ready = Vec::new();
    let Pictures {
        decoder,
        normaliser,
        pace,
        ..
    } = pictures;
    let mut keep = |frame: ffmpeg_next::frame::Video| {
        let at_ms = frame.pts().unwrap_or(0);
        ready.push((Picture::copy(&frame), at_ms));
        Ok(())
    };
    decoder.decode(packet, |mut frame, at_ms| {
        if !pace.keeps(at_ms) {
            return Ok(());
        }
        frame.set_pts(Some(at_ms));
        normaliser.pass(frame, &mut keep)
    })?;
    if packet.is_none() {
        normaliser.drain(&mut keep)?;
    }
    for (picture, at_ms) in ready {
        work.show(picture, at_ms)?;
    }
    Ok(())
}

fn sound(work: &mut Work, packet: Option<&ffmpeg_next::Packet>) -> Result<(), Error> {
    let seen_ms = work.end_ms();
    let (Some(sound), holes) = (&mut work.sound, &mut work.holes) else {
        return Ok(());
    };
    let Sound {
        decoder,
        mono,
        leveller,
        encoders,
    } = sound;
    decoder.decode(packet, |frame, at_ms| {
        if let Some(at_ms) = at_ms {
            holes.reach(at_ms, seen_ms.max(mono.end_ms()))?;
        }
        mono.take(frame, at_ms, |samples| {
            give(encoders, leveller.pass(samples))
        })
    })?;
    let end_ms = mono.end_ms();
    if work.pictures.is_none() {
        work.hold_until(end_ms)?;
        work.settle(end_ms)?;
    }
    Ok(())
}
