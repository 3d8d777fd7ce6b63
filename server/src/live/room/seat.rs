//! One connection to a room: reads the log at its own speed, and brings acts to the owner.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::act::{Refusal, Request};
use super::limits::SEAT_ACTS;
use super::log::{Found, Line, To};
use super::owner::{Ask, Hall, Joined, standing};
use super::state::Standing;
use super::told::RoomMessage;
use crate::id::ParticipantId;

/// What a connection needs.
pub struct Connection {
    /// Who.
    pub who: ParticipantId,
    /// The room.
    pub hall: Arc<Hall>,
    /// Its owner.
    pub owner: mpsc::Sender<Ask>,
    /// The place in it.
    pub joined: Joined,
}

/// The connection has ended.
struct Ended;

impl Connection {
    /// Moves messages until the client is gone, is sent out, or the class is over. `says` gives each
    /// message away and waits while the client's link is slow.
    pub async fn run<F, Fut>(self, mut acts: mpsc::Receiver<Value>, says: F)
    where
        F: Fn(Bytes) -> Fut,
        Fut: Future<Output = bool>,
    {
        let number = self.joined.number;
        // Refusals that never reach the owner; whoever asks for more of them gets none.
        let (refused, refusals) = mpsc::channel(SEAT_ACTS);
        tokio::select! {
            Ended = self.read(refusals, says) => {}
            () = self.act(&mut acts, &refused) => {}
        }
        // The owner stands longer than its connections, except when it is gone for good.
        drop(self.owner.send(Ask::Leave { seat: number }).await);
    }

    async fn act(&self, acts: &mut mpsc::Receiver<Value>, refused: &mpsc::Sender<Bytes>) {
        while let Some(value) = acts.recv().await {
            let id = value.get("id").cloned();
            let Ok(request) = serde_json::from_value::<Request>(value) else {
                // Without an id nobody waits for the answer.
                if let Some(id) = id.and_then(|id| serde_json::from_value(id).ok()) {
                    refuse(refused, id, Refusal::Invalid);
                }
                continue;
            };
            let allowed = {
                let rate = self.joined.rate.lock();
                let mut rate = rate.unwrap_or_else(PoisonError::into_inner);
                rate.take(&request.act, Instant::now())
            };
            if !allowed {
                refuse(refused, request.id, Refusal::TooFast);
                continue;
            }
            let ask = Ask::Act {
                who: self.who,
                seat: self.joined.number,
                request,
            };
            if self.owner.send(ask).await.is_err() {
                return;
            }
        }
    }

    async fn read<F, Fut>(&self, mut refusals: mpsc::Receiver<Bytes>, says: F) -> Ended
    where
        F: Fn(Bytes) -> Fut,
        Fut: Future<Output = bool>,
    {
        let log = &self.hall.log;
        let mut newest = log.watch();
        let mut pointer = log.pointer.subscribe();
        let mut reactions = log.reactions.subscribe();
        let mut followers = log.followers.subscribe();
        let mut cursor = self.joined.cursor;
        if let Some(room) = &self.joined.room
            && !says(room.clone()).await
        {
            return Ended;
        }
        loop {
            newest.borrow_and_update();
            loop {
                match log.at(cursor) {
                    Found::Line(line) => {
                        cursor += 1;
                        match line {
                            Line::Says { to, text, .. } => {
                                if self.hears(&to) && !says(text).await {
                                    return Ended;
                                }
                            }
                            Line::Anew(who) if who == self.who => {
                                let Some(behind) = self.anew(&says).await else {
                                    return Ended;
                                };
                                cursor = behind;
                            }
                            Line::Out(who) if who == self.who => return Ended,
                            Line::Anew(_) | Line::Out(_) => {}
                        }
                    }
                    Found::Fallen => {
                        let Some(behind) = self.anew(&says).await else {
                            return Ended;
                        };
                        cursor = behind;
                    }
                    Found::Nothing => break,
                    Found::Closed => return Ended,
                }
            }
            let inside = || standing(&self.joined.standing) >= Standing::Inside;
            let leads = || standing(&self.joined.standing) == Standing::Leading;
            let text = tokio::select! {
                changed = newest.changed() => match changed {
                    Ok(()) => None,
                    Err(_) => return Ended,
                },
                refusal = refusals.recv() => refusal,
                Ok(()) = pointer.changed() => pointer.borrow_and_update().clone().filter(|_| inside()),
                Ok(()) = reactions.changed() => reactions.borrow_and_update().clone().filter(|_| inside()),
                Ok(()) = followers.changed() => followers.borrow_and_update().clone().filter(|_| leads()),
            };
            if let Some(text) = text
                && !says(text).await
            {
                return Ended;
            }
        }
    }

    fn hears(&self, to: &To) -> bool {
        match to {
            To::Seat(seat) => *seat == self.joined.number,
            To::Audience(audience) => audience.includes(self.who, standing(&self.joined.standing)),
        }
    }

    /// Says the room as it is and returns the cursor behind it. While the owner cannot read the journal
    /// there is nothing to say: the client connects again.
    async fn anew<F, Fut>(&self, says: &F) -> Option<u64>
    where
        F: Fn(Bytes) -> Fut,
        Fut: Future<Output = bool>,
    {
        let (reply, answer) = oneshot::channel();
        let who = self.who;
        self.owner.send(Ask::Anew { who, reply }).await.ok()?;
        let (room, behind) = answer.await.ok()?;
        says(room).await.then_some(behind)
    }
}

fn refuse(refused: &mpsc::Sender<Bytes>, id: crate::id::ActId, reason: Refusal) {
    let message = RoomMessage::ActRefused { id, reason };
    if let Ok(text) = serde_json::to_vec(&message) {
        // Full: the client asks faster than its link carries refusals.
        drop(refused.try_send(text.into()));
    }
}
