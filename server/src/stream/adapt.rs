//! Which rung the link carries: down at once, up slowly. Pure; times are given.

/// Share of the bandwidth that a rung may cost to stay on it, to fall to it, to rise to it, and to be
/// chosen at the start.
const STAY: f64 = 0.95;
const FALL: f64 = 0.8;
const RISE: f64 = 0.7;
const START: f64 = 0.5;
/// With this much stored, a rung that costs a little too much is kept.
const RICH_MS: u64 = 30_000;
/// A rise that was followed by a fall within this time was a mistake: the next one waits twice as long.
const MISTAKE_MS: u64 = 15_000;
/// Longest wait after mistakes.
const LONGEST_WAIT_MS: u64 = 120_000;
/// Decisions in which the first measurement may jump over rungs.
const START_DECISIONS: u32 = 3;

/// How patient decisions are.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// With less than this stored, the picture does not get better.
    poor_ms: u64,
    /// Time on a rung before a better one.
    rise_after_ms: u64,
    /// The same after a fall.
    rise_after_fall_ms: u64,
}

/// A minute can be stored, so there is no hurry.
const CLOSED: Patience = Patience {
    poor_ms: 8_000,
    rise_after_ms: 8_000,
    rise_after_fall_ms: 25_000,
};
/// Nobody stores the future: what is stored is little on the best of links.
const LIVE: Patience = Patience {
    poor_ms: 500,
    rise_after_ms: 4_000,
    rise_after_fall_ms: 15_000,
};

/// What a decision is made from.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Any clock that does not go back.
    pub now_ms: u64,
    /// Bits per second; unknown before the first acknowledgement.
    pub bandwidth_bps: Option<f64>,
    /// That is what the link carries, not only what it was seen to carry.
    pub is_capacity: bool,
    /// Stored ahead of the picture, on its way included.
    pub buffer_ms: u64,
    /// Bits per second that each rung takes from here on.
    pub costs_bps: &'a [f64],
    /// The timeline grows and the link takes all of it at once: what more it could carry is found out
    /// only by trying.
    pub at_ease: bool,
}

/// The state between decisions.
#[derive(Clone, Debug)]
pub struct Adapt {
    rung: usize,
    changed_ms: Option<u64>,
    fell: bool,
    rose: bool,
    decisions: u32,
    patience: Patience,
    wait_after_fall_ms: u64,
}

impl Adapt {
    /// Begins on a rung of a closed timeline.
    #[must_use]
    pub fn new(rung: usize) -> Self {
        Self::with(rung, CLOSED)
    }

    /// Begins on a rung of a timeline that grows.
    #[must_use]
    pub fn live(rung: usize) -> Self {
        Self::with(rung, LIVE)
    }

    fn with(rung: usize, patience: Patience) -> Self {
        Self {
            rung,
            changed_ms: None,
            fell: false,
            rose: false,
            decisions: 0,
            patience,
            wait_after_fall_ms: patience.rise_after_fall_ms,
        }
    }

    /// Somebody else chose the rung.
    pub fn put(&mut self, rung: usize) {
        self.rung = rung;
    }

    /// The rung for the next segment.
    pub fn decide(&mut self, situation: &Situation<'_>) -> usize {
        // Not measured, but at ease: enough for what is sent now, and nothing to fall from.
        let bandwidth = match situation.bandwidth_bps {
            Some(bandwidth) => bandwidth,
            None if situation.at_ease => f64::INFINITY,
            None => return self.rung,
        };
        let measured = bandwidth.is_finite();
        let now_ms = situation.now_ms;
        let changed_ms = *self.changed_ms.get_or_insert(now_ms);
        self.decisions = self.decisions.saturating_add(1);
        let costs = situation.costs_bps;
        let top = costs.len().saturating_sub(1);
        self.rung = self.rung.min(top);
        let best = |share: f64| {
            (0..=top)
                .rev()
                .find(|rung| {
                    costs
                        .get(*rung)
                        .is_some_and(|cost| *cost <= share * bandwidth)
                })
                .unwrap_or(0)
        };
        let cost = costs.get(self.rung).copied().unwrap_or(0.0);
        let patience = if situation.buffer_ms >= RICH_MS {
            1.25
        } else {
            STAY
        };
        // What is sent of the present hardly ever fills the link, so it is measured too low and stays so:
        // as long as nothing queues up, what goes out is carried.
        if cost > patience * bandwidth && !situation.at_ease {
            let lower = best(FALL).min(self.rung.saturating_sub(1));
            let mistake = self.rose && now_ms.saturating_sub(changed_ms) < MISTAKE_MS;
            self.wait_after_fall_ms = if mistake {
                (self.wait_after_fall_ms * 2).min(LONGEST_WAIT_MS)
            } else {
                self.patience.rise_after_fall_ms
            };
            self.fell = true;
            self.rose = false;
            self.change(lower, now_ms);
        } else if measured
            && self.decisions <= START_DECISIONS
            && !self.fell
            && best(START) > self.rung
        {
            self.change(best(START), now_ms);
        } else {
            let wait_ms = if self.fell {
                self.wait_after_fall_ms
            } else {
                self.patience.rise_after_ms
            };
            let rested = now_ms.saturating_sub(changed_ms) >= wait_ms;
            let carries = best(RISE) > self.rung
                || (situation.at_ease && !situation.is_capacity && self.rung < top);
            if rested && situation.buffer_ms >= self.patience.poor_ms && carries {
                self.fell = false;
                self.rose = true;
                self.change(self.rung + 1, now_ms);
            }
        }
        self.rung
    }

