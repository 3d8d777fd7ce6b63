//! What learners and the public see.

use serde::Serialize;

use super::pages;

/// `GET /courses`
#[derive(Clone, Debug, Serialize)]
pub struct CourseList {
    /// Published courses, newest first.
    pub courses: Vec<CourseCard>,
    /// The last of them, when there are more after it.
    pub more: Option<String>,
}

/// A course in a list.
#[derive(Clone, Debug, Serialize)]
pub struct CourseCard {
    /// Course.
    pub id: String,
    /// Title.
    pub title: String,
    /// Own name of its language.
    pub language: String,
    /// Path of its picture.
    pub cover: Option<String>,
    /// Estimated length.
    pub estimated_minutes: i64,
    /// Whether the reader is enrolled.
    pub enrolled: bool,
    /// Whether the reader has completed it.
    pub completed: bool,
    /// Share of its lessons that the reader completed, 0 to 100.
    pub percent: i64,
}

/// `GET /courses/{course_id}`
#[derive(Clone, Debug, Serialize)]
pub struct Course {
    /// The card.
    pub card: CourseCard,
    /// Description, plain paragraphs.
    pub description: Vec<String>,
    /// ISCED 2011 level.
    pub isced_level: i64,
    /// Modules in order.
    pub modules: Vec<Module>,
    /// Whether the reader teaches it.
    pub teaches: bool,
    /// Whether a visitor must sign in to enrol.
    pub signed_in: bool,
    /// Next lesson of an enrolled learner.
    pub next_lesson: Option<String>,
    /// Credential of a learner who completed it.
    pub credential: Option<String>,
    /// Why the learner's credential was revoked; the course is to be completed again.
    pub revoked: Option<String>,
}

/// A module of a course page.
#[derive(Clone, Debug, Serialize)]
pub struct Module {
    /// Title.
    pub title: String,
    /// Lessons in order.
    pub lessons: Vec<LessonLine>,
}

/// A lesson of a course page.
#[derive(Clone, Debug, Serialize)]
pub struct LessonLine {
    /// Lesson.
    pub id: String,
    /// Title.
    pub title: String,
    /// Length; 0 where there is none.
    pub duration_ms: i64,
    /// Watched share, 0 to 100.
    pub percent: i64,
    /// Whether it is complete.
    pub completed: bool,
}

/// `GET /courses/{course_id}/lessons/{lesson_id}`
#[derive(Clone, Debug, Serialize)]
pub struct Lesson {
    /// Course.
    pub course_id: String,
    /// Title of the course.
    pub course_title: String,
    /// Lesson.
    pub lesson_id: String,
    /// Title.
    pub title: String,
    /// The player; absent for a text lesson.
    pub player: Option<Player>,
    /// What happened in the class that the lesson was; absent for others.
    pub class: Option<ClassRecord>,
    /// Paragraphs of a text lesson.
    pub text: Vec<String>,
    /// Watched share, 0 to 100.
    pub percent: i64,
    /// Share that completes the lesson.
    pub required_percent: i64,
    /// Whether it is complete.
    pub completed: bool,
    /// Whether the learner may say that a text is read.
    pub can_finish: bool,
    /// Following lesson.
    pub next_lesson: Option<String>,
    /// Credential, once the course is complete.
    pub credential: Option<String>,
}

/// What the player's mount point needs.
#[derive(Clone, Debug, Serialize)]
pub struct Player {
    /// Timeline.
    pub timeline_id: String,
    /// Opaque id that keeps the evidence of people who share a phone apart.
    pub learner: String,
    /// Length.
    pub duration_ms: i64,
    /// Length in whole seconds.
    pub duration_s: i64,
    /// The rest of it is being prepared.
    pub unfinished: bool,
    /// Where what is shown begins; the length is its end.
    pub from_ms: i64,
    /// The same in whole seconds.
    pub from_s: i64,
    /// Where the learner was.
    pub position_ms: i64,
    /// Path of the poster.
    pub poster: Option<String>,
    /// Path of the HLS playlist.
    pub hls: String,
    /// Whole files.
    pub downloads: Vec<Download>,
    /// Pictures with their times.
    pub stills: Vec<Still>,
    /// Media fragment of the place that the address asks for; empty without one.
    pub fragment: String,
    /// Places to jump to.
    pub chapters: Vec<Chapter>,
    /// Text tracks.
    pub captions: Vec<Caption>,
}

