//! Brings the publisher's own clock onto the timeline, and tells when this process falls behind.

use std::time::{Duration, Instant};

use millet_manifest::live::SEGMENT_MS;

/// A step of the publisher's clock that is longer than this is no gap but another clock.
const JUMP_MS: i64 = 5_000;
/// A part whose media does not come is waited for this long after it was due, milliseconds: at
/// least, for what is sent frame by frame; at most; and at first for a container, that comes in bursts.
const LEAST_PATIENCE_MS: i64 = 300;
const MOST_PATIENCE_MS: i64 = 2_500;
const CONTAINER_PATIENCE_MS: i64 = 2_000;
/// The clock's records come late by this much in a busy but healthy process.
const TOLERATED: Duration = Duration::from_millis(500);

/// Places what the publisher stamps.
pub(crate) struct Timebase {
    start_ms: i64,
    /// Timeline's time of the publisher's zero, microseconds.
    offset_us: Option<i64>,
    newest_ms: i64,
    /// Timeline's clock when `newest_ms` came.
    newest_at_ms: i64,
    clock_ms: i64,
    /// Follows how long media stayed away before it came after all.
    patience_ms: i64,
}

impl Timebase {
    pub(crate) fn new(start_ms: i64) -> Self {
        Self {
            start_ms,
            offset_us: None,
            newest_ms: start_ms,
            newest_at_ms: start_ms,
            clock_ms: i64::MIN,
            patience_ms: LEAST_PATIENCE_MS,
        }
    }

    /// Media comes in bursts.
    pub(crate) fn is_container(&mut self) {
        self.patience_ms = CONTAINER_PATIENCE_MS;
    }

    /// The timeline's clock stands here now. It never runs back.
    pub(crate) fn clock(&mut self, now_ms: i64) {
        if self.clock_ms == i64::MIN && self.offset_us.is_some() {
            self.newest_at_ms = now_ms;
        }
        self.clock_ms = self.clock_ms.max(now_ms);
        // Half of it is forgotten in less than a minute.
        self.patience_ms -= (self.patience_ms - LEAST_PATIENCE_MS).div_euclid(256);
    }

    /// Timeline's time of a record, milliseconds. The first one stands at the start; when the
    /// publisher's clock jumps, its next record stands where media is due now.
    pub(crate) fn place(&mut self, timestamp_us: i64) -> i64 {
        let at_ms = self
            .offset_us
            .map(|offset| timestamp_us.saturating_add(offset).div_euclid(1_000));
        let at_ms = match at_ms {
            Some(at) if self.is_plausible(at) => at,
            Some(_) => self.anchor(timestamp_us, self.due_ms().max(self.newest_ms)),
            None => {
                // A camera that was allowed late begins late.
                let late = self.clock_ms > self.start_ms.saturating_add(SEGMENT_MS as i64);
                let first = if late { self.clock_ms } else { self.start_ms };
                self.anchor(timestamp_us, first)
            }
        };
        // What was recorded a moment before the first record is shown with it.
        let at_ms = at_ms.max(self.start_ms);
        let stayed_away_ms = self.due_ms().saturating_sub(at_ms.max(self.newest_ms));
        if self.patience_ms < stayed_away_ms + LEAST_PATIENCE_MS {
            self.patience_ms = (stayed_away_ms + LEAST_PATIENCE_MS).min(MOST_PATIENCE_MS);
        }
        if at_ms >= self.newest_ms {
            self.newest_ms = at_ms;
            self.newest_at_ms = self.clock_ms.max(self.start_ms);
        }
        at_ms
    }

    fn anchor(&mut self, timestamp_us: i64, at_ms: i64) -> i64 {
        self.offset_us = Some(at_ms.saturating_mul(1_000).saturating_sub(timestamp_us));
        at_ms
    }

    fn is_plausible(&self, at_ms: i64) -> bool {
        let latest = self.due_ms().max(self.newest_ms).saturating_add(JUMP_MS);
        (self.newest_ms.saturating_sub(JUMP_MS)..=latest).contains(&at_ms)
    }

