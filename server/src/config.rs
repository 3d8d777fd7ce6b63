//! Settings: defaults, then a TOML file, then `MILLET_*`, then flags; a later one wins.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

/// Largest body of a form; uploads have limits of their own.
pub const FORM_LIMIT_BYTES: usize = 1 << 20;

/// What stands in place of a secret.
const MASK: &str = "***";
/// Parts of the names of query values that are secrets.
const SECRET_WORDS: [&str; 4] = ["password", "secret", "token", "passphrase"];

/// Why the settings were refused; the text names the key and where it came from.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Unknown key or bad value.
    #[error("settings refused: {0}")]
    Refused(Box<figment::Error>),
    /// A value of the right type that cannot be used.
    #[error("settings refused: {key}: {reason}")]
    Value {
        /// The setting.
        key: &'static str,
        /// Why.
        reason: String,
    },
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings as given; what is absent gets its default in [`Config`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address that people reach, for example 127.0.0.1:8080
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// Address for /metrics; never open it to the world
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_listen: Option<SocketAddr>,
    /// Folder for everything that is kept on this machine
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    /// sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database_url: Option<String>,
    /// file:PATH or s3://BUCKET?endpoint=URL&region=NAME
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<String>,
    /// Address in links and QR codes, for example https://millet.example
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    /// Whether a proxy in front appends the client's address to X-Forwarded-For
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_proxy: Option<bool>,
    /// The millet-transcoder program; by default the one beside this program, else on the PATH
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    transcoder: Option<PathBuf>,
    /// Whether lessons get AV1 beside H.264 where it saves a quarter of the bytes; takes twice the time
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    av1: Option<bool>,
    /// Lessons prepared at the same time by this node; 0 leaves the work to other nodes
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<u16>,
    /// Largest upload in bytes
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_max_bytes: Option<u64>,
    /// Form of the log lines
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogFormat>,
    /// What is logged, in the form of the tracing crate's filters
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_filter: Option<String>,
    /// Time in seconds that open streams get to end when the server stops
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_s: Option<u64>,
    /// Address where encoders publish live classes by RTMP, for example 0.0.0.0:1935; none by default
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    rtmp_listen: Option<SocketAddr>,
}

/// The effective settings; built by hand in tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Where people connect.
    pub listen: SocketAddr,
    /// Where metrics are read.
    pub admin_listen: SocketAddr,
    /// Folder of this node.
    pub data: PathBuf,
    /// `sqlite:` or `postgres:`.
    pub database_url: String,
    /// `file:` or `s3:`.
    pub objects: String,
    /// Without a slash at the end; absent: the address that the browser used.
    pub public_url: Option<String>,
    /// Whether the last entry of `X-Forwarded-For` is believed.
    pub trusted_proxy: bool,
    /// The transcoder's program.
    pub transcoder: PathBuf,
    /// Whether lessons get AV1 beside H.264, where it is worth it.
    pub av1: bool,
    /// Lessons prepared at the same time.
    pub workers: u16,
    /// Largest upload.
    pub upload_max_bytes: u64,
    /// Form of the log lines.
    pub log: LogFormat,
    /// Filter of the log.
    pub log_filter: String,
    /// Seconds that open streams get to end.
    pub drain_s: u64,
    /// Address where encoders publish by RTMP; none takes none.
    pub rtmp_listen: Option<SocketAddr>,
}

impl Config {
    /// Merges defaults, `file` (or the one that `MILLET_CONFIG` names), the environment and `flags`.
    ///
    /// # Errors
    /// When a key is unknown or a value cannot be used; the text says which and why.
    pub fn load(file: Option<&Path>, flags: &Settings) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        let named = std::env::var_os("MILLET_CONFIG").map(PathBuf::from);
        if let Some(path) = file.or(named.as_deref()) {
            if !path.is_file() {
                return Err(ConfigError::Value {
                    key: "config",
                    reason: format!("{} is not a file", path.display()),
                });
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        let settings: Settings = figment
            .merge(Env::prefixed("MILLET_").filter(|key| key != "config"))
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(|error| ConfigError::Refused(Box::new(error)))?;
        Self::complete(settings)
    }

    /// Whether people reach the server by HTTPS, so that cookies may insist on it.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.public_url
            .as_deref()
            .is_some_and(|url| url.starts_with("https://"))
    }

    /// Address of this server for links on paper and in codes, without a slash at the end.
    #[must_use]
    pub fn origin(&self, headers: &http::HeaderMap) -> String {
        self.public_url.clone().unwrap_or_else(|| {
            let host = headers.get(http::header::HOST);
            let host = host.and_then(|host| host.to_str().ok());
            format!("http://{}", host.unwrap_or("localhost"))
        })
    }

