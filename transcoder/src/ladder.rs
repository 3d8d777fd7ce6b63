//! Which rungs a recording may get, before a look at what each of them costs.

use millet_manifest::{FileRef, Kind, Rendition, TitleClass};
use serde::{Deserialize, Serialize};

use crate::colours::Colours;

/// What a rung is coded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Codec {
    /// ITU-T H.264: every phone plays it.
    H264,
    /// AV1: half the bytes, where a phone can play it.
    Av1,
}

impl Codec {
    /// The highest rate factor, with the fewest bytes.
    pub(crate) fn highest_crf(self) -> u32 {
        match self {
            Self::H264 => 51,
            Self::Av1 => 63,
        }
    }
}

/// What an encoder should reckon with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tune {
    /// Text, flat areas, long still stretches.
    Screen,
    /// Camera pictures.
    Camera,
}

/// Processor time against bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effort {
    /// As few bytes as an encoder finds: a lesson is made once and fetched often.
    Thorough,
    /// A third of the time for about an eighth more bytes.
    Quick,
}

/// One video rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rung {
    /// `v240`, `s720`, `v480-av1`, …
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) codec: Codec,
    pub(crate) tune: Tune,
    pub(crate) effort: Effort,
    pub(crate) colours: Colours,
    /// Even.
    pub(crate) width: u32,
    /// Even.
    pub(crate) height: u32,
    /// Most frames in 1000 seconds.
    pub(crate) rate_milli: u32,
    /// The encoder's rate factor.
    pub(crate) crf: u32,
    /// Not more than this on average, bits per second.
    pub(crate) average_bps: u32,
    /// Never more than this over ten seconds, bits per second.
    pub(crate) most_bps: u32,
    /// Structural similarity to aim at, at the rung's own size, ten thousandths.
    pub(crate) target: u32,
}

impl Rung {
    /// Not more than this over each segment, bits per second: trials are too short to say what a camera's stills
    /// cost on average.
    pub(crate) fn most_of_segment_bps(&self) -> u32 {
        match (self.kind, self.tune) {
            (Kind::Stills, Tune::Camera) => self.average_bps,
            _ => self.most_bps,
        }
    }

    /// What is made of it, without its segments.
    pub(crate) fn rendition(&self, codec: String, init_bytes: u64) -> Rendition {
        Rendition {
            id: self.id.clone(),
            kind: self.kind,
            codec,
            width: self.width,
            height: self.height,
            frame_rate_milli: self.rate_milli,
            sample_rate: 0,
            channels: 0,
            average_bps: 0,
            peak_bps: 0,
            init: FileRef {
                file: format!("{}/init.mp4", self.id),
                bytes: init_bytes,
            },
            segments: Vec::new(),
        }
    }

    /// Share of the bits that a step of the rate factor saves, as usual: the rate falls by its power of e.
    pub(crate) fn step_saves(&self) -> f64 {
        match (self.codec, self.tune) {
            (Codec::H264, _) => 0.11,
            (Codec::Av1, Tune::Screen) => 0.06,
            (Codec::Av1, Tune::Camera) => 0.055,
        }
    }

    /// Processor time against bytes, as the encoder names it.
    pub(crate) fn preset(&self) -> &'static str {
        match (self.codec, self.effort, self.tune, self.kind) {
            (Codec::H264, Effort::Thorough, ..) => "veryslow",
            (Codec::H264, Effort::Quick, ..) => "medium",
            // A quarter of the bytes of a slide is found by no quicker search, and a further fifth by this
            // one; of stills there are few.
            (Codec::Av1, Effort::Thorough, Tune::Screen, Kind::Stills) => "1",
            (Codec::Av1, Effort::Thorough, Tune::Screen, _) => "2",
            (Codec::Av1, Effort::Thorough, Tune::Camera, _) => "5",
            (Codec::Av1, Effort::Quick, ..) => "6",
        }
    }
}

/// Lines of the shorter side, from the smallest. Text wants lines more than anything.
const SCREEN_LINES: [u32; 2] = [480, 720];
const CAMERA_LINES: [u32; 3] = [240, 360, 480];
/// No picture is wider or higher than this.
const LONGEST_SIDE: u32 = 1280;
/// Most frames in 1000 seconds: of a screen, and of a camera. Half a camera's rate would halve what
/// is seen of a movement.
const SCREEN_RATE: u32 = 5_000;
const CAMERA_RATE: u32 = 30_000;
/// Smallest side that the AV1 encoder takes.
const LEAST_AV1_SIDE: u32 = 64;

