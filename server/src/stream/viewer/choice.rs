//! Which rung the viewer goes on with.

use super::super::adapt::Situation;
use super::super::cursor::Place;
use super::super::frame::Which;
use super::super::index::Index;
use super::super::wire::RungReason;
use super::Viewer;
use super::growth::Awaited;

/// Time over which the cost of a rung is looked up.
const OUTLOOK_MS: u64 = 30_000;

impl Viewer {
    /// Whether another rung may begin with this lane's next chunk and was not thought about yet.
    pub(super) fn decides(&mut self, which: Which) -> bool {
        let pictures = self.video.rendition().is_some();
        let lane = self.lane(which);
        let now = Some((lane.place(), self.epoch));
        let due = (which == Which::Video) == pictures && lane.at_cut() && self.decided_at != now;
        if due {
            self.decided_at = now;
        }
        due
    }

    /// Chooses the rung for the next segment; whether it is another.
    pub(super) fn choose(&mut self, now_ms: u64) -> bool {
        let costs = self.costs_bps();
        // Of the present little is sent: what the link carries shows in bursts only.
        let capacity_bps = self.credit.capacity_bps(now_ms);
        let capacity_bps = capacity_bps.filter(|_| self.index.grows());
        let situation = Situation {
            now_ms,
            bandwidth_bps: capacity_bps.or(self.credit.bandwidth_bps()),
            is_capacity: capacity_bps.is_some(),
            buffer_ms: self.stored_ms(),
            costs_bps: &costs,
            at_ease: self.index.grows() && self.credit.is_at_ease(),
        };
        let (rung, reason) = if let Some(pin) = self.pin {
            (pin, RungReason::Pinned)
        } else {
            let affordable = self.affordable();
            match self.adapt.decide(&situation) {
                carried if carried > affordable => (affordable, RungReason::Budget),
                carried => (carried, RungReason::Bandwidth),
            }
        };
        let segment = self.segment();
        if self.begins_later(rung, segment) {
            self.awaited = Some(Awaited {
                rung,
                segment,
                reason,
            });
            return true;
        }
        let rung = self.beginning_at(rung, segment);
        self.turn_to(rung, segment, reason)
    }

    /// Goes on with this rung from a segment on; whether it is another.
    pub(super) fn turn_to(&mut self, rung: usize, segment: usize, reason: RungReason) -> bool {
        self.adapt.put(rung);
        if rung == self.rung {
            return false;
        }
        // What may be on its way was reckoned for the rung before.
        self.ask_for_acks(false);
        let had_pictures = self.video.rendition().is_some();
        self.rung = rung;
        self.rung_from = segment;
        self.video
            .switch(&self.index, self.ladder.rungs()[rung].video);
        if !had_pictures {
            let next = Place { segment, part: 0 };
            match *self.index {
                // What the pause left out is still there for whoever goes back.
                Index::Closed(_) => self.video.jump(&self.index, next),
                Index::Growing(_) => self.video.skip_to(&self.index, next),
            }
        }
        self.say_rung(reason);
        true
    }

    /// The segment from which another rung would begin.
    pub(super) fn segment(&self) -> usize {
        match self.video.rendition() {
            Some(_) => self.video.place().segment,
            None => self.audio.place().segment,
        }
    }

    /// What each rung takes from here on, from the sizes that the index tells.
    pub(super) fn costs_bps(&self) -> Vec<f64> {
        let from = self.segment();
        let cost = |rendition: Option<usize>| {
            rendition.map_or(0.0, |own| self.index.cost_bps(own, from, OUTLOOK_MS))
        };
        self.ladder
            .rungs()
            .iter()
            .map(|rung| cost(rung.audio) + cost(rung.video))
            .collect()
    }

    /// The best rung with which the rest of the timeline fits into the budget; the cheapest if none.
    fn affordable(&self) -> usize {
        let top = self.ladder.rungs().len() - 1;
        let Some(left) = self.budget else { return top };
        let segment = self.segment();
        let rest = |rendition: Option<usize>| {
            rendition.map_or(0, |own| self.index.bytes_from(own, segment))
        };
        (0..=top)
            .rev()
            .find(|rung| {
                let rung = &self.ladder.rungs()[*rung];
                rest(rung.audio).saturating_add(rest(rung.video)) <= left
            })
            .unwrap_or(0)
    }
}
