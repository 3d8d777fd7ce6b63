//! AV1 by libaom. SVT-AV1 1.4, which Debian 12 has, shares tables between all encoders of a process
//! and hangs now and then; libaom needs as many bytes, and a core for each encoder.

use ffmpeg_next::{Dictionary, Packet, encoder};

use super::obu::{SequenceHeader, without_delimiters};
use super::{Coded, context, entry_size, units};
use crate::boxes::Entry;
use crate::error::{Error, libav};
use crate::ladder::{Rung, Tune};

/// Pictures that the encoder may look at before it codes one.
const LOOK_AHEAD: &str = "35";
/// Pictures between keyframes: more than any segment has.
const NEVER: u32 = 99_999;

pub(super) fn open(rung: &Rung, crf: u32) -> Result<encoder::video::Encoder, Error> {
    let mut context = context(rung, "libaom-av1")?;
    // Else the factor would only bound what a rate asks for.
    context.set_bit_rate(0);
    // One segment, one keyframe: equal bounds keep the encoder from placing any itself.
    context.set_gop(NEVER);
    let mut options = Dictionary::new();
    options.set("keyint_min", &NEVER.to_string());
    options.set("cpu-used", rung.preset());
    options.set("crf", &crf.to_string());
    options.set("threads", "1");
    options.set("row-mt", "0");
    options.set("lag-in-frames", LOOK_AHEAD);
    // Quantisers that differ within a picture cost more here than they bring; so do large blocks of text.
    let own = match rung.tune {
        Tune::Screen => "deltaq-mode=0:tune-content=screen:sb-size=64",
        Tune::Camera => "deltaq-mode=0:tune-content=default",
    };
    options.set("aom-params", own);
    context
        .open_with(options)
        .map_err(libav("open the encoder of AV1"))
}

pub(super) fn coded(rung: &Rung, packets: &[Packet]) -> Result<Coded, Error> {
    let first = packets.first().and_then(Packet::data);
    let sequence = SequenceHeader::find(first.unwrap_or_default())?;
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
