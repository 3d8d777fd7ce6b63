//! Style, scripts and pictures, embedded. Their URL holds a hash of all of them, so a browser may
//! keep them for ever and relative imports between modules still work.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::script::without_comments;

/// One file.
pub struct Asset {
    /// Name below the hash, for example `player/player.js`.
    pub name: &'static str,
    /// Media type.
    pub media_type: &'static str,
    /// Content.
    pub bytes: &'static [u8],
}

macro_rules! files {
    ($($name:literal => $path:literal, $media_type:literal;)+) => {
        &[$(Asset {
            name: $name,
            media_type: $media_type,
            bytes: include_bytes!($path),
        },)+]
    };
}

static SOURCES: &[Asset] = files! {
    "millet.css" => "../style/millet.css", "text/css; charset=utf-8";
    "upload.js" => "../js/upload.js", "text/javascript; charset=utf-8";
    "tus.min.js" => "../vendor/tus.min.js", "text/javascript; charset=utf-8";
    "player/player.js" => "../js/player/player.js", "text/javascript; charset=utf-8";
    "player/buffers.js" => "../js/player/buffers.js", "text/javascript; charset=utf-8";
    "player/controls.js" => "../js/player/controls.js", "text/javascript; charset=utf-8";
    "player/evidence.js" => "../js/player/evidence.js", "text/javascript; charset=utf-8";
    "player/leftovers.js" => "../js/player/leftovers.js", "text/javascript; charset=utf-8";
    "player/playback.js" => "../js/player/playback.js", "text/javascript; charset=utf-8";
    "player/session.js" => "../js/player/session.js", "text/javascript; charset=utf-8";
    "player/socket.js" => "../js/player/socket.js", "text/javascript; charset=utf-8";
    "player/store.js" => "../js/player/store.js", "text/javascript; charset=utf-8";
    "icon.svg" => "../style/icon.svg", "image/svg+xml";
    "millet.webmanifest" => "../style/millet.webmanifest", "application/manifest+json";
};

/// The files as they are sent; made once, kept for the life of the program.
static FILES: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let send = |file: &Asset| Asset {
        name: file.name,
        media_type: file.media_type,
        bytes: match str::from_utf8(file.bytes) {
            // A vendor's file keeps its licence.
            Ok(text) if file.name.ends_with(".js") && !file.name.ends_with(".min.js") => {
                without_comments(text).leak().as_bytes()
            }
            _ => file.bytes,
        },
    };
    SOURCES.iter().map(send).collect()
});

/// All files under one hash.
pub struct Assets {
    hash: String,
}

impl Assets {
    pub(crate) fn new() -> Self {
        let mut hasher = Sha256::new();
        for file in FILES.iter() {
            hasher.update(file.name);
            hasher.update(file.bytes);
        }
        let hash = hex::encode(&hasher.finalize()[..6]);
        Self { hash }
    }

    pub(crate) fn url(&self, name: &str) -> Option<String> {
        let file = FILES.iter().find(|file| file.name == name)?;
        Some(format!("/static/{}/{}", self.hash, file.name))
    }

    /// The file behind `HASH/name`.
    pub(crate) fn find(&self, path: &str) -> Option<&'static Asset> {
        let name = path.strip_prefix(&self.hash)?.strip_prefix('/')?;
        FILES.iter().find(|file| file.name == name)
    }
}
