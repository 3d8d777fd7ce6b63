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
    "live/board.js" => "../js/live/board.js", "text/javascript; charset=utf-8";
    "live/chat.js" => "../js/live/chat.js", "text/javascript; charset=utf-8";
    "live/check.js" => "../js/live/check.js", "text/javascript; charset=utf-8";
    "live/class.js" => "../js/live/class.js", "text/javascript; charset=utf-8";
    "live/classroom.js" => "../js/live/classroom.js", "text/javascript; charset=utf-8";
    "live/dom.js" => "../js/live/dom.js", "text/javascript; charset=utf-8";
    "live/ease.js" => "../js/live/ease.js", "text/javascript; charset=utf-8";
    "live/floor.js" => "../js/live/floor.js", "text/javascript; charset=utf-8";
    "live/floor_link.js" => "../js/live/floor_link.js", "text/javascript; charset=utf-8";
    "live/latency.js" => "../js/live/latency.js", "text/javascript; charset=utf-8";
    "live/lead.js" => "../js/live/lead.js", "text/javascript; charset=utf-8";
    "live/lines.js" => "../js/live/lines.js", "text/javascript; charset=utf-8";
    "live/microphone.js" => "../js/live/microphone.js", "text/javascript; charset=utf-8";
    "live/microphone_worklet.js" => "../js/live/microphone_worklet.js", "text/javascript; charset=utf-8";
    "live/outbox.js" => "../js/live/outbox.js", "text/javascript; charset=utf-8";
    "live/pages.js" => "../js/live/pages.js", "text/javascript; charset=utf-8";
    "live/paint.js" => "../js/live/paint.js", "text/javascript; charset=utf-8";
    "live/people.js" => "../js/live/people.js", "text/javascript; charset=utf-8";
    "live/playback.js" => "../js/live/playback.js", "text/javascript; charset=utf-8";
    "live/polls.js" => "../js/live/polls.js", "text/javascript; charset=utf-8";
    "live/publish.js" => "../js/live/publish.js", "text/javascript; charset=utf-8";
    "live/publish_codec.js" => "../js/live/publish_codec.js", "text/javascript; charset=utf-8";
    "live/publish_flow.js" => "../js/live/publish_flow.js", "text/javascript; charset=utf-8";
    "live/publish_frames.js" => "../js/live/publish_frames.js", "text/javascript; charset=utf-8";
    "live/publish_link.js" => "../js/live/publish_link.js", "text/javascript; charset=utf-8";
    "live/publish_pictures.js" => "../js/live/publish_pictures.js", "text/javascript; charset=utf-8";
    "live/publish_recorder.js" => "../js/live/publish_recorder.js", "text/javascript; charset=utf-8";
    "live/publish_source.js" => "../js/live/publish_source.js", "text/javascript; charset=utf-8";
    "live/signs.js" => "../js/live/signs.js", "text/javascript; charset=utf-8";
    "live/slides.js" => "../js/live/slides.js", "text/javascript; charset=utf-8";
    "live/state.js" => "../js/live/state.js", "text/javascript; charset=utf-8";
    "live/strokes.js" => "../js/live/strokes.js", "text/javascript; charset=utf-8";
    "live/voices.js" => "../js/live/voices.js", "text/javascript; charset=utf-8";
    "replay/chapters.js" => "../js/replay/chapters.js", "text/javascript; charset=utf-8";
    "replay/replay.js" => "../js/replay/replay.js", "text/javascript; charset=utf-8";
    "replay/story.js" => "../js/replay/story.js", "text/javascript; charset=utf-8";
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
