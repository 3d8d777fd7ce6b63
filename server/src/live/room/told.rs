//! What people see of a class: the messages from the room, once for server and scripts.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::act::{Act, Poll, Reaction, Refusal, Role, Stroke};
use crate::id::{ActId, DeckId, ParticipantId, PollId};

/// What happened, as everybody who may see it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Happened {
    /// The class opened.
    Opened,
    /// Somebody came; the roster's line.
    Came {
        /// Who.
        person: Person,
    },
    /// Somebody's last connection ended.
    Left {
        /// Who.
        #[ts(type = "string")]
        who: ParticipantId,
    },
    /// Somebody waits to be let in; leaders only.
    Waits {
        /// Who.
        person: Person,
    },
    /// An act that was done.
    Done {
        /// By whom.
        #[ts(type = "string")]
        by: ParticipantId,
        /// What.
        act: Act,
    },
    /// Slides were added.
    DeckAdded {
        /// The slides.
        deck: Deck,
    },
    /// The small groups are these now; empty: none.
    Groups {
        /// Members of each.
        #[ts(type = "string[][]")]
        members: Vec<Vec<ParticipantId>>,
    },
    /// Answers so far (leaders see it in place of each answer), or the result of a closed poll (all).
    PollCount {
        /// Which.
        #[ts(type = "string")]
        poll: PollId,
        /// Answers of each option.
        counts: Vec<u32>,
        /// The right answer, once it may be known.
        right: Option<u8>,
        /// Whether it is closed.
        closed: bool,
    },
    /// The teacher's link was lost, or is back.
    Host {
        /// Whether media comes.
        present: bool,
    },
    /// The class ended.
    Ended,
}

/// An event with its place in the class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Event {
    /// 1, 2, 3 … without gaps in the class; a client may not see each.
    #[ts(type = "number")]
    pub sequence: u64,
    /// On the class's timeline.
    #[ts(type = "number")]
    pub at_ms: u64,
    /// What.
    pub happened: Happened,
}

/// A line of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Person {
    /// Who, in this class.
    #[ts(type = "string")]
    pub id: ParticipantId,
    /// As people see it.
    pub name: String,
    /// Part.
    pub role: Role,
    /// Has a connection now.
    pub present: bool,
    /// Has the hand up, since when on the timeline.
    #[ts(type = "number | null")]
    pub hand_ms: Option<u64>,
    /// May be heard.
    pub floor: bool,
    /// Was silenced.
    pub muted: bool,
}

/// Uploaded slides as small pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Deck {
    /// Which.
    #[ts(type = "string")]
    pub id: DeckId,
    /// Name of the file.
    pub name: String,
    /// Paths of the pictures, one a page; with `?small` about a third of the bytes.
    pub pages: Vec<String>,
}

/// A message of the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ChatLine {
    /// Sequence of its event.
    #[ts(type = "number")]
    pub sequence: u64,
    /// On the timeline.
    #[ts(type = "number")]
    pub at_ms: u64,
    /// Who.
    #[ts(type = "string")]
    pub by: ParticipantId,
    /// As people see it.
    pub name: String,
    /// What.
    pub text: String,
    /// Small group, absent for all.
    pub group: Option<u8>,
}

/// A poll as one person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PollState {
    /// What is asked; `right` is absent for learners until it is closed.
    pub poll: Poll,
    /// Answers of each option; empty where they are not shown.
    pub counts: Vec<u32>,
    /// The own answer.
    pub own: Option<u8>,
    /// Whether it is closed.
    pub closed: bool,
}

