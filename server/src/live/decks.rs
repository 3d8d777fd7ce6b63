//! Slides: a PDF or pictures become small pictures of two sizes; `deck_store` keeps them.
//!
//! A PDF is drawn by `pdftoppm` in a process of its own with limits on time, memory and bytes; pictures
//! are decoded within limits. Neither is trusted.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits, Rgba, RgbaImage};
use tokio::process::Command;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::room::limits::MOST_DECK_PAGES;
use crate::courses::cover::Picture;
use crate::error::Error;

/// Largest upload, all files together.
pub const MOST_BYTES: usize = 40 << 20;
/// Longest side of a picture, and what it may cost: at 64 kbit/s a slide takes three seconds.
const LARGE: Size = Size {
    side: 1280,
    bytes: 24_000,
};
/// The same for the lowest rungs.
const SMALL: Size = Size {
    side: 640,
    bytes: 8_000,
};
/// WebP qualities that are tried until a picture is cheap enough; text is still read at the last.
const QUALITIES: [f32; 5] = [75.0, 60.0, 45.0, 30.0, 15.0];
/// Longest side of a picture that is decoded.
const MOST_SIDE: u32 = 10_000;
/// Memory for decoding a picture.
const MOST_DECODED: u64 = 256 << 20;
/// A PDF that takes longer is refused.
const LONGEST_RUN: Duration = Duration::from_secs(120);
/// Limits of the process: processor seconds, memory, bytes of one file.
const PROCESS_LIMITS: [&str; 3] = ["--cpu=90", "--as=2000000000", "--fsize=50000000"];
/// Uploads at a time, whose files are held in memory until they are drawn.
const MOST_UPLOADS: usize = 4;

#[derive(Clone, Copy)]
struct Size {
    side: u32,
    bytes: usize,
}

/// Draws slides, one upload after the other so that classes keep the processor; cheap to clone.
#[derive(Clone, Debug)]
pub struct Decks {
    uploads: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
    folder: Arc<Path>,
}

/// A page in its two sizes, as WebP.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most 1280 pixels.
    pub large: Bytes,
    /// At most 640 pixels.
    pub small: Bytes,
}

impl Page {
    /// Bytes of both.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.large.len() + self.small.len()
    }
}

impl Decks {
    /// What is needed while slides are drawn lies in `folder`, and is removed afterwards.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            uploads: Arc::new(Semaphore::new(MOST_UPLOADS)),
            at_once: Arc::new(Semaphore::new(1)),
            folder: folder.into(),
        }
    }

    /// A place for an upload, which is asked for before its files are read and kept until they are drawn.
    ///
    /// # Errors
    /// [`Error::Busy`] when as many as there may be are uploaded now.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let place = self.uploads.clone().try_acquire_owned();
        place.map_err(|_| Error::Busy)
    }

    /// Draws one PDF, or one page for each picture.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`], or [`Error::Invalid`] for what cannot be drawn or has too many pages.
    pub async fn draw(&self, files: Vec<Bytes>) -> Result<Vec<Page>, Error> {
        let permit = self.at_once.acquire().await;
        let _permit = permit.map_err(|error| Error::Internal(error.to_string()))?;
        let pictures = match files.as_slice() {
            [] => return Err(invalid("file", "required")),
            [pdf] if pdf.starts_with(b"%PDF-") => {
                let own = tempfile::tempdir_in(&self.folder)?;
                pdf_pages(own.path(), pdf).await?
            }
            _ => files,
        };
        if pictures.len() > MOST_DECK_PAGES {
            return Err(invalid("file", "deck-pages"));
        }
        let mut pages = Vec::with_capacity(pictures.len());
        for picture in pictures {
            let page = tokio::task::spawn_blocking(move || page(&picture)).await;
            pages.push(page.map_err(|error| Error::Internal(error.to_string()))??);
        }
        Ok(pages)
    }
}

async fn pdf_pages(folder: &Path, pdf: &Bytes) -> Result<Vec<Bytes>, Error> {
    let input = folder.join("slides.pdf");
    tokio::fs::write(&input, pdf).await?;
    let mut command = Command::new("prlimit");
    command
        .args(PROCESS_LIMITS)
        .args(["--", "pdftoppm", "-png", "-scale-to"])
        .arg(LARGE.side.to_string())
        // One page more than is taken tells that there are more.
        .args(["-f", "1", "-l"])
        .arg((MOST_DECK_PAGES + 1).to_string())
        .arg(&input)
        .arg("page")
        .current_dir(folder)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| Error::Internal(format!("pdftoppm cannot be started: {error}")))?;
    let status = match tokio::time::timeout(LONGEST_RUN, child.wait()).await {
        Ok(status) => status?,
        Err(_) => {
            child.kill().await?;
            return Err(invalid("file", "deck"));
        }
    };
    // 127 and 126 are the shell's words for a program that is missing.
    if matches!(status.code(), Some(126 | 127)) {
        return Err(Error::Internal("pdftoppm is not installed".into()));
    }
    let mut names: Vec<PathBuf> = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "png") {
            names.push(path);
        }
    }
    if !status.success() || names.is_empty() {
        return Err(invalid("file", "deck"));
    }
    if names.len() > MOST_DECK_PAGES {
        return Err(invalid("file", "deck-pages"));
    }
    // The numbers in the names are padded to one length.
    names.sort();
    let mut pages = Vec::with_capacity(names.len());
    for name in names {
        pages.push(tokio::fs::read(&name).await?.into());
    }
    Ok(pages)
}

