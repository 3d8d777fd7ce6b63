//! Whole jobs whose stand-in for the transcoder publishes a part, waits, and goes on.

use std::sync::Arc;
use std::time::Duration;

use millet_manifest::Timeline;
use sqlx::AnyConnection;
use tokio_util::sync::CancellationToken;

use super::testing::{EARLY, Recording};
use crate::clock::Timestamp;
use crate::courses::publish;
use crate::courses::{shown, store as drafts, testing::NOW};
use crate::id::{LessonId, TimelineId};
use crate::jobs::tests::{Bench, Told};
use crate::jobs::worker::Ended;
use crate::jobs::{Finished, FinishedFuture, Status};
use crate::stream::testing::lecture;
use crate::timelines::Timelines;
use crate::uploads::sweep;

/// Asks again until there is an answer.
async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked)
        .await
        .unwrap()
}

fn made(bench: &Bench, name: &str, whole: &Timeline) -> Recording {
    Recording::write(&bench.folder.path().join(name), whole).unwrap()
}

impl Bench {
    async fn shows(&self) -> Option<TimelineId> {
        let mut connection = self.context.db.read().await.unwrap();
        shown::timeline(&mut connection, self.lesson.lesson())
            .await
            .unwrap()
    }

    fn timelines(&self) -> Timelines {
        Timelines::new(self.context.objects.clone())
    }

    /// The lesson shows so many segments.
    async fn shows_segments(&self, timelines: &Timelines, count: usize) -> TimelineId {
        until(async || {
            let id = self.shows().await?;
            let timeline = timelines.get(id).await.unwrap();
            (timeline.unfinished && timeline.cuts_ms.len() == count).then_some(id)
        })
        .await
    }

    async fn publish(&self) {
        let course = self.lesson.course();
        let mut transaction = self.context.db.write().await.unwrap();
        let revision = drafts::draft(&mut transaction, course)
            .await
            .unwrap()
            .revision;
        publish::publish(&mut transaction, course, revision, NOW)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }

    async fn version_shows(&self) -> Option<TimelineId> {
        let mut connection = self.context.db.read().await.unwrap();
        let sql = "select timeline_id from version_lesson where lesson_id = $1";
        let (shown,): (Option<TimelineId>,) = sqlx::query_as(sql)
            .bind(self.lesson.lesson())
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        shown
    }
}

#[tokio::test]
async fn the_beginning_is_shown_while_the_rest_is_made_and_it_stays_the_same_timeline() {
    for mut bench in Bench::each().await {
        let told = Arc::new(Told::default());
        bench.context.finished = told.clone();
        let recording = made(&bench, "one", &lecture(96_000));
        bench.transcoder(&[recording.head(), recording.more(), recording.end()].join("\n"));
        bench.upload().await;
        let timelines = bench.timelines();
        let (ended, id) = tokio::join!(bench.one("w"), async {
            let id = bench.shows_segments(&timelines, 2).await;
            bench.publish().await;
            let early = timelines.get(id).await.unwrap();
            assert_eq!((early.duration_ms, early.prepared_ms()), (96_000, 32_000));
            assert_eq!(early.renditions.len(), EARLY);
            let announced = "select duration_ms from timeline where unfinished_since is not null";
            assert_eq!(bench.count(announced).await, 96_000);
            recording.say("go").await.unwrap();
            assert_eq!(bench.shows_segments(&timelines, 4).await, id);
            assert!(told.0.lock().unwrap().is_empty());
            recording.say("end").await.unwrap();
            id
        });
        assert_eq!(ended, Some(Ended::Done));
        assert_eq!(bench.shows().await, Some(id));
        assert_eq!(bench.version_shows().await, Some(id));
        let whole = bench.timelines().get(id).await.unwrap();
        assert_eq!((whole.unfinished, whole.renditions.len()), (false, 5));
        let unfinished = "select count(*) from timeline where unfinished_since is not null";
        assert_eq!(bench.count(unfinished).await, 0);
        assert_eq!(*told.0.lock().unwrap(), [bench.lesson.lesson()]);
        let early = bench
            .objects()
            .into_iter()
            .filter(|key| key.ends_with("early.json"));
        assert_eq!(early.count(), 0);
        assert_eq!(bench.count("select count(*) from prepared").await, 1);
    }
}

