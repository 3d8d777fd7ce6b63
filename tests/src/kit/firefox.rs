//! A real Firefox with a made-up camera and microphone, spoken to in WebDriver BiDi without a driver
//! between.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::family::Family;
use super::until;
use super::village::PASSWORD;

/// Longest wait for anything on a page.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pitch of the made-up microphone, Hz.
pub const PITCH: u32 = 440;

/// A sound device that nobody hears: without any, Firefox starts no sound at all.
pub struct Loudspeaker {
    _server: Family,
    folder: TempDir,
}

impl Loudspeaker {
    /// Starts a sound server with a sink that leads nowhere.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let socket = format!(
            "module-native-protocol-unix socket={}/socket",
            path.display()
        );
        let mut command = Command::new("pulseaudio");
        command
            .args([
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--use-pid-file=no",
            ])
            .args(["-L", "module-null-sink", "-L", &socket])
            .envs(["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"].map(|name| (name, path)))
            .stderr(Stdio::null());
        let server = Family::start(&mut command);
        until("pulseaudio listens", PATIENCE, || async {
            UnixStream::connect(path.join("socket")).await.ok()
        })
        .await;
        Self {
            _server: server,
            folder,
        }
    }
}

/// One line of a conversation: the number of the last command, and where it goes.
struct Wire {
    number: u64,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// A browser of its own.
pub struct Firefox {
    family: Family,
    wire: Mutex<Wire>,
    /// Its only tab.
    tab: String,
    // Holds its folder.
    _profile: TempDir,
}

impl Firefox {
    /// Opens one whose sound goes to a loudspeaker, or that has none.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn with_camera(loudspeaker: Option<&Loudspeaker>) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let preferences = format!(
            "user_pref('media.navigator.streams.fake', true);\n\
             user_pref('media.navigator.permission.disabled', true);\n\
             user_pref('media.navigator.audio.fake_frequency', {PITCH});\n\
             user_pref('intl.accept_languages', 'en');\n"
        );
        std::fs::write(profile.path().join("user.js"), preferences).unwrap();
        // A folder where nothing listens, for whoever shall have none.
        let sound = loudspeaker.map_or(profile.path(), |it| it.folder.path());
        let mut command = Command::new("firefox-esr");
        command
            .args(["--headless", "--no-remote", "--remote-debugging-port", "0"])
            .arg("--profile")
            .arg(profile.path())
            .env("PULSE_SERVER", format!("unix:{}/socket", sound.display()))
            .env("HOME", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut family = Family::start(&mut command);
        let mut lines = BufReader::new(family.head.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines.next_line().await.unwrap();
            let line = line.expect("Firefox ended");
            if let Some(url) = line.strip_prefix("WebDriver BiDi listening on ") {
                break format!("{url}/session");
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(url).await.unwrap();
        let mut firefox = Self {
            family,
            wire: Mutex::new(Wire { number: 0, socket }),
            tab: String::new(),
            _profile: profile,
        };
        let session = json!({ "capabilities": {} });
        firefox.command("session.new", session).await.unwrap();
        let tree = firefox.command("browsingContext.getTree", json!({})).await;
        let tab = &tree.unwrap()["contexts"][0]["context"];
        tab.as_str().unwrap().clone_into(&mut firefox.tab);
        firefox
    }

    /// Says one command and waits for what came of it.
    async fn command(&self, method: &str, params: Value) -> Result<Value, String> {
        let mut wire = self.wire.lock().await;
        wire.number += 1;
        let id = wire.number;
        let command = json!({ "id": id, "method": method, "params": params });
        let sent = wire.socket.send(Message::text(command.to_string())).await;
        sent.map_err(|error| error.to_string())?;
        loop {
            let message = wire.socket.next().await.ok_or("Firefox hung up")?;
            let message = message.map_err(|error| error.to_string())?;
            let Message::Text(text) = message else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            if answer["id"] != id {
                continue;
            }
            return match answer["type"].as_str() {
                Some("success") => Ok(answer["result"].take()),
                _ => Err(format!("{method}: {}", answer["message"])),
            };
        }
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        let page = json!({ "context": self.tab, "url": url, "wait": "complete" });
        self.command("browsingContext.navigate", page)
            .await
            .unwrap();
    }

    /// Runs a script's body and returns what it returns.
    ///
    /// # Panics
    /// When it throws.
    pub async fn run(&self, script: &str) -> Value {
        self.attempt(script).await.unwrap()
    }

    async fn attempt(&self, script: &str) -> Result<Value, String> {
        // As text: BiDi has a notation of its own for values.
        let function =
            format!("async () => JSON.stringify(await (async () => {{ {script} }})() ?? null)");
        let call = json!({
            "functionDeclaration": function,
            "awaitPromise": true,
            "target": { "context": self.tab },
        });
        let answer = self.command("script.callFunction", call).await?;
        let text = answer["result"]["value"].as_str();
        let text = text.ok_or_else(|| answer["exceptionDetails"]["text"].to_string())?;
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Waits until a script returns something true.
    pub async fn wait(&self, what: &str, script: &str) -> Value {
        until(what, PATIENCE, || async {
            let value = self.attempt(script).await.ok()?;
            let is_true = !matches!(value, Value::Null | Value::Bool(false));
            is_true.then_some(value)
        })
        .await
    }

    /// Waits for an element.
    pub async fn find(&self, css: &str) {
        let script = format!("return document.querySelector({}) !== null", json!(css));
        self.wait(css, &script).await;
    }

    /// Clicks with a mouse what may have to be waited for.
    pub async fn click(&self, css: &str) {
        let script = format!(
            "const element = document.querySelector({}); \
             element?.scrollIntoView({{ block: 'center', behavior: 'instant' }}); \
             const {{ left, top, width, height }} = element.getBoundingClientRect(); \
             const [x, y] = [left + width / 2, top + height / 2].map(Math.floor); \
             return !element.disabled && element.contains(document.elementFromPoint(x, y)) && {{ x, y }}",
            json!(css)
        );
        let at = self.wait(&format!("click {css}"), &script).await;
        let click = json!({ "context": self.tab, "actions": [{
            "type": "pointer",
            "id": "mouse",
            "actions": [
                { "type": "pointerMove", "x": at["x"], "y": at["y"] },
                { "type": "pointerDown", "button": 0 },
                { "type": "pointerUp", "button": 0 },
            ],
        }] });
        self.command("input.performActions", click).await.unwrap();
    }

    /// Signs in through the form.
    pub async fn sign_in(&self, origin: &str, name: &str) {
        self.open(&format!("{origin}/sign-in")).await;
        for (field, text) in [("name", name), ("password", PASSWORD)] {
            self.run(&format!(
                "document.getElementById('{field}').value = '{text}'"
            ))
            .await;
        }
        self.click("form[action='/sign-in'] button").await;
        self.wait("signed in", "return location.pathname !== '/sign-in'")
            .await;
    }

    /// Keeps a picture of the page in the folder that `TEST_PICTURES` names, if it does.
    pub async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("TEST_PICTURES") {
            let tab = json!({ "context": self.tab });
            let taken = self.command("browsingContext.captureScreenshot", tab).await;
            let png = BASE64.decode(taken.unwrap()["data"].as_str().unwrap());
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), png.unwrap()).unwrap();
        }
    }

    /// Closes the browser.
    pub async fn close(mut self) {
        self.command("browser.close", json!({})).await.unwrap();
        self.family.head.wait().await.unwrap();
    }
}
