//! Time to the first picture in a real browser behind a weak link.

use std::time::Duration;

use super::nginx::Nginx;
use super::{heading, median, row};
use crate::kit::{Browser, Course, Link, Server};

/// Links, bits a second.
const RATES: [u32; 3] = [64_000, 150_000, 300_000];
/// Each way.
const DELAY: Duration = Duration::from_millis(150);
/// Visits of each link; the middle one is printed.
const VISITS: usize = 3;
/// Both moments in milliseconds, once a picture was shown.
const SHOWN: &str = "return window.shown && [window.shown - window.tapped, window.shown]";

/// Measures and prints.
///
/// # Panics
/// When a picture does not come.
pub async fn run(server: &Server, nginx: &Nginx, course: &Course) {
    for rate in RATES {
        let (mut own, mut peer) = (Times::default(), Times::default());
        for _ in 0..VISITS {
            let link = Link::to(server.address, rate, DELAY).await;
            let browser = Browser::phone().await;
            browser.sign_in(&server.url(""), "student").await;
            // The session is of the host, not of the port: signed in without the weak link.
            own.visit(
                &browser,
                &link.url(&course.lesson_path()),
                "[data-do=toggle]",
            )
            .await;
            browser.close().await;

            let link = Link::to(nginx.address, rate, DELAY).await;
            let browser = Browser::phone().await;
            peer.visit(&browser, &link.url("/index.html"), "#play")
                .await;
            browser.close().await;
        }
        heading(&format!("first picture at {} kbit/s", rate / 1000));
        let second = |values: &[f64]| median(values.to_vec()) / 1000.0;
        row("from the tap", "s", second(&own.tap), second(&peer.tap));
        row(
            "from opening the page, cold",
            "s",
            second(&own.page),
            second(&peer.page),
        );
    }
}

#[derive(Default)]
struct Times {
    tap: Vec<f64>,
    page: Vec<f64>,
}

impl Times {
    async fn visit(&mut self, browser: &Browser, url: &str, button: &str) {
        browser.open(url).await;
        browser.find(button).await;
        browser
            .run(&format!(
                "const video = document.querySelector('video'); video.muted = true; \
                 video.requestVideoFrameCallback(now => {{ window.shown = now }}); \
                 window.tapped = performance.now(); document.querySelector('{button}').click()"
            ))
            .await;
        let shown = browser.wait("the first picture", SHOWN).await;
        self.tap.push(shown[0].as_f64().unwrap());
        self.page.push(shown[1].as_f64().unwrap());
    }
}
