//! Finished segments on disk, so that a run that is killed loses only what it was encoding.
//!
//! A segment's file stands at its final place under its final name only once it is whole; a record
//! beside it, in the folder `work`, says what it holds. The folder goes when everything is done.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use millet_manifest::{Chunk, FileRef, Segment};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Name of the folder with what is only needed until everything is done.
const WORK: &str = "work";

/// What is known of a finished segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) codec: String,
    pub(crate) init_bytes: u64,
    pub(crate) segment: Segment,
}

/// The output folder.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    output: PathBuf,
}

impl Store {
    pub(crate) fn open(output: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(output.join(WORK))?;
        Ok(Self {
            output: output.to_owned(),
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
        self.put(&format!("{WORK}/{name}.json"), &json)?;
        self.sync(WORK)
    }

    /// Reads a note of an earlier run; what cannot be read was not finished.
    pub(crate) fn noted<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.output.join(format!("{WORK}/{name}.json"));
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Forgets everything that an earlier run left for a later one.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        std::fs::remove_dir_all(self.output.join(WORK))?;
        std::fs::create_dir_all(self.output.join(WORK))?;
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
        index: usize,
        (start_ms, end_ms): (i64, i64),
        bytes: &[u8],
        chunks: Vec<Chunk>,
    ) -> Result<Segment, Error> {
        let file = format!("{rendition}/{index:05}.m4s");
        self.put(&file, bytes)?;
        Ok(Segment {
            start_ms: u64::try_from(start_ms).unwrap_or(0),
            duration_ms: u64::try_from(end_ms - start_ms).unwrap_or(0),
            file,
            bytes: bytes.len() as u64,
            chunks,
        })
    }

    /// Notes that a segment is finished. From now on a later run need not make it again.
    pub(crate) fn finished(
        &self,
        rendition: &str,
        index: usize,
        record: &Record,
    ) -> Result<(), Error> {
        self.sync(rendition)?;
        self.note(&format!("{rendition}.{index:05}"), record)
    }

    /// The record of a segment that an earlier run finished, if it lies between the same times and
    /// its file is whole.
    pub(crate) fn found(
        &self,
        rendition: &str,
        index: usize,
        (start_ms, end_ms): (i64, i64),
    ) -> Option<Record> {
        let record: Record = self.noted(&format!("{rendition}.{index:05}"))?;
        let segment = &record.segment;
        let times = (
            i64::try_from(segment.start_ms).ok()?,
            i64::try_from(segment.start_ms + segment.duration_ms).ok()?,
        );
        let name = format!("{rendition}/{index:05}.m4s");
        let bytes = std::fs::metadata(self.output.join(&name)).ok()?.len();
        let init = self.output.join(format!("{rendition}/init.mp4"));
        let init_bytes = std::fs::metadata(init).ok()?.len();
        let whole = times == (start_ms, end_ms)
            && segment.file == name
            && segment.bytes == bytes
            && record.init_bytes == init_bytes;
        whole.then_some(record)
    }

    /// Init segment and segments in one file, as a player appends them; for the downloads.
    pub(crate) fn joined(&self, rendition: &str, segments: &[Segment]) -> Result<PathBuf, Error> {
        let path = self.output.join(format!("{WORK}/{rendition}.mp4"));
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
        Ok(std::fs::remove_dir_all(self.output.join(WORK))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_segment_is_found_again_and_a_damaged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.begin("v240").unwrap();
        let init = store.init("v240", b"init").unwrap();
        let times = (2_000, 6_000);
        let segment = store.segment("v240", 1, times, b"media", vec![]).unwrap();
        let record = Record {
            codec: "avc1.64000d".into(),
            init_bytes: init.bytes,
            segment,
        };
        assert_eq!(store.found("v240", 1, times), None);
        store.finished("v240", 1, &record).unwrap();
        let again = Store::open(folder.path()).unwrap();
        assert_eq!(again.found("v240", 1, times), Some(record.clone()));
        assert_eq!(again.found("v240", 1, (2_000, 6_001)), None);
        assert_eq!(again.found("v240", 2, times), None);
        std::fs::write(folder.path().join("v240/00001.m4s"), b"med").unwrap();
        assert_eq!(again.found("v240", 1, times), None);
        let whole = again.joined("v240", &[record.segment]).unwrap();
        assert_eq!(std::fs::read(whole).unwrap(), b"initmed");
        again.close().unwrap();
        assert_eq!(again.noted::<Record>("v240.00001"), None);
    }
}
