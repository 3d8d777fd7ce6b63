//! H.264 byte streams (ITU-T H.264, Annex B) as MP4 holds them (ISO/IEC 14496-15).

use crate::error::Error;

const TYPE: u8 = 0x1f;
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;
/// Slices of a picture that is no keyframe, its partitions, and of one that is.
const SLICES: std::ops::RangeInclusive<u8> = 1..=5;

/// What a decoder must know before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParameterSets {
    sequence: Vec<u8>,
    picture: Vec<u8>,
}

impl ParameterSets {
    /// Finds them in the header that an encoder wrote as a byte stream.
    pub(crate) fn find(header: &[u8]) -> Result<Self, Error> {
        let find = |wanted: u8| {
            units(header)
                .find(|unit| unit[0] & TYPE == wanted)
                .map(<[u8]>::to_vec)
        };
        match (find(SEQUENCE_PARAMETERS), find(PICTURE_PARAMETERS)) {
            (Some(sequence), Some(picture)) if sequence.len() >= 4 => {
                Ok(Self { sequence, picture })
            }
            _ => Err(Error::Fault("the encoder wrote no parameter sets".into())),
        }
    }

    /// RFC 6381: profile, constraints, level.
    pub(crate) fn codec(&self) -> String {
        let [profile, constraints, level] = self.profile();
        format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
    }

    fn profile(&self) -> [u8; 3] {
        [self.sequence[1], self.sequence[2], self.sequence[3]]
    }

    /// `AVCDecoderConfigurationRecord` for lengths of four bytes, 4:2:0 and 8 bits.
    pub(crate) fn configuration(&self) -> Vec<u8> {
        let [profile, constraints, level] = self.profile();
        let mut record = vec![1, profile, constraints, level, 0xff];
        for (count, set) in [(0xe1, &self.sequence), (1, &self.picture)] {
            record.push(count);
            // Parameter sets are a few dozen bytes.
            let length = u16::try_from(set.len()).unwrap_or(u16::MAX);
            record.extend_from_slice(&length.to_be_bytes());
            record.extend_from_slice(set);
        }
        if matches!(profile, 100 | 110 | 122 | 144) {
            record.extend_from_slice(&[0xfd, 0xf8, 0xf8, 0]);
        }
        record
    }
}

/// A byte stream's picture as units with their length in front.
pub(crate) fn with_lengths(stream: &[u8]) -> Vec<u8> {
    join(units(stream), stream.len())
}

/// The same without what is not the picture itself: the encoder's signature alone is half a kilobyte
/// in every segment.
pub(crate) fn pictures_with_lengths(stream: &[u8]) -> Vec<u8> {
    join(
        units(stream).filter(|unit| SLICES.contains(&(unit[0] & TYPE))),
        stream.len(),
    )
}

fn join<'a>(units: impl Iterator<Item = &'a [u8]>, about: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(about + 8);
    for unit in units {
        let length = u32::try_from(unit.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(unit);
    }
    out
}

/// The units of a byte stream, none of them empty.
fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        loop {
            let from = rest?;
            let next = after_start_code(from);
            let end = next.map_or(from.len(), |next| from.len() - next.len() - 3);
            rest = next;
            // What stands before a start code of four bytes is a trailing zero.
            let unit = without_trailing_zeros(&from[..end]);
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// What follows the first `00 00 01`.
fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    let at = stream.windows(3).position(|three| three == [0, 0, 1])?;
    Some(&stream[at + 3..])
}

/// A unit never ends with a zero byte (section 7.4.1).
fn without_trailing_zeros(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
    &unit[..unit.len() - zeros]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_of_either_length_part_units() {
        let stream = [
            0, 0, 0, 1, 0x67, 0x64, 0, 0x1e, 9, 0, 0, 1, 0x68, 5, 0, 0, 0, 1, 0x65, 1, 2, 0,
        ];
        assert_eq!(
            with_lengths(&stream),
            [
                0, 0, 0, 5, 0x67, 0x64, 0, 0x1e, 9, 0, 0, 0, 2, 0x68, 5, 0, 0, 0, 3, 0x65, 1, 2
            ]
        );
        let sets = ParameterSets::find(&stream).unwrap();
        assert_eq!(sets.codec(), "avc1.64001e");
        assert_eq!(
            sets.configuration(),
            [
                1, 0x64, 0, 0x1e, 0xff, 0xe1, 0, 5, 0x67, 0x64, 0, 0x1e, 9, 1, 0, 2, 0x68, 5, 0xfd,
                0xf8, 0xf8, 0
            ]
        );
    }

    #[test]
    fn nothing_but_zeros_holds_no_unit() {
        for stream in [&[][..], &[0; 9], &[0, 0, 1], &[0, 0, 1, 0, 0, 1, 0]] {
            assert!(with_lengths(stream).is_empty());
            assert!(ParameterSets::find(stream).is_err());
        }
    }
}
