//! Knows a frame that shows the very same as the one before: of slides, most do.

use ffmpeg_next::frame::Video;

use crate::error::{Error, libav};
use crate::picture::are_same;
use crate::raw;

/// Compares each decoded frame with the one before, so that filters see only what is new.
pub(super) struct Twin {
    last: Option<Video>,
    /// Filters that deinterlace need every frame.
    interlaced: bool,
}

impl Twin {
    pub(super) fn new(interlaced: bool) -> Self {
        Self {
            last: None,
            interlaced,
        }
    }

    /// As at the start.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Whether the frame shows the same as the one before.
    pub(super) fn repeats(&mut self, frame: &Video) -> Result<bool, Error> {
        if self.interlaced {
            return Ok(false);
        }
        let same = self.last.as_ref().is_some_and(|last| are_same(last, frame));
        if !same {
            self.last = Some(raw::shared(frame).map_err(libav("share a picture"))?);
        }
        Ok(same)
    }
}