    fn complete(settings: Settings) -> Result<Self, ConfigError> {
        let data = settings.data.unwrap_or_else(|| PathBuf::from("data"));
        let inside = |name: &str| data.join(name).display().to_string();
        let config = Self {
            listen: settings
                .listen
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            admin_listen: settings
                .admin_listen
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
            database_url: settings
                .database_url
                .unwrap_or_else(|| format!("sqlite:{}", inside("millet.db"))),
            objects: settings
                .objects
                .unwrap_or_else(|| format!("file:{}", inside("objects"))),
            public_url: settings
                .public_url
                .map(|url| url.trim_end_matches('/').to_owned()),
            trusted_proxy: settings.trusted_proxy.unwrap_or(false),
            transcoder: settings.transcoder.unwrap_or_else(beside_this_program),
            av1: settings.av1.unwrap_or(true),
            workers: settings.workers.unwrap_or(1),
            upload_max_bytes: settings.upload_max_bytes.unwrap_or(2 << 30),
            log: settings.log.unwrap_or(LogFormat::Text),
            log_filter: settings
                .log_filter
                .unwrap_or_else(|| "info,sqlx=warn".to_owned()),
            drain_s: settings.drain_s.unwrap_or(10),
            rtmp_listen: settings.rtmp_listen,
            data,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key, reason: &str| {
            Err(ConfigError::Value {
                key,
                reason: reason.to_owned(),
            })
        };
        let known = ["sqlite:", "postgres:", "postgresql:"];
        if !known
            .iter()
            .any(|scheme| self.database_url.starts_with(scheme))
        {
            return refuse("database_url", "must begin with sqlite: or postgres:");
        }
        if !self.objects.starts_with("file:") && !self.objects.starts_with("s3://") {
            return refuse(
                "objects",
                "must be file:PATH or s3://BUCKET?endpoint=URL&region=NAME",
            );
        }
        if let Some(url) = &self.public_url
            && !url.starts_with("https://")
            && !url.starts_with("http://")
        {
            return refuse("public_url", "must begin with https:// or http://");
        }
        if self.workers > 64 {
            return refuse("workers", "must be 64 at most");
        }
        if !(1 << 20..=64 << 30).contains(&self.upload_max_bytes) {
            return refuse("upload_max_bytes", "must be from 1 MiB to 64 GiB");
        }
        if self.drain_s > 300 {
            return refuse("drain_s", "must be 300 at most");
        }
        if tracing_subscriber::EnvFilter::try_new(&self.log_filter).is_err() {
            return refuse("log_filter", "is not a filter of the tracing crate");
        }
        Ok(())
    }

    /// The effective settings as TOML, with passwords masked.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub fn masked(&self) -> Result<String, toml::ser::Error> {
        let mut shown = self.clone();
        shown.database_url = without_secrets(&shown.database_url);
        shown.objects = without_secrets(&shown.objects);
        toml::to_string_pretty(&shown)
    }
}

/// The address with its password masked, before the host or among the query's values.
fn without_secrets(address: &str) -> String {
    // A path of this machine holds no password, and would be spelt differently.
    if address.starts_with("sqlite:") || address.starts_with("file:") {
        return address.to_owned();
    }
    let Ok(mut url) = url::Url::parse(address) else {
        return address.to_owned();
    };
    if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    let is_secret = |name: &str| {
        let name = name.to_lowercase();
        SECRET_WORDS.iter().any(|word| name.contains(word))
    };
    if url.query_pairs().any(|(name, _)| is_secret(&name)) {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if is_secret(&name) { MASK } else { &value };
                (name.to_string(), value.to_owned())
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.into()
}

fn beside_this_program() -> PathBuf {
    let name = PathBuf::from("millet-transcoder");
    std::env::current_exe()
        .ok()
        .and_then(|program| program.parent().map(|folder| folder.join(&name)))
        .filter(|path| path.is_file())
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("millet.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), &Settings::default())
    }

    #[test]
    fn an_unknown_key_and_a_bad_value_are_refused_by_name() {
        let unknown = from_toml("listne = '127.0.0.1:1'").unwrap_err().to_string();
        assert!(unknown.contains("listne"), "{unknown}");
        let bad = from_toml("listen = 'here'").unwrap_err().to_string();
        assert!(bad.contains("listen"), "{bad}");
        let engine = from_toml("database_url = 'mysql://x'")
            .unwrap_err()
            .to_string();
        assert!(
            engine.contains("database_url") && engine.contains("sqlite:"),
            "{engine}"
        );
    }

    #[test]
    fn a_flag_wins_over_the_file_and_passwords_are_masked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("millet.toml");
        std::fs::write(
            &file,
            "workers = 2\ndatabase_url = 'postgres://ann:s3cret@db/millet'",
        )
        .unwrap();
        let flags = Settings {
            workers: Some(3),
            ..Settings::default()
        };
        let config = Config::load(Some(&file), &flags).unwrap();
        assert_eq!(config.workers, 3);
        let shown = config.masked().unwrap();
        assert!(shown.contains("ann:***@db") && !shown.contains("s3cret"));
    }
}
