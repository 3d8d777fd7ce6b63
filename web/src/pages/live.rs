//! Live classes: scheduling, finding, waiting, joining, the class itself, attendance.

use serde::Serialize;

use super::pages;
use super::teaching::Choice;

/// `GET /live/{class_id}`: everything of it is useful without script.
#[derive(Clone, Debug, Serialize)]
pub struct Class {
    /// Class.
    pub class_id: String,
    /// Course.
    pub course_id: String,
    /// Title of the class.
    pub title: String,
    /// Title of the course.
    pub course_title: String,
    /// Word: `scheduled` (leaders only), `open` or `ended`.
    pub state: String,
    /// When it begins.
    pub starts_at: i64,
    /// The same in words of the class's time zone.
    pub starts: String,
    /// IANA name.
    pub time_zone: String,
    /// The reader's part: `observer`, `learner`, `co_host` or `host`.
    pub role: String,
    /// Whether the reader leads.
    pub leads: bool,
    /// Whether the reader has no account of the school.
    pub guest: bool,
    /// Timeline of the class.
    pub timeline_id: String,
    /// Opaque id that keeps what people who share a phone leave in it apart.
    pub learner: String,
    /// Path of the endless sound, without script.
    pub sound: String,
    /// Path of the HLS playlist, without script.
    pub hls: String,
    /// Path of the publishing socket; empty for who does not lead.
    pub publish: String,
    /// Where slides are uploaded; empty for who does not lead.
    pub decks: String,
    /// Class code for people without an account; empty where the teacher allows none, or for who
    /// does not lead.
    pub code: String,
    /// Sentence at the top.
    pub announcement: String,
    /// Path of the picture of the slide that is shown; absent without one.
    pub slide: Option<String>,
    /// People in the room now.
    pub present: i64,
    /// The newest messages of the chat that everybody reads.
    pub chat: Vec<ChatLine>,
    /// Whether the reader may say something.
    pub may_say: bool,
    /// Those who wait to be let in, for leaders.
    pub waits: Vec<Waiting>,
    /// Questions that are open, or were.
    pub polls: Vec<Poll>,
    /// Path of the lesson that the class became, once it ended.
    pub lesson: Option<String>,
    /// Keys with which encoders publish; for leaders.
    pub keys: Vec<Key>,
    /// Secret of the key that was just made, shown once; empty otherwise.
    pub new_key: String,
}

/// A message of the chat.
#[derive(Clone, Debug, Serialize)]
pub struct ChatLine {
    /// Sequence of its event.
    pub sequence: i64,
    /// On the timeline.
    pub at_ms: i64,
    /// Who.
    pub name: String,
    /// What.
    pub text: String,
}

/// Somebody who waits.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// Participant.
    pub id: String,
    /// Name.
    pub name: String,
}

/// A question.
#[derive(Clone, Debug, Serialize)]
pub struct Poll {
    /// Poll.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// Answers to choose from.
    pub options: Vec<PollOption>,
    /// Whether the reader can answer now.
    pub may_answer: bool,
    /// Whether it is closed.
    pub closed: bool,
}

/// An answer to choose.
#[derive(Clone, Debug, Serialize)]
pub struct PollOption {
    /// Index.
    pub index: i64,
    /// Words.
    pub text: String,
    /// How many chose it; 0 where that is not shown.
    pub count: i64,
    /// Whether the reader chose it.
    pub own: bool,
    /// Whether it is right, once that may be known.
    pub right: bool,
}

/// A key with which an encoder publishes.
#[derive(Clone, Debug, Serialize)]
pub struct Key {
    /// Key.
    pub id: String,
    /// When it was made.
    pub created_at: i64,
}

/// `GET /live/{class_id}` before it is open, while a guest waits, and of a cancelled class.
#[derive(Clone, Debug, Serialize)]
pub struct Lobby {
    /// Class.
    pub class_id: String,
    /// Course.
    pub course_id: String,
    /// Title of the class.
    pub title: String,
    /// Title of the course.
    pub course_title: String,
    /// Word: `scheduled`, `waiting` or `cancelled`.
    pub state: String,
    /// When it begins, in words of the class's time zone.
    pub starts: String,
    /// IANA name.
    pub time_zone: String,
    /// Whether the reader has no account of the school.
    pub guest: bool,
}

