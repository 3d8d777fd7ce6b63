//! One segment of one rung: pictures in, coded pictures out. Every segment has an encoder of its own,
//! so that segments can be made side by side, in any order, and again.

mod av1;
mod h264;
mod obu;

use std::sync::Arc;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::util::picture::Type as PictureType;
use ffmpeg_next::{Packet, Rational, codec, encoder, frame};

use crate::boxes::Entry;
use crate::error::{Error, libav};
use crate::ladder::{Codec, Rung};
use crate::picture::{Picture, Thumb};

/// Usual length of a chunk, milliseconds.
pub(crate) const CHUNK_MS: i64 = 2_000;
pub(crate) const TIME_BASE: Rational = Rational(1, 1000);

/// A picture and when it is shown.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) at_ms: i64,
    pub(crate) picture: Arc<Picture>,
    pub(crate) thumb: Arc<Thumb>,
}

/// One coded picture.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) at_ms: i64,
    pub(crate) data: Vec<u8>,
}

/// A closed group of pictures in the order of decoding; the first is its only keyframe.
#[derive(Debug)]
pub(crate) struct Coded {
    /// RFC 6381.
    pub(crate) codec: String,
    pub(crate) entry: Entry,
    pub(crate) units: Vec<Unit>,
}

impl Coded {
    pub(crate) fn bytes(&self) -> u64 {
        self.units.iter().map(|unit| unit.data.len() as u64).sum()
    }
}

/// Places of the pictures that begin a chunk.
pub(crate) fn chunk_starts(pictures: &[Shown]) -> Vec<usize> {
    let (mut starts, mut begun_ms) = (vec![0], pictures.first().map_or(0, |first| first.at_ms));
    for (index, shown) in pictures.iter().enumerate() {
        if shown.at_ms >= begun_ms + CHUNK_MS {
            starts.push(index);
            begun_ms = shown.at_ms;
        }
    }
    starts
}

/// Encodes pictures that have the rung's size.
pub(crate) fn encode(rung: &Rung, crf: u32, pictures: &[Shown]) -> Result<Coded, Error> {
    let what = libav("encode a picture");
    let mut encoder = match rung.codec {
        Codec::H264 => h264::open(rung, crf)?,
        Codec::Av1 => av1::open(rung, crf)?,
    };
    let starts = chunk_starts(pictures);
    let mut packets = Vec::with_capacity(pictures.len());
    for (index, shown) in pictures.iter().enumerate() {
        let mut frame = shown.picture.frame()?;
        frame.set_pts(Some(shown.at_ms));
        frame.set_kind(match rung.codec {
            // The first is a keyframe anyway, and libaom would make the second one too if asked.
            Codec::H264 if index == 0 => PictureType::I,
            // What a chunk holds must not be decoded after what the next one begins with.
            Codec::H264 if starts.binary_search(&(index + 1)).is_ok() => PictureType::P,
            _ => PictureType::None,
        });
        encoder.send_frame(&frame).map_err(&what)?;
        collect(&mut encoder, &mut packets)?;
    }
    encoder.send_eof().map_err(libav("end the encoder"))?;
    collect(&mut encoder, &mut packets)?;
    let keys = packets.iter().filter(|packet| packet.is_key()).count();
    if packets.len() != pictures.len() || keys != 1 || !packets[0].is_key() {
        return Err(Error::Fault(format!(
            "{}: {} pictures became {} with {keys} keyframes",
            rung.id,
            pictures.len(),
            packets.len()
        )));
    }
    match rung.codec {
        Codec::H264 => h264::coded(rung, &encoder, &packets),
        Codec::Av1 => av1::coded(rung, &packets),
    }
}

/// An encoder of that name for pictures of the rung, to be opened.
fn context(rung: &Rung, name: &str) -> Result<encoder::video::Video, Error> {
    let found = encoder::find_by_name(name)
        .ok_or_else(|| Error::Fault(format!("this machine's libav has no {name}")))?;
    let mut context = codec::context::Context::new_with_codec(found)
        .encoder()
        .video()
        .map_err(libav("prepare an encoder"))?;
    context.set_width(rung.width);
    context.set_height(rung.height);
    context.set_format(Pixel::YUV420P);
    context.set_time_base(TIME_BASE);
    let rate = i32::try_from(rung.rate_milli).unwrap_or(i32::MAX);
    context.set_frame_rate(Some(Rational(rate, 1000)));
    context.set_flags(codec::Flags::GLOBAL_HEADER);
    rung.colours.tag(&mut context);
    Ok(context)
}

fn collect(encoder: &mut encoder::video::Encoder, packets: &mut Vec<Packet>) -> Result<(), Error> {
    loop {
        let mut packet = Packet::empty();
        match encoder.receive_packet(&mut packet) {
            Ok(()) => packets.push(packet),
            Err(ffmpeg_next::Error::Eof) => return Ok(()),
            Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => return Ok(()),
            Err(error) => return Err(libav("encode a picture")(error)),
        }
    }
}

fn units(packets: &[Packet], convert: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Unit> {
    let unit = |packet: &Packet| Unit {
        at_ms: packet.pts().unwrap_or(0),
        data: convert(packet.data().unwrap_or_default()),
    };
    packets.iter().map(unit).collect()
}

/// The rung's size as sample entries hold it.
fn entry_size(rung: &Rung) -> Result<(u16, u16), Error> {
    match (u16::try_from(rung.width), u16::try_from(rung.height)) {
        (Ok(width), Ok(height)) => Ok((width, height)),
        _ => Err(Error::Fault(format!("{} is too large", rung.id))),
    }
}

/// The picture at another size; the scaler is made at the first call, for pictures of one size.
pub(crate) fn scale(
    scaler: &mut Option<scaling::Context>,
    picture: &Picture,
    width: u32,
    height: u32,
) -> Result<frame::Video, Error> {
    let frame = picture.frame()?;
    if (picture.width, picture.height) == (width, height) {
        return Ok(frame);
    }
    let scaler = match scaler {
        Some(scaler) => scaler,
        None => scaler.insert(
            scaling::Context::get(
                Pixel::YUV420P,
                picture.width,
                picture.height,
                Pixel::YUV420P,
                width,
                height,
                scaling::Flags::BICUBIC,
            )
            .map_err(libav("open the scaler"))?,
        ),
    };
    let mut scaled = frame::Video::empty();
    scaler
        .run(&frame, &mut scaled)
        .map_err(libav("scale a picture"))?;
    Ok(scaled)
}
