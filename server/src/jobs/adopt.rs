//! Takes what the transcoder wrote: checks it, stores it as objects, and lets the lesson show it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use millet_manifest::{TIMELINE_FILE, Timeline};
use tokio::sync::watch;

use super::early::{self, Begun, growth};
use super::prepared::{self, NewTimeline};
use super::transcoder::SHARE;
use super::worker::Context;
use super::{Lease, Setback, Step, store};
use crate::courses::{outline, shown, store as courses};
use crate::error::Error;
use crate::id::TimelineId;
use crate::objects::{Key, Objects};
use crate::timelines::EARLY_FILE;

/// Largest `timeline.json` that is read, in bytes.
const MOST_MANIFEST_BYTES: u64 = 32 << 20;
/// Most files of one timeline.
const MOST_FILES: usize = 200_000;
/// Deepest folder below the output folder.
const DEEPEST: usize = 3;
/// Objects stored at the same time.
const AT_ONCE: usize = 4;

/// What an attempt ended with, when it was not a setback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// The lesson shows the timeline.
    Shown(TimelineId),
    /// The lease was lost at the last moment; nothing is shown.
    LeaseLost,
}

/// A result whose files are stored, but which no lesson shows yet.
#[derive(Debug)]
pub struct Stored {
    place: Place,
    names: Vec<String>,
    timeline: NewTimeline,
}

/// Stores the files of `output`.
///
/// # Errors
/// [`Setback::Fault`] when the output is not what the manifest says, or a store fails.
pub async fn store(
    context: &Context,
    lease: &Lease,
    output: &Path,
    report: &watch::Sender<Step>,
) -> Result<Stored, Setback> {
    let files = list(output.to_owned()).await?;
    let timeline = read_manifest(output, &files).await?;
    let begun = early::begun(context, lease).await.map_err(fault)?;
    let place = Place::of(&timeline, begun);
    let id = place.id;
    let mut names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    if place.goes_on {
        names.push(EARLY_FILE.to_owned());
    }
    let mut transaction = context.db.write().await.map_err(fault)?;
    let now = context.clock.now();
    prepared::begin(&mut transaction, lease, id, &names, now)
        .await
        .map_err(fault)?;
    transaction.commit().await.map_err(fault)?;
    let total_bytes = put_all(&context.objects, id, output, &files, report).await?;
    let timeline = NewTimeline {
        id,
        duration_ms: i64::try_from(timeline.duration_ms).map_err(fault)?,
        total_bytes: i64::try_from(total_bytes).map_err(fault)?,
    };
    Ok(Stored {
        place,
        names,
        timeline,
    })
}

impl Stored {
    /// Makes it the lesson's timeline, which ends the job. Not to be given up half-way, when nobody knows whether
    /// the database has done it.
    ///
    /// # Errors
    /// When a store fails. The commit may have reached the database before its answer was lost: the sweeper, which
    /// asks the database, decides whether these objects go.
    pub async fn show(self, context: &Context, lease: &Lease) -> Result<Adopted, Setback> {
        let Place { id, goes_on, .. } = self.place;
        if !show(context, lease, &self.place, &self.timeline).await? {
            // Where it goes on with what is shown early, so does whoever has the job now; the sweeper knows the rest.
            if !goes_on {
                remove(context, id, &self.names).await.map_err(fault)?;
            }
            return Ok(Adopted::LeaseLost);
        }
        if goes_on {
            forget_early(context, id).await;
        }
        Ok(Adopted::Shown(id))
    }
}

/// Under which id a result is kept.
#[derive(Debug)]
struct Place {
    id: TimelineId,
    /// The lesson shows the beginning of it under this id.
    goes_on: bool,
    /// What the lesson shows early, and the result does not go on with.
    instead_of: Option<TimelineId>,
}

