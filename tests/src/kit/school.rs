//! A class that is about to begin, and browsers in it.

use std::net::SocketAddr;

use super::{Browser, Class, Engines, Server, Storage, Village};

/// Measures in a page how much sound was played, and how often it stood still while it should play.
const METER: &str = "
    const video = document.querySelector('video');
    window.played = 0;
    window.stalls = [];
    let [head, wall] = [video.currentTime, performance.now()];
    setInterval(() => {
      const now = performance.now();
      const moved = video.currentTime - head;
      if (moved > 0 && moved < 1 && !video.paused) window.played += moved;
      if (moved !== 0) [head, wall] = [video.currentTime, now];
      else if (now - wall > 400 && window.stalls.at(-1)?.wall !== wall) window.stalls.push({ head, wall });
    }, 50);
    return true;";

/// Listens in a page to what its player plays, and looks at it: `loudest` is the largest sample so far,
/// `pitch` that of the loudest tone now, Hz (0 in silence), and `looks` are the colours that the middle
/// of the picture had. What they hold may be emptied.
pub const SENSES: &str = "
    const video = document.querySelector('video');
    const sound = new AudioContext();
    const ear = sound.createAnalyser();
    ear.fftSize = 4096;
    sound.createMediaElementSource(video).connect(ear).connect(sound.destination);
    const samples = new Float32Array(ear.fftSize);
    const tones = new Uint8Array(ear.frequencyBinCount);
    const eye = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    Object.assign(window, { loudest: 0, pitch: 0, looks: new Set() });
    setInterval(() => {
      ear.getFloatTimeDomainData(samples);
      window.loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), window.loudest);
      ear.getByteFrequencyData(tones);
      const tone = tones.reduce((best, level, at) => (level > tones[best] ? at : best), 0);
      window.pitch = (tone * sound.sampleRate) / ear.fftSize;
      eye.drawImage(video, 0, 0, 1, 1);
      window.looks.add(eye.getImageData(0, 0, 1, 1).data.map((part) => part >> 4).join());
    }, 50);
    return true;";

/// A server with a village, and a class that is about to begin.
pub struct School {
    /// Where it keeps everything.
    pub storage: Storage,
    /// Its people.
    pub village: Village,
    /// Its server.
    pub server: Server,
    /// The class.
    pub class: Class,
}

impl School {
    /// Founds one on the embedded engines.
    pub async fn found() -> Self {
        let storage = Engines::Embedded.storage().await;
        let village = Village::found(storage.db().await).await;
        let server = Server::start(&storage).await;
        let class = Class::schedule(&village).await;
        Self {
            storage,
            village,
            server,
            class,
        }
    }

    /// Address of the class's page.
    #[must_use]
    pub fn page(&self) -> String {
        self.server.url(&self.class.path(""))
    }

    /// The teacher opens the class and is on the air.
    pub async fn host(&self) -> Browser {
        let teacher = Browser::with_camera().await;
        teacher.sign_in(&self.server.url(""), "teacher").await;
        teacher.open(&self.page()).await;
        teacher.picture("live-before").await;
        teacher.click("form[action$='/open'] button").await;
        teacher.click("[data-act=send]").await;
        teacher.find("[data-place=on-air]:not([hidden])").await;
        teacher
    }

    /// The student watches the class in a browser, through a link or where the server is.
    pub async fn watch(&self, learner: &Browser, through: SocketAddr) {
        learner.sign_in(&self.server.url(""), "student").await;
        let page = format!("http://{through}{}", self.class.path(""));
        learner.open(&page).await;
        learner.run(METER).await;
        learner.click("[data-do=toggle]").await;
        learner
            .wait(
                "sound or picture moves",
                "return document.querySelector('video').currentTime > 2",
            )
            .await;
    }
}
