//! What of a recording can be watched while the rest is still being made.

use millet_manifest::{Content, Progress as Line, Record, Rendition};

use crate::ladder::{Rung, watchable_early};

/// A shorter recording is ready before anybody would begin to watch it, milliseconds.
pub(super) const SHORTEST_MS: i64 = 60_000;

/// Sound and the first rungs, of which the codec's string is known only once something of them is encoded.
pub(super) struct Watchable {
    duration_ms: u64,
    content: Content,
    renditions: Vec<Rendition>,
}

impl Watchable {
    /// `None` for what is too short, or does not say its length.
    pub(super) fn new(
        announced_ms: i64,
        content: Content,
        sounds: Vec<Rendition>,
        rungs: &[Rung],
    ) -> Option<Self> {
        let early = rungs[..watchable_early(rungs)].iter();
        let mut renditions = sounds;
        renditions.extend(early.map(|rung| rung.rendition(String::new(), 0)));
        let duration_ms = u64::try_from(announced_ms).ok()?;
        (announced_ms >= SHORTEST_MS && !renditions.is_empty()).then_some(Self {
            duration_ms,
            content,
            renditions,
        })
    }

    /// Something of this rung is made.
    pub(super) fn begun(&mut self, rung: &Rung, record: &Record) {
        let own = self.renditions.iter_mut().find(|own| own.id == rung.id);
        if let Some(own) = own {
            *own = rung.rendition(record.codec.clone(), record.init_bytes);
        }
    }

    /// Whether every rendition has its codec and its initialisation.
    pub(super) fn is_known(&self) -> bool {
        self.renditions.iter().all(|own| !own.codec.is_empty())
    }

    /// What is said of it.
    pub(super) fn line(self) -> Line {
        Line::Watchable {
            duration_ms: self.duration_ms,
            content: self.content,
            renditions: self.renditions,
        }
    }
}
