//! Which rungs are left out when the machine is too slow, and when they come back.

/// Rungs are left out no faster than this, milliseconds: the last step must show its effect first.
const STEP_MS: i64 = 2_000;
/// A rung comes back after this long in peace, milliseconds, and later each time that was in vain.
const CALM_MS: i64 = 20_000;
const LONGEST_CALM_MS: i64 = 320_000;

pub(crate) struct Pressure {
    resting: usize,
    most: usize,
    changed_ms: Option<i64>,
    calm_ms: i64,
    returned: bool,
}

impl Pressure {
    /// At most so many rungs rest.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            resting: 0,
            most,
            changed_ms: None,
            calm_ms: CALM_MS,
            returned: false,
        }
    }

    /// How many of the largest rungs rest from now on.
    pub(crate) fn judge(&mut self, late: bool, clock_ms: i64) -> usize {
        let since_ms = self.changed_ms.map(|changed| clock_ms - changed);
        if late {
            if self.resting < self.most && since_ms.is_none_or(|since| since >= STEP_MS) {
                let in_vain = self.returned && since_ms.is_some_and(|since| since < CALM_MS);
                if in_vain {
                    self.calm_ms = (self.calm_ms * 2).min(LONGEST_CALM_MS);
                }
                self.change(self.resting + 1, clock_ms);
                self.returned = false;
            }
        } else if self.resting > 0 && since_ms.is_some_and(|since| since >= self.calm_ms) {
            self.change(self.resting - 1, clock_ms);
            self.returned = true;
        }
        self.resting
    }

    fn change(&mut self, resting: usize, clock_ms: i64) {
        self.resting = resting;
        self.changed_ms = Some(clock_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_go_one_by_one_and_the_last_stays() {
        let mut pressure = Pressure::new(2);
        let judged: Vec<usize> = (0..6)
            .map(|step| pressure.judge(true, 10_000 + step * 1_000))
            .collect();
        assert_eq!(judged, [1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn a_rung_that_returned_in_vain_waits_longer() {
        let mut pressure = Pressure::new(3);
        assert_eq!(pressure.judge(true, 0), 1);
        assert_eq!(pressure.judge(false, 19_999), 1);
        assert_eq!(pressure.judge(false, 20_000), 0);
        assert_eq!(pressure.judge(true, 25_000), 1);
        assert_eq!(pressure.judge(false, 50_000), 1);
        assert_eq!(pressure.judge(false, 65_000), 0);
    }
}
