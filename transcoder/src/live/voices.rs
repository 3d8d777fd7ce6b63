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
/// Who sends nothing while so many samples of the class go out has ended: 300 ms.
const PATIENCE: usize = 3 * RATE as usize / 10;

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
    /// Samples of the class since this voice's last packet.
    quiet: usize,
}

impl Voices {
    /// Takes a packet of a speaker; whether it could be used.
    pub(crate) fn take(
        &mut self,
        speaker: u32,
        parameters: codec::Parameters,
        packet: &mut Packet,
    ) -> Result<bool, Error> {
        let known = self.voices.iter().position(|v| v.speaker == speaker);
        if let Some(known) = known {
            return Ok(self.voices[known].take(packet));
        }
        if !self.make_room() {
            return Ok(false);
        }
        let mut voice = Voice {
            speaker,
            decoder: SoundDecoder::open(parameters)?,
            resampler: Resampler::default(),
            waiting: VecDeque::new(),
            sounds: false,
            quiet: 0,
        };
        let usable = voice.take(packet);
        self.voices.push(voice);
        Ok(usable)
    }

    /// Where all places are taken, the voice goes that is silent for longest; `false` where none is.
    fn make_room(&mut self) -> bool {
        if self.voices.len() < MOST_VOICES {
            return true;
        }
        let silent = self.voices.iter().enumerate();
        let silent = silent.filter(|(_, voice)| !voice.is_heard());
        let longest = silent.max_by_key(|(_, voice)| voice.quiet);
        let Some(longest) = longest.map(|(at, _)| at) else {
            return false;
        };
        self.voices.remove(longest);
        true
    }

    /// Whether anything waits to be heard.
    pub(crate) fn are_heard(&self) -> bool {
        self.voices.iter().any(Voice::is_heard)
    }

    /// So many samples of the class go out next; whether voices sound in them. Those that said nothing for a while
    /// are heard to their end, and gone.
    pub(crate) fn pass(&mut self, samples: usize) -> bool {
        for voice in &mut self.voices {
            voice.pass(samples);
        }
        self.voices.retain(|voice| !voice.is_gone());
        self.voices.iter().any(|voice| voice.sounds)
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
        self.quiet = 0;
        usable
    }

    fn is_heard(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A word that was too short to begin is heard once nothing more comes.
    fn pass(&mut self, samples: usize) {
        self.quiet = self.quiet.saturating_add(samples);
        self.sounds |= self.has_ended() && self.is_heard();
    }

    fn has_ended(&self) -> bool {
        self.quiet > PATIENCE
    }

    fn is_gone(&self) -> bool {
        self.has_ended() && !self.is_heard()
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

    fn speaker(speaker: u32, waiting: usize) -> Voice {
        let parameters = crate::live::events::voice().unwrap();
        Voice {
            speaker,
            decoder: SoundDecoder::open(parameters).unwrap(),
            resampler: Resampler::default(),
            waiting: vec![0.25; waiting].into(),
            sounds: waiting >= BEFORE_IT_SOUNDS,
            quiet: 0,
        }
    }

    fn voice(waiting: usize) -> Voices {
        Voices {
            voices: vec![speaker(7, waiting)],
        }
    }

    /// Lets so much of a silent class go out; how many samples were heard in it.
    fn go_on(voices: &mut Voices, samples: usize) -> usize {
        let mut heard = 0;
        for _ in 0..samples / 960 {
            let mut out = [0.0; 960];
            if voices.pass(out.len()) {
                voices.mix(&mut out);
            }
            heard += out.iter().filter(|sample| **sample > 0.1).count();
        }
        heard
    }

    /// A packet of Opus that holds 20 ms of silence.
    fn packet() -> Packet {
        crate::live::decode::packet(&[0xf8, 0xff, 0xfe], true)
    }

    fn take(voices: &mut Voices, speaker: u32) -> bool {
        let parameters = crate::live::events::voice().unwrap();
        voices.take(speaker, parameters, &mut packet()).unwrap()
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
        assert_eq!(go_on(&mut voices, BEFORE_IT_SOUNDS + 960), BEFORE_IT_SOUNDS);
        assert!(!voices.are_heard());
        voices.voices[0].waiting.extend([0.25; 960]);
        voices.voices[0].quiet = 0;
        assert_eq!(go_on(&mut voices, 4_800), 0, "a scrap would crackle");
        assert!(take(&mut voices, 7), "more of it comes");
        assert_eq!(go_on(&mut voices, PATIENCE - 960), 0);
    }

    #[test]
    fn a_word_too_short_to_begin_is_heard_when_nothing_follows_and_then_is_gone() {
        let mut voices = voice(3_000);
        assert_eq!(go_on(&mut voices, PATIENCE), 0);
        assert!(voices.are_heard());
        assert_eq!(go_on(&mut voices, 4_800), 3_000);
        assert!(!voices.are_heard() && voices.voices.is_empty());
    }

    #[test]
    fn a_voice_between_two_packets_keeps_its_place() {
        let mut voices = voice(BEFORE_IT_SOUNDS);
        for _ in 0..50 {
            go_on(&mut voices, PATIENCE / 2);
            assert!(take(&mut voices, 7));
            assert_eq!(voices.voices.len(), 1);
        }
    }

    #[test]
    fn who_speaks_takes_the_place_of_who_is_silent_for_longest() {
        let mut voices = Voices {
            voices: (0..4).map(|n| speaker(n, 960)).collect(),
        };
        assert!(!take(&mut voices, 9), "four are about to be heard");
        for (voice, quiet) in voices.voices.iter_mut().zip([960, 4_800, 9_600, 0]) {
            voice.quiet = quiet;
            voice.waiting.truncate(if quiet == 9_600 { 960 } else { 0 });
        }
        assert!(take(&mut voices, 9));
        let speakers: Vec<u32> = voices.voices.iter().map(|v| v.speaker).collect();
        assert_eq!(speakers, [0, 2, 3, 9]);
    }
}
