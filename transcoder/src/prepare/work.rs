//! What is being made of one recording, and how a picture goes to every rung.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millet_manifest::{Chapter, Content};

use super::holes::Holes;
use super::pace::Pace;
use crate::captions::Captions;
use crate::chapters;
use crate::content::Look;
use crate::cuts::{Cutter, Rule};
use crate::decode::{AudioDecoder, VideoDecoder};
use crate::error::Error;
use crate::ladder::ladder;
use crate::normalise::{Fit, Normaliser};
use crate::picture::{Picture, Thumb};
use crate::sound::{Mono, SoundEncoder};
use crate::source::Source;
use crate::stills::Stills;
use crate::video::{Shown, Thread};

/// One recording on its way.
pub(super) struct Work {
    pub(super) output: PathBuf,
    pub(super) content: Content,
    pub(super) look: Option<Look>,
    pub(super) cutter: Cutter,
    pub(super) pictures: Option<Pictures>,
    pub(super) sound: Option<Sound>,
    pub(super) rungs: Vec<Thread>,
    pub(super) captions: Captions,
    pub(super) chapters: Vec<Chapter>,
    /// Until when streams that are not used go on: text may last longer than what it is about.
    pub(super) others_ms: i64,
    pub(super) holes: Holes,
}

/// Its pictures.
pub(super) struct Pictures {
    pub(super) decoder: VideoDecoder,
    pub(super) normaliser: Normaliser,
    pub(super) stills: Stills,
    pub(super) pace: Pace,
    pub(super) last: Option<(Arc<Picture>, Arc<Thumb>)>,
    pub(super) last_ms: i64,
    pub(super) step_ms: i64,
}

/// Its sound.
pub(super) struct Sound {
    pub(super) decoder: AudioDecoder,
    pub(super) mono: Mono,
    pub(super) encoders: Vec<SoundEncoder>,
}

impl Work {
    pub(super) fn begin(source: &Source, look: Option<Look>, output: &Path) -> Result<Self, Error> {
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
    pub(super) fn show(&mut self, picture: Picture, at_ms: i64) -> Result<(), Error> {
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

    pub(super) fn cut(&mut self, at_ms: i64) {
        self.cutter.cut(at_ms);
        for encoder in self.sound.iter_mut().flat_map(|sound| &mut sound.encoders) {
            encoder.cut(at_ms);
        }
    }

    /// Every cut before `until_ms` is known.
    pub(super) fn settle(&mut self, until_ms: i64) -> Result<(), Error> {
        for encoder in self.sound.iter_mut().flat_map(|sound| &mut sound.encoders) {
            encoder.settle(until_ms)?;
        }
        Ok(())
    }

    /// Repeats the last picture wherever a cut is overdue before `until_ms`.
    pub(super) fn hold_until(&mut self, until_ms: i64) -> Result<(), Error> {
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

    pub(super) fn send(
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
    pub(super) fn end_ms(&self) -> i64 {
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
}

/// Hands samples to every encoder.
pub(super) fn give(encoders: &mut [SoundEncoder], samples: &[f32]) -> Result<(), Error> {
    for encoder in encoders {
        encoder.take(samples)?;
    }
    Ok(())
}
