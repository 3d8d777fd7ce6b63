//! Leases on both engines, and whole jobs with a stand-in for the transcoder's program.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use sqlx::{AnyConnection, Row as _};
use tokio_util::sync::CancellationToken;

use super::worker::{self, Context, Ended};
use super::{Finished, FinishedFuture, LEASE, Lease, Setback, Status, Step, store};
use crate::clock::{Clock, Timestamp};
use crate::courses::proof::InLesson;
use crate::courses::testing::{NOW, video_lesson};
use crate::db::{Db, testing::both};
use crate::error::Error;
use crate::id::{LessonId, UploadId};
use crate::objects::{Key, Objects};
use crate::people::Teacher;
use crate::uploads::receive::Receiver;
use crate::uploads::{NewUpload, sweep};

/// What the stand-in writes: one audio rendition of one segment.
pub(super) const TIMELINE: &str = r#"{"version":1,"duration_ms":2000,"content":"audio_only","cuts_ms":[0],
"renditions":[{"id":"opus16","kind":"audio","codec":"opus","width":0,"height":0,
"frame_rate_milli":0,"sample_rate":48000,"channels":1,"average_bps":20,"peak_bps":20,
"init":{"file":"opus16/init.mp4","bytes":4},"segments":[{"start_ms":0,"duration_ms":2000,
"file":"opus16/00000.m4s","bytes":5,"chunks":[{"offset":0,"bytes":5,"start_ms":0,
"duration_ms":2000,"keyframe":true}]}]}],"hls":"master.m3u8","poster":null,"stills":[],
"downloads":[],"source":{"container":"wav","video_codec":null,"audio_codec":"pcm_s16le",
"width":0,"height":0,"bytes":9}}"#;

/// Counts what it is told.
#[derive(Debug, Default)]
pub(super) struct Told(pub(super) Mutex<Vec<LessonId>>);

impl Finished for Told {
    fn finished<'a>(
        &'a self,
        _: &'a mut AnyConnection,
        lesson: LessonId,
        _: Timestamp,
    ) -> FinishedFuture<'a> {
        self.0.lock().unwrap().push(lesson);
        Box::pin(std::future::ready(Ok(())))
    }
}

pub(super) struct Bench {
    pub(super) context: Context,
    clock: Arc<AtomicI64>,
    pub(super) folder: tempfile::TempDir,
    pub(super) lesson: InLesson<Teacher>,
    _database: Option<tempfile::TempDir>,
}

