//! What teachers see.

use serde::Serialize;

use super::pages;

/// `GET /teach`
#[derive(Clone, Debug, Serialize)]
pub struct Teaching {
    /// Courses that the reader teaches.
    pub courses: Vec<TaughtCourse>,
    /// Areas where a new course can be offered.
    pub areas: Vec<Choice>,
    /// Languages of courses.
    pub languages: Vec<Choice>,
    /// Id of the course that the form makes.
    pub new_course_id: String,
    /// What the server takes.
    pub longest: Longest,
}

/// Longest texts of a course's forms, in characters.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Longest {
    /// Of a title.
    pub title: usize,
    /// Of a description.
    pub description: usize,
    /// Of a lesson's text.
    pub body: usize,
}

/// One choice of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// Value of the field.
    pub value: String,
    /// What people read.
    pub name: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// A course in the teacher's list.
#[derive(Clone, Debug, Serialize)]
pub struct TaughtCourse {
    /// Course.
    pub id: String,
    /// Title.
    pub title: String,
    /// Number of the published version; 0 for a draft.
    pub version: i64,
    /// Enrolled learners.
    pub learners: i64,
}

/// `GET /teach/courses/{course_id}`
#[derive(Clone, Debug, Serialize)]
pub struct CourseEditor {
    /// Course.
    pub id: String,
    /// Count of changes, sent back with every form.
    pub revision: i64,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Languages of courses.
    pub languages: Vec<Choice>,
    /// ISCED 2011 levels.
    pub isced_levels: Vec<Choice>,
    /// ISCED-F 2013 detailed field.
    pub isced_field: String,
    /// Estimated length.
    pub estimated_minutes: i64,
    /// Share of a lesson that must be watched.
    pub required_percent: i64,
    /// Path of the picture.
    pub cover: Option<String>,
    /// Modules.
    pub modules: Vec<EditorModule>,
    /// Id of the module that the form adds.
    pub new_module_id: String,
    /// Number of the published version; 0 for a draft.
    pub version: i64,
    /// Whether every lesson can be published now.
    pub publishable: bool,
    /// Whether the draft differs from the published version.
    pub changed: bool,
    /// What the server takes.
    pub longest: Longest,
}

/// A module of the editor.
#[derive(Clone, Debug, Serialize)]
pub struct EditorModule {
    /// Module.
    pub id: String,
    /// Title.
    pub title: String,
    /// Lessons.
    pub lessons: Vec<EditorLesson>,
    /// Id of the lesson that the form adds.
    pub new_lesson_id: String,
}

/// A lesson of the editor.
#[derive(Clone, Debug, Serialize)]
pub struct EditorLesson {
    /// Lesson.
    pub id: String,
    /// Title.
    pub title: String,
    /// Word of the kind.
    pub kind: String,
    /// Word of the state of its media: `empty`, `uploading`, `queued`, `running`, `ready`, `refused`, `failed`.
    pub state: String,
}

/// `GET /teach/courses/{course_id}/lessons/{lesson_id}`
#[derive(Clone, Debug, Serialize)]
pub struct LessonEditor {
    /// Course.
    pub course_id: String,
    /// Title of the course.
    pub course_title: String,
    /// Lesson.
    pub lesson_id: String,
    /// Title.
    pub title: String,
    /// Word of the kind.
    pub kind: String,
    /// Text of a text lesson.
    pub body: String,
    /// State of the media.
    pub media: Media,
    /// Captions of the recording; absent until it is ready.
    pub captions: Option<LessonCaptions>,
    /// Largest upload.
    pub upload_max_bytes: i64,
    /// What the server takes.
    pub longest: Longest,
}

/// Captions of a recording, and the form for more.
#[derive(Clone, Debug, Serialize)]
pub struct LessonCaptions {
    /// The recording.
    pub timeline_id: String,
    /// What teachers gave.
    pub given: Vec<GivenCaptions>,
    /// Languages to choose from.
    pub languages: Vec<Choice>,
    /// Largest file.
    pub most_bytes: i64,
}

/// Captions that a teacher gave.
#[derive(Clone, Debug, Serialize)]
pub struct GivenCaptions {
    /// Id.
    pub id: String,
    /// Path of the file.
    pub path: String,
    /// BCP 47.
    pub language: String,
    /// Name of the language in itself.
    pub name: String,
}

/// State of a lesson's media.
#[derive(Clone, Debug, Serialize)]
pub struct Media {
    /// As in [`EditorLesson::state`].
    pub state: String,
    /// Thousandths done, of a running job.
    pub permille: i64,
    /// Word of the reason, of a refused job; empty otherwise.
    pub reason: String,
    /// Its beginning is shown, while the rest is prepared.
    pub early: bool,
    /// Length, when it is ready.
    pub duration_ms: i64,
    /// Word of what the recording was taken for: `lecture`, `talking_head`, `natural`, `audio_only`; empty when
    /// it is not known.
    pub content: String,
    /// What the ladder costs a learner, when it is ready.
    pub rungs: Vec<RungSize>,
    /// Where to preview it.
    pub poster: Option<String>,
}

/// Bytes of one rung for the whole lesson, sound included.
#[derive(Clone, Debug, Serialize)]
pub struct RungSize {
    /// Word: `audio`, `stills` or `video`.
    pub kind: String,
    /// Lines of the picture.
    pub height: i64,
    /// Size.
    pub bytes: i64,
    /// Structural similarity to the recording at this size, hundredths; 0 when it was not measured.
    pub likeness_percent: i64,
}

/// `GET /teach/courses/{course_id}/learners`
#[derive(Clone, Debug, Serialize)]
pub struct Learners {
    /// Course.
    pub course_id: String,
    /// Title.
    pub course_title: String,
    /// Enrolled learners.
    pub learners: Vec<Learner>,
    /// Cohorts.
    pub cohorts: Vec<Choice>,
    /// Errors of a refused list, by line.
    pub errors: Vec<LineError>,
    /// What was typed, kept after a refusal.
    pub lines: String,
    /// Id of the cohort that the form adds.
    pub new_cohort_id: String,
    /// Longest name of a cohort, in characters.
    pub longest_name: usize,
}

/// A learner of a course.
#[derive(Clone, Debug, Serialize)]
pub struct Learner {
    /// Account.
    pub account_id: String,
    /// Name.
    pub name: String,
    /// Cohort; empty without one.
    pub cohort: String,
    /// Share of completed lessons, 0 to 100.
    pub percent: i64,
    /// Whether the course is complete.
    pub completed: bool,
    /// What that led to.
    pub credential_id: Option<String>,
    /// Whether the credential was revoked.
    pub revoked: bool,
    /// Id of the card that the form prints.
    pub card_id: String,
}

/// An error of a list.
#[derive(Clone, Debug, Serialize)]
pub struct LineError {
    /// Line, from 1.
    pub line: i64,
    /// Column.
    pub column: String,
    /// Text key below `line-`.
    pub reason: String,
}

pages! {
    Teaching => "teaching";
    CourseEditor => "course_editor";
    LessonEditor => "lesson_editor";
    Learners => "learners";
}
