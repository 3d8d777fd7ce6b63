//! The lesson page: the player for a video, the words of a text. What a class adds to it is `live`'s.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use millet_manifest::Timeline;
use millet_web::pages::learning as pages;
use sha2::{Digest as _, Sha256};

use super::access::CourseMember;
use super::routes::paragraphs;
use super::{credentials, progress};
use crate::clock::Clock;
use crate::courses::captions::{self, Given};
use crate::courses::publish::{self, PublishedLesson};
use crate::courses::{outline, store};
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, LessonId, TimelineId};
use crate::people::access::path_id;
use crate::timelines::trim::Trim;
use crate::timelines::{self, Timelines};

/// Proof that the lesson `{lesson_id}` of the path is one that the member of the course sees.
#[derive(Clone, Debug)]
pub struct VisibleLesson {
    member: CourseMember,
    course_title: String,
    required_percent: i64,
    lessons: Vec<PublishedLesson>,
    at: usize,
}

impl VisibleLesson {
    /// Who, and as what.
    #[must_use]
    pub fn member(&self) -> &CourseMember {
        &self.member
    }

    /// The lesson.
    #[must_use]
    pub fn lesson(&self) -> &PublishedLesson {
        &self.lessons[self.at]
    }

    /// Path of its page.
    #[must_use]
    pub fn path(&self) -> String {
        let course = self.member.course();
        format!("/courses/{course}/lessons/{}", self.lesson().lesson_id)
    }
}

impl<S> FromRequestParts<S> for VisibleLesson
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let member = CourseMember::from_request_parts(parts, state).await?;
        let lesson: LessonId = path_id(parts, state, "lesson_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        let (course_title, required_percent, lessons) = match (member.enrolment(), member.teacher())
        {
            (Some(enrolment), _) => {
                let version = publish::version(&mut connection, enrolment.version_id).await?;
                let lessons = publish::lessons(&mut connection, enrolment.version_id).await?;
                (version.title, version.required_percent, lessons)
            }
            (None, Some(teacher)) => {
                let draft = store::draft(&mut connection, teacher).await?;
                let lessons = outline::preview(&mut connection, teacher).await?;
                (draft.title, draft.required_percent, lessons)
            }
            (None, None) => return Err(Error::NotFound),
        };
        let at = lessons.iter().position(|own| own.lesson_id == lesson);
        Ok(Self {
            member,
            course_title,
            required_percent,
            lessons,
            at: at.ok_or(Error::NotFound)?,
        })
    }
}

