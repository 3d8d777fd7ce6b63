//! Which pictures of a segment a rung shows.

use std::sync::Arc;

use millet_manifest::Kind;

use crate::encode::Shown;
use crate::error::Error;
use crate::ladder::{Codec, Rung, Tune};
use crate::letters;

/// A stills rung shows a picture again only when this much changed, thousandths.
const STILL_CHANGE_PERMILLE: u32 = 5;

/// What the rung shows of pictures of its size: slides that are coded as AV1 have plain letters.
pub(crate) fn plain(rung: &Rung, mut pictures: Vec<Shown>) -> Result<Vec<Shown>, Error> {
    if (rung.kind, rung.codec, rung.tune) == (Kind::Stills, Codec::Av1, Tune::Screen) {
        for shown in &mut pictures {
            shown.picture = Arc::new(letters::plain(&shown.picture)?);
        }
    }
    Ok(pictures)
}

/// The pictures that the rung has room for: as many as its rate allows, and for stills only what is
/// new, as it looks in the end: a recording's coder makes a slide clearer while it stands. The first is always
/// one of them.
pub(crate) fn paced(rung: &Rung, pictures: &[Shown]) -> Vec<Shown> {
    let rate = i64::from(rung.rate_milli);
    let mut kept: Vec<Shown> = Vec::with_capacity(pictures.len());
    let slot = |shown: &Shown| shown.at_ms * rate / 1_000_000;
    for shown in pictures {
        let Some(last) = kept.last_mut() else {
            kept.push(shown.clone());
            continue;
        };
        let stands = rung.kind == Kind::Stills
            && shown.thumb.changed_permille(&last.thumb) < STILL_CHANGE_PERMILLE;
        if stands {
            last.picture = shown.picture.clone();
        } else if slot(shown) > slot(last) {
            kept.push(shown.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::Pixel;
    use ffmpeg_next::frame::Video;
    use millet_manifest::TitleClass;

    use super::*;
    use crate::colours::Colours;
    use crate::ladder::{Effort, Shape, ladder};
    use crate::picture::Picture;

    fn shown(at_ms: i64, value: u8) -> Shown {
        let mut frame = Video::new(Pixel::YUV420P, 64, 36);
        for plane in 0..3 {
            frame.data_mut(plane).fill(value);
        }
        let picture = Picture::new(frame);
        Shown {
            at_ms,
            thumb: Arc::new(picture.thumb()),
            picture: Arc::new(picture),
        }
    }

    #[test]
    fn a_still_shows_its_slide_as_it_looks_in_the_end() {
        let rungs = ladder(Shape {
            effort: Effort::Thorough,
            class: TitleClass::Lecture,
            colours: Colours::Bt709,
            width: 1280,
            height: 720,
            rate_milli: 30_000,
        });
        // Two slides that get clearer while they stand, and what comes too soon for a still.
        let pictures = [
            (0, 90),
            (200, 92),
            (4_000, 95),
            (6_200, 200),
            (6_400, 30),
            (8_000, 204),
        ];
        let pictures = pictures.map(|(at_ms, value)| shown(at_ms, value));
        let kept = paced(&rungs[0], &pictures);
        let kept: Vec<_> = kept.iter().map(|own| (own.at_ms, &own.picture)).collect();
        let expected = [(0, &pictures[2].picture), (6_200, &pictures[5].picture)];
        assert_eq!(kept.len(), 2);
        for (own, expected) in kept.iter().zip(expected) {
            assert_eq!(own.0, expected.0);
            assert!(Arc::ptr_eq(own.1, expected.1));
        }
    }
}
