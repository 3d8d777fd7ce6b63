//! What somebody said so far, within its bounds. Pure.

use bytes::Bytes;
use tokio::time::Instant;

use super::opus;
use super::wire::{LONGEST_NOTE_MS, LONGEST_PACKET};
use crate::allowance::Allowance;

/// Time that may be ahead of the clock, milliseconds: a link that stalled sends what waited.
const AHEAD_MS: f64 = 3_000.0;
/// Speech runs as fast as the clock; no two clocks agree.
const MS_EACH_SECOND: f64 = 1_050.0;

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no packet of Opus, or too large.
    Malformed,
    /// More than time has passed.
    TooFast,
    /// The note is as long as it may be.
    TooLong,
}

/// Reads a packet's length, microseconds.
fn measure(packet: &[u8]) -> Result<u32, Refused> {
    if packet.len() > LONGEST_PACKET {
        return Err(Refused::Malformed);
    }
    opus::duration_us(packet).ok_or(Refused::Malformed)
}

/// Speech that is heard while it is said.
#[derive(Debug)]
pub struct Live {
    time: Allowance,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            time: Allowance::new(AHEAD_MS, MS_EACH_SECOND),
        }
    }
}

impl Live {
    /// Whether a packet may be heard.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn take(&mut self, packet: &[u8], now: Instant) -> Result<(), Refused> {
        let lasts_us = measure(packet)?;
        if self.time.take(f64::from(lasts_us) / 1_000.0, now) {
            Ok(())
        } else {
            Err(Refused::TooFast)
        }
    }
}

/// A note that arrives.
#[derive(Debug, Default)]
pub struct Note {
    packets: Vec<(Bytes, u32)>,
    lasts_us: u32,
}

impl Note {
    /// Keeps another packet.
    ///
    /// # Errors
    /// [`Refused`]; what was kept stays.
    pub fn take(&mut self, packet: Bytes) -> Result<(), Refused> {
        let lasts_us = measure(&packet)?;
        if self.lasts_us + lasts_us > LONGEST_NOTE_MS * 1_000 {
            return Err(Refused::TooLong);
        }
        self.lasts_us += lasts_us;
        self.packets.push((packet, lasts_us));
        Ok(())
    }

    /// How long it is, milliseconds.
    #[must_use]
    pub fn lasts_ms(&self) -> u32 {
        self.lasts_us / 1_000
    }

    /// Packets with the time that each lasts, microseconds.
    #[must_use]
    pub fn into_packets(self) -> Vec<(Bytes, u32)> {
        self.packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// SILK of 60 ms.
    const PACKET: &[u8] = &[3 << 3, 1, 2, 3];

    #[test]
    fn nobody_says_more_than_time_passes() {
        let mut live = Live::default();
        let now = Instant::now();
        for _ in 0..50 {
            live.take(PACKET, now).unwrap();
        }
        assert_eq!(live.take(PACKET, now), Err(Refused::TooFast));
        for _ in 0..16 {
            live.take(PACKET, now + Duration::from_secs(1)).unwrap();
        }
    }

    #[test]
    fn a_note_is_a_minute_at_most() {
        let mut note = Note::default();
        for _ in 0..1_000 {
            note.take(Bytes::from_static(PACKET)).unwrap();
        }
        assert_eq!(note.lasts_ms(), 60_000);
        assert_eq!(note.take(Bytes::from_static(PACKET)), Err(Refused::TooLong));
        assert_eq!(note.into_packets().len(), 1_000);
    }

    #[test]
    fn what_is_no_speech_is_refused() {
        let mut note = Note::default();
        assert_eq!(note.take(Bytes::new()), Err(Refused::Malformed));
        let large = vec![3 << 3; LONGEST_PACKET + 1];
        assert_eq!(note.take(large.into()), Err(Refused::Malformed));
    }
}
