//! What is being made of one recording, and how a picture goes to every rung.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

use millet_manifest::{Chapter, Content, Decision, SoundKind};

use super::approach::Approach;
use super::collect::Collector;
use super::feed::Decoding;
use super::given::Given;
use super::holes::Holes;
use super::pace::Pace;
use super::progress::Progress;
use super::twin::Twin;
use super::watchable::Watchable;
use super::witness::Witness;
use super::{Asked, Scope};
use crate::captions::Captions;
use crate::chapters;
use crate::cuts::{Cutter, Rule};
use crate::decode::{AudioDecoder, VideoDecoder};
use crate::error::Error;
use crate::gist::Gist;
use crate::loudness::Leveller;
use crate::normalise::{Fit, Normaliser};
use crate::picture::{Picture, Thumb};
use crate::plan::Plan;
use crate::report::Report;
use crate::segments::{Order, Segments, Whole};
use crate::slides::Slides;
use crate::sound::Mono;
use crate::sounding::SoundEncoder;
use crate::source::Source;
use crate::stills::{Begins, Shot, Stills};
use crate::store::Store;

/// For so many workers that encode, one thread decodes: the fewer share a core, the less each of them takes.
const WORKERS_TO_A_DECODER: usize = 2;

/// One recording on its way.
pub(super) struct Work {
    pub(super) store: Store,
    pub(super) content: Content,
    /// Sum of what is carried out.
    pub(super) plan: u64,
    pub(super) decision: Decision,
    /// Size as displayed.
    pub(super) size: (u32, u32),
    pub(super) cutter: Cutter,
    /// Taken by who reads.
    pub(super) decoding: Option<Decoding>,
    pub(super) pictures: Option<Pictures>,
    pub(super) sound: Option<Sound>,
    pub(super) captions: Captions,
    pub(super) chapters: Vec<Chapter>,
    /// Until when streams that are not used go on: text may last longer than what it is about.
    pub(super) others_ms: i64,
    pub(super) holes: Holes,
    pub(super) progress: Progress,
    /// Set when something is not decoded, since others made it.
    pub(super) has_left_out: bool,
}

/// Its pictures.
pub(super) struct Pictures {
    pub(super) normaliser: Normaliser,
    pub(super) slides: Slides,
    /// Absent where not all is made.
    pub(super) stills: Option<Stills>,
    /// Where a stretch is made for somebody else.
    pub(super) witness: Option<Witness>,
    /// What was decoded last, in its final form.
    on_screen: Option<(Arc<Picture>, Arc<Thumb>)>,
    /// Where the first segment begins, or the first after what others made, milliseconds.
    pub(super) from_ms: i64,
    pub(super) collector: Collector,
    /// Others made all the rest.
    is_left: bool,
    pub(super) segments: Segments,
    pub(super) last_ms: i64,
    pub(super) step_ms: i64,
}

/// Its sound.
pub(super) struct Sound {
    pub(super) decoder: AudioDecoder,
    pub(super) mono: Mono,
    pub(super) leveller: Leveller,
    pub(super) encoders: Vec<SoundEncoder>,
}

