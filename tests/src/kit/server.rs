//! The real program as a process of its own, so that it can be killed like one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::Storage;

/// A running `millet serve`.
pub struct Server {
    child: Child,
    /// Where people connect.
    pub address: SocketAddr,
    /// Where metrics are read.
    pub admin: SocketAddr,
    /// Where encoders publish, if the arguments say so.
    pub rtmp: Option<SocketAddr>,
    output: JoinHandle<()>,
}

/// A program that `cargo build --workspace` put beside the tests.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("TEST_BIN").map_or_else(
        || {
            let mut test = std::env::current_exe().unwrap();
            test.pop();
            if test.ends_with("deps") {
                test.pop();
            }
            test
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `make test`",
        path.display()
    );
    path
}

impl Server {
    /// Starts over `storage` and waits until it listens.
    pub async fn start(storage: &Storage) -> Self {
        Self::start_with(storage, &[]).await
    }

    /// The same with further arguments.
    pub async fn start_with(storage: &Storage, arguments: &[&str]) -> Self {
        Self::start_at(storage, "127.0.0.1:0", arguments).await
    }

    /// Starts again where people know it: at the address of a server that was killed.
    pub async fn start_again(storage: &Storage, address: SocketAddr) -> Self {
        Self::start_at(storage, &address.to_string(), &[]).await
    }

    /// # Panics
    /// When it ends before it listens.
    async fn start_at(storage: &Storage, listen: &str, arguments: &[&str]) -> Self {
        let log = storage.folder().join("server.log");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let mut child = Command::new(program("millet"))
            .arg("serve")
            .args(["--listen", listen, "--admin-listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(storage.data())
            .args(["--database-url", storage.database_url()])
            .args(["--objects", storage.objects()])
            // AV1 takes longer than all else; its own tests stand with the transcoder.
            .args(["--av1", "false"])
            .args(arguments)
            .env("MILLET_TRANSCODER", program("millet-transcoder"))
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut address, mut admin, mut rtmp) = (None, None, None);
        while address.is_none() || admin.is_none() {
            let line = lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| {
                let log = std::fs::read_to_string(storage.folder().join("server.log"));
                panic!("the server ended early: {}", log.unwrap_or_default())
            });
            if let Some(url) = line.strip_prefix("listening on http://") {
                address = url.parse().ok();
            } else if let Some(url) = line.strip_prefix("admin on http://") {
                admin = url.parse().ok();
            } else if let Some(url) = line.strip_prefix("encoders on rtmp://") {
                rtmp = url.strip_suffix("/live").and_then(|url| url.parse().ok());
            }
        }
        let output =
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            child,
            address: address.unwrap(),
            admin: admin.unwrap(),
            rtmp,
            output,
        }
    }

    /// Address of a page.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its process.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// As when the power goes: no signal that it could handle.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
        self.output.abort();
    }

    /// As an operator stops it; returns whether it ended well.
    pub async fn stop(mut self) -> bool {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        // SAFETY: the child is ours and not yet waited for, so the id is still its own.
        #[allow(unsafe_code, reason = "tokio can only kill, not terminate")]
        unsafe {
            libc::kill(pid, libc::SIGTERM);
        }
        let status = self.child.wait().await.unwrap();
        self.output.abort();
        status.success()
    }
}
