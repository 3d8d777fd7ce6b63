//! The main loop: one reader, one decoder, one thread for each rung.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millet_manifest::{BadInput, Chapter, Content, Stage, Timeline};

use crate::captions::Captions;
use crate::chapters;
use crate::content::{self, Look};
use crate::cuts::{Cutter, Rule};
use crate::decode::{AudioDecoder, VideoDecoder};
use crate::error::{Error, bad};
use crate::ladder::ladder;
use crate::limits::{HOLE_MS, LONGEST_MS, MOST_HOLES_MS};
use crate::normalise::{Fit, Normaliser};
use crate::package::{self, Made};
use crate::picture::{Picture, Thumb};
use crate::report::Report;
use crate::sound::{Mono, SoundEncoder};
use crate::source::{Source, to_ms, too_long};
use crate::stills::Stills;
use crate::video::{Shown, Thread};

/// Length of the last segment at least, milliseconds; the longest frame of sound has 60.
const SHORTEST_LAST_MS: i64 = 100;
/// Part of the work, in thousandths, that is done when the last picture is encoded.
const ENCODED: i64 = 930;

/// Prepares `input` into the empty folder `output` and writes `timeline.json` there at the end.
///
/// # Errors
/// [`Error::Bad`] when the input is to blame; everything else is a fault.
pub fn prepare(input: &Path, output: &Path, report: &mut Report) -> Result<Timeline, Error> {
    report.step(Stage::Probe, 0);
    let source = Source::open(input)?;
    let look = match source.video {
        Some(_) => content::look(input)?,
        None => None,
    };
    report.step(Stage::Probe, 20);
    let mut work = Work::begin(&source, look, output)?;
    let made = work_through(source, &mut work, report);
    let made = match made {
        Ok(source) => work.end(source)?,
        // A rung that failed closes its channel, and then its own error says more.
        Err(error) => return Err(work.why(error)),
    };
    report.step(Stage::Package, 950);
    package::write(output, made)
}

struct Work {
    output: PathBuf,
    content: Content,
    look: Option<Look>,
    cutter: Cutter,
    pictures: Option<Pictures>,
    sound: Option<Sound>,
    rungs: Vec<Thread>,
    captions: Captions,
    chapters: Vec<Chapter>,
    /// Until when streams that are not used go on: text may last longer than what it is about.
    others_ms: i64,
    holes: Holes,
}

struct Pictures {
    decoder: VideoDecoder,
    normaliser: Normaliser,
    stills: Stills,
    pace: Pace,
    last: Option<(Arc<Picture>, Arc<Thumb>)>,
    last_ms: i64,
    step_ms: i64,
}

struct Sound {
    decoder: AudioDecoder,
    mono: Mono,
    encoders: Vec<SoundEncoder>,
}

impl Work {
    fn begin(source: &Source, look: Option<Look>, output: &Path) -> Result<Self, Error> {
        let content = look.map_or(Content::AudioOnly, |look| look.content);
        let mut rungs = Vec::new();
        let mut pictures = None;
        if let (Some(look), Some(track)) = (look, &source.video) {
            let ladder = ladder(content, look.width, look.height);
            let largest = ladder
                .last()
                .ok_or_else(|| Error::Fault("the ladder has no rung".into()))?;
            let (width, height) = (largest.width, largest.height);
            let fastest = ladder.iter().map(|rung| rung.rate_milli).max().unwrap_or(1);
            let decoder = VideoDecoder::open(&source.input, track, source.start_ms)?;
            pictures = Some(Pictures {
                step_ms: decoder.step_ms(),
                decoder,
                normaliser: Normaliser::new(
                    track.turn,
                    width,
                    height,
                    look.interlaced,
                    Fit::Stretch,
                ),
                stills: Stills::new(output, content)?,
                pace: Pace {
                    rate_milli: (!look.interlaced).then_some(i64::from(fastest)),
                    slot: -1,
                },
                last: None,
                last_ms: 0,
            });
            for rung in ladder {
                rungs.push(Thread::start(rung, content, output)?);
            }
        }
        let sound = match &source.audio {
            Some(track) => Some(Sound {
                decoder: AudioDecoder::open(&source.input, track, source.start_ms)?,
                mono: Mono::new(),
                encoders: vec![SoundEncoder::opus(output)?, SoundEncoder::aac(output)?],
            }),
            None => None,
        };
        Ok(Self {
            output: output.to_owned(),
            content,
            look,
            cutter: Cutter::new(Rule::of(content)),
            captions: Captions::find(&source.input, source.start_ms),
            chapters: chapters::named(&source.input, source.start_ms),
            others_ms: 0,
            holes: Holes::default(),
            pictures,
            sound,
            rungs,
        })
    }

