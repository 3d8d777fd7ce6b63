//! A real Chromium at phone size.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::actions::{
    InputSource as _, MOUSE_BUTTON_LEFT, MouseActions, PenActions, PointerAction,
};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::family::Family;
use super::until;
use super::village::PASSWORD;

/// Longest wait for anything on a page: a slow link carries it.
const PATIENCE: Duration = Duration::from_secs(90);

/// A browser of its own, with its driver.
pub struct Browser {
    client: Client,
    // Ends with it.
    _driver: Family,
}

impl Browser {
    /// Opens a phone-sized browser.
    pub async fn phone() -> Self {
        Self::with(&[]).await
    }

    /// The same for somebody who reads light letters on a dark ground.
    pub async fn in_the_dark() -> Self {
        Self::with(&["--blink-settings=preferredColorScheme=0"]).await
    }

    /// The same with a made-up camera and microphone, that no question asks for.
    pub async fn with_camera() -> Self {
        let devices = [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
        ];
        Self::with(&devices).await
    }

    /// The same with a clip (MJPEG) as the camera.
    pub async fn with_camera_of(clip: &Path) -> Self {
        let clip = format!("--use-file-for-fake-video-capture={}", clip.display());
        let devices = [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            &clip,
        ];
        Self::with(&devices).await
    }

    async fn with(more: &[&str]) -> Self {
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut driver = Family::start(&mut command);
        let mut lines = BufReader::new(driver.head.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("chromedriver ended");
            if let Some(port) = line.split("on port ").nth(1) {
                let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
                if line.contains("successfully") {
                    break digits;
                }
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let arguments: Vec<&str> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--mute-audio",
            "--lang=en",
            "--window-size=500,900",
        ]
        .iter()
        .chain(more)
        .copied()
        .collect();
        let capabilities = json!({
            "goog:chromeOptions": {
                "args": arguments,
                "mobileEmulation": {
                    "deviceMetrics": { "width": 360, "height": 740, "pixelRatio": 2.0, "touch": true }
                },
                "prefs": { "intl.accept_languages": "en" },
            },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!()
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self {
            client,
            _driver: driver,
        }
    }

    /// The driver's client, for what is not here.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Waits for an element.
    pub async fn find(&self, css: &str) -> Element {
        until(css, PATIENCE, || async {
            self.client.find(Locator::Css(css)).await.ok()
        })
        .await
    }

    /// Whether there is such an element now.
    pub async fn has(&self, css: &str) -> bool {
        self.client.find(Locator::Css(css)).await.is_ok()
    }

    /// Clicks what may have to be waited for.
    pub async fn click(&self, css: &str) {
        until(&format!("click {css}"), PATIENCE, || async {
            let element = self.client.find(Locator::Css(css)).await.ok()?;
            element.click().await.ok()
        })
        .await;
    }

    /// Types into a field, whatever stood there before.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses a file in a file field.
    pub async fn choose_file(&self, css: &str, path: &Path) {
        self.find(css)
            .await
            .send_keys(path.to_str().unwrap())
            .await
            .unwrap();
    }

    /// Draws a stroke across the middle of an element with a pen.
    pub async fn draw(&self, css: &str) {
        let element = self.find(css).await;
        let step = Some(Duration::from_millis(80));
        let mut stroke = PenActions::new("pen".into())
            .then(PointerAction::MoveToElement {
                element,
                duration: step,
                x: -60.0,
                y: 0.0,
            })
            .then(PointerAction::Down {
                button: MOUSE_BUTTON_LEFT,
            });
        for down in [10.0, -10.0, 10.0, -10.0] {
            stroke = stroke.then(PointerAction::MoveBy {
                duration: step,
                x: 25.0,
                y: down,
            });
        }
        let stroke = stroke.then(PointerAction::Up {
            button: MOUSE_BUTTON_LEFT,
        });
        self.client.perform_actions(stroke).await.unwrap();
    }

    /// Presses an element for so long.
    pub async fn hold(&self, css: &str, time: Duration) {
        let element = self.find(css).await;
        let press = MouseActions::new("mouse".into())
            .then(PointerAction::MoveToElement {
                element,
                duration: None,
                x: 0.0,
                y: 0.0,
            })
            .then(PointerAction::Down {
                button: MOUSE_BUTTON_LEFT,
            })
            .then(PointerAction::Pause { duration: time })
            .then(PointerAction::Up {
                button: MOUSE_BUTTON_LEFT,
            });
        self.client.perform_actions(press).await.unwrap();
    }

    /// Runs a script's body and returns what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// The same with an argument.
    pub async fn run_with(&self, script: &str, argument: &str) -> Value {
        let arguments = vec![Value::from(argument)];
        self.client.execute(script, arguments).await.unwrap()
    }

    /// Waits until a script returns something true.
    pub async fn wait(&self, what: &str, script: &str) -> Value {
        self.wait_within(what, script, PATIENCE).await
    }

    /// The same with a patience of its own.
    pub async fn wait_within(&self, what: &str, script: &str, within: Duration) -> Value {
        until(what, within, || async {
            let value = self.client.execute(script, Vec::new()).await.ok()?;
            let is_true = !matches!(value, Value::Null | Value::Bool(false));
            is_true.then_some(value)
        })
        .await
    }

    /// Words of the page.
    pub async fn text(&self) -> String {
        let value = self.run("return document.body.innerText").await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until these words stand on the page.
    pub async fn read(&self, words: &str) {
        until(words, PATIENCE, || async {
            self.text().await.contains(words).then_some(())
        })
        .await;
    }

    /// Path of the page.
    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// Signs in through the form.
    pub async fn sign_in(&self, origin: &str, name: &str) {
        self.client.delete_all_cookies().await.unwrap();
        self.open(&format!("{origin}/sign-in")).await;
        self.fill("#name", name).await;
        self.fill("#password", PASSWORD).await;
        self.click("form[action='/sign-in'] button").await;
        until("signed in", PATIENCE, || async {
            (self.path().await != "/sign-in").then_some(())
        })
        .await;
    }

    /// Barriers on the page by WCAG 2.2 AA, as axe finds them: none is an empty array.
    ///
    /// # Panics
    /// When axe is missing.
    pub async fn barriers(&self) -> Value {
        let axe = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../web/node_modules/axe-core/axe.min.js"
        ))
        .unwrap();
        let script = format!(
            "{axe}; const done = arguments[arguments.length - 1]; \
             axe.run(document, {{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }})\
             .then(result => done(result.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))))"
        );
        let found = self.client.execute_async(&script, Vec::new()).await;
        found.unwrap()
    }

    /// Keeps a picture of the page in the folder that `TEST_PICTURES` names, if it does.
    pub async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("TEST_PICTURES") {
            let png = self.client.screenshot().await.unwrap();
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), png).unwrap();
        }
    }

    /// Closes the browser.
    pub async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}
