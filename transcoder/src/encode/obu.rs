//! AV1 bitstream units (AV1 Bitstream & Decoding Process Specification, section 5.3) as MP4 holds
//! them (AV1 Codec ISO Media File Format Binding).

use crate::error::Error;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;

/// What a player must know before the first picture; 8 bits, 4:2:0, as this encoder is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SequenceHeader {
    unit: Vec<u8>,
    profile: u8,
    level: u8,
    tier: u8,
}

impl SequenceHeader {
    /// Finds it in what an encoder wrote as its first picture.
    pub(super) fn find(temporal_unit: &[u8]) -> Result<Self, Error> {
        let strange = || Error::Fault("the encoder wrote no sequence header".into());
        let unit = Units(temporal_unit)
            .find(|unit| unit.kind == SEQUENCE_HEADER)
            .ok_or_else(strange)?;
        let mut bits = Bits(unit.payload, 0);
        let profile = bits.take(3).ok_or_else(strange)?;
        let _still = bits.take(1);
        let reduced = bits.take(1).ok_or_else(strange)?;
        let (level, tier) = if reduced == 1 {
            (bits.take(5).ok_or_else(strange)?, 0)
        } else {
            // Timing information is never asked for.
            if bits.take(1) != Some(0) {
                return Err(strange());
            }
            let _display_delay = bits.take(1);
            let _operating_points = bits.take(5);
            let _idc = (bits.take(8), bits.take(4));
            let level = bits.take(5).ok_or_else(strange)?;
            let tier = if level > 7 { bits.take(1) } else { Some(0) };
            (level, tier.ok_or_else(strange)?)
        };
        Ok(Self {
            unit: unit.whole.to_vec(),
            profile,
            level,
            tier,
        })
    }

    /// RFC 6381, as the binding's section 5 says it.
    pub(super) fn codec(&self) -> String {
        let tier = if self.tier == 0 { 'M' } else { 'H' };
        format!("av01.{}.{:02}{tier}.08", self.profile, self.level)
    }

    /// `AV1CodecConfigurationRecord`.
    pub(super) fn configuration(&self) -> Vec<u8> {
        let mut record = vec![
            0x81,
            self.profile << 5 | self.level,
            // Both directions of colour are halved.
            self.tier << 7 | 0x0c,
            0,
        ];
        record.extend_from_slice(&self.unit);
        record
    }
}

/// A temporal unit without its delimiter, as the binding wants it. The sequence header stays, although
/// the sample entry has it: some decoders look for it nowhere else.
pub(super) fn without_delimiters(temporal_unit: &[u8]) -> Vec<u8> {
    Units(temporal_unit)
        .filter(|unit| unit.kind != TEMPORAL_DELIMITER)
        .flat_map(|unit| unit.whole.iter().copied())
        .collect()
}

struct Unit<'a> {
    kind: u8,
    whole: &'a [u8],
    payload: &'a [u8],
}

/// Units that say their size, one behind the other; ends at the first that is damaged.
struct Units<'a>(&'a [u8]);

impl<'a> Iterator for Units<'a> {
    type Item = Unit<'a>;

    fn next(&mut self) -> Option<Unit<'a>> {
        let head = *self.0.first()?;
        let mut at = if head & 4 == 0 { 1 } else { 2 };
        let mut size = self.0.len().checked_sub(at)?;
        if head & 2 != 0 {
            size = 0;
            for shift in 0..8 {
                let byte = *self.0.get(at)?;
                at += 1;
                size |= usize::from(byte & 0x7f) << (7 * shift);
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        let end = at.checked_add(size)?;
        let whole = self.0.get(..end)?;
        self.0 = &self.0[end..];
        Some(Unit {
            kind: head >> 3 & 0x0f,
            whole,
            payload: &whole[at..],
        })
    }
}

/// Bits from the highest down.
struct Bits<'a>(&'a [u8], usize);

impl Bits<'_> {
    /// At most eight.
    fn take(&mut self, count: usize) -> Option<u8> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.0.get(self.1 / 8)?;
            value = value << 1 | (byte >> (7 - self.1 % 8) & 1);
            self.1 += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profile 0, level 4 (3.0), behind a delimiter.
    const HEADER: [u8; 8] = [0x12, 0x00, 0x0a, 0x04, 0x00, 0x00, 0x00, 0x20];

    #[test]
    fn a_sequence_header_says_profile_and_level() {
        let header = SequenceHeader::find(&HEADER).unwrap();
        assert_eq!(header.codec(), "av01.0.04M.08");
        let record = header.configuration();
        assert_eq!(record[..4], [0x81, 4, 0x0c, 0]);
        assert_eq!(record[4..], HEADER[2..]);
    }

    #[test]
    fn delimiters_go_and_damage_ends_the_walk() {
        assert_eq!(without_delimiters(&HEADER), HEADER[2..]);
        assert!(without_delimiters(&[0x0a, 0x7f, 1]).is_empty());
        assert!(without_delimiters(&[0x0a, 0xff, 0xff, 0xff]).is_empty());
        assert!(SequenceHeader::find(&[]).is_err());
        assert!(SequenceHeader::find(&[0x0a, 0x01, 0x00]).is_err());
    }
}
