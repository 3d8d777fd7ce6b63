//! Progress for whoever started us: a bar for people, JSON lines on standard output for programs.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use millet_manifest::{Progress, Stage};

/// A line at most this often, unless something else is done now.
const EVERY: Duration = Duration::from_millis(500);

/// How the bar looks.
const BAR: &str = "{bar:30} {percent:>3} % {msg}";

/// Writes progress that never falls; clones write the same progress.
#[derive(Clone)]
pub struct Report {
    started: Instant,
    state: Arc<Mutex<State>>,
    bar: Option<ProgressBar>,
}

#[derive(Default)]
struct State {
    written: Option<(Stage, Instant)>,
    permille: u32,
}

impl Report {
    /// To people who look on, or as lines to a program.
    #[must_use]
    pub fn new(for_people: bool) -> Self {
        Self {
            started: Instant::now(),
            state: Arc::default(),
            bar: for_people.then(bar),
        }
    }

    /// Says how far the whole work is.
    pub fn step(&self, stage: Stage, permille: u32) {
        let permille = permille.min(1000);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |(last, at): (Stage, Instant)| last == stage && at.elapsed() < EVERY;
        let due = !state.written.is_some_and(waits);
        if permille < state.permille || !due {
            return;
        }
        state.permille = permille;
        state.written = Some((stage, Instant::now()));
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let left_ms = (permille >= 50)
            .then(|| elapsed.saturating_mul(u64::from(1000 - permille)) / u64::from(permille));
        // Still under the lock, so that lines come in the order of their numbers.
        self.line(&Progress::Progress {
            stage,
            permille,
            left_ms,
        });
    }

    /// Draws, or writes one line; whoever reads may be gone, and then nobody misses it.
    pub fn line(&self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            draw(bar, progress);
            return;
        }
        if let Ok(json) = serde_json::to_string(progress) {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{json}").and_then(|()| out.flush());
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1000).with_style(style.progress_chars("=> "))
}

fn draw(bar: &ProgressBar, progress: &Progress) {
    match progress {
        Progress::Progress {
            stage,
            permille,
            left_ms,
        } => {
            bar.set_position(u64::from(*permille));
            bar.set_message(words(*stage, *left_ms));
        }
        Progress::Watchable { .. } | Progress::Published { .. } => {}
        Progress::Done { .. } => bar.finish_with_message("done"),
        // The sentence is said on standard error.
        Progress::Refused { .. } => bar.abandon(),
    }
}

fn words(stage: Stage, left_ms: Option<u64>) -> String {
    let doing = match stage {
        Stage::Probe => "looking at it",
        Stage::Encode => "encoding",
        Stage::Package => "writing",
    };
    match left_ms {
        Some(ms) => {
            let left = HumanDuration(Duration::from_millis(ms));
            format!("{doing}, about {left} left")
        }
        None => doing.to_owned(),
    }
}
