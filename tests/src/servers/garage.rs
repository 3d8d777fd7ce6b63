//! Garage: a real S3 service with one bucket.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Server, ServersError, free_address};

const BUCKET: &str = "millet";

/// A running service.
pub(super) struct Garage {
    _server: Server,
    /// What Millet's setting `objects` gets.
    pub(super) setting: String,
    /// Key of the only user.
    pub(super) access_key: String,
    /// Its secret.
    pub(super) secret_key: String,
}

impl Garage {
    pub(super) fn start(folder: &Path) -> Result<Self, ServersError> {
        let folder = folder.join("garage");
        std::fs::create_dir(&folder)?;
        let (api, rpc) = (free_address()?, free_address()?);
        let config = folder.join("garage.toml");
        std::fs::write(
            &config,
            format!(
                "metadata_dir = '{folder}/meta'\ndata_dir = '{folder}/data'\ndb_engine = 'lmdb'\n\
                 replication_factor = 1\nrpc_bind_addr = '{rpc}'\nrpc_public_addr = '{rpc}'\n\
                 rpc_secret = '{secret}'\n[s3_api]\ns3_region = 'garage'\napi_bind_addr = '{api}'\n",
                folder = folder.display(),
                secret = random_hex(32)?,
            ),
        )?;
        let access_key = format!("GK{}", random_hex(12)?);
        let secret_key = random_hex(32)?;
        let log = std::fs::File::create(folder.join("garage.log"))?;
        let mut server = Server::spawn(
            "garage",
            Command::new(program())
                .arg("-c")
                .arg(&config)
                .args(["server", "--single-node", "--default-bucket"])
                .env("GARAGE_DEFAULT_ACCESS_KEY", &access_key)
                .env("GARAGE_DEFAULT_SECRET_KEY", &secret_key)
                .env("GARAGE_DEFAULT_BUCKET", BUCKET)
                .stdout(Stdio::null())
                .stderr(log),
        )?;
        server.wait_for("garage", api)?;
        Ok(Self {
            _server: server,
            setting: format!("s3://{BUCKET}?endpoint=http://{api}&region=garage"),
            access_key,
            secret_key,
        })
    }
}

/// Where `make test` put it, else whatever the PATH has.
fn program() -> PathBuf {
    let tools = std::env::var_os("DEV_TOOLS").map_or_else(
        || PathBuf::from("/usr/local/lib/millet-tools"),
        PathBuf::from,
    );
    let installed = tools.join("bin/garage");
    if installed.is_file() {
        installed
    } else {
        PathBuf::from("garage")
    }
}

fn random_hex(bytes: usize) -> std::io::Result<String> {
    let mut random = vec![0_u8; bytes];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
