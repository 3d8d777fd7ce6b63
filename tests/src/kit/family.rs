//! A program with all that it starts.

use tokio::process::{Child, Command};

/// Ends with everything that it started when this is dropped: a test that failed must not leave a
/// browser behind that slows the others.
pub(super) struct Family {
    /// The first of them.
    pub(super) head: Child,
}

impl Family {
    /// # Panics
    /// When there is no such program.
    pub(super) fn start(command: &mut Command) -> Self {
        let head = command.kill_on_drop(true).process_group(0).spawn();
        let head =
            head.unwrap_or_else(|error| panic!("{:?}: {error}: run `make test`", command.as_std()));
        Self { head }
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let head = self.head.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = head {
            // SAFETY: the program leads a process group of its own and was not waited for, so the group
            // is still its own.
            #[allow(
                unsafe_code,
                reason = "tokio kills the program alone, not what it started"
            )]
            unsafe {
                libc::kill(-group, libc::SIGKILL);
            }
        }
    }
}
