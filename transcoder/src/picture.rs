//! A decoded picture as plain bytes that threads can share: planar 4:2:0, 8 bits, limited range.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;

/// Columns and rows of the small picture that changes are judged by.
const THUMB: (usize, usize) = (64, 36);

/// Side of the squares that tell a repeated picture from a new one, pixels.
const BLOCK: usize = 8;
/// Neighbours that differ by more are an edge, and pixels that differ by no more are noise, levels.
const EDGE: u8 = 48;
const NOISE: u8 = 8;

fn distance(a: &[u8], b: &[u8]) -> u32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| u32::from(a.abs_diff(*b)))
        .sum()
}

/// One picture.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    planes: [Vec<u8>; 3],
}

impl Picture {
    /// Copies a frame of pixel format `yuv420p`.
    pub(crate) fn copy(frame: &Video) -> Self {
        let (width, height) = (frame.width(), frame.height());
        let planes = [0, 1, 2].map(|plane| {
            let (columns, rows) = size(width, height, plane);
            let (stride, data) = (frame.stride(plane), frame.data(plane));
            let mut copy = Vec::with_capacity(columns * rows);
            for row in 0..rows {
                copy.extend_from_slice(&data[row * stride..row * stride + columns]);
            }
            copy
        });
        Self {
            width,
            height,
            planes,
        }
    }

    /// The same as a frame of libav.
    pub(crate) fn frame(&self) -> Video {
        let mut frame = Video::new(Pixel::YUV420P, self.width, self.height);
        for (plane, bytes) in self.planes.iter().enumerate() {
            let (columns, rows) = size(self.width, self.height, plane);
            let stride = frame.stride(plane);
            let data = frame.data_mut(plane);
            for row in 0..rows {
                let line = &bytes[row * columns..(row + 1) * columns];
                data[row * stride..row * stride + columns].copy_from_slice(line);
            }
        }
        frame
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.planes.iter().map(|plane| plane.len() as u64).sum()
    }

    /// Whether a block of 8 × 8 pixels differs by more than `most` levels in the mean: a picture of
    /// which none does is no news.
    pub(crate) fn differs(&self, other: &Self, most: u32) -> bool {
        if (self.width, self.height) != (other.width, other.height) {
            return true;
        }
        let width = self.width as usize;
        let rows = self.planes[0].chunks(width * BLOCK);
        let bound = most * (BLOCK * BLOCK) as u32;
        rows.zip(other.planes[0].chunks(width * BLOCK))
            .any(|(a, b)| {
                // Most of a still picture is the very same.
                a != b
                    && (0..width).step_by(BLOCK).any(|from| {
                        let until = (from + BLOCK).min(width);
                        let lines = a.chunks_exact(width).zip(b.chunks_exact(width));
                        let sum: u32 = lines
                            .map(|(a, b)| distance(&a[from..until], &b[from..until]))
                            .sum();
                        sum > bound
                    })
            })
    }

    /// Share of pixels whose right or lower neighbour is far brighter or darker, thousandths.
    pub(crate) fn edges_permille(&self) -> u32 {
        let width = self.width as usize;
        let luma = &self.planes[0];
        let right = luma.iter().zip(luma.iter().skip(1));
        let below = luma.iter().zip(luma.iter().skip(width));
        let hard = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| {
            pairs.filter(|(a, b)| a.abs_diff(**b) > EDGE).count()
        };
        let count = hard(&mut right.into_iter()) + hard(&mut below.into_iter());
        u32::try_from(count * 500 / luma.len().max(1)).unwrap_or(1000)
    }

    /// Mean difference of pixels that differ only a little, thousandths of a level.
    pub(crate) fn noise_millilevels(&self, other: &Self) -> u32 {
        let pairs = self.planes[0].iter().zip(&other.planes[0]);
        let small = pairs
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .filter(|d| *d <= u64::from(NOISE));
        let (sum, count) = small.fold((0, 0_u64), |(sum, count), d| (sum + d, count + 1));
        u32::try_from(sum * 1000 / count.max(1)).unwrap_or(u32::MAX)
    }

    /// Mean brightness of each cell of a coarse grid.
    pub(crate) fn thumb(&self) -> Thumb {
        let (width, height) = (self.width as usize, self.height as usize);
        let luma = &self.planes[0];
        let mut cells = Vec::with_capacity(THUMB.0 * THUMB.1);
        for row in 0..THUMB.1 {
            let rows = row * height / THUMB.1
                ..((row + 1) * height / THUMB.1).max(row * height / THUMB.1 + 1);
            for column in 0..THUMB.0 {
                let from = column * width / THUMB.0;
                let until = ((column + 1) * width / THUMB.0).max(from + 1);
                let (mut sum, mut count) = (0_u32, 0_u32);
                for y in rows.clone().filter(|y| *y < height) {
                    for value in &luma[y * width + from..y * width + until.min(width)] {
                        sum += u32::from(*value);
                        count += 1;
                    }
                }
                cells.push(u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
            }
        }
        Thumb(cells)
    }
}

fn size(width: u32, height: u32, plane: usize) -> (usize, usize) {
    let (width, height) = (width as usize, height as usize);
    if plane == 0 {
        (width, height)
    } else {
        (width.div_ceil(2), height.div_ceil(2))
    }
}

/// A picture made very small, to see whether something changed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Thumb(Vec<u8>);

impl Thumb {
    /// Share of cells that differ visibly, 0 to 1000.
    pub(crate) fn changed_permille(&self, other: &Self) -> u32 {
        let changed = self
            .0
            .iter()
            .zip(&other.0)
            .filter(|(a, b)| a.abs_diff(**b) > 12)
            .count();
        u32::try_from(changed * 1000 / self.0.len().max(1)).unwrap_or(1000)
    }

    /// Whether there is anything to see: not one even colour, as before a fade-in.
    pub(crate) fn has_detail(&self) -> bool {
        let (least, most) = self.0.iter().fold((u8::MAX, 0), |(least, most), v| {
            (least.min(*v), most.max(*v))
        });
        most.saturating_sub(least) > 40
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32, value: u8) -> Picture {
        let mut frame = Video::new(Pixel::YUV420P, width, height);
        for plane in 0..3 {
            frame.data_mut(plane).fill(value);
        }
        Picture::copy(&frame)
    }

    #[test]
    fn odd_and_tiny_sizes_keep_their_bytes() {
        for (width, height) in [(2, 2), (33, 17), (640, 360)] {
            let picture = grey(width, height, 90);
            assert_eq!(picture.thumb().0.iter().filter(|v| **v != 90).count(), 0);
            let again = Picture::copy(&picture.frame());
            assert!(again.planes == picture.planes);
        }
    }

    #[test]
    fn a_thin_stroke_is_news_and_a_shade_is_not() {
        let plain = grey(64, 48, 90);
        let mut stroke = Picture::copy(&plain.frame());
        for row in 16..24 {
            stroke.planes[0][row * 64 + 30] = 0;
        }
        assert!(stroke.differs(&plain, 6));
        assert!(!grey(64, 48, 94).differs(&plain, 6));
        assert!(grey(64, 48, 97).differs(&plain, 6));
        assert!(grey(62, 48, 90).differs(&plain, 6));
    }

    #[test]
    fn only_visible_changes_count() {
        let (dark, darker, light) = (grey(64, 64, 90), grey(64, 64, 85), grey(64, 64, 200));
        assert_eq!(dark.thumb().changed_permille(&darker.thumb()), 0);
        assert_eq!(dark.thumb().changed_permille(&light.thumb()), 1000);
        assert!(!light.thumb().has_detail());
    }
}
