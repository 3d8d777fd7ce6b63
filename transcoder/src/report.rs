//! Progress for whoever started us: JSON lines on standard output.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millet_manifest::{Progress, Stage};

/// A line at most this often.
const EVERY: Duration = Duration::from_millis(500);

/// Writes progress that never falls; clones write the same progress.
#[derive(Clone)]
pub struct Report {
    started: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    written: Option<Instant>,
    permille: u32,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            state: Arc::default(),
        }
    }
}

impl Report {
    /// Says how far the whole work is.
    pub fn step(&self, stage: Stage, permille: u32) {
        let permille = permille.min(1000);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let due = state.written.is_none_or(|at| at.elapsed() >= EVERY);
        if permille < state.permille || !due {
            return;
        }
        state.permille = permille;
        state.written = Some(Instant::now());
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

    /// Writes one line; whoever reads may be gone, and then nobody misses it.
    pub fn line(&self, progress: &Progress) {
        if let Ok(json) = serde_json::to_string(progress) {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{json}").and_then(|()| out.flush());
        }
    }
}
