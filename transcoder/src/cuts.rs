//! Where every rung is cut: at changes of the scene, never too far apart, and at seams.

use millet_manifest::Content;

/// The last segment may be longer than others by so much: one part in this many.
const REST: i64 = 4;

/// A shorter recording is made before help would pay, milliseconds.
const SHORTEST_SHARED_MS: i64 = 5 * 60_000;
/// Parts that a recording has, as far as each keeps to these lengths, milliseconds.
const PARTS: i64 = 12;
const SHORTEST_PART_MS: i64 = 60_000;
const LONGEST_PART_MS: i64 = 5 * 60_000;

/// Seams of a recording of about this length: it is cut there whatever it shows, so that a part can be made without
/// what goes before it. The last part is the longest.
pub(crate) fn seams_ms(announced_ms: i64) -> Vec<i64> {
    if announced_ms < SHORTEST_SHARED_MS {
        return Vec::new();
    }
    let part_ms = (announced_ms / PARTS).clamp(SHORTEST_PART_MS, LONGEST_PART_MS);
    (1..announced_ms / part_ms)
        .map(|number| number * part_ms)
        .collect()
}

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
    seams_ms: Vec<i64>,
    cuts: Vec<i64>,
}

impl Cutter {
    /// Begins at `from_ms`, with a cut: at the start or at a seam.
    pub(crate) fn new(rule: Rule, announced_ms: i64, seams_ms: Vec<i64>, from_ms: i64) -> Self {
        Self {
            rule,
            announced_ms,
            seams_ms,
            cuts: vec![from_ms],
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
        let shortest_ms = self.rule.shortest_ms;
        let fits = since >= shortest_ms
            && (self.next_seam()).is_none_or(|seam_ms| seam_ms - at_ms >= shortest_ms);
        since >= self.longest_ms() || (fits && changed_permille >= self.rule.cut_permille)
    }

    /// Whether one part ends there and another begins.
    pub(crate) fn is_seam(&self, at_ms: i64) -> bool {
        self.seams_ms.contains(&at_ms)
    }

    fn next_seam(&self) -> Option<i64> {
        let passed = self.seams_ms.partition_point(|seam| *seam <= self.last());
        self.seams_ms.get(passed).copied()
    }

    /// Longest segment from the last cut on: a little rest at the end is not worth a keyframe of its own.
    fn longest_ms(&self) -> i64 {
        let longest_ms = match self.last() {
            0 => self.rule.first_ms,
            _ => self.rule.longest_ms,
        };
        let most_ms = longest_ms / REST;
        if let Some(seam_ms) = self.next_seam() {
            let left_ms = seam_ms - self.last();
            return match left_ms <= longest_ms + most_ms {
                true => left_ms,
                false => longest_ms,
            };
        }
        let rest_ms = self.announced_ms - self.last() - longest_ms;
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

    fn natural(announced_ms: i64) -> Cutter {
        Cutter::new(Rule::of(Content::Natural), announced_ms, Vec::new(), 0)
    }

    #[test]
    fn segments_are_neither_too_long_nor_too_short() {
        let mut cutter = natural(0);
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
            let mut cutter = natural(announced_ms);
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

    /// All cuts of a recording whose pictures change wholly at these moments, from `from_ms` on.
    fn cuts(announced_ms: i64, changes_ms: &[i64], from_ms: i64) -> Vec<i64> {
        let seams_ms = seams_ms(announced_ms);
        let mut cutter = Cutter::new(Rule::of(Content::Lecture), announced_ms, seams_ms, from_ms);
        for at_ms in (from_ms..announced_ms).step_by(40) {
            while let Some(due) = cutter.overdue(at_ms) {
                cutter.cut(due);
            }
            let changed = if changes_ms.contains(&at_ms) { 1000 } else { 0 };
            if cutter.wants(at_ms, changed) {
                cutter.cut(at_ms);
            }
        }
        cutter.into_cuts()
    }

    #[test]
    fn from_a_seam_on_cuts_are_the_same_whatever_goes_before() {
        // A slide in the middle, one just before a seam, one on it.
        let changes_ms = [7_000, 71_240, 119_600, 180_000, 301_000];
        for announced_ms in [SHORTEST_SHARED_MS, 604_321, 3_600_000] {
            let whole = cuts(announced_ms, &changes_ms, 0);
            let seams = seams_ms(announced_ms);
            assert!(seams.len() >= 4);
            for seam in seams {
                let part: Vec<i64> = whole.iter().copied().filter(|cut| *cut >= seam).collect();
                assert_eq!(cuts(announced_ms, &changes_ms, seam), part);
            }
            let shortest = whole.windows(2).map(|pair| pair[1] - pair[0]).min();
            assert!(shortest >= Some(2_000), "{whole:?}");
        }
        assert!(cuts(SHORTEST_SHARED_MS, &changes_ms, 0).contains(&71_240));
    }

    #[test]
    fn parts_have_lengths_that_pay() {
        assert!(seams_ms(0).is_empty());
        assert!(seams_ms(SHORTEST_SHARED_MS - 1).is_empty());
        for announced_ms in [SHORTEST_SHARED_MS, 1_234_567, 7_200_000, 4 * 3_600_000] {
            let mut bounds = vec![0];
            bounds.extend(seams_ms(announced_ms));
            bounds.push(announced_ms);
            let lengths: Vec<i64> = bounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let last = lengths[lengths.len() - 1];
            assert!(lengths.iter().all(|length| *length <= last));
            assert!(lengths[0] >= SHORTEST_PART_MS && last < 2 * LONGEST_PART_MS);
        }
    }
}