/// Everything that somebody sees who comes in now: the room after the event `sequence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Snapshot {
    /// Events up to this one are in it.
    #[ts(type = "number")]
    pub sequence: u64,
    /// Who asks.
    #[ts(type = "string")]
    pub me: ParticipantId,
    /// Whether the own way in is still to be opened by a leader; then the rest is empty.
    pub waiting: bool,
    /// Everybody; leaders see those who wait too.
    pub people: Vec<Person>,
    /// Those who wait, for leaders.
    pub waits: Vec<Person>,
    /// The newest 50 messages.
    pub chat: Vec<ChatLine>,
    /// Whether learners may write.
    pub chat_open: bool,
    /// Whether anybody may still come in.
    pub locked: bool,
    /// Slides of this class.
    pub decks: Vec<Deck>,
    /// The slide shown: deck and page.
    #[ts(type = "[string, number] | null")]
    pub slide: Option<(DeckId, u16)>,
    /// Page of the board that is shown.
    pub board_page: u16,
    /// Lines on that page, in order; neighbours of one colour and width are joined.
    pub strokes: Vec<Stroke>,
    /// Polls, newest last.
    pub polls: Vec<PollState>,
    /// Sentence at the top.
    pub announcement: String,
    /// When the timer rings.
    #[ts(type = "number | null")]
    pub timer_until_ms: Option<u64>,
    /// Small groups.
    #[ts(type = "string[][]")]
    pub groups: Vec<Vec<ParticipantId>>,
    /// Whether the teacher's media comes.
    pub host_present: bool,
    /// Whether the class has ended.
    pub ended: bool,
}

/// How somebody follows, as a teacher sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Follower {
    /// Who.
    #[ts(type = "string")]
    pub who: ParticipantId,
    /// Rung that is sent.
    pub rung: String,
    /// How far the picture is behind the present.
    #[ts(type = "number")]
    pub behind_ms: u64,
    /// Nothing plays because nothing is stored.
    pub stuck: bool,
    /// Minutes of the class that were really played so far.
    pub minutes: u32,
}

/// What the room says on the socket; each is a text message of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RoomMessage {
    /// On joining, and whenever too much was missed.
    Room {
        /// The room as it is.
        room: Box<Snapshot>,
    },
    /// Something happened.
    Event {
        /// What, durable.
        event: Event,
    },
    /// The own act is durable and others see it.
    Acted {
        /// Which.
        #[ts(type = "string")]
        id: ActId,
        /// Of its event; 0 for what is not kept.
        #[ts(type = "number")]
        sequence: u64,
    },
    /// The own act was not done.
    ActRefused {
        /// Which.
        #[ts(type = "string")]
        id: ActId,
        /// Why.
        reason: Refusal,
    },
    /// The lines of a page of the board, after the event `sequence`.
    Board {
        /// Events up to this one are in it.
        #[ts(type = "number")]
        sequence: u64,
        /// Page of the board.
        page: u16,
        /// Lines, in order; neighbours of one colour and width are joined.
        strokes: Vec<Stroke>,
    },
    /// The pointer is here now; never kept.
    Pointer {
        /// 0 to 4095 over the width; absent: no pointer.
        x: Option<u16>,
        /// 0 to 4095 over the height.
        y: Option<u16>,
    },
    /// How everybody follows, for leaders, every few seconds; never kept.
    Followers {
        /// One line for each who is present.
        followers: Vec<Follower>,
    },
    /// Quick signs of the last seconds.
    Reactions {
        /// How many of each.
        #[ts(type = "[Reaction, number][]")]
        counts: Vec<(Reaction, u32)>,
    },
}

#[cfg(test)]
mod tests {
    use super::super::act::*;
    use super::*;

    #[test]
    fn room_d_ts_says_what_the_types_say() {
        let config = ts_rs::Config::default();
        crate::declarations::check(
            "live/room.d.ts",
            "server/src/live/room/{act,told}.rs",
            "room_d_ts",
            "",
            &[
                Role::decl(&config),
                Reaction::decl(&config),
                Stroke::decl(&config),
                Poll::decl(&config),
                Act::decl(&config),
                Request::decl(&config),
                Refusal::decl(&config),
                Happened::decl(&config),
                Event::decl(&config),
                Person::decl(&config),
                Deck::decl(&config),
                ChatLine::decl(&config),
                PollState::decl(&config),
                Snapshot::decl(&config),
                Follower::decl(&config),
                RoomMessage::decl(&config),
            ],
        );
    }
}
