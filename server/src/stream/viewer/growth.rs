//! What a viewer does because a timeline grows: takes what is new, leaves out what is too old, goes on with
//! lesser pictures when the better ones do not come.

use std::sync::Arc;

use super::super::cursor::{self, Place};
use super::super::index::Index;
use super::super::wire::{Follow, RungReason};
use super::{AUDIO_LEAD_MS, Viewer};

/// Pictures further behind the present than this are left out for whoever wants to stay near it.
const LIVE_MOST_BEHIND_MS: u64 = 5_000;
/// This far behind the newest chunk a viewer of the present begins.
pub const LIVE_START_MS: u64 = 1_000;
/// Segments of a growing timeline that one receipt speaks of.
const LIVE_VOUCHED_TOGETHER: usize = 4;

/// See [`Viewer`]: at the present a still is there as soon as it is taken, moving pictures of the same segment
/// half a second later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    pub(super) rung: usize,
    pub(super) segment: usize,
    pub(super) reason: RungReason,
}

impl Viewer {
    /// The timeline is longer now, or ended.
    pub fn grow(&mut self, index: Arc<Index>) {
        self.index = index;
        let index = self.index.clone();
        self.audio.settle(&index);
        self.video.settle(&index);
        if index.grows() {
            self.leave_out();
        }
        self.end_waiting();
        if index.grows() && self.awaited.is_none() {
            self.replace_missing();
        }
    }

    /// Turns to the awaited rung when its segment begins, or goes on without it when the segment does.
    fn end_waiting(&mut self) {
        let Some(Awaited {
            rung,
            segment,
            reason,
        }) = self.awaited
        else {
            return;
        };
        let stands = self.video.place() == Place { segment, part: 0 };
        if stands && self.begins(rung, segment) {
            self.awaited = None;
            // The receipt names the new rung before anything of it is sent.
            self.vouched = None;
            self.turn_to(rung, segment, reason);
        } else if !stands || !self.begins_later(rung, segment) {
            self.awaited = None;
            self.adapt.put(self.rung);
        }
    }

    /// Whether a better rung may still begin at this segment: it has nothing of it yet, and there is no second
    /// chunk of what is sent now.
    pub(super) fn begins_later(&self, rung: usize, segment: usize) -> bool {
        let rungs = self.ladder.rungs();
        let (Some(now), Some(wanted)) = (self.video.rendition(), rungs[rung].video) else {
            return false;
        };
        let none = |own: usize, part: usize| self.index.chunk(own, segment, part).is_none();
        rung > self.rung
            && self.index.grows()
            && !self.index.is_complete(wanted, segment)
            && none(wanted, 0)
            && none(now, 1)
    }

    /// Leaves out what is too old for somebody who wants to stay near the present.
    fn leave_out(&mut self) {
        if self.follow == Follow::All {
            return;
        }
        let index = self.index.clone();
        let edge_ms = index.duration_ms();
        for (lane, most_ms) in [
            (&mut self.audio, LIVE_MOST_BEHIND_MS + AUDIO_LEAD_MS),
            (&mut self.video, LIVE_MOST_BEHIND_MS),
        ] {
            let (Some(own), Some((.., chunk))) = (lane.rendition(), lane.peek(&index)) else {
                continue;
            };
            if edge_ms.saturating_sub(chunk.start_ms) <= most_ms {
                continue;
            }
            let newest = cursor::at(&index, own, edge_ms.saturating_sub(LIVE_START_MS));
            if newest > lane.place() {
                lane.skip_to(&index, newest);
            }
        }
    }

    /// Goes on with lesser pictures when the present ones do not come: a machine that is short of time
    /// leaves out the best first.
    fn replace_missing(&mut self) {
        let place = self.video.place();
        let waits = self.video.rendition().is_some() && self.video.at_cut();
        if !waits || self.video.peek(&self.index).is_some() {
            return;
        }
        let comes = |rung: &usize| {
            self.ladder.rungs()[*rung].video.is_some_and(|own| {
                let first = self.index.chunk(own, place.segment, 0);
                // Its second chunk is there while the first of ours is not: ours is late or left out.
                first.is_some_and(|chunk| chunk.keyframe)
                    && self.index.chunk(own, place.segment, 1).is_some()
            })
        };
        if let Some(lesser) = (0..self.rung).rev().find(comes) {
            self.rung = lesser;
            self.rung_from = place.segment;
            self.adapt.put(lesser);
            self.video
                .switch(&self.index, self.ladder.rungs()[lesser].video);
            self.vouched = None;
            self.say_rung(RungReason::Bandwidth);
        }
    }

    /// What to do about what is missed, from now on.
    pub fn follow(&mut self, follow: Follow) {
        self.follow = follow;
    }

    /// How far what goes out next is behind the newest, milliseconds; 0 for a closed timeline.
    #[must_use]
    pub fn behind_ms(&self) -> u64 {
        if !self.index.grows() {
            return 0;
        }
        let lane = if self.audio.rendition().is_some() {
            &self.audio
        } else {
            &self.video
        };
        let next_ms = lane
            .peek(&self.index)
            .map_or(self.index.duration_ms(), |(.., chunk)| chunk.start_ms);
        (self.index.duration_ms() - next_ms.min(self.index.duration_ms())) + self.stored_ms()
    }

    /// Length of the timeline, so far.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.index.duration_ms()
    }

    /// What is walked over.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// The best rung up to `wanted` whose pictures begin with a keyframe at a segment: in a timeline that
    /// grows a rendition may have been left out there, or have none. The present rung if none does.
    pub(super) fn beginning_at(&self, wanted: usize, segment: usize) -> usize {
        // Without pictures so far there is nothing that they must follow: the lane waits for a keyframe.
        if matches!(*self.index, Index::Closed(_)) || self.video.rendition().is_none() {
            return wanted;
        }
        let begins = |rung: &usize| self.begins(*rung, segment);
        if wanted == self.rung || begins(&wanted) {
            return wanted;
        }
        let between = if wanted > self.rung {
            (self.rung + 1..wanted).rev().find(begins)
        } else {
            (0..wanted).rev().find(begins)
        };
        between.unwrap_or(self.rung)
    }

    /// Whether a decoder can start with a rung's pictures at the beginning of a segment.
    pub(super) fn begins(&self, rung: usize, segment: usize) -> bool {
        match (&*self.index, self.ladder.rungs()[rung].video) {
            (Index::Closed(_), _) | (_, None) => true,
            (Index::Growing(_), Some(own)) => self
                .index
                .chunk(own, segment, 0)
                .is_some_and(|chunk| chunk.keyframe),
        }
    }

    /// Segments that one receipt speaks of: those of a growing timeline are short.
    pub(super) fn vouched_together(&self) -> usize {
        match *self.index {
            Index::Closed(_) => 1,
            Index::Growing(_) => LIVE_VOUCHED_TOGETHER,
        }
    }
}
