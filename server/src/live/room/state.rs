//! What a room is: everything follows from its events, in order, and from nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::act::{Act, Role};
use super::board::Board;
use super::limits::{CHAT_KEPT, GROUP_PAGE, MOST_REMOVED};
use super::polls::Asked;
use super::told::{ChatLine, Deck, Event, Happened, Person};
use crate::id::{DeckId, ParticipantId, PollId};

/// Somebody in the room, or before its door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Line of the roster.
    pub person: Person,
    /// Still to be let in.
    pub waiting: bool,
    /// A leader gave him or her the part.
    pub given: bool,
}

/// A room after some event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Of the newest event.
    pub sequence: u64,
    /// Time of the newest event; events never go back.
    pub at_ms: u64,
    /// The class has begun.
    pub opened: bool,
    /// A leader ended it; the media is being closed.
    pub ending: bool,
    /// It is over.
    pub ended: bool,
    /// Everybody who was let in or waits.
    pub people: BTreeMap<ParticipantId, Member>,
    /// Those who were sent out.
    pub removed: BTreeSet<ParticipantId>,
    /// The newest messages, hidden ones left out.
    pub chat: VecDeque<ChatLine>,
    /// Learners may write.
    pub chat_open: bool,
    /// How often somebody was sent out or given another role.
    pub parts: u64,
    /// Nobody new is let in.
    pub locked: bool,
    /// Uploaded slides.
    pub decks: Vec<Deck>,
    /// The slide that is shown.
    pub slide: Option<(DeckId, u16)>,
    /// Lines.
    pub board: Board,
    /// Page that is shown.
    pub board_page: u16,
    /// Questions.
    pub polls: Vec<Asked>,
    /// Sentence at the top.
    pub announcement: String,
    /// When the timer rings.
    pub timer_until_ms: Option<u64>,
    /// Members of the small groups.
    pub groups: Vec<Vec<ParticipantId>>,
    /// The teacher's media comes.
    pub host_present: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            sequence: 0,
            at_ms: 0,
            opened: false,
            ending: false,
            ended: false,
            people: BTreeMap::new(),
            removed: BTreeSet::new(),
            chat: VecDeque::new(),
            chat_open: true,
            parts: 0,
            locked: false,
            decks: Vec::new(),
            slide: None,
            board: Board::default(),
            board_page: 0,
            polls: Vec::new(),
            announcement: String::new(),
            timer_until_ms: None,
            groups: Vec::new(),
            host_present: false,
        }
    }
}

/// How much somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Standing {
    /// Nothing: sent out, or never here.
    Outside,
    /// Only that he or she waits.
    Waiting,
    /// What everybody sees.
    Inside,
    /// What leaders see.
    Leading,
}

impl State {
    /// Somebody who was let in.
    #[must_use]
    pub fn inside(&self, who: ParticipantId) -> Option<&Person> {
        self.people
            .get(&who)
            .filter(|member| !member.waiting)
            .map(|member| &member.person)
    }

    /// How much somebody sees.
    #[must_use]
    pub fn standing(&self, who: ParticipantId) -> Standing {
        match self.people.get(&who) {
            None => Standing::Outside,
            Some(member) if member.waiting => Standing::Waiting,
            Some(member) if member.person.role.leads() => Standing::Leading,
            Some(_) => Standing::Inside,
        }
    }

    /// Number of the small group of somebody.
    #[must_use]
    pub fn group_of(&self, who: ParticipantId) -> Option<u8> {
        let at = self.groups.iter().position(|group| group.contains(&who))?;
        u8::try_from(at).ok()
    }

    /// The small group whose page of the board this is.
    #[must_use]
    pub fn group_page(&self, page: u16) -> Option<&Vec<ParticipantId>> {
        self.groups.get(usize::from(page.checked_sub(GROUP_PAGE)?))
    }

    /// A poll.
    #[must_use]
    pub fn poll(&self, id: PollId) -> Option<&Asked> {
        self.polls.iter().find(|asked| asked.poll.id == id)
    }

