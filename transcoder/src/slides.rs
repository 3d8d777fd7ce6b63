//! Tells the slides of a lecture apart by what is on the screen.

use std::sync::Arc;

use crate::picture::Thumb;

/// Share of the picture that changes when another slide comes, thousandths; a further line changes less.
const OTHER_PERMILLE: u32 = 40;
/// Where so much has changed little by little, thousandths, what stood there is gone.
const GONE_PERMILLE: u32 = 250;
/// A change that brightens and darkens so much each, thousandths, puts something in the place of something else: a
/// line that is added only does one of the two.
const REPLACED_PERMILLE: u32 = 2;
/// From one picture to the next, so much each is movement.
const MOVED_PERMILLE: u32 = 1;
/// Movements this close together are one, milliseconds; what lasts longer is no change of slides.
const MOVEMENT_MS: i64 = 1_000;
/// Time in which one slide gives way to another, milliseconds: what stands there for less is no slide.
const GIVES_WAY_MS: i64 = 4_000;

/// Watches pictures go by.
pub(crate) struct Slides {
    starts_ms: Vec<i64>,
    /// Shortest slide, milliseconds.
    shortest_ms: i64,
    now: Option<Now>,
}

/// What is on the screen.
struct Now {
    /// How the slide began, how it was when it last stood still, and how it looks by now.
    first: Arc<Thumb>,
    still: Arc<Thumb>,
    last: Arc<Thumb>,
    movement: Movement,
}

/// The newest movement.
struct Movement {
    begun_ms: i64,
    last_ms: i64,
    /// Everything stood still before it.
    stood: bool,
}

impl Movement {
    /// What moves all the time, such as a speaker in a corner, changes no slides.
    fn may_change_slides(&self, at_ms: i64) -> bool {
        match at_ms - self.begun_ms <= MOVEMENT_MS {
            true => self.stood,
            false => at_ms - self.last_ms >= GIVES_WAY_MS,
        }
    }

    fn go_on(&mut self, at_ms: i64) {
        let stood_ms = at_ms - self.last_ms;
        if stood_ms >= MOVEMENT_MS {
            self.begun_ms = at_ms;
            self.stood = stood_ms >= GIVES_WAY_MS;
        }
        self.last_ms = at_ms;
    }
}

impl Now {
    fn begin(thumb: &Arc<Thumb>, at_ms: i64) -> Self {
        Self {
            first: thumb.clone(),
            still: thumb.clone(),
            last: thumb.clone(),
            movement: Movement {
                begun_ms: at_ms,
                last_ms: at_ms,
                stood: false,
            },
        }
    }

    /// Whether the picture shows another slide than the one that is known.
    fn is_left_by(&mut self, thumb: &Arc<Thumb>, at_ms: i64) -> bool {
        let change = thumb.change(&self.last);
        let moved = change.both() >= MOVED_PERMILLE;
        if moved {
            self.movement.go_on(at_ms);
        }
        let may_change = self.movement.may_change_slides(at_ms);
        let is_other = change.permille() >= OTHER_PERMILLE
            || thumb.change(&self.first).permille() >= GONE_PERMILLE
            || (may_change && thumb.change(&self.still).both() >= REPLACED_PERMILLE);
        self.last = thumb.clone();
        if is_other {
            self.first = thumb.clone();
        }
        if is_other || (moved && !may_change) {
            self.still = thumb.clone();
        }
        is_other
    }
}

impl Default for Slides {
    fn default() -> Self {
        Self {
            starts_ms: Vec::new(),
            shortest_ms: GIVES_WAY_MS,
            now: None,
        }
    }
}

impl Slides {
    /// For who does not know when the slide began that is there: sees another begin wherever one may.
    pub(crate) fn of_stretch() -> Self {
        Self {
            shortest_ms: 0,
            ..Self::default()
        }
    }

    /// The picture that was seen last stands at a seam: what follows is judged without what went before, as by who
    /// begins there.
    pub(crate) fn pass_seam(&mut self, thumb: &Arc<Thumb>, at_ms: i64) {
        self.now = Some(Now::begin(thumb, at_ms));
    }

