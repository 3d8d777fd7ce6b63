//! Sound of a class: decoded, placed by its times, encoded as Opus and as AAC, cut on the grid.

use std::borrow::Cow;
use std::sync::Arc;

use ffmpeg_next::format::Sample as Format;
use ffmpeg_next::format::sample::Type as Packing;
use ffmpeg_next::{Dictionary, Packet, codec, encoder, frame};
use millet_manifest::Kind;
use millet_manifest::live::{LiveRendition, Output};

use super::adts;
use super::decode::SoundDecoder;
use super::events;
use super::grid::{PART, Place, floor};
use super::ladder::{AAC, OPUS};
use super::shared::{Signs, Sink};
use super::voices::Voices;
use crate::boxes::{self, Entry, Sample, Track, fragment};
use crate::drift::{Drift, stretch};
use crate::error::{Error, libav};
use crate::raw;
use crate::resample::{RATE, Resampler};
use crate::sound;

const PER_MS: i64 = RATE as i64 / 1000;
/// Times that differ by more than this from where the sound goes on tell of a hole or of sound that comes twice,
/// milliseconds; what differs less is jitter, or corrected slowly.
const JITTER_MS: i64 = 80;
/// Longest silence that is made up at once, milliseconds.
const MOST_SILENCE_MS: i64 = 5_000;

static QUIET: [f32; 4_800] = [0.0; 4_800];

/// The sound of one run.
pub(crate) struct Sound {
    decoder: Option<SoundDecoder>,
    resampler: Resampler,
    /// Where the next sample stands on the timeline, counted in samples.
    position: i64,
    /// Sound goes on: its next frame follows the one before. Otherwise it begins exactly where its time says.
    goes_on: bool,
    drift: Drift,
    tracks: [Encoding; 2],
    voices: Voices,
    signs: Arc<Signs>,
}

impl Sound {
    pub(crate) fn open(start_ms: i64, signs: Arc<Signs>, sink: &Sink) -> Result<Self, Error> {
        Ok(Self {
            decoder: None,
            resampler: Resampler::default(),
            position: start_ms * PER_MS,
            goes_on: false,
            drift: Drift::default(),
            tracks: [
                Encoding::open(OPUS, start_ms, sink.clone())?,
                Encoding::open(AAC, start_ms, sink.clone())?,
            ],
            voices: Voices::default(),
            signs,
        })
    }

    /// Takes a packet of somebody who has the floor.
    pub(crate) fn voice(&mut self, speaker: u32, packet: &mut Packet) -> Result<(), Error> {
        if !self.voices.take(speaker, events::voice()?, packet)? {
            self.signs.damage();
        }
        Ok(())
    }

    /// How the renditions are announced, with their init segments.
    pub(crate) fn announce(&self) -> [(LiveRendition, Vec<u8>); 2] {
        [self.tracks[0].announce(), self.tracks[1].announce()]
    }

    /// Sound that follows is coded like this.
    pub(crate) fn configure(&mut self, parameters: codec::Parameters) -> Result<(), Error> {
        self.decoder = Some(SoundDecoder::open(parameters)?);
        self.goes_on = false;
        Ok(())
    }

    /// Takes a packet that begins at `at_ms`.
    pub(crate) fn take(&mut self, packet: &mut Packet, at_ms: i64) -> Result<(), Error> {
        let Some(mut decoder) = self.decoder.take() else {
            self.signs.damage();
            return Ok(());
        };
        let decoded = decoder.decode(packet, at_ms);
        self.decoder = Some(decoder);
        let (frames, damaged) = decoded;
        if damaged {
            self.signs.damage();
        }
        for (frame, at_ms) in frames {
            self.place(&frame, at_ms)?;
        }
        Ok(())
    }

    fn place(&mut self, frame: &frame::Audio, at_ms: i64) -> Result<(), Error> {
        // A form that cannot be resampled is as good as damaged.
        let Ok(mut samples) = self.resampler.convert(frame) else {
            self.signs.damage();
            return Ok(());
        };
        let ahead = at_ms.saturating_mul(PER_MS).saturating_sub(self.position);
        let tolerated = if self.goes_on { JITTER_MS * PER_MS } else { 0 };
        if ahead > tolerated {
            self.bridge(at_ms)?;
            self.drift.placed();
        } else if ahead < -tolerated {
            let late = usize::try_from(-ahead).unwrap_or(usize::MAX);
            samples.drain(..late.min(samples.len()));
            self.drift.placed();
        } else {
            let length = self.drift.length(samples.len(), ahead);
            samples = stretch(&samples, length);
        }
        if samples.is_empty() {
            return Ok(());
        }
        self.goes_on = true;
        self.push(&samples)?;
        self.signs.heard().mark(at_ms);
        Ok(())
    }

