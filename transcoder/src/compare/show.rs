//! Decodes a file picture by picture, and says what is on screen at a moment.

use std::collections::VecDeque;
use std::path::Path;

use ffmpeg_next::frame::Video;
use millet_manifest::BadInput;

use super::to_size;
use crate::decode::VideoDecoder;
use crate::error::{Error, bad};
use crate::normalise::Normaliser;
use crate::picture::Picture;
use crate::source::Source;

/// Times of two containers differ by their rounding; a picture that begins this little later is
/// meant to be on screen, milliseconds.
const ROUNDING_MS: i64 = 3;

/// One file's pictures at one size, in order.
pub(super) struct Shower {
    source: Source,
    index: usize,
    decoder: VideoDecoder,
    normaliser: Normaliser,
    ready: VecDeque<(i64, Video)>,
    on_screen: Option<Picture>,
    ended: bool,
}

impl Shower {
    pub(super) fn open(path: &Path, width: u32, height: u32) -> Result<Self, Error> {
        let source = Source::open(path)?;
        let Some(track) = &source.video else {
            return Err(bad(
                BadInput::NoStreams,
                "One of the files holds no pictures.",
            ));
        };
        let (index, turn) = (track.index, track.turn);
        let decoder = VideoDecoder::open(&source.input, track, source.start_ms, None)?;
        Ok(Self {
            source,
            index,
            decoder,
            normaliser: to_size(turn, width, height),
            ready: VecDeque::new(),
            on_screen: None,
            ended: false,
        })
    }

    /// The next picture and its time.
    pub(super) fn next(&mut self) -> Result<Option<(i64, Video)>, Error> {
        while self.ready.is_empty() && !self.ended {
            self.read()?;
        }
        Ok(self.ready.pop_front())
    }

    /// What is on screen at `at_ms`, which never falls from call to call.
    pub(super) fn at(&mut self, at_ms: i64) -> Result<Option<&Picture>, Error> {
        loop {
            while self.ready.is_empty() && !self.ended {
                self.read()?;
            }
            match self.ready.pop_front() {
                Some((begins, picture))
                    if begins <= at_ms + ROUNDING_MS || self.on_screen.is_none() =>
                {
                    self.on_screen = Some(Picture::new(picture));
                }
                Some(later) => {
                    self.ready.push_front(later);
                    return Ok(self.on_screen.as_ref());
                }
                None => return Ok(self.on_screen.as_ref()),
            }
        }
    }

    fn read(&mut self) -> Result<(), Error> {
        let index = self.index;
        let packet = self
            .source
            .input
            .packets()
            .find(|(stream, _)| stream.index() == index)
            .map(|(_, packet)| packet);
        let (normaliser, ready) = (&mut self.normaliser, &mut self.ready);
        let mut keep = |picture: Video| {
            ready.push_back((picture.pts().unwrap_or(0), picture));
            Ok(())
        };
        self.decoder.decode(packet.as_ref(), |mut frame, at_ms| {
            frame.set_pts(Some(at_ms));
            normaliser.pass(frame, &mut keep)
        })?;
        if packet.is_none() {
            self.normaliser.drain(&mut keep)?;
            self.ended = true;
        }
        Ok(())
    }
}
