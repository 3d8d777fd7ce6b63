//! The messages of `millet.floor.v1`; `PROTOCOL.md` beside this file says how they are used.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Name in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "millet.floor.v1";
/// Longest packet of Opus that is taken: 60 ms at 64 kbit/s.
pub const LONGEST_PACKET: usize = 480;
/// Longest voice note, milliseconds.
pub const LONGEST_NOTE_MS: u32 = 60_000;

/// How somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SpeechKind {
    /// Heard while it is said.
    Live,
    /// Heard when all of it has arrived: the link is too weak for speaking live.
    Note,
}

/// What a speaker says, beside packets of Opus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SpeakerMessage {
    /// First message.
    Hello {
        /// How.
        kind: SpeechKind,
    },
    /// That was all.
    Over,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FloorAnswer {
    /// Packets may come.
    Welcome,
    /// The note is whole, and the class hears it from now on.
    Kept {
        /// How long it is.
        duration_ms: u32,
    },
    /// Speaking ends; a close follows.
    Problem {
        /// `no_floor`, `malformed`, `too_fast`, `too_long` or `ended`.
        code: String,
    },
}
