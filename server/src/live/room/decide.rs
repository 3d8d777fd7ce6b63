//! What may be done in a room, by whom, and what happens then. Asks the state and changes nothing.

use super::act::{Act, Reaction, Refusal, Role, Stroke};
use super::limits::{
    BOARD_PAGES, GROUPS, LONGEST_CHAT, LONGEST_SENTENCE, LONGEST_TIMER, MOST_COORDINATE,
    MOST_DECK_PAGES, MOST_DECKS, MOST_FLOORS, MOST_OPEN_POLLS, MOST_PEOPLE, MOST_POLLS,
    MOST_WAITING,
};
use super::polls;
use super::state::{State, is_sentence};
use super::told::{Happened, Person};
use crate::id::ParticipantId;

/// What an act leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These become events, in order; none: nothing would change.
    Keep(Vec<Happened>),
    /// The pointer is there.
    Point {
        /// Over the width.
        x: Option<u16>,
        /// Over the height.
        y: Option<u16>,
    },
    /// A quick sign.
    React(Reaction),
    /// Somebody wants to see a page of the board.
    Board(u16),
}

/// Somebody who comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Who, in this class.
    pub id: ParticipantId,
    /// As people see it.
    pub name: String,
    /// Part on the course, or the one that a leader gave; only a leader gives more to whom the room knows.
    pub role: Role,
    /// Was let in before, or needs nobody to let him or her in.
    pub admitted: bool,
}

fn keep(happened: impl Into<Vec<Happened>>) -> Result<Outcome, Refusal> {
    Ok(Outcome::Keep(happened.into()))
}

/// Keeps the act when it changes something.
fn when(changes: bool, by: ParticipantId, act: &Act) -> Result<Outcome, Refusal> {
    let done = Happened::Done {
        by,
        act: act.clone(),
    };
    keep(if changes { vec![done] } else { Vec::new() })
}