impl Place {
    fn of(timeline: &Timeline, begun: Option<Begun>) -> Self {
        let Some(begun) = begun else {
            return Self {
                id: TimelineId::new(),
                goes_on: false,
                instead_of: None,
            };
        };
        // Another attempt may have run elsewhere and cut or encoded otherwise.
        let goes_on = begun
            .published
            .is_none_or(|published| growth::continues(timeline, &published));
        Self {
            id: if goes_on { begun.id } else { TimelineId::new() },
            goes_on,
            instead_of: (!goes_on).then_some(begun.id),
        }
    }
}

/// The description of what was shown early says nothing any more.
async fn forget_early(context: &Context, id: TimelineId) {
    let forgotten = async { Ok::<_, Error>(context.objects.delete(&key(id, EARLY_FILE)?).await?) };
    if let Err(error) = forgotten.await {
        tracing::warn!(%error, "a description that says nothing any more is left");
    }
}

/// One transaction: the job is done, the timeline is there, the lesson shows it; or none of them.
async fn show(
    context: &Context,
    lease: &Lease,
    place: &Place,
    timeline: &NewTimeline,
) -> Result<bool, Setback> {
    let now = context.clock.now();
    let work = async {
        let mut transaction = context.db.write().await?;
        // Lessons and places of learners follow.
        courses::hold_of_lesson(&mut transaction, lease.lesson).await?;
        if !store::finish(&mut transaction, lease, now).await? {
            return Ok(false);
        }
        if let Some(early) = place.instead_of {
            prepared::let_go(&mut transaction, early).await?;
        }
        prepared::adopt(&mut transaction, lease, timeline, now).await?;
        if let Some(early) = place.instead_of {
            shown::exchange(&mut transaction, early, Some(timeline.id)).await?;
        }
        outline::show_timeline(&mut transaction, lease.lesson, timeline.id).await?;
        if place.goes_on {
            let finished = context
                .finished
                .finished(&mut transaction, lease.lesson, now);
            finished.await?;
        }
        transaction.commit().await?;
        Ok::<_, Error>(true)
    };
    work.await.map_err(fault)
}

/// Deletes the objects of prepared files and forgets them.
///
/// # Errors
/// When a store fails; the row stays, so that a later sweep tries again.
pub async fn remove(context: &Context, id: TimelineId, names: &[String]) -> Result<(), Error> {
    let keys: Vec<Key> = names
        .iter()
        .map(|name| key(id, name))
        .collect::<Result<_, _>>()?;
    let mut deleted = stream::iter(keys)
        .map(|key| {
            let objects = context.objects.clone();
            async move { objects.delete(&key).await }
        })
        .buffer_unordered(AT_ONCE);
    while deleted.try_next().await?.is_some() {}
    let mut transaction = context.db.write().await?;
    prepared::forget(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(())
}

fn key(id: TimelineId, name: &str) -> Result<Key, Error> {
    Ok(Key::new(format!("{}/{name}", prepared::prefix(id)))?)
}

async fn put_all(
    objects: &Objects,
    id: TimelineId,
    output: &Path,
    files: &[(String, u64)],
    report: &watch::Sender<Step>,
) -> Result<u64, Setback> {
    // Owned names: futures that borrow from the list could not move between threads.
    let (last, first): (Vec<_>, Vec<_>) = files
        .iter()
        .cloned()
        .partition(|(name, _)| name == TIMELINE_FILE);
    let mut total = put_some(objects, id, output, first, report).await?;
    // Whoever finds the description finds everything that it names.
    total += put_some(objects, id, output, last, report).await?;
    Ok(total)
}

async fn put_some(
    objects: &Objects,
    id: TimelineId,
    output: &Path,
    files: Vec<(String, u64)>,
    report: &watch::Sender<Step>,
) -> Result<u64, Setback> {
    let whole = files.len();
    let mut stored = stream::iter(files)
        .map(|(name, bytes)| {
            let (objects, path) = (objects.clone(), output.join(&name));
            async move {
                objects.put_file(&key(id, &name)?, &path).await?;
                Ok::<_, Error>(bytes)
            }
        })
        .buffer_unordered(AT_ONCE);
    let (mut total, mut count) = (0_u64, 0_usize);
    while let Some(bytes) = stored.try_next().await.map_err(fault)? {
        total += bytes;
        count += 1;
        let share = (1000 - SHARE) * i64::try_from(count * 1000 / whole.max(1)).unwrap_or(0) / 1000;
        report.send_replace(Step {
            permille: SHARE + share,
            stage: Some("store"),
            left_ms: None,
        });
    }
    Ok(total)
}

async fn read_manifest(output: &Path, files: &[(String, u64)]) -> Result<Timeline, Setback> {
    let sizes: HashMap<&str, u64> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), *bytes))
        .collect();
    match sizes.get(TIMELINE_FILE) {
        Some(bytes) if *bytes <= MOST_MANIFEST_BYTES => {}
        Some(_) => return Err(fault("timeline.json is too large")),
        None => return Err(fault("timeline.json is missing")),
    }
    let text = tokio::fs::read(output.join(TIMELINE_FILE))
        .await
        .map_err(fault)?;
    // A long lesson's manifest takes a while to parse.
    let timeline = tokio::task::spawn_blocking(move || Timeline::from_json(&text))
        .await
        .map_err(fault)?
        .map_err(fault)?;
    check_files(&timeline, &sizes)?;
    Ok(timeline)
}

