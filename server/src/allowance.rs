//! How much somebody may still do: so much at once, and so much more each second.

use tokio::time::Instant;

/// A leaky bucket, of whatever unit its owner counts.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    most: f64,
    each_second: f64,
    left: f64,
    at: Instant,
}

impl Allowance {
    /// Nothing was done yet.
    #[must_use]
    pub fn new(most: f64, each_second: f64) -> Self {
        Self {
            most,
            each_second,
            left: most,
            at: Instant::now(),
        }
    }

    /// Takes an amount; whether it was left.
    pub fn take(&mut self, amount: f64, now: Instant) -> bool {
        let earned = now.duration_since(self.at).as_secs_f64() * self.each_second;
        self.at = now;
        self.left = (self.left + earned).min(self.most) - amount;
        self.left >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_used_up_comes_back_with_time_and_never_above_the_most() {
        let mut allowance = Allowance::new(10.0, 2.0);
        let now = Instant::now();
        assert!(allowance.take(10.0, now));
        assert!(!allowance.take(1.0, now));
        let later = now + Duration::from_secs(2);
        assert!(allowance.take(3.0, later));
        assert!(!allowance.take(11.0, later + Duration::from_secs(60)));
    }
}
