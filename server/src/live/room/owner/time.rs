//! What happens in a room by time alone: people leave, signs are counted, leaders see who follows.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::super::act::Reaction;
use super::super::limits::{FOLLOWERS_EVERY, GRACE, MINUTES_EVERY, WAIT_GRACE};
use super::super::state::Standing;
use super::super::told::{Follower, RoomMessage};
use super::{Journal, Owner, text};
use crate::id::ParticipantId;

impl<J: Journal> Owner<J> {
    /// What happens by time alone.
    pub async fn beat(&mut self) {
        if !self.loaded {
            return;
        }
        self.leave_quietly();
        if !self.settle().await {
            return;
        }
        self.say_reactions();
        if self.followers_at.elapsed() >= FOLLOWERS_EVERY {
            self.followers_at = Instant::now();
            self.say_followers().await;
        }
    }

    fn leave_quietly(&mut self) {
        let now = Instant::now();
        let present: Vec<(ParticipantId, bool)> = self
            .state
            .people
            .values()
            .filter(|member| member.person.present)
            .map(|member| (member.person.id, member.waiting))
            .collect();
        for (who, waiting) in present {
            if self.has_seat(who) {
                self.gone.remove(&who);
                continue;
            }
            let since = *self.gone.entry(who).or_insert(now);
            let grace = if waiting { WAIT_GRACE } else { GRACE };
            if now.saturating_duration_since(since) >= grace {
                self.gone.remove(&who);
                let happened = self.state.leave(who);
                self.happen(None, happened);
            }
        }
    }

    fn say_reactions(&mut self) {
        if self.reactions.is_empty() {
            return;
        }
        let mut counts: Vec<(Reaction, u32)> = self.reactions.drain().collect();
        counts.sort_unstable();
        let reactions = text(&RoomMessage::Reactions { counts });
        self.hall.log.reactions.send_replace(reactions);
    }

    async fn say_followers(&mut self) {
        let leading = Standing::Leading as u8;
        let watched = self
            .seats
            .values()
            .any(|seat| seat.standing.load(Ordering::Acquire) == leading);
        if !watched {
            return;
        }
        if self
            .minutes_at
            .is_none_or(|at| at.elapsed() >= MINUTES_EVERY)
        {
            self.minutes_at = Some(Instant::now());
            match self.journal.minutes().await {
                Ok(minutes) => self.minutes = minutes.into_iter().collect(),
                Err(error) => tracing::warn!(%error, "attendance could not be counted"),
            }
        }
        let mut followers: Vec<Follower> = Vec::new();
        for seat in self.seats.values() {
            let Some(person) = self.state.inside(seat.who) else {
                continue;
            };
            if person.role.leads() {
                continue;
            }
            let follows = seat.follows.borrow();
            let follower = Follower {
                who: seat.who,
                rung: follows.rung.clone(),
                behind_ms: follows.behind_ms,
                stuck: follows.stuck,
                minutes: self.minutes.get(&seat.who).copied().unwrap_or(0),
            };
            // Of several connections, the best tells how the person follows.
            match followers.iter_mut().find(|known| known.who == seat.who) {
                Some(known) if is_better(&follower, known) => *known = follower,
                Some(_) => {}
                None => followers.push(follower),
            }
        }
        followers.sort_unstable_by_key(|follower| follower.who);
        let followers = text(&RoomMessage::Followers { followers });
        self.hall.log.followers.send_replace(followers);
    }
}

fn is_better(new: &Follower, known: &Follower) -> bool {
    (new.rung.is_empty(), new.stuck, new.behind_ms)
        < (known.rung.is_empty(), known.stuck, known.behind_ms)
}
