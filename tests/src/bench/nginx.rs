//! nginx with the prepared files of one lesson and a page that plays them by hls.js.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::kit::until;

/// The page plays when it is tapped and says when the first picture was shown.
const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8>\
<meta name=viewport content='width=device-width,initial-scale=1'><title>HLS</title>\
<video id=video muted playsinline></video><button id=play>Play</button>\
<script src=/hls.min.js></script><script src=/page.js></script>";
const SCRIPT: &str = "document.getElementById('play').onclick = () => { \
const video = document.getElementById('video'); \
const hls = new Hls({ enableWorker: false }); hls.loadSource('/media/master.m3u8'); \
hls.attachMedia(video); hls.on(Hls.Events.MANIFEST_PARSED, () => video.play()); };";

/// A running server.
pub struct Nginx {
    child: Child,
    pages: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Nginx {
    /// Serves `prepared` below `/media/`, and what is kept below `/pages/`.
    ///
    /// # Panics
    /// When nginx or hls.js is missing: `make bench` installs them.
    pub async fn start(folder: &Path, prepared: &Path) -> Self {
        let root = folder.join("root");
        std::fs::create_dir_all(root.join("pages")).unwrap();
        std::os::unix::fs::symlink(prepared, root.join("media")).unwrap();
        std::fs::write(root.join("index.html"), PAGE).unwrap();
        std::fs::write(root.join("page.js"), SCRIPT).unwrap();
        let library = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../web/node_modules/hls.js/dist/hls.min.js"
        );
        std::fs::copy(library, root.join("hls.min.js")).unwrap();
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap();
        let config = folder.join("nginx.conf");
        std::fs::write(
            &config,
            format!(
                "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n\
                 events {{ worker_connections 4096; }}\n\
                 http {{ access_log off; sendfile on; tcp_nodelay on; gzip on; gzip_types *;\n\
                 client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
                 fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;\n\
                 scgi_temp_path {folder}/scgi;\n\
                 types {{ text/html html; application/javascript js; video/mp4 mp4 m4s;\n\
                 application/vnd.apple.mpegurl m3u8; }}\n\
                 server {{ listen {address}; root {folder}/root; }} }}\n",
                folder = folder.display(),
            ),
        )
        .unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&config)
            .arg("-e")
            .arg(folder.join("error.log"))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx: run `make bench`");
        until("nginx listens", Duration::from_secs(10), || async {
            tokio::net::TcpStream::connect(address).await.ok()
        })
        .await;
        Self {
            child,
            pages: root.join("pages"),
            address,
        }
    }

    /// Its process.
    ///
    /// # Panics
    /// When it ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("nginx ended")
    }

    /// Keeps a page of Millet as a file.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn keep(&self, name: &str, page: &[u8]) {
        std::fs::write(self.pages.join(name), page).unwrap();
    }

    /// Address of a file.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