/// `GET /live`: classes of the reader's courses.
#[derive(Clone, Debug, Serialize)]
pub struct ClassList {
    /// Open now.
    pub open: Vec<ClassLine>,
    /// To come, soonest first.
    pub upcoming: Vec<ClassLine>,
    /// Over, newest first.
    pub ended: Vec<ClassLine>,
}

/// A class in a list.
#[derive(Clone, Debug, Serialize)]
pub struct ClassLine {
    /// Class.
    pub id: String,
    /// Title.
    pub title: String,
    /// Title of the course.
    pub course_title: String,
    /// When it begins, in words of the class's time zone.
    pub starts: String,
    /// IANA name.
    pub time_zone: String,
    /// Word: `scheduled`, `open`, `ended` or `cancelled`.
    pub state: String,
    /// Whether a reminder waits to be read.
    pub reminded: bool,
}

/// `GET /teach/courses/{course_id}/live`
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    /// Course.
    pub course_id: String,
    /// Title of the course.
    pub course_title: String,
    /// Classes of the course.
    pub classes: Vec<ScheduledClass>,
    /// Modules that a class can be a lesson of.
    pub modules: Vec<Choice>,
    /// The form, as typed before or as proposed.
    pub form: ScheduleForm,
    /// Whether the course must be published for a class to count.
    pub unpublished: bool,
    /// Longest title, in characters.
    pub longest_title: usize,
}

/// A class as its teacher sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduledClass {
    /// The line.
    pub line: ClassLine,
    /// Date for a form, `YYYY-MM-DD`.
    pub date: String,
    /// Time for a form, `HH:MM`.
    pub time: String,
    /// Planned length.
    pub minutes: i64,
    /// Minutes before the start when learners are reminded; empty for never.
    pub remind: String,
    /// Whether guests are let in.
    pub guests: bool,
    /// Whether guests wait to be let in.
    pub lobby: bool,
    /// Class code; empty where guests are not let in.
    pub code: String,
    /// Whether it can be changed.
    pub changeable: bool,
    /// Whether others of the same series follow.
    pub series: bool,
}

/// What a teacher types for a new class.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ScheduleForm {
    /// Id of the class that it makes, so that a form that is sent twice makes one.
    pub id: String,
    /// Title.
    pub title: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// `HH:MM`.
    pub time: String,
    /// IANA name.
    pub time_zone: String,
    /// Planned length.
    pub minutes: i64,
}

/// `GET /join`
#[derive(Clone, Debug, Default, Serialize)]
pub struct Join {
    /// What was typed.
    pub code: String,
    /// What was typed.
    pub name: String,
    /// Key of the sentence that says why it was refused; empty at first.
    pub refusal: String,
    /// Whether the reader is signed in, so that no name is asked.
    pub signed_in: bool,
}

/// `GET /live/{class_id}/attendance`
#[derive(Clone, Debug, Serialize)]
pub struct Attendance {
    /// Class.
    pub class_id: String,
    /// Course.
    pub course_id: String,
    /// Title of the class.
    pub title: String,
    /// When it began or is to begin, in words.
    pub starts: String,
    /// IANA name.
    pub time_zone: String,
    /// Length so far, in whole minutes.
    pub minutes: i64,
    /// Everybody who takes the course or came.
    pub people: Vec<Attendee>,
}

/// What one person attended.
#[derive(Clone, Debug, Serialize)]
pub struct Attendee {
    /// Name.
    pub name: String,
    /// Part: `observer`, `learner`, `co_host` or `host`.
    pub role: String,
    /// Whether it is somebody without an account of the school.
    pub guest: bool,
    /// Whether the person was ever in the room.
    pub came: bool,
    /// Minutes that were really played.
    pub minutes: i64,
    /// The same of the whole class, 0 to 100.
    pub percent: i64,
    /// Whether the lesson is complete.
    pub completed: bool,
}

pages! {
    Class => "class";
    Lobby => "lobby";
    ClassList => "class_list";
    Schedule => "schedule";
    Join => "join";
    Attendance => "attendance";
}
