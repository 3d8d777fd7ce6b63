//! Which rungs a recording gets, and at which price.

use millet_manifest::{Content, Kind};

/// One video rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rung {
    /// `v240`, `s480`, …
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Even.
    pub(crate) width: u32,
    /// Even.
    pub(crate) height: u32,
    /// Most frames in 1000 seconds.
    pub(crate) rate_milli: u32,
    /// x264's constant rate factor.
    pub(crate) crf: u32,
    /// Never more than this over a second or two, bits per second.
    pub(crate) most_bps: u32,
}

/// Lines of the shorter side, from the smallest.
const LINES: [u32; 3] = [240, 360, 480];
/// No picture is wider or higher than this.
const LONGEST_SIDE: u32 = 1280;

/// The ladder for a picture of this size as displayed; the last rung is the largest.
pub(crate) fn ladder(content: Content, width: u32, height: u32) -> Vec<Rung> {
    let short = width.min(height).max(2);
    let mut lines: Vec<u32> = LINES.into_iter().filter(|lines| *lines <= short).collect();
    if lines.is_empty() {
        lines.push(short);
    }
    let mut rungs: Vec<Rung> = lines
        .iter()
        .map(|lines| video(content, *lines, width, height))
        .collect();
    // Slides want resolution, camera pictures want bytes.
    let still_lines = match content {
        Content::Lecture => lines.last(),
        _ => lines.first(),
    };
    if let Some(lines) = still_lines {
        rungs.insert(0, stills(content, *lines, width, height));
    }
    rungs
}

fn video(content: Content, lines: u32, width: u32, height: u32) -> Rung {
    let (width, height) = fit(lines, width, height);
    let lecture = content == Content::Lecture;
    let (rate_milli, crf, most_bps) = match (lecture, lines) {
        (true, ..=240) => (5_000, 32, 64_000),
        (true, ..=360) => (5_000, 32, 110_000),
        (true, _) => (5_000, 32, 180_000),
        (false, ..=240) => (15_000, 30, 96_000),
        (false, ..=360) => (24_000, 29, 210_000),
        (false, _) => (30_000, 28, 400_000),
    };
    Rung {
        id: format!("v{lines}"),
        kind: Kind::Video,
        width,
        height,
        rate_milli,
        crf,
        most_bps,
    }
}

fn stills(content: Content, lines: u32, width: u32, height: u32) -> Rung {
    let (width, height) = fit(lines, width, height);
    let (rate_milli, crf, most_bps) = match content {
        Content::Lecture => (1_000, 34, 32_000),
        _ => (250, 34, 20_000),
    };
    Rung {
        id: format!("s{lines}"),
        kind: Kind::Stills,
        width,
        height,
        rate_milli,
        crf,
        most_bps,
    }
}

/// The size with `lines` on the shorter side, even, in the same proportions.
fn fit(lines: u32, width: u32, height: u32) -> (u32, u32) {
    let (short, long) = (width.min(height).max(1), width.max(height).max(1));
    let other = u64::from(long) * u64::from(lines) / u64::from(short);
    let (mut a, mut b) = (u64::from(lines), other);
    if b > u64::from(LONGEST_SIDE) {
        a = (a * u64::from(LONGEST_SIDE) / b).max(2);
        b = u64::from(LONGEST_SIDE);
    }
    // Rounded to the nearest even number, since 4:2:0 halves both sides.
    let even = |value: u64| u32::try_from((value.div_ceil(2) * 2).max(2)).unwrap_or(LONGEST_SIDE);
    if width >= height {
        (even(b), even(a))
    } else {
        (even(a), even(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(content: Content, width: u32, height: u32) -> Vec<(String, u32, u32)> {
        ladder(content, width, height)
            .into_iter()
            .map(|rung| (rung.id, rung.width, rung.height))
            .collect()
    }

    #[test]
    fn nothing_is_made_larger_and_proportions_stay() {
        let natural = ids(Content::Natural, 1920, 1080);
        assert_eq!(
            natural,
            [
                ("s240".into(), 426, 240),
                ("v240".into(), 426, 240),
                ("v360".into(), 640, 360),
                ("v480".into(), 854, 480)
            ]
        );
        assert_eq!(ids(Content::Lecture, 1280, 720)[0].0, "s480");
        assert_eq!(
            ids(Content::Natural, 1080, 1920)[3],
            ("v480".into(), 480, 854)
        );
        assert_eq!(
            ids(Content::Natural, 177, 144),
            [("s144".into(), 178, 144), ("v144".into(), 178, 144)]
        );
        assert_eq!(
            ids(Content::Natural, 7680, 480)[3],
            ("v480".into(), 1280, 80)
        );
        assert_eq!(ids(Content::Natural, 1, 1)[0].1, 2);
    }
}
