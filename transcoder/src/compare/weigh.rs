//! What a file costs to carry.

use std::path::Path;

use ffmpeg_next::codec::Context;

use super::Weighed;
use crate::error::Error;
use crate::source::{Source, to_ms};

/// Length of the window over which the peak is taken, milliseconds.
pub(crate) const WINDOW_MS: i64 = 10_000;

/// Reads every packet of the pictures and the sound.
pub(super) fn weigh(path: &Path) -> Result<Weighed, Error> {
    let mut source = Source::open(path)?;
    let (width, height) = size(&mut source)?;
    let chosen = [
        source.video.as_ref().map(|track| track.index),
        source.audio.as_ref().map(|track| track.index),
    ];
    let start_ms = source.start_ms;
    let (mut packets, mut end_ms) = (Vec::new(), 0);
    for (stream, packet) in source.input.packets() {
        if !chosen.contains(&Some(stream.index())) {
            continue;
        }
        let at = packet.dts().or_else(|| packet.pts()).unwrap_or(0);
        let at_ms = to_ms(at, stream.time_base(), start_ms);
        let ends = packet.pts().unwrap_or(at).saturating_add(packet.duration());
        end_ms = end_ms.max(to_ms(ends, stream.time_base(), start_ms));
        packets.push((at_ms, u64::try_from(packet.size()).unwrap_or(0)));
    }
    packets.sort_unstable();
    let bytes = packets.iter().map(|(_, bytes)| bytes).sum();
    Ok(Weighed {
        file: path.display().to_string(),
        bytes: source.bytes,
        duration_ms: u64::try_from(end_ms).unwrap_or(0),
        width,
        height,
        average_bps: rate(bytes, end_ms),
        peak_bps: peak(&packets, end_ms),
        quality: None,
    })
}

/// Size as coded, turned upright; `(0, 0)` without pictures.
pub(super) fn size(source: &mut Source) -> Result<(u32, u32), Error> {
    let Some(track) = &source.video else {
        return Ok((0, 0));
    };
    let stream = source.input.stream(track.index);
    let size = stream
        .and_then(|stream| Context::from_parameters(stream.parameters()).ok())
        .and_then(|context| context.decoder().video().ok())
        .map_or((0, 0), |video| (video.width(), video.height()));
    Ok(match track.turn {
        90 | 270 => (size.1, size.0),
        _ => size,
    })
}

fn rate(bytes: u64, ms: i64) -> u64 {
    bytes.saturating_mul(8_000) / u64::try_from(ms.max(1)).unwrap_or(1)
}

/// The most bits a second in any window; a file shorter than one is taken as one whole.
pub(crate) fn peak(packets: &[(i64, u64)], end_ms: i64) -> u64 {
    let window_ms = WINDOW_MS.min(end_ms.max(1));
    let (mut first, mut sum, mut most) = (0, 0_u64, 0_u64);
    for (at_ms, bytes) in packets {
        sum += bytes;
        while packets[first].0 <= at_ms - window_ms {
            sum -= packets[first].1;
            first += 1;
        }
        most = most.max(sum);
    }
    rate(most, window_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_the_worst_ten_seconds() {
        let even: Vec<(i64, u64)> = (0..30).map(|second| (second * 1_000, 1_000)).collect();
        assert_eq!(peak(&even, 30_000), 8_000);
        let mut burst = even.clone();
        burst[15].1 = 11_000;
        assert_eq!(peak(&burst, 30_000), 16_000);
        assert_eq!(peak(&even[..2], 2_000), 8_000);
        assert_eq!(peak(&[], 0), 0);
    }
}