#[tokio::test]
async fn a_refusal_takes_back_what_was_shown() {
    for bench in Bench::each().await {
        let recording = made(&bench, "one", &lecture(96_000));
        bench.transcoder(&[recording.head(), recording.refusal()].join("\n"));
        bench.upload().await;
        let timelines = bench.timelines();
        let (ended, id) = tokio::join!(bench.one("w"), async {
            let id = bench.shows_segments(&timelines, 2).await;
            bench.publish().await;
            recording.say("end").await.unwrap();
            id
        });
        assert_eq!(ended, Some(Ended::SetBack(Status::Refused)));
        assert_eq!(
            (bench.shows().await, bench.version_shows().await),
            (None, None)
        );
        bench.pass(Duration::from_secs(7200));
        sweep::once(&bench.context).await.unwrap();
        assert_eq!(bench.objects(), Vec::<String>::new());
        assert!(bench.timelines().get(id).await.is_err());
    }
}

#[tokio::test]
async fn another_file_takes_the_place_of_what_is_shown_of_the_first() {
    for bench in Bench::each().await {
        let recording = made(&bench, "one", &lecture(96_000));
        bench.transcoder(&[recording.head(), recording.more(), recording.end()].join("\n"));
        bench.upload().await;
        let timelines = bench.timelines();
        let (ended, first) = tokio::join!(bench.one("w"), async {
            let first = bench.shows_segments(&timelines, 2).await;
            bench.upload().await;
            assert_eq!(bench.shows().await, None);
            first
        });
        assert_eq!(ended, Some(Ended::LeaseLost));
        let (ended, second) = tokio::join!(bench.one("w"), async {
            let second = bench.shows_segments(&timelines, 2).await;
            recording.say("go").await.unwrap();
            recording.say("end").await.unwrap();
            second
        });
        assert_eq!(ended, Some(Ended::Done));
        assert_ne!(first, second);
        assert_eq!(bench.shows().await, Some(second));
        bench.pass(Duration::from_secs(7200));
        sweep::once(&bench.context).await.unwrap();
        let old = bench
            .objects()
            .into_iter()
            .filter(|key| key.contains(&first.to_string()));
        assert_eq!(old.count(), 0);
    }
}

#[tokio::test]
async fn a_lesson_that_shows_something_keeps_it_until_the_new_one_is_finished() {
    for bench in Bench::each().await {
        bench.upload().await;
        assert_eq!(bench.one("w").await, Some(Ended::Done));
        let working = bench.shows().await;
        let recording = made(&bench, "one", &lecture(96_000));
        bench.transcoder(&[recording.head(), recording.more(), recording.end()].join("\n"));
        bench.upload().await;
        let (ended, ()) = tokio::join!(bench.one("w"), async {
            recording.say("go").await.unwrap();
            assert_eq!(bench.shows().await, working);
            recording.say("end").await.unwrap();
        });
        assert_eq!(ended, Some(Ended::Done));
        assert_eq!(bench.count("select count(*) from timeline").await, 2);
        assert_ne!(bench.shows().await, working);
    }
}

/// Stops the attempt once the lesson shows two segments.
async fn cut_short(bench: &mut Bench, timelines: &Timelines) -> TimelineId {
    let stop = bench.context.stop.clone();
    let (ended, id) = tokio::join!(bench.one("w"), async {
        let id = bench.shows_segments(timelines, 2).await;
        stop.cancel();
        id
    });
    assert_eq!(ended, Some(Ended::Released));
    assert_eq!(bench.shows().await, Some(id), "it can be watched meanwhile");
    bench.context.stop = CancellationToken::new();
    id
}

