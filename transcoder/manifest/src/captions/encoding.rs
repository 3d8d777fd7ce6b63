//! Which letters the bytes of a file of captions are: editors write UTF-8, UTF-16 or, in China, GB 18030.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use super::CaptionError;

/// The text without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, CaptionError> {
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (encoding, bytes.get(mark..).unwrap_or_default()),
        None => (guess(bytes), bytes),
    };
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or(CaptionError::Encoding)
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let nulls = |parity: usize| {
        let own = bytes.iter().skip(parity).step_by(2);
        own.filter(|byte| **byte == 0).count()
    };
    // Digits and line breaks have a null in UTF-16, and no text has one otherwise.
    match (nulls(0), nulls(1)) {
        (0, 0) if std::str::from_utf8(bytes).is_ok() => UTF_8,
        (0, 0) if is_like_gb18030(bytes) => GB18030,
        (0, 0) => UTF_8,
        (even, odd) if even > odd => UTF_16BE,
        _ => UTF_16LE,
    }
}

/// Almost any bytes are letters of GB 18030; those that people write are of its oldest part, or have four
/// bytes. A letter of Latin-1 or Big5 is mostly followed by one that is neither.
fn is_like_gb18030(bytes: &[u8]) -> bool {
    let (mut usual, mut others) = (0_usize, 0_usize);
    let mut rest = bytes;
    loop {
        rest = match rest {
            [0xa1..=0xf7, 0xa1..=0xfe, rest @ ..] => {
                usual += 1;
                rest
            }
            [
                0x81..=0xfe,
                0x30..=0x39,
                0x81..=0xfe,
                0x30..=0x39,
                rest @ ..,
            ] => {
                usual += 1;
                rest
            }
            [0x80..=0xff, _, rest @ ..] => {
                others += 1;
                rest
            }
            [_, rest @ ..] => rest,
            [] => return usual >= 4 * others,
        };
    }
}
