//! Letters of slides in a few shades. What the recording's own coder left around them costs an encoder
//! that copies equal letters (AV1's block copy within a picture) more than the letters themselves: with
//! fewer shades, more of them are equal.

use crate::error::Error;
use crate::picture::Picture;

/// Side of the squares that are looked at, pixels.
const BLOCK: usize = 16;
/// The ground under letters is one colour, give or take this, levels, for at least so much of a square,
/// per cent.
const GROUND: u8 = 2;
const GROUND_PERCENT: usize = 40;
/// Between ground and ink lies at least this, levels: what differs less is a shade of a photograph.
const INK: u8 = 60;
/// Between two shades, levels.
const STEP: i32 = 28;

/// The picture with its letters in few shades. Photographs stay as they are, and so does every ground.
pub(crate) fn plain(picture: &Picture) -> Result<Picture, Error> {
    // A copy of its own: pictures are shared.
    let mut frame = picture.frame()?.clone();
    let (width, stride) = (frame.width() as usize, frame.stride(0));
    for band in frame.data_mut(0).chunks_mut(stride * BLOCK) {
        for from in (0..width).step_by(BLOCK) {
            let columns = from..(from + BLOCK).min(width);
            let lines = band.chunks(stride).map(|line| &line[columns.clone()]);
            if let Some(ground) = ground_of_letters(lines) {
                let lines = band.chunks_mut(stride);
                for value in lines.flat_map(|line| &mut line[columns.clone()]) {
                    *value = shade(*value, ground);
                }
            }
        }
    }
    Ok(Picture::new(frame))
}

/// The colour under the letters of a square, if it holds any.
fn ground_of_letters<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<u8> {
    let mut counts = [0_usize; 256];
    let mut pixels = 0;
    for value in lines.flatten() {
        counts[usize::from(*value)] += 1;
        pixels += 1;
    }
    let (least, most) = (
        counts.iter().position(|count| *count > 0)?,
        counts.iter().rposition(|count| *count > 0)?,
    );
    let (ground, _) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
    let ground = u8::try_from(ground).ok()?;
    let near =
        usize::from(ground.saturating_sub(GROUND))..=usize::from(ground.saturating_add(GROUND));
    let covered: usize = counts[near].iter().sum();
    let is_text = most - least >= usize::from(INK) && covered * 100 >= pixels * GROUND_PERCENT;
    is_text.then_some(ground)
}

/// The nearest shade that is a whole number of steps from the ground.
fn shade(value: u8, ground: u8) -> u8 {
    let (value, ground) = (i32::from(value), i32::from(ground));
    let apart = value - ground;
    let steps = (apart.abs() + STEP / 2) / STEP * apart.signum();
    u8::try_from((ground + steps * STEP).clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::Pixel;
    use ffmpeg_next::frame::Video;

    use super::*;

    /// Every pixel of a picture of 40 × 24, of which the last squares are cut.
    fn drawn(pixel: impl Fn(usize, usize) -> u8) -> Picture {
        let mut frame = Video::new(Pixel::YUV420P, 40, 24);
        for plane in 1..3 {
            frame.data_mut(plane).fill(128);
        }
        let stride = frame.stride(0);
        for (y, line) in frame.data_mut(0).chunks_mut(stride).enumerate() {
            for (x, value) in line.iter_mut().enumerate() {
                *value = pixel(x, y);
            }
        }
        Picture::new(frame)
    }

    fn levels(picture: &Picture) -> Vec<u8> {
        let mut levels: Vec<u8> = picture.lines().flatten().copied().collect();
        levels.sort_unstable();
        levels.dedup();
        levels
    }

    #[test]
    fn letters_get_few_shades_and_their_ground_keeps_its_own() {
        let text = drawn(|x, y| match (x % 8, y % 3) {
            (3, _) => 20,
            (4, grey) => 90 + 10 * u8::try_from(grey).unwrap(),
            (x, y) if (x + y) % 5 == 0 => 229,
            _ => 230,
        });
        let plain = plain(&text).unwrap();
        assert_eq!(levels(&text), [20, 90, 100, 110, 229, 230]);
        assert_eq!(levels(&plain), [6, 90, 118, 230]);
        assert!(!plain.differs(&text, 20));
    }

    #[test]
    fn photographs_and_faint_shades_stay_as_they_are() {
        let photograph = drawn(|x, y| u8::try_from((x * 37 + y * 91) % 200 + 20).unwrap());
        let faint = drawn(|x, _| if x % 7 == 0 { 150 } else { 180 });
        for picture in [photograph, faint] {
            assert!(!plain(&picture).unwrap().differs(&picture, 0));
        }
    }
}
