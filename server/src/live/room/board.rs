//! The board: lines on pages, in the order in which they were begun.
//!
//! A line is kept as it is sent: a point, then differences. A page is sent with neighbours of one colour
//! and width joined, so that a line costs its points and six bytes.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::act::{Refusal, Stroke};
use super::limits::{COLOURS, MOST_COORDINATE, MOST_PAGE_BYTES, MOST_POINTS, WIDTHS};
use crate::id::{ParticipantId, StrokeId};

/// The difference that lifts the pen.
const LIFT: [u8; 2] = [0x80, 0x80];
/// What a message around the lines costs, in bytes.
const MESSAGE_BYTES: usize = 100;
/// What a stroke around its points costs, in bytes.
const STROKE_BYTES: usize = 100;

/// All pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    pages: BTreeMap<u16, Page>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Page {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    id: StrokeId,
    by: ParticipantId,
    colour: u8,
    width: u8,
    points: Points,
}

/// Points as they are on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Points {
    bytes: Vec<u8>,
    first: (u16, u16),
    last: (u16, u16),
}

impl Points {
    /// Reads the points of a message; `None` when they are malformed or leave the page.
    fn read(text: &str) -> Option<Self> {
        let longest = 4 + 2 * (MOST_POINTS - 1);
        if text.len() > longest.div_ceil(3) * 4 {
            return None;
        }
        let bytes = STANDARD.decode(text).ok()?;
        let (head, differences) = bytes.split_first_chunk::<4>()?;
        if bytes.len() > longest || differences.len() % 2 != 0 {
            return None;
        }
        let first = (
            u16::from_be_bytes([head[0], head[1]]),
            u16::from_be_bytes([head[2], head[3]]),
        );
        if first.0 > MOST_COORDINATE || first.1 > MOST_COORDINATE {
            return None;
        }
        let mut last = first;
        for pair in differences.chunks_exact(2) {
            if pair == LIFT {
                return None;
            }
            last = (moved(last.0, pair[0])?, moved(last.1, pair[1])?);
        }
        Some(Self { bytes, first, last })
    }

    /// Goes on with `more`, on a straight way to its first point.
    fn join(&mut self, more: &Self) {
        let mut at = self.last;
        while at != more.first {
            let step = (toward(at.0, more.first.0), toward(at.1, more.first.1));
            at = (
                at.0.saturating_add_signed(i16::from(step.0)),
                at.1.saturating_add_signed(i16::from(step.1)),
            );
            self.bytes
                .extend([step.0.to_be_bytes()[0], step.1.to_be_bytes()[0]]);
        }
        self.bytes.extend(&more.bytes[4..]);
        self.last = more.last;
    }
}

fn moved(from: u16, by: u8) -> Option<u16> {
    let to = from.checked_add_signed(i16::from(i8::from_be_bytes([by])))?;
    (to <= MOST_COORDINATE).then_some(to)
}

/// The longest step from `from` to `to` that one difference can say.
fn toward(from: u16, to: u16) -> i8 {
    let whole = i32::from(to) - i32::from(from);
    i8::try_from(whole.clamp(-127, 127)).unwrap_or(0)
}

impl Page {
    fn draw(&mut self, by: ParticipantId, stroke: &Stroke, points: Points) {
        let known = self
            .lines
            .iter_mut()
            .rev()
            .find(|line| line.id == stroke.id && line.by == by);
        match known {
            Some(line) => line.points.join(&points),
            None => self.lines.push(Line {
                id: stroke.id,
                by,
                colour: stroke.colour,
                width: stroke.width,
                points,
            }),
        }
    }

    /// Neighbours of one colour and width; each line of `apart` alone.
    fn runs<'a>(&'a self, apart: &'a BTreeSet<StrokeId>) -> impl Iterator<Item = &'a [Line]> {
        self.lines.chunk_by(|a, b| {
            let joins = !apart.contains(&a.id) && !apart.contains(&b.id);
            joins && (a.colour, a.width) == (b.colour, b.width)
        })
    }

