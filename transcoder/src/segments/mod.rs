//! Turns segments of pictures into segments of every rung, on all cores.
//!
//! A picture is scaled from size to size, each from the next larger one, once for all rungs of a size.

mod job;
mod piece;

use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;

use crate::encode::Shown;
use crate::error::Error;
use crate::finished::{Encoded, Part, Told};
use crate::ladder::Rung;
use crate::pool::Pool;
use crate::stills;
use crate::store::Store;
use job::Job;

/// Pictures that wait to be encoded take no more than this, bytes, and one segment more.
const MOST_WAITING: u64 = 160 << 20;

/// A segment of which all pictures are there, or that others made.
pub(crate) struct Whole {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// The first stands at `start_ms`; all have the size of the largest rung. None are of a segment that is taken
    /// from others without having been decoded.
    pub(crate) pictures: Vec<Shown>,
}

/// What is to be made.
pub(crate) struct Order {
    /// From the fewest bytes to the most.
    pub(crate) rungs: Vec<Rung>,
    /// Only those that can be watched before the others are made.
    pub(crate) only_early: bool,
    /// Sum of each rung's plan.
    pub(crate) plans: Vec<u64>,
    /// Only segments that begin within, milliseconds.
    pub(crate) part: Range<i64>,
}

/// All rungs with pictures.
pub(crate) struct Segments {
    pool: Pool,
    job: Arc<Job>,
    part: Range<i64>,
    count: usize,
    end_ms: i64,
}

impl Segments {
    pub(crate) fn start(
        order: Order,
        store: &Store,
        workers: NonZero<usize>,
        told: Told,
    ) -> Result<Self, Error> {
        let part = order.part.clone();
        let job = Job::new(order, store, told)?;
        Ok(Self {
            pool: Pool::start(workers)?,
            job: Arc::new(job),
            part,
            count: 0,
            end_ms: 0,
        })
    }

    /// Hands over the next segment; waits while too much is waiting.
    pub(crate) fn push(&mut self, whole: Whole) -> Result<(), Error> {
        let index = self.count;
        self.count += 1;
        let times = (whole.start_ms, whole.end_ms);
        self.end_ms = whole.end_ms;
        if !self.part.contains(&whole.start_ms) {
            self.job.finished.skip();
            return Ok(());
        }
        let tasks = self.pool.tasks();
        self.job.begin(tasks, index, times, whole.pictures)?;
        self.pool.wait_below(MOST_WAITING)
    }

    /// Has something else made of a picture of the next segment, by a worker that has nothing more urgent.
    pub(crate) fn beside(&self, chosen: stills::Chosen) {
        let tasks = self.pool.tasks();
        let held = tasks.hold(chosen.bytes);
        tasks.push(true, self.count, 0, move |_| {
            (chosen.make)()?;
            drop(held);
            Ok(())
        });
    }

    /// Whether everything that is to be made was handed over.
    pub(crate) fn is_over(&self) -> bool {
        self.end_ms >= self.part.end
    }

    /// Where the last segment ends that was handed over, milliseconds.
    pub(crate) fn end_ms(&self) -> i64 {
        self.end_ms
    }

    /// Of every rung.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.job.rungs.iter().map(|rung| rung.id.clone()).collect()
    }

    /// Waits for the last segment of a part.
    pub(crate) fn finish_part(self) -> Result<Part, Error> {
        self.pool.finish()?;
        Ok(self.job.finished.part())
    }

    /// Waits for what was handed over.
    pub(crate) fn wait(self) -> Result<(), Error> {
        self.pool.finish()
    }

    /// Waits for the last segment.
    pub(crate) fn finish(self) -> Result<Vec<Encoded>, Error> {
        self.pool.finish()?;
        self.job.finished.join(&self.job.rungs)
    }
}
