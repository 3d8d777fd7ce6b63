//! Which parts of a timeline reached a learner, and since when each of them can have been played.
//!
//! A part keeps the moment at which the connection that carried it began: nothing of it was played
//! before. Played time is then packed into the wall clock that has passed since.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::learning::watched::{Interval, Intervals};

/// Parts kept; more are joined with their neighbours.
const MOST_PARTS: usize = 64;
/// Chunk times are rounded to milliseconds and audio frames straddle cuts: parts this close touch.
const TOUCH_MS: i64 = 100;
/// Most of an interval that may be missing, at its edges.
const MOST_MISSING_MS: i64 = 250;
/// Fastest playback that counts, in thousandths of real time.
pub const MOST_RATE_PERMILLE: i64 = 1250;

/// A delivered part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Begin on the timeline, milliseconds.
    #[serde(rename = "f")]
    pub from_ms: i64,
    /// End on the timeline, milliseconds.
    #[serde(rename = "u")]
    pub until_ms: i64,
    /// It was not there before.
    #[serde(rename = "s")]
    pub since: Timestamp,
}

/// Disjoint delivered parts in order of the timeline, [`MOST_PARTS`] at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Delivered(Vec<Part>);

/// Wall clock that an interval takes up: the free time between these moments. What others had taken
/// before is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    /// Begin.
    pub from: Timestamp,
    /// End.
    pub until: Timestamp,
}

impl Delivered {
    /// Adds a part. What was there before keeps its earlier moment.
    pub fn add(&mut self, part: Part) {
        let mut from_ms = part.from_ms.max(0);
        let mut grown = Vec::with_capacity(self.0.len() + 2);
        for own in &self.0 {
            if from_ms < own.from_ms && from_ms < part.until_ms {
                let until_ms = part.until_ms.min(own.from_ms);
                grown.push(Part {
                    from_ms,
                    until_ms,
                    ..part
                });
            }
            grown.push(*own);
            from_ms = from_ms.max(own.until_ms);
        }
        if from_ms < part.until_ms {
            grown.push(Part { from_ms, ..part });
        }
        self.0 = grown;
        self.join();
        self.shrink();
    }

    /// Adds all parts of another account of the same timeline; the earlier moment of a part wins.
    pub fn add_all(&mut self, other: &Self) {
        let mut parts: Vec<Part> = self.0.iter().chain(&other.0).copied().collect();
        parts.sort_by_key(|part| part.since);
        self.0.clear();
        for part in parts {
            self.add(part);
        }
    }

    /// Joins what touches and has the same moment; closes gaps that are only rounding.
    fn join(&mut self) {
        let mut joined: Vec<Part> = Vec::with_capacity(self.0.len());
        for mut part in self.0.drain(..) {
            let end = joined.last().map_or(0, |last| last.until_ms);
            if part.from_ms > end && part.from_ms - end <= TOUCH_MS {
                part.from_ms = end;
            }
            match joined.last_mut() {
                Some(last) if last.until_ms == part.from_ms && last.since == part.since => {
                    last.until_ms = part.until_ms;
                }
                _ => joined.push(part),
            }
        }
        self.0 = joined;
    }

    /// Keeps the number of parts bounded: neighbours whose moments are closest become one with the
    /// earlier moment, which never takes time from an honest learner.
    fn shrink(&mut self) {
        while self.0.len() > MOST_PARTS {
            let closest = (1..self.0.len())
                .filter(|at| self.0[*at - 1].until_ms == self.0[*at].from_ms)
                .min_by_key(|at| (self.0[*at].since.0 - self.0[*at - 1].since.0).abs());
            match closest {
                Some(at) => {
                    let later = self.0.remove(at);
                    let own = &mut self.0[at - 1];
                    own.until_ms = later.until_ms;
                    own.since = own.since.min(later.since);
                }
                None => {
                    let shortest = (0..self.0.len())
                        .min_by_key(|at| self.0[*at].until_ms - self.0[*at].from_ms);
                    if let Some(at) = shortest {
                        self.0.remove(at);
                    }
                }
            }
            self.join();
        }
    }

