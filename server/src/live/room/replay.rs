//! The recording of a class beside its sound and picture: pieces of the journal, each with the room as it
//! was where the piece begins, so that whoever jumps reads one piece and not all before it.
//!
//! What is in it is the same for everybody; [`super::view::in_recording`] decides.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;
use ts_rs::TS;

use super::act::{Act, Role, Stroke};
use super::chapters::{self, Chapter};
use super::limits::{CHAT_SHOWN, PIECE_BYTES, PIECE_MS};
use super::state::State;
use super::told::{ChatLine, Deck, Event, Happened, Person};
use super::view::in_recording;
use crate::id::{DeckId, ParticipantId, StrokeId};

/// A page of the board where a piece begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct RecordedPage {
    /// Page of the board.
    pub page: u16,
    /// Lines, in order; neighbours of one colour and width are joined.
    pub strokes: Vec<Stroke>,
    /// Lines that are not joined with others, since the piece takes them away.
    #[ts(type = "string[]")]
    pub alone: Vec<StrokeId>,
}

/// The room where a piece begins, as far as the piece needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct RecordedRoom {
    /// Events up to this one are in it.
    #[ts(type = "number")]
    pub sequence: u64,
    /// Who writes in this piece.
    pub people: Vec<Person>,
    /// Slides that are shown in this piece.
    pub decks: Vec<Deck>,
    /// The slide shown: deck and page.
    #[ts(type = "[string, number] | null")]
    pub slide: Option<(DeckId, u16)>,
    /// Page of the board that is shown.
    pub board_page: u16,
    /// Pages of the board that are shown in this piece.
    pub pages: Vec<RecordedPage>,
    /// The newest messages.
    pub chat: Vec<ChatLine>,
    /// Sentence at the top.
    pub announcement: String,
}

/// What `GET /live/{class_id}/replay` answers with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct RecordedPiece {
    /// Where it begins, on the class's timeline.
    #[ts(type = "number")]
    pub from_ms: u64,
    /// The room there.
    pub room: RecordedRoom,
    /// What happened until the next piece.
    pub events: Vec<Event>,
}

/// A piece as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub from_ms: u64,
    /// A [`RecordedPiece`].
    pub json: Bytes,
}

/// A slide that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slide {
    /// When it was shown first.
    pub at_ms: u64,
    /// Path of its picture.
    pub path: String,
}

/// Everything that is kept of a class beside sound and picture.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// In order, without gaps; at least one.
    pub pieces: Vec<Piece>,
    /// Places to jump to.
    pub chapters: Vec<Chapter>,
    /// What was written for all, in order.
    pub chat: Vec<ChatLine>,
    /// Slides in the order in which they were shown.
    pub slides: Vec<Slide>,
    /// All slides, for their names.
    pub decks: Vec<Deck>,
    /// Lines and pieces of lines that are in it.
    pub strokes: usize,
    /// The class has ended: nothing is added any more.
    pub complete: bool,
}

impl Replay {
    /// Bytes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(|piece| piece.json.len()).sum();
        let chat: usize = self.chat.iter().map(|line| line.text.len() + 200).sum();
        pieces + chat + self.slides.len() * 200
    }
}

/// Makes the recording of the part that is shown.
///
/// # Errors
/// When something cannot be written as JSON.
pub fn replay(events: &[Event], shown: &Range<u64>) -> Result<Replay, serde_json::Error> {
    let mut made = Replay {
        chapters: chapters::chapters(events, shown),
        complete: events.iter().any(|event| event.happened == Happened::Ended),
        ..Replay::default()
    };
    let hidden = hidden(events);
    let mut state = State::default();
    let before = events.partition_point(|event| event.at_ms < shown.start);
    for event in &events[..before] {
        state.apply(event);
    }
    if let Some(path) = state.slide.and_then(|slide| picture(&state.decks, slide)) {
        made.slides.push(Slide {
            at_ms: shown.start,
            path,
        });
    }
    made.strokes = state.board.lines(state.board_page);
    let mut piece = Open::new(&state, shown.start);
    for event in &events[before..] {
        let goes_on = event.at_ms < shown.end;
        if goes_on && in_recording(&event.happened) && !hidden.contains(&event.sequence) {
            let bytes = serde_json::to_vec(event)?.len();
            if !piece.holds(event, bytes) {
                made.pieces.push(piece.close(&hidden, shown)?);
                piece = Open::new(&state, event.at_ms);
            }
            piece.push(event, bytes, &state);
            note(&mut made, event, &state);
        }
        if goes_on {
            state.apply(event);
        }
    }
    made.pieces.push(piece.close(&hidden, shown)?);
    made.decks = state.decks;
    Ok(made)
}

/// Messages that somebody took out of sight, now or later.
fn hidden(events: &[Event]) -> BTreeSet<u64> {
    let hides = |event: &Event| match &event.happened {
        Happened::Done {
            act: Act::HideChat { sequence },
            ..
        } => Some(*sequence),
        _ => None,
    };
    events.iter().filter_map(hides).collect()
}

