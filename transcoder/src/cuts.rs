//! Where every rung is cut: at changes of the scene, and never too far apart.

use millet_manifest::Content;

/// The last segment may be longer than others by so much: one part in this many.
const REST: i64 = 4;

/// Longest and shortest segment of one kind of content, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) longest_ms: i64,
    pub(crate) shortest_ms: i64,
    /// Longest first segment: until it is whole, there is nothing to encode and nothing to watch.
    pub(crate) first_ms: i64,
    /// Share of the picture that must change for a cut of its own, thousandths. Where less does, what
    /// stays is worth more than a keyframe.
    pub(crate) cut_permille: u32,
}

impl Rule {
    pub(crate) fn of(content: Content) -> Self {
        match content {
            Content::Lecture => Self {
                longest_ms: 16_000,
                shortest_ms: 2_000,
                // A keyframe of a slide costs as much as many seconds of it.
                first_ms: 16_000,
                cut_permille: 250,
            },
            Content::Natural => Self {
                longest_ms: 8_000,
                shortest_ms: 2_000,
                first_ms: 4_000,
                cut_permille: 500,
            },
            Content::AudioOnly => Self {
                longest_ms: 8_000,
                shortest_ms: 8_000,
                first_ms: 8_000,
                cut_permille: 1001,
            },
        }
    }
}

/// Decides while pictures go by.
#[derive(Debug)]
pub(crate) struct Cutter {
    rule: Rule,
    /// When the recording ends, as far as is announced; 0 when that is not known.
    announced_ms: i64,
    cuts: Vec<i64>,
}

impl Cutter {
    /// The first cut is always at the start.
    pub(crate) fn new(rule: Rule, announced_ms: i64) -> Self {
        Self {
            rule,
            announced_ms,
            cuts: vec![0],
        }
    }

    /// The next moment at which the rule demands a cut, if it lies before `at_ms`: then whoever
    /// calls must repeat the last picture there and say so by [`Cutter::cut`].
    pub(crate) fn overdue(&self, at_ms: i64) -> Option<i64> {
        let due = self.last() + self.longest_ms();
        (due < at_ms).then_some(due)
    }

    /// Whether the picture at `at_ms`, that changed so much, begins a segment.
    pub(crate) fn wants(&self, at_ms: i64, changed_permille: u32) -> bool {
        let since = at_ms - self.last();
        since >= self.longest_ms()
            || (since >= self.rule.shortest_ms && changed_permille >= self.rule.cut_permille)
    }

    /// Longest segment from the last cut on: a little rest at the end is not worth a keyframe of its own.
    fn longest_ms(&self) -> i64 {
        let longest_ms = match self.cuts.len() {
            1 => self.rule.first_ms,
            _ => self.rule.longest_ms,
        };
        let rest_ms = self.announced_ms - self.last() - longest_ms;
        let most_ms = longest_ms / REST;
        // What is announced may be a little too short.
        match (-most_ms..=most_ms).contains(&rest_ms) {
            true => longest_ms + most_ms,
            false => longest_ms,
        }
    }

    /// Writes down a cut.
    pub(crate) fn cut(&mut self, at_ms: i64) {
        self.cuts.push(at_ms);
    }

    /// The newest cut.
    pub(crate) fn last(&self) -> i64 {
        self.cuts.last().copied().unwrap_or(0)
    }

    /// Every cut, in order.
    pub(crate) fn into_cuts(self) -> Vec<i64> {
        self.cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_neither_too_long_nor_too_short() {
        let mut cutter = Cutter::new(Rule::of(Content::Natural), 0);
        assert!(!cutter.wants(1_900, 1000));
        assert!(cutter.wants(2_000, 1000));
        // The first is shorter, so that work and watching begin soon.
        assert!(!cutter.wants(3_999, 100));
        assert!(cutter.wants(4_000, 0));
        assert_eq!(cutter.overdue(4_000), None);
        assert_eq!(cutter.overdue(30_000), Some(4_000));
        cutter.cut(4_000);
        assert!(!cutter.wants(11_999, 100));
        assert!(cutter.wants(12_000, 0));
        assert_eq!(cutter.overdue(12_000), None);
        assert_eq!(cutter.overdue(30_000), Some(12_000));
        assert_eq!(cutter.into_cuts(), [0, 4_000]);
    }

    #[test]
    fn a_little_rest_at_the_end_belongs_to_the_last_segment() {
        let ending = |announced_ms| {
            let mut cutter = Cutter::new(Rule::of(Content::Natural), announced_ms);
            cutter.cut(2_000);
            cutter
        };
        for announced_ms in [0, 7_999, 12_001, 60_000] {
            assert!(ending(announced_ms).wants(10_000, 0), "{announced_ms}");
        }
        for announced_ms in [9_000, 10_000, 12_000] {
            assert!(!ending(announced_ms).wants(11_960, 0), "{announced_ms}");
        }
        let cutter = ending(12_000);
        assert_eq!(cutter.overdue(12_000), None);
        // Another scene begins a segment all the same, and an end that was announced too early comes.
        assert!(cutter.wants(11_960, 1000));
        assert_eq!(cutter.overdue(12_040), Some(12_000));
    }
}
