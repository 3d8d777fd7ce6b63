//! The lesson page; a lesson that was a class shows besides what happened in it.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use millet_web::pages::learning as pages;
use serde::Deserialize;

use super::replay_routes::pieces_path;
use super::replays::Replays;
use super::room::chapters::{Chapter, Sight};
use super::room::replay::Replay;
use super::room::told::Deck;
use super::store::{self, Class};
use super::trimming;
use crate::db::Db;
use crate::error::Error;
use crate::form::Query;
use crate::learning::lesson_routes::{self, VisibleLesson};
use crate::people::view::View;
use crate::timelines::Timelines;
use crate::timelines::trim::Trim;

/// Messages on the page before all of them are asked for: a kilobyte or two on its way.
const MOST_CHAT: usize = 60;
/// Names of files are longer than a line of a phone.
const LONGEST_NAME: usize = 40;

/// `?t=…&chat=all`
#[derive(Deserialize)]
pub struct Asked {
    /// Begin there, in seconds on the timeline.
    t: Option<u32>,
    /// Any value: all of the chat.
    chat: Option<String>,
}

/// `GET /courses/{course_id}/lessons/{lesson_id}`
///
/// # Errors
/// When a store fails.
pub async fn lesson_page(
    visible: VisibleLesson,
    view: View,
    Query(asked): Query<Asked>,
    State(db): State<Db>,
    State(timelines): State<Timelines>,
    State(replays): State<Replays>,
) -> Result<Response, Error> {
    let lesson = visible.lesson().clone();
    let is_class = lesson.kind == "live";
    if is_class && lesson.duration_ms == 0 {
        let here = visible.path();
        return Ok(Redirect::to(&format!("{here}/live")).into_response());
    }
    let at_ms = asked.t.map(|seconds| i64::from(seconds) * 1000);
    let mut page = lesson_routes::describe(&visible, &db, &timelines, at_ms).await?;
    if is_class {
        let mut connection = db.read().await?;
        let class = store::class_of_lesson(&mut connection, lesson.lesson_id).await?;
        drop(connection);
        // Of a class that is being closed there is a moment without a recording.
        if let Some(class) = class.filter(|class| class.ended_at.is_some()) {
            let replay = replays.of(&class, lesson.trim).await?;
            let most = if asked.chat.is_some() {
                usize::MAX
            } else {
                MOST_CHAT
            };
            let mut record = record(&class, &replay, lesson.trim, most);
            let trims = visible.member().teacher().is_some() && page.player.is_some();
            record.trim = trims.then(|| trim_form(&class, lesson.trim));
            if let Some(player) = &mut page.player {
                player.chapters = chapters(&replay);
            }
            page.class = Some(record);
        }
    }
    view.page(&page)
}

fn number(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn record(class: &Class, replay: &Replay, trim: Trim, most_chat: usize) -> pages::ClassRecord {
    let starts: Vec<String> = replay
        .pieces
        .iter()
        .map(|piece| piece.from_ms.to_string())
        .collect();
    let left_out = replay.chat.len().saturating_sub(most_chat);
    pages::ClassRecord {
        pieces: pieces_path(class.id, trim),
        starts: starts.join(" "),
        board: !replay.slides.is_empty() || replay.strokes > 0,
        chat: replay
            .chat
            .iter()
            .take(most_chat)
            .map(|line| pages::Said {
                at_ms: number(line.at_ms),
                at_s: number(line.at_ms / 1000),
                name: line.name.clone(),
                text: line.text.clone(),
            })
            .collect(),
        chat_left_out: i64::try_from(left_out).unwrap_or(i64::MAX),
        slides: replay
            .slides
            .iter()
            .map(|slide| pages::Still {
                path: slide.path.clone(),
                at_ms: number(slide.at_ms),
                at_s: number(slide.at_ms / 1000),
            })
            .collect(),
        trim: None,
    }
}

fn trim_form(class: &Class, trim: Trim) -> pages::TrimForm {
    pages::TrimForm {
        action: format!("/live/{}/trim", class.id),
        from: if trim.from_ms > 0 {
            trimming::words(trim.from_ms)
        } else {
            String::new()
        },
        until: trim.until_ms.map(trimming::words).unwrap_or_default(),
        trimmed: !trim.is_whole(),
    }
}

fn chapters(replay: &Replay) -> Vec<pages::Chapter> {
    replay
        .chapters
        .iter()
        .map(|chapter| named(chapter, &replay.decks))
        .collect()
}

fn named(chapter: &Chapter, decks: &[Deck]) -> pages::Chapter {
    let (kind, title, count) = match chapter.sight {
        Sight::Start => ("start", String::new(), 0),
        Sight::Slide(deck, page) => {
            let deck = decks.iter().find(|own| own.id == deck);
            let name = deck.map_or("", |deck| deck.name.as_str());
            ("slide", short(name), i64::from(page) + 1)
        }
        // Blank pages beside the slides' count down from the last.
        Sight::Board(0) => ("board", String::new(), 1),
        Sight::Board(page) => ("board", String::new(), (101 - i64::from(page)).max(1)),
    };
    pages::Chapter {
        at_ms: number(chapter.at_ms),
        at_s: number(chapter.at_ms / 1000),
        kind: kind.to_owned(),
        title,
        number: count,
    }
}

/// A file's name without its ending.
fn short(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem.chars().count() <= LONGEST_NAME {
        return stem.to_owned();
    }
    let begin: String = stem.chars().take(LONGEST_NAME - 1).collect();
    format!("{begin}…")
}