    /// Packs an interval into the free wall clock: each delivered part of it takes its length at
    /// [`MOST_RATE_PERMILLE`], after `from` and after the part was there, around what is `taken`
    /// (in epoch milliseconds).
    ///
    /// It ends as early as free time allows, which is no later than any true course of events. Where a
    /// part had to be waited for, what was before it moves up to it: no free time is left inside, that
    /// a claim reported later would miss. So honest claims fit in whatever order they are reported.
    ///
    /// `None` when the interval was not delivered. An edge of a few milliseconds may be missing.
    #[must_use]
    pub fn pack(&self, interval: Interval, from: Timestamp, taken: &Intervals) -> Option<Wall> {
        let length = interval.until_ms - interval.from_ms;
        let played =
            |part: &Part| part.until_ms.min(interval.until_ms) - part.from_ms.max(interval.from_ms);
        let delivered: i64 = self.0.iter().map(|part| played(part).max(0)).sum();
        let mut missing = length - delivered;
        if length <= 0 || missing > (length / 10).min(MOST_MISSING_MS) {
            return None;
        }
        let (mut wall, mut before) = (None::<Wall>, 0);
        for part in self.0.iter().filter(|part| played(part) > 0) {
            // The edge that is missing was played too.
            let needed = wall_clock_of(played(part) + std::mem::take(&mut missing));
            let free_from = wall.map_or(from, |wall| wall.until);
            let waited = part.since > free_from;
            let (begin, until) = take(taken, free_from.max(part.since).0, needed);
            let from = match wall {
                Some(wall) if !waited => wall.from,
                Some(_) if before > 0 => Timestamp(back(taken, part.since.0, before)),
                _ => Timestamp(begin),
            };
            before += needed;
            wall = Some(Wall {
                from,
                until: Timestamp(until),
            });
        }
        wall
    }

    /// In order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }
}

/// What it takes to play so much at [`MOST_RATE_PERMILLE`]; never nothing.
fn wall_clock_of(played_ms: i64) -> i64 {
    (played_ms * 1000 + MOST_RATE_PERMILLE - 1) / MOST_RATE_PERMILLE
}

/// The first free `needed` milliseconds from `at` on: where they begin and where they end.
fn take(taken: &Intervals, mut at: i64, mut needed: i64) -> (i64, i64) {
    let mut begin = None;
    for busy in taken.parts() {
        if busy.until_ms <= at {
            continue;
        }
        let free = busy.from_ms - at;
        if free > 0 {
            let begin = *begin.get_or_insert(at);
            if free >= needed {
                return (begin, at + needed);
            }
            needed -= free;
        }
        at = busy.until_ms;
    }
    (begin.unwrap_or(at), at + needed)
}

/// Where the last free `needed` milliseconds before `until` begin.
fn back(taken: &Intervals, mut until: i64, mut needed: i64) -> i64 {
    for busy in taken.parts().iter().rev() {
        if busy.from_ms >= until {
            continue;
        }
        let free = until - busy.until_ms;
        if free >= needed {
            break;
        }
        needed -= free.max(0);
        until = busy.from_ms;
    }
    until - needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(from_ms: i64, until_ms: i64, since: i64) -> Part {
        Part {
            from_ms,
            until_ms,
            since: Timestamp(since),
        }
    }

    #[test]
    fn what_was_there_keeps_its_moment_and_gaps_are_filled_with_the_new_one() {
        let mut delivered = Delivered::default();
        delivered.add(part(2_000, 4_000, 10));
        delivered.add(part(4_000, 6_000, 10));
        delivered.add(part(0, 8_000, 20));
        assert_eq!(
            delivered.parts(),
            [
                part(0, 2_000, 20),
                part(2_000, 6_000, 10),
                part(6_000, 8_000, 20)
            ]
        );
    }

    #[test]
    fn an_interval_is_packed_behind_the_moments_of_its_parts() {
        let mut delivered = Delivered::default();
        delivered.add(part(0, 10_000, 1_000));
        delivered.add(part(10_000, 20_000, 500_000));
        let free = Intervals::default();
        let interval = |from_ms, until_ms| Interval { from_ms, until_ms };
        assert_eq!(
            delivered.pack(interval(0, 20_000), Timestamp(0), &free),
            Some(Wall {
                from: Timestamp(492_000),
                until: Timestamp(508_000)
            }),
            "nothing free is left between the parts"
        );
        let mut taken = Intervals::default();
        taken.add(interval(495_000, 497_000));
        assert_eq!(
            delivered.pack(interval(0, 20_000), Timestamp(0), &taken),
            Some(Wall {
                from: Timestamp(490_000),
                until: Timestamp(508_000)
            })
        );
        assert_eq!(
            delivered.pack(interval(15_000, 21_000), Timestamp(0), &free),
            None
        );
        assert_eq!(
            delivered.pack(interval(30_000, 30_100), Timestamp(0), &free),
            None
        );
        assert!(
            delivered
                .pack(interval(15_000, 20_001), Timestamp(0), &free)
                .is_some()
        );
    }

    proptest! {
        #[test]
        fn it_stays_in_order_bounded_and_never_later_than_the_first_delivery(
            parts in prop::collection::vec((0_i64..5_000, 1_i64..200, 0_i64..50), 0..200)
        ) {
            let mut delivered = Delivered::default();
            for (from, length, since) in &parts {
                delivered.add(part(from * 1_000, (from + length) * 1_000, *since));
            }
            prop_assert!(delivered.parts().len() <= MOST_PARTS);
            prop_assert!(delivered.parts().windows(2).all(|pair| pair[0].until_ms <= pair[1].from_ms));
            prop_assert!(delivered.parts().iter().all(|own| own.from_ms < own.until_ms));
        }
    }
}
