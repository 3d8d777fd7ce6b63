use serde_json::Value;

use super::super::board::testing::stroke;
use super::super::limits::GROUP_PAGE;
use super::*;

#[test]
fn record_d_ts_says_what_the_types_say() {
    let config = ts_rs::Config::default();
    crate::declarations::check(
        "replay/record.d.ts",
        "server/src/live/room/replay.rs",
        "record_d_ts",
        "import type { ChatLine, Deck, Event, Person, Stroke } from \"../live/room.js\";",
        &[
            RecordedPage::decl(&config),
            RecordedRoom::decl(&config),
            RecordedPiece::decl(&config),
        ],
    );
}

/// A class as its journal tells it.
struct Told {
    events: Vec<Event>,
    host: ParticipantId,
    learner: ParticipantId,
}

impl Told {
    fn new() -> Self {
        let mut told = Self {
            events: Vec::new(),
            host: ParticipantId::new(),
            learner: ParticipantId::new(),
        };
        told.add(0, Happened::Opened);
        for (id, name) in [(told.host, "Li Na"), (told.learner, "Zhao")] {
            let person = Person {
                name: name.into(),
                ..writer((id, String::new()))
            };
            told.add(0, Happened::Came { person });
        }
        told
    }

    fn add(&mut self, at_ms: u64, happened: Happened) -> u64 {
        let sequence = self.events.len() as u64 + 1;
        self.events.push(Event {
            sequence,
            at_ms,
            happened,
        });
        sequence
    }

    fn does(&mut self, at_ms: u64, by: ParticipantId, act: Act) -> u64 {
        self.add(at_ms, Happened::Done { by, act })
    }

    fn says(&mut self, at_ms: u64, text: &str, group: Option<u8>) -> u64 {
        let text = text.to_owned();
        self.does(at_ms, self.learner, Act::Chat { text, group })
    }

    fn pieces(&self, shown: &Range<u64>) -> (Replay, Vec<Value>) {
        let made = replay(&self.events, shown).unwrap();
        let read = |piece: &Piece| serde_json::from_slice(&piece.json).unwrap();
        let pieces = made.pieces.iter().map(read).collect();
        (made, pieces)
    }
}

#[test]
fn what_was_hidden_or_only_some_saw_is_not_in_the_recording() {
    let mut told = Told::new();
    let (host, learner) = (told.host, told.learner);
    told.says(1_000, "for all", None);
    let rude = told.says(2_000, "rude words", None);
    told.add(
        3_000,
        Happened::Groups {
            members: vec![vec![learner]],
        },
    );
    told.says(4_000, "among us", Some(0));
    let ours = stroke(GROUP_PAGE, 0);
    told.does(5_000, learner, Act::Draw { stroke: ours });
    told.does(6_000, learner, Act::Hand { up: true });
    // Hidden long after it was written, and in another piece.
    told.does(400_000, host, Act::HideChat { sequence: rude });
    told.says(400_001, "later", None);
    let (made, pieces) = told.pieces(&(0..u64::MAX));
    assert_eq!(pieces.len(), 2);
    let all = pieces.iter().map(Value::to_string).collect::<String>();
    for secret in [
        "rude words",
        "among us",
        "\"page\":1000",
        "\"hand\"",
        "\"groups\"",
    ] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    let said = |piece: &Value| piece["room"]["chat"].as_array().unwrap().len();
    assert_eq!((said(&pieces[0]), said(&pieces[1])), (0, 1));
    assert_eq!(pieces[0]["room"]["people"][0]["name"], "Zhao");
    let texts: Vec<&str> = made.chat.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["for all", "later"]);
    assert!(!made.complete);
}

#[test]
fn a_piece_begins_with_the_room_as_it_was() {
    let mut told = Told::new();
    let host = told.host;
    let deck = Deck {
        id: DeckId::new(),
        name: "bees.pdf".into(),
        pages: vec!["/a/0".into(), "/a/1".into()],
    };
    told.add(0, Happened::DeckAdded { deck: deck.clone() });
    let show = |page| Act::ShowSlide {
        deck: Some(deck.id),
        page,
    };
    told.does(1_000, host, show(0));
    told.does(1_000, host, Act::TurnBoard { page: 1 });
    let lines = [stroke(1, 0), stroke(1, 0), stroke(1, 0)];
    for line in &lines {
        let stroke = line.clone();
        told.does(2_000, host, Act::Draw { stroke });
    }
    told.does(200_000, host, show(1));
    told.does(200_000, host, Act::TurnBoard { page: 2 });
    told.does(201_000, host, Act::TurnBoard { page: 1 });
    let undo = Act::Undo {
        page: 1,
        stroke: Some(lines[2].id),
    };
    told.does(202_000, host, undo);
    told.add(300_000, Happened::Ended);
    let (made, pieces) = told.pieces(&(0..u64::MAX));
    assert!(made.complete);
    assert_eq!(made.pieces[1].from_ms, 200_000);
    let room = &pieces[1]["room"];
    assert_eq!(room["slide"][1], 0, "the change itself is an event");
    assert_eq!(room["decks"][0]["name"], "bees.pdf");
    // Two lines joined, and the one that is taken away apart.
    let page = &room["pages"][0];
    assert_eq!(page["page"], 1);
    assert_eq!(page["strokes"].as_array().unwrap().len(), 2);
    assert_eq!(page["alone"][0], serde_json::json!(lines[2].id));
    assert_eq!(pieces[1]["events"].as_array().unwrap().len(), 4);
    let slides: Vec<(u64, &str)> = made
        .slides
        .iter()
        .map(|slide| (slide.at_ms, slide.path.as_str()))
        .collect();
    assert_eq!(slides, [(1_000, "/a/0"), (200_000, "/a/1")]);
}

#[test]
fn a_trimmed_recording_begins_with_what_was_shown_and_says_nothing_of_the_rest() {
    let mut told = Told::new();
    let host = told.host;
    told.says(1_000, "before the class", None);
    let line = stroke(0, 0);
    told.does(2_000, host, Act::Draw { stroke: line });
    told.says(20_000, "in the class", None);
    told.says(60_000, "after the class", None);
    let (made, pieces) = told.pieces(&(10_000..50_000));
    let all = pieces.iter().map(Value::to_string).collect::<String>();
    assert!(all.contains("in the class") && !all.contains("before") && !all.contains("after"));
    assert_eq!(pieces[0]["from_ms"], 10_000);
    assert_eq!(pieces[0]["room"]["pages"][0]["strokes"][0]["page"], 0);
    assert_eq!(made.chat.len(), 1);
}

#[test]
fn lively_drawing_makes_more_pieces_and_none_is_large() {
    let mut told = Told::new();
    let host = told.host;
    for at in 0..2_000 {
        let stroke = stroke(u16::try_from(at / 400).unwrap(), 0);
        told.does(at * 10, host, Act::Draw { stroke });
    }
    let (made, pieces) = told.pieces(&(0..u64::MAX));
    assert!(pieces.len() > 5, "{}", pieces.len());
    for piece in &made.pieces {
        assert!(piece.json.len() < 2 * PIECE_BYTES, "{}", piece.json.len());
    }
    let events: usize = pieces
        .iter()
        .map(|piece| piece["events"].as_array().unwrap().len())
        .sum();
    assert_eq!(events, 2_000);
    assert!(
        made.pieces
            .windows(2)
            .all(|pair| pair[0].from_ms < pair[1].from_ms)
    );
}
