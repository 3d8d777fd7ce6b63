//! PostgreSQL. It refuses to run as root, so as root it runs as Debian's `postgres`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Server, ServersError, free_address};

/// A running server.
pub(super) struct Postgres {
    _server: Server,
    /// Address of its administrator.
    pub(super) url: String,
}

impl Postgres {
    pub(super) fn start(folder: &Path) -> Result<Self, ServersError> {
        let programs = programs()?;
        let data = folder.join("postgres");
        std::fs::create_dir(&data)?;
        let root = is_root();
        if root {
            open_for_others(folder)?;
            check(Command::new("chown").arg("postgres").arg(&data))?;
        }
        check(as_postgres(root, &programs.join("initdb")).args([
            "--pgdata".as_ref(),
            data.as_os_str(),
            "--auth=trust".as_ref(),
            "--username=millet".as_ref(),
            "--encoding=UTF8".as_ref(),
            "--locale=C".as_ref(),
            "--no-sync".as_ref(),
        ]))?;
        let address = free_address()?;
        let log = std::fs::File::create(folder.join("postgres.log"))?;
        let mut server = Server::spawn(
            "postgres",
            as_postgres(root, &programs.join("postgres"))
                .arg("-D")
                .arg(&data)
                .args(["-p", &address.port().to_string()])
                .args(["-c", "listen_addresses=127.0.0.1"])
                .args(["-c", "unix_socket_directories="])
                .args(["-c", "max_connections=400"])
                // The tests check what is acknowledged against a killed Millet, not a killed machine.
                .args(["-c", "fsync=off"])
                .stdout(Stdio::null())
                .stderr(log),
        )?;
        server.wait_for("postgres", address)?;
        Ok(Self {
            _server: server,
            url: format!("postgres://millet@{address}/postgres"),
        })
    }
}

/// The newest version that Debian installed.
fn programs() -> Result<PathBuf, ServersError> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map_err(|error| ServersError::Program {
            program: "postgres",
            reason: format!("/usr/lib/postgresql: {error}; `make test` installs it"),
        })?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    found.sort();
    found.pop().ok_or_else(|| ServersError::Program {
        program: "postgres",
        reason: "not installed; `make test` installs it".into(),
    })
}

fn is_root() -> bool {
    // SAFETY: geteuid reads a number and cannot fail.
    #[allow(unsafe_code, reason = "std does not tell the user id")]
    unsafe {
        libc::geteuid() == 0
    }
}

/// Lets another user pass through a folder that only we may list.
fn open_for_others(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
}

fn as_postgres(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
        ])
        .arg(program)
        .current_dir("/");
    command
}

fn check(command: &mut Command) -> Result<(), ServersError> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(ServersError::Program {
        program: "initdb",
        reason: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
