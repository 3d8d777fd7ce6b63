//! One round of an owner: decide, make durable, say, answer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::time::Instant;

use super::super::act::{Act, Refusal, Request};
use super::super::decide::{Newcomer, Outcome};
use super::super::limits::{LOG_LINES, MOST_EVENTS, MOST_SEATS};
use super::super::log::{Line, SeatNumber, To};
use super::super::rate::Rate;
use super::super::state::State;
use super::super::told::{Event, Happened, RoomMessage};
use super::{Ask, Journal, Owner, Recorded, Signs, Then, text};
use crate::id::{ActId, ParticipantId};

impl<J: Journal> Owner<J> {
    fn now_ms(&self) -> u64 {
        let now = self.opened_at.map_or(0, |opened| {
            u64::try_from(self.clock.now().since(opened).as_millis()).unwrap_or(0)
        });
        // A clock that was set back does not take the class back.
        now.max(self.state.at_ms)
    }

    /// Reads the journal if what is in memory cannot be trusted.
    pub(super) async fn ensure(&mut self) -> bool {
        if self.loaded {
            return true;
        }
        let story = match self.journal.load().await {
            Ok(story) => story,
            Err(error) => {
                tracing::error!(%error, "a room could not be read");
                return false;
            }
        };
        self.state = State::default();
        self.acts.clear();
        self.opened_at = story.opened_at;
        let newest = story.events.last().map_or(0, |last| last.event.sequence);
        let first_said = if self.said == 0 {
            let before = newest.saturating_sub(LOG_LINES as u64 / 2);
            self.hall.log.begin_after(before);
            before
        } else {
            self.said
        };
        for recorded in &story.events {
            self.state.apply(&recorded.event);
            if let Some(act) = recorded.act {
                let by = actor(&recorded.event);
                self.acts.insert(act, (by, recorded.event.sequence));
            }
            // What another append left behind is said now.
            if recorded.event.sequence > first_said {
                let (lines, changed) = self.lines(&recorded.event);
                self.say(lines, &changed);
            }
        }
        self.said = newest;
        self.loaded = true;
        // What happened to the class while no owner was there.
        if story.opened_at.is_some() {
            self.note(Happened::Opened);
        }
        if story.ended {
            self.note(Happened::Ended);
        }
        self.tell();
        self.settle().await
    }

    fn note(&mut self, happened: Happened) -> bool {
        match self.state.note(happened) {
            Ok(happened) => {
                self.happen(None, happened);
                true
            }
            Err(_) => false,
        }
    }

    /// Applies what was decided, to be made durable with the round. Returns the sequence of the first
    /// event, 0 without any.
    pub(super) fn happen(
        &mut self,
        act: Option<(ActId, ParticipantId)>,
        happened: Vec<Happened>,
    ) -> u64 {
        let at_ms = self.now_ms();
        let first = self.state.sequence + 1;
        let any = !happened.is_empty();
        for (happened, index) in happened.into_iter().zip(0_u64..) {
            let event = Event {
                sequence: first + index,
                at_ms,
                happened,
            };
            self.state.apply(&event);
            let (lines, changed) = self.lines(&event);
            self.then.push(Then::Say(lines, changed));
            let act = act.map(|(act, _)| act).filter(|_| index == 0);
            self.pending.push(Recorded { event, act });
        }
        match act {
            Some((act, by)) if any => {
                self.acts.insert(act, (by, first));
            }
            _ => {}
        }
        if any { first } else { 0 }
    }

    /// What is said of an event, and whose standing it changes.
    fn lines(&self, event: &Event) -> (Vec<Line>, Vec<ParticipantId>) {
        let mut lines: Vec<Line> = Vec::new();
        for (audience, event) in self.state.views(event) {
            let sequence = event.sequence;
            if let Some(text) = text(&RoomMessage::Event { event }) {
                lines.push(Line::Says {
                    to: To::Audience(audience),
                    sequence,
                    text,
                });
            }
        }
        let mut changed = Vec::new();
        match &event.happened {
            Happened::Done {
                act: Act::Admit { who } | Act::SetRole { who, .. },
                ..
            } => {
                changed.push(*who);
                lines.push(Line::Anew(*who));
            }
            Happened::Done {
                act: Act::Remove { who },
                ..
            } => {
                changed.push(*who);
                lines.push(Line::Out(*who));
            }
            Happened::Came { person } | Happened::Waits { person } => changed.push(person.id),
            _ => {}
        }
        (lines, changed)
    }