#[tokio::test]
async fn the_next_attempt_goes_on_with_the_same_timeline() {
    for mut bench in Bench::each().await {
        let recording = made(&bench, "one", &lecture(96_000));
        let lines = [recording.head(), recording.more(), recording.end()];
        bench.transcoder(&lines.join("\n"));
        bench.upload().await;
        let timelines = bench.timelines();
        let id = cut_short(&mut bench, &timelines).await;
        // What nobody works on just now is still shown, and nothing to be swept.
        bench.pass(Duration::from_secs(7200));
        sweep::once(&bench.context).await.unwrap();
        let (ended, ()) = tokio::join!(bench.one("w"), async {
            recording.say("go").await.unwrap();
            assert_eq!(bench.shows_segments(&timelines, 4).await, id);
            recording.say("end").await.unwrap();
        });
        assert_eq!(ended, Some(Ended::Done));
        assert_eq!(bench.shows().await, Some(id));
    }
}

/// Stops the node while the database is told of the result.
#[derive(Debug)]
struct Stopping(CancellationToken);

impl Finished for Stopping {
    fn finished<'a>(
        &'a self,
        _: &'a mut AnyConnection,
        _: LessonId,
        _: Timestamp,
    ) -> FinishedFuture<'a> {
        self.0.cancel();
        // Whoever else waits for the same token gets a turn.
        Box::pin(async {
            tokio::task::yield_now().await;
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_result_that_is_just_being_shown_is_shown_and_cleared_up_after() {
    for mut bench in Bench::each().await {
        let recording = made(&bench, "one", &lecture(96_000));
        let lines = [recording.head(), recording.more(), recording.end()];
        bench.transcoder(&lines.join("\n"));
        bench.upload().await;
        bench.context.finished = Arc::new(Stopping(bench.context.stop.clone()));
        let timelines = bench.timelines();
        let (ended, id) = tokio::join!(bench.one("w"), async {
            let id = bench.shows_segments(&timelines, 2).await;
            recording.say("go").await.unwrap();
            recording.say("end").await.unwrap();
            id
        });
        assert_eq!(ended, Some(Ended::Done));
        assert_eq!(bench.shows().await, Some(id));
        let parts = bench.count("select count(*) from upload_part").await;
        assert_eq!(parts, 0, "the upload is not needed any more");
    }
}

#[tokio::test]
async fn a_result_that_begins_otherwise_is_a_timeline_of_its_own() {
    for mut bench in Bench::each().await {
        let recording = made(&bench, "one", &lecture(96_000));
        bench.transcoder(&[recording.head(), recording.more()].join("\n"));
        bench.upload().await;
        let timelines = bench.timelines();
        let id = cut_short(&mut bench, &timelines).await;
        bench.publish().await;

        let mut otherwise = lecture(96_000);
        for rendition in &mut otherwise.renditions {
            rendition.init.bytes += 1;
        }
        let other = made(&bench, "other", &otherwise);
        bench.transcoder(&[other.head(), other.more(), other.end()].join("\n"));
        let (ended, ()) = tokio::join!(bench.one("w"), async {
            other.say("go").await.unwrap();
            other.say("end").await.unwrap();
        });
        assert_eq!(ended, Some(Ended::Done));
        let new = bench.shows().await.unwrap();
        assert_ne!(new, id);
        assert_eq!(bench.version_shows().await, Some(new));
        let whole = bench.timelines().get(new).await.unwrap();
        assert_eq!(*whole, otherwise);
        bench.pass(Duration::from_secs(7200));
        sweep::once(&bench.context).await.unwrap();
        let old = bench
            .objects()
            .into_iter()
            .filter(|key| key.contains(&id.to_string()));
        assert_eq!(old.count(), 0);
    }
}