impl Work {
    pub(super) fn begin(
        source: &Source,
        plan: Plan,
        scope: Scope,
        output: &Path,
        store: &Store,
        asked: &Asked<'_>,
        report: &Report,
    ) -> Result<Self, Error> {
        let content = plan.content();
        let sums = plan.sums()?;
        let (part, seams_ms) = (scope.range(), plan.seams_ms());
        let from_ms = begin_ms(&seams_ms, part.start);
        let sound = match &source.audio {
            // How long it lasts decides where the last segments end, and nothing else.
            Some(_) if part.end < i64::MAX => None,
            Some(track) => {
                let kind = plan.decision.sound.map(|signs| signs.kind);
                let speech = kind != Some(SoundKind::Music);
                Some(Sound {
                    decoder: AudioDecoder::open(&source.input, track, source.start_ms)?,
                    mono: Mono::new(),
                    leveller: Leveller::new(plan.decision.sound),
                    encoders: match scope {
                        Scope::Whole { .. } | Scope::Head => vec![
                            SoundEncoder::opus(store, speech)?,
                            SoundEncoder::aac(store, speech)?,
                        ],
                        Scope::Part { .. } => Vec::new(),
                    },
                })
            }
            None => None,
        };
        let sounds = sound.iter().flat_map(|sound| &sound.encoders);
        let sounds = sounds.map(SoundEncoder::rendition).collect();
        let early = match scope {
            Scope::Whole { .. } | Scope::Head => {
                Watchable::new(source.announced_ms, content, sounds, &plan.rungs)
            }
            Scope::Part { .. } => None,
        };
        let is_head = matches!(scope, Scope::Head);
        let colours = plan.colours();
        let progress = Progress::new(report, source.announced_ms, &plan.rungs, early, is_head);
        let (mut pictures, mut decoding) = (None, None);
        if let (Some((width, height)), Some(track)) = (plan.largest(), &source.video) {
            let fastest = plan.rungs.iter().map(|rung| rung.rate_milli).max();
            let fastest = i64::from(fastest.unwrap_or(1));
            let (workers, start_ms) = (asked.wishes.workers, source.start_ms);
            let threads = NonZero::new(workers.get() / WORKERS_TO_A_DECODER);
            let threads = threads.unwrap_or(NonZero::<usize>::MIN);
            let decoder = VideoDecoder::open(&source.input, track, start_ms, Some(threads))?;
            let progress = progress.clone();
            let told = move |rung: &_, index, record: &_| progress.encoded(rung, index, record);
            pictures = Some(Pictures {
                step_ms: decoder.step_ms(),
                normaliser: Normaliser::new(
                    track.turn,
                    width,
                    height,
                    plan.interlaced,
                    Fit::Stretch,
                ),
                slides: match scope {
                    Scope::Whole { .. } | Scope::Head => Slides::default(),
                    Scope::Part { .. } => Slides::of_stretch(),
                },
                stills: match scope {
                    Scope::Whole { .. } => Some(Stills::new(output, content, colours)?),
                    Scope::Head | Scope::Part { .. } => None,
                },
                witness: match (content, scope) {
                    (Content::Lecture, Scope::Part { .. }) => {
                        Witness::of(part.clone(), &seams_ms, colours)
                    }
                    _ => None,
                },
                on_screen: None,
                from_ms,
                collector: Collector::new(content),
                is_left: false,
                segments: Segments::start(
                    Order {
                        only_early: is_head,
                        rungs: plan.rungs.clone(),
                        plans: sums.clone(),
                        part,
                    },
                    store,
                    workers,
                    Box::new(told),
                )?,
                last_ms: 0,
            });
            decoding = Some(Decoding {
                decoder,
                approach: Approach::to(from_ms),
                pace: Pace::new((!plan.interlaced).then_some(fastest)),
                twin: Twin::new(plan.interlaced),
                given: match (content, scope) {
                    (Content::Lecture, Scope::Whole { takes_gists: true }) => {
                        Some(Given::new(store, &plan.rungs, &sums, &seams_ms))
                    }
                    _ => None,
                },
            });
        }
        Ok(Self {
            store: store.clone(),
            content,
            plan: Gist::plan(&sums),
            decision: plan.decision,
            size: plan.size,
            cutter: Cutter::new(Rule::of(content), source.announced_ms, seams_ms, from_ms),
            captions: Captions::find(&source.input, source.start_ms),
            chapters: chapters::named(&source.input, source.start_ms),
            others_ms: 0,
            holes: Holes::default(),
            decoding,
            pictures,
            sound,
            progress,
            has_left_out: false,
        })
    }

    /// A picture in its final form stands on the screen from this time on; with `None` what stands there goes on.
    pub(super) fn show(&mut self, picture: Option<Picture>, at_ms: i64) -> Result<(), Error> {
        let Some(pictures) = &self.pictures else {
            return Ok(());
        };
        let from_ms = pictures.from_ms;
        if at_ms >= from_ms {
            self.holes.reach(at_ms, self.end_ms().max(from_ms))?;
            self.begin_before(at_ms)?;
            if self.is_begun() {
                self.hold_until(at_ms)?;
            }
        }
        if let (Some(picture), Some(pictures)) = (picture, &mut self.pictures) {
            let thumb = Arc::new(picture.thumb());
            pictures.on_screen = Some((Arc::new(picture), thumb));
        }
        match at_ms >= from_ms {
            true => self.see(at_ms),
            false => Ok(()),
        }
    }

    /// In a part, what stood there when it began is its first picture, unless another came just then.
    pub(super) fn begin_before(&mut self, at_ms: i64) -> Result<(), Error> {
        if self.is_begun() {
            return Ok(());
        }
        let Some(pictures) = &self.pictures else {
            return Ok(());
        };
        let from_ms = pictures.from_ms;
        match pictures.on_screen.clone() {
            Some((picture, thumb)) if at_ms > from_ms => self.send(picture, thumb, from_ms, true),
            _ => Ok(()),
        }
    }

    pub(super) fn is_begun(&self) -> bool {
        self.pictures.as_ref().is_some_and(Pictures::is_begun)
    }