impl Bench {
    pub(super) async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for (db, database) in both().await {
            let folder = tempfile::tempdir().unwrap();
            let objects = format!("file:{}", folder.path().join("objects").display());
            let mut transaction = db.write().await.unwrap();
            let lesson = video_lesson(&mut transaction).await;
            transaction.commit().await.unwrap();
            let clock = Arc::new(AtomicI64::new(NOW.0));
            let context = Context {
                db,
                objects: Objects::open(&objects).await.unwrap(),
                clock: Clock::Manual(Arc::clone(&clock)),
                transcoder: folder.path().join("transcoder"),
                av1: true,
                finished: Arc::new(Told::default()),
                stop: CancellationToken::new(),
            };
            let bench = Self {
                context,
                clock,
                folder,
                lesson,
                _database: database,
            };
            bench.transcoder(&bench.good());
            all.push(bench);
        }
        all
    }

    pub(super) fn transcoder(&self, script: &str) {
        // A new file each time: a program that runs cannot be written over.
        let fresh = self.folder.path().join("transcoder.new");
        std::fs::write(&fresh, format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(fresh, &self.context.transcoder).unwrap();
    }

    pub(super) fn good(&self) -> String {
        format!(
            r#"cmp "$2" {expected}
            mkdir "$3/opus16"
            printf init > "$3/opus16/init.mp4"; printf media > "$3/opus16/00000.m4s"
            printf '#EXTM3U' > "$3/master.m3u8"
            cat > "$3/timeline.json" <<'JSON'
{TIMELINE}
JSON
            echo '{{"type":"done","duration_ms":2000,"bytes":9}}'"#,
            expected = self.folder.path().join("expected").display()
        )
    }

    fn receiver(&self) -> Receiver {
        Receiver {
            db: self.context.db.clone(),
            objects: self.context.objects.clone(),
            clock: self.context.clock.clone(),
            stop: CancellationToken::new(),
        }
    }

    /// Uploads a file of more than two parts.
    pub(super) async fn upload(&self) -> UploadId {
        let content: Vec<u8> = (0..2_500_000_u32).map(|i| (i % 253) as u8).collect();
        std::fs::write(self.folder.path().join("expected"), &content).unwrap();
        let receiver = self.receiver();
        let length = content.len() as u64;
        let new = NewUpload::new("a.mp4", "video/mp4", length, length).unwrap();
        let upload = receiver.create(&self.lesson, &new).await.unwrap();
        let body = stream::iter([Ok::<_, Error>(Bytes::from(content))]);
        receiver.receive(&upload, 0, body, None).await.unwrap();
        upload.id
    }

    pub(super) fn pass(&self, time: Duration) {
        let ms = i64::try_from(time.as_millis()).unwrap();
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub(super) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(super) async fn one(&self, owner: &str) -> Option<Ended> {
        worker::one(&self.context, owner, &self.work())
            .await
            .unwrap()
    }

    pub(super) async fn claim(&self, owner: &str) -> Option<Lease> {
        let mut transaction = self.context.db.write().await.unwrap();
        let now = self.context.clock.now();
        let lease = store::claim(&mut transaction, owner, now).await.unwrap();
        transaction.commit().await.unwrap();
        lease
    }

    pub(super) async fn status(&self) -> Status {
        let mut connection = self.context.db.read().await.unwrap();
        let lesson: LessonId = self.lesson.lesson();
        let job = store::latest_of_lesson(&mut connection, lesson)
            .await
            .unwrap();
        job.unwrap().status
    }

    pub(super) async fn count(&self, sql: &'static str) -> i64 {
        let mut connection = self.context.db.read().await.unwrap();
        let row = sqlx::query(sql).fetch_one(&mut *connection).await.unwrap();
        row.try_get(0).unwrap()
    }

    /// Every object that is stored, by its key.
    pub(super) fn objects(&self) -> Vec<String> {
        fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.metadata().unwrap().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), found);
                } else {
                    found.push(name);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.folder.path().join("objects"), "", &mut found);
        found
    }
}

#[tokio::test]
async fn a_file_becomes_the_lesson_s_timeline_and_its_parts_go() {
    for bench in Bench::each().await {
        bench.upload().await;
        assert_eq!(bench.objects().len(), 3);
        assert_eq!(bench.one("w").await, Some(Ended::Done));
        assert_eq!(bench.status().await, Status::Done);
        let mut connection = bench.context.db.read().await.unwrap();
        let row = sqlx::query(
            "select timeline.object_prefix, timeline.duration_ms, timeline.total_bytes \
             from lesson join timeline on timeline.id = lesson.timeline_id where lesson.id = $1",
        )
        .bind(bench.lesson.lesson())
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        let prefix: String = row.try_get(0).unwrap();
        assert_eq!(row.try_get::<i64, _>(1).unwrap(), 2000);
        let total: i64 = row.try_get(2).unwrap();
        assert_eq!(total, 4 + 5 + 7 + 1 + TIMELINE.len() as i64);
        let key = Key::new(format!("{prefix}/opus16/00000.m4s")).unwrap();
        assert_eq!(
            bench.context.objects.get(&key).await.unwrap(),
            &b"media"[..]
        );
        assert_eq!(bench.objects().len(), 4, "the parts are gone");
        assert_eq!(bench.one("w").await, None);
        assert!(std::fs::read_dir(bench.work()).unwrap().next().is_none());
    }
}