    /// Bytes of the page as it is sent, at most.
    fn wire_bytes(&self) -> usize {
        let points = |run: &[Line]| -> usize {
            let bytes: usize = run.iter().map(|line| line.points.bytes.len() + 2).sum();
            bytes.div_ceil(3) * 4
        };
        MESSAGE_BYTES
            + self
                .runs(&BTreeSet::new())
                .map(|run| STROKE_BYTES + points(run))
                .sum::<usize>()
    }

    fn strokes(&self, page: u16, apart: &BTreeSet<StrokeId>) -> Vec<Stroke> {
        self.runs(apart)
            .map(|run| {
                let mut points = Vec::new();
                for (at, line) in run.iter().enumerate() {
                    if at > 0 {
                        points.extend(LIFT);
                    }
                    points.extend(&line.points.bytes);
                }
                Stroke {
                    id: run[0].id,
                    page,
                    colour: run[0].colour,
                    width: run[0].width,
                    points: STANDARD.encode(points),
                }
            })
            .collect()
    }
}

impl Board {
    /// Whether this may be drawn. Whose page it is, is not asked here.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for what is no line, [`Refusal::Full`] when the page would be.
    pub fn check(&self, by: ParticipantId, stroke: &Stroke) -> Result<(), Refusal> {
        let points = Points::read(&stroke.points).ok_or(Refusal::Invalid)?;
        if stroke.colour >= COLOURS || !WIDTHS.contains(&stroke.width) {
            return Err(Refusal::Invalid);
        }
        let mut page = self.pages.get(&stroke.page).cloned().unwrap_or_default();
        let known = page.lines.iter().find(|line| line.id == stroke.id);
        if let Some(line) = known
            && (line.by, line.colour, line.width) != (by, stroke.colour, stroke.width)
        {
            return Err(Refusal::Invalid);
        }
        page.draw(by, stroke, points);
        if page.wire_bytes() > MOST_PAGE_BYTES {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Draws what [`Board::check`] found good; anything else changes nothing.
    pub fn draw(&mut self, by: ParticipantId, stroke: &Stroke) {
        if let Some(points) = Points::read(&stroke.points) {
            let page = self.pages.entry(stroke.page).or_default();
            page.draw(by, stroke, points);
        }
    }

    /// The newest line of somebody on a page.
    #[must_use]
    pub fn newest(&self, page: u16, by: ParticipantId) -> Option<StrokeId> {
        let lines = &self.pages.get(&page)?.lines;
        lines.iter().rfind(|line| line.by == by).map(|line| line.id)
    }

    /// Takes a line away.
    pub fn remove(&mut self, page: u16, by: ParticipantId, stroke: StrokeId) {
        if let Some(lines) = self.pages.get_mut(&page).map(|page| &mut page.lines)
            && let Some(at) = lines
                .iter()
                .rposition(|line| line.id == stroke && line.by == by)
        {
            lines.remove(at);
            if lines.is_empty() {
                self.pages.remove(&page);
            }
        }
    }

    /// Wipes a page.
    pub fn wipe(&mut self, page: u16) {
        self.pages.remove(&page);
    }

    /// Wipes every page from `first` on.
    pub fn wipe_from(&mut self, first: u16) {
        self.pages.split_off(&first);
    }

    /// The lines of a page as they are sent.
    #[must_use]
    pub fn strokes(&self, page: u16) -> Vec<Stroke> {
        self.strokes_apart(page, &BTreeSet::new())
    }

    /// The same, without joining the lines of `apart`: they can be taken away.
    #[must_use]
    pub fn strokes_apart(&self, page: u16, apart: &BTreeSet<StrokeId>) -> Vec<Stroke> {
        self.pages
            .get(&page)
            .map(|lines| lines.strokes(page, apart))
            .unwrap_or_default()
    }

    /// Lines on a page.
    #[must_use]
    pub fn lines(&self, page: u16) -> usize {
        self.pages.get(&page).map_or(0, |page| page.lines.len())
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The points of a message.
    pub fn points(first: (u16, u16), differences: &[(i8, i8)]) -> String {
        let mut bytes = Vec::new();
        bytes.extend(first.0.to_be_bytes());
        bytes.extend(first.1.to_be_bytes());
        for (x, y) in differences {
            bytes.extend([x.to_be_bytes()[0], y.to_be_bytes()[0]]);
        }
        STANDARD.encode(bytes)
    }

    /// A line of five points, as handwriting makes them.
    pub fn stroke(page: u16, colour: u8) -> Stroke {
        Stroke {
            id: StrokeId::new(),
            page,
            colour,
            width: 4,
            points: points((100, 200), &[(20, 3), (18, -2), (25, 9), (7, 30)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{points, stroke};
    use super::*;

    #[test]
    fn what_is_no_line_is_refused() {
        let (board, by) = (Board::default(), ParticipantId::new());
        let with = |points: String| Stroke {
            points,
            ..stroke(0, 0)
        };
        let bad = [
            String::new(),
            "####".into(),
            points((4096, 0), &[]),
            points((0, 0), &[(-1, 0)]),
            points((4095, 4095), &[(0, 1)]),
            points((2000, 2000), &[(-128, -128)]),
            points((0, 0), &vec![(1, 1); MOST_POINTS]),
            "A".repeat(1 << 20),
        ];
        for points in bad {
            assert_eq!(board.check(by, &with(points)), Err(Refusal::Invalid));
        }
        let wide = Stroke {
            width: 41,
            ..stroke(0, 0)
        };
        assert_eq!(board.check(by, &wide), Err(Refusal::Invalid));
        assert_eq!(
            board.check(by, &with(points((0, 0), &vec![(1, 1); 511]))),
            Ok(())
        );
    }

    #[test]
    fn a_line_goes_on_where_it_was_and_nobody_goes_on_with_another_s() {
        let (mut board, by) = (Board::default(), ParticipantId::new());
        let first = stroke(3, 1);
        board.draw(by, &first);
        let far = Stroke {
            points: points((4000, 10), &[(5, 5)]),
            ..first.clone()
        };
        assert_eq!(board.check(by, &far), Ok(()));
        board.draw(by, &far);
        assert_eq!(board.lines(3), 1);
        let whole = Points {
            bytes: STANDARD.decode(&board.strokes(3)[0].points).unwrap(),
            first: (0, 0),
            last: (0, 0),
        };
        let mut at = (100_u16, 200_u16);
        for pair in whole.bytes[4..].chunks_exact(2) {
            at = (moved(at.0, pair[0]).unwrap(), moved(at.1, pair[1]).unwrap());
        }
        assert_eq!(at, (4005, 15));
        assert_eq!(
            board.check(ParticipantId::new(), &first),
            Err(Refusal::Invalid)
        );
        let other_colour = Stroke { colour: 2, ..first };
        assert_eq!(board.check(by, &other_colour), Err(Refusal::Invalid));
    }

    #[test]
    fn a_full_page_is_ten_kilobytes_and_holds_some_hundred_lines() {
        let (mut board, by) = (Board::default(), ParticipantId::new());
        let refused = loop {
            let next = stroke(0, 0);
            match board.check(by, &next) {
                Ok(()) => board.draw(by, &next),
                Err(refusal) => break refusal,
            }
        };
        assert_eq!(refused, Refusal::Full);
        let message = super::super::told::RoomMessage::Board {
            sequence: u64::MAX,
            page: 0,
            strokes: board.strokes(0),
        };
        let bytes = serde_json::to_vec(&message).unwrap().len();
        assert!(bytes <= 10_000, "{bytes}");
        assert!(board.lines(0) > 400, "{}", board.lines(0));
        let other = stroke(1, 0);
        assert_eq!(board.check(by, &other), Ok(()), "there is another page");
    }

    #[test]
    fn many_colours_cost_more_and_stay_within_the_page() {
        let (mut board, by) = (Board::default(), ParticipantId::new());
        for colour in (0..COLOURS).cycle() {
            let next = stroke(0, colour);
            if board.check(by, &next).is_err() {
                break;
            }
            board.draw(by, &next);
        }
        let bytes = serde_json::to_vec(&board.strokes(0)).unwrap().len();
        assert!(bytes < 10_000, "{bytes}");
    }
}
