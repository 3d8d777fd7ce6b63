//! Sound of any form as one channel at 48 kHz.

use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type as Packing;
use ffmpeg_next::software::resampling;
use ffmpeg_next::{ChannelLayout, frame};

use crate::error::{Error, undecodable};

/// Samples a second.
pub(crate) const RATE: u32 = 48_000;
/// No recording has less; a forged rate would ask for memory without end.
const LEAST_RATE: u32 = 1_000;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    format: Sample,
    layout: ChannelLayout,
    rate: u32,
}

/// Follows its input: when its form changes midway, another context is opened.
#[derive(Default)]
pub(crate) struct Resampler {
    open: Option<(Shape, resampling::Context)>,
}

impl Resampler {
    pub(crate) fn convert(&mut self, frame: &frame::Audio) -> Result<Vec<f32>, Error> {
        let shape = Shape {
            format: frame.format(),
            layout: frame.channel_layout(),
            rate: frame.rate(),
        };
        let what = undecodable(
            "resample the sound",
            "The sound of the file cannot be used.",
        );
        if shape.rate < LEAST_RATE {
            return Err(what(ffmpeg_next::Error::InvalidData));
        }
        if self.open.as_ref().is_none_or(|(known, _)| *known != shape) {
            let context = resampling::Context::get(
                shape.format,
                shape.layout,
                shape.rate,
                Sample::F32(Packing::Packed),
                ChannelLayout::MONO,
                RATE,
            )
            .map_err(&what)?;
            self.open = Some((shape, context));
        }
        let Some((_, resampler)) = &mut self.open else {
            return Ok(Vec::new());
        };
        // Room for all that can come out, else the rest would wait inside for ever.
        let room = frame.samples() * RATE as usize / shape.rate as usize + 1_024;
        let mut converted =
            frame::Audio::new(Sample::F32(Packing::Packed), room, ChannelLayout::MONO);
        resampler.run(frame, &mut converted).map_err(&what)?;
        Ok(converted.plane::<f32>(0)[..converted.samples()].to_vec())
    }
}
