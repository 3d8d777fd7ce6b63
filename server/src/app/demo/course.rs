//! The course of the demonstration: a lecture, a camera video and a text, prepared like every other.

use std::io::Write as _;

use sqlx::AnyConnection;

use super::people::{LEARNERS, People};
use super::{App, LOOK_EVERY};
use crate::clock::Timestamp;
use crate::completion;
use crate::courses::proof::{InCourse, InLesson};
use crate::courses::{Draft, LessonKind, outline, publish, store};
use crate::error::Error;
use crate::id::CourseId;
use crate::jobs::{self, Status};
use crate::learning::enrolment::Source;
use crate::people::Teacher;
use crate::people::accounts::{self, GivenName};
use crate::uploads::enqueue_file;
use crate::uploads::receive::Receiver;

/// Slides with speech, see `server/demo/README.md`.
const LECTURE: &[u8] = include_bytes!("../../../demo/lecture.mp4");
/// Camera-like pictures, see `server/demo/README.md`.
const NATURAL: &[u8] = include_bytes!("../../../demo/natural.mp4");
/// Titles of the video lessons, by which they are found again, and their files.
const VIDEOS: [(&str, &str, &[u8]); 2] = [
    ("蜂箱、春管与取蜜", "养蜂讲座.mp4", LECTURE),
    ("看一看：观察动物", "观察动物.mp4", NATURAL),
];

const TEXT: &str = "开箱检查记录表要写清楚日期、天气、蜂王情况、子脾数和存蜜。\n\n\
    每次检查只看需要看的巢脾，看完立即盖好。\n\n遇到群势突然下降，先找原因，再求助镇上的技术员。";

pub(super) async fn create(
    transaction: &mut AnyConnection,
    people: &People,
    now: Timestamp,
) -> Result<CourseId, Error> {
    let mut draft = Draft::new("养蜂入门", "zh-CN")?;
    draft.description = "零基础学养蜂：蜂箱怎么放，春天怎么管，什么时候取蜜。\n\n\
        流量省，手机就能学，网断了也不丢进度。"
        .to_owned();
    // ISCED-F 2013: crop and livestock production.
    draft.isced_field = "0811".to_owned();
    draft.estimated_minutes = 10;
    let (teacher, area) = (people.teacher, people.county);
    let course = store::create(&mut *transaction, teacher, area, &draft.checked()?, now).await?;
    let first = outline::add_module(&mut *transaction, &course, "基础", now).await?;
    let second = outline::add_module(&mut *transaction, &course, "动手", now).await?;
    for ((title, _, _), module) in VIDEOS.into_iter().zip([first, second]) {
        let kind = LessonKind::Video;
        outline::add_lesson(&mut *transaction, &course, module, title, kind, now).await?;
    }
    let (title, kind) = ("检查记录怎么写", LessonKind::Text);
    let text = outline::add_lesson(&mut *transaction, &course, second, title, kind, now).await?;
    outline::edit_lesson(transaction, &course, text, title, TEXT, now).await?;
    Ok(course.course())
}

/// Uploads what was not yet, waits until it is prepared, publishes and enrols.
pub(super) async fn prepare(app: &App) -> Result<(), Error> {
    let course = find(app).await?;
    let receiver = Receiver {
        db: app.db.clone(),
        objects: app.objects.clone(),
        clock: app.clock.clone(),
        stop: app.stop.clone(),
    };
    let count = VIDEOS.len();
    for (number, (title, file, bytes)) in (1..).zip(VIDEOS) {
        let lesson = lesson(app, &course, title).await?;
        let Some(lesson) = lesson else { continue };
        upload(app, &receiver, &lesson, file, bytes).await?;
        wait(
            app,
            &lesson,
            &format!("Preparing demo lesson {number} of {count}"),
        )
        .await?;
    }
    let now = app.clock.now();
    let mut transaction = app.db.write().await?;
    let draft = store::draft(&mut transaction, &course).await?;
    if draft.published_version_id.is_none() {
        match publish::publish(&mut transaction, &course, draft.revision, now).await {
            Ok(_) => {}
            // The rest of the demonstration can be used all the same.
            Err(Error::Conflict("lesson-not-ready")) => {
                line("The demo course is not published; the next start tries again.\n");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        // Half of the households have begun; the others still may.
        for (sign_in_name, _) in LEARNERS.iter().step_by(2) {
            let name = GivenName::new(sign_in_name);
            let found = accounts::by_name_or_phone(&mut transaction, &name).await?;
            let Some(learner) = found else { continue };
            let (source, by) = (Source::Plan, course.account());
            let id = course.course();
            completion::enrol(&mut transaction, id, learner.id, source, by, None, now).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

async fn find(app: &App) -> Result<InCourse<Teacher>, Error> {
    let mut connection = app.db.read().await?;
    let teacher = accounts::by_name_or_phone(&mut connection, &GivenName::new("teacher"))
        .await?
        .ok_or(Error::NotFound)?;
    let taught = store::taught_by(&mut connection, teacher.id).await?;
    // Later courses that somebody tried out come first in the list.
    let course = taught.last().ok_or(Error::NotFound)?.id;
    InCourse::prove(&mut connection, teacher.id, course).await
}

/// The lesson with this title, if it has no recording yet.
async fn lesson(
    app: &App,
    course: &InCourse<Teacher>,
    title: &str,
) -> Result<Option<InLesson<Teacher>>, Error> {
    let mut connection = app.db.read().await?;
    let lessons = outline::lessons(&mut connection, course).await?;
    let waiting = lessons
        .into_iter()
        .find(|lesson| lesson.title == title && lesson.timeline_id.is_none());
    match waiting {
        Some(lesson) => {
            let proof = InLesson::prove(&mut connection, course.account(), lesson.id).await?;
            Ok(Some(proof))
        }
        None => Ok(None),
    }
}

async fn upload(
    app: &App,
    receiver: &Receiver,
    lesson: &InLesson<Teacher>,
    name: &str,
    bytes: &'static [u8],
) -> Result<(), Error> {
    let mut connection = app.db.read().await?;
    let job = jobs::store::latest_of_lesson(&mut connection, lesson.lesson()).await?;
    drop(connection);
    match job.map(|job| job.status) {
        Some(Status::Queued | Status::Running | Status::Done) => return Ok(()),
        // What went wrong at an earlier start may be mended: begin again with a fresh file.
        Some(Status::Refused | Status::Failed | Status::Replaced) | None => {}
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(name);
    tokio::fs::write(&file, bytes).await?;
    let most = app.config.upload_max_bytes;
    enqueue_file(receiver, lesson, &file, "video/mp4", most).await?;
    Ok(())
}

async fn wait(app: &App, lesson: &InLesson<Teacher>, words: &str) -> Result<(), Error> {
    loop {
        let mut connection = app.db.read().await?;
        let job = jobs::store::latest_of_lesson(&mut connection, lesson.lesson()).await?;
        drop(connection);
        let job = job.ok_or_else(|| Error::Internal("the demo's job is gone".into()))?;
        line(&format!("\r{words}: {:3} %", job.permille / 10));
        match job.status {
            Status::Done => {
                line("\n");
                return Ok(());
            }
            Status::Queued | Status::Running => {}
            Status::Refused | Status::Failed | Status::Replaced => {
                line("\n");
                let status = job.status.word();
                tracing::error!(status, "a demo lesson could not be prepared");
                return Ok(());
            }
        }
        tokio::select! {
            () = app.stop.cancelled() => return Err(Error::Busy),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// For the eyes of whoever started the demonstration.
fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever closed the terminal does not miss the line.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
