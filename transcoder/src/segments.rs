//! Turns segments of pictures into segments of every rung, on all cores.
//!
//! A picture is scaled from size to size, each from the next larger one, once for all rungs of a size.

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millet_manifest::Segment;

use crate::boxes::{self, Track};
use crate::encode::{Shown, chunk_starts, scale};
use crate::error::Error;
use crate::fragments::{Form, part, reordered};
use crate::ladder::{Rung, watchable_early};
use crate::picture::Picture;
use crate::pool::{Held, Pool, Tasks};
use crate::rung::{paced, within};
use crate::store::{Record, Store};

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

/// What was made of one rung.
pub(crate) struct Encoded {
    pub(crate) rung: Rung,
    pub(crate) codec: String,
    pub(crate) init_bytes: u64,
    pub(crate) segments: Vec<Segment>,
}

/// A finished segment of a rung, told as it is made.
pub(crate) type Told = Box<dyn Fn(&Rung, usize, &Record) + Send + Sync>;

/// Which rungs are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All.
    All,
    /// Those that can be watched before the others are made.
    Early,
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
    made: Mutex<Vec<Vec<Option<Record>>>>,
    /// Init segment of each rung, once it is written; every segment has the same.
    inits: Mutex<Vec<Option<Vec<u8>>>>,
    told: Told,
}

/// All rungs with pictures.
pub(crate) struct Segments {
    pool: Pool,
    job: Arc<Job>,
    count: usize,
}

impl Segments {
    /// `rungs` from the fewest bytes to the most.
    pub(crate) fn start(
        rungs: Vec<Rung>,
        wanted: Wanted,
        store: &Store,
        workers: NonZero<usize>,
        told: Told,
    ) -> Result<Self, Error> {
        let early = watchable_early(&rungs);
        let wanted = match wanted {
            Wanted::All => rungs.len(),
            Wanted::Early => early,
        };
        for rung in &rungs[..wanted] {
            store.begin(&rung.id)?;
        }
        let job = Job {
            sizes: by_size(&rungs),
            made: Mutex::new(vec![Vec::new(); rungs.len()]),
            inits: Mutex::new(vec![None; rungs.len()]),
            rungs,
            wanted,
            early,
            store: store.clone(),
            told,
        };
        Ok(Self {
            pool: Pool::start(workers)?,
            job: Arc::new(job),
            count: 0,
        })
    }

    /// Hands over the next segment; waits while too much is waiting.
    pub(crate) fn push(&mut self, whole: Whole) -> Result<(), Error> {
        let index = self.count;
        self.count += 1;
        let times = (whole.start_ms, whole.end_ms);
        let mut missing = false;
        {
            let mut made = self.job.made();
            let rungs = &self.job.rungs[..self.job.wanted];
            for (rung, made) in rungs.iter().zip(made.iter_mut()) {
                let found = self.job.store.found(&rung.id, index, times);
                match &found {
                    Some(record) => (self.job.told)(rung, index, record),
                    None => missing = true,
                }
                made.push(found);
            }
        }
        if missing {
            let tasks = self.pool.tasks();
            let sized = Arc::new(Sized::new(tasks, whole.pictures));
            self.job.clone().step(tasks, index, times, 0, &sized);
        }
        self.pool.wait_below(MOST_WAITING)
    }

    /// Of every rung.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.job.rungs.iter().map(|rung| rung.id.clone()).collect()
    }

    /// Waits for what was handed over.
    pub(crate) fn wait(self) -> Result<(), Error> {
        self.pool.finish()
    }

    /// Waits for the last segment.
    pub(crate) fn finish(self) -> Result<Vec<Encoded>, Error> {
        self.pool.finish()?;
        let made = std::mem::take(&mut *self.job.made());
        self.job
            .rungs
            .iter()
            .zip(made)
            .map(|(rung, records)| Encoded::join(rung.clone(), records))
            .collect()
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
    fn made(&self) -> MutexGuard<'_, Vec<Vec<Option<Record>>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
            tasks.push(can_wait, index, 1 + rung, move |_| {
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
        rung < self.wanted && self.made()[rung][index].is_none()
    }

    fn smaller(&self, tasks: &Tasks, size: usize, pictures: &[Shown]) -> Result<Sized, Error> {
        let rung = &self.rungs[self.sizes[size][0]];
        let mut scaler = None;
        let mut scaled = Vec::with_capacity(pictures.len());
        for shown in pictures {
            let frame = scale(&mut scaler, &shown.picture, rung.width, rung.height)?;
            scaled.push(Shown {
                picture: Arc::new(Picture::copy(&frame)),
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
        let pictures = paced(place, pictures);
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
        let segment = self.store.segment(&place.id, index, times, bytes, chunks)?;
        let record = Record {
            codec: coded.codec,
            init_bytes: init.len() as u64,
            segment,
        };
        self.store.finished(&place.id, index, &record)?;
        (self.told)(place, index, &record);
        self.made()[rung][index] = Some(record);
        Ok(())
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

impl Encoded {
    fn join(rung: Rung, records: Vec<Option<Record>>) -> Result<Self, Error> {
        let missing = || Error::Fault(format!("a segment of {} is missing", rung.id));
        let records: Vec<Record> = records
            .into_iter()
            .collect::<Option<_>>()
            .ok_or_else(missing)?;
        let first = records.first().ok_or_else(missing)?;
        let (codec, init_bytes) = (first.codec.clone(), first.init_bytes);
        if records
            .iter()
            .any(|r| (&r.codec, r.init_bytes) != (&codec, init_bytes))
        {
            let id = &rung.id;
            return Err(Error::Fault(format!(
                "segments of {id} do not fit together"
            )));
        }
        Ok(Self {
            rung,
            codec,
            init_bytes,
            segments: records.into_iter().map(|record| record.segment).collect(),
        })
    }
}
