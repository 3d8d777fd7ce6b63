//! What of a timeline one client can watch: renditions it can decode, paired into rungs.

use millet_manifest::{Kind, Rendition};

use super::index::Index;

use super::wire;

/// Most codecs that a client may name.
const MOST_CODECS: usize = 16;
/// Id of the rung without pictures.
pub const AUDIO_ONLY: &str = "audio";

/// Renditions that are watched together, by their index in the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Stable id.
    pub id: String,
    /// Video lane.
    pub video: Option<usize>,
    /// Audio lane, the same on every rung.
    pub audio: Option<usize>,
    /// Of the whole timeline.
    pub bytes: u64,
}

/// Rungs from the fewest to the most bytes; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    rungs: Vec<Rung>,
}

impl Ladder {
    /// Pairs what the client can decode; `None` when that is nothing.
    ///
    /// The audio of fewest bytes goes with every rung: on the links this is made for, a better
    /// picture is worth more than a better sound, and one audio lane never has to switch.
    #[must_use]
    pub fn of(index: &Index, codecs: &[String]) -> Option<Self> {
        let decodable = |rendition: &Rendition| {
            codecs
                .iter()
                .take(MOST_CODECS)
                .any(|codec| !codec.is_empty() && rendition.codec.starts_with(codec.as_str()))
        };
        let renditions = index.renditions();
        let of = |own: usize| &renditions[own];
        let bytes = |own: usize| index.bytes(own);
        let usable: Vec<usize> = (0..renditions.len().min(256))
            .filter(|own| decodable(of(*own)))
            .collect();
        let audio = usable
            .iter()
            .copied()
            .filter(|own| of(*own).kind == Kind::Audio)
            .min_by_key(|own| bytes(*own));
        let sound = audio.map_or(0, bytes);
        let mut rungs: Vec<Rung> = Vec::new();
        let mut videos: Vec<usize> = usable
            .into_iter()
            .filter(|own| of(*own).kind != Kind::Audio)
            .collect();
        videos.sort_by_key(|own| bytes(*own));
        for own in videos {
            let video = of(own);
            // Of two codecs for the same picture the smaller one is enough.
            let same = |rung: &Rung| {
                rung.video.is_some_and(|other| {
                    of(other).kind == video.kind && of(other).height == video.height
                })
            };
            if !rungs.iter().any(same) {
                rungs.push(Rung {
                    id: video.id.clone(),
                    video: Some(own),
                    audio,
                    bytes: sound.saturating_add(bytes(own)),
                });
            }
        }
        if audio.is_some() {
            let only = Rung {
                id: AUDIO_ONLY.to_owned(),
                video: None,
                audio,
                bytes: sound,
            };
            rungs.insert(0, only);
        }
        (!rungs.is_empty()).then_some(Self { rungs })
    }

    /// The same with a rung that is being watched, where there is none with its id.
    #[must_use]
    pub fn with(mut self, rung: &Rung) -> Self {
        if self.find(&rung.id).is_none() {
            let at = self.rungs.partition_point(|own| own.bytes <= rung.bytes);
            // Sound alone stays the first.
            self.rungs.insert(at.max(self.first()), rung.clone());
        }
        self
    }

    /// From the fewest to the most bytes.
    #[must_use]
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// Position of the rung with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        self.rungs.iter().position(|rung| rung.id == id)
    }

    /// Where to begin on an unknown link: the cheapest rung with pictures, else sound.
    #[must_use]
    pub fn first(&self) -> usize {
        usize::from(self.rungs.len() > 1 && self.rungs[0].video.is_none())
    }

    /// For `welcome`.
    #[must_use]
    pub fn renditions(&self, index: &Index) -> Vec<wire::Rendition> {
        let mut indexes: Vec<usize> = self
            .rungs
            .iter()
            .flat_map(|rung| rung.video.into_iter().chain(rung.audio))
            .collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
            .into_iter()
            .filter_map(|own| Some((own, index.rendition(own)?)))
            .map(|(own, rendition)| wire::Rendition {
                index: byte(own),
                id: rendition.id.clone(),
                kind: match rendition.kind {
                    Kind::Audio => wire::RenditionKind::Audio,
                    Kind::Stills => wire::RenditionKind::Stills,
                    Kind::Video => wire::RenditionKind::Video,
                },
                codec: rendition.codec.clone(),
                width: rendition.width,
                height: rendition.height,
                bytes: index.bytes(own),
            })
            .collect()
    }

    /// For `welcome`.
    #[must_use]
    pub fn wire_rungs(&self) -> Vec<wire::Rung> {
        self.rungs
            .iter()
            .map(|rung| wire::Rung {
                id: rung.id.clone(),
                video: rung.video.map(byte),
                audio: rung.audio.map(byte),
                bytes: rung.bytes,
            })
            .collect()
    }
}

/// An index as it stands in a header; manifests have at most 32 renditions.
pub fn byte(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::lecture;

    fn ids(codecs: &[&str]) -> Vec<String> {
        let codecs: Vec<String> = codecs.iter().map(|codec| (*codec).to_owned()).collect();
        Ladder::of(&Index::Closed(lecture(64_000).into()), &codecs)
            .map(|ladder| ladder.rungs.into_iter().map(|rung| rung.id).collect())
            .unwrap_or_default()
    }

    #[test]
    fn rungs_rise_from_sound_to_picture_and_hold_only_what_can_be_decoded() {
        assert_eq!(
            ids(&["avc1", "opus", "mp4a"]),
            ["audio", "s480", "v240", "v480"]
        );
        assert_eq!(ids(&["opus"]), ["audio"]);
        assert_eq!(ids(&["avc1"]), ["s480", "v240", "v480"]);
        assert!(ids(&["vp8", ""]).is_empty());
    }

    #[test]
    fn the_first_rung_is_the_cheapest_with_pictures() {
        let ladder = Ladder::of(
            &Index::Closed(lecture(64_000).into()),
            &["avc1".into(), "opus".into()],
        )
        .unwrap();
        assert_eq!(ladder.rungs()[ladder.first()].id, "s480");
        let sound = Ladder::of(&Index::Closed(lecture(64_000).into()), &["opus".into()]).unwrap();
        assert_eq!(sound.first(), 0);
    }
}
