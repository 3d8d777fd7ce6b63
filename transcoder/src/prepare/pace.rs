//! Leaves out pictures before they cost anything.

/// Drops pictures that no rung has room for before they cost filtering. What deinterlaces needs
/// them all.
pub(super) struct Pace {
    pub(super) rate_milli: Option<i64>,
    pub(super) slot: i64,
}

impl Pace {
    pub(super) fn keeps(&mut self, at_ms: i64) -> bool {
        let Some(rate) = self.rate_milli else {
            return true;
        };
        let slot = at_ms * rate / 1_000_000;
        let keeps = slot > self.slot;
        self.slot = self.slot.max(slot);
        keeps
    }
}