/// What is known of the pictures, and what is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) effort: Effort,
    pub(crate) class: TitleClass,
    pub(crate) colours: Colours,
    /// As displayed.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Frames in 1000 seconds, where there are most.
    pub(crate) rate_milli: u32,
}

/// All rungs that may be worth it, both codecs of each; the last is among the largest.
pub(crate) fn ladder(shape: Shape) -> Vec<Rung> {
    let short = shape.width.min(shape.height).max(2);
    let screen = shape.class == TitleClass::Lecture;
    let all: &[u32] = if screen { &SCREEN_LINES } else { &CAMERA_LINES };
    let mut lines: Vec<u32> = all
        .iter()
        .copied()
        .filter(|lines| *lines <= short)
        .collect();
    // What is a little larger than a step, or smaller than all, is shown as it is.
    let most = all.last().copied().unwrap_or(short);
    if short < most && lines.last().is_none_or(|last| short * 10 >= last * 11) {
        lines.push(short);
    }
    let largest = lines.last().copied().unwrap_or(short);
    let mut rungs = Vec::new();
    // Chinese signs that were drawn for so many lines are hard to read at three quarters of them; and where
    // they keep them, equal signs are equal, and AV1 copies them.
    let still_lines = match screen {
        true => largest,
        false => lines.first().copied().unwrap_or(short),
    };
    for codec in [Codec::H264, Codec::Av1] {
        rungs.push(stills(shape, codec, still_lines));
        // In AV1 the same slide costs as many bytes at fewer lines.
        let videos = lines
            .iter()
            .filter(|lines| !screen || codec == Codec::H264 || **lines == largest);
        rungs.extend(videos.map(|lines| video(shape, codec, *lines, *lines == largest)));
    }
    rungs.retain(|rung| rung.codec == Codec::H264 || rung.width.min(rung.height) >= LEAST_AV1_SIDE);
    // What every phone plays is made first.
    rungs.sort_by_key(|rung| {
        let lines = rung.height.min(rung.width);
        (rung.codec == Codec::Av1, rung.kind == Kind::Video, lines)
    });
    rungs
}

/// How many rungs at the beginning of a ladder can be watched before the others are made: stills and the
/// smallest moving picture.
pub(crate) fn watchable_early(rungs: &[Rung]) -> usize {
    let plain = rungs.iter().take_while(|rung| rung.codec == Codec::H264);
    let stills = plain.take_while(|rung| rung.kind == Kind::Stills).count();
    let video = rungs.get(stills).filter(|rung| rung.codec == Codec::H264);
    stills + usize::from(video.is_some())
}

fn video(shape: Shape, codec: Codec, lines: u32, is_largest: bool) -> Rung {
    let screen = shape.class == TitleClass::Lecture;
    let (most_bps, target) = match (screen, lines) {
        (true, ..=480) => (48_000, 9_800),
        // A third of the bytes that AV1 saves goes into clearer letters.
        (true, _) if codec == Codec::Av1 => (80_000, 9_890),
        (true, _) => (80_000, 9_850),
        (false, ..=240) => (96_000, 9_200),
        (false, ..=360) => (200_000, 9_300),
        (false, _) => (360_000, 9_400),
    };
    // Whoever has the link for it gets a good picture, also of a small recording.
    let (most_bps, target) = if is_largest && !screen {
        (most_bps.max(240_000), 9_400)
    } else {
        (most_bps, target)
    };
    let most_rate = if screen { SCREEN_RATE } else { CAMERA_RATE };
    rung(
        shape,
        codec,
        Kind::Video,
        lines,
        Aim {
            rate_milli: shape.rate_milli.min(most_rate),
            average_bps: most_bps * 3 / 4,
            most_bps,
            target,
        },
    )
}

fn stills(shape: Shape, codec: Codec, lines: u32) -> Rung {
    let aim = match shape.class {
        // A trial begins with a keyframe and is short: of what it costs, about half remains. More than
        // this likeness would cost more than moving pictures of plain slides do.
        TitleClass::Lecture => Aim {
            rate_milli: 333,
            average_bps: 13_000,
            most_bps: 24_000,
            // Plain letters are read at less.
            target: match codec {
                Codec::H264 => 9_800,
                Codec::Av1 => 9_700,
            },
        },
        _ => Aim {
            rate_milli: 250,
            average_bps: 12_000,
            most_bps: 24_000,
            target: 9_000,
        },
    };
    rung(shape, codec, Kind::Stills, lines, aim)
}

/// What a rung is to reach, and for how much.
struct Aim {
    rate_milli: u32,
    average_bps: u32,
    most_bps: u32,
    target: u32,
}

