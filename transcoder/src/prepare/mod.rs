//! The main loop: one reader and one decoder feed every rung.

mod approach;
mod collect;
mod end;
mod feed;
mod given;
mod head;
mod holes;
mod pace;
mod progress;
mod twin;
mod watchable;
mod witness;
mod work;

use std::ops::Range;
use std::path::Path;

use ffmpeg_next::frame::Video;
use millet_manifest::{DECIDED_PERMILLE, Stage, Timeline};

use crate::captions::{CaptionFile, Given};
use crate::content;
use crate::error::Error;
use crate::finished::Part;
use crate::package;
use crate::picture::Picture;
use crate::plan::{Plan, Wishes};
use crate::report::Report;
use crate::source::Source;
use crate::store::Store;
use feed::What;
use work::{Sound, Work, give};

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
    /// Captions beside the recording, in the order of the tracks that they become.
    pub captions: &'a [CaptionFile],
}

/// How much of a recording is made.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// All of it.
    Whole {
        /// What others made is not decoded, as far as they told what it shows.
        takes_gists: bool,
    },
    /// Of its beginning, what can be watched before the other rungs are made.
    Head,
    /// Segments with pictures that begin within these times, milliseconds.
    Part { from_ms: i64, until_ms: i64 },
}

impl Scope {
    fn range(self) -> Range<i64> {
        match self {
            Self::Whole { .. } | Self::Head => 0..i64::MAX,
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
    let captions = Given::read(asked.captions)?;
    let source = Source::open(input)?;
    let store = Store::open(output, asked.given)?;
    let plan = match Plan::found(&store, input, asked.wishes)? {
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
    let attempt = |source: Source, takes_gists| {
        let scope = Scope::Whole { takes_gists };
        let plan = plan.clone();
        let mut work = Work::begin(&source, plan, scope, output, &store, asked, report)?;
        work.captions.put_first(captions.clone());
        let read = work_through(source, &mut work, |_| false);
        let has_left_out = work.has_left_out;
        Ok::<_, Error>((has_left_out, read.and_then(|source| work.end(source))))
    };
    let made = match attempt(source, true)? {
        // Whatever it is, it may be what others told.
        (true, Err(error)) => {
            eprintln!("what others made cannot be used, all is decoded: {error}");
            std::fs::remove_dir_all(output.join("stills"))?;
            attempt(Source::open(input)?, false)?.1?
        }
        (_, made) => made?,
    };
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
    let plan = Plan::found(&store, input, asked.wishes)?
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
    let (announced_ms, bytes) = (source.announced_ms, source.bytes);
    let mut over = false;
    let decoding = work.decoding.take();
    feed::read(&mut source, decoding, |fed| {
        match fed.what {
            What::Picture(frame) => picture(work, frame)?,
            What::Again(at_ms) => work.show(None, at_ms)?,
            What::Made(gist) => {
                drain(work)?;
                work.leave_out(*gist)?;
            }
            What::Sound(packet) => sound(work, Some(&packet))?,
            What::Other(packet, end_ms) => {
                work.captions.take(&packet);
                work.others_ms = work.others_ms.max(end_ms);
            }
        }
        let read = match announced_ms {
            0 => fed.position.saturating_mul(1000) / bytes.max(1),
            whole => u64::try_from(work.end_ms() * 1000 / whole).unwrap_or(0),
        };
        work.progress.read(u32::try_from(read).unwrap_or(0));
        over = enough(work);
        Ok(over)
    })?;
    if !over {
        drain(work)?;
        sound(work, None)?;
    }
    Ok(source)
}

/// A frame comes out of the filters at once, or later as others come in.
fn picture(work: &mut Work, frame: Video) -> Result<(), Error> {
    let Some(pictures) = &mut work.pictures else {
        return Ok(());
    };
    let mut ready = Vec::new();
    pictures.normaliser.pass(frame, |frame| {
        ready.push(frame);
        Ok(())
    })?;
    show(work, ready)
}

/// What the filters still held.
fn drain(work: &mut Work) -> Result<(), Error> {
    let Some(pictures) = &mut work.pictures else {
        return Ok(());
    };
    let mut ready = Vec::new();
    pictures.normaliser.drain(|frame| {
        ready.push(frame);
        Ok(())
    })?;
    show(work, ready)
}

fn show(work: &mut Work, ready: Vec<Video>) -> Result<(), Error> {
    for frame in ready {
        let at_ms = frame.pts().unwrap_or(0);
        work.show(Some(Picture::new(frame)), at_ms)?;
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
    if work.has_left_out {
        let known_ms = work
            .pictures
            .as_ref()
            .map_or(0, |pictures| pictures.last_ms);
        work.settle(known_ms)?;
    }
    if work.pictures.is_none() {
        work.hold_until(end_ms)?;
        work.settle(end_ms)?;
    }
    Ok(())
}