    /// A decoded picture in its final form.
    fn show(&mut self, picture: Picture, at_ms: i64) -> Result<(), Error> {
        self.holes.reach(at_ms, self.end_ms())?;
        let Some(pictures) = &mut self.pictures else {
            return Ok(());
        };
        let thumb = Arc::new(picture.thumb());
        let picture = Arc::new(picture);
        let changed = match &pictures.last {
            Some((_, last)) => thumb.changed_permille(last),
            None => 1000,
        };
        let first = pictures.last.is_none();
        let at_ms = if first { 0 } else { at_ms };
        if !first {
            self.hold_until(at_ms)?;
        }
        let cut = first || self.cutter.wants(at_ms, changed);
        if cut && !first {
            self.cut(at_ms);
            self.cutter.changed(changed);
        }
        self.send(picture, thumb, at_ms, cut)?;
        self.settle(at_ms)
    }

    fn cut(&mut self, at_ms: i64) {
        self.cutter.cut(at_ms);
        for encoder in self.sound.iter_mut().flat_map(|sound| &mut sound.encoders) {
            encoder.cut(at_ms);
        }
    }

    /// Every cut before `until_ms` is known.
    fn settle(&mut self, until_ms: i64) -> Result<(), Error> {
        for encoder in self.sound.iter_mut().flat_map(|sound| &mut sound.encoders) {
            encoder.settle(until_ms)?;
        }
        Ok(())
    }

