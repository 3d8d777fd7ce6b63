//! What completes at the same time, where two transactions may write side by side.

use super::version_tests::{
    LONG_MS, credentials_of, learner, play, publish_again, recording, two_texts,
};
use super::*;
use crate::courses::proof::InLesson;
use crate::courses::testing::{self, NOW};
use crate::db::testing::{postgres, until_blocked};
use crate::learning::access::MayWatch;

#[tokio::test]
async fn the_last_two_lessons_completed_at_once_complete_the_course() {
    let db = postgres().await;
    let mut tx = db.write().await.unwrap();
    let (course, lessons) = two_texts(&mut tx).await;
    let account = learner(&mut tx, course.course()).await;
    let enrolment = enrolment::find(&mut tx, course.course(), account).await;
    let enrolment = enrolment.unwrap().unwrap();
    tx.commit().await.unwrap();

    let mut tx = db.write().await.unwrap();
    let first = lesson_done(&mut tx, enrolment.id, lessons[0], 100, NOW).await;
    assert!(!first.unwrap().course_completed);
    let other = tokio::spawn({
        let db = db.clone();
        async move {
            let mut tx = db.write().await.unwrap();
            let second = lesson_done(&mut tx, enrolment.id, lessons[1], 100, NOW).await;
            tx.commit().await.unwrap();
            second.unwrap()
        }
    });
    until_blocked(&db, &other).await;
    tx.commit().await.unwrap();
    assert!(other.await.unwrap().course_completed);
    let mut tx = db.write().await.unwrap();
    assert_eq!(credentials_of(&mut tx, account).await, 1);
}

#[tokio::test]
async fn what_is_credited_while_the_recording_becomes_whole_is_not_missed() {
    let db = postgres().await;
    let mut tx = db.write().await.unwrap();
    let lesson = testing::video_lesson(&mut tx).await;
    let course = lesson.course().clone();
    let lesson: LessonId = InLesson::<Teacher>::lesson(&lesson);
    let timeline = recording(&mut tx, lesson).await;
    sqlx::query("update timeline set unfinished_since = 1 where id = $1")
        .bind(timeline)
        .execute(&mut *tx)
        .await
        .unwrap();
    publish_again(&mut tx, &course).await;
    let account = learner(&mut tx, course.course()).await;
    tx.commit().await.unwrap();

    let mut tx = db.write().await.unwrap();
    let right = MayWatch::prove(&mut tx, account, timeline).await.unwrap();
    play(&mut tx, right, 0, LONG_MS).await;
    let early = watched(&mut tx, account, lesson, NOW).await.unwrap();
    assert_eq!(early, Outcome::default());
    let whole = tokio::spawn({
        let db = db.clone();
        async move {
            let mut tx = db.write().await.unwrap();
            sqlx::query("update timeline set unfinished_since = null where id = $1")
                .bind(timeline)
                .execute(&mut *tx)
                .await
                .unwrap();
            finished(&mut tx, lesson, NOW).await.unwrap();
            tx.commit().await.unwrap();
        }
    });
    until_blocked(&db, &whole).await;
    tx.commit().await.unwrap();
    whole.await.unwrap();
    let mut tx = db.write().await.unwrap();
    assert_eq!(credentials_of(&mut tx, account).await, 1);
}