#[tokio::test]
async fn a_refused_file_leaves_its_reason_and_nothing_else() {
    for bench in Bench::each().await {
        bench.upload().await;
        bench.transcoder(
            r#"echo '{"type":"refused","reason":"not_media","sentence":"No."}'; exit 2"#,
        );
        assert_eq!(bench.one("w").await, Some(Ended::SetBack(Status::Refused)));
        let mut connection = bench.context.db.read().await.unwrap();
        let job = store::latest_of_lesson(&mut connection, bench.lesson.lesson())
            .await
            .unwrap();
        assert_eq!(job.unwrap().reason.as_deref(), Some("not_media"));
        assert_eq!(bench.objects(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_killed_transcoder_is_tried_again_and_given_up_after_three_times() {
    for bench in Bench::each().await {
        bench.upload().await;
        bench.transcoder("kill -9 $$");
        assert_eq!(bench.one("w").await, Some(Ended::SetBack(Status::Queued)));
        assert_eq!(
            bench.one("w").await,
            None,
            "it waits before the next attempt"
        );
        bench.pass(Duration::from_secs(5));
        assert_eq!(bench.one("w").await, Some(Ended::SetBack(Status::Queued)));
        bench.pass(Duration::from_secs(60));
        assert_eq!(bench.one("w").await, Some(Ended::SetBack(Status::Failed)));
        assert_eq!(bench.objects().len(), 3, "the file is kept for another try");

        let mut transaction = bench.context.db.write().await.unwrap();
        let job = store::latest_of_lesson(&mut transaction, bench.lesson.lesson())
            .await
            .unwrap();
        let now = bench.context.clock.now();
        assert!(
            store::try_again(&mut transaction, job.unwrap().id, now)
                .await
                .unwrap()
        );
        transaction.commit().await.unwrap();
        bench.transcoder(&bench.good());
        assert_eq!(bench.one("w").await, Some(Ended::Done));
    }
}

#[tokio::test]
async fn output_that_is_not_what_the_manifest_says_is_a_fault() {
    for bench in Bench::each().await {
        bench.upload().await;
        bench.transcoder(&format!(
            "{}\nprintf more >> \"$3/opus16/00000.m4s\"",
            bench.good()
        ));
        assert_eq!(bench.one("w").await, Some(Ended::SetBack(Status::Queued)));
        assert_eq!(bench.count("select count(*) from timeline").await, 0);
    }
}

#[tokio::test]
async fn each_job_goes_to_one_of_many_claimers() {
    for bench in Bench::each().await {
        let upload = bench.upload().await;
        let mut transaction = bench.context.db.write().await.unwrap();
        for _ in 0..11 {
            // Jobs of one lesson replace each other: give each a lesson of its own.
            let other = video_lesson(&mut transaction).await;
            store::enqueue_prepare(&mut transaction, upload, other.lesson(), NOW)
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        let claims = (0..24).map(|n| {
            let db: Db = bench.context.db.clone();
            tokio::spawn(async move {
                let mut transaction = db.write().await.unwrap();
                let owner = format!("w{n}");
                let lease = store::claim(&mut transaction, &owner, NOW).await.unwrap();
                transaction.commit().await.unwrap();
                lease
            })
        });
        let mut jobs = Vec::new();
        for claim in claims.collect::<Vec<_>>() {
            jobs.extend(claim.await.unwrap().map(|lease| lease.job));
        }
        jobs.sort();
        let claimed = jobs.len();
        jobs.dedup();
        assert_eq!((claimed, jobs.len()), (12, 12));
    }
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_can_write_nothing_more() {
    for bench in Bench::each().await {
        bench.upload().await;
        let slow = bench.claim("slow").await.unwrap();
        assert_eq!(bench.claim("quick").await, None);
        bench.pass(LEASE);
        let quick = bench.claim("quick").await.unwrap();
        assert_eq!((quick.job, quick.attempt), (slow.job, 2));

        let now = bench.context.clock.now();
        let mut transaction = bench.context.db.write().await.unwrap();
        assert!(
            !store::renew(&mut transaction, &slow, &Step::default(), now)
                .await
                .unwrap()
        );
        assert!(!store::finish(&mut transaction, &slow, now).await.unwrap());
        let setback = Setback::Fault {
            sentence: "late".into(),
        };
        assert_eq!(
            store::set_back(&mut transaction, &slow, &setback, now)
                .await
                .unwrap(),
            None
        );
        store::release(&mut transaction, &slow).await.unwrap();
        assert!(
            store::renew(&mut transaction, &quick, &Step::default(), now)
                .await
                .unwrap()
        );
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_job_whose_workers_die_each_time_is_given_up() {
    for bench in Bench::each().await {
        bench.upload().await;
        for attempt in 1..=3 {
            assert_eq!(bench.claim("dies").await.unwrap().attempt, attempt);
            bench.pass(LEASE);
        }
        assert_eq!(bench.claim("dies").await, None);
        assert_eq!(bench.status().await, Status::Failed);
    }
}

#[tokio::test]
async fn a_node_that_comes_back_takes_its_own_jobs_at_once() {
    for bench in Bench::each().await {
        bench.upload().await;
        let node = uuid::Uuid::now_v7().to_string();
        bench.claim(&format!("{node}/life/0")).await.unwrap();
        let mut transaction = bench.context.db.write().await.unwrap();
        let now = bench.context.clock.now();
        let other = uuid::Uuid::now_v7().to_string();
        assert_eq!(
            store::end_leases_of_node(&mut transaction, &other, now)
                .await
                .unwrap(),
            0
        );
        assert_eq!(
            store::end_leases_of_node(&mut transaction, &node, now)
                .await
                .unwrap(),
            1
        );
        transaction.commit().await.unwrap();
        assert_eq!(bench.one("again").await, Some(Ended::Done));
        assert_eq!(bench.count("select count(*) from timeline").await, 1);
    }
}

#[tokio::test]
async fn a_stopping_server_gives_the_job_back_untried() {
    for bench in Bench::each().await {
        bench.upload().await;
        let started = bench.folder.path().join("started");
        // The pipe tells the test that the program runs, without a sleep.
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&started)
                .status()
                .unwrap()
                .success()
        );
        bench.transcoder(&format!("echo > {}; sleep 1000", started.display()));
        let stop = bench.context.stop.clone();
        let (ended, _) = tokio::join!(bench.one("w"), async {
            tokio::fs::read(&started).await.unwrap();
            stop.cancel();
        });
        assert_eq!(ended, Some(Ended::Released));
        assert_eq!(bench.status().await, Status::Queued);
        assert_eq!(bench.claim("next").await.unwrap().attempt, 1);
    }
}

#[tokio::test]
async fn the_next_attempt_goes_on_with_what_a_stop_left() {
    for mut bench in Bench::each().await {
        bench.upload().await;
        let started = bench.folder.path().join("started");
        let pipe = std::process::Command::new("mkfifo").arg(&started).status();
        assert!(pipe.unwrap().success());
        let (good, pipe) = (bench.good(), started.display());
        // The first run makes a segment and is cut short; the second one needs it.
        bench.transcoder(&format!(
            r#"if [ -e "$3/segment" ]; then {good}
            else : > "$3/segment"; echo > {pipe}; sleep 1000; fi"#
        ));
        let stop = bench.context.stop.clone();
        let (ended, _) = tokio::join!(bench.one("w"), async {
            tokio::fs::read(&started).await.unwrap();
            stop.cancel();
        });
        assert_eq!(ended, Some(Ended::Released));
        bench.context.stop = CancellationToken::new();
        assert_eq!(bench.one("w").await, Some(Ended::Done));
        let left = std::fs::read_dir(bench.work()).unwrap().count();
        assert_eq!(left, 0, "nothing is left once it is done");
    }
}

#[tokio::test]
async fn a_later_file_replaces_the_work_on_an_earlier_one() {
    for bench in Bench::each().await {
        let first = bench.upload().await;
        let lease = bench.claim("w").await.unwrap();
        assert_eq!(lease.upload, first);
        bench.upload().await;
        let mut transaction = bench.context.db.write().await.unwrap();
        assert!(!store::finish(&mut transaction, &lease, NOW).await.unwrap());
        transaction.commit().await.unwrap();
        assert_eq!(bench.objects().len(), 6);
        sweep::once(&bench.context).await.unwrap();
        assert_eq!(bench.objects().len(), 3, "the first file's parts are gone");
        assert_eq!(bench.one("w").await, Some(Ended::Done));
    }
}

#[tokio::test]
async fn objects_of_an_attempt_that_died_are_swept() {
    for bench in Bench::each().await {
        bench.upload().await;
        let lease = bench.claim("dies").await.unwrap();
        let id = crate::id::TimelineId::new();
        let key = Key::new(format!("{}/a.m4s", super::prepared::prefix(id))).unwrap();
        bench
            .context
            .objects
            .put(&key, Bytes::from_static(b"x"))
            .await
            .unwrap();
        let mut transaction = bench.context.db.write().await.unwrap();
        let files = ["a.m4s".to_owned(), "b.m4s".to_owned()];
        super::prepared::begin(&mut transaction, &lease, id, &files, NOW)
            .await
            .unwrap();
        transaction.commit().await.unwrap();

        bench.pass(Duration::from_secs(7200));
        sweep::once(&bench.context).await.unwrap();
        assert_eq!(
            bench.objects().len(),
            4,
            "an attempt that may live is left alone"
        );
        assert_eq!(bench.one("w").await, Some(Ended::Done));
        sweep::once(&bench.context).await.unwrap();
        assert!(bench.context.objects.size(&key).await.is_err());
        assert_eq!(bench.objects().len(), 4, "the shown timeline stays");
        assert_eq!(bench.count("select count(*) from prepared").await, 1);
    }
}
