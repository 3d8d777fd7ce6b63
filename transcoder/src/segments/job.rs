//! Making the segments of all rungs, each after what is sent before it.

use std::sync::{Arc, Mutex, PoisonError};

use super::Order;
use super::piece::{Piece, Sized, scaled};
use crate::boxes::{self, Track};
use crate::cap::{Sent, Tried, within};
use crate::encode::{Shown, chunk_starts};
use crate::error::Error;
use crate::finished::{Finished, Told};
use crate::fragments::{Form, part, reordered};
use crate::ladder::{Rung, watchable_early};
use crate::pool::Tasks;
use crate::store::Store;

/// The usual clock of pictures: fine enough for times of decoding between two of showing.
const TIMESCALE: u32 = 90_000;
const PICTURES: Form = Form {
    per_ms: TIMESCALE as i64 / 1_000,
    all_keys: false,
};

/// What is made, and how far it is.
pub(super) struct Job {
    /// Rungs of one size together, from the largest size down.
    sizes: Vec<Vec<usize>>,
    pub(super) rungs: Vec<Rung>,
    /// So many at the beginning are encoded.
    wanted: usize,
    /// So many at the beginning come first.
    early: usize,
    store: Store,
    pub(super) finished: Finished,
    /// Init segment of each rung, once it is written; every segment has the same.
    inits: Mutex<Vec<Option<Vec<u8>>>>,
}

impl Job {
    pub(super) fn new(order: Order, store: &Store, told: Told) -> Result<Self, Error> {
        let early = watchable_early(&order.rungs);
        let wanted = match order.only_early {
            true => early,
            false => order.rungs.len(),
        };
        let Order { rungs, plans, .. } = order;
        for rung in &rungs[..wanted] {
            store.begin(&rung.id)?;
        }
        Ok(Self {
            sizes: by_size(&rungs),
            finished: Finished::new(store, plans, told),
            inits: Mutex::new(vec![None; rungs.len()]),
            rungs,
            wanted,
            early,
            store: store.clone(),
        })
    }

    /// Begins a segment; what is not there of it is queued.
    pub(super) fn begin(
        self: &Arc<Self>,
        tasks: &Tasks,
        index: usize,
        times: (i64, i64),
        pictures: Vec<Shown>,
    ) -> Result<(), Error> {
        let rungs = &self.rungs[..self.wanted];
        if !self.finished.begin(rungs, index, times)? {
            let sized = Arc::new(Sized::new(tasks, pictures));
            self.settle_offered(tasks, index, times, &sized);
            self.clone().step(tasks, index, times, 0, &sized);
        }
        Ok(())
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
            let piece = Piece::new(*rung, index, times, sized);
            let job = self.clone();
            // What takes longest first: at the end nobody waits for one that began late.
            let rank = 1 + self.wanted - rung;
            tasks.push(self.can_wait(*rung), index, rank, move |tasks| {
                job.encode(tasks, piece)
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

    /// Rungs that others offered come when it is known what is sent before them; to be made after all, they are not
    /// scaled before.
    fn settle_offered(
        self: &Arc<Self>,
        tasks: &Tasks,
        index: usize,
        times: (i64, i64),
        sized: &Arc<Sized>,
    ) {
        let offered = (0..self.wanted).filter(|rung| self.finished.is_offered(*rung, index));
        for rung in offered {
            let piece = Piece::new(rung, index, times, sized);
            let job = self.clone();
            tasks.push(self.can_wait(rung), index, 0, move |tasks| {
                job.settle(tasks, piece, None)
            });
        }
    }

    fn can_wait(&self, rung: usize) -> bool {
        rung >= self.early
    }

    fn is_missing(&self, rung: usize, index: usize) -> bool {
        rung < self.wanted && !self.finished.has(rung, index)
    }

    fn smaller(&self, tasks: &Tasks, size: usize, pictures: &[Shown]) -> Result<Sized, Error> {
        let rung = &self.rungs[self.sizes[size][0]];
        Ok(Sized::new(tasks, scaled(rung, pictures)?))
    }

    /// Encodes what is not offered meanwhile, whatever is sent before it.
    fn encode(self: Arc<Self>, tasks: &Tasks, piece: Piece) -> Result<(), Error> {
        let rung = &self.rungs[piece.rung];
        // Another machine may have been quicker since the segment was handed over.
        let offered = self.finished.offered((piece.rung, rung), piece.times);
        let tried = match offered.is_some() || piece.is_undecoded() {
            true => None,
            false => {
                let pictures = piece.pictures(rung)?;
                let tried = within(rung, piece.times, &pictures, &[], None)?;
                Some((pictures, tried))
            }
        };
        self.settle(tasks, piece, tried)
    }

    /// Puts a segment in place, once that which is sent before it is known.
    fn settle(
        self: Arc<Self>,
        tasks: &Tasks,
        piece: Piece,
        tried: Option<(Vec<Shown>, Tried)>,
    ) -> Result<(), Error> {
        let (number, index) = (piece.rung, piece.index);
        let before = || self.finished.before(number, index, piece.times.0);
        let Some(before) = before() else {
            let (job, start_ms) = (self.clone(), piece.times.0);
            tasks.park(self.can_wait(number), (number, index), move |tasks| {
                job.settle(tasks, piece, tried)
            });
            // It may have come before this was parked.
            if self.finished.before(number, index, start_ms).is_some() {
                tasks.wake((number, index));
            }
            return Ok(());
        };
        let rung = &self.rungs[number];
        let offered = match tried {
            Some(_) => None,
            None => self.finished.offered((number, rung), piece.times),
        };
        let taken = match offered {
            Some(record) => (self.finished).take((number, rung), index, record, &before)?,
            None => false,
        };
        if !taken {
            self.make(&piece, tried, &before)?;
        }
        tasks.wake((number, index + 1));
        Ok(())
    }

    /// Makes a segment of what was tried, or again.
    fn make(
        &self,
        piece: &Piece,
        tried: Option<(Vec<Shown>, Tried)>,
        before: &Sent,
    ) -> Result<(), Error> {
        let (times, rung) = (piece.times, &self.rungs[piece.rung]);
        let (pictures, tried) = match tried {
            Some((pictures, tried)) => (pictures, Some(tried)),
            None => (piece.pictures(rung)?, None),
        };
        let coded = within(rung, times, &pictures, before, tried)?.coded;
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
        self.init(piece.rung, &init)?;
        let (bytes, chunks) = (&parted.bytes, parted.chunks);
        let segment = self.store.segment(&rung.id, times, bytes, chunks)?;
        let made = (coded.codec, segment);
        let place = (piece.rung, rung);
        self.finished.note(place, piece.index, made, &init)
    }

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
