//! Comes to where a part begins without decoding what goes before.

use ffmpeg_next::Packet;

/// So long before it decoding begins at the latest, milliseconds: filters look around, and pictures just behind a
/// keyframe may be predicted from what goes before it.
const BEFORE_MS: i64 = 1_000;
/// Packets that wait take no more than this, bytes; beyond it all are decoded from there on.
const MOST_BYTES: usize = 64 << 20;

/// Keeps what was read since the newest keyframe.
pub(super) struct Approach {
    from_ms: i64,
    waiting: Vec<Packet>,
    bytes: usize,
}

impl Approach {
    /// To pictures from `from_ms` on; `None` when that is the start.
    pub(super) fn to(from_ms: i64) -> Option<Self> {
        (from_ms > 0).then_some(Self {
            from_ms,
            waiting: Vec::new(),
            bytes: 0,
        })
    }

    /// Takes the next packet, which is shown at `at_ms`. As soon as it may be needed, gives it back with all that
    /// must be decoded before it.
    pub(super) fn take(&mut self, packet: Packet, at_ms: Option<i64>) -> Option<Vec<Packet>> {
        let is_far = at_ms.is_some_and(|at_ms| at_ms <= self.from_ms - BEFORE_MS);
        if is_far && packet.is_key() {
            self.waiting.clear();
            self.bytes = 0;
        }
        self.bytes += packet.size();
        self.waiting.push(packet);
        let waits = is_far && self.bytes <= MOST_BYTES;
        (!waits).then(|| self.end())
    }

    /// What waits when nothing more comes.
    pub(super) fn end(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::packet::Flags;

    use super::*;

    fn packet(key: bool, bytes: usize) -> Packet {
        let mut packet = Packet::new(bytes);
        packet.set_flags(if key { Flags::KEY } else { Flags::empty() });
        packet
    }

    /// Takes pictures of 100 ms, each tenth a keyframe, and says what came of the one that is near enough.
    fn approached(from_ms: i64, bytes: usize) -> (i64, usize) {
        let mut approach = Approach::to(from_ms).unwrap();
        for number in 0.. {
            let at_ms = number * 100;
            let packet = packet(number % 10 == 0, bytes);
            if let Some(packets) = approach.take(packet, Some(at_ms)) {
                assert!(packets[0].is_key());
                return (at_ms, packets.len());
            }
        }
        unreachable!()
    }

    #[test]
    fn decoding_begins_at_the_last_keyframe_that_is_a_second_before() {
        assert!(Approach::to(0).is_none());
        assert_eq!(approached(5_000, 100), (4_100, 2));
        assert_eq!(approached(5_900, 100), (5_000, 11));
        assert_eq!(approached(5_950, 100), (5_000, 11));
    }

    #[test]
    fn what_has_no_keyframes_or_no_times_is_decoded_in_good_time() {
        let mut approach = Approach::to(3_600_000).unwrap();
        assert!(approach.take(packet(true, 100), None).is_some());
        let mut approach = Approach::to(3_600_000).unwrap();
        assert!(approach.take(packet(true, 100), Some(0)).is_none());
        let halves = [MOST_BYTES / 2, MOST_BYTES / 2];
        let taken = halves.map(|bytes| approach.take(packet(false, bytes), Some(40)));
        assert!(taken[0].is_none());
        assert_eq!(taken[1].as_ref().map(Vec::len), Some(3));
    }
}
