//! The media of a class over stores that fail and stall.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millet_manifest::live::{Chunk, LiveRendition, Output, Record as _};
use millet_manifest::{Kind, Segment, TIMELINE_FILE, Timeline};
use tokio::sync::{OnceCell, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::asks::{Ask, NotNow};
use super::ladder::Ladder;
use super::recorder::{Gathered, Recorder, key};
use super::{ClassMedia, LiveMedia, store};
use crate::clock::{Clock, Timestamp};
use crate::db::{Db, testing};
use crate::error::Error;
use crate::id::{RunId, TimelineId};
use crate::objects::{Objects, ObjectsError};
use crate::stream::growing::{Growing, GrowingTimelines, NewChunk};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// When no connection comes within this time, all are held.
const HELD_WITHIN: Duration = Duration::from_millis(500);
/// Whoever waits for a connection gives up only later.
const BEFORE_WRITERS_GIVE_UP: Duration = Duration::from_secs(8);
/// Length of a chunk.
const PART_MS: u64 = 500;

fn rendition(id: &str, kind: Kind) -> LiveRendition {
    LiveRendition {
        id: id.into(),
        kind,
        codec: "avc1.42c00d".into(),
        width: 426,
        height: 240,
        frame_rate_milli: 15_000,
        sample_rate: 0,
        channels: 0,
        peak_bps: 60_000,
    }
}

/// A class whose media the tests make; its objects lie in a folder.
struct World {
    folder: tempfile::TempDir,
    live: LiveMedia,
    timeline: TimelineId,
    media: ClassMedia,
}

impl World {
    async fn over(db: &Db) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setting = format!("file:{}", folder.path().display());
        let recorder = Recorder {
            db: db.clone(),
            objects: Objects::open(&setting).await.unwrap(),
            clock: Clock::System,
        };
        let ladder = Ladder {
            renditions: vec![
                rendition("opus16", Kind::Audio),
                rendition("v240", Kind::Video),
            ],
            inits: vec![Bytes::from_static(b"sound"), Bytes::from_static(b"picture")],
        };
        let live = LiveMedia {
            recorder,
            transcoder: folder.path().join("transcoder"),
            timelines: GrowingTimelines::default(),
            ladder: Arc::new(OnceCell::new_with(Some(ladder))),
            classes: Arc::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let timeline = TimelineId::new();
        let media = live.open(timeline, NOW, Arc::new(|_| {})).await.unwrap();
        // Its owner works as soon as it has taken a word.
        let word = Ask::Left { run: RunId::new() };
        media.asks.send(word).await.unwrap();
        while media.asks.capacity() < media.asks.max_capacity() {
            tokio::task::yield_now().await;
        }
        Self {
            folder,
            live,
            timeline,
            media,
        }
    }

    fn objects(&self) -> &Objects {
        &self.live.recorder.objects
    }

    fn place(&self, name: &str) -> PathBuf {
        let media = self.folder.path().join("media");
        media
            .join(self.timeline.to_string())
            .join("live")
            .join(name)
    }

    /// The pictures cannot be stored any more.
    fn break_store(&self) {
        std::fs::rename(self.place("v240"), self.place("away")).unwrap();
        std::fs::write(self.place("v240"), b"no folder").unwrap();
    }

    fn mend_store(&self) {
        std::fs::remove_file(self.place("v240")).unwrap();
        std::fs::rename(self.place("away"), self.place("v240")).unwrap();
    }

    async fn described(&self) -> Result<Timeline, ObjectsError> {
        let key = key(self.timeline, TIMELINE_FILE).unwrap();
        let json = self.objects().get(&key).await?;
        Ok(Timeline::from_json(&json).unwrap())
    }

    /// Every segment that is described lies among the objects, as long as it is said to be.
    async fn is_whole(&self, timeline: &Timeline) {
        let all = timeline.renditions.iter().flat_map(|own| &own.segments);
        for segment in all.filter(|segment| !segment.chunks.is_empty()) {
            let key = key(self.timeline, &segment.file).unwrap();
            let size = self.objects().size(&key).await;
            assert_eq!(size.ok(), Some(segment.bytes), "{}", segment.file);
        }
    }
}

/// Media of all renditions, as a run makes it.
fn grow(growing: &Growing, until_ms: u64) {
    for start_ms in (0..until_ms).step_by(PART_MS as usize) {
        for rendition in 0..2 {
            let chunk = NewChunk {
                rendition,
                sequence: u32::try_from(start_ms / 2_000).unwrap(),
                start_ms,
                duration_ms: PART_MS,
                keyframe: start_ms % 2_000 == 0,
                payload: Bytes::from(vec![rendition as u8; 100]),
            };
            growing.push(chunk).unwrap();
        }
    }
    growing.publish();
}

/// Segments with media of a rendition.
fn filled(timeline: &Timeline, id: &str) -> Vec<usize> {
    let found = timeline.renditions.iter().find(|own| own.id == id);
    let segments = found.unwrap().segments.iter().enumerate();
    segments
        .filter(|(_, segment)| !segment.chunks.is_empty())
        .map(|(number, _)| number)
        .collect()
}

#[tokio::test]
async fn a_class_that_cannot_be_stored_ends_once_it_can() {
    for (db, _folder) in testing::both().await {
        let world = World::over(&db).await;
        world.break_store();
        grow(&world.media.growing, 7_000);
        for _ in 0..2 {
            assert!(world.live.end(world.timeline).await.is_err());
            let described = world.described().await;
            assert!(matches!(described, Err(ObjectsError::NotFound)));
        }
        // Nobody brings more media into a class that ends.
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Publish {
            run: RunId::new(),
            resumable: true,
            take: true,
            reply,
        };
        world.media.asks.send(ask).await.unwrap();
        assert_eq!(answer.await.unwrap().err(), Some(NotNow::Ended));

        world.mend_store();
        let closed = world.live.end(world.timeline).await.unwrap();
        assert_eq!(closed.duration_ms, 7_000);
        let described = world.described().await.unwrap();
        world.is_whole(&described).await;
        for id in ["opus16", "v240"] {
            assert_eq!(filled(&described, id), [0, 1, 2, 3]);
        }
        assert_eq!(world.live.end(world.timeline).await.unwrap(), closed);
        world.live.forget(world.timeline).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_lost_before_it_was_stored_is_a_gap_in_the_lesson() {
    for (db, _folder) in testing::both().await {
        let world = World::over(&db).await;
        // More than the ring holds, before anything could be stored.
        grow(&world.media.growing, 31_000);
        let closed = world.live.end(world.timeline).await.unwrap();
        assert_eq!(closed.duration_ms, 31_000);
        let described = world.described().await.unwrap();
        world.is_whole(&described).await;
        let kept = filled(&described, "v240");
        assert!(kept[0] > 0 && kept.ends_with(&[14, 15]), "{kept:?}");
        assert_eq!(closed.bytes, described.bytes());
    }
}

#[tokio::test]
async fn a_number_is_recorded_once_and_its_objects_stay() {
    for (db, _folder) in testing::both().await {
        let world = World::over(&db).await;
        let recorder = &world.live.recorder;
        let ours = Growing::new(world.timeline, NOW, world.media.growing.grown(), Vec::new());
        grow(&ours, 2_000);
        let gathered = Gathered::of(&ours, 0);
        recorder.record(&gathered).await.unwrap();
        recorder.record(&gathered).await.unwrap();

        // Another life of the node made something else of the same time.
        let other = Growing::new(world.timeline, NOW, world.media.growing.grown(), Vec::new());
        grow(&other, 1_000);
        let refused = recorder.record(&Gathered::of(&other, 0)).await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
        let mut tx = db.write().await.unwrap();
        let segments: Vec<Segment> = other
            .grown()
            .segments
            .iter()
            .map(|own| Segment::clone(&own[0]))
            .collect();
        let refused = store::append(&mut tx, world.timeline, 0, &segments, NOW).await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
        drop(tx);
        let recorded = recorder
            .recorded(world.timeline, &ours.grown())
            .await
            .unwrap();
        for own in &recorded.segments {
            let key = key(world.timeline, &own[0].file).unwrap();
            assert_eq!(own[0].chunks.len(), 4);
            assert_eq!(world.objects().size(&key).await.unwrap(), own[0].bytes);
        }
    }
}

/// A transcoder that says this at once, and then only listens.
fn transcoder(world: &World, says: &[Output]) {
    let program = &world.live.transcoder;
    let said: Vec<u8> = says.iter().flat_map(|own| own.encode().unwrap()).collect();
    std::fs::write(program.with_extension("said"), said).unwrap();
    std::fs::write(
        program,
        "#!/bin/sh\ncat \"$0.said\"\nexec cat > /dev/null\n",
    )
    .unwrap();
    let may_run = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(program, may_run).unwrap();
}

#[tokio::test]
async fn the_class_goes_on_while_pictures_for_the_index_wait_to_be_stored() {
    for (db, _folder) in testing::both().await {
        let world = World::over(&db).await;
        let still = |at_ms: u64| Output::Still {
            at_ms,
            data: vec![7; 100],
        };
        let chunk = Output::Chunk(Chunk {
            rendition: 0,
            keyframe: true,
            first: true,
            last: false,
            gap_before: false,
            sequence: 0,
            part: 0,
            start_ms: 0,
            duration_ms: 500,
            data: vec![1; 100],
        });
        let mut says: Vec<Output> = (0..8).map(|number| still(number * 100)).collect();
        says.push(chunk);
        transcoder(&world, &says);

        // Somebody else writes, on every connection for it.
        let mut writers = Vec::new();
        while let Ok(writer) = tokio::time::timeout(HELD_WITHIN, db.write()).await {
            writers.push(writer.unwrap());
        }
        let mut index = world.media.growing.index();
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Publish {
            run: RunId::new(),
            resumable: true,
            take: true,
            reply,
        };
        world.media.asks.send(ask).await.unwrap();
        let _publishing = answer.await.unwrap().unwrap();
        let shown = index.wait_for(|index| index.duration_ms() == 500);
        let shown = tokio::time::timeout(BEFORE_WRITERS_GIVE_UP, shown).await;
        assert!(shown.expect("the class stands still").is_ok());
        drop(writers);

        world.live.end(world.timeline).await.unwrap();
        let described = world.described().await.unwrap();
        let times: Vec<u64> = described.stills.iter().map(|still| still.at_ms).collect();
        assert_eq!(
            times,
            [0, 400, 500, 600, 700],
            "the oldest that waited are left out"
        );
        for still in &described.stills {
            let key = key(world.timeline, &still.file).unwrap();
            assert_eq!(world.objects().size(&key).await.unwrap(), still.bytes);
        }
    }
}