    /// What is on the screen goes to every rung.
    fn see(&mut self, at_ms: i64) -> Result<(), Error> {
        let Some(pictures) = &self.pictures else {
            return Ok(());
        };
        let Some((picture, thumb)) = pictures.on_screen.clone() else {
            return Ok(());
        };
        let Some((_, last)) = pictures.collector.last() else {
            let from_ms = pictures.from_ms;
            return self.send(picture, thumb, from_ms, true);
        };
        let changed = thumb.changed_permille(last);
        let cut = self.cutter.wants(at_ms, changed);
        if cut {
            self.cut(at_ms);
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
            for (index, segment) in encoder.settle(until_ms)? {
                self.progress.published(encoder.id, index, &segment);
            }
        }
        Ok(())
    }

    /// Repeats what stands on the screen wherever a cut is overdue before `until_ms`.
    pub(super) fn hold_until(&mut self, until_ms: i64) -> Result<(), Error> {
        while let Some(due) = self.cutter.overdue(until_ms) {
            self.cut(due);
            let pictures = self.pictures.as_ref();
            let on_screen = pictures.and_then(|pictures| pictures.on_screen.clone());
            if let Some((picture, thumb)) = on_screen {
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
        pictures.last_ms = at_ms;
        if !cut && pictures.collector.repeats(&picture, at_ms) {
            return Ok(());
        }
        let is_seam = cut && self.cutter.is_seam(at_ms);
        let shot = Shot::Decoded(picture.clone());
        let begins = pictures.index(shot, &thumb, at_ms, (cut, is_seam))?;
        if let Some(witness) = &mut pictures.witness
            && let Some(chosen) = witness.see(&picture, &thumb, at_ms, begins)
        {
            pictures.segments.beside(chosen);
        }
        match pictures.collector.take(picture, thumb, at_ms, cut) {
            Some(whole) => self.push(whole),
            None => Ok(()),
        }
    }

    /// Hands a whole segment to the workers.
    pub(super) fn push(&mut self, whole: Whole) -> Result<(), Error> {
        match &mut self.pictures {
            Some(pictures) => pictures.segments.push(whole),
            None => Ok(()),
        }
    }

    /// Whether nothing that is still to be read is asked for.
    pub(super) fn is_over(&self) -> bool {
        let pictures = self.pictures.as_ref();
        pictures.is_some_and(|pictures| pictures.segments.is_over())
    }

    /// How far pictures and sound are.
    pub(super) fn end_ms(&self) -> i64 {
        let picture = self
            .pictures
            .as_ref()
            .map_or(0, |pictures| match pictures.is_begun() {
                true => pictures.last_ms + pictures.step_ms,
                false => pictures.from_ms,
            });
        let sound = self.sound.as_ref().map_or(0, |sound| sound.mono.end_ms());
        picture.max(sound)
    }
}

impl Pictures {
    /// What the index and the chapters make of a picture that is news, with which a segment is cut or even a seam is
    /// reached.
    pub(super) fn index(
        &mut self,
        shot: Shot,
        thumb: &Arc<Thumb>,
        at_ms: i64,
        (cut, is_seam): (bool, bool),
    ) -> Result<Begins, Error> {
        let begins = Begins {
            segment: cut,
            slide: self.slides.see(thumb, at_ms),
        };
        if is_seam {
            self.slides.pass_seam(thumb, at_ms);
        }
        if let Some(stills) = &mut self.stills
            && let Some(chosen) = stills.see(shot, thumb, at_ms, begins)?
        {
            self.segments.beside(chosen);
        }
        Ok(begins)
    }

    /// Others made all up to the next stretch, or to the end.
    pub(super) fn leave(&mut self, last_ms: i64, until_ms: Option<i64>) {
        self.last_ms = last_ms;
        self.on_screen = None;
        match until_ms {
            Some(until_ms) => {
                self.from_ms = until_ms;
                self.collector.forget();
            }
            None => self.is_left = true,
        }
    }

    /// Whether there is a picture from where they begin on.
    fn is_begun(&self) -> bool {
        self.is_left || self.collector.last().is_some()
    }
}

/// Where a part that is asked for from `from_ms` on begins: at the seam before, or at the start.
fn begin_ms(seams_ms: &[i64], from_ms: i64) -> i64 {
    let seams = seams_ms.iter().copied();
    seams
        .take_while(|seam| *seam <= from_ms)
        .last()
        .unwrap_or(0)
}

/// Hands samples to every encoder.
pub(super) fn give(encoders: &mut [SoundEncoder], samples: &[f32]) -> Result<(), Error> {
    for encoder in encoders {
        encoder.take(samples)?;
    }
    Ok(())
}
