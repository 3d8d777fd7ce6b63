//! Store tests on both engines.

use super::order::{self, Direction};
use super::proof::{InCourse, InLesson};
use super::testing::{NOW, area, course, teacher, video_lesson};
use super::{Draft, LessonKind, outline, publish, store};
use crate::db::testing::both;
use crate::error::Error;
use crate::id::{CourseId, JobId, LessonId, ModuleId, TimelineId, UploadId};
use crate::jobs::prepared::{self, NewTimeline};
use crate::jobs::{self, Lease};
use crate::people::Teacher;
use sqlx::AnyConnection;

fn draft(title: &str) -> Draft {
    Draft::new(title, "en").unwrap()
}

/// A timeline that the lesson shows, as a job would leave it.
pub(super) async fn show_a_timeline(
    connection: &mut AnyConnection,
    lesson: &InLesson<Teacher>,
) -> TimelineId {
    let upload = UploadId::new();
    sqlx::query(
        "insert into upload (id, account_id, purpose, subject_id, file_name, media_type, \
         length_bytes, offset_bytes, created_at, expires_at) \
         values ($1, $2, 'lesson_video', $3, 'a.mp4', '', 1, 1, 0, 0)",
    )
    .bind(upload)
    .bind(lesson.account())
    .bind(lesson.lesson())
    .execute(&mut *connection)
    .await
    .unwrap();
    let job: JobId = jobs::store::enqueue_prepare(&mut *connection, upload, lesson.lesson(), NOW)
        .await
        .unwrap();
    let lease = Lease {
        job,
        upload,
        lesson: lesson.lesson(),
        owner: "test".into(),
        attempt: 1,
    };
    let timeline = NewTimeline {
        id: TimelineId::new(),
        duration_ms: 60_000,
        total_bytes: 1,
    };
    prepared::adopt(&mut *connection, &lease, &timeline, NOW)
        .await
        .unwrap();
    outline::show_timeline(connection, lesson.lesson(), timeline.id)
        .await
        .unwrap();
    timeline.id
}

#[tokio::test]
async fn only_a_teacher_of_the_course_who_still_is_a_teacher_there_gets_a_proof() {
    for (db, _folder) in both().await {
        let mut connection = db.write().await.unwrap();
        let here = area(&mut connection).await;
        let ann = teacher(&mut connection, here).await;
        let bob = teacher(&mut connection, here).await;
        let (course, _) = course(&mut connection, ann, here).await;
        let id = course.course();

        let outsider = InCourse::<Teacher>::prove(&mut connection, bob, id).await;
        assert!(matches!(outsider, Err(Error::NotFound)));
        let unknown = InCourse::<Teacher>::prove(&mut connection, ann, CourseId::new()).await;
        assert!(matches!(unknown, Err(Error::NotFound)));
        let elsewhere = area(&mut connection).await;
        let refused = store::create(&mut connection, ann, elsewhere, &draft("x"), NOW).await;
        assert!(matches!(refused, Err(Error::Forbidden)));

        sqlx::query("update account_grant set revoked_at = 1 where account_id = $1")
            .bind(ann)
            .execute(&mut *connection)
            .await
            .unwrap();
        let revoked = InCourse::<Teacher>::prove(&mut connection, ann, id).await;
        assert!(matches!(revoked, Err(Error::NotFound)));
    }
}

#[tokio::test]
async fn a_lesson_of_another_course_cannot_be_changed_through_one_s_own() {
    for (db, _folder) in both().await {
        let mut connection = db.write().await.unwrap();
        let theirs = video_lesson(&mut connection).await;
        let mine = video_lesson(&mut connection).await;
        let (own, foreign) = (mine.course(), theirs.lesson());
        let edited = outline::edit_lesson(&mut connection, own, foreign, "x", "", NOW).await;
        assert!(matches!(edited, Err(Error::NotFound)));
        let removed = outline::remove_lesson(&mut connection, own, foreign, NOW).await;
        assert!(matches!(removed, Err(Error::NotFound)));
        let up = Direction::Up;
        let moved = order::move_lesson(&mut connection, own, foreign, up, NOW).await;
        assert!(matches!(moved, Err(Error::NotFound)));
        let module = outline::modules(&mut connection, theirs.course())
            .await
            .unwrap()[0]
            .id;
        let kind = LessonKind::Text;
        let added = outline::add_lesson(&mut connection, own, module, "x", kind, NOW).await;
        assert!(matches!(added, Err(Error::NotFound)));
    }
}

