//! A course that is published again while learners are in the middle of it.

use sqlx::AnyConnection;

use super::*;
use crate::courses::proof::{InCourse, InLesson};
use crate::courses::testing::{self, NOW};
use crate::courses::{LessonKind, outline, publish, store};
use crate::db::testing::both;
use crate::id::{IntervalId, JobId, PlaySessionId, TimelineId};
use crate::learning::access::MayWatch;
use crate::learning::credentials;
use crate::learning::evidence::delivered::Wall;
use crate::learning::evidence::{Claim, store as evidence};

/// Length of every recording.
pub(super) const LONG_MS: i64 = 100_000;

pub(super) async fn publish_again(tx: &mut AnyConnection, course: &InCourse<Teacher>) {
    let revision = store::draft(tx, course).await.unwrap().revision;
    publish::publish(tx, course, revision, NOW).await.unwrap();
    republished(tx, course, NOW).await.unwrap();
}

pub(super) async fn learner(tx: &mut AnyConnection, course: CourseId) -> AccountId {
    let area = testing::area(tx).await;
    let account = testing::teacher(tx, area).await;
    enrol(tx, course, account, Source::Learner, account, None, NOW)
        .await
        .unwrap();
    account
}

pub(super) async fn credentials_of(tx: &mut AnyConnection, account: AccountId) -> usize {
    credentials::of_account(tx, account).await.unwrap().len()
}

/// A published course of two texts.
pub(super) async fn two_texts(tx: &mut AnyConnection) -> (InCourse<Teacher>, [LessonId; 2]) {
    let area = testing::area(tx).await;
    let teacher = testing::teacher(tx, area).await;
    let (course, module) = testing::course(tx, teacher, area).await;
    let mut lessons = Vec::new();
    for title in ["Hives", "Honey"] {
        let lesson = outline::add_lesson(tx, &course, module, title, LessonKind::Text, NOW)
            .await
            .unwrap();
        outline::edit_lesson(tx, &course, lesson, title, "Bees.", NOW)
            .await
            .unwrap();
        lessons.push(lesson);
    }
    publish_again(tx, &course).await;
    (course, lessons.try_into().unwrap())
}

#[tokio::test]
async fn whoever_has_done_all_that_is_still_asked_for_has_completed_the_course() {
    for (db, _folder) in both().await {
        let mut tx = db.write().await.unwrap();
        let (course, lessons) = two_texts(&mut tx).await;
        let (quick, slow) = (
            learner(&mut tx, course.course()).await,
            learner(&mut tx, course.course()).await,
        );
        let enrolment = enrolment::find(&mut tx, course.course(), quick)
            .await
            .unwrap()
            .unwrap();
        let outcome = lesson_done(&mut tx, enrolment.id, lessons[0], 100, NOW)
            .await
            .unwrap();
        assert!(!outcome.course_completed);

        outline::remove_lesson(&mut tx, &course, lessons[1], NOW)
            .await
            .unwrap();
        for _ in 0..2 {
            publish_again(&mut tx, &course).await;
            assert_eq!(credentials_of(&mut tx, quick).await, 1);
            assert_eq!(credentials_of(&mut tx, slow).await, 0);
        }
    }
}

/// What a worker leaves behind for a lesson.
pub(super) async fn recording(tx: &mut AnyConnection, lesson: LessonId) -> TimelineId {
    let (timeline, job) = (TimelineId::new(), JobId::new());
    sqlx::query(
        "insert into job (id, kind, lesson_id, status, priority, attempts, not_before, permille, \
         created_at) values ($1, 'prepare', $2, 'done', 0, 1, 0, 1000, 0)",
    )
    .bind(job)
    .bind(lesson)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "insert into timeline (id, job_id, lesson_id, duration_ms, object_prefix, total_bytes, \
         created_at) values ($1, $2, $3, $4, 'x', 1, 0)",
    )
    .bind(timeline)
    .bind(job)
    .bind(lesson)
    .bind(LONG_MS)
    .execute(&mut *tx)
    .await
    .unwrap();
    outline::show_timeline(tx, lesson, timeline).await.unwrap();
    timeline
}

pub(super) async fn play(tx: &mut AnyConnection, right: MayWatch, from_ms: i64, until_ms: i64) {
    play_at(tx, right, from_ms, until_ms, NOW).await;
}

