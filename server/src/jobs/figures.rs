//! Jobs in the figures: how many wait and run, and how each attempt ended.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::worker::{Context, Ended};
use super::{Status, store};

/// How often the open jobs are counted.
const EVERY: Duration = Duration::from_secs(5);

/// Counts the open jobs until the server stops. Every node shows the whole installation's.
pub async fn run(context: Context) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let counted = async {
            let mut connection = context.db.read().await?;
            store::open(&mut connection).await
        };
        let open = tokio::select! {
            () = context.stop.cancelled() => return,
            open = counted => open,
        };
        match open {
            Ok(open) => {
                for (status, count) in open {
                    metrics::gauge!("millet_jobs", "status" => status.word()).set(count as f64);
                }
            }
            Err(error) => tracing::warn!(%error, "the open jobs could not be counted"),
        }
    }
}

/// Counts how an attempt ended.
pub fn ended(ended: &Ended) {
    let outcome = match ended {
        Ended::Done => Status::Done.word(),
        // Back in the queue after a fault.
        Ended::SetBack(Status::Queued) => "faulted",
        Ended::SetBack(status) => status.word(),
        Ended::LeaseLost => "lease_lost",
        Ended::Released => "released",
    };
    metrics::counter!("millet_job_attempts_total", "outcome" => outcome).increment(1);
}
