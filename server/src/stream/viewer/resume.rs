//! Where a viewer's lanes begin: at a position, or behind what the client holds from before a cut.

use super::super::cursor::{self, Lane, Place};
use super::super::index::Index;
use super::super::wire::Resume;
use super::Viewer;

impl Viewer {
    /// Sets both lanes.
    pub(super) fn begin(
        &mut self,
        position_ms: u64,
        resume: Option<Resume>,
        last: Option<(usize, usize)>,
    ) {
        let held = |sequence: Option<u32>, part: Option<u16>| {
            Some(Place {
                segment: usize::try_from(sequence?).ok()?,
                part: usize::from(part?),
            })
        };
        let rung = self.ladder.rungs()[self.rung].clone();
        if let Some(audio) = rung.audio {
            let held = resume.and_then(|r| held(r.audio_sequence, r.audio_part));
            // The audio lane has one rendition, so the chunk that is held is one of it.
            self.audio = match held {
                None => Lane::new(
                    &self.index,
                    Some(audio),
                    cursor::at(&self.index, audio, position_ms),
                ),
                Some(held) => Lane::behind(&self.index, audio, audio, held),
            };
        }
        let Some(video) = rung.video else { return };
        let held = resume.and_then(|r| held(r.video_sequence, r.video_part));
        self.video = match (held, last) {
            (None, _) => Lane::new(
                &self.index,
                Some(video),
                cursor::at(&self.index, video, position_ms),
            ),
            // All of the rung before was received before the receipt that names this one.
            (Some(held), Some((_, from))) if held.segment < from => {
                self.rung_from = from;
                let next = Place {
                    segment: from,
                    part: 0,
                };
                let mut lane = Lane::new(&self.index, Some(video), next);
                if matches!(*self.index, Index::Growing(_)) {
                    // What lies between may have been left out.
                    lane.skip_to(&self.index, next);
                }
                lane
            }
            (Some(held), Some((last, from))) => {
                let own = self.ladder.rungs()[last].video.unwrap_or(video);
                self.rung_from = from;
                let next = cursor::after(&self.index, own, held);
                let begins = next.part == 0 && self.begins(self.rung, next.segment);
                if own == video || begins {
                    Lane::behind(&self.index, video, own, held)
                } else {
                    // In the middle of a group of pictures only its own rendition can follow.
                    self.rung = last;
                    self.adapt.put(last);
                    Lane::behind(&self.index, own, own, held)
                }
            }
            // Unknown of which rendition: its group of pictures once more.
            (Some(held), None) => {
                let start_ms = self
                    .index
                    .segment(video, held.segment)
                    .map_or(position_ms, |segment| segment.start_ms);
                Lane::new(
                    &self.index,
                    Some(video),
                    cursor::at(&self.index, video, start_ms),
                )
            }
        };
    }
}
