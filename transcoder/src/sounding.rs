//! One encoding of the sound: made once and whole, cut where the pictures are.

use std::collections::VecDeque;

use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type as Packing;
use ffmpeg_next::{Dictionary, Packet, encoder};
use millet_manifest::{FileRef, Kind, Rendition, Segment};

use crate::boxes::{self, Entry, Track};
use crate::error::{Error, libav};
use crate::fragments::{Form, Timed, part};
use crate::raw;
use crate::resample::RATE;
use crate::sound::{PER_MS, frame_of, open};
use crate::store::Store;

/// The first chunk of a segment is as long as one of pictures, so that playing begins as early; the
/// others are longer, since boxes around a little sound cost a tenth of it. Milliseconds.
const FIRST_CHUNK_MS: i64 = 2_000;
const CHUNK_MS: i64 = 7_000;

const SOUND: Form = Form {
    per_ms: PER_MS,
    all_keys: true,
};

/// One encoding of the sound.
pub(crate) struct SoundEncoder {
    pub(crate) id: &'static str,
    pub(crate) codec: &'static str,
    encoder: encoder::audio::Encoder,
    frame_size: usize,
    waiting: Vec<f32>,
    next: i64,
    padding: i64,
    /// Samples at the beginning that are left out, see [`SoundEncoder::settle`].
    skip: usize,
    store: Store,
    init: FileRef,
    /// Encoded, but not yet known to which segment they belong.
    packets: VecDeque<Packet>,
    /// Cuts that no packet has reached yet, milliseconds.
    cuts: VecDeque<i64>,
    begun_ms: i64,
    /// Of the segment that was begun.
    samples: Vec<Timed>,
    segments: Vec<Segment>,
}

/// A rendition of the sound.
pub(crate) struct Sounded {
    pub(crate) id: &'static str,
    pub(crate) codec: &'static str,
    pub(crate) init: FileRef,
    pub(crate) segments: Vec<Segment>,
}

impl SoundEncoder {
    /// Opus (RFC 6716), 60 ms frames, two in a packet since boxes count packets: 12 kbit/s for
    /// speech, 24 for anything else.
    pub(crate) fn opus(store: &Store, speech: bool) -> Result<Self, Error> {
        let mut options = Dictionary::new();
        options.set("application", if speech { "voip" } else { "audio" });
        options.set("frame_duration", "120");
        options.set("vbr", "on");
        let format = Sample::F32(Packing::Packed);
        let (id, bit_rate) = if speech {
            ("opus12", 12_000)
        } else {
            ("opus24", 24_000)
        };
        let encoder = open("libopus", bit_rate, format, options)?;
        Self::begin(id, "opus", encoder, store)
    }

    /// AAC-LC (ISO/IEC 14496-3), 32 kbit/s, for players that know nothing else.
    pub(crate) fn aac(store: &Store, speech: bool) -> Result<Self, Error> {
        let mut options = Dictionary::new();
        // Of speech it is the better search as well (PESQ 2.89 to 2.68, 3.93 to 3.57); of music the worse.
        options.set("aac_coder", if speech { "fast" } else { "twoloop" });
        let format = Sample::F32(Packing::Planar);
        let encoder = open("aac", 32_000, format, options)?;
        Self::begin("aac32", "mp4a.40.2", encoder, store)
    }

    fn begin(
        id: &'static str,
        codec: &'static str,
        encoder: encoder::audio::Encoder,
        store: &Store,
    ) -> Result<Self, Error> {
        store.begin(id)?;
        let padding = raw::initial_padding(&encoder);
        let entry = if codec == "opus" {
            Entry::Opus
        } else {
            let configuration = raw::extradata(&encoder);
            Entry::Aac { configuration }
        };
        // At once: what is finished can be played while the rest is made.
        let init = boxes::init(&Track {
            timescale: RATE,
            sample_duration: encoder.frame_size().max(1),
            entry,
        });
        Ok(Self {
            id,
            codec,
            init: store.init(id, &init)?,
            frame_size: encoder.frame_size().max(1) as usize,
            padding,
            skip: usize::try_from(padding).unwrap_or(0),
            store: store.clone(),
            encoder,
            waiting: Vec::new(),
            next: 0,
            packets: VecDeque::new(),
            cuts: VecDeque::new(),
            begun_ms: 0,
            samples: Vec::new(),
            segments: Vec::new(),
        })
    }

