//! Credit: how many bytes may be unacknowledged, and what the acknowledgements tell of the link.
//!
//! Bandwidth is sampled as BBR does (draft-ietf-ccwg-bbr, "Delivery Rate Samples"): bytes that
//! arrived between the sending of a message and its acknowledgement, over that time. So neither a
//! long round trip nor an idle link is mistaken for a slow one.

use std::collections::VecDeque;

use super::ack_delay::SHORT_MS;
use super::bursts::{Bursts, TOGETHER_MS};
use super::wire::Ack;

/// The window is never smaller, so that one chunk always travels, nor larger, so that a viewer
/// costs a bounded amount of buffers.
pub const LEAST_WINDOW: u64 = 16 * 1024;
/// The same for a timeline that grows: at 64 kbit/s more than this on its way would be half a second
/// of delay for all that follows.
pub const LEAST_LIVE_WINDOW: u64 = 4 * 1024;
/// See [`LEAST_WINDOW`].
pub const MOST_WINDOW: u64 = 256 * 1024;
/// Round trips are forgotten after one to two of these, in milliseconds.
const RTT_MEMORY_MS: u64 = 15_000;
/// Weight of a new sample.
const WEIGHT: f64 = 0.3;
/// Ways that are this much longer than the shortest mean nothing.
const EASE_MS: u64 = 200;
/// What a rung takes in so much more than the delay of acknowledgements may be on its way.
const OVERLAP_MS: u64 = 2_000;
/// Samples shorter than this say more about timers than about the link.
const SHORTEST_SAMPLE_MS: u64 = 5;

#[derive(Clone, Copy, Debug)]
struct Flight {
    /// Sent bytes with this message.
    upto: u64,
    /// Bytes of this message.
    bytes: u64,
    sent_ms: u64,
    /// Timeline that it carries in the leading lane.
    media_ms: u64,
    acked_before: u64,
    acked_before_ms: u64,
    /// How often there had been nothing to send.
    idle_before: u64,
    /// Sent right behind the one before.
    together: bool,
}

/// The account of one connection.
#[derive(Clone, Debug)]
pub struct Credit {
    least_window: u64,
    sent: u64,
    acked: u64,
    acked_ms: u64,
    flights: VecDeque<Flight>,
    media_ms: u64,
    idle: u64,
    bandwidth_bps: Option<f64>,
    /// Of the message that was acknowledged last, without the time that its own bytes take.
    last_way_ms: Option<u64>,
    rtt_ms: Option<u64>,
    rtt_before_ms: Option<u64>,
    rtt_since_ms: u64,
    bursts: Bursts,
}

impl Credit {
    /// Begins with what is known from an earlier connection.
    #[must_use]
    pub fn new(bandwidth_bps: Option<f64>) -> Self {
        Self {
            least_window: LEAST_WINDOW,
            sent: 0,
            acked: 0,
            acked_ms: 0,
            flights: VecDeque::new(),
            media_ms: 0,
            idle: 0,
            bandwidth_bps,
            last_way_ms: None,
            rtt_ms: None,
            rtt_before_ms: None,
            rtt_since_ms: 0,
            bursts: Bursts::default(),
        }
    }

    /// The same for a timeline that grows, where delay counts more than a full pipe.
    #[must_use]
    pub fn live(bandwidth_bps: Option<f64>) -> Self {
        Self {
            least_window: LEAST_LIVE_WINDOW,
            ..Self::new(bandwidth_bps)
        }
    }

    /// Most unacknowledged bytes: bandwidth × (twice the round trip and the delay of acknowledgements), within
    /// bounds.
    #[must_use]
    pub fn window(&self) -> u64 {
        let time_ms = 2 * self.least_rtt_ms().unwrap_or(0) + SHORT_MS;
        let product = self.bandwidth_bps.unwrap_or(0.0) / 8.0 * time_ms as f64 / 1000.0;
        (product as u64).clamp(self.least_window, MOST_WINDOW)
    }

    /// Acknowledgements of a timeline that grows may be kept back so long, while a rung of `rung_bps` is sent.
    pub fn allow_delay(&mut self, most_ms: u64, rung_bps: f64) {
        let longer_ms = most_ms.saturating_sub(SHORT_MS);
        let more = match longer_ms {
            0 => 0.0,
            _ => rung_bps / 8.0 * (longer_ms + OVERLAP_MS) as f64 / 1000.0,
        };
        self.least_window = (LEAST_LIVE_WINDOW + more as u64).min(MOST_WINDOW);
    }