/// The page of a lesson. With `at_ms` it begins there, also without script.
///
/// # Errors
/// When a store fails.
pub async fn describe(
    visible: &VisibleLesson,
    db: &Db,
    timelines: &Timelines,
    at_ms: Option<i64>,
) -> Result<pages::Lesson, Error> {
    let lesson = visible.lesson().clone();
    let account = visible.member.account();
    let mut connection = db.read().await?;
    let (mut percent, mut position_ms) = (0, 0);
    let mut given = Vec::new();
    if let Some(timeline) = lesson.timeline_id {
        let watched =
            progress::of_timeline(&mut connection, account, lesson.lesson_id, timeline).await?;
        percent = watched.percent_of(lesson.duration_ms);
        position_ms = progress::position_ms(&mut connection, account, timeline).await?;
        given = captions::of(&mut connection, timeline).await?;
    }
    let (mut completed, mut credential) = (false, None);
    if let Some(enrolment) = visible.member.enrolment() {
        let done = progress::completed(&mut connection, account, enrolment.version_id).await?;
        completed = done.iter().any(|done| done.lesson_id == lesson.lesson_id);
        let own = credentials::of_account(&mut connection, account).await?;
        credential = own
            .into_iter()
            .find(|own| own.course_id == visible.member.course() && own.revoked_at.is_none());
    }
    drop(connection);
    let trim = lesson.trim;
    // Whoever saw the end begins again at the start.
    if position_ms + 2_000 >= trim.from_ms + lesson.duration_ms {
        position_ms = 0;
    }
    let place = Place {
        trim,
        position_ms: at_ms.unwrap_or(position_ms).max(trim.from_ms),
        asked: at_ms.is_some(),
    };
    let player = match lesson.timeline_id {
        Some(id) => match timelines.shown(id, trim).await {
            Ok(described) => Some(player(id, &described, &given, account, place)),
            // A class in which nothing was recorded.
            Err(Error::NotFound) if lesson.kind == "live" => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    Ok(pages::Lesson {
        course_id: visible.member.course().to_string(),
        course_title: visible.course_title.clone(),
        lesson_id: lesson.lesson_id.to_string(),
        title: lesson.title,
        player,
        class: None,
        text: paragraphs(&lesson.body),
        percent,
        required_percent: visible.required_percent,
        completed,
        can_finish: !completed && lesson.kind == "text" && visible.member.enrolment().is_some(),
        next_lesson: visible
            .lessons
            .get(visible.at + 1)
            .map(|next| next.lesson_id.to_string()),
        credential: credential.map(|credential| credential.id.to_string()),
    })
}

/// Where the player begins.
#[derive(Clone, Copy)]
struct Place {
    trim: Trim,
    position_ms: i64,
    /// The address says so.
    asked: bool,
}

fn player(
    id: TimelineId,
    timeline: &Timeline,
    given: &[Given],
    account: AccountId,
    place: Place,
) -> pages::Player {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let from_ms = place.trim.from_ms;
    let into_s = (place.position_ms - from_ms) / 1000;
    pages::Player {
        timeline_id: id.to_string(),
        learner: opaque(account),
        duration_ms: number(timeline.duration_ms),
        duration_s: number(timeline.duration_ms.div_ceil(1000)),
        unfinished: timeline.unfinished,
        from_ms,
        from_s: from_ms / 1000,
        position_ms: place.position_ms,
        // A media fragment: files begin where the shown part does.
        fragment: if place.asked {
            format!("#t={into_s}")
        } else {
            String::new()
        },
        chapters: (1..)
            .zip(&timeline.chapters)
            .map(|(count, chapter)| {
                let at_ms = number(chapter.start_ms);
                let kind = if chapter.title.is_some() {
                    "title"
                } else {
                    "number"
                };
                pages::Chapter {
                    at_ms,
                    at_s: at_ms / 1000,
                    kind: kind.to_owned(),
                    title: chapter.title.clone().unwrap_or_default(),
                    number: count,
                }
            })
            .collect(),
        captions: texts(id, timeline, given),
        poster: timeline
            .poster
            .as_ref()
            .map(|poster| timelines::path(id, &poster.file)),
        hls: timelines::path(id, &timeline.hls),
        downloads: timeline
            .downloads
            .iter()
            .map(|download| pages::Download {
                path: timelines::path(id, &download.file),
                media_type: download.media_type.clone(),
                height: timeline
                    .rendition(&download.rendition)
                    .map_or(0, |rendition| i64::from(rendition.height)),
                bytes: number(download.bytes),
            })
            .collect(),
        stills: timeline
            .stills
            .iter()
            .map(|still| pages::Still {
                path: timelines::path(id, &still.file),
                at_ms: number(still.at_ms),
                at_s: number(still.at_ms / 1000),
            })
            .collect(),
    }
}

/// What the teacher gave comes before what the recording brought.
fn texts(id: TimelineId, timeline: &Timeline, given: &[Given]) -> Vec<pages::Caption> {
    let given = given.iter().map(|own| pages::Caption {
        path: timelines::path(id, &own.file()),
        language: own.language.clone(),
        label: own.label().to_owned(),
    });
    let brought = timeline.captions.iter().map(|caption| pages::Caption {
        path: timelines::path(id, &caption.file),
        language: caption.language.clone().unwrap_or_default(),
        label: caption
            .label
            .clone()
            .or_else(|| caption.language.clone())
            .unwrap_or_default(),
    });
    given.chain(brought).collect()
}

/// Tells accounts on a shared phone apart without naming them.
#[must_use]
pub fn opaque(account: AccountId) -> String {
    let hash = Sha256::digest(format!("millet player {account}").as_bytes());
    hex::encode(&hash[..8])
}
