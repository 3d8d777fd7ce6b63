//! What somebody does in a class: the messages to the room, once for server and scripts
//! (`web/js/live/room.d.ts` is made from here and from `told`). They travel on the class's stream socket;
//! `PROTOCOL.md` beside the stream says how.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::id::{ActId, DeckId, ParticipantId, PollId, StrokeId};

/// Part that somebody has in a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Watches and reads; may do nothing.
    Observer,
    /// Takes part.
    Learner,
    /// Leads together with the host.
    CoHost,
    /// Leads.
    Host,
}

impl Role {
    const ALL: [Self; 4] = [Self::Observer, Self::Learner, Self::CoHost, Self::Host];

    /// The word in the database and on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Learner => "learner",
            Self::CoHost => "co_host",
            Self::Host => "host",
        }
    }

    /// Reads [`Role::word`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// Whether this part leads the class.
    #[must_use]
    pub fn leads(self) -> bool {
        self >= Self::CoHost
    }
}

/// A quick sign that everybody sees counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// I follow.
    Yes,
    /// I do not.
    No,
    /// Too fast.
    Slower,
    /// Too slow.
    Faster,
    /// Applause.
    Applause,
}

/// One line on a page of the board, a slide included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Stroke {
    /// Made by the client; the same id again continues the line.
    #[ts(type = "string")]
    pub id: StrokeId,
    /// Page of the board: 0 to 99 are everybody's, 1000 + n is the page of the small group n.
    pub page: u16,
    /// Index of a colour of the palette, 0 to 7.
    pub colour: u8,
    /// Width in thousandths of the page's width, 1 to 40.
    pub width: u8,
    /// Base64 of pairs of bytes: the first point as two big-endian u16 (0 to 4095 over width and height),
    /// each further one as two signed bytes of difference. At most 512 points a message; what continues
    /// a line begins with a point too, best with the last one of before. Where lines of one colour and
    /// width are joined (`Snapshot`, `board`), the difference -128, -128 lifts the pen: the next four
    /// bytes are a point again. No client sends that difference.
    pub points: String,
}

/// A question with answers to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Poll {
    /// Made by the client.
    #[ts(type = "string")]
    pub id: PollId,
    /// At most 300 characters.
    pub question: String,
    /// Two to six of at most 120 characters.
    pub options: Vec<String>,
    /// Index of the right answer: a quick quiz. Shown to learners only when the poll is closed.
    pub right: Option<u8>,
}

/// What somebody does. Who may do it stands in `state.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Act {
    /// Says something; in a small group only the group hears it.
    Chat {
        /// At most 500 characters.
        text: String,
        /// Number of the small group, absent for all.
        group: Option<u8>,
    },
    /// Takes a message of the chat out of sight.
    HideChat {
        /// Sequence of its event.
        #[ts(type = "number")]
        sequence: u64,
    },
    /// Raises or lowers the own hand.
    Hand {
        /// Up or down.
        up: bool,
    },
    /// Gives a learner the floor: he or she may be heard.
    GiveFloor {
        /// To whom.
        #[ts(type = "string")]
        to: ParticipantId,
    },
    /// Ends the floor of somebody (a leader's right) or the own.
    TakeFloor {
        /// From whom.
        #[ts(type = "string")]
        from: ParticipantId,
    },
    /// Shows a page of uploaded slides; absent deck: the board alone.
    ShowSlide {
        /// Uploaded slides.
        #[ts(type = "string | null")]
        deck: Option<DeckId>,
        /// Page of the deck, from 0.
        page: u16,
    },
    /// Draws.
    Draw {
        /// The line or its continuation.
        stroke: Stroke,
    },
    /// Takes the last own line of a page back.
    Undo {
        /// Page of the board.
        page: u16,
        /// Which line it was: filled in by the server. Who does not know that line, for it came joined
        /// with others, asks for the page.
        #[serde(default)]
        #[ts(type = "string | null")]
        stroke: Option<StrokeId>,
    },
    /// Wipes a page of the board.
    Wipe {
        /// Page of the board.
        page: u16,
    },
    /// Turns the board to a page.
    TurnBoard {
        /// From 0; at most 99.
        page: u16,
    },
    /// Asks for the lines of a page of the board; answered with `board`, never kept.
    LookAtBoard {
        /// Page of the board.
        page: u16,
    },
    /// Moves the pointer; never kept.
    Point {
        /// 0 to 4095 over the width; absent: no pointer.
        x: Option<u16>,
        /// 0 to 4095 over the height.
        y: Option<u16>,
    },
    /// Opens a poll.
    OpenPoll {
        /// What is asked.
        poll: Poll,
    },
    /// Answers; the last answer before the poll closes counts.
    Answer {
        /// Of which poll.
        #[ts(type = "string")]
        poll: PollId,
        /// Index of the option.
        option: u8,
    },
    /// Closes a poll and shows its result.
    ClosePoll {
        /// Which.
        #[ts(type = "string")]
        poll: PollId,
    },
    /// A quick sign; counted, not kept.
    React {
        /// Which.
        reaction: Reaction,
    },
    /// A sentence at the top of everybody's page; empty takes it away.
    Announce {
        /// At most 300 characters.
        text: String,
    },
    /// Sets the timer; absent stops it.
    SetTimer {
        /// When it rings, on the class's timeline.
        #[ts(type = "number | null")]
        until_ms: Option<u64>,
    },
    /// Silences somebody's chat and voice, or allows both again.
    Mute {
        /// Whom.
        #[ts(type = "string")]
        who: ParticipantId,
        /// On or off.
        on: bool,
    },
    /// Sends somebody out; he or she cannot come back.
    Remove {
        /// Whom.
        #[ts(type = "string")]
        who: ParticipantId,
    },
    /// Lets somebody in who waits.
    Admit {
        /// Whom.
        #[ts(type = "string")]
        who: ParticipantId,
    },
    /// Lets nobody in any more, or again.
    Lock {
        /// On or off.
        on: bool,
    },
    /// Lets learners write into the chat, or only leaders.
    OpenChat {
        /// On or off.
        on: bool,
    },
    /// Gives somebody another part.
    SetRole {
        /// Whom.
        #[ts(type = "string")]
        who: ParticipantId,
        /// Learner, observer or co-host.
        role: Role,
    },
    /// Parts the learners into small groups, each with a board and a chat of its own.
    OpenGroups {
        /// How many, 2 to 20.
        count: u8,
    },
    /// Ends the small groups.
    CloseGroups,
    /// Ends the class for good.
    End,
}

/// What the client sends as `act` on the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Request {
    /// Made by the client: the same again changes nothing and is answered alike.
    #[ts(type = "string")]
    pub id: ActId,
    /// What.
    pub act: Act,
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not with this part in the class.
    NotAllowed,
    /// A leader silenced this person or the chat.
    Muted,
    /// A length, number or index outside its bounds, or something that is not there.
    Invalid,
    /// The class is not open.
    Closed,
    /// Too much in too short a time.
    TooFast,
    /// The room is full of this kind of thing.
    Full,
    /// A fault of the server: ask again with the same id.
    TryAgain,
}
