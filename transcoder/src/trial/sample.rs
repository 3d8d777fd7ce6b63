//! Takes a few short stretches out of a recording, spread over its length.

use std::path::Path;
use std::sync::Arc;

use ffmpeg_next::Packet;
use ffmpeg_next::frame::Video;
use millet_manifest::TitleClass;

use super::measure::Stretch;
use crate::content::Look;
use crate::decode::VideoDecoder;
use crate::encode::Shown;
use crate::error::Error;
use crate::ladder::Rung;
use crate::normalise::{Fit, Normaliser};
use crate::picture::Picture;
use crate::prepare::{Collector, Pace};
use crate::source::Source;

/// One part in so many of a recording is sampled, within bounds.
const SHARE: i64 = 8;
/// Of slides: a stretch is long enough to see what lies between two keyframes. Milliseconds.
const SCREEN: Bounds = Bounds {
    stretch_ms: 8_000,
    most: 2,
};
const CAMERA: Bounds = Bounds {
    stretch_ms: 2_000,
    most: 4,
};
/// A container that yields this many packets without a picture ends a stretch.
const MOST_PACKETS: usize = 5_000;

struct Bounds {
    stretch_ms: i64,
    most: i64,
}

/// Stretches at the size and the rate of the largest rung; none when the input yields no picture.
pub(super) fn sample(input: &Path, look: &Look, largest: &Rung) -> Result<Vec<Stretch>, Error> {
    let mut source = Source::open(input)?;
    let Some(track) = &source.video else {
        return Ok(Vec::new());
    };
    let (index, turn) = (track.index, track.turn);
    let mut decoder = VideoDecoder::open(&source.input, track, source.start_ms, None)?;
    let bounds = match look.class {
        TitleClass::Lecture => SCREEN,
        _ => CAMERA,
    };
    let length_ms = source.announced_ms.max(0);
    let stretch_ms = bounds.stretch_ms.min((length_ms / 2).max(1_000));
    let count = (length_ms / SHARE / stretch_ms).clamp(1, bounds.most);
    let mut stretches = Vec::new();
    for number in 0..count {
        let middle = length_ms * (2 * number + 1) / (2 * count);
        let from_ms = (middle - stretch_ms / 2).max(0);
        if from_ms > 0 {
            let at = (from_ms + source.start_ms).saturating_mul(1000);
            // Without an index, the beginning must do.
            if source.input.seek(at, ..at).is_err() && number > 0 {
                break;
            }
            decoder.reset();
        }
        let mut taker = Taker {
            from_ms,
            end_ms: from_ms + stretch_ms,
            collector: Collector::new(look.content()),
            pace: Pace::new(Some(i64::from(largest.rate_milli))),
            reached_ms: None,
        };
        let mut normaliser = Normaliser::new(
            turn,
            largest.width,
            largest.height,
            look.interlaced,
            Fit::Stretch,
        );
        for (_, packet) in source
            .input
            .packets()
            .filter(|(stream, _)| stream.index() == index)
            .take(MOST_PACKETS)
        {
            decoder.skim_next(taker.passes_over(&packet, &decoder));
            decoder.decode(Some(&packet), |frame, at_ms| {
                taker.take(&mut normaliser, frame, at_ms)
            })?;
            if taker.is_full() {
                break;
            }
        }
        if !taker.is_full() {
            decoder.decode(None, |frame, at_ms| {
                taker.take(&mut normaliser, frame, at_ms)
            })?;
        }
        stretches.extend(taker.stretch());
        if !source.can_seek_again() {
            break;
        }
    }
    Ok(stretches)
}

impl Source {
    /// Streams without a length have no index either.
    fn can_seek_again(&self) -> bool {
        self.announced_ms > 0
    }
}

struct Taker {
    from_ms: i64,
    end_ms: i64,
    collector: Collector,
    pace: Pace,
    reached_ms: Option<i64>,
}

impl Taker {
    fn is_full(&self) -> bool {
        self.reached_ms.is_some_and(|at_ms| at_ms >= self.end_ms)
    }

    fn passes_over(&mut self, packet: &Packet, decoder: &VideoDecoder) -> bool {
        let time = decoder.time_and_step(packet);
        let is_before = time.is_some_and(|(at_ms, _)| at_ms < self.from_ms);
        self.pace.passes_over(packet, decoder) || is_before
    }

    fn take(
        &mut self,
        normaliser: &mut Normaliser,
        mut frame: Video,
        at_ms: i64,
    ) -> Result<(), Error> {
        if self.is_full() || at_ms < self.from_ms || !self.pace.keeps(at_ms) {
            return Ok(());
        }
        self.reached_ms = Some(at_ms);
        frame.set_pts(Some(at_ms));
        let (collector, end_ms) = (&mut self.collector, self.end_ms);
        normaliser.pass(frame, |ready| {
            let at_ms = ready.pts().unwrap_or(0);
            let picture = Arc::new(Picture::new(ready));
            if at_ms < end_ms && !collector.repeats(&picture, at_ms) {
                let thumb = Arc::new(picture.thumb());
                collector.take(picture, thumb, at_ms, false);
            }
            Ok(())
        })
    }

    fn stretch(mut self) -> Option<Stretch> {
        let whole = self.collector.end(self.end_ms)?;
        let first: &Shown = whole.pictures.first()?;
        let reached = self.reached_ms?.min(self.end_ms);
        Some(Stretch {
            length_ms: (reached - first.at_ms).max(200),
            originals: Vec::new(),
            pictures: whole.pictures,
        })
    }
}