/// Every file that the manifest names is there with the size it says.
fn check_files(timeline: &Timeline, sizes: &HashMap<&str, u64>) -> Result<(), Setback> {
    let renditions = timeline.renditions.iter().flat_map(|rendition| {
        let init = (rendition.init.file.as_str(), rendition.init.bytes);
        rendition
            .segments
            .iter()
            .map(|segment| (segment.file.as_str(), segment.bytes))
            .chain([init])
    });
    let pictures = timeline.stills.iter().map(|s| (s.file.as_str(), s.bytes));
    let poster = timeline.poster.iter().map(|p| (p.file.as_str(), p.bytes));
    let downloads = timeline
        .downloads
        .iter()
        .map(|d| (d.file.as_str(), d.bytes));
    for (name, bytes) in renditions.chain(pictures).chain(poster).chain(downloads) {
        if sizes.get(name) != Some(&bytes) {
            return Err(fault(format!("{name} is not as timeline.json says")));
        }
    }
    if !sizes.contains_key(timeline.hls.as_str()) {
        return Err(fault("the HLS playlist is missing"));
    }
    Ok(())
}

/// Names (relative, `/` between parts) and sizes of all files.
async fn list(output: PathBuf) -> Result<Vec<(String, u64)>, Setback> {
    tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        walk(&output, "", 0, &mut files)?;
        Ok::<_, io::Error>(files)
    })
    .await
    .map_err(fault)?
    .map_err(fault)
}

fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, u64)>,
) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| io::Error::other("a file name is not text"))?;
        let name = format!("{prefix}{name}");
        // The metadata of the entry itself: a symbolic link would lead the server to its own files.
        let metadata = entry.metadata()?;
        if metadata.is_dir() && depth < DEEPEST {
            walk(&entry.path(), &format!("{name}/"), depth + 1, files)?;
        } else if metadata.is_file() && files.len() < MOST_FILES {
            files.push((name, metadata.len()));
        } else {
            return Err(io::Error::other(format!("{name} does not belong here")));
        }
    }
    Ok(())
}

fn fault(error: impl ToString) -> Setback {
    Setback::Fault {
        sentence: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_link_in_the_output_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("v240")).unwrap();
        std::fs::write(folder.path().join("v240/init.mp4"), "1234").unwrap();
        let files = list(folder.path().to_owned()).await.unwrap();
        assert_eq!(files, [("v240/init.mp4".to_owned(), 4)]);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("v240/1.m4s")).unwrap();
        assert!(list(folder.path().to_owned()).await.is_err());
    }
}
