//! H.264 by x264.

use ffmpeg_next::{Dictionary, Packet, encoder};
use millet_manifest::Kind;

use super::{Coded, context, entry_size, units};
use crate::boxes::Entry;
use crate::error::{Error, libav};
use crate::ladder::{Rung, Tune};
use crate::nal::{self, ParameterSets};
use crate::raw;

/// A burst may take this much of the cap, seconds.
const BUFFER_S: u32 = 4;

pub(super) fn open(rung: &Rung, crf: u32) -> Result<encoder::video::Encoder, Error> {
    let context = context(rung, "libx264")?;
    let mut options = Dictionary::new();
    options.set("preset", rung.preset());
    options.set("profile", "high");
    options.set("crf", &crf.to_string());
    options.set("maxrate", &rung.most_bps.to_string());
    options.set("bufsize", &(rung.most_bps * BUFFER_S).to_string());
    options.set("threads", "1");
    options.set("forced-idr", "1");
    // One segment, one keyframe. Five references are what level 3.1 holds at 1280 × 720. Parameter
    // sets are the same whatever the rate factor, so that one init segment serves all segments. Bytes are the
    // same on every processor: what x264 (build 164) knows for AVX-512 reads memory that it never wrote while
    // it weighs blocks for later pictures, and other instructions round otherwise.
    let mut own = "scenecut=0:open-gop=0:keyint=infinite:min-keyint=1:ref=5:\
        rc-lookahead=40:stitchable=1:cpu-independent=1"
        .to_owned();
    match (rung.kind, rung.tune) {
        (Kind::Video, Tune::Camera) => {
            // At these rates sharpness that is only pretended costs more than it gives.
            own.push_str(":psy=0:aq-mode=2");
        }
        (kind, tune) => {
            // Pictures far apart have nothing between them.
            own.push_str(":bframes=0");
            if tune == Tune::Screen {
                options.set("tune", "animation");
                if kind == Kind::Stills {
                    // Letters are read at fewer bits when a block of them counts as much as any other.
                    own.push_str(":psy=0:aq-mode=0");
                }
            }
        }
    }
    options.set("x264-params", &own);
    context
        .open_with(options)
        .map_err(libav("open the encoder of H.264"))
}

pub(super) fn coded(
    rung: &Rung,
    encoder: &encoder::video::Encoder,
    packets: &[Packet],
) -> Result<Coded, Error> {
    let header = raw::extradata(encoder);
    let sets = ParameterSets::find(&header)?;
    let (width, height) = entry_size(rung)?;
    Ok(Coded {
        codec: sets.codec(),
        entry: Entry::Avc {
            width,
            height,
            configuration: sets.configuration(),
        },
        units: units(packets, nal::pictures_with_lengths),
    })
}
