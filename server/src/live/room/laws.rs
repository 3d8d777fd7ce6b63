//! Laws of the room, over any course of events.

use proptest::prelude::*;

use super::act::{Act, Poll, Reaction, Role, Stroke};
use super::board::testing::points;
use super::decide::{Newcomer, Outcome};
use super::limits::{GROUP_PAGE, MOST_FLOORS, MOST_PAGE_BYTES};
use super::state::{Standing, State};
use super::told::{Deck, Event, Happened};
use crate::id::{DeckId, ParticipantId, PollId, StrokeId};

pub(super) const PEOPLE: usize = 7;

pub(super) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(number: usize) -> T {
    format!("00000000-0000-7000-8000-{number:012}")
        .parse()
        .unwrap()
}

pub(super) fn who(number: usize) -> ParticipantId {
    id(number)
}

/// 0 is the host, 1 a co-host, 2 to 4 learners, 5 a guest, 6 an observer.
pub(super) fn newcomer(number: usize) -> Newcomer {
    Newcomer {
        id: who(number),
        name: format!("person {number}"),
        role: match number {
            0 => Role::Host,
            1 => Role::CoHost,
            6 => Role::Observer,
            _ => Role::Learner,
        },
        admitted: number != 5,
    }
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Come(usize),
    Leave(usize),
    Note(Happened),
    Do(usize, Act),
}

pub(super) fn deck() -> Deck {
    Deck {
        id: id(900),
        name: "slides".into(),
        pages: vec!["/0".into(), "/1".into()],
    }
}

fn any_page() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => 0_u16..3,
        2 => GROUP_PAGE..GROUP_PAGE + 3,
        1 => any::<u16>(),
    ]
}

fn any_stroke() -> impl Strategy<Value = Stroke> {
    let differences = prop::collection::vec((any::<i8>(), any::<i8>()), 0..40);
    let line = ((0_u16..5000, 0_u16..5000), differences);
    (0_usize..6, any_page(), 0_u8..9, 0_u8..45, line).prop_map(
        |(number, page, colour, width, (first, differences))| Stroke {
            id: id(700 + number),
            page,
            colour: colour / 5,
            width: width / 10 + 1,
            points: points(first, &differences),
        },
    )
}

fn any_act() -> impl Strategy<Value = Act> {
    let person = || (0..PEOPLE + 1).prop_map(who);
    let poll = || (0_usize..3).prop_map(|number| id::<PollId>(800 + number));
    let on = any::<bool>;
    prop_oneof![
        3 => ("[ a-z]{0,12}", prop::option::of(0_u8..3))
            .prop_map(|(text, group)| Act::Chat { text, group }),
        1 => (0_u64..60).prop_map(|sequence| Act::HideChat { sequence }),
        2 => on().prop_map(|up| Act::Hand { up }),
        2 => person().prop_map(|to| Act::GiveFloor { to }),
        1 => person().prop_map(|from| Act::TakeFloor { from }),
        1 => (0_usize..2, 0_u16..3).prop_map(|(number, page)| Act::ShowSlide {
            deck: Some(id::<DeckId>(900 + number)),
            page,
        }),
        6 => any_stroke().prop_map(|stroke| Act::Draw { stroke }),
        2 => any_page().prop_map(|page| Act::Undo { page, stroke: None }),
        1 => any_page().prop_map(|page| Act::Wipe { page }),
        1 => any_page().prop_map(|page| Act::TurnBoard { page }),
        1 => any_page().prop_map(|page| Act::LookAtBoard { page }),
        1 => (prop::option::of(0_u16..5000), prop::option::of(0_u16..5000))
            .prop_map(|(x, y)| Act::Point { x, y }),
        2 => (poll(), prop::option::of(0_u8..3)).prop_map(|(id, right)| Act::OpenPoll {
            poll: Poll {
                id,
                question: "Which?".into(),
                options: vec!["this".into(), "that".into()],
                right,
            },
        }),
        4 => (poll(), 0_u8..3).prop_map(|(poll, option)| Act::Answer { poll, option }),
        1 => poll().prop_map(|poll| Act::ClosePoll { poll }),
        1 => Just(Act::React { reaction: Reaction::Yes }),
        1 => "[a-z]{0,5}".prop_map(|text| Act::Announce { text }),
        1 => prop::option::of(0_u64..100_000_000)
            .prop_map(|until_ms| Act::SetTimer { until_ms }),
        1 => (person(), on()).prop_map(|(who, on)| Act::Mute { who, on }),
        1 => person().prop_map(|who| Act::Remove { who }),
        2 => person().prop_map(|who| Act::Admit { who }),
        1 => on().prop_map(|on| Act::Lock { on }),
        1 => on().prop_map(|on| Act::OpenChat { on }),
        1 => (person(), 0_usize..4).prop_map(|(who, role)| Act::SetRole {
            who,
            role: [Role::Observer, Role::Learner, Role::CoHost, Role::Host][role],
        }),
        2 => (0_u8..4).prop_map(|count| Act::OpenGroups { count }),
        1 => Just(Act::CloseGroups),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..PEOPLE).prop_map(Step::Come),
        1 => (0..PEOPLE).prop_map(Step::Leave),
        1 => prop_oneof![
            Just(Happened::Opened),
            any::<bool>().prop_map(|present| Happened::Host { present }),
            Just(Happened::DeckAdded { deck: deck() }),
        ].prop_map(Step::Note),
        16 => (0..PEOPLE, any_act()).prop_map(|(number, act)| Step::Do(number, act)),
    ]
}

