//! Reads from a folder into which the transcoder, which handles hostile files, may write at this moment, and
//! writes into one that it only reads.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use millet_manifest::{PLAN_FILE, PlanHead, Record, WORK_FOLDER};

/// Largest plan, bytes.
const MOST_PLAN_BYTES: u64 = 1 << 20;
/// Largest record, bytes: some hundred chunks.
const MOST_RECORD_BYTES: u64 = 64 << 10;
/// Largest segment, bytes.
const MOST_SEGMENT_BYTES: u64 = 64 << 20;
/// Names of work that are looked at.
const MOST_NAMES: usize = 200_000;
/// Segments that are handed over together at most, and from how many bytes on no more are added.
const MOST_TOGETHER: usize = 64;
const ENOUGH_BYTES: u64 = 16 << 20;

/// A finished segment.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) record: Record,
    pub(super) media: Bytes,
}

/// The plan in the output folder of a run that has decided.
///
/// # Errors
/// When it cannot be read, or is no plan.
pub(super) fn plan(output: &Path) -> io::Result<(String, PlanHead)> {
    let output = output.canonicalize()?;
    let name = format!("{WORK_FOLDER}/{PLAN_FILE}");
    let plan = read(&output, &name, MOST_PLAN_BYTES)?;
    let head = serde_json::from_slice(&plan)?;
    Ok((String::from_utf8(plan).map_err(io::Error::other)?, head))
}

/// Some of the segments that are finished in the output folder and whose records are not in `known`.
///
/// # Errors
/// When the folder cannot be read, or holds what the transcoder does not write.
pub(super) fn finished(output: &Path, known: &HashSet<String>) -> io::Result<Vec<Finished>> {
    let output = output.canonicalize()?;
    let work = output.join(WORK_FOLDER);
    let mut found = Vec::new();
    let mut bytes = 0;
    if !work.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(work)?.take(MOST_NAMES) {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        let Some((rendition, start_ms)) = Record::of_file(&name) else {
            continue;
        };
        if known.contains(&name) {
            continue;
        }
        let one = one(&output, &name, rendition, start_ms)?;
        bytes += one.record.segment.bytes;
        found.push(one);
        if found.len() >= MOST_TOGETHER || bytes >= ENOUGH_BYTES {
            break;
        }
    }
    Ok(found)
}

fn one(output: &Path, name: &str, rendition: &str, start_ms: u64) -> io::Result<Finished> {
    let text = read(output, &format!("{WORK_FOLDER}/{name}"), MOST_RECORD_BYTES)?;
    let record: Record = serde_json::from_slice(&text)?;
    record
        .check(rendition, start_ms)
        .map_err(io::Error::other)?;
    let media = read(output, &record.segment.file, MOST_SEGMENT_BYTES)?;
    if media.len() as u64 != record.segment.bytes {
        return Err(io::Error::other(format!("{name} is not of its segment")));
    }
    Ok(Finished {
        record,
        media: media.into(),
    })
}

/// Reads a plain file. `folder` is canonical. A link anywhere on the way, which would lead the server to files of
/// its own, is refused after opening: before, it could still be put there.
fn read(folder: &Path, name: &str, most: u64) -> io::Result<Vec<u8>> {
    let path = folder.join(name);
    let strange = || io::Error::other(format!("{name} does not belong here"));
    // Not blocking: a pipe would never open.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(&path)?;
    let opened = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let metadata = file.metadata()?;
    if opened != path || !metadata.is_file() || metadata.len() > most {
        return Err(strange());
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(strange());
    }
    Ok(bytes)
}

/// Makes a folder from which the transcoder takes what others made, with their plan, if there is one.
///
/// # Errors
/// When it cannot be made.
pub(super) fn give_plan(given: &Path, plan: Option<&str>) -> io::Result<()> {
    let work = given.join(WORK_FOLDER);
    std::fs::create_dir_all(&work)?;
    match plan {
        Some(plan) => put(&work.join(PLAN_FILE), plan.as_bytes()),
        None => Ok(()),
    }
}

