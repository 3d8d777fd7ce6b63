//! The main loop: one reader and one decoder feed every rung.

mod collect;
mod end;
mod head;
mod holes;
mod pace;
mod progress;
mod watchable;
mod work;

use std::ops::Range;
use std::path::Path;

use millet_manifest::{DECIDED_PERMILLE, Stage, Timeline};

use crate::content;
use crate::error::Error;
use crate::finished::Part;
use crate::package;
use crate::picture::Picture;
use crate::plan::{Plan, Wishes};
use crate::report::Report;
use crate::source::{Source, to_ms};
use crate::store::Store;
use work::{Pictures, Sound, Work, give};

pub(crate) use collect::Collector;
pub(crate) use pace::Pace;

/// How a recording is to be prepared.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// How it is encoded.
    pub wishes: Wishes,
    /// A folder into which others put what they make of the same input, in the order of an output folder: its
    /// plan is carried out, its segments are taken instead of being made.
    pub given: Option<&'a Path>,
}

/// How much of a recording is made.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// All of it.
    Whole,
    /// Of its beginning, what can be watched before the other rungs are made.
    Head,
    /// Segments with pictures that begin within these times, milliseconds.
    Part { from_ms: i64, until_ms: i64 },
}

impl Scope {
    fn range(self) -> Range<i64> {
        match self {
            Self::Whole | Self::Head => 0..i64::MAX,
            Self::Part { from_ms, until_ms } => from_ms..until_ms,
        }
    }
}

/// Prepares `input` into the folder `output` and writes `timeline.json` there at the end. The folder
/// is empty, or holds what a run of the same input left that was killed: then only what is missing
/// is made.
///
/// # Errors
/// [`Error::Bad`] when the input is to blame; everything else is a fault.
pub fn prepare(
    input: &Path,
    output: &Path,
    asked: &Asked<'_>,
    report: &Report,
) -> Result<Timeline, Error> {
    report.step(Stage::Probe, 0);
    let source = Source::open(input)?;
    let store = Store::open(output, asked.given)?;
    let plan = match Plan::found(&store, input)? {
        Some(plan) => plan,
        None => {
            let look = match source.video {
                Some(_) => content::look(input)?,
                None => None,
            };
            report.step(Stage::Probe, DECIDED_PERMILLE / 3);
            let settled = |plan| head::make(input, plan, output, &store, asked, report);
            let plan = Plan::decide(input, &source, look, asked.wishes, settled)?;
            plan.note(&store)?;
            plan
        }
    };
    report.step(Stage::Probe, DECIDED_PERMILLE);
    let mut work = Work::begin(&source, plan, Scope::Whole, output, &store, asked, report)?;
    let source = work_through(source, &mut work, |_| false)?;
    let made = work.end(source)?;
    report.step(Stage::Package, 970);
    package::write(output, &store, made)
}

/// Makes those segments with pictures that begin within `part`, milliseconds, by the plan that was given, and
/// leaves them with their records in the folder `output`.
///
/// # Errors
/// [`Error::Fault`] when no plan of this input was given, and as [`prepare`] otherwise.
pub fn prepare_part(
    input: &Path,
    output: &Path,
    part: Range<i64>,
    asked: &Asked<'_>,
    report: &Report,
) -> Result<Part, Error> {
    report.step(Stage::Probe, 0);
    let source = Source::open(input)?;
    let store = Store::open(output, asked.given)?;
    let plan = Plan::found(&store, input)?
        .ok_or_else(|| Error::Fault("no plan of this recording was given".into()))?;
    let scope = Scope::Part {
        from_ms: part.start,
        until_ms: part.end,
    };
    let mut work = Work::begin(&source, plan, scope, output, &store, asked, report)?;
    work_through(source, &mut work, Work::is_over)?;
    work.end_part()
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
