//! What the editor shows of a lesson's recording: its newest upload, its job, or what came of it.

use millet_manifest::{Kind, Timeline, TitleClass};
use millet_web::pages::teaching as pages;
use sqlx::AnyConnection;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{LessonId, TimelineId};
use crate::jobs::{self, JobView, Status};
use crate::timelines;
use crate::uploads;

/// The state in one word, with what belongs to it.
#[derive(Clone, Debug)]
pub struct State {
    /// A word that `EditorLesson::state` lists.
    pub word: &'static str,
    /// Thousandths done.
    pub permille: i64,
    /// Word of a refusal's reason, else empty.
    pub reason: String,
}

impl State {
    fn of(word: &'static str) -> Self {
        Self {
            word,
            permille: 0,
            reason: String::new(),
        }
    }
}

/// Asks upload and job of one lesson.
///
/// # Errors
/// When the database fails.
pub async fn state(
    connection: &mut AnyConnection,
    lesson: LessonId,
    timeline: Option<TimelineId>,
    now: Timestamp,
) -> Result<State, Error> {
    let job = jobs::store::latest_of_lesson(&mut *connection, lesson).await?;
    let uploading = uploads::store::is_under_way(connection, lesson, now).await?;
    Ok(from(job, uploading, timeline.is_some()))
}

fn from(job: Option<JobView>, uploading: bool, has_timeline: bool) -> State {
    match job {
        Some(job) if job.status == Status::Queued => State::of("queued"),
        Some(job) if job.status == Status::Running => State {
            permille: job.permille,
            ..State::of("running")
        },
        _ if uploading => State::of("uploading"),
        Some(job) if job.status == Status::Refused => State {
            reason: job.reason.unwrap_or_default(),
            ..State::of("refused")
        },
        Some(job) if job.status == Status::Failed => State::of("failed"),
        _ if has_timeline => State::of("ready"),
        _ => State::of("empty"),
    }
}

/// The same for the lesson's own page, with what the ladder costs.
#[must_use]
pub fn page(state: &State, shown: Option<(TimelineId, &Timeline)>) -> pages::Media {
    let early = shown.is_some_and(|(_, timeline)| timeline.unfinished);
    // What it costs and what it was taken for is known of a whole one.
    let shown = shown.filter(|_| !early);
    pages::Media {
        early,
        state: state.word.to_owned(),
        permille: state.permille,
        reason: state.reason.clone(),
        duration_ms: shown.map_or(0, |(_, timeline)| number(timeline.duration_ms)),
        content: shown.map_or(String::new(), |(_, timeline)| content(timeline)),
        rungs: shown.map_or(Vec::new(), |(_, timeline)| rungs(timeline)),
        poster: shown.and_then(|(id, timeline)| {
            let poster = timeline.poster.as_ref()?;
            Some(timelines::path(id, &poster.file))
        }),
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn content(timeline: &Timeline) -> String {
    let class = timeline.decision.as_ref().map(|decision| decision.class);
    let word = match class {
        Some(TitleClass::Lecture) => "lecture",
        Some(TitleClass::TalkingHead) => "talking_head",
        Some(TitleClass::Natural) => "natural",
        Some(TitleClass::AudioOnly) => "audio_only",
        None => "",
    };
    word.to_owned()
}

/// As trial encodings measured it.
fn likeness_percent(timeline: &Timeline, rendition: &str) -> i64 {
    let decisions = timeline
        .decision
        .iter()
        .flat_map(|decision| &decision.rungs);
    decisions
        .filter(|rung| rung.rendition == rendition)
        .map(|rung| i64::from(rung.ssim_e4 / 100))
        .next()
        .unwrap_or(0)
}

/// What a learner pays in bytes for each rung, with the sound that comes along.
fn rungs(timeline: &Timeline) -> Vec<pages::RungSize> {
    let bytes = |rendition: &millet_manifest::Rendition| {
        let segments: u64 = rendition.segments.iter().map(|segment| segment.bytes).sum();
        rendition.init.bytes + segments
    };
    let sound = timeline
        .renditions
        .iter()
        .filter(|rendition| rendition.kind == Kind::Audio)
        .map(bytes)
        .min()
        .unwrap_or(0);
    let mut rungs: Vec<pages::RungSize> = timeline
        .renditions
        .iter()
        .filter(|rendition| rendition.kind != Kind::Audio)
        .map(|rendition| pages::RungSize {
            kind: match rendition.kind {
                Kind::Stills => "stills",
                _ => "video",
            }
            .to_owned(),
            height: i64::from(rendition.height),
            bytes: number(bytes(rendition) + sound),
            likeness_percent: likeness_percent(timeline, &rendition.id),
        })
        .collect();
    if sound > 0 {
        rungs.push(pages::RungSize {
            kind: "audio".to_owned(),
            height: 0,
            bytes: number(sound),
            likeness_percent: 0,
        });
    }
    rungs.sort_by_key(|rung| rung.bytes);
    rungs
}
