//! What each sees of a room. Everything that is sent to somebody goes through here.

use super::act::Act;
use super::limits::{BOARD_PAGES, CHAT_SHOWN};
use super::polls::without_right;
use super::state::{Standing, State};
use super::told::{ChatLine, Event, Happened, Person, RoomMessage, Snapshot};
use crate::id::ParticipantId;

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who was let in.
    All,
    /// Leaders.
    Leaders,
    /// Everybody who was let in and does not lead.
    Others,
    /// One person.
    Person(ParticipantId),
    /// Some people, and the leaders.
    Group(Vec<ParticipantId>),
}

impl Audience {
    /// Whether it is for somebody of this standing.
    #[must_use]
    pub fn includes(&self, who: ParticipantId, standing: Standing) -> bool {
        let leads = standing == Standing::Leading;
        match self {
            _ if standing < Standing::Inside => false,
            Self::All => true,
            Self::Leaders => leads,
            Self::Others => !leads,
            Self::Person(person) => *person == who,
            Self::Group(members) => leads || members.contains(&who),
        }
    }
}

/// Whether everybody who watches the recording sees this at its time: what was shown, drawn, written and
/// announced for all. Who was there, hands, signs, polls and small groups were for those who were there.
#[must_use]
pub fn in_recording(happened: &Happened) -> bool {
    let Happened::Done { act, .. } = happened else {
        return false;
    };
    match act {
        Act::ShowSlide { .. } | Act::TurnBoard { .. } | Act::Announce { .. } => true,
        Act::Chat { group, .. } => group.is_none(),
        Act::Draw { stroke } => stroke.page < BOARD_PAGES,
        Act::Undo { page, .. } | Act::Wipe { page } => *page < BOARD_PAGES,
        _ => false,
    }
}

impl State {
    /// What is sent of an event that was just applied, and to whom.
    #[must_use]
    pub fn views(&self, event: &Event) -> Vec<(Audience, Event)> {
        let whole = || event.clone();
        let with = |happened: Happened| Event {
            happened,
            ..event.clone()
        };
        match &event.happened {
            Happened::Waits { .. } => vec![(Audience::Leaders, whole())],
            Happened::Done { by, act } => match act {
                Act::Admit { .. } => vec![(Audience::Leaders, whole())],
                Act::Chat {
                    group: Some(group), ..
                } => {
                    let members = self.groups.get(usize::from(*group));
                    let members = members.cloned().unwrap_or_default();
                    vec![(Audience::Group(members), whole())]
                }
                Act::Draw { stroke } => vec![(self.page_audience(stroke.page), whole())],
                Act::Undo { page, .. } | Act::Wipe { page } => {
                    vec![(self.page_audience(*page), whole())]
                }
                Act::OpenPoll { poll } if poll.right.is_some() => {
                    let hidden = with(Happened::Done {
                        by: *by,
                        act: Act::OpenPoll {
                            poll: without_right(poll),
                        },
                    });
                    vec![(Audience::Leaders, whole()), (Audience::Others, hidden)]
                }
                Act::Answer { poll, .. } => {
                    let mut views = vec![(Audience::Person(*by), whole())];
                    if let Some(asked) = self.poll(*poll) {
                        let count = with(Happened::PollCount {
                            poll: *poll,
                            counts: asked.counts(),
                            right: asked.poll.right,
                            closed: asked.closed,
                        });
                        views.push((Audience::Leaders, count));
                    }
                    views
                }
                _ => vec![(Audience::All, whole())],
            },
            _ => vec![(Audience::All, whole())],
        }
    }

    fn page_audience(&self, page: u16) -> Audience {
        match self.group_page(page) {
            Some(members) => Audience::Group(members.clone()),
            None if page >= super::limits::GROUP_PAGE => Audience::Leaders,
            None => Audience::All,
        }
    }

    /// A message of the chat, if somebody may read it.
    fn reads(&self, who: ParticipantId, leads: bool, line: &ChatLine) -> bool {
        match line.group {
            None => true,
            Some(_) if leads => true,
            Some(group) => self.group_of(who) == Some(group),
        }
    }

    /// The room as somebody sees it who comes in now; nothing of it while he or she waits.
    #[must_use]
    pub fn snapshot_for(&self, who: ParticipantId) -> Snapshot {
        let standing = self.standing(who);
        let leads = standing == Standing::Leading;
        let mut snapshot = Snapshot {
            sequence: self.sequence,
            me: who,
            waiting: standing < Standing::Inside,
            people: Vec::new(),
            waits: Vec::new(),
            chat: Vec::new(),
            chat_open: self.chat_open,
            locked: self.locked,
            decks: Vec::new(),
            slide: None,
            board_page: 0,
            strokes: Vec::new(),
            polls: Vec::new(),
            announcement: String::new(),
            timer_until_ms: None,
            groups: Vec::new(),
            host_present: self.host_present,
            ended: self.ended,
        };
        if standing < Standing::Inside {
            return snapshot;
        }
        let of = |waiting: bool| -> Vec<Person> {
            self.people
                .values()
                .filter(|member| member.waiting == waiting)
                .map(|member| member.person.clone())
                .collect()
        };
        snapshot.people = of(false);
        if leads {
            snapshot.waits = of(true);
        }
        let read = |line: &&ChatLine| self.reads(who, leads, line);
        snapshot.chat = self
            .chat
            .iter()
            .rev()
            .filter(read)
            .take(CHAT_SHOWN)
            .cloned()
            .collect();
        snapshot.chat.reverse();
        snapshot.decks.clone_from(&self.decks);
        snapshot.slide = self.slide;
        snapshot.board_page = self.board_page;
        snapshot.strokes = self.board.strokes(self.board_page);
        snapshot.polls = self
            .polls
            .iter()
            .map(|asked| asked.seen_by(who, leads))
            .collect();
        snapshot.announcement.clone_from(&self.announcement);
        snapshot.timer_until_ms = self.timer_until_ms;
        snapshot.groups.clone_from(&self.groups);
        snapshot
    }

    /// The snapshot as a message.
    #[must_use]
    pub fn room_message(&self, who: ParticipantId) -> RoomMessage {
        RoomMessage::Room {
            room: Box::new(self.snapshot_for(who)),
        }
    }
}
