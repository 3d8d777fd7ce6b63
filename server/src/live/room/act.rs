//! What people do in a class and what others see of it: the messages of the room, once for server and
//! scripts (`web/js/live/room.d.ts` is made from here). They travel on the class's stream socket;
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
    use super::*;

    const DECLARATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/js/live/room.d.ts");

    fn declarations() -> String {
        let config = ts_rs::Config::default();
        let mut text = "// Made from server/src/live/room/act.rs; \
                        WRITE_TYPES=1 cargo test -p millet-server room_d_ts writes it anew.\n"
            .to_owned();
        for declaration in [
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
        ] {
            text.push_str("\nexport ");
            for line in declaration.lines() {
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }

    #[test]
    fn room_d_ts_says_what_the_types_say() {
        if std::env::var_os("WRITE_TYPES").is_some() {
            std::fs::write(DECLARATIONS, declarations()).unwrap();
        }
        let checked_in = std::fs::read_to_string(DECLARATIONS).unwrap();
        assert_eq!(checked_in, declarations());
    }
}