#[tokio::test]
async fn of_two_editors_the_second_is_refused_and_the_first_one_s_words_stay() {
    for (db, _folder) in both().await {
        let mut connection = db.write().await.unwrap();
        let here = area(&mut connection).await;
        let ann = teacher(&mut connection, here).await;
        let (course, _) = course(&mut connection, ann, here).await;
        let seen = store::draft(&mut connection, &course)
            .await
            .unwrap()
            .revision;
        connection.commit().await.unwrap();

        let save = async |title: &str| {
            let mut transaction = db.write().await.unwrap();
            store::edit(&mut transaction, &course, seen, &draft(title), NOW).await?;
            transaction.commit().await.unwrap();
            Ok::<_, Error>(())
        };
        let results = tokio::join!(save("first"), save("second"));
        let (kept, refused) = match results {
            (Ok(()), Err(error)) => ("first", error),
            (Err(error), Ok(())) => ("second", error),
            other => panic!("{other:?}"),
        };
        assert!(matches!(refused, Error::Conflict("course-changed")));
        let mut connection = db.read().await.unwrap();
        let now = store::draft(&mut connection, &course).await.unwrap();
        assert_eq!((now.title.as_str(), now.revision), (kept, seen + 1));
    }
}

#[tokio::test]
async fn a_published_version_stays_as_it_was_while_the_draft_changes() {
    for (db, _folder) in both().await {
        let mut connection = db.write().await.unwrap();
        let lesson = video_lesson(&mut connection).await;
        let course = lesson.course();
        let revision = async |connection: &mut AnyConnection| {
            store::draft(connection, course).await.unwrap().revision
        };
        let now = revision(&mut connection).await;
        let early = publish::publish(&mut connection, course, now, NOW).await;
        assert!(matches!(early, Err(Error::Conflict("lesson-not-ready"))));
        let hidden = publish::find(&mut connection, course.course())
            .await
            .unwrap();
        assert!(hidden.is_none());

        let timeline = show_a_timeline(&mut connection, &lesson).await;
        let late = publish::publish(&mut connection, course, now - 1, NOW).await;
        assert!(matches!(late, Err(Error::Conflict("course-changed"))));
        let version = publish::publish(&mut connection, course, now, NOW)
            .await
            .unwrap();
        assert!(!publish::is_changed(&mut connection, course).await.unwrap());
        // The same form again, as after an answer that was lost.
        let again = publish::publish(&mut connection, course, now, NOW).await;
        assert_eq!(again.unwrap(), version);

        store::edit(&mut connection, course, now, &draft("Other"), NOW)
            .await
            .unwrap();
        outline::remove_lesson(&mut connection, course, lesson.lesson(), NOW)
            .await
            .unwrap();
        assert!(publish::is_changed(&mut connection, course).await.unwrap());
        let shown = publish::find(&mut connection, course.course())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (shown.title.as_str(), shown.version_id),
            ("Beekeeping", version)
        );
        let lessons = publish::lessons(&mut connection, version).await.unwrap();
        assert_eq!(lessons.len(), 1);
        assert_eq!(lessons[0].timeline_id, Some(timeline));
        assert_eq!(lessons[0].duration_ms, 60_000);
        let listed = publish::list(&mut connection, None, 10).await.unwrap();
        assert!(listed.iter().any(|c| c.course_id == course.course()));
        let before = publish::list(&mut connection, Some(course.course()), 10)
            .await
            .unwrap();
        assert!(before.iter().all(|c| c.course_id < course.course()));

        let now = revision(&mut connection).await;
        let empty = publish::publish(&mut connection, course, now, NOW).await;
        assert!(matches!(empty, Err(Error::Conflict("course-empty"))));
    }
}

