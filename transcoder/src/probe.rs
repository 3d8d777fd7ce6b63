//! Looks at an input without preparing it.

use std::path::Path;

use millet_manifest::{Content, Probe, SourceInfo};

use crate::content;
use crate::error::Error;
use crate::source::Source;

/// What the input is, as [`crate::prepare()`] would take it.
///
/// # Errors
/// [`Error::Bad`] when it would be refused at its opening; everything else is a fault.
pub fn probe(input: &Path) -> Result<Probe, Error> {
    let source = Source::open(input)?;
    let look = match source.video {
        Some(_) => content::look(input)?,
        None => None,
    };
    Ok(Probe {
        duration_ms: u64::try_from(source.announced_ms)
            .ok()
            .filter(|announced| *announced > 0),
        content: look.map_or(Content::AudioOnly, |look| look.content()),
        source: source.describe(look.map_or((0, 0), |look| (look.width, look.height))),
    })
}

impl Source {
    /// For the teacher's eyes; the size is as displayed.
    pub(crate) fn describe(&self, (width, height): (u32, u32)) -> SourceInfo {
        SourceInfo {
            container: self.container.clone(),
            video_codec: self.video.as_ref().map(|track| track.codec.clone()),
            audio_codec: self.audio.as_ref().map(|track| track.codec.clone()),
            width,
            height,
            bytes: self.bytes,
        }
    }
}
