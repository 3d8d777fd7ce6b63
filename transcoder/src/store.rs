//! Finished segments on disk, so that a run that is killed loses only what it was encoding, and so
//! that other machines can make some of them.
//!
//! A segment's file stands at its final place under its final name only once it is whole; a record
//! beside it, in the folder `work`, says what it holds. The folder goes when everything is done.
//! What others made lies in the same order in a folder that is only read.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use millet_manifest::{Chunk, FileRef, Record, Segment, TIMELINE_FILE, WORK_FOLDER};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::sum::sum;

/// Says whose work it is, and is written before anything else.
pub(crate) const INPUT_FILE: &str = "input.json";
/// Largest segment that is taken from others, bytes.
const MOST_GIVEN: u64 = 64 << 20;

/// The output folder, and where others put what they made.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    output: PathBuf,
    given: Option<PathBuf>,
}

impl Store {
    /// # Errors
    /// When the folder holds something that no run left there.
    pub(crate) fn open(output: &Path, given: Option<&Path>) -> Result<Self, Error> {
        if is_foreign(output)? {
            return Err(Error::Fault(format!(
                "{} is not empty, and not of an earlier run: name another folder",
                output.display()
            )));
        }
        std::fs::create_dir_all(output.join(WORK_FOLDER))?;
        Ok(Self {
            output: output.to_owned(),
            given: given.map(Path::to_owned),
        })
    }

