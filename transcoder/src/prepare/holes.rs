//! Bounds the time for which silence and still pictures must be made.

use millet_manifest::BadInput;

use crate::error::{Error, bad};
use crate::limits::{HOLE_MS, LONGEST_MS, MOST_HOLES_MS};
use crate::source::too_long;

/// Counts the time in which nothing is heard or seen.
#[derive(Default)]
pub(super) struct Holes {
    sum_ms: i64,
}

impl Holes {
    /// Something comes at `at_ms`, when pictures and sound have come as far as `end_ms`.
    pub(super) fn reach(&mut self, at_ms: i64, end_ms: i64) -> Result<(), Error> {
        if at_ms > LONGEST_MS {
            return Err(too_long());
        }
        let hole_ms = at_ms.saturating_sub(end_ms);
        if hole_ms >= HOLE_MS {
            self.sum_ms += hole_ms;
        }
        if self.sum_ms > MOST_HOLES_MS {
            return Err(bad(
                BadInput::Truncated,
                format!(
                    "The file is damaged: nothing is heard or seen for more than {} minutes.",
                    MOST_HOLES_MS / 60_000
                ),
            ));
        }
        Ok(())
    }
}
