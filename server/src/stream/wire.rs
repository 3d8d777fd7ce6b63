//! The messages of `millet.stream.v1`, once for server, script (`protocol.d.ts`) and test client.
//! `PROTOCOL.md` beside this file says how they are used.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use super::header::{HEADER_BYTES, Header, Payload, flag};
use crate::id::{IntervalId, PlaySessionId, TimelineId};

/// Name in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "millet.stream.v1";
/// Longest message that a client may send, in bytes.
pub const LONGEST_CLIENT_MESSAGE: usize = 16 * 1024;

/// An interval that was played at one rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "Interval")]
pub struct PlayedInterval {
    /// UUID made by the client; the same interval always has the same.
    #[ts(type = "string")]
    pub id: IntervalId,
    /// Begin.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// End.
    #[ts(type = "number")]
    pub until_ms: i64,
    /// Playback rate in thousandths.
    #[ts(type = "number")]
    pub rate_permille: i64,
}

/// The newest chunk of each lane that the client holds, for the server to go on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Resume {
    /// Epoch of those chunks.
    pub epoch: u32,
    /// Segment of the newest chunk of the video lane.
    pub video_sequence: Option<u32>,
    /// Chunk in it.
    pub video_part: Option<u16>,
    /// Segment of the newest chunk of the audio lane.
    pub audio_sequence: Option<u32>,
    /// Chunk in it.
    pub audio_part: Option<u16>,
}

/// First message of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Hello {
    /// What to watch.
    #[ts(type = "string")]
    pub timeline: TimelineId,
    /// UUID of this opening of the timeline, made by the client and kept across reconnections.
    #[ts(type = "string")]
    pub session: PlaySessionId,
    /// Where to begin; of no meaning with `resume`.
    #[ts(type = "number")]
    pub position_ms: u64,
    /// Beginnings of the codec strings that the client can decode.
    pub codecs: Vec<String>,
    /// Rung to stay on.
    pub pin: Option<String>,
    /// Most bytes that may still be sent.
    #[ts(type = "number | null")]
    pub budget_bytes: Option<u64>,
    /// What the client has.
    pub resume: Option<Resume>,
    /// Newest receipt of this account for this timeline.
    pub receipt: Option<String>,
    /// How to watch a timeline that still grows; of no meaning for any other.
    #[serde(default)]
    pub live: Option<LiveWish>,
}

/// What a viewer of a growing timeline wants to do about what it misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Follow {
    /// Stay near the present: what was missed for longer than a moment is left out.
    Edge,
    /// See everything, later if need be.
    All,
}

/// How to watch a timeline that still grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LiveWish {
    /// What to do about what is missed.
    pub follow: Follow,
    /// Begin at the present instead of `position_ms`; of no meaning with `resume`.
    pub at_edge: bool,
    /// Newest event of the room that the client has seen; null before the first.
    #[ts(type = "number | null")]
    pub events_after: Option<u64>,
}

/// How far a growing timeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LiveNow {
    /// The timeline's clock now.
    #[ts(type = "number")]
    pub now_ms: u64,
    /// End of the newest chunk.
    #[ts(type = "number")]
    pub edge_ms: u64,
    /// Nothing more comes.
    pub ended: bool,
}

/// What arrived since `welcome`, headers included, and how much is stored ahead of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Ack {
    /// Bytes of all binary messages.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Stored ahead.
    #[ts(type = "number")]
    pub buffer_ms: u64,
    /// From the arrival of the message before the newest one to that of the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(type = "number", optional)]
    pub gap_ms: Option<u64>,
    /// From the arrival of the newest message to this word of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(type = "number", optional)]
    pub delay_ms: Option<u64>,
}

/// What clients say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// First message.
    Hello(Hello),
    /// What arrived.
    Ack(Ack),
    /// Go on from another position; what is on the way is late.
    Seek {
        /// Where.
        #[ts(type = "number")]
        position_ms: u64,
        /// The epoch from now on.
        epoch: u32,
    },
    /// Stay on a rung; null leaves the choice to the server.
    Pin {
        /// Id.
        rung: Option<String>,
    },
    /// Most bytes that may still be sent; null for no limit.
    Budget {
        /// From now on.
        #[ts(type = "number | null")]
        bytes: Option<u64>,
    },
    /// What was played.
    Played {
        /// At most 100.
        intervals: Vec<PlayedInterval>,
        /// Newest receipt.
        receipt: Option<String>,
    },
    /// What to do about what is missed of a growing timeline, from now on.
    Follow {
        /// The wish.
        follow: Follow,
    },
    /// Does something in the room of a class; the room's own messages say what and with which answer.
    Act {
        /// A `Request` of the room.
        #[ts(type = "import(\"../live/room.js\").Request")]
        request: serde_json::Value,
    },
    /// Nothing more is wanted.
    Bye,
}

/// Lane and look of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RenditionKind {
    /// Sound.
    Audio,
    /// One picture a second at most.
    Stills,
    /// Moving picture.
    Video,
}

/// A rendition that the client can decode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Rendition {
    /// In headers of binary messages.
    pub index: u8,
    /// Stable id.
    pub id: String,
    /// Lane and look.
    pub kind: RenditionKind,
    /// As Media Source Extensions want it.
    pub codec: String,
    /// Pixels; 0 for sound.
    pub width: u32,
    /// Pixels; 0 for sound.
    pub height: u32,
    /// Of the whole timeline.
    #[ts(type = "number")]
    pub bytes: u64,
}

