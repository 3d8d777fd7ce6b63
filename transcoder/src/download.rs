//! Whole files for keeping: the fragments of a rung and of the sound in one plain MP4.

use std::path::Path;

use ffmpeg_next::{Dictionary, Packet, Rational, Rescale as _, format};
use millet_manifest::Download;

use crate::error::{Error, libav};

/// Joins whole renditions into `file` below the output folder, with the index first. All of them last
/// until `end_ms`.
pub(crate) fn join(
    output: &Path,
    file: &str,
    rendition: &str,
    media_type: &str,
    wholes: &[&Path],
    end_ms: i64,
) -> Result<Download, Error> {
    let what = libav("write a download");
    let path = output.join(file);
    let mut joined = format::output(&path).map_err(&what)?;
    let mut inputs = Vec::with_capacity(wholes.len());
    for whole in wholes {
        let input = format::input(*whole).map_err(&what)?;
        let stream = input
            .stream(0)
            .ok_or_else(|| Error::Fault("a rendition has no stream".into()))?;
        let mut own = joined
            .add_stream(ffmpeg_next::encoder::find(ffmpeg_next::codec::Id::None))
            .map_err(&what)?;
        own.set_parameters(stream.parameters());
        let time_base = stream.time_base();
        inputs.push((input, time_base));
    }
    let mut options = Dictionary::new();
    options.set("movflags", "faststart");
    joined.write_header_with(options).map_err(&what)?;
    let bases: Vec<Rational> = (0..inputs.len())
        .filter_map(|index| joined.stream(index).map(|stream| stream.time_base()))
        .collect();
    // In order of time, one packet of each input waiting.
    let mut waiting: Vec<Option<Packet>> =
        inputs.iter_mut().map(|(input, _)| next(input)).collect();
    loop {
        let first = waiting
            .iter()
            .enumerate()
            .filter_map(|(index, packet)| {
                let dts = packet.as_ref()?.dts().unwrap_or(0);
                Some((dts.rescale(inputs[index].1, Rational(1, 1_000_000)), index))
            })
            .min();
        let Some((_, index)) = first else { break };
        let Some(mut packet) = waiting[index].take() else {
            break;
        };
        if packet.duration() <= 0 {
            // The last of a rendition; libav reads back only how far the next one is.
            let end = end_ms.rescale(Rational(1, 1000), inputs[index].1);
            packet.set_duration((end - packet.pts().unwrap_or(0)).max(1));
        }
        packet.rescale_ts(inputs[index].1, bases[index]);
        packet.set_stream(index);
        packet.set_position(-1);
        packet.write_interleaved(&mut joined).map_err(&what)?;
        waiting[index] = next(&mut inputs[index].0);
    }
    joined.write_trailer().map_err(&what)?;
    drop(joined);
    Ok(Download {
        rendition: rendition.to_owned(),
        file: file.to_owned(),
        bytes: std::fs::metadata(&path)?.len(),
        media_type: media_type.to_owned(),
    })
}

fn next(input: &mut format::context::Input) -> Option<Packet> {
    input.packets().next().map(|(_, packet)| packet)
}
