//! H.264 by x264.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder};
use millet_manifest::Kind;

use super::{Coded, TIME_BASE, entry_size, units};
use crate::boxes::Entry;
use crate::error::{Error, libav};
use crate::ladder::{Rung, Tune};
use crate::nal::{self, ParameterSets};
use crate::raw;

/// A burst may take this much of the cap, seconds.
const BUFFER_S: u32 = 4;

pub(super) fn open(rung: &Rung, crf: u32) -> Result<encoder::video::Encoder, Error> {
    let what = libav("open the encoder of H.264");
    let x264 = encoder::find_by_name("libx264")
        .ok_or_else(|| Error::Fault("this machine's libav has no libx264".into()))?;
    let mut context = codec::context::Context::new_with_codec(x264)
        .encoder()
        .video()
        .map_err(&what)?;
    context.set_width(rung.width);
    context.set_height(rung.height);
    context.set_format(Pixel::YUV420P);
    context.set_time_base(TIME_BASE);
    let rate = i32::try_from(rung.rate_milli).unwrap_or(i32::MAX);
    context.set_frame_rate(Some(Rational(rate, 1000)));
    context.set_flags(codec::Flags::GLOBAL_HEADER);
    let mut options = Dictionary::new();
    options.set("preset", rung.preset());
    options.set("profile", "high");
    options.set("crf", &crf.to_string());
    options.set("maxrate", &rung.most_bps.to_string());
    options.set("bufsize", &(rung.most_bps * BUFFER_S).to_string());
    options.set("threads", "1");
    options.set("forced-idr", "1");
    // One segment, one keyframe. Five references are what level 3.1 holds at 1280 × 720. Parameter
    // sets are the same whatever the rate factor, so that one init segment serves all segments.
    let mut own = "scenecut=0:open-gop=0:keyint=infinite:min-keyint=1:ref=5:\
        rc-lookahead=40:stitchable=1"
        .to_owned();
    match (rung.kind, rung.tune) {
        (Kind::Video, Tune::Camera) => {
            // At these rates sharpness that is only pretended costs more than it gives.
            own.push_str(":psy=0:aq-mode=2");
        }
        (_, tune) => {
            // Pictures far apart have nothing between them.
            own.push_str(":bframes=0");
            if tune == Tune::Screen {
                options.set("tune", "animation");
            }
        }
    }
    options.set("x264-params", &own);
    context.open_with(options).map_err(&what)
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
