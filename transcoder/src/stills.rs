//! Pictures of the lesson as image files, for its index, for its poster, and for old players.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder, frame};
use millet_manifest::{Content, FileRef, Still};
use serde::{Deserialize, Serialize};

use crate::colours::Colours;
use crate::error::{Error, libav};
use crate::gist;
use crate::picture::{Picture, Thumb};
use crate::raw;

/// Most lines of a poster.
const POSTER_LINES: u32 = 360;
/// Most lines of a picture of the index: of the small signs that it is read by, more lines in coarser steps
/// leave more than fewer lines in finer ones.
const INDEX_LINES: u32 = 720;
/// A picture of which less changed is the one before, thousandths.
const SAME_PERMILLE: u32 = 5;
/// Most pictures; when there are more, every second goes.
const MOST: usize = 48;
/// A poster with something to see is looked for this long, milliseconds.
const POSTER_WITHIN_MS: i64 = 15_000;

/// A picture that was chosen.
pub(crate) struct Chosen {
    /// Memory that it takes.
    pub(crate) bytes: u64,
    /// Makes its image file.
    pub(crate) make: Box<dyn FnOnce() -> Result<(), Error> + Send>,
}

/// How a picture that may be chosen is there.
#[derive(Clone)]
pub(crate) enum Shot {
    /// As it was decoded.
    Decoded(Arc<Picture>),
    /// As the image file that others made of it; `None` where they made none.
    Made(Option<Webp>),
}

/// An image file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Webp {
    pub(crate) width: u32,
    pub(crate) height: u32,
    #[serde(with = "gist::text")]
    pub(crate) data: Vec<u8>,
}

/// Chooses pictures while they go by; whoever has time makes them.
pub(crate) struct Stills {
    folder: PathBuf,
    content: Content,
    colours: Colours,
    least_ms: i64,
    /// Times, milliseconds, and numbers.
    taken: Vec<(u64, usize)>,
    made: Made,
    last: Option<Arc<Thumb>>,
    slide: Option<Slide>,
    number: usize,
    poster: Option<FileRef>,
    poster_is_good: bool,
}

/// What stands on the screen of a lecture, as it looks by now.
struct Slide {
    begun_ms: i64,
    shot: Shot,
    thumb: Arc<Thumb>,
}

/// What begins with a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begins {
    pub(crate) segment: bool,
    pub(crate) slide: bool,
}

/// What was made, by number.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<BTreeMap<usize, Still>>>);

impl Made {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Still>> {
        // An insertion that panicked leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stills {
    /// Pictures go into `stills` below the output folder.
    pub(crate) fn new(output: &Path, content: Content, colours: Colours) -> Result<Self, Error> {
        std::fs::create_dir_all(output.join("stills"))?;
        let least_ms = match content {
            Content::Lecture => 4_000,
            _ => 15_000,
        };
        Ok(Self {
            folder: output.to_owned(),
            content,
            colours,
            least_ms,
            taken: Vec::new(),
            made: Made::default(),
            last: None,
            slide: None,
            number: 0,
            poster: None,
            poster_is_good: false,
        })
    }

    /// A picture that is news.
    pub(crate) fn see(
        &mut self,
        shot: Shot,
        thumb: &Arc<Thumb>,
        at_ms: i64,
        begins: Begins,
    ) -> Result<Option<Chosen>, Error> {
        if let (true, Shot::Decoded(picture)) = (begins.segment, &shot) {
            self.see_poster(picture, thumb, at_ms)?;
        }
        if self.content != Content::Lecture {
            return match begins.segment {
                true => self.take(shot, thumb, at_ms),
                false => Ok(None),
            };
        }
        let chosen = if begins.slide { self.end()? } else { None };
        let begun_ms = self.slide.as_ref().map_or(at_ms, |slide| slide.begun_ms);
        self.slide = Some(Slide {
            begun_ms,
            shot,
            thumb: thumb.clone(),
        });
        Ok(chosen)
    }

    fn see_poster(&mut self, picture: &Picture, thumb: &Thumb, at_ms: i64) -> Result<(), Error> {
        if self.poster_is_good || at_ms > POSTER_WITHIN_MS {
            return Ok(());
        }
        self.poster_is_good = thumb.has_detail();
        if self.poster_is_good || self.poster.is_none() {
            let jpeg = jpeg(picture, self.colours)?;
            std::fs::write(self.folder.join("poster.jpg"), &jpeg)?;
            self.poster = Some(FileRef {
                file: "poster.jpg".into(),
                bytes: jpeg.len() as u64,
            });
        }
        Ok(())
    }

