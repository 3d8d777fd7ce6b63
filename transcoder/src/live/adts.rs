//! ADTS (ISO/IEC 13818-7, section 6.2): AAC that a plain audio element plays from an endless URL.

/// Length of a header without checksum.
const HEAD: usize = 7;

/// One frame of AAC-LC with one channel at 48 kHz behind its header.
pub(crate) fn frame(data: &[u8]) -> Vec<u8> {
    // The field has 13 bits; an AAC frame of one channel has at most 768 bytes.
    let length = u16::try_from(HEAD + data.len()).unwrap_or(0).min(0x1fff);
    let [high, low] = length.to_be_bytes();
    let mut out = vec![
        // Sync word, MPEG-4, no checksum.
        0xff,
        0xf1,
        // Low complexity, the fourth rate of the table, one channel.
        0x40 | 3 << 2,
        0x40 | high >> 3,
        high << 5 | low >> 3,
        // No statement on the buffer's fullness.
        low << 5 | 0x1f,
        0xfc,
    ];
    out.extend_from_slice(data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_holds_the_length() {
        let frame = frame(&[0xaa; 300]);
        assert_eq!(frame[..4], [0xff, 0xf1, 0x4c, 0x40]);
        let length = usize::from(frame[3] & 3) << 11
            | usize::from(frame[4]) << 3
            | usize::from(frame[5] >> 5);
        assert_eq!(length, frame.len());
    }
}