fn need(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

impl State {
    /// Whether somebody may do this now, and what happens then.
    ///
    /// # Errors
    /// Why not.
    pub fn decide(&self, who: ParticipantId, act: &Act, now_ms: u64) -> Result<Outcome, Refusal> {
        let me = self.inside(who).ok_or(Refusal::NotAllowed)?;
        need(self.opened && !self.ending && !self.ended, Refusal::Closed)?;
        match act {
            Act::LookAtBoard { page } => {
                need(self.sees_page(me, *page), Refusal::NotAllowed)?;
                return Ok(Outcome::Board(*page));
            }
            _ => need(me.role > Role::Observer, Refusal::NotAllowed)?,
        }
        match act {
            Act::Chat { text, group } => self.chat(me, text, *group, act),
            Act::HideChat { sequence } => {
                let line = self.chat.iter().find(|line| line.sequence == *sequence);
                let line = line.ok_or(Refusal::Invalid)?;
                need(me.role.leads() || line.by == who, Refusal::NotAllowed)?;
                when(true, who, act)
            }
            Act::Hand { up } => when(me.hand_ms.is_some() != *up, who, act),
            Act::TakeFloor { from } => {
                need(me.role.leads() || *from == who, Refusal::NotAllowed)?;
                let other = self.inside(*from).ok_or(Refusal::Invalid)?;
                when(other.floor, who, act)
            }
            Act::Draw { stroke } => self.draw(me, stroke, act),
            Act::Undo { page, .. } => {
                need(self.draws_on(me, *page), Refusal::NotAllowed)?;
                let newest = self.board.newest(*page, who).ok_or(Refusal::Invalid)?;
                let act = Act::Undo {
                    page: *page,
                    stroke: Some(newest),
                };
                when(true, who, &act)
            }
            Act::Wipe { page } => {
                let own = me.role.leads() || self.is_in_group_of(who, *page);
                need(own && self.sees_page(me, *page), Refusal::NotAllowed)?;
                when(self.board.lines(*page) > 0, who, act)
            }
            Act::Point { x, y } => {
                need(me.role.leads() || me.floor, Refusal::NotAllowed)?;
                let within = |c: &Option<u16>| c.is_none_or(|c| c <= MOST_COORDINATE);
                need(
                    within(x) && within(y) && x.is_some() == y.is_some(),
                    Refusal::Invalid,
                )?;
                Ok(Outcome::Point { x: *x, y: *y })
            }
            Act::React { reaction } => Ok(Outcome::React(*reaction)),
            Act::Answer { poll, option } => {
                need(!me.role.leads(), Refusal::NotAllowed)?;
                let asked = self.poll(*poll).filter(|asked| !asked.closed);
                let asked = asked.ok_or(Refusal::Invalid)?;
                let known = usize::from(*option) < asked.poll.options.len();
                need(known, Refusal::Invalid)?;
                when(asked.own(who) != Some(*option), who, act)
            }
            _ => {
                need(me.role.leads(), Refusal::NotAllowed)?;
                self.lead(me, act, now_ms)
            }
        }
    }

    fn chat(
        &self,
        me: &Person,
        text: &str,
        group: Option<u8>,
        act: &Act,
    ) -> Result<Outcome, Refusal> {
        let may = me.role.leads() || (self.chat_open && !me.muted);
        need(may, Refusal::Muted)?;
        need(is_sentence(text, LONGEST_CHAT), Refusal::Invalid)?;
        if let Some(group) = group {
            need(usize::from(group) < self.groups.len(), Refusal::Invalid)?;
            let own = me.role.leads() || self.group_of(me.id) == Some(group);
            need(own, Refusal::NotAllowed)?;
        }
        when(true, me.id, act)
    }

    fn draw(&self, me: &Person, stroke: &Stroke, act: &Act) -> Result<Outcome, Refusal> {
        need(self.draws_on(me, stroke.page), Refusal::NotAllowed)?;
        self.board.check(me.id, stroke)?;
        when(true, me.id, act)
    }

    fn is_in_group_of(&self, who: ParticipantId, page: u16) -> bool {
        self.group_page(page)
            .is_some_and(|group| group.contains(&who))
    }

    fn sees_page(&self, me: &Person, page: u16) -> bool {
        page < BOARD_PAGES
            || self.is_in_group_of(me.id, page)
            || (me.role.leads() && self.group_page(page).is_some())
    }

    fn draws_on(&self, me: &Person, page: u16) -> bool {
        let own = me.role.leads()
            || (!me.muted && (me.floor && page < BOARD_PAGES || self.is_in_group_of(me.id, page)));
        own && self.sees_page(me, page)
    }

    /// What only leaders do.
    fn lead(&self, me: &Person, act: &Act, now_ms: u64) -> Result<Outcome, Refusal> {
        let who = me.id;
        match act {
            Act::GiveFloor { to } => {
                let other = self.inside(*to).ok_or(Refusal::Invalid)?;
                let can = other.present && other.role > Role::Observer && !other.muted;
                need(can, Refusal::Invalid)?;
                need(
                    other.floor || self.floors().count() < MOST_FLOORS,
                    Refusal::Full,
                )?;
                when(!other.floor, who, act)
            }
            Act::ShowSlide { deck, page } => {
                if let Some(id) = deck {
                    let deck = self.decks.iter().find(|deck| deck.id == *id);
                    let pages = deck.ok_or(Refusal::Invalid)?.pages.len();
                    need(usize::from(*page) < pages, Refusal::Invalid)?;
                }
                when(self.slide != deck.map(|deck| (deck, *page)), who, act)
            }
            Act::TurnBoard { page } => {
                need(*page < BOARD_PAGES, Refusal::Invalid)?;
                when(self.board_page != *page, who, act)
            }
            Act::OpenPoll { poll } => {
                polls::check(poll)?;
                need(self.poll(poll.id).is_none(), Refusal::Invalid)?;
                let open = self.polls.iter().filter(|asked| !asked.closed).count();
                let room = self.polls.len() < MOST_POLLS && open < MOST_OPEN_POLLS;
                need(room, Refusal::Full)?;
                when(true, who, act)
            }
            Act::ClosePoll { poll } => {
                let asked = self.poll(*poll).ok_or(Refusal::Invalid)?;
                if asked.closed {
                    return keep([]);
                }
                let done = Happened::Done {
                    by: who,
                    act: act.clone(),
                };
                let count = Happened::PollCount {
                    poll: *poll,
                    counts: asked.counts(),
                    right: asked.poll.right,
                    closed: true,
                };
                keep([done, count])
            }
            Act::Announce { text } => {
                let good = text.is_empty() || is_sentence(text, LONGEST_SENTENCE);
                need(good, Refusal::Invalid)?;
                when(self.announcement != *text, who, act)
            }
            Act::SetTimer { until_ms } => {
                let longest = u64::try_from(LONGEST_TIMER.as_millis()).unwrap_or(u64::MAX);
                let ahead = until_ms
                    .is_none_or(|until| until > now_ms && until <= now_ms.saturating_add(longest));
                need(ahead, Refusal::Invalid)?;
                when(self.timer_until_ms != *until_ms, who, act)
            }
            Act::Lock { on } => when(self.locked != *on, who, act),
            Act::OpenChat { on } => when(self.chat_open != *on, who, act),
            Act::OpenGroups { count } => self.part(who, act, *count),
            Act::CloseGroups => {
                if self.groups.is_empty() {
                    return keep([]);
                }
                let done = Happened::Done {
                    by: who,
                    act: act.clone(),
                };
                keep([
                    done,
                    Happened::Groups {
                        members: Vec::new(),
                    },
                ])
            }
            Act::End => when(true, who, act),
            _ => self.moderate(me, act),
        }
    }

    /// What leaders do to others. Nobody does it to the host or to himself, and only the host does it
    /// to a co-host.
    fn moderate(&self, me: &Person, act: &Act) -> Result<Outcome, Refusal> {
        let (Act::Mute { who, .. }
        | Act::Remove { who }
        | Act::Admit { who }
        | Act::SetRole { who, .. }) = act
        else {
            return Err(Refusal::Invalid);
        };
        let member = self.people.get(who).ok_or(Refusal::Invalid)?;
        let other = &member.person;
        let is_host = me.role == Role::Host;
        let above = *who != me.id && other.role != Role::Host && (is_host || !other.role.leads());
        need(above, Refusal::NotAllowed)?;
        match act {
            Act::Admit { .. } if !member.waiting => keep([]),
            Act::Admit { .. } => {
                need(self.let_in() < MOST_PEOPLE, Refusal::Full)?;
                let mut happened = vec![
                    Happened::Done {
                        by: me.id,
                        act: act.clone(),
                    },
                    Happened::Came {
                        person: other.clone(),
                    },
                ];
                happened.extend(self.group_with(other));
                keep(happened)
            }
            Act::Mute { on, .. } => {
                need(!member.waiting, Refusal::Invalid)?;
                when(other.muted != *on, me.id, act)
            }
            Act::SetRole { role, .. } => {
                need(!member.waiting && *role != Role::Host, Refusal::Invalid)?;
                need(*role != Role::CoHost || is_host, Refusal::NotAllowed)?;
                when(other.role != *role, me.id, act)
            }
            _ => when(true, me.id, act),
        }
    }

    /// Parts the learners who are there, in turn, so that nobody is chosen.
    fn part(&self, who: ParticipantId, act: &Act, count: u8) -> Result<Outcome, Refusal> {
        need(GROUPS.contains(&count), Refusal::Invalid)?;
        let learners: Vec<ParticipantId> = self
            .people
            .values()
            .filter(|member| !member.waiting && is_grouped(&member.person))
            .map(|member| member.person.id)
            .collect();
        need(learners.len() >= usize::from(count), Refusal::Invalid)?;
        let mut members = vec![Vec::new(); usize::from(count)];
        for (learner, group) in learners.into_iter().zip((0..members.len()).cycle()) {
            members[group].push(learner);
        }
        let done = Happened::Done {
            by: who,
            act: act.clone(),
        };
        // First none, so that the new groups begin with empty boards.
        let none = Happened::Groups {
            members: Vec::new(),
        };
        keep([done, none, Happened::Groups { members }])
    }

    fn let_in(&self) -> usize {
        self.people
            .values()
            .filter(|member| !member.waiting)
            .count()
    }

    /// The groups with one more learner in the smallest, if he or she is in none.
    fn group_with(&self, person: &Person) -> Option<Happened> {
        let smallest = (0..self.groups.len()).min_by_key(|at| self.groups[*at].len())?;
        if person.role != Role::Learner || self.group_of(person.id).is_some() {
            return None;
        }
        let mut members = self.groups.clone();
        members[smallest].push(person.id);
        Some(Happened::Groups { members })
    }

    /// What happens when somebody comes to the door.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for who was sent out, [`Refusal::Full`], [`Refusal::Closed`].
    pub fn come(&self, newcomer: &Newcomer) -> Result<Vec<Happened>, Refusal> {
        need(!self.removed.contains(&newcomer.id), Refusal::NotAllowed)?;
        need(!self.ended, Refusal::Closed)?;
        if let Some(member) = self.people.get(&newcomer.id) {
            let lets_in = member.waiting && newcomer.admitted && !self.locked;
            let role = member.person.role.min(newcomer.role);
            let lowered = !member.given && role < member.person.role;
            if member.person.present && !lets_in && !lowered {
                return Ok(Vec::new());
            }
            let person = Person {
                present: true,
                role: if lowered { role } else { member.person.role },
                ..member.person.clone()
            };
            return Ok(if member.waiting && !lets_in {
                vec![Happened::Waits { person }]
            } else {
                vec![Happened::Came { person }]
            });
        }
        let person = Person {
            id: newcomer.id,
            name: newcomer.name.clone(),
            role: newcomer.role,
            present: true,
            hand_ms: None,
            floor: false,
            muted: false,
        };
        let waits = !newcomer.role.leads() && (self.locked || !newcomer.admitted);
        if waits {
            let waiting = self.people.len() - self.let_in();
            need(waiting < MOST_WAITING, Refusal::Full)?;
            return Ok(vec![Happened::Waits { person }]);
        }
        need(
            self.let_in() < MOST_PEOPLE || person.role.leads(),
            Refusal::Full,
        )?;
        let group = self.group_with(&person);
        let mut happened = vec![Happened::Came { person }];
        happened.extend(group);
        Ok(happened)
    }

    /// What happens when the last connection of somebody is gone.
    #[must_use]
    pub fn leave(&self, who: ParticipantId) -> Vec<Happened> {
        let here = self
            .people
            .get(&who)
            .is_some_and(|member| member.person.present);
        if here && !self.ended {
            vec![Happened::Left { who }]
        } else {
            Vec::new()
        }
    }

    /// What the system itself notes; what is so already happens no second time.
    ///
    /// # Errors
    /// [`Refusal::Full`] for one deck too many, [`Refusal::Closed`], [`Refusal::Invalid`].
    pub fn note(&self, happened: Happened) -> Result<Vec<Happened>, Refusal> {
        let new = match &happened {
            Happened::Opened => !self.opened,
            Happened::Ended => !self.ended,
            Happened::Host { present } => {
                need(self.opened && !self.ended, Refusal::Closed)?;
                self.host_present != *present
            }
            Happened::DeckAdded { deck } => {
                need(!self.ended && !self.ending, Refusal::Closed)?;
                let known = self.decks.iter().any(|own| own.id == deck.id);
                need(known || self.decks.len() < MOST_DECKS, Refusal::Full)?;
                let pages = 1..=MOST_DECK_PAGES;
                need(pages.contains(&deck.pages.len()), Refusal::Invalid)?;
                !known
            }
            _ => return Err(Refusal::Invalid),
        };
        Ok(if new { vec![happened] } else { Vec::new() })
    }
}

fn is_grouped(person: &Person) -> bool {
    person.present && person.role == Role::Learner
}