/// A place to jump to.
#[derive(Clone, Debug, Serialize)]
pub struct Chapter {
    /// Where it begins.
    pub at_ms: i64,
    /// The same in whole seconds.
    pub at_s: i64,
    /// Word: `title`, `number`, `start`, `slide` or `board`.
    pub kind: String,
    /// Title, or name of the slides; empty without one.
    pub title: String,
    /// Number of the chapter, slide or page of the board.
    pub number: i64,
}

/// A text track.
#[derive(Clone, Debug, Serialize)]
pub struct Caption {
    /// Path.
    pub path: String,
    /// BCP 47, or empty.
    pub language: String,
    /// Name of the track.
    pub label: String,
}

/// What happened in a class that is a lesson now.
#[derive(Clone, Debug, Serialize)]
pub struct ClassRecord {
    /// Path of the pieces of its replay, without the number of a piece.
    pub pieces: String,
    /// When each piece begins, in milliseconds, with spaces between.
    pub starts: String,
    /// Whether anything was shown or drawn.
    pub board: bool,
    /// Messages of the chat, in order.
    pub chat: Vec<Said>,
    /// Messages that are not on this page.
    pub chat_left_out: i64,
    /// Slides that were shown.
    pub slides: Vec<Still>,
    /// Which part is shown, for teachers.
    pub trim: Option<TrimForm>,
}

/// A message of a class that is over.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// On the timeline.
    pub at_ms: i64,
    /// The same in whole seconds.
    pub at_s: i64,
    /// Who.
    pub name: String,
    /// What.
    pub text: String,
}

/// Which part of a recording is shown.
#[derive(Clone, Debug, Serialize)]
pub struct TrimForm {
    /// Path of the form.
    pub action: String,
    /// Begin as `m:ss`; empty: as recorded.
    pub from: String,
    /// End as `m:ss`; empty: as recorded.
    pub until: String,
    /// Whether anything is left out now.
    pub trimmed: bool,
}

/// A whole file.
#[derive(Clone, Debug, Serialize)]
pub struct Download {
    /// Path.
    pub path: String,
    /// Media type.
    pub media_type: String,
    /// Lines of the picture, 0 for sound alone.
    pub height: i64,
    /// Size.
    pub bytes: i64,
}

/// A picture of the lesson.
#[derive(Clone, Debug, Serialize)]
pub struct Still {
    /// Path.
    pub path: String,
    /// When it is shown.
    pub at_ms: i64,
    /// The same in whole seconds.
    pub at_s: i64,
}

/// `GET /learning`
#[derive(Clone, Debug, Serialize)]
pub struct MyLearning {
    /// The one big button.
    pub next: Option<NextLesson>,
    /// Under way.
    pub under_way: Vec<CourseCard>,
    /// Completed.
    pub completed: Vec<CourseCard>,
    /// Certificates.
    pub credentials: Vec<CredentialLine>,
}

/// Where to go on.
#[derive(Clone, Debug, Serialize)]
pub struct NextLesson {
    /// Course.
    pub course_id: String,
    /// Title of the course.
    pub course_title: String,
    /// Lesson.
    pub lesson_id: String,
    /// Title of the lesson.
    pub title: String,
    /// Path of a picture.
    pub picture: Option<String>,
    /// Watched share, 0 to 100.
    pub percent: i64,
}

/// A certificate in a list.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialLine {
    /// Credential.
    pub id: String,
    /// Course.
    pub course_title: String,
    /// When.
    pub issued_at: i64,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// `GET /credentials/{credential_id}`
#[derive(Clone, Debug, Serialize)]
pub struct Credential {
    /// Credential.
    pub id: String,
    /// Who.
    pub learner_name: String,
    /// What.
    pub course_title: String,
    /// By whom.
    pub issuer_name: String,
    /// When.
    pub issued_at: i64,
    /// ISCED 2011 level.
    pub isced_level: i64,
    /// Estimated length.
    pub estimated_minutes: i64,
    /// Lessons that were completed.
    pub lessons: Vec<CredentialLesson>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// Why it was revoked.
    pub revoked_reason: String,
    /// Public address.
    pub url: String,
}

/// What was watched of a lesson.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialLesson {
    /// Title.
    pub title: String,
    /// Watched share, 0 to 100.
    pub percent: i64,
}

/// `GET /plan`
#[derive(Clone, Debug, Serialize)]
pub struct MyPlan {
    /// Absent for a learner without a household or plan.
    pub plan: Option<super::support::Plan>,
}

pages! {
    CourseList => "course_list";
    Course => "course";
    Lesson => "lesson";
    MyLearning => "my_learning";
    Credential => "credential";
    MyPlan => "my_plan";
}