    fn change(&mut self, rung: usize, now_ms: u64) {
        if rung != self.rung {
            self.rung = rung;
            self.changed_ms = Some(now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Audio, audio + stills, 240p, 480p.
    const COSTS: [f64; 4] = [12_000.0, 16_000.0, 44_000.0, 172_000.0];

    fn situation(now_ms: u64, bandwidth_bps: f64, buffer_ms: u64) -> Situation<'static> {
        Situation {
            now_ms,
            bandwidth_bps: Some(bandwidth_bps),
            is_capacity: false,
            buffer_ms,
            costs_bps: &COSTS,
            at_ease: false,
        }
    }

    #[test]
    fn a_live_picture_stays_while_nothing_queues_up_however_low_the_measurement() {
        let mut adapt = Adapt::live(1);
        for second in 0..60 {
            let low = Situation {
                at_ease: true,
                ..situation(second * 1_000, 14_000.0, 900)
            };
            assert!(adapt.decide(&low) >= 1);
        }
        let mut adapt = Adapt::live(1);
        assert_eq!(adapt.decide(&situation(60_000, 14_000.0, 900)), 0);
    }

    #[test]
    fn nothing_is_chosen_before_something_is_known() {
        let mut adapt = Adapt::new(1);
        let unknown = Situation {
            bandwidth_bps: None,
            ..situation(0, 0.0, 0)
        };
        assert_eq!(adapt.decide(&unknown), 1);
    }

    #[test]
    fn a_fast_link_gets_the_best_picture_from_the_second_segment_on() {
        assert_eq!(Adapt::new(1).decide(&situation(500, 2_000_000.0, 2_000)), 3);
    }

    #[test]
    fn it_falls_at_once_and_over_several_rungs() {
        let mut adapt = Adapt::new(3);
        assert_eq!(adapt.decide(&situation(1_000, 30_000.0, 4_000)), 1);
        assert_eq!(adapt.decide(&situation(2_000, 5_000.0, 1_000)), 0);
    }

    #[test]
    fn it_rises_one_rung_at_a_time_and_late_after_a_fall() {
        let mut adapt = Adapt::new(3);
        adapt.decide(&situation(0, 20_000.0, 4_000));
        assert_eq!(adapt.decide(&situation(16_000, 400_000.0, 20_000)), 1);
        assert_eq!(adapt.decide(&situation(26_000, 400_000.0, 20_000)), 2);
        assert_eq!(adapt.decide(&situation(30_000, 400_000.0, 20_000)), 2);
        assert_eq!(adapt.decide(&situation(42_000, 400_000.0, 20_000)), 3);
    }

    #[test]
    fn a_full_store_bridges_a_short_dip() {
        let mut adapt = Adapt::new(2);
        assert_eq!(adapt.decide(&situation(0, 40_000.0, 50_000)), 2);
        assert_eq!(adapt.decide(&situation(16_000, 40_000.0, 10_000)), 1);
    }

    #[test]
    fn a_live_viewer_at_ease_tries_the_next_rung_and_waits_longer_after_each_mistake() {
        let mut adapt = Adapt::live(1);
        let at_ease = |now_ms| Situation {
            bandwidth_bps: None,
            at_ease: true,
            ..situation(now_ms, 0.0, 900)
        };
        let full = |now_ms| situation(now_ms, 30_000.0, 900);
        assert_eq!(adapt.decide(&at_ease(0)), 1);
        assert_eq!(adapt.decide(&at_ease(4_000)), 2);
        let mut waits = Vec::new();
        let mut now_ms = 6_000;
        for _ in 0..3 {
            assert_eq!(adapt.decide(&full(now_ms)), 1);
            let fell_ms = now_ms;
            while adapt.decide(&at_ease(now_ms)) == 1 {
                now_ms += 1_000;
            }
            waits.push(now_ms - fell_ms);
            now_ms += 2_000;
        }
        assert_eq!(waits, [30_000, 60_000, 120_000]);
    }

    #[test]
    fn a_live_viewer_at_ease_does_not_try_what_the_link_is_known_not_to_carry() {
        let mut adapt = Adapt::live(1);
        for second in 0..60 {
            let known = Situation {
                at_ease: true,
                is_capacity: true,
                ..situation(second * 1_000, 50_000.0, 900)
            };
            assert_eq!(adapt.decide(&known), 1);
        }
        let faster = Situation {
            at_ease: true,
            is_capacity: true,
            ..situation(61_000, 80_000.0, 900)
        };
        assert_eq!(adapt.decide(&faster), 2);
    }

    proptest! {
        #[test]
        fn a_steady_link_settles_on_one_rung_that_it_carries(bandwidth in 1_000_f64..2_000_000.0, first in 0_usize..4) {
            let mut adapt = Adapt::new(first);
            let rungs: Vec<usize> = (0..40_u64)
                .map(|n| adapt.decide(&situation(n * 16_000, bandwidth, 20_000)))
                .collect();
            let settled = rungs[20];
            prop_assert!(rungs[20..].iter().all(|rung| *rung == settled), "{rungs:?}");
            prop_assert!(settled == 0 || COSTS[settled] <= bandwidth);
        }
    }
}
