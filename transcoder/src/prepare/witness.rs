//! Notes what a stretch of a lecture shows, for who holds the job.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use millet_manifest::Content;

use crate::colours::Colours;
use crate::gist::{Gist, MOST_VIEWS, View};
use crate::picture::{Picture, Thumb};
use crate::stills::{Begins, Chosen, Webp};

/// Watches the pictures of a stretch go by.
pub(super) struct Witness {
    colours: Colours,
    stretch: Range<i64>,
    views: Vec<View>,
    last: Option<(i64, Arc<Picture>)>,
    stills: Arc<Mutex<BTreeMap<i64, Webp>>>,
}

impl Witness {
    /// Of the stretch between two of these seams, or from one to the end; `None` of any other.
    pub(super) fn of(stretch: Range<i64>, seams_ms: &[i64], colours: Colours) -> Option<Self> {
        let is_whole = seams_ms
            .iter()
            .position(|seam| *seam == stretch.start)
            .is_some_and(|place| {
                let next = seams_ms.get(place + 1);
                next.copied().unwrap_or(i64::MAX) == stretch.end
            });
        is_whole.then(|| Self {
            colours,
            stretch,
            views: Vec::new(),
            last: None,
            stills: Arc::default(),
        })
    }

    /// A picture that is news. Gives back the one before if a slide ended with it.
    pub(super) fn see(
        &mut self,
        picture: &Arc<Picture>,
        thumb: &Arc<Thumb>,
        at_ms: i64,
        begins: Begins,
    ) -> Option<Chosen> {
        if !self.stretch.contains(&at_ms) || self.views.len() > MOST_VIEWS {
            return None;
        }
        self.views.push(View {
            at_ms,
            cut: begins.segment,
            thumb: thumb.clone(),
        });
        let ended = self.last.replace((at_ms, picture.clone()));
        ended.filter(|_| begins.slide).map(|last| self.keep(last))
    }

    /// The last picture: with it a slide may end, too.
    pub(super) fn end(&mut self) -> Option<Chosen> {
        self.last.take().map(|last| self.keep(last))
    }

    fn keep(&self, (at_ms, picture): (i64, Arc<Picture>)) -> Chosen {
        let stills = self.stills.clone();
        Chosen::of(picture, Content::Lecture, self.colours, move |webp| {
            // An insertion that panicked leaves the map whole.
            let mut stills = stills.lock().unwrap_or_else(PoisonError::into_inner);
            stills.insert(at_ms, webp.clone());
            Ok(())
        })
    }

    /// What it comes to, after all pictures were made and segments until `end_ms`; `None` when there is too much to
    /// tell, or pictures end before the stretch does.
    pub(super) fn finish(self, rungs: Vec<String>, last_ms: i64, end_ms: i64) -> Option<Gist> {
        let Range { start, end } = self.stretch;
        let mut stills = self.stills.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole = end == i64::MAX || end_ms == end;
        let tells = (1..=MOST_VIEWS).contains(&self.views.len());
        (is_whole && tells).then(|| Gist {
            rungs,
            from_ms: start,
            until_ms: (end < i64::MAX).then_some(end),
            last_ms: last_ms.clamp(start, end - 1),
            views: self.views,
            stills: std::mem::take(&mut *stills),
        })
    }
}
