//! What a run leaves in its output folder until everything is done: by it a later run, or one on
//! another machine, makes only what is missing.

use serde::{Deserialize, Serialize};

use crate::timeline::{ManifestError, Segment, is_plain_path};

/// Folder below the output folder that holds the plan and the records.
pub const WORK_FOLDER: &str = "work";
/// Name of the plan in [`WORK_FOLDER`]. What it says is the transcoder's own matter, but for [`PlanHead`].
pub const PLAN_FILE: &str = "plan.json";

/// What a plan tells others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHead {
    /// Length of the recording as its container says, milliseconds; 0 when it does not, and about it may be
    /// wrong.
    pub announced_ms: u64,
    /// Whether pictures are encoded: there is nothing to share out of sound alone.
    pub has_pictures: bool,
    /// Where every rendition is cut whatever it shows, in order, milliseconds: what lies between two of them is
    /// made without what goes before. Empty when sharing is not worth it.
    pub seams_ms: Vec<u64>,
    /// Whether what others made in time is not even decoded: whoever helps had better begin with what comes next.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves_undecoded: bool,
}

/// A finished segment of one rendition with pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Sum of the plan that was carried out; segments of two plans do not fit together.
    pub plan: u64,
    /// RFC 6381 codec string.
    pub codec: String,
    /// Bytes of the init segment that goes before it.
    pub init_bytes: u64,
    /// Sum of that init segment.
    pub init_sum: u64,
    /// What the segment holds.
    pub segment: Segment,
}

impl Record {
    /// Name of the record in [`WORK_FOLDER`].
    #[must_use]
    pub fn file(rendition: &str, start_ms: u64) -> String {
        format!("{rendition}.{start_ms:08}.json")
    }

    /// Rendition and start of [`Record::file`]; `None` for any other name.
    #[must_use]
    pub fn of_file(name: &str) -> Option<(&str, u64)> {
        let (rendition, number) = name.strip_suffix(".json")?.split_once('.')?;
        let start_ms = number.parse().ok()?;
        let fits = is_name(rendition) && Self::file(rendition, start_ms) == name;
        fits.then_some((rendition, start_ms))
    }

    /// Name of the segment's file, relative to the output folder. It is named after its start, which also who
    /// made nothing before it knows.
    #[must_use]
    pub fn media(rendition: &str, start_ms: u64) -> String {
        format!("{rendition}/{start_ms:08}.m4s")
    }

    /// Rendition and start, milliseconds, if its file is named after them.
    #[must_use]
    pub fn place(&self) -> Option<(&str, u64)> {
        let (rendition, _) = self.segment.file.split_once('/')?;
        let start_ms = self.segment.start_ms;
        let fits = is_name(rendition) && Self::media(rendition, start_ms) == self.segment.file;
        fits.then_some((rendition, start_ms))
    }

    /// Checks what the types cannot say, for the segment of `rendition` that begins at `start_ms`: its file is
    /// where it belongs, its chunks fill it.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self, rendition: &str, start_ms: u64) -> Result<(), ManifestError> {
        if self.place() != Some((rendition, start_ms)) {
            return Err(ManifestError::Rule("a segment is not where it belongs"));
        }
        if self.segment.chunks.is_empty() {
            return Err(ManifestError::Rule("a finished segment has no chunk"));
        }
        self.segment.check(self.segment.start_ms)
    }
}

/// One plain part of a path, without a dot.
fn is_name(rendition: &str) -> bool {
    is_plain_path(rendition) && !rendition.contains(['/', '.'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chunk;

    #[test]
    fn a_record_is_named_after_its_segment_and_nothing_else_is_one() {
        let name = Record::file("v480-av1", 12_000);
        assert_eq!(name, "v480-av1.00012000.json");
        assert_eq!(Record::of_file(&name), Some(("v480-av1", 12_000)));
        for other in [
            "plan.json",
            "v240.12000.json",
            "v240.00012000.part",
            "../v240.00012000.json",
            ".00012000.json",
            "v240.+0012000.json",
        ] {
            assert_eq!(Record::of_file(other), None, "{other}");
        }
    }

    #[test]
    fn a_record_that_leads_elsewhere_is_refused() {
        let record = |file: &str, bytes| Record {
            plan: 1,
            codec: "avc1.64000d".into(),
            init_bytes: 4,
            init_sum: 2,
            segment: Segment {
                start_ms: 8_000,
                duration_ms: 8_000,
                file: file.into(),
                bytes,
                chunks: vec![Chunk {
                    offset: 0,
                    bytes: 5,
                    start_ms: 8_000,
                    duration_ms: 8_000,
                    keyframe: true,
                }],
            },
        };
        assert!(record("v240/00008000.m4s", 5).check("v240", 8_000).is_ok());
        assert!(record("v240/00008000.m4s", 6).check("v240", 8_000).is_err());
        assert!(record("v240/00008000.m4s", 5).check("v240", 9_000).is_err());
        assert!(record("v240/00009000.m4s", 5).check("v240", 9_000).is_err());
        assert!(record("../00008000.m4s", 5).check("..", 8_000).is_err());
    }
}