    /// Those who may be heard now.
    pub fn floors(&self) -> impl Iterator<Item = ParticipantId> + '_ {
        self.people
            .values()
            .filter(|member| member.person.floor && member.person.present)
            .map(|member| member.person.id)
    }

    /// The room after one more event. Takes whatever an event says: what may happen was decided before
    /// it became durable.
    pub fn apply(&mut self, event: &Event) {
        self.sequence = event.sequence;
        self.at_ms = self.at_ms.max(event.at_ms);
        match &event.happened {
            Happened::Opened => self.opened = true,
            Happened::Came { person } => self.put(person, false),
            Happened::Waits { person } => self.put(person, true),
            Happened::Left { who } => self.left(*who),
            Happened::Done { by, act } => self.done(*by, act, event),
            Happened::DeckAdded { deck } => self.decks.push(deck.clone()),
            Happened::Groups { members } => {
                self.groups.clone_from(members);
                self.board
                    .wipe_from(GROUP_PAGE + group_number(members.len()));
            }
            Happened::PollCount { .. } => {}
            Happened::Host { present } => self.host_present = *present,
            Happened::Ended => {
                self.ended = true;
                self.host_present = false;
                for member in self.people.values_mut() {
                    member.person.hand_ms = None;
                    member.person.floor = false;
                }
            }
        }
    }

    fn put(&mut self, person: &Person, waiting: bool) {
        let person = person.clone();
        let before = self.people.get(&person.id);
        let given = before.is_some_and(|member| member.given);
        let member = Member {
            person,
            waiting,
            given,
        };
        self.people.insert(member.person.id, member);
    }

    fn give(&mut self, who: ParticipantId, role: Role) {
        if let Some(member) = self.people.get_mut(&who) {
            member.given = true;
            member.person.role = role;
            if role == Role::Observer {
                member.person.hand_ms = None;
                member.person.floor = false;
            }
        }
    }

    fn left(&mut self, who: ParticipantId) {
        let Some(member) = self.people.get_mut(&who) else {
            return;
        };
        if member.waiting {
            self.people.remove(&who);
        } else {
            member.person.present = false;
            member.person.hand_ms = None;
            member.person.floor = false;
        }
    }

    fn done(&mut self, by: ParticipantId, act: &Act, event: &Event) {
        match act {
            Act::Chat { text, group } => self.said(by, text, *group, event),
            Act::HideChat { sequence } => self.chat.retain(|line| line.sequence != *sequence),
            Act::Hand { up } => self.change(by, |p| p.hand_ms = up.then_some(event.at_ms)),
            Act::GiveFloor { to } => self.change(*to, |p| {
                p.floor = true;
                p.hand_ms = None;
            }),
            Act::TakeFloor { from } => self.change(*from, |p| p.floor = false),
            Act::ShowSlide { deck, page } => self.slide = deck.map(|deck| (deck, *page)),
            Act::Draw { stroke } => self.board.draw(by, stroke),
            Act::Undo { page, stroke } => {
                if let Some(stroke) = stroke {
                    self.board.remove(*page, by, *stroke);
                }
            }
            Act::Wipe { page } => self.board.wipe(*page),
            Act::TurnBoard { page } => self.board_page = *page,
            Act::OpenPoll { poll } => self.polls.push(Asked::new(poll.clone())),
            Act::Answer { poll, option } => {
                if let Some(asked) = self.polls.iter_mut().find(|own| own.poll.id == *poll) {
                    asked.answer(by, *option);
                }
            }
            Act::ClosePoll { poll } => {
                if let Some(asked) = self.polls.iter_mut().find(|own| own.poll.id == *poll) {
                    asked.closed = true;
                }
            }
            Act::Announce { text } => self.announcement.clone_from(text),
            Act::SetTimer { until_ms } => self.timer_until_ms = *until_ms,
            Act::Mute { who, on } => self.change(*who, |p| {
                p.muted = *on;
                p.floor = p.floor && !on;
            }),
            Act::Remove { who } => {
                self.parts += 1;
                self.remove(*who);
            }
            Act::Admit { who } => {
                if let Some(member) = self.people.get_mut(who) {
                    member.waiting = false;
                }
            }
            Act::Lock { on } => self.locked = *on,
            Act::OpenChat { on } => self.chat_open = *on,
            Act::SetRole { who, role } => {
                self.parts += 1;
                self.give(*who, *role);
            }
            Act::End => self.ending = true,
            // The new groups are an event of their own; the others are never kept.
            Act::OpenGroups { .. }
            | Act::CloseGroups
            | Act::LookAtBoard { .. }
            | Act::Point { .. }
            | Act::React { .. } => {}
        }
    }

    fn change(&mut self, who: ParticipantId, how: impl FnOnce(&mut Person)) {
        if let Some(member) = self.people.get_mut(&who) {
            how(&mut member.person);
        }
    }

    fn remove(&mut self, who: ParticipantId) {
        self.people.remove(&who);
        for group in &mut self.groups {
            group.retain(|member| *member != who);
        }
        if self.removed.len() < MOST_REMOVED {
            self.removed.insert(who);
        }
    }

    fn said(&mut self, by: ParticipantId, text: &str, group: Option<u8>, event: &Event) {
        let name = self.people.get(&by).map(|member| &member.person.name);
        self.chat.push_back(ChatLine {
            sequence: event.sequence,
            at_ms: event.at_ms,
            by,
            name: name.cloned().unwrap_or_default(),
            text: text.to_owned(),
            group,
        });
        if self.chat.len() > CHAT_KEPT {
            self.chat.pop_front();
        }
    }
}

/// How many groups, as a number of a page.
fn group_number(groups: usize) -> u16 {
    u16::try_from(groups).unwrap_or(u16::MAX - GROUP_PAGE)
}

/// Whether a text is words of at most `longest` characters, without anything that is not shown.
#[must_use]
pub fn is_sentence(text: &str, longest: usize) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= longest
        && !text.chars().any(|c| c.is_control() && c != '\n')
}
