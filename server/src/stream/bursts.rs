//! What a link carries, found out without filling it: of two messages that were sent together the second
//! arrives as much later as the link takes for it (the packet-pair method: Keshav, "A Control-Theoretic
//! Approach to Flow Control", SIGCOMM 1991, section 2).

use std::collections::VecDeque;

/// Messages this close behind each other leave the link no rest between them.
pub const TOGETHER_MS: u64 = 30;
/// Shorter messages say more about timers than about the link.
const LEAST_BYTES: u64 = 1_000;
/// A phone tells arrivals apart no better than this.
const LEAST_GAP_MS: u64 = 5;
/// One that slept says nothing.
const MOST_GAP_MS: u64 = 20_000;
/// Samples that are kept: their median shrugs off those that a busy phone falsified.
const KEPT: usize = 7;
/// A link that was measured longer ago may be another one by now.
const FRESH_MS: u64 = 60_000;

/// The samples of one connection.
#[derive(Clone, Debug, Default)]
pub struct Bursts {
    samples: VecDeque<(u64, f64)>,
}

impl Bursts {
    /// A message of `bytes` arrived `gap_ms` behind the one that it was sent together with.
    pub fn arrived(&mut self, bytes: u64, gap_ms: u64, now_ms: u64) {
        if bytes < LEAST_BYTES || gap_ms > MOST_GAP_MS {
            return;
        }
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        let bps = bytes as f64 * 8000.0 / gap_ms.max(LEAST_GAP_MS) as f64;
        self.samples.push_back((now_ms, bps));
    }

    /// Bits per second, if it was measured of late.
    #[must_use]
    pub fn capacity_bps(&self, now_ms: u64) -> Option<f64> {
        let fresh = |at_ms: u64| now_ms.saturating_sub(at_ms) <= FRESH_MS;
        let mut rates: Vec<f64> = self
            .samples
            .iter()
            .filter(|(at_ms, _)| fresh(*at_ms))
            .map(|(_, bps)| *bps)
            .collect();
        rates.sort_unstable_by(f64::total_cmp);
        rates.get(rates.len().saturating_sub(1) / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_what_was_measured_counts_and_only_for_a_minute() {
        let mut bursts = Bursts::default();
        assert_eq!(bursts.capacity_bps(0), None);
        // 8,000 bytes a second; twice the phone was busy, in both directions.
        for (at_ms, gap_ms) in [
            (0, 1_000),
            (500, 1_000),
            (1_000, 1),
            (1_500, 9_000),
            (2_000, 1_010),
        ] {
            bursts.arrived(8_000, gap_ms, at_ms);
        }
        assert_eq!(bursts.capacity_bps(2_000), Some(64_000.0));
        assert_eq!(bursts.capacity_bps(70_000), None);
    }

    #[test]
    fn words_and_sleep_say_nothing() {
        let mut bursts = Bursts::default();
        bursts.arrived(400, 10, 0);
        bursts.arrived(8_000, 40_000, 0);
        assert_eq!(bursts.capacity_bps(0), None);
    }
}
