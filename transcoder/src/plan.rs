//! What is going to be made of a recording: decided once, and kept for a run that must go on later.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::num::NonZero;
use std::path::Path;

use millet_manifest::{Content, Decision, TitleClass};
use serde::{Deserialize, Serialize};

use crate::content::Look;
use crate::error::Error;
use crate::ladder::{Codec, Rung, Shape, ladder};
use crate::loudness;
use crate::source::Source;
use crate::store::Store;
use crate::trial;

/// Name of the note.
const NOTE: &str = "plan";
/// Changes whenever the same decision would be carried out in another way.
const VERSION: u32 = 2;
/// Bytes at both ends of the input by which it is known again.
const SAMPLE: u64 = 1 << 16;

/// Rungs and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    version: u32,
    input: Input,
    pub(crate) rungs: Vec<Rung>,
    /// As displayed.
    pub(crate) size: (u32, u32),
    pub(crate) interlaced: bool,
    pub(crate) decision: Decision,
}

/// By what an input is known again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Input {
    bytes: u64,
    /// FNV-1a of its ends: not against forgery, which would harm the forger's own lesson alone.
    sample: u64,
}

impl Input {
    fn of(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut ends = Vec::new();
        file.by_ref().take(SAMPLE).read_to_end(&mut ends)?;
        if bytes > SAMPLE {
            file.seek(SeekFrom::Start((bytes - SAMPLE).max(SAMPLE)))?;
            file.take(SAMPLE).read_to_end(&mut ends)?;
        }
        let sample = ends.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Ok(Self { bytes, sample })
    }
}

impl Plan {
    /// The plan of an earlier run of the same input; what others left is forgotten.
    pub(crate) fn found(store: &Store, input: &Path) -> Result<Option<Self>, Error> {
        let input = Input::of(input)?;
        let noted: Option<Self> = store.noted(NOTE);
        let plan = noted.filter(|plan| plan.version == VERSION && plan.input == input);
        if plan.is_none() {
            store.forget()?;
        }
        Ok(plan)
    }

    /// Keeps the plan for a later run.
    pub(crate) fn note(&self, store: &Store) -> Result<(), Error> {
        store.note(NOTE, self)
    }

    /// Decides. As soon as it is known how what can be watched early is made, `settled` gets the plan so far,
    /// in which the other rungs are only wished for.
    pub(crate) fn decide(
        input: &Path,
        source: &Source,
        look: Option<Look>,
        workers: NonZero<usize>,
        av1: bool,
        settled: impl FnOnce(Self) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let rate = source.video.as_ref().map_or(0.0, |track| track.rate);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rates are between 0.1 and 240"
        )]
        let rate_milli = (rate * 1000.0).round() as u32;
        let mut plan = Self {
            version: VERSION,
            input: Input::of(input)?,
            rungs: Vec::new(),
            size: look.map_or((0, 0), |look| (look.width, look.height)),
            interlaced: look.is_some_and(|look| look.interlaced),
            decision: Decision {
                class: look.map_or(TitleClass::AudioOnly, |look| look.class),
                picture: look.map(|look| look.signs),
                sound: loudness::listen(input)?,
                rungs: Vec::new(),
                sentence: String::new(),
            },
        };
        (plan.rungs, plan.decision.rungs) = match &look {
            Some(look) => {
                let mut rungs = ladder(Shape {
                    class: look.class,
                    width: look.width,
                    height: look.height,
                    rate_milli,
                });
                rungs.retain(|rung| av1 || rung.codec == Codec::H264);
                let so_far = |rungs: &[Rung]| {
                    settled(Self {
                        rungs: rungs.to_vec(),
                        ..plan.clone()
                    })
                };
                trial::decide(input, look, rungs, workers, so_far)?
            }
            None => (Vec::new(), Vec::new()),
        };
        Ok(plan)
    }

    /// The coarser word of the manifest.
    pub(crate) fn content(&self) -> Content {
        match self.decision.class {
            TitleClass::Lecture => Content::Lecture,
            TitleClass::AudioOnly => Content::AudioOnly,
            TitleClass::TalkingHead | TitleClass::Natural => Content::Natural,
        }
    }

    /// Size of the largest rung, from which all others are scaled.
    pub(crate) fn largest(&self) -> Option<(u32, u32)> {
        let sizes = self.rungs.iter().map(|rung| (rung.width, rung.height));
        sizes.max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
    }
}
