//! The thread of one video rung: drops pictures to its rate, scales, encodes, writes fragments.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::util::picture::Type as PictureType;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder, frame};

use crate::error::{Error, libav};
use crate::ladder::Rung;
use crate::mux::Muxer;
use crate::nal::ParameterSets;
use crate::package::whole;
use crate::picture::{Picture, Thumb};
use crate::raw;
use millet_manifest::{Content, Kind};

/// Pictures that wait for a rung; more would only cost memory.
const WAITING: usize = 4;
const TIME_BASE: Rational = Rational(1, 1000);
/// A stills rung shows a picture again only when this much changed, thousandths.
const STILL_CHANGE_PERMILLE: u32 = 2;

/// A picture for every rung.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) picture: Arc<Picture>,
    pub(crate) thumb: Arc<Thumb>,
    pub(crate) at_ms: i64,
    /// Whether every rung begins a segment here.
    pub(crate) cut: bool,
}

/// What a rung's thread made.
pub(crate) struct Encoded {
    pub(crate) rung: Rung,
    pub(crate) codec: String,
    pub(crate) muxer: Muxer,
}

/// The rung's thread, from outside.
pub(crate) struct Thread {
    pictures: Option<SyncSender<Shown>>,
    handle: Option<JoinHandle<Result<Encoded, Error>>>,
}

impl Thread {
    pub(crate) fn start(rung: Rung, content: Content, output: &Path) -> Result<Self, Error> {
        let (pictures, receiver) = sync_channel(WAITING);
        std::fs::create_dir_all(output.join(&rung.id))?;
        let whole = whole(output, &rung.id);
        let handle = std::thread::Builder::new()
            .name(rung.id.clone())
            .spawn(move || run(rung, content, &receiver, &whole))?;
        Ok(Self {
            pictures: Some(pictures),
            handle: Some(handle),
        })
    }

    /// Hands over a picture; waits while the rung is busy.
    pub(crate) fn show(&self, shown: Shown) -> Result<(), Error> {
        self.pictures
            .as_ref()
            .and_then(|to| to.send(shown).ok())
            .ok_or_else(|| Error::Fault("a rung ended early".into()))
    }

    /// Closes the channel and waits for the thread.
    pub(crate) fn join(mut self) -> Result<Encoded, Error> {
        drop(self.pictures.take());
        let handle = self
            .handle
            .take()
            .ok_or_else(|| Error::Fault("a rung was ended twice".into()))?;
        handle
            .join()
            .map_err(|_| Error::Fault("a rung's thread panicked".into()))?
    }
}

/// Encodes until the channel closes.
fn run(
    rung: Rung,
    content: Content,
    pictures: &Receiver<Shown>,
    whole: &Path,
) -> Result<Encoded, Error> {
    let mut encoder = open(&rung, content)?;
    let mut muxer = Muxer::create(whole, &encoder, TIME_BASE)?;
    let codec = ParameterSets::find(&raw::extradata(&encoder))?.codec();
    let mut pace = Pace::new(&rung);
    let mut scaler = None;
    let mut cuts = std::collections::VecDeque::new();
    for shown in pictures {
        if !pace.keeps(&shown) {
            continue;
        }
        let mut scaled = scale(&mut scaler, &shown.picture, rung.width, rung.height)?;
        scaled.set_pts(Some(shown.at_ms));
        scaled.set_kind(if shown.cut {
            cuts.push_back(shown.at_ms);
            PictureType::I
        } else {
            PictureType::None
        });
        encoder
            .send_frame(&scaled)
            .map_err(libav("encode a picture"))?;
        collect(&mut encoder, &mut muxer, &mut cuts)?;
    }
    encoder.send_eof().map_err(libav("end the encoder"))?;
    collect(&mut encoder, &mut muxer, &mut cuts)?;
    Ok(Encoded { rung, codec, muxer })
}

fn open(rung: &Rung, content: Content) -> Result<encoder::video::Encoder, Error> {
    let what = libav("open the encoder of pictures");
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
    options.set("preset", "medium");
    options.set("profile", "high");
    options.set("crf", &rung.crf.to_string());
    options.set("maxrate", &rung.most_bps.to_string());
    options.set("bufsize", &(rung.most_bps * 2).to_string());
    options.set("threads", "1");
    options.set("forced-idr", "1");
    if content == Content::Lecture {
        options.set("tune", "animation");
    }
    // Cuts come from the cut list alone, so that every rung has the same. Without B-frames the
    // times of decoding and showing are one, and chunks end exactly where they say.
    options.set(
        "x264-params",
        "scenecut=0:open-gop=0:keyint=infinite:min-keyint=1:bframes=0",
    );
    context.open_with(options).map_err(&what)
}

fn collect(
    encoder: &mut encoder::video::Encoder,
    muxer: &mut Muxer,
    cuts: &mut std::collections::VecDeque<i64>,
) -> Result<(), Error> {
    loop {
        let mut packet = Packet::empty();
        match encoder.receive_packet(&mut packet) {
            Ok(()) => {}
            Err(ffmpeg_next::Error::Eof) => return Ok(()),
            Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => return Ok(()),
            Err(error) => return Err(libav("encode a picture")(error)),
        }
        let at_ms = packet.pts().unwrap_or(0);
        let cut = cuts.front() == Some(&at_ms);
        if cut {
            cuts.pop_front();
            if !packet.is_key() {
                return Err(Error::Fault(format!(
                    "no keyframe at the cut at {at_ms} ms"
                )));
            }
        }
        muxer.write(packet, at_ms, cut)?;
    }
}

/// The picture at another size; the scaler is made at the first call, for pictures of one size.
pub(crate) fn scale(
    scaler: &mut Option<scaling::Context>,
    picture: &Picture,
    width: u32,
    height: u32,
) -> Result<frame::Video, Error> {
    let frame = picture.frame();
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

/// Lets through as many pictures as the rung's rate has room for.
struct Pace {
    kind: Kind,
    rate_milli: i64,
    slot: Option<i64>,
    last: Option<Arc<Thumb>>,
}

impl Pace {
    fn new(rung: &Rung) -> Self {
        Self {
            kind: rung.kind,
            rate_milli: i64::from(rung.rate_milli),
            slot: None,
            last: None,
        }
    }

    fn keeps(&mut self, shown: &Shown) -> bool {
        let slot = shown.at_ms * self.rate_milli / 1_000_000;
        let free = self.slot.is_none_or(|last| slot > last);
        let new = self.kind != Kind::Stills
            || self
                .last
                .as_ref()
                .is_none_or(|last| shown.thumb.changed_permille(last) >= STILL_CHANGE_PERMILLE);
        let wanted = shown.cut || (free && new);
        if !wanted {
            return false;
        }
        self.slot = Some(slot);
        self.last = Some(shown.thumb.clone());
        true
    }
}
