//! AV1 by SVT-AV1.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder};

use super::obu::{SequenceHeader, without_delimiters};
use super::{Coded, TIME_BASE, entry_size, units};
use crate::boxes::Entry;
use crate::error::{Error, libav};
use crate::ladder::{Rung, Tune};
use crate::raw;

/// Version 1.4 of the encoder shares tables between all encoders of a process and writes them
/// whenever one is opened: two at a time crash now and then.
static ALONE: Mutex<()> = Mutex::new(());

/// To be held from before an encoder is opened until it is closed.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads of the one encoder: those who wait for it leave their cores to it. More bring little at
/// these sizes.
fn threads() -> usize {
    const MOST: usize = 4;
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST))
}

/// Name of the encoder.
const ENCODER: &str = "libsvtav1";

pub(super) fn open(
    rung: &Rung,
    crf: u32,
    pictures: usize,
) -> Result<encoder::video::Encoder, Error> {
    let what = libav("open the encoder of AV1");
    let svt = encoder::find_by_name(ENCODER)
        .ok_or_else(|| Error::Fault(format!("this machine's libav has no {ENCODER}")))?;
    let mut context = codec::context::Context::new_with_codec(svt)
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
    // One segment, one keyframe.
    context.set_gop(
        u32::try_from(pictures)
            .unwrap_or(u32::MAX)
            .saturating_add(1),
    );
    let mut options = Dictionary::new();
    options.set("preset", rung.preset());
    options.set("crf", &crf.to_string());
    let screen = u8::from(rung.tune == Tune::Screen);
    // Without rate control there is nothing to look ahead for; it would only cost memory.
    let own = format!("lp={}:scm={screen}:lookahead=0", threads());
    options.set("svtav1-params", &own);
    context.open_with(options).map_err(&what)
}

pub(super) fn coded(
    rung: &Rung,
    encoder: &encoder::video::Encoder,
    packets: &[Packet],
) -> Result<Coded, Error> {
    let header = raw::extradata(encoder);
    let sequence = SequenceHeader::find(&header)?;
    let (width, height) = entry_size(rung)?;
    Ok(Coded {
        codec: sequence.codec(),
        entry: Entry::Av1 {
            width,
            height,
            configuration: sequence.configuration(),
        },
        units: units(packets, without_delimiters),
    })
}