fn rung(shape: Shape, codec: Codec, kind: Kind, lines: u32, aim: Aim) -> Rung {
    let (width, height) = fit(lines, shape.width, shape.height);
    let tune = match shape.class {
        TitleClass::Lecture => Tune::Screen,
        _ => Tune::Camera,
    };
    let letter = if kind == Kind::Stills { 's' } else { 'v' };
    let (suffix, crf) = match (codec, tune, kind) {
        (Codec::H264, Tune::Screen, _) => ("", 40),
        (Codec::H264, Tune::Camera, _) => ("", 33),
        (Codec::Av1, Tune::Screen, Kind::Stills) => ("-av1", 61),
        (Codec::Av1, Tune::Screen, _) => ("-av1", 55),
        (Codec::Av1, Tune::Camera, _) => ("-av1", 50),
    };
    Rung {
        id: format!("{letter}{lines}{suffix}"),
        kind,
        codec,
        tune,
        effort: shape.effort,
        colours: shape.colours,
        width,
        height,
        rate_milli: aim.rate_milli,
        crf,
        average_bps: aim.average_bps,
        most_bps: aim.most_bps,
        target: aim.target,
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

    fn ids(class: TitleClass, width: u32, height: u32) -> Vec<(String, u32, u32)> {
        let rate_milli = 25_000;
        ladder(Shape {
            effort: Effort::Thorough,
            class,
            colours: Colours::Bt709,
            width,
            height,
            rate_milli,
        })
        .into_iter()
        .filter(|rung| rung.codec == Codec::H264)
        .map(|rung| (rung.id, rung.width, rung.height))
        .collect()
    }

    #[test]
    fn nothing_is_made_larger_and_proportions_stay() {
        let natural = ids(TitleClass::Natural, 1920, 1080);
        assert_eq!(
            natural,
            [
                ("s240".into(), 426, 240),
                ("v240".into(), 426, 240),
                ("v360".into(), 640, 360),
                ("v480".into(), 854, 480)
            ]
        );
        let lecture = ids(TitleClass::Lecture, 1280, 720);
        let lecture: Vec<&str> = lecture.iter().map(|rung| rung.0.as_str()).collect();
        assert_eq!(lecture, ["s720", "v480", "v720"]);
        let small = ids(TitleClass::Natural, 640, 272);
        let small: Vec<&str> = small.iter().map(|rung| rung.0.as_str()).collect();
        assert_eq!(small, ["s240", "v240", "v272"]);
        assert_eq!(
            ids(TitleClass::TalkingHead, 1080, 1920)[3],
            ("v480".into(), 480, 854)
        );
        assert_eq!(
            ids(TitleClass::Natural, 177, 144),
            [("s144".into(), 178, 144), ("v144".into(), 178, 144)]
        );
        assert_eq!(
            ids(TitleClass::Natural, 7680, 480)[3],
            ("v480".into(), 1280, 80)
        );
        assert_eq!(ids(TitleClass::Natural, 1, 1)[0].1, 2);
    }

    #[test]
    fn a_screen_has_av1_at_its_largest_size_alone() {
        let rungs = ladder(Shape {
            effort: Effort::Thorough,
            class: TitleClass::Lecture,
            colours: Colours::Bt709,
            width: 1920,
            height: 1080,
            rate_milli: 30_000,
        });
        let ids: Vec<&str> = rungs.iter().map(|rung| rung.id.as_str()).collect();
        assert_eq!(ids, ["s720", "v480", "v720", "s720-av1", "v720-av1"]);
    }

    #[test]
    fn each_rung_has_both_codecs_and_a_camera_keeps_its_rate() {
        let shape = Shape {
            effort: Effort::Thorough,
            class: TitleClass::Natural,
            colours: Colours::Bt709,
            width: 640,
            height: 360,
            rate_milli: 24_000,
        };
        let rungs = ladder(shape);
        let ids: Vec<&str> = rungs.iter().map(|rung| rung.id.as_str()).collect();
        assert_eq!(
            ids,
            ["s240", "v240", "v360", "s240-av1", "v240-av1", "v360-av1"]
        );
        assert_eq!(watchable_early(&rungs), 2);
        let mut videos = rungs.iter().filter(|rung| rung.kind == Kind::Video);
        assert!(videos.all(|rung| rung.rate_milli == 24_000));
        let small = Shape {
            width: 64,
            height: 48,
            ..shape
        };
        assert!(ladder(small).iter().all(|rung| rung.codec == Codec::H264));
    }
}