    /// Where media stands if it still flows as it did: what came last, and the time since.
    pub(crate) fn due_ms(&self) -> i64 {
        match self.offset_us {
            Some(_) => self
                .newest_ms
                .saturating_add(self.clock_ms.saturating_sub(self.newest_at_ms).max(0)),
            None => self.start_ms,
        }
    }

    /// What ends here or earlier was waited for long enough.
    pub(crate) fn over_ms(&self) -> i64 {
        self.due_ms().saturating_sub(self.patience_ms)
    }

    /// The timeline's clock, as far as it is known.
    pub(crate) fn clock_ms(&self) -> i64 {
        self.clock_ms.max(self.start_ms)
    }
}

/// Compares the clock's records with this machine's clock: whoever reads them late is busy.
#[derive(Default)]
pub(crate) struct Lateness {
    /// When the clock's zero was, by the record that came most promptly.
    zero: Option<(Instant, i64)>,
    late: bool,
}

impl Lateness {
    /// A record of the clock was read at `read`.
    pub(crate) fn clock(&mut self, now_ms: i64, read: Instant) {
        let behind = match self.zero {
            None => None,
            Some((zero, zero_ms)) => {
                let told = u64::try_from(now_ms.saturating_sub(zero_ms)).unwrap_or(0);
                let passed = read.saturating_duration_since(zero);
                passed.checked_sub(Duration::from_millis(told))
            }
        };
        match behind {
            Some(behind) => self.late = behind > TOLERATED,
            None => {
                self.zero = Some((read, now_ms));
                self.late = false;
            }
        }
    }

    pub(crate) fn is_late(&self) -> bool {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_stands_at_the_start() {
        let mut time = Timebase::new(4_000);
        time.clock(4_100);
        assert_eq!(time.place(77_000_000), 4_000);
        assert_eq!(time.place(77_040_000), 4_040);
        assert_eq!(time.place(76_990_000), 4_000);
    }

    #[test]
    fn a_camera_that_comes_late_begins_late() {
        let mut time = Timebase::new(4_000);
        time.clock(9_000);
        assert_eq!(time.place(0), 9_000);
    }

    #[test]
    fn media_is_due_as_it_flowed() {
        let mut time = Timebase::new(0);
        time.clock(1_000);
        time.place(0);
        time.place(500_000);
        assert_eq!(time.due_ms(), 500);
        time.clock(1_800);
        assert_eq!(time.due_ms(), 1_300);
    }

    #[test]
    fn patience_grows_with_bursts_and_is_forgotten() {
        let mut time = Timebase::new(0);
        time.clock(0);
        time.place(0);
        time.clock(1_000);
        assert_eq!(time.over_ms(), 700);
        // What was due a second ago comes now.
        time.place(100_000);
        time.clock(2_000);
        assert_eq!(time.due_ms(), 1_100);
        assert!(time.over_ms() < 0);
        for tick in 0..2_000 {
            time.clock(2_000 + tick * 250);
        }
        assert!(time.due_ms() - time.over_ms() < 600);
    }

    #[test]
    fn a_gap_is_kept_and_a_jump_is_not() {
        let mut time = Timebase::new(0);
        time.clock(0);
        assert_eq!(time.place(0), 0);
        assert_eq!(time.place(4_000_000), 4_000);
        // A minute of silence on both clocks is a gap of a minute.
        time.clock(60_000);
        assert_eq!(time.place(60_000_000), 60_000);
        for wild in [i64::MAX, i64::MIN, 9_000_000_000_000, -5] {
            assert_eq!(time.place(wild), 60_000, "{wild}");
        }
        assert_eq!(time.place(20), 60_000);
    }

    #[test]
    fn whoever_reads_the_clock_late_is_late() {
        let start = Instant::now();
        let mut lateness = Lateness::default();
        let mut read = |now_ms, passed_ms| {
            lateness.clock(now_ms, start + Duration::from_millis(passed_ms));
            lateness.is_late()
        };
        assert!(!read(0, 0));
        assert!(!read(250, 300));
        assert!(read(500, 1_100));
        assert!(!read(1_000, 1_200));
        // Faster than real time is never late, and sets the measure.
        assert!(!read(9_000, 1_300));
        assert!(read(9_250, 2_200));
    }
}
