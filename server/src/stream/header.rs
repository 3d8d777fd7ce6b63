//! The header of the binary messages of `millet.stream.v1`.

/// Length of the header of a binary message.
pub const HEADER_BYTES: usize = 24;

/// Bits of [`Header::flags`].
pub mod flag {
    /// A decoder may start with this chunk.
    pub const KEYFRAME: u16 = 1;
    /// First chunk of its segment.
    pub const FIRST_OF_SEGMENT: u16 = 1 << 1;
    /// Last chunk of its segment.
    pub const LAST_OF_SEGMENT: u16 = 1 << 2;
    /// Something between the chunk before and this one was left out.
    pub const GAP: u16 = 1 << 3;
    /// Last chunk of the rendition.
    pub const LAST_OF_TIMELINE: u16 = 1 << 4;
    /// Audio lane; otherwise the video lane.
    pub const AUDIO: u16 = 1 << 5;
}

/// What a binary message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Payload {
    /// Initialisation of a rendition (`ftyp`, `moov`).
    Init = 1,
    /// A CMAF chunk (`moof`, `mdat`).
    Chunk = 2,
}

/// Header of a binary message; big-endian on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What follows.
    pub payload: Payload,
    /// Index in `welcome.renditions[].index`.
    pub rendition: u8,
    /// See [`flag`].
    pub flags: u16,
    /// Counts seeks; a chunk of an older epoch is late.
    pub epoch: u32,
    /// Index of the segment, the same in all renditions.
    pub sequence: u32,
    /// Index of the chunk in its segment.
    pub part: u16,
    /// Time of the first sample, milliseconds.
    pub start_ms: u32,
    /// Time covered, milliseconds.
    pub duration_ms: u32,
}

impl Header {
    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = self.payload as u8;
        bytes[1] = self.rendition;
        bytes[2..4].copy_from_slice(&self.flags.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[12..14].copy_from_slice(&self.part.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.start_ms.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.duration_ms.to_be_bytes());
        bytes
    }

    /// Reads a binary message; `None` when it is none of this protocol.
    #[must_use]
    pub fn decode(message: &[u8]) -> Option<Self> {
        let (bytes, _) = message.split_first_chunk::<HEADER_BYTES>()?;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let long = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Some(Self {
            payload: match bytes[0] {
                1 => Payload::Init,
                2 => Payload::Chunk,
                _ => return None,
            },
            rendition: bytes[1],
            flags: word(2),
            epoch: long(4),
            sequence: long(8),
            part: word(12),
            start_ms: long(16),
            duration_ms: long(20),
        })
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_24_bytes_in_the_documented_order() {
        let header = Header {
            payload: Payload::Chunk,
            rendition: 3,
            flags: flag::KEYFRAME | flag::AUDIO,
            epoch: 0x0102_0304,
            sequence: 7,
            part: 9,
            start_ms: 16_000,
            duration_ms: 2_000,
        };
        let bytes = header.encode();
        assert_eq!(
            hex::encode(bytes),
            "020300210102030400000007000900000000".to_owned() + "3e80" + "000007d0"
        );
        assert_eq!(Header::decode(&bytes), Some(header));
        assert_eq!(Header::decode(&bytes[..23]), None);
        assert_eq!(Header::decode(&[9; 24]), None);
    }
}
