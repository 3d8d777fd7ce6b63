//! A decoded picture that threads can share: planar 4:2:0, 8 bits, limited range.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;

use crate::error::{Error, libav};
use crate::raw;

/// Columns and rows of the small picture that changes are judged by.
const THUMB: (usize, usize) = (64, 36);

/// Cells that differ by more differ visibly, levels.
const VISIBLE: u8 = 12;
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

/// One picture: memory of libav that nobody writes to any more, so that encoders take it as it is.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    frame: Video,
}

impl Picture {
    /// Takes over a frame of pixel format `yuv420p`, as filters and scalers make them.
    pub(crate) fn new(frame: Video) -> Self {
        Self {
            width: frame.width(),
            height: frame.height(),
            frame,
        }
    }

    /// A frame of libav that shares the memory, with no time and nothing else of the frame it came in.
    pub(crate) fn frame(&self) -> Result<Video, Error> {
        raw::shared(&self.frame).map_err(libav("share a picture"))
    }

    /// Lines of brightness, from the top.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> + Clone {
        lines(&self.frame, 0)
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let plane =
            |plane| (self.frame.stride(plane) as u64) * u64::from(self.frame.plane_height(plane));
        (0..3).map(plane).sum()
    }

    /// Whether a block of 8 × 8 pixels differs by more than `most` levels in the mean: a picture of
    /// which none does is no news.
    pub(crate) fn differs(&self, other: &Self, most: u32) -> bool {
        if (self.width, self.height) != (other.width, other.height) {
            return true;
        }
        let width = self.width as usize;
        let bound = most * (BLOCK * BLOCK) as u32;
        let (mut own, mut others) = (self.lines(), other.lines());
        (0..self.height as usize).step_by(BLOCK).any(|_| {
            let (a, b) = (own.clone().take(BLOCK), others.clone().take(BLOCK));
            let _ = (own.nth(BLOCK - 1), others.nth(BLOCK - 1));
            let pairs = a.zip(b);
            // Most of a still picture is the very same.
            !pairs.clone().all(|(a, b)| a == b)
                && (0..width).step_by(BLOCK).any(|from| {
                    let until = (from + BLOCK).min(width);
                    let pairs = pairs.clone();
                    let sum: u32 = pairs
                        .map(|(a, b)| distance(&a[from..until], &b[from..until]))
                        .sum();
                    sum > bound
                })
        })
    }

    /// Share of pixels whose right or lower neighbour is far brighter or darker, thousandths.
    pub(crate) fn edges_permille(&self) -> u32 {
        let hard = |(a, b): &(&u8, &u8)| a.abs_diff(**b) > EDGE;
        let right = self.lines().flat_map(|line| line.iter().zip(&line[1..]));
        let next = self.lines().skip(1);
        let below = self
            .lines()
            .zip(next)
            .flat_map(|(line, next)| line.iter().zip(next));
        let count = right.filter(hard).count() + below.filter(hard).count();
        u32::try_from(count * 500 / self.pixels()).unwrap_or(1000)
    }

    fn pixels(&self) -> usize {
        (self.width as usize * self.height as usize).max(1)
    }

    /// Mean difference of pixels that differ only a little, thousandths of a level.
    pub(crate) fn noise_millilevels(&self, other: &Self) -> u32 {
        let lines = self.lines().zip(other.lines());
        let small = lines
            .flat_map(|(a, b)| a.iter().zip(b))
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .filter(|d| *d <= u64::from(NOISE));
        let (sum, count) = small.fold((0, 0_u64), |(sum, count), d| (sum + d, count + 1));
        u32::try_from(sum * 1000 / count.max(1)).unwrap_or(u32::MAX)
    }

    /// Mean brightness of each cell of a coarse grid.
    pub(crate) fn thumb(&self) -> Thumb {
        let (width, height) = (self.width as usize, self.height as usize);
        let within = |part: usize, parts: usize, whole: usize| {
            let from = part * whole / parts;
            // Of a picture that is smaller than the grid, cells share pixels.
            from..((part + 1) * whole / parts).max(from + 1).min(whole)
        };
        let mut cells = Vec::with_capacity(THUMB.0 * THUMB.1);
        let mut sums = vec![0_u32; width];
        for row in 0..THUMB.1 {
            let rows = within(row, THUMB.1, height);
            sums.fill(0);
            for line in self.lines().skip(rows.start).take(rows.len()) {
                for (sum, value) in sums.iter_mut().zip(line) {
                    *sum += u32::from(*value);
                }
            }
            for column in 0..THUMB.0 {
                let columns = within(column, THUMB.0, width);
                let count = (rows.len() * columns.len()).max(1) as u32;
                let sum: u32 = sums[columns].iter().sum();
                cells.push(u8::try_from(sum / count).unwrap_or(u8::MAX));
            }
        }
        Thumb(cells)
    }
}

