//! Which segments of every rung are finished: made now, by an earlier run, or by others.

use std::sync::{Mutex, MutexGuard, PoisonError};

use millet_manifest::{Record, Segment};

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

/// Segments of every rung, in the order of the rungs.
pub(crate) struct Finished {
    store: Store,
    /// Sum of each rung's plan.
    plans: Vec<u64>,
    /// For each rung, for each segment that was begun.
    records: Mutex<Vec<Vec<Option<Record>>>>,
    told: Told,
}

impl Finished {
    pub(crate) fn new(store: &Store, plans: Vec<u64>, told: Told) -> Self {
        Self {
            store: store.clone(),
            records: Mutex::new(vec![Vec::new(); plans.len()]),
            plans,
            told,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<Option<Record>>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.lock().iter_mut().for_each(|rung| rung.push(None));
    }

    /// Begins the next segment, `index`, with what is there of it in the first rungs; whether that is all of
    /// them.
    pub(crate) fn begin(
        &self,
        rungs: &[Rung],
        index: usize,
        times: (i64, i64),
    ) -> Result<bool, Error> {
        let mut all = Vec::with_capacity(rungs.len());
        for (number, rung) in rungs.iter().enumerate() {
            let sought = self.sought(number, times);
            let found = match self.store.found(&rung.id, sought) {
                None => self.store.accept(&rung.id, sought)?,
                found => found,
            };
            if let Some(record) = &found {
                (self.told)(rung, index, record);
            }
            all.push(found);
        }
        let complete = all.iter().all(Option::is_some);
        for (records, found) in self.lock().iter_mut().zip(all) {
            records.push(found);
        }
        Ok(complete)
    }

    /// Whether a segment that was begun is there.
    pub(crate) fn has(&self, rung: usize, index: usize) -> bool {
        self.lock()[rung][index].is_some()
    }

    /// Takes a segment that others finished since it was begun; whether there was one.
    pub(crate) fn accept(
        &self,
        (number, rung): (usize, &Rung),
        index: usize,
        times: (i64, i64),
    ) -> Result<bool, Error> {
        let record = self.store.accept(&rung.id, self.sought(number, times))?;
        let accepted = record.is_some();
        if let Some(record) = record {
            self.keep((number, rung), index, record);
        }
        Ok(accepted)
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
        self.lock()[number][index] = Some(record);
    }

    /// What there is, of a part.
    pub(crate) fn part(&self) -> Part {
        let records = self.lock();
        let of_one = records.first().into_iter().flatten().flatten();
        let of_all = records.iter().flatten().flatten();
        Part {
            duration_ms: of_one.map(|record| record.segment.duration_ms).sum(),
            bytes: of_all.map(|record| record.segment.bytes).sum(),
        }
    }

    /// Everything there is; no segment may be missing.
    pub(crate) fn join(&self, rungs: &[Rung]) -> Result<Vec<Encoded>, Error> {
        let records = std::mem::take(&mut *self.lock());
        let rungs = rungs.iter().cloned().zip(records);
        rungs
            .map(|(rung, records)| Encoded::join(rung, records))
            .collect()
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
