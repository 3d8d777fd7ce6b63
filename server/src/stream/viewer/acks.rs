//! What a viewer makes of acknowledgements, and how many of them it asks for.

use super::super::wire::{Ack, ServerMessage};
use super::Viewer;

/// With this much stored, slow acknowledgements are the client's choice.
const RELAXED_MS: u64 = 40_000;
/// No client stores more.
const MOST_STORED_MS: u64 = 24 * 3_600_000;

impl Viewer {
    /// The client acknowledged; whether it ran dry since it last did.
    pub fn ack(&mut self, ack: &Ack, now_ms: u64) -> bool {
        let relaxed = ack.buffer_ms >= RELAXED_MS;
        self.credit.acked(ack, now_ms, relaxed);
        let dry = ack.buffer_ms == 0 && self.buffer_ms > 0 && !self.ended;
        self.buffer_ms = ack.buffer_ms.min(MOST_STORED_MS);
        // Below the best rung each acknowledgement helps to find out whether a better one is carried.
        let best = self.pin.is_some() || self.rung + 1 == self.ladder.rungs().len();
        self.ask_for_acks(self.index.grows() && best && !dry && self.credit.is_at_ease());
        dry
    }

    /// Says how long the client may keep acknowledgements back, when that is another time from now on.
    pub(super) fn ask_for_acks(&mut self, calm: bool) {
        let Some(most_ms) = self.ack_delay.heard(calm) else {
            return;
        };
        let rung_bps = self.costs_bps()[self.rung];
        self.credit.allow_delay(most_ms, rung_bps);
        self.says.push_back(ServerMessage::AckDelay { most_ms });
    }
}