/// Whether this segment is given already.
pub(super) fn is_given(given: &Path, rendition: &str, start_ms: u64) -> bool {
    record_path(given, rendition, start_ms).exists()
}

/// Gives a segment; its record comes last.
///
/// # Errors
/// When the record is not of its segment, or the disk fails.
pub(super) fn give(given: &Path, record: &Record, media: &[u8]) -> io::Result<()> {
    let strange = || io::Error::other("a record is not of its segment");
    let (rendition, start_ms) = record.place().ok_or_else(strange)?;
    if media.len() as u64 != record.segment.bytes {
        return Err(strange());
    }
    std::fs::create_dir_all(given.join(rendition))?;
    put(&given.join(&record.segment.file), media)?;
    let text = serde_json::to_vec(record)?;
    put(&record_path(given, rendition, start_ms), &text)
}

fn record_path(given: &Path, rendition: &str, start_ms: u64) -> PathBuf {
    given
        .join(WORK_FOLDER)
        .join(Record::file(rendition, start_ms))
}

/// A whole file or none. Not durable: after a power cut it is fetched again.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("part");
    io::Write::write_all(&mut File::create(&unfinished)?, bytes)?;
    std::fs::rename(unfinished, path)
}

#[cfg(test)]
mod tests {
    use millet_manifest::{Chunk, Segment};

    use super::*;

    fn segment() -> (Record, &'static [u8]) {
        let media = b"media";
        let record = Record {
            plan: 1,
            codec: "avc1.64000d".into(),
            init_bytes: 4,
            init_sum: 2,
            segment: Segment {
                start_ms: 0,
                duration_ms: 8_000,
                file: Record::media("v240", 0),
                bytes: 5,
                chunks: vec![Chunk {
                    offset: 0,
                    bytes: 5,
                    start_ms: 0,
                    duration_ms: 8_000,
                    keyframe: true,
                }],
            },
        };
        (record, media)
    }

    #[test]
    fn what_was_given_is_found_finished_once() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"announced_ms":7,"has_pictures":true,"seams_ms":[3]}"#;
        give_plan(folder.path(), Some(text)).unwrap();
        let (found, head) = plan(folder.path()).unwrap();
        assert_eq!((found.as_str(), head.announced_ms), (text, 7));
        let (record, media) = segment();
        give(folder.path(), &record, media).unwrap();
        assert!(is_given(folder.path(), "v240", 0) && !is_given(folder.path(), "v240", 8_000));
        let found = finished(folder.path(), &HashSet::new()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].record, &found[0].media[..]), (&record, media));
        let known = HashSet::from([Record::file("v240", 0)]);
        assert!(finished(folder.path(), &known).unwrap().is_empty());
        assert!(give(folder.path(), &record, b"more than it says").is_err());
    }

    #[test]
    fn a_link_or_a_pipe_is_not_followed() {
        let elsewhere = tempfile::tempdir().unwrap();
        let (record, media) = segment();
        give_plan(elsewhere.path(), None).unwrap();
        give(elsewhere.path(), &record, media).unwrap();
        let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
        // The folder of the media, then the media, then the folder of the records leads elsewhere.
        for linked in ["v240", "v240/00000000.m4s", "work"] {
            let folder = tempfile::tempdir().unwrap();
            give_plan(folder.path(), None).unwrap();
            give(folder.path(), &record, media).unwrap();
            let path = folder.path().join(linked);
            if path.is_dir() {
                std::fs::remove_dir_all(&path).unwrap();
            } else {
                std::fs::remove_file(&path).unwrap();
            }
            link(elsewhere.path().join(linked), path).unwrap();
            assert!(
                finished(folder.path(), &HashSet::new()).is_err(),
                "{linked}"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        give_plan(folder.path(), None).unwrap();
        let pipe = folder.path().join(WORK_FOLDER).join(PLAN_FILE);
        let made = std::process::Command::new("mkfifo").arg(pipe).status();
        assert!(made.unwrap().success());
        assert!(plan(folder.path()).is_err());
    }
}
