//! Real servers for the tests, on loopback, in a temporary folder.

mod garage;
mod postgres;

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Longest time until a server must answer.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What can go wrong before the command runs.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// No command was given.
    #[error("usage: test-servers COMMAND [ARGUMENT …]")]
    Usage,
    /// A program is missing or failed.
    #[error("{program}: {reason}")]
    Program {
        /// Which.
        program: &'static str,
        /// Why.
        reason: String,
    },
    /// The machine.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A server that ends when this is dropped.
struct Server {
    child: Child,
}

impl Server {
    fn spawn(program: &'static str, command: &mut Command) -> Result<Self, ServersError> {
        let child = command.spawn().map_err(|error| ServersError::Program {
            program,
            reason: error.to_string(),
        })?;
        Ok(Self { child })
    }

    /// Waits until something listens at `address`, or the server ended.
    fn wait_for(&mut self, program: &'static str, address: SocketAddr) -> Result<(), ServersError> {
        let fail = |reason: String| ServersError::Program { program, reason };
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(fail(format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(fail(format!("does not answer at {address}")));
            }
            // The pause between two attempts to connect; the signal is the connection.
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is a fast shutdown for PostgreSQL and an orderly one for Garage.
        let pid = self.child.id().cast_signed();
        // SAFETY: the child is ours and not yet waited for, so the id is still its own.
        #[allow(unsafe_code, reason = "std can only kill, not interrupt")]
        unsafe {
            libc::kill(pid, libc::SIGINT);
        }
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Starts the servers, runs the command, and returns its exit code.
///
/// # Errors
/// When a server does not start or the command cannot be run.
pub fn run(arguments: &[OsString]) -> Result<u8, ServersError> {
    let (program, rest) = arguments.split_first().ok_or(ServersError::Usage)?;
    let folder = tempfile::Builder::new()
        .prefix("millet-servers-")
        .tempdir()?;
    let postgres = postgres::Postgres::start(folder.path())?;
    let garage = garage::Garage::start(folder.path())?;
    // Ctrl-C reaches the command too, as it is in the same group; the servers end after it.
    // SAFETY: ignoring a signal has no handler that could break anything.
    #[allow(unsafe_code, reason = "std cannot ignore signals")]
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_IGN);
    }
    let status = Command::new(program)
        .args(rest)
        .env("TEST_POSTGRES", &postgres.url)
        .env("TEST_OBJECTS", &garage.setting)
        .env("AWS_ACCESS_KEY_ID", &garage.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &garage.secret_key)
        .status()?;
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(u8::try_from(code).unwrap_or(1))
}
