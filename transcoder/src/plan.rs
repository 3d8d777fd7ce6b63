//! What is going to be made of a recording: decided once, and kept for a run that must go on later.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::num::NonZero;
use std::path::Path;

use millet_manifest::{Content, Decision, PLAN_FILE, PlanHead, TitleClass};
use serde::{Deserialize, Serialize};

use crate::colours::Colours;
use crate::content::Look;
use crate::cuts;
use crate::error::Error;
use crate::ladder::{Codec, Effort, Rung, Shape, ladder};
use crate::loudness;
use crate::source::Source;
use crate::store::{INPUT_FILE, Store};
use crate::sum::sum;
use crate::trial;

/// Changes whenever the same decision would be carried out in another way.
const VERSION: u32 = 11;
/// Bytes at both ends of the input by which it is known again.
const SAMPLE: u64 = 1 << 16;

/// What whoever starts a run asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// Cores that encode at the same time.
    pub workers: NonZero<usize>,
    /// Whether rungs of AV1 are tried too.
    pub av1: bool,
    /// Processor time against bytes.
    pub effort: Effort,
}

/// Rungs and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    version: u32,
    input: Input,
    av1: bool,
    effort: Effort,
    /// For who shares the work out.
    #[serde(flatten)]
    head: PlanHead,
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
    /// Sum of its ends.
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
        Ok(Self {
            bytes,
            sample: sum(&ends),
        })
    }
}

impl Plan {
    /// The plan that others carry out as well, or that of an earlier run, if it is of the same input and wishes.
    /// What was left of another input is forgotten; of the same one, segments that fit the plan stay.
    pub(crate) fn found(
        store: &Store,
        input: &Path,
        wishes: Wishes,
    ) -> Result<Option<Self>, Error> {
        let whose = (VERSION, Input::of(input)?);
        if store.noted(INPUT_FILE).as_ref() != Some(&whose) {
            store.forget()?;
            store.note(INPUT_FILE, &whose)?;
        }
        let fits = |plan: &Self| (plan.version, &plan.input) == (whose.0, &whose.1);
        if let Some(given) = store.given(PLAN_FILE).filter(fits) {
            given.note(store)?;
            return Ok(Some(given));
        }
        let is_wished = |plan: &Self| (plan.av1, plan.effort) == (wishes.av1, wishes.effort);
        let own = store.noted(PLAN_FILE).filter(fits);
        Ok(own.filter(is_wished))
    }

    /// By what records tell which plan of their rung they belong to, for each rung: what is settled of it
    /// while others are still being tried stays as it is.
    pub(crate) fn sums(&self) -> Result<Vec<u64>, Error> {
        let whole = (self.version, &self.input, self.size, self.interlaced);
        let of = |rung| serde_json::to_vec(&(whole, self.decision.class, rung));
        let sums = self
            .rungs
            .iter()
            .map(|rung| of(rung).map(|json| sum(&json)));
        let sums: Result<_, _> = sums.collect();
        sums.map_err(|error| Error::Fault(error.to_string()))
    }

    /// Keeps the plan for a later run.
    pub(crate) fn note(&self, store: &Store) -> Result<(), Error> {
        store.note(PLAN_FILE, self)
    }

    /// Decides. As soon as it is known how what can be watched early is made, `settled` gets the plan so far,
    /// in which the other rungs are only wished for.
    pub(crate) fn decide(
        input: &Path,
        source: &Source,
        look: Option<Look>,
        wishes: Wishes,
        settled: impl FnOnce(Self) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let rate = source
            .video
            .as_ref()
            .map_or(0.0, |track| track.highest_rate);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rates are between 0.1 and 240"
        )]
        let rate_milli = (rate * 1000.0).round() as u32;
        let mut plan = Self {
            version: VERSION,
            input: Input::of(input)?,
            av1: wishes.av1,
            effort: wishes.effort,
            head: PlanHead {
                announced_ms: u64::try_from(source.announced_ms).unwrap_or(0),
                leaves_undecoded: look.is_some_and(|look| look.class == TitleClass::Lecture),
                ..PlanHead::default()
            },
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
                    effort: wishes.effort,
                    class: look.class,
                    colours: look.colours,
                    width: look.width,
                    height: look.height,
                    rate_milli,
                });
                rungs.retain(|rung| wishes.av1 || rung.codec == Codec::H264);
                plan.head.has_pictures = !rungs.is_empty();
                let seams = cuts::seams_ms(source.announced_ms).into_iter();
                plan.head.seams_ms = seams.map(i64::cast_unsigned).collect();
                let so_far = |rungs: &[Rung]| {
                    settled(Self {
                        rungs: rungs.to_vec(),
                        ..plan.clone()
                    })
                };
                trial::decide(input, look, rungs, wishes.workers, so_far)?
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

    /// Of all pictures.
    pub(crate) fn colours(&self) -> Colours {
        (self.rungs.first()).map_or(Colours::Bt601, |rung| rung.colours)
    }

    /// Where every rung is cut whatever it shows, milliseconds.
    pub(crate) fn seams_ms(&self) -> Vec<i64> {
        let seams = self.head.seams_ms.iter();
        seams.filter_map(|ms| i64::try_from(*ms).ok()).collect()
    }

    /// Size of the largest rung, from which all others are scaled.
    pub(crate) fn largest(&self) -> Option<(u32, u32)> {
        let sizes = self.rungs.iter().map(|rung| (rung.width, rung.height));
        sizes.max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
    }
}