/// Lines of one plane of 8 bits, from the top, without what lies behind their end.
fn lines(frame: &Video, plane: usize) -> impl Iterator<Item = &[u8]> + Clone {
    let width = frame.plane_width(plane) as usize;
    frame
        .data(plane)
        .chunks(frame.stride(plane))
        .map(move |line| &line[..width])
}

/// Whether two decoded frames are known to show the very same.
pub(crate) fn are_same(a: &Video, b: &Video) -> bool {
    const PLANAR: [Pixel; 4] = [
        Pixel::YUV420P,
        Pixel::YUVJ420P,
        Pixel::YUV422P,
        Pixel::YUV444P,
    ];
    let form = |frame: &Video| {
        (
            frame.format(),
            frame.width(),
            frame.height(),
            frame.aspect_ratio(),
        )
    };
    let same_plane = |plane| lines(a, plane).eq(lines(b, plane));
    form(a) == form(b)
        && PLANAR.contains(&a.format())
        && [a, b].iter().all(|frame| raw::runs_down(frame))
        && (0..3).all(same_plane)
}

/// Shares of a picture that became visibly brighter and darker, thousandths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    brighter: u32,
    darker: u32,
}

impl Change {
    /// That differs at all.
    pub(crate) fn permille(self) -> u32 {
        self.brighter + self.darker
    }

    /// So much became brighter, and so much darker.
    pub(crate) fn both(self) -> u32 {
        self.brighter.min(self.darker)
    }
}

/// A picture made very small, to see whether something changed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Thumb(Vec<u8>);

impl Thumb {
    /// A byte for each cell.
    pub(crate) fn cells(&self) -> &[u8] {
        &self.0
    }

    /// Of bytes that [`Thumb::cells`] gave; `None` of others.
    pub(crate) fn of_cells(cells: Vec<u8>) -> Option<Self> {
        (cells.len() == THUMB.0 * THUMB.1).then_some(Self(cells))
    }

    /// Share of cells that differ visibly, 0 to 1000.
    pub(crate) fn changed_permille(&self, other: &Self) -> u32 {
        self.change(other).permille()
    }

    /// What differs visibly from an earlier picture.
    pub(crate) fn change(&self, earlier: &Self) -> Change {
        let (mut brighter, mut darker) = (0, 0);
        for (now, before) in self.0.iter().zip(&earlier.0) {
            brighter += u32::from(now.saturating_sub(*before) > VISIBLE);
            darker += u32::from(before.saturating_sub(*now) > VISIBLE);
        }
        let all = u32::try_from(self.0.len().max(1)).unwrap_or(u32::MAX);
        Change {
            brighter: brighter * 1000 / all,
            darker: darker * 1000 / all,
        }
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

    fn frame(width: u32, height: u32, value: u8) -> Video {
        let mut frame = Video::new(Pixel::YUV420P, width, height);
        for plane in 0..3 {
            frame.data_mut(plane).fill(value);
        }
        frame
    }

    fn grey(width: u32, height: u32, value: u8) -> Picture {
        Picture::new(frame(width, height, value))
    }

    #[test]
    fn odd_and_tiny_sizes_keep_their_bytes() {
        for (width, height) in [(2, 2), (33, 17), (640, 360)] {
            let mut marked = frame(width, height, 90);
            // What lies behind a line's end is nobody's.
            let stride = marked.stride(0);
            for line in marked.data_mut(0).chunks_mut(stride) {
                line[width as usize..].fill(7);
            }
            let picture = Picture::new(marked);
            assert_eq!(picture.thumb().0.iter().filter(|v| **v != 90).count(), 0);
            let shared = picture.frame().unwrap();
            assert!(are_same(&shared, &frame(width, height, 90)));
            assert!(!are_same(&shared, &frame(width, height, 91)));
            assert!(!are_same(&shared, &frame(width + 1, height, 90)));
        }
    }

    #[test]
    fn a_shared_frame_outlives_its_picture() {
        let picture = grey(64, 48, 90);
        let shared = picture.frame().unwrap();
        drop(picture);
        assert!(are_same(&shared, &frame(64, 48, 90)));
        assert_eq!(shared.pts(), None);
    }

    #[test]
    fn a_thin_stroke_is_news_and_a_shade_is_not() {
        let plain = grey(64, 48, 90);
        let mut stroke = frame(64, 48, 90);
        let stride = stroke.stride(0);
        for row in 16..24 {
            stroke.data_mut(0)[row * stride + 30] = 0;
        }
        assert!(Picture::new(stroke).differs(&plain, 6));
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
