//! Stretches of a lecture that others made need not be decoded.

use millet_manifest::Record;

use super::work::Work;
use crate::cap::{Sent, is_calm};
use crate::compare::WINDOW_MS;
use crate::error::Error;
use crate::finished::sent;
use crate::gist::Gist;
use crate::ladder::Rung;
use crate::stills::Shot;
use crate::store::Store;

/// So often it is looked whether others made the stretch that is read, milliseconds.
const LOOK_EVERY_MS: i64 = 1_000;

/// A stretch is left out while this many pictures of it, or so much time, is still to come, milliseconds: of those
/// that the decoder holds none may lie behind it.
const LEAST_PICTURES: i64 = 64;
const LEAST_MS: i64 = 5_000;

/// Looks for what others made while a recording is read.
pub(super) struct Given {
    store: Store,
    rungs: Vec<Rung>,
    /// Sum of the plan that they must have carried out.
    plan: u64,
    seams_ms: Vec<i64>,
    /// Begins with a cut that was not reached yet.
    next: Option<Gist>,
    look_at_ms: i64,
    /// Time of the last picture that was not left out, milliseconds.
    passed_ms: i64,
}

impl Given {
    pub(super) fn new(store: &Store, rungs: &[Rung], sums: &[u64], seams_ms: &[i64]) -> Self {
        Self {
            store: store.clone(),
            rungs: rungs.to_vec(),
            plan: Gist::plan(sums),
            seams_ms: seams_ms.to_vec(),
            next: None,
            look_at_ms: 0,
            passed_ms: -1,
        }
    }

    /// What others tell of the rest of a stretch, and of those that follow, as soon as `at_ms` has reached a cut from
    /// which on they made it.
    pub(super) fn reached(&mut self, at_ms: i64, step_ms: i64) -> Vec<Gist> {
        let least_ms = LEAST_MS.max(LEAST_PICTURES * step_ms);
        if self.next.is_none() && at_ms >= self.look_at_ms {
            let seam_ms = self.seams_ms.iter().find(|seam| **seam > at_ms);
            let soon_ms = at_ms + LOOK_EVERY_MS;
            self.look_at_ms = seam_ms.map_or(soon_ms, |seam| soon_ms.min(*seam));
            self.next = self.look(at_ms, self.passed_ms);
        }
        let pays = |gist: &Gist| {
            gist.until_ms
                .is_none_or(|until_ms| until_ms - at_ms >= least_ms)
        };
        self.next = self.next.take().filter(pays);
        let is_reached = |gist: &mut Gist| gist.views.first().is_some_and(|cut| cut.at_ms <= at_ms);
        let mut reached: Vec<Gist> = self.next.take_if(is_reached).into_iter().collect();
        while let Some(until_ms) = reached.last().and_then(|gist| gist.until_ms) {
            (self.look_at_ms, self.passed_ms) = (until_ms, until_ms - 1);
            match self.look(until_ms, until_ms - 1) {
                Some(next) => reached.push(next),
                None => break,
            }
        }
        if reached.is_empty() {
            self.passed_ms = at_ms;
        }
        reached
    }

    /// What others tell of the stretch around `at_ms`, from the first cut behind `passed_ms` on. What is sent before
    /// a seam weighs for ten seconds on what is behind it: until then segments may have to be made again, unless they
    /// begin with few bytes.
    fn look(&self, at_ms: i64, passed_ms: i64) -> Option<Gist> {
        let passed = self.seams_ms.partition_point(|seam| *seam <= at_ms);
        let from_ms = *self.seams_ms.get(passed.checked_sub(1)?)?;
        let until_ms = self.seams_ms.get(passed).copied();
        let is_far = passed_ms >= from_ms + WINDOW_MS;
        let gist = Gist::given(&self.store, self.plan, (from_ms, until_ms), &self.rungs)?;
        let may_leave = is_far || self.begins_calmly(&gist);
        may_leave.then(|| gist.behind(&self.store, passed_ms))?
    }

    /// Whether all segments that begin in its first ten seconds take few bytes.
    fn begins_calmly(&self, gist: &Gist) -> bool {
        let from_ms = gist.from_ms;
        let cuts = gist.views.iter().filter(|view| view.cut);
        let first = cuts.take_while(|cut| cut.at_ms < from_ms + WINDOW_MS);
        let first: Vec<u64> = first.map(|cut| cut.at_ms.unsigned_abs()).collect();
        let calm = |rung: &Rung| {
            let record = |start_ms: &u64| -> Option<Record> {
                let record: Record = self.store.given(&Record::file(&rung.id, *start_ms))?;
                record.check(&rung.id, *start_ms).ok()?;
                Some(record)
            };
            let records: Option<Vec<Record>> = first.iter().map(record).collect();
            let chunks: Option<Sent> = records.map(|all| all.iter().flat_map(sent).collect());
            chunks.is_some_and(|chunks| is_calm(rung, &chunks, from_ms))
        };
        self.rungs.iter().all(calm)
    }
}

impl Work {
    /// Others made what comes next, to where their stretch ends: goes on there.
    pub(super) fn leave_out(&mut self, mut gist: Gist) -> Result<(), Error> {
        self.has_left_out = true;
        if let Some(first) = gist.views.first() {
            self.hold_until(first.at_ms)?;
        }
        for view in std::mem::take(&mut gist.views) {
            let at_ms = view.at_ms;
            if view.cut {
                self.pass_cut(at_ms)?;
            }
            let Some(pictures) = &mut self.pictures else {
                return Ok(());
            };
            let is_seam = view.cut && self.cutter.is_seam(at_ms);
            let shot = Shot::Made(gist.stills.remove(&at_ms));
            pictures.index(shot, &view.thumb, at_ms, (view.cut, is_seam))?;
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
        // One stretch may begin where another ended.
        let is_new = self.cutter.last() < at_ms;
        if is_new {
            self.cut(at_ms);
        }
        let Some(pictures) = &mut self.pictures else {
            return Ok(());
        };
        let whole = is_new.then(|| pictures.collector.end(at_ms)).flatten();
        pictures.collector.leave();
        match whole {
            Some(whole) => self.push(whole),
            None => Ok(()),
        }
    }
}
