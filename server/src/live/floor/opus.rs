//! How long a packet of Opus lasts, from its first bytes (RFC 6716 section 3.1). The server decodes
//! nothing; it must only know how much time somebody says.

/// Longest time that a packet may hold, microseconds (RFC 6716 section 3.2.5).
const LONGEST_US: u32 = 120_000;

/// Time that a packet holds, microseconds; `None` when it is none.
#[must_use]
pub fn duration_us(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let configuration = toc >> 3;
    let frame_us = match configuration {
        0..=11 => [10_000, 20_000, 40_000, 60_000][usize::from(configuration & 3)],
        12..=15 => [10_000, 20_000][usize::from(configuration & 1)],
        _ => [2_500, 5_000, 10_000, 20_000][usize::from(configuration & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    let duration_us = frame_us * frames;
    (1..=LONGEST_US)
        .contains(&duration_us)
        .then_some(duration_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_the_length() {
        // SILK of 60 ms, one frame; CELT of 20 ms, one, two and three frames.
        assert_eq!(duration_us(&[3 << 3]), Some(60_000));
        assert_eq!(duration_us(&[31 << 3]), Some(20_000));
        assert_eq!(duration_us(&[(31 << 3) | 1]), Some(40_000));
        assert_eq!(duration_us(&[(31 << 3) | 3, 3]), Some(60_000));
    }

    #[test]
    fn what_is_no_packet_has_no_length() {
        assert_eq!(duration_us(&[]), None);
        assert_eq!(duration_us(&[(31 << 3) | 3]), None, "no count");
        assert_eq!(duration_us(&[(31 << 3) | 3, 0]), None, "no frame");
        assert_eq!(duration_us(&[(3 << 3) | 3, 63]), None, "too long");
    }
}
