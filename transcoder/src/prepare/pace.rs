//! Leaves out pictures before they cost anything.

/// Drops pictures that no rung has room for before they cost filtering. What deinterlaces needs
/// them all.
pub(crate) struct Pace {
    rate_milli: Option<i64>,
    slot: i64,
}

impl Pace {
    /// Lets through `rate_milli` pictures in 1000 seconds, or all.
    pub(crate) fn new(rate_milli: Option<i64>) -> Self {
        Self {
            rate_milli,
            slot: -1,
        }
    }

    pub(crate) fn keeps(&mut self, at_ms: i64) -> bool {
        let Some(rate) = self.rate_milli else {
            return true;
        };
        let slot = at_ms * rate / 1_000_000;
        let keeps = slot > self.slot;
        self.slot = self.slot.max(slot);
        keeps
    }

    /// Whether a picture is dropped because the one `step_ms` before it has the room.
    pub(crate) fn drops_second(&self, at_ms: i64, step_ms: i64) -> bool {
        let slot = |rate| {
            (
                at_ms * rate / 1_000_000,
                (at_ms - step_ms) * rate / 1_000_000,
            )
        };
        self.rate_milli
            .is_some_and(|rate| at_ms >= step_ms && slot(rate).0 == slot(rate).1)
    }
}