    /// The slide that was there, as it looked in the end: another one begins, or nothing more comes.
    pub(crate) fn end(&mut self) -> Result<Option<Chosen>, Error> {
        match self.slide.take() {
            Some(slide) => self.take(slide.shot, &slide.thumb, slide.begun_ms),
            None => Ok(None),
        }
    }

    fn take(
        &mut self,
        shot: Shot,
        thumb: &Arc<Thumb>,
        at_ms: i64,
    ) -> Result<Option<Chosen>, Error> {
        let at = u64::try_from(at_ms).unwrap_or(0);
        let least = u64::try_from(self.least_ms).unwrap_or(0);
        let early = |last: &(u64, usize)| at < last.0 + least;
        let same = |last: &Arc<Thumb>| thumb.changed_permille(last) < SAME_PERMILLE;
        if self.taken.last().is_some_and(early) || self.last.as_ref().is_some_and(same) {
            return Ok(None);
        }
        self.last = Some(thumb.clone());
        self.taken.push((at, self.number));
        let chosen = self.choose(shot, at)?;
        self.number += 1;
        if self.taken.len() > MOST {
            self.thin_out();
        }
        Ok(Some(chosen))
    }

    /// Makes the picture of the next number.
    fn choose(&self, shot: Shot, at_ms: u64) -> Result<Chosen, Error> {
        let (made, folder, number) = (self.made.clone(), self.folder.clone(), self.number);
        let keep = move |webp: &Webp| {
            let file = format!("stills/{number:04}.webp");
            std::fs::write(folder.join(&file), &webp.data)?;
            let still = Still {
                at_ms,
                file,
                bytes: webp.data.len() as u64,
                width: webp.width,
                height: webp.height,
            };
            made.lock().insert(number, still);
            Ok(())
        };
        match shot {
            Shot::Decoded(picture) => Ok(Chosen::of(picture, self.content, self.colours, keep)),
            Shot::Made(Some(webp)) => Ok(Chosen {
                bytes: webp.data.len() as u64,
                make: Box::new(move || keep(&webp)),
            }),
            Shot::Made(None) => Err(Error::Undecoded),
        }
    }

    fn thin_out(&mut self) {
        self.least_ms *= 2;
        let all = std::mem::take(&mut self.taken);
        self.taken = all.into_iter().step_by(2).collect();
    }

