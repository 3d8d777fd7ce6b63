//! Why the renditions are as they are: what was seen and heard, what it led to, what was measured.

use serde::{Deserialize, Serialize};

use super::{Kind, Rendition, Timeline};

/// What was found out about one recording before it was encoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What kind of recording it is taken for.
    pub class: TitleClass,
    /// Absent without pictures.
    pub picture: Option<PictureSigns>,
    /// Absent without sound.
    pub sound: Option<SoundSigns>,
    /// One for each rung that was tried, also those that were left out.
    pub rungs: Vec<RungDecision>,
    /// For the teacher, for example `12 min: 1.4 MB audio + slides, 3.9 MB clear video`.
    pub sentence: String,
}

/// What a recording is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleClass {
    /// Slides, handwriting or a screen.
    Lecture,
    /// Somebody speaks before a camera that stands still.
    TalkingHead,
    /// Any other camera picture.
    Natural,
    /// No picture.
    AudioOnly,
}

/// What sampled pictures show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSigns {
    /// Share of pictures that are like the one a fifth of a second before, thousandths.
    pub still_permille: u32,
    /// Share of the picture that changes within a fifth of a second, mean, thousandths.
    pub motion_permille: u32,
    /// Changes of the scene in an hour.
    pub changes_per_hour: u32,
    /// Share of the picture that is a hard edge, as of text and drawings, thousandths.
    pub edges_permille: u32,
    /// Mean change of brightness where nothing moves, thousandths of a level of 255.
    pub noise_millilevels: u32,
}

/// What the sound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoundSigns {
    /// What is heard.
    pub kind: SoundKind,
    /// Integrated loudness of the recording (EBU R 128), tenths of LUFS.
    pub loudness_tenths: i32,
    /// By how much it was made louder, tenths of a decibel.
    pub gain_tenths: i32,
}

/// What is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoundKind {
    /// A voice, with its pauses.
    Speech,
    /// Music, or noise without pauses.
    Music,
    /// Nothing to speak of.
    Silence,
}

/// What trial encodings of sampled stretches said of a rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RungDecision {
    /// Id of the rendition, whether or not it was made.
    pub rendition: String,
    /// The encoder's constant rate factor.
    pub crf: u32,
    /// Cap over ten seconds, bits per second.
    pub most_bps: u32,
    /// Average rate of the trial, bits per second.
    pub average_bps: u64,
    /// Structural similarity to the recording at the rung's own size, ten thousandths.
    pub ssim_e4: u32,
    /// Peak signal-to-noise ratio at the rung's own size, tenths of a decibel.
    pub psnr_tenths: u32,
    /// Bytes saved against H.264 at equal quality, thousandths; absent for H.264.
    pub saved_permille: Option<i32>,
    /// Whether the rendition was made.
    pub kept: bool,
}

impl Timeline {
    /// What the lesson costs a learner, in one short English sentence.
    #[must_use]
    pub fn in_short(&self) -> String {
        let least = |kind: Kind| {
            let own = self.renditions.iter().filter(move |r| r.kind == kind);
            own.map(Rendition::bytes).min()
        };
        // The clearest picture that every phone plays.
        let clearest = self
            .renditions
            .iter()
            .filter(|r| r.kind == Kind::Video && r.codec.starts_with("avc1"))
            .max_by_key(|r| r.height)
            .map(Rendition::bytes);
        let sound = least(Kind::Audio);
        let mut parts = Vec::new();
        match (sound, least(Kind::Stills)) {
            (Some(sound), Some(stills)) => {
                parts.push(format!(
                    "{} audio + slides",
                    megabytes(sound.saturating_add(stills))
                ));
            }
            (Some(sound), None) => parts.push(format!("{} audio", megabytes(sound))),
            (None, Some(stills)) => parts.push(format!("{} slides", megabytes(stills))),
            (None, None) => {}
        }
        if let Some(video) = clearest {
            parts.push(format!(
                "{} clear video",
                megabytes(video.saturating_add(sound.unwrap_or(0)))
            ));
        }
        format!("{}: {}", length(self.duration_ms), parts.join(", "))
    }
}

fn length(ms: u64) -> String {
    if ms < 60_000 {
        format!("{} s", ms.div_ceil(1_000))
    } else {
        format!("{} min", ms.saturating_add(30_000) / 60_000)
    }
}

/// One decimal, and never "0.0".
fn megabytes(bytes: u64) -> String {
    let tenths = (bytes.saturating_add(50_000) / 100_000).max(1);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
