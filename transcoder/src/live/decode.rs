//! Decoders of what a publisher sends: no delay, and no packet that ends the run.

use ffmpeg_next::codec::context::Context;
use ffmpeg_next::codec::packet::Flags;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, decoder, frame};
use millet_manifest::BadInput;

use crate::error::{Error, bad};
use crate::{limits, raw};

const MILLISECONDS: Rational = Rational(1, 1000);

/// Decodes pictures.
pub(crate) struct PictureDecoder(decoder::Video);

/// Decodes sound.
pub(crate) struct SoundDecoder(decoder::Audio);

/// A context for a decoder that may run.
fn context(parameters: codec::Parameters) -> Result<(Context, ffmpeg_next::Codec), Error> {
    let id = parameters.id();
    let unknown = || {
        bad(
            BadInput::NotMedia,
            format!("What is sent is coded as {id:?}, which cannot be read here."),
        )
    };
    let found = decoder::find(id).ok_or_else(unknown)?;
    let known = limits::LIVE_DECODERS.split(',');
    if !known.into_iter().any(|known| known == found.name()) {
        return Err(unknown());
    }
    let mut context = Context::from_parameters(parameters).map_err(|_| unknown())?;
    context.set_time_base(MILLISECONDS);
    Ok((context, found))
}

fn refused(error: ffmpeg_next::Error) -> Error {
    bad(
        BadInput::NotMedia,
        format!("What is sent is not coded as announced ({error})."),
    )
}

fn stamp(packet: &mut Packet, at_ms: i64) {
    packet.set_pts(Some(at_ms));
    packet.set_dts(None);
}

impl PictureDecoder {
    pub(crate) fn open(parameters: codec::Parameters) -> Result<Self, Error> {
        let (context, found) = context(parameters)?;
        let mut options = Dictionary::new();
        options.set("max_pixels", &limits::LIVE_MOST_PIXELS.to_string());
        // Several threads would hold back a picture each.
        options.set("threads", "1");
        let opened = context.decoder().open_as_with(found, options);
        opened
            .and_then(codec::decoder::Opened::video)
            .map(Self)
            .map_err(refused)
    }

    /// Decodes a packet of `at_ms`; pictures with their times, and whether something was damaged.
    pub(crate) fn decode(
        &mut self,
        packet: &mut Packet,
        at_ms: i64,
    ) -> (Vec<(frame::Video, i64)>, bool) {
        stamp(packet, at_ms);
        let mut damaged = self.0.send_packet(packet).is_err();
        let mut pictures = Vec::new();
        loop {
            let mut picture = frame::Video::empty();
            match self.0.receive_frame(&mut picture) {
                Ok(()) => {
                    let at_ms = picture.timestamp().unwrap_or(at_ms);
                    pictures.push((picture, at_ms));
                }
                Err(error) => {
                    damaged |= !wants_more(error);
                    return (pictures, damaged);
                }
            }
        }
    }
}

impl SoundDecoder {
    pub(crate) fn open(parameters: codec::Parameters) -> Result<Self, Error> {
        let (context, found) = context(parameters)?;
        let opened = context.decoder().open_as(found);
        opened
            .and_then(codec::decoder::Opened::audio)
            .map(Self)
            .map_err(refused)
    }

    /// As [`PictureDecoder::decode`].
    pub(crate) fn decode(
        &mut self,
        packet: &mut Packet,
        at_ms: i64,
    ) -> (Vec<(frame::Audio, i64)>, bool) {
        stamp(packet, at_ms);
        let mut damaged = self.0.send_packet(packet).is_err();
        let (mut frames, mut at_ms) = (Vec::new(), at_ms);
        loop {
            let mut frame = frame::Audio::empty();
            match self.0.receive_frame(&mut frame) {
                Ok(()) => {
                    raw::complete_layout(&mut frame);
                    let rate = i64::from(frame.rate().max(1_000));
                    let lasts_ms = frame.samples() as i64 * 1_000 / rate;
                    frames.push((frame, at_ms));
                    at_ms = at_ms.saturating_add(lasts_ms);
                }
                Err(error) => {
                    damaged |= !wants_more(error);
                    return (frames, damaged);
                }
            }
        }
    }
}

fn wants_more(error: ffmpeg_next::Error) -> bool {
    match error {
        ffmpeg_next::Error::Other { errno } => errno == libc::EAGAIN,
        other => other == ffmpeg_next::Error::Eof,
    }
}

/// A packet of these bytes.
pub(crate) fn packet(data: &[u8], key: bool) -> Packet {
    let mut packet = Packet::copy(data);
    packet.set_flags(if key { Flags::KEY } else { Flags::empty() });
    packet
}
