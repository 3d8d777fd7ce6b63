//! What was really played of a timeline: disjoint intervals in order.

use serde::{Deserialize, Serialize};

use crate::timelines::trim::Trim;

/// A part of a timeline, `from_ms` inclusive, `until_ms` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// Begin, milliseconds.
    pub from_ms: i64,
    /// End, milliseconds.
    pub until_ms: i64,
}

impl Interval {
    /// What of it is shown; empty when nothing is.
    #[must_use]
    pub fn within(self, trim: Trim) -> Self {
        Self {
            from_ms: self.from_ms.max(trim.from_ms),
            until_ms: trim.end_ms(self.until_ms),
        }
    }
}

/// Disjoint intervals in order; what touches is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Intervals(Vec<Interval>);

impl Intervals {
    /// Merges intervals in any order; empty ones vanish.
    #[must_use]
    pub fn merge(parts: impl IntoIterator<Item = Interval>) -> Self {
        let mut parts: Vec<Interval> = parts
            .into_iter()
            .filter(|part| part.from_ms < part.until_ms)
            .collect();
        parts.sort_unstable();
        let mut merged: Vec<Interval> = Vec::with_capacity(parts.len());
        for part in parts {
            match merged.last_mut() {
                Some(last) if part.from_ms <= last.until_ms => {
                    last.until_ms = last.until_ms.max(part.until_ms);
                }
                _ => merged.push(part),
            }
        }
        Self(merged)
    }

    /// Adds one interval.
    pub fn add(&mut self, part: Interval) {
        // Playback goes forward: nearly always the last interval grows.
        if let Some(last) = self.0.last_mut()
            && last.from_ms <= part.from_ms
            && part.from_ms <= last.until_ms
        {
            last.until_ms = last.until_ms.max(part.until_ms);
            return;
        }
        let parts = std::mem::take(&mut self.0);
        *self = Self::merge(parts.into_iter().chain([part]));
    }

    /// Whether every moment of `part` is inside.
    #[must_use]
    pub fn covers(&self, part: Interval) -> bool {
        let at = self.0.partition_point(|own| own.from_ms <= part.from_ms);
        at > 0 && self.0[at - 1].until_ms >= part.until_ms
    }

    /// The same with times from `origin_ms` on, which nothing inside lies before.
    #[must_use]
    pub fn since(mut self, origin_ms: i64) -> Self {
        for part in &mut self.0 {
            part.from_ms -= origin_ms;
            part.until_ms -= origin_ms;
        }
        self
    }

    /// What of them is shown.
    #[must_use]
    pub fn within(self, trim: Trim) -> Self {
        Self::merge(self.0.into_iter().map(|part| part.within(trim)))
    }

    /// Time inside.
    #[must_use]
    pub fn total_ms(&self) -> i64 {
        self.0.iter().map(|part| part.until_ms - part.from_ms).sum()
    }

    /// Share of a length in percent, rounded down, at most 100.
    #[must_use]
    pub fn percent_of(&self, duration_ms: i64) -> i64 {
        if duration_ms <= 0 {
            return 0;
        }
        (self.total_ms().saturating_mul(100) / duration_ms).clamp(0, 100)
    }

    /// In order.
    #[must_use]
    pub fn parts(&self) -> &[Interval] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(from_ms: i64, until_ms: i64) -> Interval {
        Interval { from_ms, until_ms }
    }

    #[test]
    fn what_touches_is_one_and_watching_twice_counts_once() {
        let merged = Intervals::merge([
            interval(5, 9),
            interval(0, 5),
            interval(2, 3),
            interval(20, 30),
        ]);
        assert_eq!(merged.parts(), [interval(0, 9), interval(20, 30)]);
        assert_eq!(merged.total_ms(), 19);
        assert!(merged.covers(interval(1, 9)));
        assert!(!merged.covers(interval(8, 21)));
        assert_eq!(merged.percent_of(20), 95);
    }

    proptest! {
        #[test]
        fn it_covers_exactly_the_moments_that_were_added(parts in prop::collection::vec((0_i64..200, 0_i64..40), 0..30)) {
            let parts: Vec<_> = parts.into_iter().map(|(from, length)| interval(from, from + length)).collect();
            let mut grown = Intervals::default();
            for part in &parts {
                grown.add(*part);
            }
            let merged = Intervals::merge(parts.iter().copied());
            prop_assert_eq!(&grown.parts().iter().filter(|p| p.from_ms < p.until_ms).copied().collect::<Vec<_>>(), &merged.parts().to_vec());
            for moment in 0..240 {
                let inside = parts.iter().any(|p| p.from_ms <= moment && moment < p.until_ms);
                prop_assert_eq!(merged.covers(interval(moment, moment + 1)), inside);
            }
        }
    }
}