async fn play_at(
    tx: &mut AnyConnection,
    right: MayWatch,
    from_ms: i64,
    until_ms: i64,
    at: Timestamp,
) {
    let session = PlaySessionId::new();
    evidence::open_session(tx, right, session, "test", NOW)
        .await
        .unwrap();
    let claim = Claim {
        id: IntervalId::new(),
        from_ms,
        until_ms,
        rate_permille: 1000,
    };
    let wall = Wall {
        from: at,
        until: at,
    };
    evidence::append_interval(tx, right, session, claim, wall, NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_recording_completes_nothing_before_it_is_finished_and_then_at_once() {
    for (db, _folder) in both().await {
        let mut tx = db.write().await.unwrap();
        let lesson = testing::video_lesson(&mut tx).await;
        let course = lesson.course().clone();
        let lesson: LessonId = InLesson::<Teacher>::lesson(&lesson);
        let timeline = recording(&mut tx, lesson).await;
        let set = async |tx: &mut AnyConnection, since: Option<i64>| {
            sqlx::query("update timeline set unfinished_since = $1 where id = $2")
                .bind(since)
                .bind(timeline)
                .execute(tx)
                .await
                .unwrap();
        };
        set(&mut tx, Some(1)).await;
        publish_again(&mut tx, &course).await;
        let account = learner(&mut tx, course.course()).await;
        let right = MayWatch::prove(&mut tx, account, timeline).await.unwrap();
        // More than was announced may come: all that was announced is not enough.
        play(&mut tx, right, 0, LONG_MS).await;
        let early = watched(&mut tx, account, lesson, NOW).await.unwrap();
        assert_eq!(early, Outcome::default());

        set(&mut tx, None).await;
        finished(&mut tx, lesson, NOW).await.unwrap();
        assert_eq!(credentials_of(&mut tx, account).await, 1);
    }
}

#[tokio::test]
async fn what_was_played_of_a_lesson_s_former_recording_still_counts() {
    for (db, _folder) in both().await {
        let mut tx = db.write().await.unwrap();
        let lesson = testing::video_lesson(&mut tx).await;
        let course = lesson.course().clone();
        let lesson: LessonId = InLesson::<Teacher>::lesson(&lesson);
        let former = recording(&mut tx, lesson).await;
        publish_again(&mut tx, &course).await;
        let account = learner(&mut tx, course.course()).await;
        let right = MayWatch::prove(&mut tx, account, former).await.unwrap();
        play(&mut tx, right, 0, 60_000).await;

        let new = recording(&mut tx, lesson).await;
        publish_again(&mut tx, &course).await;
        let right = MayWatch::prove(&mut tx, account, former).await.unwrap();
        assert!(right.counts() && right.lesson() == lesson);
        assert!(
            MayWatch::prove(&mut tx, account, new)
                .await
                .unwrap()
                .counts()
        );
        let before = watched(&mut tx, account, lesson, NOW).await.unwrap();
        assert_eq!(before, Outcome::default());
        play(&mut tx, right, 60_000, 95_000).await;
        let after = watched(&mut tx, account, lesson, NOW).await.unwrap();
        assert!(after.lesson_completed && after.course_completed);

        // Who never followed the course gains nothing by it, and a draft shows itself to nobody.
        let area = testing::area(&mut tx).await;
        let stranger = testing::teacher(&mut tx, area).await;
        let draft = recording(&mut tx, lesson).await;
        for (who, what) in [(stranger, former), (account, draft)] {
            let refused = MayWatch::prove(&mut tx, who, what).await;
            assert!(matches!(refused, Err(Error::NotFound)));
        }
    }
}

#[tokio::test]
async fn a_lesson_that_is_done_while_a_version_is_published_counts_for_the_new_one() {
    for (db, _folder) in both().await {
        let mut tx = db.write().await.unwrap();
        let area = testing::area(&mut tx).await;
        let teacher = testing::teacher(&mut tx, area).await;
        let (course, module) = testing::course(&mut tx, teacher, area).await;
        let add = async |tx: &mut AnyConnection, title: &str| {
            let kind = LessonKind::Text;
            let lesson = outline::add_lesson(tx, &course, module, title, kind, NOW).await;
            let lesson = lesson.unwrap();
            outline::edit_lesson(tx, &course, lesson, title, "Bees.", NOW)
                .await
                .unwrap();
            lesson
        };
        let first = add(&mut tx, "Hives").await;
        publish_again(&mut tx, &course).await;
        let account = learner(&mut tx, course.course()).await;
        let seen = enrolment::find(&mut tx, course.course(), account).await;
        let seen = seen.unwrap().unwrap();

        // Published between the look at the enrolment and the write.
        let second = add(&mut tx, "Honey").await;
        publish_again(&mut tx, &course).await;
        let outcome = lesson_done(&mut tx, seen.id, first, 100, NOW)
            .await
            .unwrap();
        assert!(outcome.lesson_completed && !outcome.course_completed);
        assert_eq!(credentials_of(&mut tx, account).await, 0);
        let outcome = lesson_done(&mut tx, seen.id, second, 100, NOW)
            .await
            .unwrap();
        assert!(outcome.course_completed);
    }
}

#[tokio::test]
async fn what_was_played_before_a_certificate_was_revoked_does_not_earn_another() {
    for (db, _folder) in both().await {
        let mut tx = db.write().await.unwrap();
        let lesson = testing::video_lesson(&mut tx).await;
        let course = lesson.course().clone();
        let lesson: LessonId = InLesson::<Teacher>::lesson(&lesson);
        let timeline = recording(&mut tx, lesson).await;
        publish_again(&mut tx, &course).await;
        let account = learner(&mut tx, course.course()).await;
        let right = MayWatch::prove(&mut tx, account, timeline).await.unwrap();
        play(&mut tx, right, 0, LONG_MS).await;
        watched(&mut tx, account, lesson, NOW).await.unwrap();
        let own = credentials::of_account(&mut tx, account).await.unwrap();
        let later = NOW.after(std::time::Duration::from_secs(3600));
        revoke(&mut tx, &course, own[0].id, "Watched by another", later)
            .await
            .unwrap();

        play_at(&mut tx, right, 0, 10_000, later).await;
        let outcome = watched(&mut tx, account, lesson, later).await.unwrap();
        assert_eq!(outcome, Outcome::default());
        publish_again(&mut tx, &course).await;
        began(&mut tx, course.course(), &[account], later)
            .await
            .unwrap();
        assert_eq!(credentials_of(&mut tx, account).await, 1);
        play_at(&mut tx, right, 10_000, LONG_MS, later).await;
        let outcome = watched(&mut tx, account, lesson, later).await.unwrap();
        assert!(outcome.lesson_completed && outcome.course_completed);
        assert_eq!(credentials_of(&mut tx, account).await, 2);
    }
}
