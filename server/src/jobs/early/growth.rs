//! What of a recording is there so far, as the transcoder tells it. Nothing of what it says is trusted: a
//! description that breaks a rule of the manifest is none.

use std::collections::{BTreeMap, HashMap};

use millet_manifest::{
    Content, Progress, Rendition, Segment, SourceInfo, TIMELINE_VERSION, Timeline,
};

use crate::timelines::MADE_PLAYLIST;

/// Bounds of what is kept, as those of a manifest.
const MOST_RENDITIONS: usize = 32;
const MOST_SEGMENTS: u64 = 20_000;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    watchable: Option<Watchable>,
    segments: HashMap<String, BTreeMap<u64, Segment>>,
}

#[derive(Clone, Debug)]
struct Watchable {
    duration_ms: u64,
    content: Content,
    renditions: Vec<Rendition>,
}

impl Growth {
    /// Takes a line of the transcoder; whether it said anything new.
    pub fn take(&mut self, line: &Progress) -> bool {
        match line {
            Progress::Watchable {
                duration_ms,
                content,
                renditions,
            } if renditions.len() <= MOST_RENDITIONS => {
                self.watchable = Some(Watchable {
                    duration_ms: *duration_ms,
                    content: *content,
                    renditions: renditions.clone(),
                });
                true
            }
            Progress::Published {
                rendition,
                index,
                segment,
            } if *index < MOST_SEGMENTS => self.add(rendition, *index, segment),
            _ => false,
        }
    }

    fn add(&mut self, rendition: &str, index: u64, segment: &Segment) -> bool {
        let known = self.segments.contains_key(rendition);
        if !known && self.segments.len() >= MOST_RENDITIONS {
            return false;
        }
        let own = self.segments.entry(rendition.to_owned()).or_default();
        own.insert(index, segment.clone());
        true
    }

    /// The description of what can be watched without a gap from the beginning, in all the renditions that
    /// can be; `None` while that is nothing.
    #[must_use]
    pub fn timeline(&self) -> Option<Timeline> {
        let watchable = self.watchable.as_ref()?;
        let own: Vec<&BTreeMap<u64, Segment>> = watchable
            .renditions
            .iter()
            .map(|rendition| self.segments.get(&rendition.id))
            .collect::<Option<_>>()?;
        let first = own.first()?;
        let cuts: Vec<&Segment> = (0..MOST_SEGMENTS)
            .map_while(|index| {
                let cut = first.get(&index)?;
                let at = (cut.start_ms, cut.duration_ms);
                let alike = |segment: &Segment| (segment.start_ms, segment.duration_ms) == at;
                let all = own.iter().all(|own| own.get(&index).is_some_and(alike));
                all.then_some(cut)
            })
            .collect();
        let end_ms = cuts
            .last()
            .map(|last| last.start_ms.saturating_add(last.duration_ms))?;
        let cuts_ms: Vec<u64> = cuts.iter().map(|cut| cut.start_ms).collect();
        let renditions = watchable.renditions.iter().zip(&own);
        let timeline = Timeline {
            version: TIMELINE_VERSION,
            duration_ms: watchable.duration_ms.max(end_ms),
            unfinished: true,
            content: watchable.content,
            renditions: renditions
                .map(|(rendition, own)| so_far(rendition, own, cuts_ms.len(), end_ms))
                .collect(),
            cuts_ms,
            hls: MADE_PLAYLIST.to_owned(),
            poster: None,
            stills: Vec::new(),
            downloads: Vec::new(),
            captions: Vec::new(),
            chapters: Vec::new(),
            source: SourceInfo {
                container: String::new(),
                video_codec: None,
                audio_codec: None,
                width: 0,
                height: 0,
                bytes: 0,
            },
            decision: None,
        };
        timeline.check().is_ok().then_some(timeline)
    }
}

fn so_far(
    rendition: &Rendition,
    own: &BTreeMap<u64, Segment>,
    count: usize,
    end_ms: u64,
) -> Rendition {
    let segments: Vec<Segment> = own.values().take(count).cloned().collect();
    let bytes = segments
        .iter()
        .fold(0_u64, |sum, own| sum.saturating_add(own.bytes));
    let average_bps = bytes.saturating_mul(8_000) / end_ms.max(1);
    Rendition {
        average_bps,
        peak_bps: average_bps,
        segments,
        ..rendition.clone()
    }
}

/// Whether `later` is the same timeline, grown or finished.
#[must_use]
pub fn continues(later: &Timeline, earlier: &Timeline) -> bool {
    let same = |(later, earlier): (&Rendition, &Rendition)| {
        let segments = later.segments.iter().zip(&earlier.segments);
        later.id == earlier.id
            && later.codec == earlier.codec
            && later.init == earlier.init
            && later.segments.len() >= earlier.segments.len()
            && segments
                .into_iter()
                .all(|(later, earlier)| later == earlier)
    };
    later.cuts_ms.starts_with(&earlier.cuts_ms)
        && later.renditions.len() >= earlier.renditions.len()
        && later.renditions.iter().zip(&earlier.renditions).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::lecture;

    /// What the transcoder says of so many segments of the first renditions.
    fn said(whole: &Timeline, counts: &[usize]) -> Vec<Progress> {
        let early = &whole.renditions[..counts.len()];
        let mut lines = Vec::new();
        for (rendition, count) in early.iter().zip(counts) {
            let segments = (0..).zip(&rendition.segments).take(*count);
            lines.extend(segments.map(|(index, segment)| Progress::Published {
                rendition: rendition.id.clone(),
                index,
                segment: segment.clone(),
            }));
        }
        lines.push(Progress::Watchable {
            duration_ms: whole.duration_ms,
            content: whole.content,
            renditions: early
                .iter()
                .map(|own| Rendition {
                    segments: Vec::new(),
                    ..own.clone()
                })
                .collect(),
        });
        lines
    }

    fn grown(lines: &[Progress]) -> Option<Timeline> {
        let mut growth = Growth::default();
        for line in lines {
            growth.take(line);
        }
        growth.timeline()
    }

    #[test]
    fn it_goes_as_far_as_all_renditions_do() {
        let whole = lecture(120_000);
        assert_eq!(grown(&said(&whole, &[3, 3, 0])), None);
        let early = grown(&said(&whole, &[4, 3, 2])).unwrap();
        assert_eq!((early.duration_ms, early.cuts_ms.len()), (120_000, 2));
        assert_eq!(early.prepared_ms(), 32_000);
        assert!(early.unfinished && continues(&whole, &early));
        let later = grown(&said(&whole, &[4, 4, 4])).unwrap();
        assert!(continues(&later, &early) && !continues(&early, &later));

        let mut holey = said(&whole, &[4, 4, 4]);
        holey.remove(1);
        assert_eq!(grown(&holey).unwrap().cuts_ms.len(), 1);
    }

    #[test]
    fn what_breaks_a_rule_is_not_shown() {
        let whole = lecture(120_000);
        let mut lines = said(&whole, &[2, 2, 2]);
        if let Progress::Published { segment, .. } = &mut lines[0] {
            segment.file = "../../etc/passwd".into();
        }
        assert_eq!(grown(&lines), None);
    }

    #[test]
    fn another_encoding_is_not_the_same_timeline() {
        let whole = lecture(120_000);
        let early = grown(&said(&whole, &[2, 2, 2])).unwrap();
        let mut other = whole.clone();
        other.renditions[1].segments[0].bytes += 1;
        assert!(!continues(&other, &early));
        let mut turned = whole;
        turned.renditions.swap(0, 1);
        assert!(!continues(&turned, &early));
    }
}
