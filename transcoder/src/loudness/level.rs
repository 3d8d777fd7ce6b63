//! Gain, a high-pass filter for voices, and a limiter that looks ahead.

use std::collections::VecDeque;

use millet_manifest::{SoundKind, SoundSigns};

use crate::resample::RATE;

/// No sample goes above this: one decibel below full scale between samples leaves about two at them.
pub(super) const CEILING: f32 = 0.794;
/// How far the limiter looks ahead, samples: 5 ms.
const AHEAD: usize = 240;
/// Time after which the limiter has let go by two thirds, samples: 80 ms.
const RELEASE: f32 = 3_840.0;
/// Voices have nothing below this, hertz; fans and hands at the microphone have.
pub(super) const LOWEST_HZ: f64 = 80.0;

/// Brings samples to the wanted level and keeps them below the ceiling; nothing is moved in time.
pub(crate) struct Leveller {
    gain: f32,
    high_pass: Option<HighPass>,
    /// Samples that the limiter looks at before they go out.
    ahead: VecDeque<f32>,
    /// By how much it holds down at the moment.
    held: f32,
    /// Zeros in front, which never go out.
    skip: usize,
    out: Vec<f32>,
}

impl Leveller {
    pub(crate) fn new(signs: Option<SoundSigns>) -> Self {
        let tenths = signs.map_or(0, |signs| signs.gain_tenths);
        #[allow(clippy::cast_possible_truncation, reason = "a gain of a few decibels")]
        let gain = 10_f64.powf(f64::from(tenths) / 200.0) as f32;
        let speech = signs.is_some_and(|signs| signs.kind == SoundKind::Speech);
        Self {
            gain,
            high_pass: speech.then(|| HighPass::new(LOWEST_HZ)),
            ahead: std::iter::repeat_n(0.0, AHEAD).collect(),
            held: 1.0,
            skip: AHEAD,
            out: Vec::new(),
        }
    }

    /// As many samples come out as went in, but for those that it looks at.
    pub(crate) fn pass(&mut self, samples: &[f32]) -> &[f32] {
        self.out.clear();
        for sample in samples {
            let sample = match &mut self.high_pass {
                Some(filter) => filter.pass(*sample),
                None => *sample,
            };
            self.step(sample * self.gain);
        }
        &self.out
    }

    /// The last ones.
    pub(crate) fn end(&mut self) -> &[f32] {
        self.out.clear();
        for _ in 0..AHEAD {
            self.step(0.0);
        }
        &self.out
    }

    fn step(&mut self, sample: f32) {
        self.ahead.push_back(sample);
        let needed = CEILING / sample.abs().max(CEILING);
        if needed < self.held {
            // Reached by the time this sample goes out, and gently.
            #[allow(clippy::cast_precision_loss, reason = "240")]
            let step = (self.held - needed) / AHEAD as f32;
            self.held -= step.max((self.held - needed) * 0.02);
        } else {
            self.held += (1.0 - self.held) / RELEASE;
        }
        let Some(leaving) = self.ahead.pop_front() else {
            return;
        };
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        // What the gentle way down did not reach is cut off; that is rare and short.
        self.out
            .push((leaving * self.held).clamp(-CEILING, CEILING));
    }
}

/// Second-order Butterworth filter (RBJ Audio EQ Cookbook).
pub(super) struct HighPass {
    b: [f32; 3],
    a: [f32; 2],
    x: [f32; 2],
    y: [f32; 2],
}

impl HighPass {
    pub(super) fn new(hertz: f64) -> Self {
        let w = std::f64::consts::TAU * hertz / f64::from(RATE);
        let (sin, cos) = w.sin_cos();
        let alpha = sin / std::f64::consts::SQRT_2;
        let norm = 1.0 + alpha;
        #[allow(clippy::cast_possible_truncation, reason = "coefficients are near one")]
        let part = |value: f64| (value / norm) as f32;
        Self {
            b: [
                part(f64::midpoint(1.0, cos)),
                part(-1.0 - cos),
                part(f64::midpoint(1.0, cos)),
            ],
            a: [part(-2.0 * cos), part(1.0 - alpha)],
            x: [0.0; 2],
            y: [0.0; 2],
        }
    }

    pub(super) fn pass(&mut self, sample: f32) -> f32 {
        let out = self.b[0] * sample + self.b[1] * self.x[0] + self.b[2] * self.x[1]
            - self.a[0] * self.y[0]
            - self.a[1] * self.y[1];
        self.x = [sample, self.x[0]];
        // Denormal numbers are slow and silent.
        self.y = [if out.abs() < 1e-20 { 0.0 } else { out }, self.y[0]];
        out
    }
}
