//! Voices of learners who have the floor, mixed into the sound of the class.
//!
//! They come over links of their own and without times: each is kept for a moment, so that jitter does not
//! tear it, and then runs with whatever sound of the class is made next.

use std::collections::VecDeque;

use ffmpeg_next::{Packet, codec};

use super::decode::SoundDecoder;
use crate::error::Error;
use crate::resample::{RATE, Resampler};

/// Voices that sound together; a class is no choir.
const MOST_VOICES: usize = 4;
/// A voice begins when this much of it is there, and again after it ran dry, samples.
const BEFORE_IT_SOUNDS: usize = RATE as usize / 8;
/// A voice that is this far ahead of the class's sound is cut, samples: it came in a flood after a stall.
const MOST_WAITING: usize = 3 * RATE as usize;

/// See the module.
#[derive(Default)]
pub(crate) struct Voices {
    /// In the order in which they were heard first.
    voices: Vec<Voice>,
}

struct Voice {
    speaker: u32,
    decoder: SoundDecoder,
    resampler: Resampler,
    waiting: VecDeque<f32>,
    sounds: bool,
}

impl Voices {
    /// Takes a packet of a speaker; whether it could be used.
    pub(crate) fn take(
        &mut self,
        speaker: u32,
        parameters: codec::Parameters,
        packet: &mut Packet,
    ) -> Result<bool, Error> {
        let voice = match self
            .voices
            .iter()
            .position(|voice| voice.speaker == speaker)
        {
            Some(known) => &mut self.voices[known],
            None => {
                self.voices.retain(Voice::is_heard);
                if self.voices.len() == MOST_VOICES {
                    return Ok(false);
                }
                self.voices.push(Voice {
                    speaker,
                    decoder: SoundDecoder::open(parameters)?,
                    resampler: Resampler::default(),
                    waiting: VecDeque::new(),
                    sounds: false,
                });
                let last = self.voices.len() - 1;
                &mut self.voices[last]
            }
        };
        Ok(voice.take(packet))
    }

    /// Whether anything waits to be heard.
    pub(crate) fn are_heard(&self) -> bool {
        self.voices.iter().any(Voice::is_heard)
    }

    /// Adds what waits to the sound that goes out next; whether something was added.
    pub(crate) fn mix(&mut self, samples: &mut [f32]) -> bool {
        let mut mixed = false;
        for voice in &mut self.voices {
            mixed |= voice.mix(samples);
        }
        mixed
    }
}

impl Voice {
    fn take(&mut self, packet: &mut Packet) -> bool {
        let (frames, damaged) = self.decoder.decode(packet, 0);
        let mut usable = !damaged;
        for (frame, _) in frames {
            match self.resampler.convert(&frame) {
                Ok(samples) => self.waiting.extend(samples),
                Err(_) => usable = false,
            }
        }
        let over = self.waiting.len().saturating_sub(MOST_WAITING);
        self.waiting.drain(..over);
        self.sounds |= self.waiting.len() >= BEFORE_IT_SOUNDS;
        usable
    }

    fn is_heard(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn mix(&mut self, samples: &mut [f32]) -> bool {
        if !self.sounds {
            return false;
        }
        let count = self.waiting.len().min(samples.len());
        for (sample, voice) in samples.iter_mut().zip(self.waiting.drain(..count)) {
            *sample = (*sample + voice).clamp(-1.0, 1.0);
        }
        self.sounds = count == samples.len();
        count > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(waiting: usize) -> Voices {
        let parameters = crate::live::events::voice().unwrap();
        Voices {
            voices: vec![Voice {
                speaker: 7,
                decoder: SoundDecoder::open(parameters).unwrap(),
                resampler: Resampler::default(),
                waiting: vec![0.25; waiting].into(),
                sounds: waiting >= BEFORE_IT_SOUNDS,
            }],
        }
    }

    #[test]
    fn a_voice_is_added_and_never_louder_than_full() {
        let mut voices = voice(BEFORE_IT_SOUNDS);
        let mut samples = [0.5; 960];
        assert!(voices.mix(&mut samples));
        assert!(samples.iter().all(|sample| (sample - 0.75).abs() < 1e-6));
        let mut loud = [0.9; 960];
        assert!(voices.mix(&mut loud));
        assert!(loud.iter().all(|sample| (sample - 1.0).abs() < 1e-6));
    }

    #[test]
    fn a_voice_that_ran_dry_waits_until_it_is_there_again() {
        let mut voices = voice(BEFORE_IT_SOUNDS);
        let mut samples = vec![0.0; BEFORE_IT_SOUNDS + 1];
        assert!(voices.mix(&mut samples));
        assert!(!voices.are_heard());
        voices.voices[0].waiting.extend([0.25; 960]);
        assert!(!voices.mix(&mut [0.0; 960]), "a scrap would crackle");
        assert!(voices.are_heard());
    }
}
