//! The renditions of a class: the same in every run, so that their init segments are too.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Dictionary, Rational, codec, encoder};
use millet_manifest::Kind;
use millet_manifest::live::{LiveRendition, SEGMENT_MS};

use super::grid::PART;
use crate::boxes::{self, Entry, Track};
use crate::error::{Error, libav};
use crate::nal::ParameterSets;
use crate::raw;

/// Every picture is brought onto a canvas of this size, with black beside or above it.
pub(crate) const CANVAS: (u32, u32) = (640, 360);
/// Index of the Opus rendition.
pub(crate) const OPUS: u8 = 0;
/// Index of the AAC rendition.
pub(crate) const AAC: u8 = 1;
/// Index of the first rendition with a picture.
pub(crate) const FIRST_RUNG: u8 = 2;
/// Most pictures in 1000 seconds that any rung shows.
pub(crate) const FASTEST_MILLI: i64 = 20_000;

/// A rendition with a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rung {
    pub(crate) id: &'static str,
    pub(crate) kind: Kind,
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// Most pictures in 1000 seconds.
    pub(crate) rate_milli: u32,
    pub(crate) most_bps: u32,
    crf: u32,
    /// Of x264: processor time against bytes.
    preset: &'static str,
    /// Length of a chunk, milliseconds.
    pub(crate) chunk_ms: i64,
    /// Every so many milliseconds a keyframe begins a segment.
    pub(crate) key_every_ms: i64,
}

const SEGMENT: i64 = SEGMENT_MS as i64;

/// From the fewest bytes to the most.
pub(crate) const RUNGS: [Rung; 4] = [
    Rung {
        id: "s360",
        kind: Kind::Stills,
        width: 640,
        height: 360,
        rate_milli: 1_000,
        most_bps: 20_000,
        crf: 30,
        preset: "medium",
        // One picture; boxes around nothing new would cost as much as the picture.
        chunk_ms: 2 * PART,
        key_every_ms: 4 * SEGMENT,
    },
    moving("v144", 256, 144, 10_000, 50_000, "medium"),
    moving("v240", 426, 240, 15_000, 110_000, "medium"),
    moving("v360", 640, 360, 20_000, 240_000, "faster"),
];

const fn moving(
    id: &'static str,
    width: u16,
    height: u16,
    rate_milli: u32,
    most_bps: u32,
    preset: &'static str,
) -> Rung {
    Rung {
        id,
        kind: Kind::Video,
        width,
        height,
        rate_milli,
        most_bps,
        crf: 27,
        preset,
        chunk_ms: PART,
        key_every_ms: SEGMENT,
    }
}

/// Bits a second that the boxes around the pictures take.
fn boxes_bps(rung: &Rung) -> u32 {
    let chunk_bytes = 130 + 8 * rung.rate_milli / 2_000;
    chunk_bytes * 8 * 1_000 / u32::try_from(rung.chunk_ms).unwrap_or(500)
}

impl Rung {
    /// An encoder that gives each picture back at once.
    pub(crate) fn open(&self) -> Result<encoder::video::Encoder, Error> {
        let what = libav("open the encoder of pictures");
        let x264 = encoder::find_by_name("libx264")
            .ok_or_else(|| Error::Fault("this machine's libav has no libx264".into()))?;
        let mut context = codec::context::Context::new_with_codec(x264)
            .encoder()
            .video()
            .map_err(&what)?;
        context.set_width(u32::from(self.width));
        context.set_height(u32::from(self.height));
        context.set_format(Pixel::YUV420P);
        context.set_time_base(Rational(1, 1000));
        let rate = i32::try_from(self.rate_milli).unwrap_or(i32::MAX);
        context.set_frame_rate(Some(Rational(rate, 1000)));
        context.set_flags(codec::Flags::GLOBAL_HEADER);
        // The encoder is a little over its bound where a picture changes all over.
        let most = self.most_bps * 93 / 100 - boxes_bps(self).min(self.most_bps / 4);
        // A keyframe may spend what its pictures save until the next one.
        let buffer = i64::from(most) * self.key_every_ms / 1_000 / 2;
        let mut options = Dictionary::new();
        options.set("preset", self.preset);
        options.set("profile", "high");
        options.set("crf", &self.crf.to_string());
        options.set("maxrate", &most.to_string());
        options.set("bufsize", &buffer.to_string());
        options.set("threads", "1");
        options.set("forced-idr", "1");
        // Told that lengths vary, the encoder would wait for the next picture to know the length of
        // this one. So it counts each as long as at the rung's full rate, and slower cameras get
        // fewer bits, never more.
        options.set(
            "x264-params",
            "force-cfr=1:scenecut=0:open-gop=0:keyint=infinite:min-keyint=1:bframes=0:rc-lookahead=0:\
             sync-lookahead=0:mbtree=0",
        );
        context.open_with(options).map_err(&what)
    }

    /// How the rung is announced, and its init segment.
    pub(crate) fn announce(
        &self,
        encoder: &encoder::video::Encoder,
    ) -> Result<(LiveRendition, Vec<u8>), Error> {
        let sets = ParameterSets::find(&raw::extradata(encoder))?;
        let init = boxes::init(&Track {
            timescale: 1_000,
            sample_duration: 0,
            entry: Entry::Avc {
                width: self.width,
                height: self.height,
                configuration: sets.configuration(),
            },
        });
        let rendition = LiveRendition {
            id: self.id.into(),
            kind: self.kind,
            codec: sets.codec(),
            width: u32::from(self.width),
            height: u32::from(self.height),
            frame_rate_milli: self.rate_milli,
            sample_rate: 0,
            channels: 0,
            peak_bps: u64::from(self.most_bps),
        };
        Ok((rendition, init))
    }
}
