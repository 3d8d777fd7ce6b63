//! Encodes sampled stretches, decodes them again and compares.

use std::sync::Arc;

use ffmpeg_next::codec::{self, Context};
use ffmpeg_next::{Packet, frame, media};

use super::curve::Point;
use crate::boxes::Entry;
use crate::encode::{self, Coded, Shown, scale};
use crate::error::{Error, libav};
use crate::ladder::Rung;
use crate::picture::Picture;
use crate::raw::{self, Bare};
use crate::rung::{paced, plain};
use crate::score::Scorer;

/// A sampled stretch of the recording.
#[derive(Clone)]
pub(super) struct Stretch {
    pub(super) pictures: Vec<Shown>,
    /// What they were made of.
    pub(super) originals: Vec<Shown>,
    pub(super) length_ms: i64,
}

/// The pictures that the rung would encode, at its size.
pub(super) fn prepare(rung: &Rung, stretches: &[Stretch]) -> Result<Vec<Stretch>, Error> {
    let mut scaler = None;
    let mut own = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        let mut pictures = Vec::new();
        for shown in paced(rung, &stretch.pictures) {
            if (shown.picture.width, shown.picture.height) == (rung.width, rung.height) {
                pictures.push(shown);
                continue;
            }
            let frame = scale(&mut scaler, &shown.picture, rung.width, rung.height)?;
            pictures.push(Shown {
                picture: Arc::new(Picture::new(frame)),
                ..shown
            });
        }
        own.push(Stretch {
            originals: pictures.clone(),
            pictures: plain(rung, pictures)?,
            length_ms: stretch.length_ms,
        });
    }
    Ok(own)
}

/// Rate and quality at one rate factor.
pub(super) fn measure(rung: &Rung, crf: u32, stretches: &[Stretch]) -> Result<Point, Error> {
    let mut scorer = Scorer::new(rung.width, rung.height)?;
    let mut against_originals = Scorer::new(rung.width, rung.height)?;
    let (mut bytes, mut ms, mut peak_bps) = (0, 0, 0);
    for stretch in stretches {
        let coded = encode::encode(rung, crf, &stretch.pictures)?;
        let own = coded.bytes();
        let decoded = decode(&coded)?;
        if decoded.len() != stretch.pictures.len() {
            return Err(Error::Fault(format!(
                "{} of {} trial pictures came back",
                decoded.len(),
                stretch.pictures.len()
            )));
        }
        let pairs = stretch.pictures.iter().zip(&stretch.originals).zip(decoded);
        for ((shown, original), back) in pairs {
            if !Arc::ptr_eq(&shown.picture, &original.picture) {
                let again = raw::shared(&back).map_err(libav("share a picture"))?;
                against_originals.pair(original.picture.frame()?, again)?;
            }
            scorer.pair(shown.picture.frame()?, back)?;
        }
        let length_ms = u64::try_from(stretch.length_ms).unwrap_or(0).max(1);
        bytes += own;
        ms += length_ms;
        peak_bps = peak_bps.max(own * 8_000 / length_ms);
    }
    let score = scorer
        .finish()?
        .ok_or_else(|| Error::Fault("a trial compared nothing".into()))?;
    Ok(Point {
        crf,
        average_bps: bytes * 8_000 / ms.max(1),
        peak_bps,
        ssim: score.ssim,
        seen: against_originals.finish()?.unwrap_or(score),
    })
}

/// In the order of showing.
fn decode(coded: &Coded) -> Result<Vec<frame::Video>, Error> {
    let what = libav("decode a trial");
    let (id, header) = match &coded.entry {
        Entry::Avc { configuration, .. } => (codec::Id::H264, configuration),
        Entry::Av1 { configuration, .. } => (codec::Id::AV1, configuration),
        Entry::Opus | Entry::Aac { .. } => {
            return Err(Error::Fault("a trial of sound has no pictures".into()));
        }
    };
    let parameters = raw::parameters(&Bare {
        kind: media::Type::Video,
        codec: id,
        header,
        rate: 0,
        channels: 0,
    })
    .map_err(&what)?;
    let mut context = Context::from_parameters(parameters).map_err(&what)?;
    context.set_threading(ffmpeg_next::threading::Config::count(1));
    let mut decoder = context.decoder().video().map_err(&what)?;
    let mut frames = Vec::with_capacity(coded.units.len());
    for unit in &coded.units {
        let mut packet = Packet::copy(&unit.data);
        packet.set_pts(Some(unit.at_ms));
        decoder.send_packet(&packet).map_err(&what)?;
        receive(&mut decoder, &mut frames)?;
    }
    decoder.send_eof().map_err(&what)?;
    receive(&mut decoder, &mut frames)?;
    Ok(frames)
}

fn receive(
    decoder: &mut codec::decoder::Video,
    frames: &mut Vec<frame::Video>,
) -> Result<(), Error> {
    loop {
        let mut frame = frame::Video::empty();
        match decoder.receive_frame(&mut frame) {
            Ok(()) => frames.push(frame),
            Err(ffmpeg_next::Error::Eof) => return Ok(()),
            Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => return Ok(()),
            Err(error) => return Err(libav("decode a trial")(error)),
        }
    }
}
