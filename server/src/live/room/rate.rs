//! How fast one person may act, over all connections of that person.

use std::time::Duration;

use tokio::time::Instant;

use super::act::Act;

/// So many at once, and one more after each `every`.
#[derive(Clone, Copy, Debug)]
struct Quota {
    at_once: f64,
    every: Duration,
}

const fn quota(at_once: f64, every_ms: u64) -> Quota {
    Quota {
        at_once,
        every: Duration::from_millis(every_ms),
    }
}

/// A finger draws a message each 100 ms at most.
const DRAWING: Quota = quota(40.0, 70);
/// The pointer is shown ten times a second.
const POINTING: Quota = quota(20.0, 70);
/// Nobody reads more than that.
const TALKING: Quota = quota(5.0, 2_000);
/// A page of the board costs up to 10 kB.
const LOOKING: Quota = quota(8.0, 500);
/// Everything else is a touch of a button.
const OTHER: Quota = quota(20.0, 250);

/// What the acts of one kind have left.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// The limits of one person.
#[derive(Clone, Debug)]
pub struct Rate {
    buckets: [Bucket; 5],
}

impl Rate {
    /// Nothing was done yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let full = |quota: Quota| Bucket {
            left: quota.at_once,
            at: now,
        };
        Self {
            buckets: [DRAWING, POINTING, TALKING, LOOKING, OTHER].map(full),
        }
    }

    /// Counts an act; false when it comes too fast. A refused act costs nothing.
    pub fn take(&mut self, act: &Act, now: Instant) -> bool {
        let (at, quota) = match act {
            Act::Draw { .. } | Act::Undo { .. } => (0, DRAWING),
            Act::Point { .. } => (1, POINTING),
            Act::Chat { .. } => (2, TALKING),
            Act::LookAtBoard { .. } => (3, LOOKING),
            _ => (4, OTHER),
        };
        let bucket = &mut self.buckets[at];
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed / quota.every.as_secs_f64()).min(quota.at_once);
        bucket.at = now;
        let allowed = bucket.left >= 1.0;
        if allowed {
            bucket.left -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_floods_is_held_back_and_may_go_on_later() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let say = Act::Chat {
            text: "!".into(),
            group: None,
        };
        let allowed = (0..100).filter(|_| rate.take(&say, start)).count();
        assert_eq!(allowed, 5);
        assert!(
            rate.take(&Act::Hand { up: true }, start),
            "other acts have their own"
        );
        assert!(rate.take(&say, start + Duration::from_secs(2)));
        assert!(!rate.take(&say, start + Duration::from_secs(2)));
    }
}