#[tokio::test]
async fn lessons_move_within_and_between_modules() {
    for (db, _folder) in both().await {
        let mut connection = db.write().await.unwrap();
        let here = area(&mut connection).await;
        let ann = teacher(&mut connection, here).await;
        let (course, first) = course(&mut connection, ann, here).await;
        let second = outline::add_module(&mut connection, &course, "More", NOW)
            .await
            .unwrap();
        let mut ids = Vec::new();
        for (module, title) in [(first, "a"), (first, "b"), (second, "c")] {
            let kind = LessonKind::Text;
            let id = outline::add_lesson(&mut connection, &course, module, title, kind, NOW).await;
            ids.push(id.unwrap());
        }
        let order = async |connection: &mut AnyConnection| -> String {
            let lessons = outline::lessons(connection, &course).await.unwrap();
            let mark = |l: &outline::Lesson| if l.module_id == first { "1" } else { "2" };
            lessons
                .iter()
                .map(|l| format!("{}{} ", mark(l), l.title))
                .collect()
        };
        let shift = async |connection: &mut AnyConnection, id: LessonId, direction| {
            order::move_lesson(connection, &course, id, direction, NOW)
                .await
                .unwrap();
        };
        assert_eq!(order(&mut connection).await, "1a 1b 2c ");
        shift(&mut connection, ids[0], Direction::Down).await;
        assert_eq!(order(&mut connection).await, "1b 1a 2c ");
        shift(&mut connection, ids[0], Direction::Down).await;
        assert_eq!(order(&mut connection).await, "1b 2a 2c ");
        shift(&mut connection, ids[1], Direction::Up).await;
        assert_eq!(
            order(&mut connection).await,
            "1b 2a 2c ",
            "the first stays first"
        );
        shift(&mut connection, ids[0], Direction::Up).await;
        assert_eq!(order(&mut connection).await, "1b 1a 2c ");
        order::move_module(&mut connection, &course, second, Direction::Up, NOW)
            .await
            .unwrap();
        assert_eq!(order(&mut connection).await, "2c 1b 1a ");
        outline::remove_module(&mut connection, &course, first, NOW)
            .await
            .unwrap();
        assert_eq!(order(&mut connection).await, "2c ");
        let quiz = LessonKind::Quiz;
        let refused = outline::add_lesson(&mut connection, &course, second, "q", quiz, NOW).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "kind", .. })));
    }
}

#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_thing_and_none_in_another_course() {
    for (db, _folder) in both().await {
        let mut tx = db.write().await.unwrap();
        let here = area(&mut tx).await;
        let (ann, bob) = (teacher(&mut tx, here).await, teacher(&mut tx, here).await);
        let id = CourseId::new();
        let mut made = Vec::new();
        for _ in 0..2 {
            let course = store::create_as(&mut tx, id, ann, here, &draft("Bees"), NOW).await;
            made.push(course.unwrap());
        }
        assert!(made.iter().all(|course| course.course() == id));
        let stolen = store::create_as(&mut tx, id, bob, here, &draft("Ants"), NOW).await;
        assert!(matches!(stolen, Err(Error::NotFound)));
        assert_eq!(store::taught_by(&mut tx, ann).await.unwrap().len(), 1);
        assert!(store::taught_by(&mut tx, bob).await.unwrap().is_empty());

        let (own, (other, _)) = (made.remove(0), course(&mut tx, bob, here).await);
        let (module, lesson, kind) = (ModuleId::new(), LessonId::new(), LessonKind::Text);
        for _ in 0..2 {
            outline::add_module_as(&mut tx, &own, module, "Basics", NOW)
                .await
                .unwrap();
            outline::add_lesson_as(&mut tx, &own, lesson, module, "Hives", kind, NOW)
                .await
                .unwrap();
        }
        assert_eq!(outline::modules(&mut tx, &own).await.unwrap().len(), 1);
        assert_eq!(outline::lessons(&mut tx, &own).await.unwrap().len(), 1);
        let stolen = outline::add_module_as(&mut tx, &other, module, "x", NOW).await;
        assert!(matches!(stolen, Err(Error::NotFound)));
        let theirs = outline::modules(&mut tx, &other).await.unwrap()[0].id;
        let stolen = outline::add_lesson_as(&mut tx, &other, lesson, theirs, "x", kind, NOW).await;
        assert!(matches!(stolen, Err(Error::NotFound)));
    }
}

#[test]
fn an_id_that_no_page_can_have_made_is_not_taken() {
    let made = CourseId::new();
    assert_eq!(CourseId::of_form(Some(made)), made);
    for other in [
        "ffffffff-ffff-7fff-bfff-ffffffffffff",
        "00000000-0000-4000-8000-000000000000",
    ] {
        let other: CourseId = other.parse().unwrap();
        assert_ne!(CourseId::of_form(Some(other)), other);
    }
}
