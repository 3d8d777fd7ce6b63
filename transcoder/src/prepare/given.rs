//! Stretches of a lecture that others made need not be decoded.

use super::work::Work;
use crate::compare::WINDOW_MS;
use crate::error::Error;
use crate::gist::Gist;
use crate::segments::Whole;
use crate::stills::{Begins, Shot};
use crate::store::Store;

/// So often it is looked whether others made the stretch that is read, milliseconds.
const LOOK_EVERY_MS: i64 = 1_000;

/// Looks for what others made while a recording is read.
pub(super) struct Given {
    store: Store,
    /// Sum of the plan that they must have carried out.
    plan: u64,
    seams_ms: Vec<i64>,
    /// Begins with a cut that was not reached yet.
    next: Option<Gist>,
    look_at_ms: i64,
}

impl Given {
    pub(super) fn new(store: &Store, sums: &[u64], seams_ms: &[i64]) -> Self {
        Self {
            store: store.clone(),
            plan: Gist::plan(sums),
            seams_ms: seams_ms.to_vec(),
            next: None,
            look_at_ms: 0,
        }
    }

    /// What others tell of the rest of a stretch, as soon as `at_ms` has reached a cut from which on they made it.
    pub(super) fn reached(&mut self, at_ms: i64) -> Option<Gist> {
        if self.next.is_none() && at_ms >= self.look_at_ms {
            self.look_at_ms = at_ms + LOOK_EVERY_MS;
            self.next = self.look(at_ms);
        }
        let is_reached = |gist: &mut Gist| gist.views.first().is_some_and(|cut| cut.at_ms <= at_ms);
        let reached = self.next.take_if(is_reached)?;
        self.look_at_ms = reached.until_ms.unwrap_or(i64::MAX);
        Some(reached)
    }

    /// What is sent before a seam weighs for ten seconds on what is behind it: until then segments may have to be
    /// made again.
    fn look(&self, at_ms: i64) -> Option<Gist> {
        let passed = self.seams_ms.partition_point(|seam| *seam <= at_ms);
        let from_ms = *self.seams_ms.get(passed.checked_sub(1)?)?;
        let until_ms = self.seams_ms.get(passed).copied();
        let stretch = (from_ms, until_ms);
        if at_ms < from_ms + WINDOW_MS {
            return None;
        }
        Gist::given(&self.store, self.plan, stretch, at_ms)
    }
}

impl Work {
    /// Others made what comes next, to where their stretch ends: goes on there.
    pub(super) fn leave_out(&mut self, mut gist: Gist) -> Result<(), Error> {
        for view in std::mem::take(&mut gist.views) {
            let at_ms = view.at_ms;
            if view.cut {
                self.pass_cut(at_ms)?;
            }
            let Some(pictures) = &mut self.pictures else {
                return Ok(());
            };
            let begins = Begins {
                segment: view.cut,
                slide: pictures.slides.see(&view.thumb, at_ms),
            };
            let shot = Shot::Made(gist.stills.get(&at_ms).cloned());
            if let Some(stills) = &mut pictures.stills
                && let Some(chosen) = stills.see(shot, &view.thumb, at_ms, begins)?
            {
                pictures.segments.beside(chosen);
            }
        }
        if let Some(until_ms) = gist.until_ms {
            self.pass_cut(until_ms)?;
        }
        if let Some(pictures) = &mut self.pictures {
            pictures.leave(gist.last_ms, gist.until_ms);
        }
        self.settle(gist.last_ms)
    }

    /// A segment of others begins, or their stretch ends.
    fn pass_cut(&mut self, at_ms: i64) -> Result<(), Error> {
        self.cut(at_ms);
        let whole: Option<Whole> = match &mut self.pictures {
            Some(pictures) => {
                let whole = pictures.collector.end(at_ms);
                pictures.collector.leave();
                whole
            }
            None => None,
        };
        whole.map_or(Ok(()), |whole| self.push(whole))
    }
}