    /// Repeats the last picture wherever a cut is overdue before `until_ms`.
    fn hold_until(&mut self, until_ms: i64) -> Result<(), Error> {
        while let Some(due) = self.cutter.overdue(until_ms) {
            self.cut(due);
            let last = self
                .pictures
                .as_ref()
                .and_then(|pictures| pictures.last.clone());
            if let Some((picture, thumb)) = last {
                self.send(picture, thumb, due, true)?;
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        picture: Arc<Picture>,
        thumb: Arc<Thumb>,
        at_ms: i64,
        cut: bool,
    ) -> Result<(), Error> {
        let Some(pictures) = &mut self.pictures else {
            return Ok(());
        };
        if cut {
            pictures.stills.see(&picture, at_ms)?;
        }
        pictures.last = Some((picture.clone(), thumb.clone()));
        pictures.last_ms = at_ms;
        for rung in &self.rungs {
            let shown = Shown {
                picture: picture.clone(),
                thumb: thumb.clone(),
                at_ms,
                cut,
            };
            rung.show(shown)?;
        }
        Ok(())
    }

    /// How far pictures and sound are.
    fn end_ms(&self) -> i64 {
        let picture = self
            .pictures
            .as_ref()
            .map_or(0, |pictures| match pictures.last {
                Some(_) => pictures.last_ms + pictures.step_ms,
                None => 0,
            });
        let sound = self.sound.as_ref().map_or(0, |sound| sound.mono.end_ms());
        picture.max(sound)
    }

    /// Everything was read: fills up what is shorter, ends the encoders.
    fn end(mut self, source: Source) -> Result<Made, Error> {
        let end_ms = self.end_ms();
        let no_picture = self
            .pictures
            .as_ref()
            .is_none_or(|pictures| pictures.last.is_none());
        let no_sound = self
            .sound
            .as_ref()
            .is_none_or(|sound| sound.mono.end_ms() == 0);
        if (no_picture && no_sound) || end_ms == 0 {
            return Err(bad(
                BadInput::NoFrames,
                "Not one picture or sound comes out of the file.",
            ));
        }
        let reached_ms = end_ms.max(self.others_ms);
        if source.knows_its_length() && reached_ms + 2_000 < source.announced_ms * 9 / 10 {
            return Err(bad(
                BadInput::Truncated,
                "The file ends long before its announced end.",
            ));
        }
        self.hold_until(end_ms)?;
        let end_ms = end_ms.max(self.cutter.last() + SHORTEST_LAST_MS);
        let mut sounds = Vec::new();
        if let Some(Sound {
            mut mono,
            mut encoders,
            ..
        }) = self.sound.take()
        {
            if no_sound {
                self.discard(encoders.iter().map(|encoder| encoder.id))?;
            } else {
                mono.end(end_ms, |samples| give(&mut encoders, samples))?;
                sounds = encoders;
            }
        }
        let mut rungs = Vec::new();
        for thread in std::mem::take(&mut self.rungs) {
            rungs.push(thread.join()?);
        }
        if no_picture {
            self.discard(rungs.iter().map(|encoded| encoded.rung.id.as_str()))?;
            rungs.clear();
        }
        let (poster, stills) = match self.pictures.take() {
            Some(pictures) if !no_picture => pictures.stills.finish(),
            _ => (None, Vec::new()),
        };
        let look = self.look.filter(|_| !no_picture);
        if self.chapters.is_empty() && self.content == Content::Lecture {
            self.chapters = chapters::slides(self.cutter.changes());
        }
        Ok(Made {
            captions: self.captions,
            chapters: self.chapters,
            content: if no_picture {
                Content::AudioOnly
            } else {
                self.content
            },
            duration_ms: end_ms,
            cuts_ms: self.cutter.into_cuts(),
            rungs,
            sounds,
            poster,
            stills,
            source: source.describe(look.map_or((0, 0), |look| (look.width, look.height))),
        })
    }

    /// Removes what was begun for streams that yielded nothing.
    fn discard<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        for id in ids {
            std::fs::remove_dir_all(self.output.join(id))?;
        }
        Ok(())
    }

    /// The error of a rung, if one is behind `error`.
    fn why(mut self, error: Error) -> Error {
        if matches!(error, Error::Bad { .. }) {
            return error;
        }
        let threads = std::mem::take(&mut self.rungs);
        threads
            .into_iter()
            .find_map(|thread| thread.join().err())
            .unwrap_or(error)
    }
}

fn give(encoders: &mut [SoundEncoder], samples: &[f32]) -> Result<(), Error> {
    for encoder in encoders {
        encoder.take(samples)?;
    }
    Ok(())
}

/// Reads to the end and hands the source back.
fn work_through(mut source: Source, work: &mut Work, report: &mut Report) -> Result<Source, Error> {
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
        let done = match announced_ms {
            0 => {
                i64::try_from(packet.position()).unwrap_or(0).max(0) * ENCODED
                    / i64::try_from(bytes).unwrap_or(i64::MAX).max(1)
            }
            whole => work.end_ms() * ENCODED / whole,
        };
        report.step(
            Stage::Encode,
            u32::try_from(done.clamp(20, ENCODED)).unwrap_or(20),
        );
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
        encoders,
    } = sound;
    decoder.decode(packet, |frame, at_ms| {
        if let Some(at_ms) = at_ms {
            holes.reach(at_ms, seen_ms.max(mono.end_ms()))?;
        }
        mono.take(frame, at_ms, |samples| give(encoders, samples))
    })?;
    let end_ms = mono.end_ms();
    if work.pictures.is_none() {
        work.hold_until(end_ms)?;
        work.settle(end_ms)?;
    }
    Ok(())
}

/// Counts the time in which nothing is heard or seen.
#[derive(Default)]
struct Holes {
    sum_ms: i64,
}

impl Holes {
    /// Something comes at `at_ms`, when pictures and sound have come as far as `end_ms`.
    fn reach(&mut self, at_ms: i64, end_ms: i64) -> Result<(), Error> {
        if at_ms > LONGEST_MS {
            return Err(too_long());
        }
        if at_ms - end_ms >= HOLE_MS {
            self.sum_ms += at_ms - end_ms;
        }
        if self.sum_ms > MOST_HOLES_MS {
            return Err(bad(
                BadInput::Truncated,
                format!(
                    "The file is damaged: nothing is heard or seen for more than {} minutes.",
                    MOST_HOLES_MS / 60_000
                ),
            ));
        }
        Ok(())
    }
}

/// Drops pictures that no rung has room for before they cost filtering. What deinterlaces needs
/// them all.
struct Pace {
    rate_milli: Option<i64>,
    slot: i64,
}

impl Pace {
    fn keeps(&mut self, at_ms: i64) -> bool {
        let Some(rate) = self.rate_milli else {
            return true;
        };
        let slot = at_ms * rate / 1_000_000;
        let keeps = slot > self.slot;
        self.slot = self.slot.max(slot);
        keeps
    }
}