    /// Puts a whole file in place: nobody ever sees a part of it, and a power cut does not undo it.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.output.join(name);
        let unfinished = path.with_extension("part");
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        std::fs::rename(&unfinished, &path)?;
        Ok(())
    }

    /// Names in a folder are durable only when the folder is.
    fn sync(&self, folder: &str) -> Result<(), Error> {
        Ok(File::open(self.output.join(folder))?.sync_all()?)
    }

    /// Writes a note for a later run.
    pub(crate) fn note<T: Serialize>(&self, name: &str, what: &T) -> Result<(), Error> {
        let json = serde_json::to_vec(what).map_err(|error| Error::Fault(error.to_string()))?;
        self.put(&format!("{WORK_FOLDER}/{name}"), &json)?;
        self.sync(WORK_FOLDER)
    }

    /// Reads a note of an earlier run; what cannot be read was not finished.
    pub(crate) fn noted<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        noted(&self.output, name)
    }

    /// Reads a note of others.
    pub(crate) fn given<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        noted(self.given.as_deref()?, name)
    }

    /// Forgets everything that an earlier run left for a later one.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        std::fs::remove_dir_all(self.output.join(WORK_FOLDER))?;
        std::fs::create_dir_all(self.output.join(WORK_FOLDER))?;
        Ok(())
    }

    /// Begins a rendition.
    pub(crate) fn begin(&self, rendition: &str) -> Result<(), Error> {
        Ok(std::fs::create_dir_all(self.output.join(rendition))?)
    }

    /// Writes the init segment; the same bytes every time.
    pub(crate) fn init(&self, rendition: &str, bytes: &[u8]) -> Result<FileRef, Error> {
        let file = format!("{rendition}/init.mp4");
        self.put(&file, bytes)?;
        Ok(FileRef {
            file,
            bytes: bytes.len() as u64,
        })
    }

    /// Writes a segment's file and says what it is.
    pub(crate) fn segment(
        &self,
        rendition: &str,
        (start_ms, end_ms): (i64, i64),
        bytes: &[u8],
        chunks: Vec<Chunk>,
    ) -> Result<Segment, Error> {
        let duration_ms = u64::try_from(end_ms - start_ms).unwrap_or(0);
        let start_ms = u64::try_from(start_ms).unwrap_or(0);
        let file = Record::media(rendition, start_ms);
        self.put(&file, bytes)?;
        Ok(Segment {
            start_ms,
            duration_ms,
            file,
            bytes: bytes.len() as u64,
            chunks,
        })
    }

    /// Notes that a segment is finished. From now on a later run need not make it again.
    pub(crate) fn finished(&self, rendition: &str, record: &Record) -> Result<(), Error> {
        self.sync(rendition)?;
        self.note(&Record::file(rendition, record.segment.start_ms), record)
    }

    /// The record of a segment that an earlier run finished, if it was made by the same plan, lies
    /// between the same times and its file is whole.
    pub(crate) fn found(&self, rendition: &str, sought: Sought) -> Option<Record> {
        let record: Record = self.noted(&Record::file(rendition, sought.start_ms))?;
        let fits = self.fits(&record, rendition, sought);
        (fits && is_whole(&self.output, &record.segment)).then_some(record)
    }

    /// The same of a segment that others made.
    pub(crate) fn offered(&self, rendition: &str, sought: Sought) -> Option<Record> {
        let given = self.given.as_deref()?;
        let record: Record = noted(given, &Record::file(rendition, sought.start_ms))?;
        let fits = record.segment.bytes <= MOST_GIVEN
            && self.fits(&record, rendition, sought)
            && is_whole(given, &record.segment);
        fits.then_some(record)
    }

    /// Bytes of what others say of a stretch, if it is whole and made by this plan.
    pub(crate) fn told(&self, rendition: &str, start_ms: i64, plan: u64) -> Option<Vec<u8>> {
        let (given, start_ms) = (self.given.as_deref()?, u64::try_from(start_ms).ok()?);
        let record: Record = noted(given, &Record::file(rendition, start_ms))?;
        let fits = record.plan == plan
            && record.segment.bytes <= MOST_GIVEN
            && record.check(rendition, start_ms).is_ok()
            && is_whole(given, &record.segment);
        fits.then(|| std::fs::read(given.join(record.segment.file)).ok())?
    }

    /// Whether others made a segment that begins there, of whatever plan.
    pub(crate) fn is_given(&self, rendition: &str, start_ms: i64) -> bool {
        let (Some(given), Ok(start_ms)) = (&self.given, u64::try_from(start_ms)) else {
            return false;
        };
        let record = Path::new(WORK_FOLDER).join(Record::file(rendition, start_ms));
        given.join(record).exists()
    }

    /// Puts a segment that others offered in place as if it were our own.
    pub(crate) fn take(&self, rendition: &str, record: &Record) -> Result<(), Error> {
        if let Some(given) = &self.given {
            let file = &record.segment.file;
            self.put(file, &std::fs::read(given.join(file))?)?;
        }
        self.finished(rendition, record)
    }

    /// Whether the record is of this segment and goes with our init segment.
    fn fits(&self, record: &Record, rendition: &str, sought: Sought) -> bool {
        let segment = &record.segment;
        let end_ms = segment.start_ms.checked_add(segment.duration_ms);
        let init = || std::fs::read(self.output.join(format!("{rendition}/init.mp4")));
        record.plan == sought.plan
            && end_ms == Some(sought.end_ms)
            && record.check(rendition, sought.start_ms).is_ok()
            && init().is_ok_and(|init| {
                record.init_bytes == init.len() as u64 && record.init_sum == sum(&init)
            })
    }

    /// Init segment and segments in one file, as a player appends them; for the downloads.
    pub(crate) fn joined(&self, rendition: &str, segments: &[Segment]) -> Result<PathBuf, Error> {
        let path = self.output.join(format!("{WORK_FOLDER}/{rendition}.mp4"));
        let mut whole = File::create(&path)?;
        let init = format!("{rendition}/init.mp4");
        let files = segments.iter().map(|segment| segment.file.as_str());
        for file in std::iter::once(init.as_str()).chain(files) {
            std::io::copy(&mut File::open(self.output.join(file))?, &mut whole)?;
        }
        Ok(path)
    }

    /// Removes a rendition.
    pub(crate) fn discard(&self, rendition: &str) -> Result<(), Error> {
        Ok(std::fs::remove_dir_all(self.output.join(rendition))?)
    }

    /// Removes what is only needed until everything is done.
    pub(crate) fn close(&self) -> Result<(), Error> {
        Ok(std::fs::remove_dir_all(self.output.join(WORK_FOLDER))?)
    }
}

/// Whether something lies in the folder that neither a run that ended nor one that was killed left there.
fn is_foreign(output: &Path) -> Result<bool, Error> {
    let work = output.join(WORK_FOLDER);
    if work.join(INPUT_FILE).exists() {
        return Ok(false);
    }
    let is_finished = output.join(TIMELINE_FILE).exists();
    for entry in std::fs::read_dir(output)? {
        if !is_finished && entry?.file_name() != WORK_FOLDER {
            return Ok(true);
        }
    }
    if !work.exists() {
        return Ok(false);
    }
    // Killed before it had begun.
    let names = std::fs::read_dir(work)?.map(|entry| Ok(PathBuf::from(entry?.file_name())));
    let names = names.collect::<std::io::Result<Vec<_>>>()?;
    let begun = Path::new(INPUT_FILE).with_extension("part");
    Ok(names.iter().any(|name| *name != begun))
}