/// What can be watched at once: indexes of renditions, and the bytes of the whole timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Rung {
    /// Stable id.
    pub id: String,
    /// Of the video lane.
    pub video: Option<u8>,
    /// Of the audio lane.
    pub audio: Option<u8>,
    /// Of the whole timeline.
    #[ts(type = "number")]
    pub bytes: u64,
}

/// Why another rung is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RungReason {
    /// The link carries more or less.
    Bandwidth,
    /// The client asked for it.
    Pinned,
    /// The rest of the timeline must fit into the budget.
    Budget,
    /// The first.
    Start,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Answer to `hello`.
    Welcome {
        /// Epoch of what follows.
        epoch: u32,
        /// Length of the timeline.
        #[ts(type = "number")]
        duration_ms: u64,
        /// What the client can decode.
        renditions: Vec<Rendition>,
        /// From the fewest to the most bytes.
        rungs: Vec<Rung>,
        /// The one that is sent first.
        rung: String,
        /// What was delivered so far.
        receipt: String,
        /// Present while the timeline grows; `duration_ms` is then its length so far.
        live: Option<LiveNow>,
        /// Present while the rest of a recording is being prepared: so far it can be watched. `duration_ms`
        /// is then as announced.
        #[serde(default)]
        #[ts(type = "number | null")]
        prepared_ms: Option<u64>,
    },
    /// A recording that is not finished can be watched so far; every few seconds.
    Prepared {
        /// Begin of what is still being prepared.
        #[ts(type = "number")]
        prepared_ms: u64,
    },
    /// The recording is finished: what it consists of, in place of what `welcome` said.
    Finished {
        /// Length of the timeline.
        #[ts(type = "number")]
        duration_ms: u64,
        /// What the client can decode; those that were there keep their index.
        renditions: Vec<Rendition>,
        /// From the fewest to the most bytes.
        rungs: Vec<Rung>,
    },
    /// A growing timeline is this far; every few seconds and when it ends.
    Live {
        /// How far.
        live: LiveNow,
    },
    /// The following chunks are of this rung.
    Rung {
        /// Id.
        rung: String,
        /// Why.
        reason: RungReason,
    },
    /// How long an `ack` may be kept back from now on; 200 ms before it is said.
    AckDelay {
        /// Longest.
        #[ts(type = "number")]
        most_ms: u64,
    },
    /// What was delivered, the next segment included; the newest replaces all before.
    Receipt {
        /// To be kept and shown again.
        receipt: String,
    },
    /// Durable: the client may forget these intervals.
    Credited {
        /// Ids.
        #[ts(type = "string[]")]
        ids: Vec<IntervalId>,
        /// Share of the timeline that was watched.
        #[ts(type = "number")]
        watched_permille: i64,
    },
    /// Not credited, and never will be; the client may forget it.
    RefusedInterval {
        /// Id.
        #[ts(type = "string")]
        id: IntervalId,
        /// `not_delivered`, `faster_than_time`, `two_at_once`, `out_of_range`, `too_fine`.
        reason: String,
    },
    /// Nothing more is sent until the budget is raised.
    BudgetReached,
    /// Everything up to the end of the timeline was sent.
    End,
    /// Nothing can be played; connecting again will not help.
    Problem {
        /// Machine-readable.
        code: String,
    },
    /// Watching completed something.
    Completed {
        /// The lesson.
        lesson: bool,
        /// The course too.
        course: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_d_ts_says_what_the_types_say() {
        let config = ts_rs::Config::default();
        crate::declarations::check(
            "player/protocol.d.ts",
            "server/src/stream/wire.rs",
            "protocol_d_ts",
            "",
            &[
                PlayedInterval::decl(&config),
                Resume::decl(&config),
                Hello::decl(&config),
                Follow::decl(&config),
                LiveWish::decl(&config),
                LiveNow::decl(&config),
                Ack::decl(&config),
                ClientMessage::decl(&config),
                RenditionKind::decl(&config),
                Rendition::decl(&config),
                Rung::decl(&config),
                RungReason::decl(&config),
                ServerMessage::decl(&config),
            ],
        );
    }

    #[test]
    fn messages_have_the_agreed_form() {
        let read = |text| serde_json::from_str::<ClientMessage>(text);
        assert_eq!(read(r#"{"type":"bye"}"#).unwrap(), ClientMessage::Bye);
        assert_eq!(
            read(r#"{"type":"ack","bytes":10,"buffer_ms":0}"#).unwrap(),
            ClientMessage::Ack(Ack {
                bytes: 10,
                ..Ack::default()
            })
        );
        let hello = r#"{"type":"hello","timeline":"01930000-0000-7000-8000-000000000000",
            "session":"6f1f7d5e-6a3f-4c55-9f3e-2f7f7f9d8a11","position_ms":0,"codecs":["avc1"],
            "pin":null,"budget_bytes":null,"receipt":null,
            "resume":{"epoch":1,"video_sequence":null,"video_part":null,
            "audio_sequence":2,"audio_part":3}}"#;
        assert!(matches!(read(hello), Ok(ClientMessage::Hello(_))));
        assert!(read(r#"{"type":"seek","position_ms":-1,"epoch":1}"#).is_err());
        let refused = ServerMessage::RefusedInterval {
            id: IntervalId::new(),
            reason: "not_delivered".into(),
        };
        let text = serde_json::to_string(&refused).unwrap();
        assert!(
            text.starts_with(r#"{"type":"refused_interval","id":""#),
            "{text}"
        );
    }
}
