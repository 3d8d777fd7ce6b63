//! Gathers pictures until a segment is whole.

use std::sync::Arc;

use millet_manifest::Content;

use crate::encode::Shown;
use crate::picture::{Picture, Thumb};
use crate::segments::Whole;

/// A picture that does not change is shown again this often, milliseconds: a player that begins in
/// the middle should not wait for long.
const AGAIN_MS: i64 = 4_000;

/// The segment that was begun.
pub(crate) struct Collector {
    /// Levels by which a block of a picture must differ to be news.
    news: u32,
    begun_ms: i64,
    pictures: Vec<Shown>,
    /// Others made the segment that was begun.
    is_made: bool,
    last: Option<(Arc<Picture>, Arc<Thumb>)>,
}

impl Collector {
    pub(crate) fn new(content: Content) -> Self {
        Self {
            // A stroke of handwriting must be seen; what the camera's coder flickers need not.
            news: match content {
                Content::Lecture => 6,
                _ => 1,
            },
            begun_ms: 0,
            pictures: Vec::new(),
            is_made: false,
            last: None,
        }
    }

    /// Others made the segment that begins now.
    pub(crate) fn leave(&mut self) {
        self.pictures.clear();
        self.is_made = true;
    }

    /// Begins anew, with nothing seen.
    pub(crate) fn forget(&mut self) {
        self.is_made = false;
        self.last = None;
    }

    /// The newest picture that was kept.
    pub(crate) fn last(&self) -> Option<&(Arc<Picture>, Arc<Thumb>)> {
        self.last.as_ref()
    }

    /// Whether the picture says nothing that the last one does not.
    pub(crate) fn repeats(&self, picture: &Arc<Picture>, at_ms: i64) -> bool {
        let recent = self
            .pictures
            .last()
            .is_some_and(|shown| at_ms < shown.at_ms + AGAIN_MS);
        recent
            && self.last.as_ref().is_some_and(|(last, _)| {
                Arc::ptr_eq(last, picture) || !picture.differs(last, self.news)
            })
    }

    /// Takes the next picture; with `cut` it begins a segment, and the one before is given back.
    pub(crate) fn take(
        &mut self,
        picture: Arc<Picture>,
        thumb: Arc<Thumb>,
        at_ms: i64,
        cut: bool,
    ) -> Option<Whole> {
        let whole = cut.then(|| self.end(at_ms)).flatten();
        self.last = Some((picture.clone(), thumb.clone()));
        self.pictures.push(Shown {
            at_ms,
            picture,
            thumb,
        });
        whole
    }

    /// What was begun, ended at `end_ms`; `None` when nothing was.
    pub(crate) fn end(&mut self, end_ms: i64) -> Option<Whole> {
        let start_ms = std::mem::replace(&mut self.begun_ms, end_ms);
        let pictures = std::mem::take(&mut self.pictures);
        let is_made = std::mem::take(&mut self.is_made);
        (is_made || !pictures.is_empty()).then_some(Whole {
            start_ms,
            end_ms,
            pictures,
        })
    }
}