    /// Whether another message may be begun. One message may overlap the window's end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sent - self.acked < self.window()
    }

    /// There is nothing to send: what is on its way does not fill the link.
    pub fn idle(&mut self) {
        self.idle += 1;
    }

    /// A message goes out.
    pub fn sent(&mut self, bytes: u64, media_ms: u64, now_ms: u64) {
        if self.flights.is_empty() {
            self.acked_ms = now_ms;
        }
        let before = self.flights.back();
        let together =
            before.is_some_and(|before| now_ms.saturating_sub(before.sent_ms) <= TOGETHER_MS);
        self.sent += bytes;
        self.media_ms += media_ms;
        self.flights.push_back(Flight {
            upto: self.sent,
            bytes,
            sent_ms: now_ms,
            media_ms,
            acked_before: self.acked,
            acked_before_ms: self.acked_ms,
            idle_before: self.idle,
            together,
        });
    }

    /// A message that was counted does not go out after all; only the newest can be taken back.
    pub fn unsent(&mut self) {
        if let Some(flight) = self.flights.pop_back() {
            self.sent = self.flights.back().map_or(self.acked, |last| last.upto);
            self.media_ms -= flight.media_ms;
        }
    }

    /// The client has some of all that was sent. `relaxed`: it does not need more soon, so that
    /// a low rate is its choice.
    pub fn acked(&mut self, ack: &Ack, now_ms: u64, relaxed: bool) {
        // A client cannot have more than was sent, nor lose what it had.
        let bytes = ack.bytes.clamp(self.acked, self.sent);
        let mut newest = None;
        while let Some(flight) = self.flights.front().copied() {
            if flight.upto > bytes {
                break;
            }
            self.media_ms -= flight.media_ms;
            newest = Some(flight);
            self.flights.pop_front();
        }
        self.acked = bytes;
        let Some(flight) = newest else { return };
        // What the client tells of the newest message is about this one.
        let told = flight.upto == bytes;
        if let Some(gap_ms) = ack.gap_ms.filter(|_| flight.together && told) {
            self.bursts.arrived(flight.bytes, gap_ms, now_ms);
        }
        // As if the word of it had come at once.
        let delay_ms = ack.delay_ms.filter(|_| told).unwrap_or(0);
        let arrived_ms = now_ms.saturating_sub(delay_ms).max(flight.sent_ms);
        self.acked_ms = arrived_ms.max(self.acked_ms);
        let rtt_ms = arrived_ms.saturating_sub(flight.sent_ms);
        self.round_trip(rtt_ms, now_ms);
        let own_ms = self
            .bandwidth_bps
            .map_or(0.0, |bps| flight.bytes as f64 * 8000.0 / bps.max(1.0));
        self.last_way_ms = Some(rtt_ms.saturating_sub(own_ms as u64));
        let took_ms = arrived_ms.saturating_sub(flight.acked_before_ms);
        let sample =
            (bytes - flight.acked_before) as f64 * 8000.0 / took_ms.max(SHORTEST_SAMPLE_MS) as f64;
        let limited = relaxed || self.idle != flight.idle_before;
        self.bandwidth_bps = match self.bandwidth_bps {
            // A link that was not filled can be faster than the sample, never slower.
            None if limited => None,
            Some(before) if limited && sample < before => Some(before),
            None => Some(sample),
            Some(before) => Some(before + WEIGHT * (sample - before)),
        };
    }

    /// Whether what was sent last arrived about as quickly as anything does on this link: nothing
    /// queues up in front of it.
    #[must_use]
    pub fn is_at_ease(&self) -> bool {
        match (self.last_way_ms, self.least_rtt_ms()) {
            (Some(last), Some(least)) => last <= least + least / 2 + EASE_MS,
            _ => false,
        }
    }

    fn round_trip(&mut self, rtt_ms: u64, now_ms: u64) {
        if now_ms.saturating_sub(self.rtt_since_ms) > RTT_MEMORY_MS {
            self.rtt_before_ms = self.rtt_ms.take();
            self.rtt_since_ms = now_ms;
        }
        self.rtt_ms = Some(self.rtt_ms.map_or(rtt_ms, |least| least.min(rtt_ms)));
    }

    /// Shortest time from sending to acknowledgement of late.
    #[must_use]
    pub fn least_rtt_ms(&self) -> Option<u64> {
        match (self.rtt_ms, self.rtt_before_ms) {
            (Some(now), Some(before)) => Some(now.min(before)),
            (now, before) => now.or(before),
        }
    }

    /// What the link carries, whether it was filled or not, in bits per second.
    #[must_use]
    pub fn capacity_bps(&self, now_ms: u64) -> Option<f64> {
        self.bursts.capacity_bps(now_ms)
    }

    /// Measured, in bits per second.
    #[must_use]
    pub fn bandwidth_bps(&self) -> Option<f64> {
        self.bandwidth_bps
    }

    /// Time of the leading lane that is on the way.
    #[must_use]
    pub fn media_ms(&self) -> u64 {
        self.media_ms
    }

    /// Bytes on the way.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.sent - self.acked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ack(bytes: u64) -> Ack {
        Ack {
            bytes,
            ..Ack::default()
        }
    }

    #[test]
    fn a_word_that_was_kept_back_does_not_make_the_link_longer() {
        let mut credit = Credit::live(None);
        credit.sent(4_000, 500, 0);
        let late = Ack {
            delay_ms: Some(1_000),
            ..ack(4_000)
        };
        credit.acked(&late, 1_080, false);
        assert_eq!(credit.least_rtt_ms(), Some(80));
        assert_eq!(credit.bandwidth_bps(), Some(400_000.0));
        assert!(credit.is_at_ease());
    }

    #[test]
    fn what_is_sent_until_a_late_word_comes_fits_into_the_window() {
        let mut credit = Credit::live(None);
        credit.allow_delay(1_000, 64_000.0);
        for now_ms in [0, 500, 1_000] {
            assert!(credit.is_open());
            credit.sent(4_000, 500, now_ms);
        }
        credit.allow_delay(SHORT_MS, 64_000.0);
        assert_eq!(credit.window(), LEAST_LIVE_WINDOW);
        assert!(!credit.is_open());
    }

    /// A link that carries `bps` with a round trip of `rtt_ms`; returns the account after 60 s.
    fn over(bps: u64, rtt_ms: u64, chunk: u64) -> Credit {
        let mut credit = Credit::new(None);
        let mut arriving: VecDeque<(u64, u64)> = VecDeque::new();
        let (mut free_ms, mut sent, mut arrived) = (0.0_f64, 0, 0);
        for now_ms in 0..60_000_u64 {
            while let Some((at_ms, upto)) = arriving.front().copied() {
                if at_ms > now_ms {
                    break;
                }
                arrived = upto;
                arriving.pop_front();
                credit.acked(&ack(arrived), now_ms, false);
            }
            while credit.is_open() {
                credit.sent(chunk, 0, now_ms);
                sent += chunk;
                free_ms = free_ms.max(now_ms as f64) + chunk as f64 * 8000.0 / bps as f64;
                arriving.push_back((free_ms as u64 + rtt_ms, sent));
            }
            assert!(credit.in_flight() < MOST_WINDOW + chunk);
        }
        assert!(arrived > 0);
        credit
    }

    #[test]
    fn slow_and_far_links_are_measured_right() {
        for (bps, rtt_ms) in [
            (32_000, 600),
            (64_000, 600),
            (300_000, 300),
            (2_000_000, 80),
        ] {
            let measured = over(bps, rtt_ms, 3_000).bandwidth_bps().unwrap();
            let ratio = measured / bps as f64;
            assert!(
                (0.85..1.15).contains(&ratio),
                "{bps} at {rtt_ms} ms: {measured}"
            );
        }
    }

    #[test]
    fn the_window_follows_bandwidth_and_round_trip_within_bounds() {
        assert_eq!(Credit::new(None).window(), LEAST_WINDOW);
        let window = over(1_000_000, 600, 3_000).window();
        assert!((100_000..=MOST_WINDOW).contains(&window), "{window}");
        assert_eq!(over(100_000_000, 600, 3_000).window(), MOST_WINDOW);
    }

    #[test]
    fn an_idle_link_is_not_taken_for_a_slow_one() {
        let mut credit = over(300_000, 300, 3_000);
        let (sent, before) = (credit.sent, credit.bandwidth_bps().unwrap());
        credit.acked(&ack(sent), 61_000, false);
        credit.sent(500, 0, 90_000);
        credit.idle();
        credit.acked(&ack(sent + 500), 90_400, false);
        assert!(credit.bandwidth_bps().unwrap() >= before * 0.99);
    }

    #[test]
    fn messages_sent_together_tell_what_the_link_carries_though_it_rests_most_of_the_time() {
        let mut credit = Credit::live(None);
        for tick in 0..10_u64 {
            let now_ms = tick * 500;
            credit.sent(1_000, 500, now_ms);
            credit.sent(4_000, 0, now_ms + 5);
            let upto = (tick + 1) * 5_000;
            // 160 kbit/s: 200 ms for the second.
            let ack = Ack {
                gap_ms: Some(200),
                ..ack(upto)
            };
            credit.acked(&ack, now_ms + 400, false);
        }
        assert_eq!(credit.capacity_bps(5_000), Some(160_000.0));
        // Alone on the link it says nothing.
        let mut alone = Credit::live(None);
        alone.sent(4_000, 500, 0);
        let ack = Ack {
            gap_ms: Some(200),
            ..ack(4_000)
        };
        alone.acked(&ack, 400, false);
        assert_eq!(alone.capacity_bps(400), None);
    }

    proptest! {
        #[test]
        fn no_acknowledgement_opens_more_than_was_sent(acks in prop::collection::vec(any::<u64>(), 1..50)) {
            let mut credit = Credit::new(None);
            for (at, ack) in acks.iter().enumerate() {
                while credit.is_open() {
                    credit.sent(4_000, 2_000, at as u64);
                }
                prop_assert!(credit.in_flight() <= MOST_WINDOW + 4_000);
                let ack = Ack {
                    bytes: *ack,
                    buffer_ms: *ack,
                    gap_ms: Some(*ack),
                    delay_ms: Some(*ack),
                };
                credit.acked(&ack, at as u64 + 10, false);
                prop_assert!(credit.acked <= credit.sent);
            }
        }
    }
}
