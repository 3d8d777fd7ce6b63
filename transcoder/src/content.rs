//! Looks at a few windows of a recording: what it shows, how large, whether it is interlaced.

use std::path::Path;

use millet_manifest::Content;

use crate::decode::VideoDecoder;
use crate::error::Error;
use crate::normalise::{Fit, Normaliser, displayed};
use crate::picture::{Picture, Thumb};
use crate::source::Source;

/// Length of the first window and of the others, milliseconds.
const FIRST_MS: i64 = 30_000;
const OTHERS_MS: i64 = 10_000;
/// Pictures are compared this far apart, milliseconds.
const APART_MS: i64 = 200;
/// Two pictures are alike when no more than this much changed, thousandths: a pointer, a line of
/// handwriting.
const ALIKE_PERMILLE: u32 = 6;
/// Share of alike neighbours from which a recording is a lecture, percent.
const LECTURE_PERCENT: usize = 50;
/// A container that yields this many packets without a picture ends a window.
const MOST_PACKETS: usize = 20_000;

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) content: Content,
    /// Size as displayed, upright.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) interlaced: bool,
}

/// Looks; `None` when no picture comes out of the first window.
pub(crate) fn look(path: &Path) -> Result<Option<Look>, Error> {
    let mut source = Source::open(path)?;
    let Some(track) = &source.video else {
        return Ok(None);
    };
    let (index, turn) = (track.index, track.turn);
    let mut decoder = VideoDecoder::open(&source.input, track, source.start_ms)?;
    let mut eye = Eye::new(turn);
    let quarter = source.announced_ms / 4;
    let windows = if source.announced_ms > 2 * FIRST_MS {
        vec![0, quarter, 2 * quarter, 3 * quarter]
    } else {
        vec![0]
    };
    for from_ms in windows {
        if from_ms > 0 {
            let at = (from_ms + source.start_ms).saturating_mul(1000);
            // An index that cannot be used is no reason to refuse: the first window must do.
            if source.input.seek(at, ..at).is_err() {
                break;
            }
            decoder.reset();
            eye.last = None;
        }
        let length = if from_ms == 0 { FIRST_MS } else { OTHERS_MS };
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
    interlaced: usize,
    seen: usize,
    alike: usize,
    compared: usize,
    last: Option<(i64, Thumb)>,
    end_ms: Option<i64>,
    is_full: bool,
}

impl Eye {
    fn new(turn: u32) -> Self {
        Self {
            turn,
            normaliser: Normaliser::new(turn, 128, 72, false, Fit::Stretch),
            size: None,
            interlaced: 0,
            seen: 0,
            alike: 0,
            compared: 0,
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
        if self
            .last
            .as_ref()
            .is_some_and(|(last, _)| at_ms < last + APART_MS)
        {
            return Ok(());
        }
        frame.set_pts(Some(at_ms));
        let (last, alike, compared) = (&mut self.last, &mut self.alike, &mut self.compared);
        self.normaliser.pass(frame, |small| {
            let thumb = Picture::copy(&small).thumb();
            if let Some((_, before)) = last {
                *compared += 1;
                *alike += usize::from(thumb.changed_permille(before) <= ALIKE_PERMILLE);
            }
            *last = Some((at_ms, thumb));
            Ok(())
        })
    }

    fn verdict(&self) -> Option<Look> {
        let (width, height) = self.size?;
        let lecture = self.compared >= 5 && self.alike * 100 >= self.compared * LECTURE_PERCENT;
        Some(Look {
            content: if lecture {
                Content::Lecture
            } else {
                Content::Natural
            },
            width,
            height,
            interlaced: self.interlaced * 2 > self.seen,
        })
    }
}