    /// Sound goes on at `at_ms`: a short hole becomes silence, whole parts without sound are left
    /// out unless pictures went on.
    fn bridge(&mut self, at_ms: i64) -> Result<(), Error> {
        let start_ms = floor(at_ms, PART);
        let begun = self.position > self.part_start() * PER_MS;
        if start_ms > self.part_start() + i64::from(begun) * PART {
            self.finish_part()?;
            self.keep_company(start_ms)?;
            self.position = self.position.max(start_ms * PER_MS);
        }
        self.silence(at_ms * PER_MS)
    }

    /// Silence in whole parts up to `until_ms`, as far as pictures were seen or somebody speaks: a
    /// player that has both stands still without one of them.
    fn keep_company(&mut self, until_ms: i64) -> Result<(), Error> {
        if self.decoder.is_none() && !self.voices.are_heard() {
            return Ok(());
        }
        // A microphone that joins late does not make silence of all that was before it.
        let earliest = floor(until_ms, PART) - MOST_SILENCE_MS;
        self.position = self.position.max(earliest * PER_MS);
        while self.part_start() + PART <= until_ms {
            let start_ms = self.part_start();
            let end = (start_ms + PART) * PER_MS;
            if self.signs.seen().any(start_ms, start_ms + PART) || self.voices.are_heard() {
                self.silence(end)?;
            } else {
                self.flush()?;
                self.position = end;
            }
        }
        self.flush()
    }

    /// What ends by `over_ms` was waited for long enough.
    pub(crate) fn wait(&mut self, over_ms: i64) -> Result<(), Error> {
        if self.part_start() + PART > over_ms {
            return Ok(());
        }
        self.goes_on = false;
        self.finish_part()?;
        self.keep_company(over_ms)
    }

