//! Reading and decoding, a few pictures ahead of what is made of them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ffmpeg_next::Packet;
use ffmpeg_next::frame::Video;

use super::approach::Approach;
use super::given::Given;
use super::pace::Pace;
use super::twin::Twin;
use crate::decode::VideoDecoder;
use crate::error::Error;
use crate::gist::Gist;
use crate::source::{Source, to_ms};

/// So much is read ahead. It bounds memory too: a picture may have tens of megabytes.
const AHEAD: usize = 6;

/// What was read, in order.
pub(super) struct Fed {
    pub(super) what: What,
    /// Bytes of the file before it; 0 where the container does not say.
    pub(super) position: u64,
}

pub(super) enum What {
    /// A decoded picture; its time is in milliseconds.
    Picture(Video),
    /// The picture before stands there at this time as well, milliseconds.
    Again(i64),
    /// Others made what comes next.
    Made(Box<Gist>),
    Sound(Packet),
    /// A packet of a stream of text, and when it ends, milliseconds.
    Other(Packet, i64),
}

/// How pictures are decoded.
pub(super) struct Decoding {
    pub(super) decoder: VideoDecoder,
    /// Until it is near enough.
    pub(super) approach: Option<Approach>,
    pub(super) pace: Pace,
    pub(super) twin: Twin,
    /// Where what others made is not decoded.
    pub(super) given: Option<Given>,
}

impl Decoding {
    /// Goes on at a seam as if nothing went before.
    fn go_on_at(&mut self, seam_ms: i64) {
        self.decoder.reset();
        self.approach = Approach::to(seam_ms);
        self.pace = self.pace.again();
        self.twin.forget();
    }
}

/// Reads `source` to its end, or until `take` says that it is enough.
pub(super) fn read(
    source: &mut Source,
    decoding: Option<Decoding>,
    mut take: impl FnMut(Fed) -> Result<bool, Error>,
) -> Result<(), Error> {
    let (sender, fed) = sync_channel(AHEAD);
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new()
            .name("reader".into())
            .spawn_scoped(scope, move || Reader::new(decoding, sender).run(source))?;
        let taken = drain(fed, &mut take);
        let read = reader
            .join()
            .unwrap_or_else(|_| Err(Error::Fault("the reader panicked".into())));
        taken.and(read)
    })
}

/// The receiver ends with this call, and with it the reader.
fn drain(
    fed: Receiver<Fed>,
    take: &mut impl FnMut(Fed) -> Result<bool, Error>,
) -> Result<(), Error> {
    for fed in fed {
        if take(fed)? {
            break;
        }
    }
    Ok(())
}

struct Reader {
    decoding: Option<Decoding>,
    /// Time of the last picture that was sent, and of the last that there was no room for, milliseconds.
    sent_ms: i64,
    left_out_ms: i64,
    /// Something was not decoded, since others made it.
    has_left_out: bool,
    sender: SyncSender<Fed>,
}

impl Reader {
    fn new(decoding: Option<Decoding>, sender: SyncSender<Fed>) -> Self {
        Self {
            decoding,
            sent_ms: 0,
            left_out_ms: 0,
            has_left_out: false,
            sender,
        }
    }

    fn run(mut self, source: &mut Source) -> Result<(), Error> {
        let video = source.video.as_ref().map(|track| track.index);
        let audio = source.audio.as_ref().map(|track| track.index);
        let start_ms = source.start_ms;
        for (stream, packet) in source.input.packets() {
            let index = Some(stream.index());
            let position = u64::try_from(packet.position()).unwrap_or(0);
            let wanted = if index == video {
                self.video(packet, position)?
            } else if index == audio {
                self.send(What::Sound(packet), position)
            } else {
                let end = packet.pts().unwrap_or(0).saturating_add(packet.duration());
                let end_ms = to_ms(end, stream.time_base(), start_ms);
                self.send(What::Other(packet, end_ms), position)
            };
            if !wanted {
                return Ok(());
            }
        }
        source.ended()?;
        let approach = self
            .decoding
            .as_mut()
            .and_then(|decoding| decoding.approach.as_mut());
        for packet in approach.map(Approach::end).unwrap_or_default() {
            if !self.decode(Some(&packet), source.bytes)? {
                return Ok(());
            }
        }
        if self.decode(None, source.bytes)?
            && self.left_out_ms > self.sent_ms
            && self.decoding.is_some()
        {
            // The last picture lasts as long as those that were left out behind it.
            self.send(What::Again(self.left_out_ms), source.bytes);
        }
        Ok(())
    }

    /// Takes a packet of the pictures; whether more is wanted.
    fn video(&mut self, packet: Packet, position: u64) -> Result<bool, Error> {
        let decoding = self.decoding.as_mut();
        let Some((approach, decoder)) =
            decoding.and_then(|decoding| Some((decoding.approach.as_mut()?, &decoding.decoder)))
        else {
            return self.decode(Some(&packet), position);
        };
        let at_ms = decoder.time(&packet);
        let Some(packets) = approach.take(packet, at_ms) else {
            return Ok(true);
        };
        let is_key = packets.first().is_some_and(Packet::is_key);
        if self.has_left_out && !is_key {
            // Nothing that comes can be decoded without what was left out.
            return Err(Error::Undecoded);
        }
        if let Some(decoding) = &mut self.decoding {
            decoding.approach = None;
        }
        for packet in packets {
            if !self.decode(Some(&packet), position)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends what one packet yields, or with `None` what the decoder still holds; whether more is wanted.
    fn decode(&mut self, packet: Option<&Packet>, position: u64) -> Result<bool, Error> {
        let Some(decoding) = &mut self.decoding else {
            return Ok(true);
        };
        let Decoding {
            decoder,
            pace,
            twin,
            given,
            ..
        } = decoding;
        if let Some(packet) = packet {
            let passes_over = pace.passes_over(packet, decoder);
            if let (true, Some((at_ms, _))) = (passes_over, decoder.time_and_step(packet)) {
                self.left_out_ms = self.left_out_ms.max(at_ms);
            }
            decoder.skim_next(passes_over);
        }
        let step_ms = decoder.step_ms();
        let (mut wanted, mut left) = (true, None);
        decoder.decode(packet, |mut frame, at_ms| {
            if !wanted || left.is_some() {
                return Ok(());
            }
            let given = given.as_mut().map(|given| given.reached(at_ms, step_ms));
            for gist in given.into_iter().flatten() {
                left = Some(gist.until_ms);
                let what = What::Made(Box::new(gist));
                wanted = self.sender.send(Fed { what, position }).is_ok();
            }
            if left.is_some() {
                return Ok(());
            }
            if !pace.keeps(at_ms) {
                self.left_out_ms = self.left_out_ms.max(at_ms);
                return Ok(());
            }
            self.sent_ms = at_ms;
            let what = if twin.repeats(&frame)? {
                What::Again(at_ms)
            } else {
                frame.set_pts(Some(at_ms));
                What::Picture(frame)
            };
            wanted = self.sender.send(Fed { what, position }).is_ok();
            Ok(())
        })?;
        self.has_left_out |= left.is_some();
        match left {
            Some(Some(seam_ms)) => decoding.go_on_at(seam_ms),
            Some(None) => self.decoding = None,
            None => {}
        }
        Ok(wanted)
    }

    fn send(&self, what: What, position: u64) -> bool {
        self.sender.send(Fed { what, position }).is_ok()
    }
}