/// A room with everything that happened in it.
#[derive(Default)]
pub(super) struct Room {
    pub(super) state: State,
    pub(super) events: Vec<Event>,
}

impl Room {
    /// With everybody in it.
    pub(super) fn full() -> Self {
        let mut room = Self::default();
        room.happen(0, vec![Happened::Opened]);
        for number in 0..PEOPLE {
            room.step(&Step::Come(number), 0);
        }
        room
    }

    pub(super) fn happen(&mut self, at_ms: u64, happened: Vec<Happened>) {
        for happened in happened {
            let event = Event {
                sequence: self.state.sequence + 1,
                at_ms: at_ms.max(self.state.at_ms),
                happened,
            };
            self.state.apply(&event);
            self.nothing_hidden_is_seen(&event);
            self.events.push(event);
        }
    }

    pub(super) fn step(&mut self, step: &Step, now_ms: u64) {
        let happened = match step {
            Step::Come(number) => self.state.come(&newcomer(*number)),
            Step::Leave(number) => Ok(self.state.leave(who(*number))),
            Step::Note(happened) => self.state.note(happened.clone()),
            Step::Do(number, act) => match self.state.decide(who(*number), act, now_ms) {
                Ok(Outcome::Keep(happened)) => Ok(happened),
                Ok(_) => Ok(Vec::new()),
                Err(refusal) => Err(refusal),
            },
        };
        self.happen(now_ms, happened.unwrap_or_default());
    }

    pub(super) fn act(&mut self, number: usize, act: Act) {
        self.step(&Step::Do(number, act), self.state.at_ms);
    }

    /// What each sees of an event.
    pub(super) fn nothing_hidden_is_seen(&self, event: &Event) {
        let views = self.state.views(event);
        for number in 0..PEOPLE {
            let standing = self.state.standing(who(number));
            let seen: Vec<&Event> = views
                .iter()
                .filter(|(audience, _)| audience.includes(who(number), standing))
                .map(|(_, event)| event)
                .collect();
            assert!(seen.len() <= 1, "an event is said twice: {seen:?}");
            if standing < Standing::Inside {
                assert!(seen.is_empty(), "seen from outside: {seen:?}");
            }
            if standing == Standing::Leading {
                continue;
            }
            let own_group = self.state.group_of(who(number));
            for event in seen {
                let hidden = match &event.happened {
                    Happened::Waits { .. } => true,
                    Happened::PollCount { closed, .. } => !closed,
                    Happened::Done { by, act } => match act {
                        Act::Answer { .. } => *by != who(number),
                        Act::OpenPoll { poll } => poll.right.is_some(),
                        Act::Chat { group, .. } => group.is_some() && *group != own_group,
                        Act::Draw {
                            stroke: Stroke { page, .. },
                        }
                        | Act::Undo { page, .. }
                        | Act::Wipe { page } => {
                            *page >= GROUP_PAGE
                                && own_group.map(u16::from) != Some(page - GROUP_PAGE)
                        }
                        Act::Admit { .. } => true,
                        _ => false,
                    },
                    _ => false,
                };
                assert!(!hidden, "person {number} sees {event:?}");
            }
        }
    }

