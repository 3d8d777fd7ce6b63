//! How a run ends: what is shorter is filled up, what yielded nothing goes.

use millet_manifest::{BadInput, Content, TitleClass};

use super::witness::Witness;
use super::work::{Pictures, Sound, Work, give};
use crate::chapters;
use crate::error::{Error, bad};
use crate::finished::Part;
use crate::package::Made;
use crate::source::Source;

/// Length of the last segment at least, milliseconds; the longest packet of sound has 120.
const SHORTEST_LAST_MS: i64 = 150;

impl Work {
    /// Everything was read: fills up what is shorter, ends the encoders.
    pub(super) fn end(mut self, source: Source) -> Result<Made, Error> {
        self.begin_before(self.end_ms())?;
        let is_after_others = |pictures: &Pictures| pictures.from_ms > 0;
        if self.pictures.as_ref().is_some_and(is_after_others) && !self.is_begun() {
            return Err(Error::Undecoded);
        }
        let end_ms = self.end_ms();
        let no_picture = !self.is_begun();
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
            mut leveller,
            mut encoders,
            ..
        }) = self.sound.take()
        {
            if no_sound {
                self.discard(encoders.iter().map(|encoder| encoder.id))?;
            } else {
                mono.end(end_ms, |samples| {
                    give(&mut encoders, leveller.pass(samples))
                })?;
                give(&mut encoders, leveller.end())?;
                for encoder in encoders {
                    sounds.push(encoder.finish(end_ms)?);
                }
            }
        }
        let (mut rungs, mut poster, mut stills) = (Vec::new(), None, Vec::new());
        if let Some(mut pictures) = self.pictures.take() {
            if let Some(whole) = pictures.collector.end(end_ms) {
                pictures.segments.push(whole)?;
            }
            let ids = pictures.segments.ids();
            if no_picture {
                self.discard(ids.iter().map(String::as_str))?;
            } else {
                if self.chapters.is_empty() && self.content == Content::Lecture {
                    self.chapters = chapters::slides(pictures.slides.starts_ms());
                }
                if let Some(stills) = &mut pictures.stills
                    && let Some(last) = stills.end()?
                {
                    pictures.segments.beside(last);
                }
                rungs = pictures.segments.finish()?;
                if let Some(seen) = pictures.stills {
                    (poster, stills) = seen.finish()?;
                }
            }
        }
        if no_picture {
            self.decision.class = TitleClass::AudioOnly;
            self.decision.rungs.clear();
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
            source: source.describe(if no_picture { (0, 0) } else { self.size }),
            decision: self.decision,
        })
    }

    /// Everything that a part needs was read; ends the encoders.
    pub(super) fn end_part(mut self) -> Result<Part, Error> {
        if !self.is_over() {
            let end_ms = self.end_ms();
            self.begin_before(end_ms)?;
            self.hold_until(end_ms)?;
            let end_ms = end_ms.max(self.cutter.last() + SHORTEST_LAST_MS);
            if let Some(pictures) = &mut self.pictures
                && let Some(whole) = pictures.collector.end(end_ms)
            {
                pictures.segments.push(whole)?;
            }
        }
        let Some(mut pictures) = self.pictures.take() else {
            return Ok(Part::default());
        };
        if let Some(last) = pictures.witness.as_mut().and_then(Witness::end) {
            pictures.segments.beside(last);
        }
        let (rungs, end_ms) = (pictures.segments.ids(), pictures.segments.end_ms());
        let part = pictures.segments.finish_part()?;
        let told = pictures.witness;
        if let Some(gist) = told.and_then(|told| told.finish(rungs, pictures.last_ms, end_ms)) {
            gist.put(&self.store, self.plan, end_ms)?;
        }
        Ok(part)
    }

    /// Removes what was begun for streams that yielded nothing.
    fn discard<'a>(&self, mut ids: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        ids.try_for_each(|id| self.store.discard(id))
    }
}
