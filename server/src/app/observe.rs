//! Logs and figures: a request id on every line, and metrics for a listener of their own.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, LogFormat};
use crate::request::RequestId;

/// How often the recorder of the figures is tidied.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Sends log lines to standard error; standard output stays for the listening lines.
pub fn start_log(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first log.
    let _ = match config.log {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
}

/// Installs the recorder of all metrics of this process.
///
/// # Errors
/// When one is installed already.
pub fn start_metrics() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    // Known from the start, so that "none yet" and "no such figure" differ.
    metrics::gauge!("millet_viewers").set(0.0);
    metrics::counter!("millet_stalls_total").increment(0);
    Ok(handle)
}

/// Takes in what histograms gathered; without it they would grow until somebody reads `/metrics`.
pub async fn keep_metrics(metrics: PrometheusHandle, stop: CancellationToken) {
    let mut tick = interval(UPKEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => metrics.run_upkeep(),
        }
    }
}

/// Gives the request an id, a span and its place in the figures.
pub async fn request(mut request: Request, next: Next) -> Response {
    let id = RequestId::new();
    request.extensions_mut().insert(id.clone());
    // The route's pattern, never the path itself: ids and tokens stay out of logs and metrics.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", id = id.as_str(), %method, route);
    let started = Instant::now();
    let answered = next.run(request).instrument(span.clone());
    let mut response = id.clone().scope(answered).await;
    let status = response.status().as_u16();
    let took = started.elapsed();
    span.in_scope(|| tracing::debug!(status, took_ms = took.as_millis() as u64, "answered"));
    metrics::counter!("millet_requests_total", "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    metrics::histogram!("millet_request_seconds", "route" => route).record(took.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
