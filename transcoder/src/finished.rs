//! Which segments of every rung are finished: made now, by an earlier run, or by others.

use std::sync::{Mutex, MutexGuard, PoisonError};

use millet_manifest::{Record, Segment};

use crate::cap::{Sent, fits};
use crate::compare::WINDOW_MS;
use crate::error::Error;
use crate::ladder::Rung;
use crate::store::{Sought, Store};

/// A finished segment of a rung, told as it is there.
pub(crate) type Told = Box<dyn Fn(&Rung, usize, &Record) + Send + Sync>;

/// What was made of one rung.
pub(crate) struct Encoded {
    pub(crate) rung: Rung,
    pub(crate) codec: String,
    pub(crate) init_bytes: u64,
    pub(crate) segments: Vec<Segment>,
}

/// What was made of a part of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Time that its segments cover, milliseconds.
    pub duration_ms: u64,
    /// Bytes of its segments, of all rungs.
    pub bytes: u64,
}

/// How far a segment of a rung is.
enum Slot {
    /// It is not asked for.
    Left,
    Open,
    /// Others made it; whether it goes with what is sent before it is still to be seen.
    Offered,
    Made(Record),
}

/// Segments of every rung, in the order of the rungs.
pub(crate) struct Finished {
    store: Store,
    /// Sum of each rung's plan.
    plans: Vec<u64>,
    /// For each rung, for each segment that was begun.
    slots: Mutex<Vec<Vec<Slot>>>,
    told: Told,
}