fn name(state: &State, who: ParticipantId) -> String {
    let member = state.people.get(&who);
    member.map_or_else(String::new, |member| member.person.name.clone())
}

fn picture(decks: &[Deck], (deck, page): (DeckId, u16)) -> Option<String> {
    let deck = decks.iter().find(|own| own.id == deck)?;
    deck.pages.get(usize::from(page)).cloned()
}

/// Keeps what the page shows without script.
fn note(made: &mut Replay, event: &Event, state: &State) {
    let Happened::Done { by, act } = &event.happened else {
        return;
    };
    match act {
        Act::Chat { text, group } => made.chat.push(ChatLine {
            sequence: event.sequence,
            at_ms: event.at_ms,
            by: *by,
            name: name(state, *by),
            text: text.clone(),
            group: *group,
        }),
        Act::ShowSlide {
            deck: Some(deck),
            page,
        } => {
            let path = picture(&state.decks, (*deck, *page));
            let new = path.filter(|path| made.slides.iter().all(|slide| slide.path != *path));
            made.slides.extend(new.map(|path| Slide {
                at_ms: event.at_ms,
                path,
            }));
        }
        Act::Draw { .. } => made.strokes += 1,
        _ => {}
    }
}

/// A piece that is being made.
struct Open {
    from_ms: u64,
    start: State,
    events: Vec<Event>,
    bytes: usize,
    people: BTreeMap<ParticipantId, String>,
    decks: BTreeSet<DeckId>,
    pages: BTreeSet<u16>,
    undone: BTreeSet<StrokeId>,
    /// Slides that were added meanwhile.
    known: Vec<Deck>,
}

impl Open {
    fn new(state: &State, from_ms: u64) -> Self {
        Self {
            from_ms,
            events: Vec::new(),
            bytes: 0,
            people: BTreeMap::new(),
            decks: state.slide.iter().map(|(deck, _)| *deck).collect(),
            pages: BTreeSet::from([state.board_page]),
            undone: BTreeSet::new(),
            known: state.decks.clone(),
            start: state.clone(),
        }
    }

    /// Whether an event still belongs to it. No two pieces begin at one moment.
    fn holds(&self, event: &Event, bytes: usize) -> bool {
        let full = self.bytes + bytes > PIECE_BYTES || event.at_ms >= self.from_ms + PIECE_MS;
        !full || event.at_ms == self.from_ms
    }

    fn push(&mut self, event: &Event, bytes: usize, state: &State) {
        if let Happened::Done { by, act } = &event.happened {
            match act {
                Act::Chat { .. } => {
                    self.people.insert(*by, name(state, *by));
                }
                Act::ShowSlide {
                    deck: Some(deck), ..
                } => {
                    self.decks.insert(*deck);
                    self.known.clone_from(&state.decks);
                }
                Act::TurnBoard { page } => {
                    self.pages.insert(*page);
                }
                Act::Undo {
                    stroke: Some(stroke),
                    ..
                } => {
                    self.undone.insert(*stroke);
                }
                _ => {}
            }
        }
        self.bytes += bytes;
        self.events.push(event.clone());
    }

    fn close(self, hidden: &BTreeSet<u64>, shown: &Range<u64>) -> Result<Piece, serde_json::Error> {
        let Self { start, undone, .. } = self;
        let page = |page: u16| {
            let strokes = start.board.strokes_apart(page, &undone);
            let alone = strokes.iter().map(|stroke| stroke.id);
            RecordedPage {
                page,
                alone: alone.filter(|id| undone.contains(id)).collect(),
                strokes,
            }
        };
        let said = |line: &&ChatLine| {
            let shown = shown.contains(&line.at_ms);
            shown && line.group.is_none() && !hidden.contains(&line.sequence)
        };
        let mut chat: Vec<ChatLine> = start.chat.iter().filter(said).cloned().collect();
        chat.drain(..chat.len().saturating_sub(CHAT_SHOWN));
        let room = RecordedRoom {
            sequence: start.sequence,
            people: self.people.into_iter().map(writer).collect(),
            decks: self
                .known
                .into_iter()
                .filter(|deck| self.decks.contains(&deck.id))
                .collect(),
            slide: start.slide,
            board_page: start.board_page,
            pages: self.pages.into_iter().map(page).collect(),
            chat,
            announcement: start.announcement.clone(),
        };
        let piece = RecordedPiece {
            from_ms: self.from_ms,
            room,
            events: self.events,
        };
        Ok(Piece {
            from_ms: piece.from_ms,
            json: serde_json::to_vec(&piece)?.into(),
        })
    }
}

/// Somebody's name, and nothing else of him or her.
fn writer((id, name): (ParticipantId, String)) -> Person {
    Person {
        id,
        name,
        role: Role::Learner,
        present: false,
        hand_ms: None,
        floor: false,
        muted: false,
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
