//! What a client says about a file: `Upload-Metadata` of tus 1.0, names and types.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;

/// Longest `Upload-Metadata` header that is read, in bytes.
const LONGEST: usize = 4096;
/// Longest file name that is kept, in characters.
const LONGEST_NAME: usize = 120;

/// The value of `key` in an `Upload-Metadata` header: pairs `key base64` between commas.
///
/// # Errors
/// [`Error::Malformed`] when the header does not have that form.
pub fn value(header: &str, key: &str) -> Result<Option<String>, Error> {
    let malformed = |what: &str| Error::Malformed(format!("Upload-Metadata: {what}"));
    if header.len() > LONGEST {
        return Err(malformed("too long"));
    }
    for pair in header.split(',') {
        let mut words = pair.split_ascii_whitespace();
        if words.next() != Some(key) {
            continue;
        }
        let bytes = STANDARD
            .decode(words.next().unwrap_or(""))
            .map_err(|_| malformed("not base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
        return Ok(Some(text));
    }
    Ok(None)
}

/// A file name as people may see it: the last part of a path, without control characters.
#[must_use]
pub fn clean_file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let clean: String = last
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_NAME)
        .collect();
    let clean = clean.trim();
    if clean.is_empty() { "video" } else { clean }.to_owned()
}

/// Whether a file of this type may be a video or a sound recording. Phones often do not know the
/// type; then the transcoder looks at the bytes.
#[must_use]
pub fn is_taken(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or("").trim();
    let lower = essence.to_ascii_lowercase();
    media_type.len() <= 100
        && media_type.is_ascii()
        && (lower.starts_with("video/")
            || lower.starts_with("audio/")
            || matches!(
                lower.as_str(),
                "" | "application/octet-stream"
                    | "application/mp4"
                    | "application/ogg"
                    | "application/x-matroska"
                    | "application/mxf"
            ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_key_and_bad_base64_is_refused() {
        let header = "filename d29ybGQ=,empty,lesson_id YWJj";
        assert_eq!(value(header, "filename").unwrap().unwrap(), "world");
        assert_eq!(value(header, "lesson_id").unwrap().unwrap(), "abc");
        assert_eq!(value(header, "empty").unwrap().unwrap(), "");
        assert_eq!(value(header, "other").unwrap(), None);
        assert!(value("filename !!!", "filename").is_err());
        assert!(value(&"a".repeat(5000), "a").is_err());
    }

    #[test]
    fn a_name_keeps_no_path_and_no_control_characters() {
        assert_eq!(clean_file_name("C:\\videos\\第一课.mp4"), "第一课.mp4");
        assert_eq!(clean_file_name("../../etc/passwd\n"), "passwd");
        assert_eq!(clean_file_name(" \u{7} "), "video");
        assert_eq!(clean_file_name(&"长".repeat(500)).chars().count(), 120);
    }

    #[test]
    fn only_types_that_may_be_media_are_taken() {
        for good in [
            "video/mp4",
            "audio/ogg; codecs=opus",
            "",
            "Application/Octet-Stream",
        ] {
            assert!(is_taken(good), "{good}");
        }
        for bad in ["application/pdf", "image/png", "text/html"] {
            assert!(!is_taken(bad), "{bad}");
        }
    }
}
