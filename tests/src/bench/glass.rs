//! From the teacher's glass to the learner's: a time code in the camera's picture, read in both browsers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::kit::{Browser, Class, Engines, Link, Server, Village, media};

/// Bits of the time code: tenths of a second, for longer than the clip lasts.
const BITS: u32 = 10;
/// Length of the clip, seconds; the camera shows it over and over.
const CLIP_S: u32 = 60;
/// Time that a learner watches before it counts, and while it does.
const SETTLE: Duration = Duration::from_secs(45);
const WATCH: Duration = Duration::from_secs(30);
/// Links: bits a second each way, delay each way, what is promised for it.
const LINKS: [(u32, u64, &str); 3] = [
    (300_000, 100, "1.5 s"),
    (150_000, 200, "-"),
    (64_000, 300, "3 s"),
];

/// Notes in a page when each code was shown first, on the wall clock both pages share.
const READER: &str = "
    const video = document.querySelector(arguments[0]);
    const strip = document.createElement('canvas');
    strip.width = 160; strip.height = 4;
    const context = strip.getContext('2d', { willReadFrequently: true });
    window.codes = {};
    const look = () => {
      if (video.videoWidth > 0) {
        const height = video.videoHeight / 6;
        context.drawImage(video, 0, height / 4, video.videoWidth, height / 2, 0, 0, 160, 4);
        const { data } = context.getImageData(0, 0, 160, 4);
        let code = 0;
        for (let bit = 0; bit < 10; bit += 1) {
          if (data[4 * (160 + bit * 16 + 8) + 1] > 127) code |= 1 << bit;
        }
        window.codes[code] ??= performance.timeOrigin + performance.now();
      }
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
    return true;";

/// Measures and prints.
///
/// # Panics
/// When a browser or the server fails.
pub async fn run(folder: &Path) {
    let clip = clip(folder);
    println!(
        "\n{:<44} {:>10} {:>10} {:>10} {:>10}",
        "glass to glass", "p50 ms", "p95 ms", "codes", "target"
    );
    for (bits, delay_ms, target) in LINKS {
        let mut delays = measure(&clip, bits, Duration::from_millis(delay_ms)).await;
        delays.sort_unstable_by(f64::total_cmp);
        let at = |share: usize| {
            let index = delays.len().saturating_sub(1) * share / 100;
            delays.get(index).copied().unwrap_or(f64::NAN)
        };
        println!(
            "{:<44} {:>10.0} {:>10.0} {:>10} {target:>10}",
            format!("{} kbit/s, {} ms round trip", bits / 1000, 2 * delay_ms),
            at(50),
            at(95),
            delays.len()
        );
    }
}

/// Delay of each code that both sides saw, milliseconds.
async fn measure(clip: &Path, bits: u32, delay: Duration) -> Vec<f64> {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let class = Class::schedule(&village).await;
    let teacher = Browser::with_camera_of(clip).await;
    teacher.sign_in(&server.url(""), "teacher").await;
    teacher.open(&server.url(&class.path(""))).await;
    teacher.click("form[action$='/open'] button").await;
    teacher.click("[data-act=send]").await;
    teacher.find("[data-place=on-air]:not([hidden])").await;
    let link = Link::to(server.address, bits, delay).await;
    let learner = Browser::phone().await;
    learner.sign_in(&server.url(""), "student").await;
    learner.open(&link.url(&class.path(""))).await;
    learner.click("[data-do=toggle]").await;
    learner
        .wait(
            "a picture",
            "const v = document.querySelector('video'); \
             return v.videoHeight > 0 && v.getVideoPlaybackQuality().totalVideoFrames > 1",
        )
        .await;
    tokio::time::sleep(SETTLE).await;
    teacher.run_with(READER, "[data-place=desk] video").await;
    learner.run_with(READER, "[data-live-player] video").await;
    tokio::time::sleep(WATCH).await;
    let codes = "return window.codes";
    let (shown, seen) = (teacher.run(codes).await, learner.run(codes).await);
    teacher.close().await;
    learner.close().await;
    server.kill().await;
    let seen = seen.as_object().unwrap();
    seen.iter()
        .filter_map(|(code, at)| Some(at.as_f64()? - shown.get(code)?.as_f64()?))
        // A code that the teacher's page saw only after the learner's belongs to another round of the clip.
        .filter(|delay| *delay > 0.0)
        .collect()
}

/// A clip whose top row says the time in tenths of a second, one bit a block.
fn clip(folder: &Path) -> PathBuf {
    let path = folder.join("camera.mjpeg");
    let mut filter = "drawbox=x=0:y=0:w=640:h=60:color=black:t=fill".to_owned();
    for bit in 0..BITS {
        let (x, step) = (bit * 64, 1_u32 << bit);
        filter += &format!(
            ",drawbox=x={x}:y=0:w=64:h=60:color=white:t=fill:enable='mod(floor(floor(t*10+0.01)/{step}),2)'"
        );
    }
    let source = format!("testsrc2=size=640x360:rate=20:duration={CLIP_S}");
    let arguments = [
        "-v",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        &source,
        "-vf",
        &filter,
        "-q:v",
        "4",
        path.to_str().unwrap(),
    ];
    media::run("ffmpeg", &arguments);
    path
}
