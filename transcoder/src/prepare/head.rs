//! The head of a long recording: its first half minute as it can be watched early, made before it is tried
//! out what the other rungs should be. The main pass finds these segments again.

use std::path::Path;

use super::watchable::SHORTEST_MS;
use super::work::Work;
use super::{Asked, Scope, work_through};
use crate::error::Error;
use crate::plan::Plan;
use crate::report::Report;
use crate::source::Source;
use crate::store::Store;

/// The head ends at the first cut from here on, milliseconds.
const LONG_MS: i64 = 30_000;
/// So much is read behind that cut: sound comes out of its encoder a little later.
const BEHIND_MS: i64 = 2_000;

/// Makes the head, if the recording is long enough to be watched early.
pub(super) fn make(
    input: &Path,
    plan: Plan,
    output: &Path,
    store: &Store,
    asked: &Asked<'_>,
    report: &Report,
) -> Result<(), Error> {
    let source = Source::open(input)?;
    if source.announced_ms < SHORTEST_MS {
        return Ok(());
    }
    let mut work = Work::begin(&source, plan, Scope::Head, output, store, asked, report)?;
    work_through(source, &mut work, |work| {
        let cut = work.cutter.last();
        cut >= LONG_MS && work.end_ms() >= cut + BEHIND_MS
    })?;
    match work.pictures {
        Some(pictures) => pictures.segments.wait(),
        None => Ok(()),
    }
}