    /// Ends the last part.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.finish_part()
    }

    /// Start of the part in which the next sample stands.
    fn part_start(&self) -> i64 {
        floor(self.position / PER_MS, PART)
    }

    /// Fills the part that was begun with silence and sends it.
    fn finish_part(&mut self) -> Result<(), Error> {
        let start = self.part_start() * PER_MS;
        if self.position > start {
            self.silence(start + PART * PER_MS)?;
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Error> {
        for track in &mut self.tracks {
            track.end_stretch(self.position)?;
        }
        Ok(())
    }

    fn silence(&mut self, until: i64) -> Result<(), Error> {
        while self.position < until {
            let part = (until - self.position).min(QUIET.len() as i64);
            self.push(&QUIET[..usize::try_from(part).unwrap_or(0)])?;
        }
        Ok(())
    }

    fn push(&mut self, samples: &[f32]) -> Result<(), Error> {
        let mut mixed = Cow::Borrowed(samples);
        if self.voices.pass(samples.len()) && self.voices.mix(mixed.to_mut()) {
            self.signs.heard().mark(self.position / PER_MS);
        }
        for track in &mut self.tracks {
            track.take(&mixed, self.position)?;
        }
        self.position += i64::try_from(samples.len()).unwrap_or(0);
        Ok(())
    }
}

/// One of the two encodings.
struct Encoding {
    rendition: u8,
    place: Place,
    sink: Sink,
    encoder: encoder::audio::Encoder,
    frame_size: usize,
    /// Absent between two stretches of sound.
    stretch: Option<Stretch>,
    /// Start of the chunk that is being filled, and its frames.
    begun: Option<(i64, Vec<Sample>)>,
}

/// Sound without a hole: one life of an encoder.
struct Stretch {
    /// Where its first sample stands, counted in samples.
    start: i64,
    /// Frames that came out.
    made: i64,
    /// Samples at the start that are left out, see [`Encoding::take`].
    skip: usize,
    waiting: Vec<f32>,
    sent: i64,
}

impl Encoding {
    fn open(rendition: u8, start_ms: i64, sink: Sink) -> Result<Self, Error> {
        let encoder = encoder(rendition)?;
        Ok(Self {
            rendition,
            place: Place::new(rendition, start_ms),
            sink,
            frame_size: usize::try_from(encoder.frame_size()).unwrap_or(1).max(1),
            encoder,
            stretch: None,
            begun: None,
        })
    }

    fn announce(&self) -> (LiveRendition, Vec<u8>) {
        let (id, codec, peak_bps, entry) = if self.rendition == OPUS {
            ("opus16", "opus", 24_000, Entry::Opus)
        } else {
            let configuration = raw::extradata(&self.encoder);
            ("aac24", "mp4a.40.2", 36_000, Entry::Aac { configuration })
        };
        let init = boxes::init(&Track {
            timescale: RATE,
            sample_duration: u32::try_from(self.frame_size).unwrap_or(0),
            entry,
        });
        let rendition = LiveRendition {
            id: id.into(),
            kind: Kind::Audio,
            codec: codec.into(),
            width: 0,
            height: 0,
            frame_rate_milli: 0,
            sample_rate: RATE,
            channels: 1,
            peak_bps,
        };
        (rendition, init)
    }

    /// Encodes samples of which the first stands at `at`.
    ///
    /// The encoder puts samples of its own before the first. As many of ours are left out at the
    /// start of a stretch, so what is decoded for a moment is what was heard then, and the first
    /// frame begins on the grid.
    fn take(&mut self, samples: &[f32], at: i64) -> Result<(), Error> {
        if self.stretch.is_none() {
            // One that has ended gives nothing more.
            self.encoder = encoder(self.rendition)?;
            self.stretch = Some(Stretch {
                start: at,
                made: 0,
                skip: usize::try_from(raw::initial_padding(&self.encoder)).unwrap_or(0),
                waiting: Vec::new(),
                sent: 0,
            });
        }
        let Some(stretch) = &mut self.stretch else {
            return Ok(());
        };
        let skipped = stretch.skip.min(samples.len());
        stretch.skip -= skipped;
        stretch.waiting.extend_from_slice(&samples[skipped..]);
        while let Some(stretch) = &mut self.stretch {
            if stretch.waiting.len() < self.frame_size {
                break;
            }
            let samples: Vec<f32> = stretch.waiting.drain(..self.frame_size).collect();
            let frame = sound::frame_of(&self.encoder, &samples, stretch.sent);
            stretch.sent += samples.len() as i64;
            self.encoder
                .send_frame(&frame)
                .map_err(libav("encode the sound"))?;
            self.collect()?;
        }
        Ok(())
    }

    fn collect(&mut self) -> Result<(), Error> {
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => self.frame(packet.data().unwrap_or_default().to_vec())?,
                Err(ffmpeg_next::Error::Eof) => return Ok(()),
                Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => {
                    return Ok(());
                }
                Err(error) => return Err(libav("encode the sound")(error)),
            }
        }
    }

    /// A frame came out: it belongs to the part in which it begins.
    fn frame(&mut self, data: Vec<u8>) -> Result<(), Error> {
        let Some(stretch) = &mut self.stretch else {
            return Ok(());
        };
        let size = self.frame_size as i64;
        let at = stretch.start + stretch.made * size;
        stretch.made += 1;
        let sample = Sample {
            duration: u32::try_from(size).unwrap_or(0),
            offset: 0,
            data,
        };
        self.begun.get_or_insert((at, Vec::new())).1.push(sample);
        let end_ms = floor(at / PER_MS, PART) + PART;
        if at + size >= end_ms * PER_MS {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some((at, samples)) = self.begun.take() else {
            return Ok(());
        };
        let start_ms = floor(at / PER_MS, PART);
        if self.rendition == AAC {
            let data = samples.iter().flat_map(|s| adts::frame(&s.data)).collect();
            let start_ms = u64::try_from(start_ms).unwrap_or(0);
            self.sink.send(Output::Adts { start_ms, data })?;
        }
        let time = u64::try_from(at).unwrap_or(0);
        let data = fragment(Place::number(start_ms), time, None, &samples);
        self.sink
            .chunk(self.place.chunk(start_ms, PART, true, data))
    }

    /// Brings out every frame that begins before `end`, which is on the grid; what follows is
    /// another stretch.
    fn end_stretch(&mut self, end: i64) -> Result<(), Error> {
        let size = self.frame_size as i64;
        while let Some(stretch) = &self.stretch
            && stretch.start + stretch.made * size < end
        {
            self.take(&QUIET[..self.frame_size], end)?;
        }
        self.stretch = None;
        self.begun = None;
        Ok(())
    }
}

/// Opus for speech (RFC 6716), 16 kbit/s in frames of 20 ms, or AAC-LC (ISO/IEC 14496-3) at
/// 24 kbit/s.
fn encoder(rendition: u8) -> Result<encoder::audio::Encoder, Error> {
    let mut options = Dictionary::new();
    if rendition == OPUS {
        options.set("application", "voip");
        options.set("frame_duration", "20");
        options.set("vbr", "on");
        let format = Format::F32(Packing::Packed);
        sound::open("libopus", 16_000, format, options)
    } else {
        let format = Format::F32(Packing::Planar);
        sound::open("aac", 24_000, format, options)
    }
}
