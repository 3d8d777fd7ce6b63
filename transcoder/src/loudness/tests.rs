//! Levels, peaks and what is taken for a voice.

use super::level::{CEILING, HighPass, LOWEST_HZ};
use super::*;

/// Half a second of a tone, half a second of nothing, and so on.
fn syllables(level: f32, hertz: f32, seconds: usize) -> Vec<f32> {
    let rate = RATE as usize;
    (0..seconds * rate)
        .map(|n| {
            #[allow(clippy::cast_precision_loss)]
            let phase = n as f32 / RATE as f32 * hertz * std::f32::consts::TAU;
            let on = (n / (rate / 4)).is_multiple_of(2);
            if on { phase.sin() * level } else { 0.0 }
        })
        .collect()
}

fn heard(samples: &[f32]) -> SoundSigns {
    let mut ear = Ear::new().unwrap();
    ear.hear(samples).unwrap();
    ear.verdict().unwrap()
}

fn levelled(signs: SoundSigns, samples: &[f32]) -> Vec<f32> {
    let mut leveller = Leveller::new(Some(signs));
    let mut out = leveller.pass(samples).to_vec();
    out.extend_from_slice(leveller.end());
    out
}

#[test]
fn a_soft_voice_comes_out_at_the_common_level() {
    let soft = syllables(0.04, 300.0, 6);
    let signs = heard(&soft);
    assert_eq!(signs.kind, SoundKind::Speech);
    let out = levelled(signs, &soft);
    assert_eq!(out.len(), soft.len());
    let after = heard(&out);
    assert!((after.loudness_tenths + 190).abs() <= 5, "{after:?}");
}

#[test]
fn peaks_stay_below_the_ceiling_and_nothing_moves() {
    let mut samples = syllables(0.05, 300.0, 4);
    samples[100_000] = 0.9;
    let signs = heard(&samples);
    assert!(signs.gain_tenths > 0);
    let out = levelled(signs, &samples);
    assert!(out.iter().all(|sample| sample.abs() <= CEILING));
    let loudest = out
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    assert!(loudest.unwrap().0.abs_diff(100_000) <= 2);
}

#[test]
fn a_steady_tone_is_no_voice_and_silence_stays_silent() {
    let tone: Vec<f32> = syllables(0.1, 440.0, 6)
        .chunks(24_000)
        .flat_map(|pair| [&pair[..12_000]; 2].concat())
        .collect();
    assert_eq!(heard(&tone).kind, SoundKind::Music);
    assert_eq!(heard(&vec![0.0; 96_000]).kind, SoundKind::Silence);
    assert_eq!(heard(&vec![0.0; 96_000]).gain_tenths, 0);
}

#[test]
fn a_rumble_below_every_voice_is_taken_out() {
    let mut filter = HighPass::new(LOWEST_HZ);
    let mut level = |hertz: f32| {
        let tone = syllables(1.0, hertz, 1);
        let out: Vec<f32> = tone.iter().map(|sample| filter.pass(*sample)).collect();
        out[6_000..12_000]
            .iter()
            .fold(0.0_f32, |most, sample| most.max(sample.abs()))
    };
    assert!(level(20.0) < 0.1);
    assert!(level(300.0) > 0.9);
}
