//! The stream over real sockets, against a whole server with a hand-made timeline.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

mod access;
mod delivery;

use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, hello};

async fn lecture(duration_ms: u64) -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(folder.path(), None, duration_ms).await;
    (folder, host)
}

/// The learner's socket, on which nothing was said yet.
async fn connected(host: &Host) -> Client {
    Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap()
}

/// The same after the welcome.
async fn welcomed(host: &Host) -> Client {
    let mut client = connected(host).await;
    let hello = hello(host.timeline, Host::session());
    client.hello(hello).await.unwrap();
    client
}
