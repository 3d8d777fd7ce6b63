//! What a viewer does because more of a recording is prepared: goes on with what is new, and at last with
//! the whole ladder.

use std::sync::Arc;

use super::super::index::Index;
use super::super::ladder::Ladder;
use super::super::wire::ServerMessage;
use super::Viewer;

impl Viewer {
    /// More of it is there. The renditions that were there keep their places.
    pub fn extend(&mut self, index: Arc<Index>) {
        self.index = index;
        let index = self.index.clone();
        self.audio.settle(&index);
        self.video.settle(&index);
    }

    /// All of it is there, and this is the ladder.
    pub fn finish(&mut self, index: Arc<Index>, ladder: Ladder) {
        self.extend(index);
        let watched = self.ladder.rungs()[self.rung].clone();
        let pinned = self.pin.map(|pin| self.ladder.rungs()[pin].id.clone());
        self.ladder = ladder.with(&watched);
        self.rung = self.ladder.find(&watched.id).unwrap_or_default();
        self.pin = pinned.and_then(|id| self.ladder.find(&id));
        self.adapt.put(self.rung);
        self.say_prepared();
    }

    /// Says how far it is prepared; of one that is finished, what there is.
    pub fn say_prepared(&mut self) {
        // Only the newest is worth the bytes.
        self.says
            .retain(|said| !matches!(said, ServerMessage::Prepared { .. }));
        self.says.push_back(match self.index.prepared_ms() {
            Some(prepared_ms) => ServerMessage::Prepared { prepared_ms },
            None => ServerMessage::Finished {
                duration_ms: self.index.duration_ms(),
                renditions: self.ladder.renditions(&self.index),
                rungs: self.ladder.wire_rungs(),
            },
        });
    }
}