    /// What it makes, without its segments.
    pub(crate) fn rendition(&self) -> Rendition {
        Rendition {
            id: self.id.to_owned(),
            kind: Kind::Audio,
            codec: self.codec.to_owned(),
            width: 0,
            height: 0,
            frame_rate_milli: 0,
            sample_rate: RATE,
            channels: 1,
            average_bps: 0,
            peak_bps: 0,
            init: self.init.clone(),
            segments: Vec::new(),
        }
    }

    /// Encodes samples.
    pub(crate) fn take(&mut self, samples: &[f32]) -> Result<(), Error> {
        let skipped = self.skip.min(samples.len());
        self.skip -= skipped;
        self.waiting.extend_from_slice(&samples[skipped..]);
        while self.waiting.len() >= self.frame_size {
            let frame: Vec<f32> = self.waiting.drain(..self.frame_size).collect();
            self.encode(&frame)?;
        }
        Ok(())
    }

    fn encode(&mut self, samples: &[f32]) -> Result<(), Error> {
        let frame = frame_of(&self.encoder, samples, self.next);
        self.next += i64::try_from(samples.len()).unwrap_or(0);
        self.encoder
            .send_frame(&frame)
            .map_err(libav("encode the sound"))?;
        self.collect()
    }

    fn collect(&mut self) -> Result<(), Error> {
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => self.packets.push_back(packet),
                Err(ffmpeg_next::Error::Eof) => return Ok(()),
                Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => {
                    return Ok(());
                }
                Err(error) => return Err(libav("encode the sound")(error)),
            }
        }
    }

    /// Every rung begins a segment at `at_ms`.
    pub(crate) fn cut(&mut self, at_ms: i64) {
        self.cuts.push_back(at_ms);
    }

    /// Every cut before `until_ms` is known: writes the packets that begin before it. A packet
    /// belongs to the segment in which it begins. Gives back the segments that were ended.
    pub(crate) fn settle(&mut self, until_ms: i64) -> Result<Vec<(usize, Segment)>, Error> {
        let before = self.segments.len();
        while let Some(packet) = self.packets.front() {
            // The encoder puts samples of its own before the first. As many of ours are left out at
            // the start and the times moved by their number, so what is heard at a moment is what
            // was recorded then, without an edit list that players read differently.
            let at = packet.pts().unwrap_or(0) + self.padding;
            if at >= until_ms.saturating_mul(PER_MS) {
                break;
            }
            let data = packet.data().unwrap_or_default().to_vec();
            self.packets.pop_front();
            if let Some(cut) = self.cuts.front().copied().filter(|cut| at / PER_MS >= *cut) {
                self.cuts.pop_front();
                self.close(cut)?;
            }
            self.samples.push(Timed {
                decoded: at,
                shown: at,
                duration: i64::try_from(self.frame_size).unwrap_or(0),
                data,
            });
        }
        let ended = self.segments.iter().cloned().enumerate();
        Ok(ended.skip(before).collect())
    }

    /// Ends the segment that was begun at `end_ms`, where the next one begins.
    fn close(&mut self, end_ms: i64) -> Result<(), Error> {
        let samples = std::mem::take(&mut self.samples);
        let (mut starts, mut begun, mut length) = (Vec::new(), 0, 0);
        for (index, sample) in samples.iter().enumerate() {
            if index == 0 || sample.decoded >= begun + length {
                length = PER_MS * if index == 0 { FIRST_CHUNK_MS } else { CHUNK_MS };
                begun = sample.decoded;
                starts.push(index);
            }
        }
        let end = samples
            .last()
            .map_or(0, |last| last.decoded + last.duration);
        let parted = part(SOUND, samples, &starts, end)?;
        let (times, bytes) = ((self.begun_ms, end_ms), &parted.bytes);
        let segment = self.store.segment(self.id, times, bytes, parted.chunks)?;
        self.segments.push(segment);
        self.begun_ms = end_ms;
        Ok(())
    }

    /// Ends the encoding and writes what is left; what the encoder adds behind `end_ms` to empty
    /// itself is not.
    pub(crate) fn finish(mut self, end_ms: i64) -> Result<Sounded, Error> {
        if !self.waiting.is_empty() {
            let mut last = std::mem::take(&mut self.waiting);
            last.resize(self.frame_size, 0.0);
            self.encode(&last)?;
        }
        self.encoder.send_eof().map_err(libav("end the encoder"))?;
        self.collect()?;
        self.settle(end_ms)?;
        if let Some(last) = self.samples.last_mut() {
            last.duration = (end_ms * PER_MS - last.decoded).clamp(1, last.duration);
        }
        self.close(end_ms)?;
        Ok(Sounded {
            id: self.id,
            codec: self.codec,
            init: self.init,
            segments: self.segments,
        })
    }
}