    pub(super) fn check(&self) {
        for (event, sequence) in self.events.iter().zip(1_u64..) {
            assert_eq!(event.sequence, sequence, "a gap");
        }
        assert!(self.events.is_sorted_by_key(|event| event.at_ms));
        let mut replayed = State::default();
        for event in &self.events {
            // As the journal keeps it.
            let body = serde_json::to_string(&event.happened).unwrap();
            let happened = serde_json::from_str(&body).unwrap();
            replayed.apply(&Event {
                happened,
                ..event.clone()
            });
        }
        assert_eq!(replayed, self.state, "a replay differs");
        assert!(self.state.floors().count() <= MOST_FLOORS);
        for page in (0..100).chain(GROUP_PAGE..GROUP_PAGE + 20) {
            let strokes = serde_json::to_vec(&self.state.board.strokes(page)).unwrap();
            assert!(strokes.len() <= MOST_PAGE_BYTES);
        }
        for number in 0..PEOPLE {
            self.check_snapshot(number);
        }
    }

    pub(super) fn check_snapshot(&self, number: usize) {
        let snapshot = self.state.snapshot_for(who(number));
        let standing = self.state.standing(who(number));
        assert_eq!(snapshot.waiting, standing < Standing::Inside);
        if snapshot.waiting {
            assert!(snapshot.people.is_empty() && snapshot.chat.is_empty());
            assert!(snapshot.polls.is_empty() && snapshot.strokes.is_empty());
            assert!(snapshot.waits.is_empty() && snapshot.decks.is_empty());
        }
        if standing == Standing::Leading {
            return;
        }
        assert!(snapshot.waits.is_empty());
        let own_group = self.state.group_of(who(number));
        for line in &snapshot.chat {
            assert!(line.group.is_none() || line.group == own_group);
        }
        for asked in snapshot.polls.iter().filter(|asked| !asked.closed) {
            assert!(asked.poll.right.is_none() && asked.counts.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn whatever_people_do_the_room_keeps_its_laws(
        steps in prop::collection::vec((any_step(), 0_u64..5_000), 0..120),
        empty in prop::bool::weighted(0.2),
    ) {
        let mut room = if empty { Room::default() } else { Room::full() };
        let mut now_ms = 0;
        for (step, passed) in &steps {
            now_ms += passed;
            room.step(step, now_ms);
        }
        room.check();
    }

    #[test]
    fn a_line_that_is_taken_back_was_never_there(
        before in prop::collection::vec(any_stroke(), 0..20),
        last in any_stroke(),
    ) {
        let mut room = Room::full();
        for stroke in before {
            room.act(0, Act::Draw { stroke });
        }
        let page = last.page;
        let lines = room.state.board.clone();
        let last = Stroke { id: StrokeId::new(), ..last };
        let events = room.events.len();
        room.act(1, Act::Draw { stroke: last });
        prop_assume!(room.events.len() > events);
        room.act(1, Act::Undo { page, stroke: None });
        prop_assert_eq!(room.state.board.strokes(page), lines.strokes(page));
        let others = room.events.len();
        room.act(1, Act::Undo { page, stroke: None });
        prop_assert_eq!(room.events.len(), others, "the host's lines are the host's");
    }
}
