//! What the types of a manifest cannot say: bounds, aligned cuts, names that stay in their folder.

use super::{Segment, TIMELINE_VERSION, Timeline};

/// Limits a reader enforces, so that a damaged or forged manifest cannot cost unbounded memory.
const MAX_RENDITIONS: usize = 32;
const MAX_SEGMENTS: usize = 20_000;
const MAX_CHUNKS_PER_SEGMENT: usize = 256;
const MAX_CAPTIONS: usize = 8;
const MAX_CHAPTERS: usize = 200;
const MAX_FILE_NAME: usize = 128;

/// Why a manifest was refused.
#[derive(Debug)]
pub enum ManifestError {
    /// Not JSON of this shape.
    Json(serde_json::Error),
    /// Of this shape, but it breaks the rule named.
    Rule(&'static str),
}

impl std::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(error) => write!(f, "timeline.json cannot be read: {error}"),
            Self::Rule(rule) => write!(f, "timeline.json breaks a rule: {rule}"),
        }
    }
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Rule(_) => None,
        }
    }
}

impl Timeline {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When the text is not a timeline or breaks one of the rules of [`Timeline::check`].
    pub fn from_json(text: &[u8]) -> Result<Self, ManifestError> {
        let timeline: Self = serde_json::from_slice(text).map_err(ManifestError::Json)?;
        timeline.check()?;
        Ok(timeline)
    }

    /// Checks what the types cannot say: bounds, aligned cuts, chunks that fill their segment,
    /// file names that stay inside the output folder.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ManifestError> {
        let rule = |ok: bool, text: &'static str| {
            if ok {
                Ok(())
            } else {
                Err(ManifestError::Rule(text))
            }
        };
        rule(self.version == TIMELINE_VERSION, "unknown version")?;
        rule(self.duration_ms > 0, "the duration is zero")?;
        rule(
            self.cuts_ms.first() == Some(&0),
            "the first cut is not at zero",
        )?;
        rule(self.cuts_ms.len() <= MAX_SEGMENTS, "too many cuts")?;
        rule(
            self.cuts_ms.windows(2).all(|pair| pair[0] < pair[1]),
            "the cuts do not rise",
        )?;
        rule(
            self.cuts_ms
                .last()
                .is_some_and(|last| *last < self.duration_ms),
            "a cut lies behind the end",
        )?;
        rule(
            !self.renditions.is_empty() && self.renditions.len() <= MAX_RENDITIONS,
            "no rendition, or too many",
        )?;
        for (index, rendition) in self.renditions.iter().enumerate() {
            rule(
                self.renditions[..index]
                    .iter()
                    .all(|other| other.id != rendition.id),
                "two renditions have one id",
            )?;
            rule(is_plain_path(&rendition.id), "a rendition id is unsafe")?;
            rule(is_plain_path(&rendition.init.file), "a file name is unsafe")?;
            rule(
                rendition.segments.len() == self.cuts_ms.len(),
                "a rendition is not cut like the others",
            )?;
            for (segment, cut) in rendition.segments.iter().zip(&self.cuts_ms) {
                segment.check(*cut)?;
            }
        }
        let others = self
            .poster
            .iter()
            .map(|poster| poster.file.as_str())
            .chain(self.stills.iter().map(|still| still.file.as_str()))
            .chain(self.downloads.iter().map(|download| download.file.as_str()))
            .chain(self.captions.iter().map(|caption| caption.file.as_str()))
            .chain([self.hls.as_str()]);
        for file in others {
            rule(is_plain_path(file), "a file name is unsafe")?;
        }
        rule(
            self.captions.len() <= MAX_CAPTIONS && self.chapters.len() <= MAX_CHAPTERS,
            "too many captions or chapters",
        )?;
        rule(
            self.chapters
                .windows(2)
                .all(|pair| pair[0].start_ms < pair[1].start_ms)
                && self
                    .chapters
                    .last()
                    .is_none_or(|last| last.start_ms < self.duration_ms),
            "the chapters do not rise, or lie behind the end",
        )?;
        Ok(())
    }
}

impl Segment {
    pub(crate) fn check(&self, cut_ms: u64) -> Result<(), ManifestError> {
        if self.start_ms != cut_ms {
            return Err(ManifestError::Rule("a segment does not start at its cut"));
        }
        if self.chunks.is_empty() && self.bytes == 0 && self.file.is_empty() {
            return Ok(());
        }
        if !is_plain_path(&self.file) {
            return Err(ManifestError::Rule("a file name is unsafe"));
        }
        if self.chunks.is_empty() || self.chunks.len() > MAX_CHUNKS_PER_SEGMENT {
            return Err(ManifestError::Rule("a segment has no chunk, or too many"));
        }
        let mut end = 0_u64;
        for chunk in &self.chunks {
            if chunk.offset != end || chunk.bytes == 0 {
                return Err(ManifestError::Rule("the chunks do not fill their segment"));
            }
            end = end.saturating_add(chunk.bytes);
        }
        if end != self.bytes {
            return Err(ManifestError::Rule("the chunks do not fill their segment"));
        }
        Ok(())
    }
}

/// A relative path of plain characters that cannot leave its folder.
pub(crate) fn is_plain_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= MAX_FILE_NAME
        && path.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        })
}
