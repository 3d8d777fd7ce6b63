//! A published course with really prepared media, without a browser.

use std::path::Path;
use std::time::Duration;

use millet_server::clock::Clock;
use millet_server::courses::proof::{InCourse, InLesson};
use millet_server::courses::{Draft, LessonKind, outline, publish, store};
use millet_server::id::{CourseId, LessonId, TimelineId};
use millet_server::jobs::{Status, store::latest_of_lesson};
use millet_server::objects::Objects;
use millet_server::people::Teacher;
use millet_server::uploads::enqueue_file;
use millet_server::uploads::receive::Receiver;
use tokio_util::sync::CancellationToken;

use super::{Storage, Village, until};

/// A course that learners can take.
pub struct Course {
    /// Its id.
    pub id: CourseId,
    /// Its only lesson.
    pub lesson: LessonId,
    /// What the lesson shows.
    pub timeline: TimelineId,
}

impl Course {
    /// Uploads a recording, waits for the server's worker, and publishes.
    ///
    /// # Panics
    /// When the recording is not prepared in time.
    pub async fn publish(storage: &Storage, village: &Village, recording: &Path) -> Self {
        let (draft, lesson) = Self::upload(storage, village, recording).await;
        let timeline = until(
            "the recording is prepared",
            Duration::from_secs(180),
            || async {
                let mut connection = village.db.read().await.unwrap();
                let job = latest_of_lesson(&mut connection, lesson.lesson()).await;
                let done = job.unwrap().is_some_and(|job| job.status == Status::Done);
                let lessons = outline::lessons(&mut connection, &draft).await.unwrap();
                lessons[0].timeline_id.filter(|_| done)
            },
        )
        .await;
        let mut tx = village.db.write().await.unwrap();
        let revision = store::draft(&mut tx, &draft).await.unwrap().revision;
        publish::publish(&mut tx, &draft, revision, Village::now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            id: draft.course(),
            lesson: lesson.lesson(),
            timeline,
        }
    }

    /// A published course whose only lesson is a text.
    pub async fn text(village: &Village) -> (CourseId, LessonId) {
        Self::text_named(village, "Beekeeping").await
    }

    /// The same with a title.
    pub async fn text_named(village: &Village, title: &str) -> (CourseId, LessonId) {
        let now = Village::now();
        let mut tx = village.db.write().await.unwrap();
        let draft = Draft::new(title, "en").unwrap();
        let course = store::create(&mut tx, village.teacher, village.area, &draft, now)
            .await
            .unwrap();
        let module = outline::add_module(&mut tx, &course, "Basics", now)
            .await
            .unwrap();
        let kind = LessonKind::Text;
        let lesson = outline::add_lesson(&mut tx, &course, module, "Hives", kind, now)
            .await
            .unwrap();
        let body = "Bees live in hives.";
        outline::edit_lesson(&mut tx, &course, lesson, "Hives", body, now)
            .await
            .unwrap();
        let revision = store::draft(&mut tx, &course).await.unwrap().revision;
        publish::publish(&mut tx, &course, revision, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (course.course(), lesson)
    }

    /// A draft whose only lesson has a recording that waits for a worker.
    ///
    /// # Panics
    /// When the recording is refused.
    pub async fn upload(
        storage: &Storage,
        village: &Village,
        recording: &Path,
    ) -> (InCourse<Teacher>, InLesson<Teacher>) {
        let (draft, lesson) = Self::draft(village).await;
        let receiver = Receiver {
            db: village.db.clone(),
            objects: Objects::open(storage.objects()).await.unwrap(),
            clock: Clock::System,
            stop: CancellationToken::new(),
        };
        enqueue_file(&receiver, &lesson, recording, "video/mp4", 1 << 30)
            .await
            .unwrap();
        (draft, lesson)
    }

    /// A draft with one video lesson that has no recording yet.
    pub async fn draft(village: &Village) -> (InCourse<Teacher>, InLesson<Teacher>) {
        let now = Village::now();
        let mut tx = village.db.write().await.unwrap();
        let draft = Draft::new("Beekeeping", "en").unwrap();
        let (teacher, area) = (village.teacher, village.area);
        let course = store::create(&mut tx, teacher, area, &draft, now)
            .await
            .unwrap();
        let module = outline::add_module(&mut tx, &course, "Basics", now)
            .await
            .unwrap();
        let kind = LessonKind::Video;
        let lesson = outline::add_lesson(&mut tx, &course, module, "Hives", kind, now)
            .await
            .unwrap();
        let lesson = InLesson::prove(&mut tx, teacher, lesson).await.unwrap();
        tx.commit().await.unwrap();
        (course, lesson)
    }

    /// Path of the lesson's page.
    #[must_use]
    pub fn lesson_path(&self) -> String {
        format!("/courses/{}/lessons/{}", self.id, self.lesson)
    }
}
