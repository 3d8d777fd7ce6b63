//! Looks at a few windows of a recording: what it shows, how large, whether it is interlaced.

use std::path::Path;

use millet_manifest::{Content, PictureSigns, TitleClass};

use crate::colours::Colours;
use crate::decode::VideoDecoder;
use crate::error::Error;
use crate::normalise::{Fit, Normaliser, displayed};
use crate::picture::{Picture, Thumb};
use crate::source::Source;

/// Length of the first window and of the others, milliseconds.
const FIRST_MS: i64 = 20_000;
const OTHERS_MS: i64 = 5_000;
/// Windows behind the first, evenly spread.
const OTHERS: i64 = 5;
/// Pictures are compared this far apart, milliseconds.
const APART_MS: i64 = 200;
/// Two pictures are alike when no more than this much changed, thousandths: a pointer, a line of
/// handwriting.
const ALIKE_PERMILLE: u32 = 6;
/// From this much on the scene is another, thousandths.
const SCENE_PERMILLE: u32 = 500;
/// Share of alike neighbours from which a recording is a lecture, percent.
const LECTURE_PERCENT: usize = 50;
/// A camera that stands still before a speaker: no more motion than this, thousandths, and no more
/// changes of the scene in an hour.
const HEAD_MOTION_PERMILLE: u32 = 90;
const HEAD_CHANGES_PER_HOUR: u32 = 60;
/// A container that yields this many packets without a picture ends a window.
const MOST_PACKETS: usize = 20_000;
/// Size at which pictures are looked at.
const EYE: (u32, u32) = (256, 144);

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) class: TitleClass,
    pub(crate) signs: PictureSigns,
    /// Size as displayed, upright.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) interlaced: bool,
    pub(crate) colours: Colours,
}

impl Look {
    /// The ladder's coarser word.
    pub(crate) fn content(&self) -> Content {
        match self.class {
            TitleClass::Lecture => Content::Lecture,
            _ => Content::Natural,
        }
    }
}

/// Looks; `None` when no picture comes out of the first window.
pub(crate) fn look(path: &Path) -> Result<Option<Look>, Error> {
    let mut source = Source::open(path)?;
    let Some(track) = &source.video else {
        return Ok(None);
    };
    let (index, turn) = (track.index, track.turn);
    let mut decoder = VideoDecoder::open(&source.input, track, source.start_ms, None)?;
    // Five pictures a second are enough, and are among those that others are decoded from.
    decoder.skim();
    let mut eye = Eye::new(turn);
    let behind = source.announced_ms - FIRST_MS;
    let others = if behind > OTHERS * OTHERS_MS {
        OTHERS
    } else {
        0
    };
    for window in 0..=others {
        if window > 0 {
            let from_ms = FIRST_MS + behind * (window - 1) / others;
            let at = (from_ms + source.start_ms).saturating_mul(1000);
            // An index that cannot be used is no reason to refuse: the first window must do.
            if source.input.seek(at, ..at).is_err() {
                break;
            }
            decoder.reset();
            eye.last = None;
        }
        let length = if window == 0 { FIRST_MS } else { OTHERS_MS };
        eye.end_ms = None;
        for (_, packet) in source
            .input
            .packets()
            .filter(|(stream, _)| stream.index() == index)
            .take(MOST_PACKETS)
        {
            decoder.decode(Some(&packet), |frame, at_ms| eye.see(frame, at_ms, length))?;
            if eye.is_full {
                break;
            }
        }
        if !eye.is_full {
            decoder.decode(None, |frame, at_ms| eye.see(frame, at_ms, length))?;
            break;
        }
        eye.is_full = false;
    }
    Ok(eye.verdict())
}

struct Eye {
    turn: u32,
    normaliser: Normaliser,
    size: Option<(u32, u32)>,
    colours: Option<Colours>,
    interlaced: usize,
    seen: usize,
    sums: Sums,
    last: Option<(i64, Picture, Thumb)>,
    end_ms: Option<i64>,
    is_full: bool,
}

/// Of all pairs of neighbours.
#[derive(Default)]
struct Sums {
    compared: usize,
    alike: usize,
    scenes: usize,
    motion: u64,
    edges: u64,
    noise: u64,
}

impl Eye {
    fn new(turn: u32) -> Self {
        Self {
            turn,
            normaliser: Normaliser::new(turn, EYE.0, EYE.1, false, Fit::Stretch),
            size: None,
            colours: None,
            interlaced: 0,
            seen: 0,
            sums: Sums::default(),
            last: None,
            end_ms: None,
            is_full: false,
        }
    }

    fn see(
        &mut self,
        mut frame: ffmpeg_next::frame::Video,
        at_ms: i64,
        length_ms: i64,
    ) -> Result<(), Error> {
        let end_ms = *self.end_ms.get_or_insert(at_ms + length_ms);
        if at_ms >= end_ms {
            self.is_full = true;
        }
        self.seen += 1;
        self.interlaced += usize::from(frame.is_interlaced());
        self.size.get_or_insert(displayed(&frame, self.turn));
        self.colours.get_or_insert(Colours::of(&frame));
        if self
            .last
            .as_ref()
            .is_some_and(|(last, ..)| at_ms < last + APART_MS)
        {
            return Ok(());
        }
        frame.set_pts(Some(at_ms));
        let (last, sums) = (&mut self.last, &mut self.sums);
        self.normaliser.pass(frame, |small| {
            let picture = Picture::new(small);
            let thumb = picture.thumb();
            if let Some((_, before, small_before)) = last {
                let changed = thumb.changed_permille(small_before);
                sums.compared += 1;
                sums.alike += usize::from(changed <= ALIKE_PERMILLE);
                sums.scenes += usize::from(changed >= SCENE_PERMILLE);
                sums.motion += u64::from(changed);
                sums.edges += u64::from(picture.edges_permille());
                sums.noise += u64::from(picture.noise_millilevels(before));
            }
            *last = Some((at_ms, picture, thumb));
            Ok(())
        })
    }

    fn verdict(&self) -> Option<Look> {
        let ((width, height), colours) = (self.size?, self.colours?);
        let sums = &self.sums;
        let count = sums.compared.max(1) as u64;
        let mean = |sum: u64| u32::try_from(sum / count).unwrap_or(u32::MAX);
        let per_hour = 3_600_000 / APART_MS.unsigned_abs();
        let signs = PictureSigns {
            still_permille: mean(sums.alike as u64 * 1000),
            motion_permille: mean(sums.motion),
            changes_per_hour: mean(sums.scenes as u64 * per_hour),
            edges_permille: mean(sums.edges),
            noise_millilevels: mean(sums.noise),
        };
        let lecture = sums.compared >= 5 && sums.alike * 100 >= sums.compared * LECTURE_PERCENT;
        let head = signs.motion_permille <= HEAD_MOTION_PERMILLE
            && signs.changes_per_hour <= HEAD_CHANGES_PER_HOUR;
        Some(Look {
            class: match (lecture, head) {
                (true, _) => TitleClass::Lecture,
                (false, true) => TitleClass::TalkingHead,
                (false, false) => TitleClass::Natural,
            },
            signs,
            width,
            height,
            interlaced: self.interlaced * 2 > self.seen,
            colours,
        })
    }
}