/// Which segment is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sought {
    /// Sum of the plan.
    pub(crate) plan: u64,
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
}

fn noted<T: DeserializeOwned>(folder: &Path, name: &str) -> Option<T> {
    let path = folder.join(WORK_FOLDER).join(name);
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn is_whole(folder: &Path, segment: &Segment) -> bool {
    std::fs::metadata(folder.join(&segment.file)).is_ok_and(|file| file.len() == segment.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUGHT: Sought = Sought {
        plan: 7,
        start_ms: 2_000,
        end_ms: 6_000,
    };

    /// A folder in which the segment that is sought is finished.
    fn finished(folder: &Path) -> (Store, Record) {
        let store = Store::open(folder, None).unwrap();
        store.note(INPUT_FILE, &1).unwrap();
        store.begin("v240").unwrap();
        let init = store.init("v240", b"init").unwrap();
        let chunk = Chunk {
            offset: 0,
            bytes: 5,
            start_ms: 2_000,
            duration_ms: 4_000,
            keyframe: true,
        };
        let segment = store.segment("v240", (2_000, 6_000), b"media", vec![chunk]);
        let record = Record {
            plan: SOUGHT.plan,
            codec: "avc1.64000d".into(),
            init_bytes: init.bytes,
            init_sum: sum(b"init"),
            segment: segment.unwrap(),
        };
        assert_eq!(store.found("v240", SOUGHT), None);
        store.finished("v240", &record).unwrap();
        (store, record)
    }

    #[test]
    fn a_finished_segment_is_found_again_and_a_damaged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (_, record) = finished(folder.path());
        let again = Store::open(folder.path(), None).unwrap();
        assert_eq!(again.found("v240", SOUGHT), Some(record.clone()));
        let others = [
            Sought {
                start_ms: 2_001,
                ..SOUGHT
            },
            Sought {
                end_ms: 6_001,
                ..SOUGHT
            },
            Sought { plan: 8, ..SOUGHT },
        ];
        for other in others {
            assert_eq!(again.found("v240", other), None);
        }
        std::fs::write(folder.path().join(&record.segment.file), b"med").unwrap();
        assert_eq!(again.found("v240", SOUGHT), None);
        let whole = again.joined("v240", &[record.segment]).unwrap();
        assert_eq!(std::fs::read(whole).unwrap(), b"initmed");
        again.close().unwrap();
        assert_eq!(again.noted::<Record>("v240.00002000.json"), None);
    }

    #[test]
    fn only_what_a_run_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let open = || Store::open(folder.path(), None);
        open().unwrap();
        std::fs::write(place("work/input.part"), b"half").unwrap();
        open().unwrap().note(INPUT_FILE, &7).unwrap();
        std::fs::write(place("work/plan.json"), b"{}").unwrap();
        std::fs::create_dir(place("v240")).unwrap();
        let killed = open().unwrap();
        killed.close().unwrap();
        assert!(open().is_err(), "what is that folder?");
        std::fs::write(place(TIMELINE_FILE), b"{}").unwrap();
        open().unwrap();
        std::fs::write(place("work/novel.txt"), b"Chapter 1").unwrap();
        assert!(open().is_err(), "somebody's own work");
        assert!(place("work/novel.txt").exists());
    }

    #[test]
    fn what_others_made_is_taken_only_where_it_fits() {
        let (given, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (_, record) = finished(given.path());
        let store = Store::open(own.path(), Some(given.path())).unwrap();
        store.begin("v240").unwrap();
        assert_eq!(store.offered("v240", SOUGHT), None, "no init");
        store.init("v240", b"itin").unwrap();
        assert_eq!(store.offered("v240", SOUGHT), None, "another");
        store.init("v240", b"init").unwrap();
        let offered = store.offered("v240", SOUGHT);
        assert_eq!(offered, Some(record.clone()));
        assert_eq!(store.found("v240", SOUGHT), None);
        store.take("v240", &record).unwrap();
        assert_eq!(store.found("v240", SOUGHT), Some(record));
    }
}