impl Finished {
    pub(crate) fn new(store: &Store, plans: Vec<u64>, told: Told) -> Self {
        Self {
            store: store.clone(),
            slots: Mutex::new(plans.iter().map(|_| Vec::new()).collect()),
            plans,
            told,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sought(&self, rung: usize, (start_ms, end_ms): (i64, i64)) -> Sought {
        let time = |ms: i64| u64::try_from(ms).unwrap_or(0);
        Sought {
            plan: self.plans[rung],
            start_ms: time(start_ms),
            end_ms: time(end_ms),
        }
    }

    /// Begins the next segment as one that is not asked for.
    pub(crate) fn skip(&self) {
        self.lock()
            .iter_mut()
            .for_each(|rung| rung.push(Slot::Left));
    }

    /// Begins the next segment, `index`, with what is there of it in the first rungs; whether that is all of
    /// them.
    pub(crate) fn begin(
        &self,
        rungs: &[Rung],
        index: usize,
        times: (i64, i64),
    ) -> Result<bool, Error> {
        let mut complete = true;
        for (number, rung) in rungs.iter().enumerate() {
            let found = self.store.found(&rung.id, self.sought(number, times));
            let offered = match found {
                Some(_) => None,
                None => self.offered((number, rung), times),
            };
            self.lock()[number].push(match offered {
                Some(_) => Slot::Offered,
                None => Slot::Open,
            });
            if let Some(record) = found {
                self.keep((number, rung), index, record);
            } else if let (Some(record), Some(before)) =
                (offered, self.before(number, index, times.0))
            {
                complete &= self.take((number, rung), index, record, &before)?;
            } else {
                complete = false;
            }
        }
        Ok(complete)
    }

    /// Whether a segment that was begun is there, or others offered it.
    pub(crate) fn has(&self, rung: usize, index: usize) -> bool {
        !matches!(self.lock()[rung][index], Slot::Open)
    }

    /// Whether others offered a segment as it was begun, and it is not known yet whether it is taken.
    pub(crate) fn is_offered(&self, rung: usize, index: usize) -> bool {
        matches!(self.lock()[rung][index], Slot::Offered)
    }

    /// What others made.
    pub(crate) fn offered(
        &self,
        (number, rung): (usize, &Rung),
        times: (i64, i64),
    ) -> Option<Record> {
        self.store.offered(&rung.id, self.sought(number, times))
    }

    /// What is sent of the rung in the ten seconds before a segment that begins at `start_ms`; `None` while some of it
    /// is not made.
    pub(crate) fn before(&self, rung: usize, index: usize, start_ms: i64) -> Option<Sent> {
        let slots = self.lock();
        let mut before = Sent::new();
        for slot in slots[rung].iter().take(index).rev() {
            match slot {
                Slot::Left => break,
                Slot::Open | Slot::Offered => return None,
                Slot::Made(record) => before.extend(sent(record).into_iter().rev()),
            }
            if before
                .last()
                .is_some_and(|(at_ms, _)| at_ms + WINDOW_MS <= start_ms)
            {
                break;
            }
        }
        before.reverse();
        Some(before)
    }

    /// Takes a segment that others made, if the rung is under its cap with it; whether it was.
    pub(crate) fn take(
        &self,
        (number, rung): (usize, &Rung),
        index: usize,
        record: Record,
        before: &Sent,
    ) -> Result<bool, Error> {
        let (own, segment) = (sent(&record), &record.segment);
        let end_ms = segment.start_ms.saturating_add(segment.duration_ms);
        let taken = fits(rung, before, &own, time(end_ms));
        if taken {
            self.store.take(&rung.id, &record)?;
            self.keep((number, rung), index, record);
        }
        Ok(taken)
    }

    /// Notes a segment that was made; `init` is the init segment before it.
    pub(crate) fn note(
        &self,
        (number, rung): (usize, &Rung),
        index: usize,
        made: (String, Segment),
        init: &[u8],
    ) -> Result<(), Error> {
        let (codec, segment) = made;
        let record = Record {
            plan: self.plans[number],
            codec,
            init_bytes: init.len() as u64,
            init_sum: crate::sum::sum(init),
            segment,
        };
        self.store.finished(&rung.id, &record)?;
        self.keep((number, rung), index, record);
        Ok(())
    }

    fn keep(&self, (number, rung): (usize, &Rung), index: usize, record: Record) {
        (self.told)(rung, index, &record);
        self.lock()[number][index] = Slot::Made(record);
    }

    /// What there is, of a part.
    pub(crate) fn part(&self) -> Part {
        let slots = self.lock();
        let of_one = slots.first().into_iter().flatten().filter_map(Slot::made);
        let of_all = slots.iter().flatten().filter_map(Slot::made);
        Part {
            duration_ms: of_one.map(|record| record.segment.duration_ms).sum(),
            bytes: of_all.map(|record| record.segment.bytes).sum(),
        }
    }

    /// Everything there is; no segment may be missing.
    pub(crate) fn join(&self, rungs: &[Rung]) -> Result<Vec<Encoded>, Error> {
        let slots = std::mem::take(&mut *self.lock());
        let rungs = rungs.iter().cloned().zip(slots);
        rungs
            .map(|(rung, slots)| Encoded::join(rung, slots))
            .collect()
    }
}

impl Slot {
    fn made(&self) -> Option<&Record> {
        match self {
            Self::Made(record) => Some(record),
            Self::Left | Self::Open | Self::Offered => None,
        }
    }
}

/// What a segment sends: times, milliseconds, and bytes.
pub(crate) fn sent(record: &Record) -> Sent {
    let chunks = record.segment.chunks.iter();
    let sent = chunks.map(|chunk| (time(chunk.start_ms), chunk.bytes));
    sent.collect()
}

fn time(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

impl Encoded {
    fn join(rung: Rung, slots: Vec<Slot>) -> Result<Self, Error> {
        let missing = || Error::Fault(format!("a segment of {} is missing", rung.id));
        let records = slots.into_iter().map(|slot| match slot {
            Slot::Made(record) => Ok(record),
            Slot::Left | Slot::Open | Slot::Offered => Err(missing()),
        });
        let records = records.collect::<Result<Vec<Record>, Error>>()?;
        let first = records.first().ok_or_else(missing)?;
        let (codec, init_bytes, init_sum) = (first.codec.clone(), first.init_bytes, first.init_sum);
        if records
            .iter()
            .any(|r| (&r.codec, r.init_bytes, r.init_sum) != (&codec, init_bytes, init_sum))
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
