//! Takes a `WebM`, fragmented MP4 or FLV stream apart while it comes in.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ffmpeg_next::format::context::{Input, StreamIo};
use ffmpeg_next::{Dictionary, Packet, Rational, Rescale as _, format, media};
use millet_manifest::BadInput;

use super::events::{Coded, Event};
use crate::error::{Error, bad, libav};
use crate::limits;

const MICROSECONDS: Rational = Rational(1, 1_000_000);
/// Pieces that wait to be taken apart.
const WAITING: usize = 4;
/// A stream that yields no packet over so many bytes is none.
const MOST_BARREN: usize = 8 << 20;
/// Damaged packets in a row after which the rest is taken for damaged too.
const MOST_DAMAGED: u32 = 200;

/// Starts the thread that takes the stream apart; pieces go into what is returned.
pub(crate) fn start(events: SyncSender<Event>) -> Result<SyncSender<Vec<u8>>, Error> {
    let (sender, pieces) = sync_channel(WAITING);
    std::thread::Builder::new()
        .name("container".into())
        .spawn(move || {
            let last = match take_apart(pieces, &events) {
                Ok(()) => Event::End,
                Err(error) => Event::Broken(error),
            };
            // Nobody listens when the run has ended already.
            let _ = events.send(last);
        })?;
    Ok(sender)
}

/// The pieces as one stream of bytes.
struct Stream {
    pieces: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    used: usize,
    /// Bytes that were read since the last packet.
    barren: Arc<AtomicUsize>,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.used == self.piece.len() {
            match self.pieces.recv() {
                Ok(piece) => (self.piece, self.used) = (piece, 0),
                Err(_) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len() - self.used);
        if self.barren.fetch_add(count, Ordering::Relaxed) > MOST_BARREN {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        buffer[..count].copy_from_slice(&self.piece[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}

fn take_apart(pieces: Receiver<Vec<u8>>, events: &SyncSender<Event>) -> Result<(), Error> {
    let barren = Arc::new(AtomicUsize::new(0));
    let stream = Stream {
        pieces,
        piece: Vec::new(),
        used: 0,
        barren: barren.clone(),
    };
    let mut input = open(stream)?;
    let mut chosen = Chosen::default();
    let mut damaged = 0;
    loop {
        let mut packet = Packet::empty();
        match packet.read(&mut input) {
            Ok(()) => damaged = 0,
            Err(ffmpeg_next::Error::Eof) if barren.load(Ordering::Relaxed) <= MOST_BARREN => {
                return Ok(());
            }
            Err(_) => {
                damaged += 1;
                if damaged > MOST_DAMAGED || barren.load(Ordering::Relaxed) > MOST_BARREN {
                    return Err(bad(
                        BadInput::Truncated,
                        "The stream is damaged beyond use.",
                    ));
                }
                continue;
            }
        }
        barren.store(0, Ordering::Relaxed);
        let Some(coded) = chosen.take(&input, packet, events) else {
            continue;
        };
        // The run has ended, whatever the stream still holds.
        if events.send(coded).is_err() {
            return Ok(());
        }
    }
}

fn open(stream: Stream) -> Result<Input, Error> {
    let io = StreamIo::from_read(stream).map_err(libav("open the stream"))?;
    let mut options = Dictionary::new();
    options.set("format_whitelist", limits::LIVE_DEMUXERS);
    options.set("codec_whitelist", limits::LIVE_DECODERS);
    options.set("protocol_whitelist", "none");
    options.set("max_streams", &limits::MOST_STREAMS.to_string());
    // What is looked at first is looked at before the first chunk leaves.
    options.set("probesize", "131072");
    options.set("analyzeduration", "200000");
    options.set("fpsprobesize", "0");
    format::input_from_stream(io, None, Some(options)).map_err(|_| {
        bad(
            BadInput::NotMedia,
            "What is sent is neither WebM nor fragmented MP4 nor FLV.",
        )
    })
}

/// The first stream of each kind that yields a packet.
#[derive(Default)]
struct Chosen {
    video: Option<usize>,
    audio: Option<usize>,
}

impl Chosen {
    /// The packet as an event, if it is of a chosen stream. Announces a stream that is new.
    fn take(&mut self, input: &Input, packet: Packet, events: &SyncSender<Event>) -> Option<Event> {
        let index = packet.stream();
        let stream = input.stream(index)?;
        let parameters = stream.parameters();
        let (place, announce): (_, fn(_) -> Event) = match parameters.medium() {
            media::Type::Video => (&mut self.video, Event::Video),
            media::Type::Audio => (&mut self.audio, Event::Audio),
            _ => return None,
        };
        if place.is_none() {
            *place = Some(index);
            events.send(announce(parameters.clone())).ok()?;
        }
        if *place != Some(index) {
            return None;
        }
        let time = packet.pts().or(packet.dts())?;
        let coded = Coded {
            timestamp_us: time.rescale(stream.time_base(), MICROSECONDS),
            key: packet.is_key(),
            packet,
        };
        Some(match parameters.medium() {
            media::Type::Video => Event::Picture(coded),
            _ => Event::Sound(coded),
        })
    }
}