    pub(super) fn say(&self, lines: Vec<Line>, changed: &[ParticipantId]) {
        for seat in self.seats.values() {
            if changed.contains(&seat.who) {
                let standing = self.state.standing(seat.who);
                seat.standing.store(standing as u8, Ordering::Release);
            }
        }
        for line in lines {
            self.hall.log.push(line);
        }
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Join { who, seat, reply } => match self.come(&who) {
                Ok(()) if self.seats.len() < MOST_SEATS => {
                    self.then.push(Then::Joined(who, seat, reply));
                }
                Ok(()) => drop(reply.send(Err(Refusal::Full))),
                Err(refusal) => drop(reply.send(Err(refusal))),
            },
            Ask::Leave { seat } => self.seat_ended(seat),
            Ask::Anew { who, reply } => self.then.push(Then::Room(who, reply)),
            Ask::Act { who, seat, request } => {
                let Request { id, act } = request;
                match self.act(who, id, &act) {
                    Ok((Outcome::Board(page), _)) => {
                        self.then.push(Then::Board(seat, id, who, page));
                    }
                    Ok((Outcome::Keep(_), sequence)) => {
                        self.then.push(Then::Acted(seat, id, Ok(sequence)));
                    }
                    Ok((outcome, _)) => self.then.push(Then::Ephemeral(seat, id, outcome)),
                    Err(refusal) => self.then.push(Then::Acted(seat, id, Err(refusal))),
                }
            }
            Ask::Form {
                who,
                request,
                reply,
            } => {
                let done = self.come(&who).and_then(|()| {
                    if !self.may_hurry(who.id, &request.act) {
                        return Err(Refusal::TooFast);
                    }
                    let (_, sequence) = self.act(who.id, request.id, &request.act)?;
                    Ok(sequence)
                });
                self.then.push(Then::Form(reply, done));
            }
            Ask::Look { who, reply } => match self.come(&who) {
                Ok(()) => self.then.push(Then::Look(who.id, reply)),
                Err(refusal) => drop(reply.send(Err(refusal))),
            },
            Ask::Note {
                happened,
                opened_at,
                reply,
            } => {
                self.opened_at = self.opened_at.or(opened_at);
                let noted = self.state.note(happened);
                let done = noted.map(|happened| {
                    self.happen(None, happened);
                });
                self.then.push(Then::Noted(reply, done));
            }
        }
    }

    fn come(&mut self, who: &Newcomer) -> Result<(), Refusal> {
        let happened = self.state.come(who)?;
        if self.state.sequence >= MOST_EVENTS && !happened.is_empty() {
            return Err(Refusal::Full);
        }
        self.happen(None, happened);
        if !self.has_seat(who.id) {
            self.gone.insert(who.id, Instant::now());
        }
        Ok(())
    }

    pub(super) fn rate(&mut self, who: ParticipantId) -> Arc<std::sync::Mutex<Rate>> {
        let rate = self.rates.entry(who).or_insert_with(|| {
            let rate = Rate::new(Instant::now());
            Arc::new(std::sync::Mutex::new(rate))
        });
        Arc::clone(rate)
    }

    fn may_hurry(&mut self, who: ParticipantId, act: &Act) -> bool {
        let rate = self.rate(who);
        let mut rate = rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.take(act, Instant::now())
    }

    pub(super) fn has_seat(&self, who: ParticipantId) -> bool {
        self.seats.values().any(|seat| seat.who == who)
    }

    /// Does an act, or finds that it was done before.
    fn act(&mut self, who: ParticipantId, id: ActId, act: &Act) -> Result<(Outcome, u64), Refusal> {
        if let Some((by, sequence)) = self.acts.get(&id) {
            // Somebody else's id is nobody's business.
            return if *by == who {
                Ok((Outcome::Keep(Vec::new()), *sequence))
            } else {
                Err(Refusal::Invalid)
            };
        }
        let outcome = self.state.decide(who, act, self.now_ms())?;
        let sequence = match &outcome {
            Outcome::Keep(happened) => {
                // The last of it is left for the end of the class.
                let left = MOST_EVENTS.saturating_sub(self.state.sequence);
                if left < 1_000 && !matches!(act, Act::End | Act::Remove { .. }) {
                    return Err(Refusal::Full);
                }
                self.happen(Some((id, who)), happened.clone())
            }
            _ => 0,
        };
        Ok((outcome, sequence))
    }

    pub(super) fn seat_ended(&mut self, seat: SeatNumber) {
        if let Some(info) = self.seats.remove(&seat)
            && !self.has_seat(info.who)
        {
            self.gone.insert(info.who, Instant::now());
        }
        self.tell();
    }

    /// Makes durable what was decided, then answers and says it. False when it could not be.
    pub(super) async fn settle(&mut self) -> bool {
        let pending = std::mem::take(&mut self.pending);
        let then = std::mem::take(&mut self.then);
        if !pending.is_empty()
            && let Err(error) = self.journal.append(&pending).await
        {
            tracing::error!(%error, "what happened in a room could not be kept");
            // Perhaps it was kept and only the answer was lost: the journal knows.
            self.loaded = false;
            for then in then {
                self.try_again(then);
            }
            return false;
        }
        if let Some(last) = pending.last() {
            self.said = last.event.sequence;
        }
        // What is said comes first: whoever gets the room as it is now reads on behind all of it.
        let (said, answers): (Vec<Then>, Vec<Then>) = then
            .into_iter()
            .partition(|then| matches!(then, Then::Say(..)));
        for then in said.into_iter().chain(answers) {
            self.finish(then);
        }
        if !pending.is_empty() {
            self.tell();
        }
        true
    }

    /// Tells those who wait for signs.
    pub(super) fn tell(&self) {
        let signs = Signs {
            ending: self.state.ending && !self.state.ended,
            floors: self.state.floors().collect(),
            parts: self.state.parts,
            seats: self.seats.len(),
        };
        self.hall.signs.send_if_modified(|known| {
            let changed = *known != signs;
            *known = signs;
            changed
        });
        if self.state.ended && self.loaded && self.pending.is_empty() {
            self.hall.log.close();
        }
    }
}

/// Who did what became an event.
fn actor(event: &Event) -> ParticipantId {
    match &event.happened {
        Happened::Done { by, .. } => *by,
        // No other event follows from an act as its first.
        _ => ParticipantId::default(),
    }
}
