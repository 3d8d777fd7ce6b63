//! Places to jump to in a recorded class: where another slide or another page of the board was shown.

use std::ops::Range;

use super::act::Act;
use super::limits::{CHAPTERS_APART_MS, MOST_CHAPTERS};
use super::told::{Event, Happened};
use crate::id::DeckId;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing was chosen yet.
    Start,
    /// A page of uploaded slides.
    Slide(DeckId, u16),
    /// A page of the board alone.
    Board(u16),
}

/// A place to jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Where it begins, on the class's timeline.
    pub at_ms: u64,
    /// What is shown there.
    pub sight: Sight,
}

/// The chapters within the part that is shown; none when nothing changes in it.
#[must_use]
pub fn chapters(events: &[Event], shown: &Range<u64>) -> Vec<Chapter> {
    let changes = changes(events, shown);
    let mut apart_ms = CHAPTERS_APART_MS;
    loop {
        let chapters = spaced(&changes, apart_ms);
        if chapters.len() <= MOST_CHAPTERS {
            let alone = chapters.len() < 2;
            return if alone { Vec::new() } else { chapters };
        }
        apart_ms *= 2;
    }
}

/// What is shown from the begin on, and every change of it.
fn changes(events: &[Event], shown: &Range<u64>) -> Vec<Chapter> {
    let (mut slide, mut board, mut turned) = (None, 0, false);
    let mut changes = vec![Chapter {
        at_ms: shown.start,
        sight: Sight::Start,
    }];
    for event in events.iter().take_while(|event| event.at_ms < shown.end) {
        let Happened::Done { act, .. } = &event.happened else {
            continue;
        };
        match act {
            Act::ShowSlide { deck, page } => slide = deck.map(|deck| (deck, *page)),
            Act::TurnBoard { page } => board = *page,
            _ => continue,
        }
        turned |= slide.is_some() || board != 0;
        let sight = match slide {
            Some((deck, page)) => Sight::Slide(deck, page),
            None if turned => Sight::Board(board),
            None => Sight::Start,
        };
        changes.push(Chapter {
            at_ms: event.at_ms.max(shown.start),
            sight,
        });
    }
    changes
}

/// Of changes that follow each other quickly the last sight counts, from where the first one was.
fn spaced(changes: &[Chapter], apart_ms: u64) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> = Vec::new();
    for change in changes {
        match chapters.last_mut() {
            Some(last) if last.sight == change.sight => {}
            Some(last) if change.at_ms < last.at_ms + apart_ms => last.sight = change.sight,
            _ => chapters.push(*change),
        }
    }
    chapters.dedup_by_key(|chapter| chapter.sight);
    chapters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ParticipantId;

    fn told(acts: &[(u64, Act)]) -> Vec<Event> {
        let by = ParticipantId::new();
        let event = |(sequence, (at_ms, act)): (u64, &(u64, Act))| Event {
            sequence,
            at_ms: *at_ms,
            happened: Happened::Done {
                by,
                act: act.clone(),
            },
        };
        (1..).zip(acts).map(event).collect()
    }

    #[test]
    fn chapters_are_what_stayed_and_leafing_makes_none() {
        let deck = DeckId::new();
        let slide = |page| Act::ShowSlide {
            deck: Some(deck),
            page,
        };
        let none = Act::ShowSlide {
            deck: None,
            page: 0,
        };
        let events = told(&[
            (5_000, slide(0)),
            (5_010, Act::TurnBoard { page: 1 }),
            (40_000, slide(1)),
            (42_000, slide(2)),
            (44_000, slide(3)),
            (90_000, none),
            (90_010, Act::TurnBoard { page: 0 }),
            (200_000, slide(3)),
        ]);
        let expected = [
            (0, Sight::Slide(deck, 0)),
            (40_000, Sight::Slide(deck, 3)),
            (90_000, Sight::Board(0)),
            (200_000, Sight::Slide(deck, 3)),
        ];
        let expected = expected.map(|(at_ms, sight)| Chapter { at_ms, sight });
        assert_eq!(chapters(&events, &(0..u64::MAX)), expected);

        // Of a part: what is on screen at its begin is its first chapter.
        let part = chapters(&events, &(60_000..150_000));
        let expected = [(60_000, Sight::Slide(deck, 3)), (90_000, Sight::Board(0))];
        let expected = expected.map(|(at_ms, sight)| Chapter { at_ms, sight });
        assert_eq!(part, expected);
        assert!(chapters(&events[..2], &(0..u64::MAX)).is_empty());
    }

    #[test]
    fn a_day_of_slides_has_chapters_that_can_be_looked_through() {
        let deck = DeckId::new();
        let acts: Vec<(u64, Act)> = (0..2_000_u16)
            .map(|page| {
                let deck = Some(deck);
                (u64::from(page) * 30_000, Act::ShowSlide { deck, page })
            })
            .collect();
        let chapters = chapters(&told(&acts), &(0..u64::MAX));
        assert!((50..=MOST_CHAPTERS).contains(&chapters.len()));
    }
}
