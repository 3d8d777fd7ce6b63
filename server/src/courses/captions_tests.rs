//! Captions of recordings, on both engines.

use sqlx::AnyConnection;

use super::captions::{self, NewCaptions};
use super::outline;
use super::proof::InLesson;
use super::testing::{NOW, video_lesson};
use super::tests::show_a_timeline;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::db::testing::both;
use crate::error::Error;
use crate::id::{CaptionId, TimelineId};
use crate::people::Teacher;

async fn lesson(db: &Db) -> (InLesson<Teacher>, TimelineId) {
    let mut tx = db.write().await.unwrap();
    let lesson = video_lesson(&mut tx).await;
    let timeline = show_a_timeline(&mut tx, &lesson).await;
    tx.commit().await.unwrap();
    (lesson, timeline)
}

async fn begin(db: &Db, lesson: &InLesson<Teacher>, new: &NewCaptions) -> Option<CaptionId> {
    let mut tx = db.write().await.unwrap();
    let begun = captions::begin(&mut tx, lesson, new, NOW).await.unwrap();
    tx.commit().await.unwrap();
    begun
}

async fn give(db: &Db, lesson: &InLesson<Teacher>, new: &NewCaptions) -> CaptionId {
    let id = begin(db, lesson, new).await.unwrap();
    let mut tx = db.write().await.unwrap();
    captions::show(&mut tx, lesson, new, id, NOW).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn shown(db: &Db, timeline: TimelineId) -> Vec<CaptionId> {
    let mut connection = db.read().await.unwrap();
    let given = captions::of(&mut connection, timeline).await.unwrap();
    given.into_iter().map(|own| own.id).collect()
}

#[tokio::test]
async fn of_each_language_the_last_file_is_shown_and_the_same_one_changes_nothing() {
    for (db, _folder) in both().await {
        let (lesson, timeline) = lesson(&db).await;
        let new = |language, text| NewCaptions::new(timeline, language, text).unwrap();
        let english = give(&db, &lesson, &new("en", "a")).await;
        let chinese = give(&db, &lesson, &new("zh", "a")).await;
        assert_eq!(shown(&db, timeline).await, [chinese, english]);
        assert_eq!(begin(&db, &lesson, &new("en", "a")).await, None);
        let better = give(&db, &lesson, &new("en", "b")).await;
        assert_eq!(shown(&db, timeline).await, [chinese, better]);
        // What is begun and not stored is not shown.
        begin(&db, &lesson, &new("bo", "c")).await.unwrap();
        assert_eq!(shown(&db, timeline).await, [chinese, better]);
        let unknown = NewCaptions::new(timeline, "xx", "a");
        assert!(matches!(
            unknown,
            Err(Error::Invalid {
                field: "language",
                ..
            })
        ));
    }
}

#[tokio::test]
async fn whoever_comes_at_the_same_time_one_of_a_language_is_shown() {
    for (db, _folder) in both().await {
        let (lesson, timeline) = lesson(&db).await;
        let give = async |text: &str| {
            let new = NewCaptions::new(timeline, "zh", text).unwrap();
            give(&db, &lesson, &new).await
        };
        let (a, b, c) = tokio::join!(give("a"), give("b"), give("c"));
        let shown = shown(&db, timeline).await;
        assert!(
            shown.len() == 1 && [a, b, c].contains(&shown[0]),
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn captions_stay_with_their_recording() {
    for (db, _folder) in both().await {
        let (lesson, old) = lesson(&db).await;
        let new = NewCaptions::new(old, "zh", "a").unwrap();
        let id = give(&db, &lesson, &new).await;
        let mut tx = db.write().await.unwrap();
        let newer = show_a_timeline(&mut tx, &lesson).await;
        let late = captions::begin(&mut tx, &lesson, &new, NOW).await;
        assert!(matches!(late, Err(Error::Conflict("recording-changed"))));
        tx.commit().await.unwrap();
        assert_eq!(shown(&db, newer).await, []);
        // A published version may still show it.
        assert_eq!(shown(&db, old).await, [id]);
    }
}

#[tokio::test]
async fn a_recording_that_is_not_finished_gets_none() {
    for (db, _folder) in both().await {
        let (lesson, timeline) = lesson(&db).await;
        let mut tx = db.write().await.unwrap();
        sqlx::query("update timeline set unfinished_since = 1 where id = $1")
            .bind(timeline)
            .execute(&mut *tx)
            .await
            .unwrap();
        outline::show_timeline(&mut tx, lesson.lesson(), timeline)
            .await
            .unwrap();
        let new = NewCaptions::new(timeline, "zh", "a").unwrap();
        let early = captions::begin(&mut tx, &lesson, &new, NOW).await;
        assert!(matches!(early, Err(Error::Conflict("recording-changed"))));
    }
}

/// Which captions would be swept.
async fn unneeded(connection: &mut AnyConnection, before: Timestamp) -> Vec<CaptionId> {
    let found = captions::unneeded(connection, before).await.unwrap();
    found.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn captions_are_taken_away_by_their_own_lesson_alone_and_swept_later() {
    for (db, _folder) in both().await {
        let (own, timeline) = lesson(&db).await;
        let (other, _) = lesson(&db).await;
        let new = |text| NewCaptions::new(timeline, "zh", text).unwrap();
        let id = give(&db, &own, &new("a")).await;
        let dead = begin(&db, &own, &new("b")).await.unwrap();
        let mut tx = db.write().await.unwrap();
        captions::remove(&mut tx, &other, id, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(shown(&db, timeline).await, [id]);
        let mut tx = db.write().await.unwrap();
        captions::remove(&mut tx, &own, id, NOW).await.unwrap();
        captions::remove(&mut tx, &own, id, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(shown(&db, timeline).await, []);
        let mut tx = db.write().await.unwrap();
        assert_eq!(unneeded(&mut tx, NOW).await, []);
        let later = Timestamp(NOW.0 + 1);
        assert_eq!(unneeded(&mut tx, later).await, [id, dead]);
        captions::forget(&mut tx, id).await.unwrap();
        assert_eq!(unneeded(&mut tx, later).await, [dead]);
    }
}
