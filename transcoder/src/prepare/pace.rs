//! Leaves out pictures before they cost anything.

use ffmpeg_next::Packet;

use crate::decode::VideoDecoder;

/// A coded picture with less than a bit for so many pixels says nothing but that all is as predicted: H.264 needs
/// half of that to say so.
const PIXELS_TO_A_BIT: u64 = 2_048;
/// With less than a bit for so many pixels it shows no other slide.
const PIXELS_TO_A_BIT_OF_NEWS: u64 = 512;
/// Coders predict pictures from later ones too, out of so many at most (MaxDpbFrames of H.264, A.3.1): what says
/// nothing shows nothing new when none of those did.
const REORDERED: u32 = 16;

/// Drops pictures that no rung has room for before they cost filtering. What deinterlaces needs
/// them all.
pub(crate) struct Pace {
    rate_milli: Option<i64>,
    slot: i64,
    /// Coded pictures in a row that showed no other slide.
    still: u32,
}

impl Pace {
    /// Lets through `rate_milli` pictures in 1000 seconds, or all.
    pub(crate) fn new(rate_milli: Option<i64>) -> Self {
        Self {
            rate_milli,
            slot: -1,
            still: 0,
        }
    }

    /// As at the start.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.rate_milli)
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

    /// Whether the picture that is decoded from this packet next is not missed, if no other is decoded from it:
    /// there is no room for it, or it repeats those around it.
    pub(crate) fn passes_over(&mut self, packet: &Packet, decoder: &VideoDecoder) -> bool {
        let Some(rate) = self.rate_milli else {
            return false;
        };
        let stands = self.stands_still(packet.size() as u64, decoder.pixels());
        let slot = |at_ms: i64| at_ms * rate / 1_000_000;
        // The one before has the room.
        let is_second = |(at_ms, step_ms)| at_ms >= step_ms && slot(at_ms) == slot(at_ms - step_ms);
        stands || decoder.time_and_step(packet).is_some_and(is_second)
    }

    /// Whether a picture that is coded in so many bytes repeats those around it.
    fn stands_still(&mut self, bytes: u64, pixels: u64) -> bool {
        let is_below = |pixels_to_a_bit| bytes * 8 * pixels_to_a_bit < pixels;
        let stands = self.still >= REORDERED && is_below(PIXELS_TO_A_BIT);
        self.still = match is_below(PIXELS_TO_A_BIT_OF_NEWS) {
            true => self.still.saturating_add(1),
            false => 0,
        };
        stands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXELS: u64 = 1280 * 720;

    #[test]
    fn what_says_nothing_is_passed_over_once_nothing_new_can_come_of_what_was_coded_before() {
        let mut pace = Pace::new(Some(10_000));
        // A slide, what its coder adds to it, and then it stands.
        assert!(!pace.stands_still(40_000, PIXELS));
        for _ in 0..REORDERED {
            assert!(!pace.stands_still(40, PIXELS));
        }
        for _ in 0..40 {
            assert!(pace.stands_still(40, PIXELS));
            // A pointer moves.
            assert!(!pace.stands_still(150, PIXELS));
        }
        assert!(!pace.stands_still(3_000, PIXELS));
        assert!(!pace.stands_still(40, PIXELS));
    }

    #[test]
    fn bytes_that_say_nothing_of_many_pixels_may_say_much_of_few() {
        let mut pace = Pace::new(Some(10_000));
        for _ in 0..100 {
            assert!(!pace.stands_still(40, 320 * 180));
        }
    }
}