/// One picture in both sizes.
fn page(bytes: &Bytes) -> Result<Page, Error> {
    Picture::recognise(bytes).ok_or(Error::UnsupportedType)?;
    let picture = decode(bytes).ok_or_else(|| invalid("file", "deck"))?;
    Ok(Page {
        large: encode(&picture, LARGE)?,
        small: encode(&picture, SMALL)?,
    })
}

fn decode(bytes: &Bytes) -> Option<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_SIDE);
    limits.max_image_height = Some(MOST_SIDE);
    limits.max_alloc = Some(MOST_DECODED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let orientation = decoder.orientation().ok()?;
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    picture.apply_orientation(orientation);
    if picture.color().has_alpha() {
        // Paper is white.
        let white = Rgba([255, 255, 255, 255]);
        let mut paper = RgbaImage::from_pixel(picture.width(), picture.height(), white);
        image::imageops::overlay(&mut paper, &picture.to_rgba8(), 0, 0);
        picture = DynamicImage::ImageRgba8(paper);
    }
    Some(picture)
}

/// The picture within a size: first coarser, then smaller.
fn encode(picture: &DynamicImage, size: Size) -> Result<Bytes, Error> {
    let mut last = Vec::new();
    for side in [size.side, size.side * 3 / 4, size.side / 2] {
        let fits = picture.width() <= side && picture.height() <= side;
        let small = if fits {
            picture.to_rgb8()
        } else {
            picture.resize(side, side, FilterType::Triangle).to_rgb8()
        };
        for quality in QUALITIES {
            let encoder = webp::Encoder::from_rgb(&small, small.width(), small.height());
            let encoded = encoder.encode_simple(false, quality);
            let encoded =
                encoded.map_err(|error| Error::Internal(format!("a slide: {error:?}")))?;
            last = encoded.to_vec();
            if last.len() <= size.bytes {
                return Ok(last.into());
            }
        }
    }
    // A picture of noise; what is left of it is small enough to wait for.
    Ok(last.into())
}

fn invalid(field: &'static str, reason: &'static str) -> Error {
    Error::Invalid { field, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32, noise: bool) -> Bytes {
        let mut seed = 1_u32;
        let picture = RgbaImage::from_fn(width, height, |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match noise {
                true => Rgba([
                    (seed >> 24) as u8,
                    (seed >> 16) as u8,
                    (seed >> 8) as u8,
                    255,
                ]),
                false if (x / 200 + y / 200) % 2 == 0 => Rgba([20, 20, 20, 255]),
                false => Rgba([0, 0, 0, 0]),
            }
        });
        let mut bytes = Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner().into()
    }

    #[test]
    fn a_slide_becomes_two_cheap_pictures_on_white_paper() {
        let page = page(&png(2000, 1500, false)).unwrap();
        assert!(page.large.len() <= LARGE.bytes && page.small.len() <= SMALL.bytes);
        let large = image::load_from_memory(&page.large).unwrap().to_rgb8();
        assert!(large.width() <= 1280 && large.width() > large.height());
        let (x, y) = (large.width() * 300 / 2000, large.height() * 20 / 1500);
        assert!(large.get_pixel(x, y).0.iter().all(|c| *c > 200), "white");
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(matches!(
            page(&Bytes::from_static(b"<svg onload=x>")),
            Err(Error::UnsupportedType)
        ));
        let cut = png(300, 300, true).slice(..200);
        assert!(matches!(page(&cut), Err(Error::Invalid { .. })));
        let noise = page(&png(700, 700, true)).unwrap();
        assert!(noise.large.len() < 200_000);
    }

    #[test]
    fn no_more_uploads_are_held_than_there_are_places() {
        let decks = Decks::new(Path::new("."));
        let mut places: Vec<_> = (0..MOST_UPLOADS).map(|_| decks.place().unwrap()).collect();
        assert!(matches!(decks.place(), Err(Error::Busy)));
        places.pop();
        assert!(decks.place().is_ok());
    }

    /// A PDF of empty pages, as short as it can be.
    fn pdf(pages: usize) -> Bytes {
        let kids: Vec<String> = (0..pages).map(|page| format!("{} 0 R", page + 3)).collect();
        let mut text = String::from("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n");
        text.push_str(&format!(
            "2 0 obj<</Type/Pages/Count {pages}/Kids[{}]>>endobj\n",
            kids.join(" ")
        ));
        for page in 0..pages {
            text.push_str(&format!(
                "{} 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 320 180]>>endobj\n",
                page + 3
            ));
        }
        text.push_str("trailer<</Root 1 0 R>>\n%%EOF\n");
        text.into()
    }

    #[tokio::test]
    async fn a_pdf_is_drawn_page_by_page_and_too_many_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let decks = Decks::new(folder.path());
        let pages = decks.draw(vec![pdf(11)]).await.unwrap();
        assert_eq!(pages.len(), 11);
        let first = image::load_from_memory(&pages[0].large).unwrap();
        assert_eq!((first.width(), first.height()), (1280, 720));

        let many = decks.draw(vec![pdf(101)]).await;
        assert!(matches!(
            many,
            Err(Error::Invalid {
                reason: "deck-pages",
                ..
            })
        ));
        let broken = Bytes::from_static(b"%PDF-1.4 nothing");
        let refused = decks.draw(vec![broken]).await;
        assert!(matches!(
            refused,
            Err(Error::Invalid { reason: "deck", .. })
        ));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