    /// Whether another slide begins with this picture. The very first one does not.
    pub(crate) fn see(&mut self, thumb: &Arc<Thumb>, at_ms: i64) -> bool {
        let Some(now) = &mut self.now else {
            self.starts_ms.push(at_ms);
            self.now = Some(Now::begin(thumb, at_ms));
            return false;
        };
        let started_ms = self.starts_ms.last().copied().unwrap_or(0);
        let begins = now.is_left_by(thumb, at_ms) && at_ms - started_ms >= self.shortest_ms;
        if begins {
            self.starts_ms.push(at_ms);
        }
        begins
    }

    /// When each slide began, in order.
    pub(crate) fn starts_ms(&self) -> &[i64] {
        &self.starts_ms
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use ffmpeg_next::format::Pixel;
    use ffmpeg_next::frame::Video;

    use crate::picture::Picture;

    /// A slide of one shade with this text on it: a word of so many letters on each line.
    pub(crate) fn slide(shade: u8, words: &[usize]) -> Picture {
        let mut frame = Video::new(Pixel::YUV420P, 64, 36);
        (0..3).for_each(|plane| frame.data_mut(plane).fill(shade));
        let stride = frame.stride(0);
        for (line, letters) in words.iter().enumerate() {
            frame.data_mut(0)[line * stride..][..*letters].fill(shade ^ 0x80);
        }
        Picture::new(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::slide;
    use super::*;

    fn starts(seen: &[(i64, Arc<Thumb>)]) -> Vec<i64> {
        let mut slides = Slides::default();
        for (at_ms, thumb) in seen {
            slides.see(thumb, *at_ms);
        }
        slides.starts_ms
    }

    fn thumb(shade: u8, words: &[usize]) -> Arc<Thumb> {
        Arc::new(slide(shade, words).thumb())
    }

    #[test]
    fn a_line_that_is_added_is_the_same_slide_and_another_title_is_another_one() {
        let seen = [
            (0, thumb(40, &[30])),
            (3_000, thumb(40, &[30, 0, 50])),
            (9_000, thumb(40, &[30, 0, 50, 50])),
            // A title comes, and the old one is gone a moment later.
            (20_000, thumb(40, &[30, 12, 50, 47])),
            (20_200, thumb(40, &[0, 12, 50, 47])),
            (22_000, thumb(40, &[0, 12, 50, 47, 50])),
            // All is another.
            (30_000, thumb(200, &[30])),
        ];
        assert_eq!(starts(&seen), [0, 20_200, 30_000]);
    }

    #[test]
    fn what_goes_by_on_the_way_to_a_slide_is_none() {
        let fade = [(20_000, 100), (20_200, 160), (20_400, 220), (40_000, 40)];
        let mut seen = vec![(0, thumb(40, &[]))];
        seen.extend(fade.map(|(at_ms, shade)| (at_ms, thumb(shade, &[]))));
        assert_eq!(starts(&seen), [0, 20_000, 40_000]);
        assert_eq!(starts(&[(0, thumb(16, &[])), (2_000, thumb(90, &[]))]), [0]);
    }

    #[test]
    fn a_board_that_fills_is_another_one_at_last() {
        let written = |lines: usize| thumb(40, &vec![50; lines]);
        let seen: Vec<_> = (0..24)
            .map(|line| (line as i64 * 5_000, written(line)))
            .collect();
        assert_eq!(starts(&seen), [0, 60_000]);
    }

    #[test]
    fn who_speaks_in_a_corner_makes_no_slides() {
        let speaker = |at: i64| match at % 2 {
            0 => thumb(40, &[0, 0, 20]),
            _ => thumb(40, &[0, 20]),
        };
        let seen: Vec<_> = (0..100).map(|at| (at * 1_000, speaker(at))).collect();
        assert_eq!(starts(&seen), [0]);
    }
}
