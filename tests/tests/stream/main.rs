//! The stream over real sockets, against a whole server with a hand-made timeline.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

mod access;
mod delivery;

use millet_tests::stream::host::Host;

async fn lecture(duration_ms: u64) -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(folder.path(), None, duration_ms).await;
    (folder, host)
}
