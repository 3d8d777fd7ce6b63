//! Turns segments of pictures into segments of every rung, on all cores.
//!
//! A picture is scaled from size to size, each from the next larger one, once for all rungs of a size.

use std::num::NonZero;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::boxes::{self, Track};
use crate::encode::{Shown, chunk_starts, scale};
use crate::error::Error;
use crate::finished::{Encoded, Finished, Part, Told};
use crate::fragments::{Form, part, reordered};
use crate::ladder::{Rung, watchable_early};
use crate::picture::Picture;
use crate::pool::{Held, Pool, Tasks};
use crate::rung::{paced, plain, within};
use crate::stills;
use crate::store::Store;

/// Pictures that wait to be encoded take no more than this, bytes, and one segment more.
const MOST_WAITING: u64 = 160 << 20;

/// The usual clock of pictures: fine enough for times of decoding between two of showing.
const TIMESCALE: u32 = 90_000;
const PICTURES: Form = Form {
    per_ms: TIMESCALE as i64 / 1_000,
    all_keys: false,
};

/// Pictures of one segment at one size.
struct Sized {
    pictures: Vec<Shown>,
    _held: Held,
}

/// A segment of which all pictures are there.
pub(crate) struct Whole {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// The first stands at `start_ms`; all have the size of the largest rung.
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

struct Job {
    /// Rungs of one size together, from the largest size down.
    sizes: Vec<Vec<usize>>,
    rungs: Vec<Rung>,
    /// So many at the beginning are encoded.
    wanted: usize,
    /// So many at the beginning come first.
    early: usize,
    store: Store,
    finished: Finished,
    /// Init segment of each rung, once it is written; every segment has the same.
    inits: Mutex<Vec<Option<Vec<u8>>>>,
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
        let early = watchable_early(&order.rungs);
        let wanted = match order.only_early {
            true => early,
            false => order.rungs.len(),
        };
        let Order { rungs, part, .. } = order;
        for rung in &rungs[..wanted] {
            store.begin(&rung.id)?;
        }
        let job = Job {
            sizes: by_size(&rungs),
            finished: Finished::new(store, order.plans, told),
            inits: Mutex::new(vec![None; rungs.len()]),
            rungs,
            wanted,
            early,
            store: store.clone(),
        };
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
        let job = &self.job;
        if !job.finished.begin(&job.rungs[..job.wanted], index, times)? {
            let tasks = self.pool.tasks();
            let sized = Arc::new(Sized::new(tasks, whole.pictures));
            job.clone().step(tasks, index, times, 0, &sized);
        }
        self.pool.wait_below(MOST_WAITING)
    }

    /// Has something else made of a picture of the next segment, by a worker that has nothing more urgent.
    pub(crate) fn beside(&self, (picture, make): stills::Chosen) {
        let tasks = self.pool.tasks();
        let held = tasks.hold(picture.bytes());
        tasks.push(true, self.count, 0, move |_| {
            make(&picture)?;
            drop(held);
            Ok(())
        });
    }

    /// Whether everything that is to be made was handed over.
    pub(crate) fn is_over(&self) -> bool {
        self.end_ms >= self.part.end
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

/// Places of the rungs, those of one size together, from the largest down.
fn by_size(rungs: &[Rung]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rungs.len()).collect();
    let size = |index: usize| (rungs[index].width, rungs[index].height);
    order.sort_by_key(|index| {
        let (width, height) = size(*index);
        (
            std::cmp::Reverse(u64::from(width) * u64::from(height)),
            *index,
        )
    });
    order
        .chunk_by(|a, b| size(*a) == size(*b))
        .map(<[usize]>::to_vec)
        .collect()
}

impl Sized {
    fn new(tasks: &Tasks, pictures: Vec<Shown>) -> Self {
        // A picture that is repeated for a cut is counted twice; that errs on the safe side.
        let bytes = pictures.iter().map(|shown| shown.picture.bytes()).sum();
        Self {
            pictures,
            _held: tasks.hold(bytes),
        }
    }
}

impl Job {
    /// Queues the rungs of one size, and the scaling to the next one.
    fn step(
        self: Arc<Self>,
        tasks: &Tasks,
        index: usize,
        times: (i64, i64),
        size: usize,
        sized: &Arc<Sized>,
    ) {
        for rung in &self.sizes[size] {
            if !self.is_missing(*rung, index) {
                continue;
            }
            let (job, sized, rung) = (self.clone(), sized.clone(), *rung);
            let can_wait = rung >= self.early;
            // What takes longest first: at the end nobody waits for one that began late.
            let rank = 1 + self.wanted - rung;
            tasks.push(can_wait, index, rank, move |_| {
                job.encode(rung, index, times, &sized.pictures)
            });
        }
        let mut smaller = self.sizes[size + 1..].iter().flatten();
        if smaller.any(|rung| self.is_missing(*rung, index)) {
            let sized = sized.clone();
            tasks.push(false, index, 0, move |tasks| {
                let next = Arc::new(self.smaller(tasks, size + 1, &sized.pictures)?);
                drop(sized);
                self.step(tasks, index, times, size + 1, &next);
                Ok(())
            });
        }
    }

    fn is_missing(&self, rung: usize, index: usize) -> bool {
        rung < self.wanted && !self.finished.has(rung, index)
    }

    fn smaller(&self, tasks: &Tasks, size: usize, pictures: &[Shown]) -> Result<Sized, Error> {
        let rung = &self.rungs[self.sizes[size][0]];
        let mut scaler = None;
        let mut scaled = Vec::with_capacity(pictures.len());
        for shown in pictures {
            let frame = scale(&mut scaler, &shown.picture, rung.width, rung.height)?;
            scaled.push(Shown {
                picture: Arc::new(Picture::new(frame)),
                ..shown.clone()
            });
        }
        Ok(Sized::new(tasks, scaled))
    }

    fn encode(
        &self,
        rung: usize,
        index: usize,
        times: (i64, i64),
        pictures: &[Shown],
    ) -> Result<(), Error> {
        let place = &self.rungs[rung];
        // Another machine may have been quicker since the segment was handed over.
        if self.finished.accept((rung, place), index, times)? {
            return Ok(());
        }
        let pictures = plain(place, paced(place, pictures))?;
        let coded = within(place, times, &pictures)?;
        let starts = chunk_starts(&pictures);
        let init = boxes::init(&Track {
            timescale: TIMESCALE,
            sample_duration: 0,
            entry: coded.entry,
        });
        let units = coded.units.into_iter();
        let units = units.map(|unit| (unit.at_ms * PICTURES.per_ms, unit.data));
        let end = times.1 * PICTURES.per_ms;
        let samples = reordered(units.collect(), end);
        let parted = part(PICTURES, samples, &starts, end)?;
        self.init(rung, &init)?;
        let (bytes, chunks) = (&parted.bytes, parted.chunks);
        let segment = self.store.segment(&place.id, times, bytes, chunks)?;
        let made = (coded.codec, segment);
        self.finished.note((rung, place), index, made, &init)
    }
}

impl Job {
    /// Writes the rung's init segment, once.
    fn init(&self, rung: usize, bytes: &[u8]) -> Result<(), Error> {
        let mut inits = self.inits.lock().unwrap_or_else(PoisonError::into_inner);
        let id = &self.rungs[rung].id;
        match &inits[rung] {
            Some(known) if known == bytes => Ok(()),
            Some(_) => Err(Error::Fault(format!(
                "segments of {id} do not fit together"
            ))),
            None => {
                self.store.init(id, bytes)?;
                inits[rung] = Some(bytes.to_vec());
                Ok(())
            }
        }
    }
}
