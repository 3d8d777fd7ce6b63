//! What an owner answers once a round is durable, or could not be made so.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use tokio::sync::oneshot;

use super::super::act::{Act, Refusal};
use super::super::decide::Outcome;
use super::super::log::{Line, SeatNumber, To};
use super::super::state::Standing;
use super::super::told::RoomMessage;
use super::{Ask, Joined, Journal, NewSeat, Owner, SeatInfo, Then, text};
use crate::id::{ActId, ParticipantId};

impl<J: Journal> Owner<J> {
    pub(super) fn finish(&mut self, then: Then) {
        match then {
            Then::Say(lines, changed) => self.say(lines, &changed),
            Then::Acted(seat, id, done) => self.answer(seat, &acted(id, done)),
            Then::Board(seat, id, who, page) => {
                // Perhaps the groups changed within this round.
                let seen = self
                    .state
                    .decide(who, &Act::LookAtBoard { page }, 0)
                    .is_ok();
                if seen {
                    self.answer(
                        seat,
                        &RoomMessage::Board {
                            sequence: self.state.sequence,
                            page,
                            strokes: self.state.board.strokes(page),
                        },
                    );
                }
                let done = if seen {
                    Ok(0)
                } else {
                    Err(Refusal::NotAllowed)
                };
                self.answer(seat, &acted(id, done));
            }
            Then::Ephemeral(seat, id, outcome) => {
                match outcome {
                    Outcome::Point { x, y } => {
                        let pointer = text(&RoomMessage::Pointer { x, y });
                        self.hall.log.pointer.send_replace(pointer);
                    }
                    Outcome::React(reaction) => *self.reactions.entry(reaction).or_insert(0) += 1,
                    Outcome::Keep(_) | Outcome::Board(_) => {}
                }
                self.answer(seat, &acted(id, Ok(0)));
            }
            Then::Joined(who, seat, reply) => self.seat(who.id, seat, reply),
            Then::Room(who, reply) => {
                let room = text(&self.state.room_message(who)).unwrap_or_default();
                drop(reply.send((room, self.hall.log.end())));
            }
            Then::Form(reply, done) => drop(reply.send(done)),
            Then::Look(who, reply) => drop(reply.send(Ok(self.state.snapshot_for(who)))),
            Then::Noted(reply, done) => drop(reply.send(done)),
        }
    }

    fn seat(
        &mut self,
        who: ParticipantId,
        seat: NewSeat,
        reply: oneshot::Sender<Result<Joined, Refusal>>,
    ) {
        let number = self.next_seat;
        self.next_seat += 1;
        let resumed = seat
            .events_after
            .filter(|_| self.state.standing(who) >= Standing::Inside)
            .and_then(|seen| self.hall.log.after(seen, self.said));
        let standing = Arc::new(AtomicU8::new(self.state.standing(who) as u8));
        let rate = self.rate(who);
        let joined = Joined {
            number,
            cursor: resumed.unwrap_or_else(|| self.hall.log.end()),
            room: match resumed {
                Some(_) => None,
                None => text(&self.state.room_message(who)),
            },
            standing: Arc::clone(&standing),
            rate,
        };
        if reply.send(Ok(joined)).is_err() {
            // Gone before the answer.
            return;
        }
        self.gone.remove(&who);
        self.seats.insert(
            number,
            SeatInfo {
                who,
                standing,
                follows: seat.follows,
            },
        );
        self.tell();
    }

    pub(super) fn answer(&self, seat: SeatNumber, message: &RoomMessage) {
        if self.seats.contains_key(&seat)
            && let Some(text) = text(message)
        {
            self.hall.log.push(Line::Says {
                to: To::Seat(seat),
                sequence: 0,
                text,
            });
        }
    }

    pub(super) fn try_again(&self, then: Then) {
        let again = Refusal::TryAgain;
        match then {
            Then::Acted(seat, id, _) | Then::Board(seat, id, ..) | Then::Ephemeral(seat, id, _) => {
                self.answer(seat, &acted(id, Err(again)))
            }
            Then::Joined(_, _, reply) => drop(reply.send(Err(again))),
            Then::Form(reply, _) => drop(reply.send(Err(again))),
            Then::Look(_, reply) => drop(reply.send(Err(again))),
            Then::Noted(reply, _) => drop(reply.send(Err(again))),
            // A dropped reply is an answer too: the connection asks again.
            Then::Say(..) | Then::Room(..) => {}
        }
    }

    pub(super) fn refuse(&mut self, ask: Ask) {
        let again = Refusal::TryAgain;
        match ask {
            Ask::Join { reply, .. } => drop(reply.send(Err(again))),
            Ask::Leave { seat } => self.seat_ended(seat),
            Ask::Anew { .. } => {}
            Ask::Act { seat, request, .. } => self.answer(seat, &acted(request.id, Err(again))),
            Ask::Form { reply, .. } => drop(reply.send(Err(again))),
            Ask::Look { reply, .. } => drop(reply.send(Err(again))),
            Ask::Note { reply, .. } => drop(reply.send(Err(again))),
        }
    }
}

fn acted(id: ActId, done: Result<u64, Refusal>) -> RoomMessage {
    match done {
        Ok(sequence) => RoomMessage::Acted { id, sequence },
        Err(reason) => RoomMessage::ActRefused { id, reason },
    }
}