    /// The poster and the pictures, after all were made; files of those that were thinned out go.
    pub(crate) fn finish(self) -> Result<(Option<FileRef>, Vec<Still>), Error> {
        let mut stills = Vec::with_capacity(self.taken.len());
        for (number, still) in std::mem::take(&mut *self.made.lock()) {
            if self.taken.iter().any(|(_, taken)| *taken == number) {
                stills.push(still);
            } else {
                std::fs::remove_file(self.folder.join(&still.file))?;
            }
        }
        Ok((self.poster, stills))
    }
}

impl Chosen {
    /// Makes the image file for the index of this content, and gives it away.
    pub(crate) fn of(
        picture: Arc<Picture>,
        content: Content,
        colours: Colours,
        give: impl FnOnce(&Webp) -> Result<(), Error> + Send + 'static,
    ) -> Self {
        let quality = match content {
            Content::Lecture => "20",
            _ => "45",
        };
        Self {
            bytes: picture.bytes(),
            make: Box::new(move || give(&webp(&picture, quality, colours)?)),
        }
    }
}

/// The picture as JPEG (ITU-T T.81).
pub(crate) fn jpeg(picture: &Picture, colours: Colours) -> Result<Vec<u8>, Error> {
    let frame = scaled(picture, POSTER_LINES, Pixel::YUVJ420P, colours)?;
    let mut options = Dictionary::new();
    options.set("flags", "+qscale");
    options.set("global_quality", "1200");
    alone("mjpeg", &frame, options)
}

/// The picture as lossy WebP (RFC 9649); quality in per cent.
fn webp(picture: &Picture, quality: &str, colours: Colours) -> Result<Webp, Error> {
    let frame = scaled(picture, INDEX_LINES, Pixel::YUV420P, colours)?;
    let mut options = Dictionary::new();
    options.set("preset", "text");
    options.set("quality", quality);
    options.set("compression_level", "6");
    Ok(Webp {
        width: frame.width(),
        height: frame.height(),
        data: alone("libwebp", &frame, options)?,
    })
}

/// The picture with so many lines at most, both sides even, in the colours of both formats: those of BT.601.
fn scaled(
    picture: &Picture,
    most_lines: u32,
    format: Pixel,
    colours: Colours,
) -> Result<frame::Video, Error> {
    let what = libav("scale a still picture");
    let lines = most_lines.min(picture.height);
    let width = (picture.width * lines / picture.height).div_ceil(2) * 2;
    let (width, height) = (width.max(2), lines.div_ceil(2) * 2);
    let mut scaler = scaling::Context::get(
        Pixel::YUV420P,
        picture.width,
        picture.height,
        format,
        width,
        height,
        scaling::Flags::AREA,
    )
    .map_err(&what)?;
    if colours == Colours::Bt709 {
        raw::recolour(&mut scaler).map_err(&what)?;
    }
    let mut scaled = frame::Video::empty();
    scaler.run(&picture.frame()?, &mut scaled).map_err(&what)?;
    scaled.set_pts(Some(0));
    Ok(scaled)
}

/// One frame coded alone.
fn alone(name: &str, frame: &frame::Video, options: Dictionary<'_>) -> Result<Vec<u8>, Error> {
    let what = libav("encode a still picture");
    let found = encoder::find_by_name(name)
        .ok_or_else(|| Error::Fault(format!("this machine's libav has no {name}")))?;
    let mut context = codec::context::Context::new_with_codec(found)
        .encoder()
        .video()
        .map_err(&what)?;
    context.set_width(frame.width());
    context.set_height(frame.height());
    context.set_format(frame.format());
    context.set_time_base(Rational(1, 25));
    let mut encoder = context.open_with(options).map_err(&what)?;
    encoder.send_frame(frame).map_err(&what)?;
    encoder.send_eof().map_err(&what)?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet).map_err(&what)?;
    Ok(packet.data().unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::slides::testing::slide;

    fn seen(shade: u8, words: &[usize]) -> (Arc<Picture>, Arc<Thumb>) {
        let picture = slide(shade, words);
        let thumb = Arc::new(picture.thumb());
        (Arc::new(picture), thumb)
    }

    fn make(chosen: Option<Chosen>) {
        if let Some(chosen) = chosen {
            (chosen.make)().unwrap();
        }
    }

    fn begins(slide: bool) -> Begins {
        let segment = false;
        Begins { segment, slide }
    }

    #[test]
    fn each_slide_is_there_once_from_its_beginning_as_it_looks_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut stills = Stills::new(folder.path(), Content::Lecture, Colours::Bt601).unwrap();
        let slides = [
            (0, seen(40, &[30]), false),
            (9_000, seen(40, &[30, 50]), false),
            (20_000, seen(200, &[30]), true),
            (30_000, seen(90, &[9]), true),
        ];
        for (at_ms, (picture, thumb), slide) in &slides {
            let shot = Shot::Decoded(picture.clone());
            let see = stills.see(shot, thumb, *at_ms, begins(*slide));
            make(see.unwrap());
        }
        make(stills.end().unwrap());
        let times: Vec<u64> = stills.taken.iter().map(|(at_ms, _)| *at_ms).collect();
        assert_eq!(times, [0, 20_000, 30_000]);
        for (number, (_, (expected, _), _)) in slides[1..].iter().enumerate() {
            let file = folder.path().join(format!("stills/{number:04}.webp"));
            let expected = webp(expected, "20", Colours::Bt601).unwrap();
            assert_eq!(std::fs::read(file).unwrap(), expected.data);
        }
    }

    #[test]
    fn a_long_recording_keeps_few_pictures_from_all_of_it_and_no_file_besides() {
        let folder = tempfile::tempdir().unwrap();
        let mut stills = Stills::new(folder.path(), Content::Lecture, Colours::Bt601).unwrap();
        let slides = [40, 200].map(|shade| seen(shade, &[]));
        for (number, (picture, thumb)) in (0..200).zip(slides.iter().cycle()) {
            let chosen = stills
                .see(
                    Shot::Decoded(picture.clone()),
                    thumb,
                    number * 5_000,
                    begins(number > 0),
                )
                .unwrap();
            make(chosen);
        }
        make(stills.end().unwrap());
        let (_, kept) = stills.finish().unwrap();
        assert!(
            (MOST / 2..=MOST).contains(&kept.len()),
            "{} pictures",
            kept.len()
        );
        let times = kept.iter().map(|still| still.at_ms).chain([1_000_000]);
        let times: Vec<u64> = times.collect();
        let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert_eq!(times[0], 0);
        assert!(widest <= Some(50_000), "{times:?}");
        let files = std::fs::read_dir(folder.path().join("stills")).unwrap();
        let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let named = kept.iter().map(|still| &still.file["stills/".len()..]);
        assert_eq!(
            files.collect::<BTreeSet<_>>(),
            named.map(str::to_owned).collect()
        );
    }
}
