//! From an uploaded lesson to a moved support plan, as people live it.

use std::time::Duration;

use millet_server::courses::publish;
use millet_server::courses::store::taught_by;
use millet_server::learning::{enrolment, progress};
use millet_server::plans::store::measure;
use millet_tests::kit::{Browser, Engines, Link, Server, Village, media, until};

/// Bits a second of the link.
const LINK: u32 = 150_000;
const DELAY: Duration = Duration::from_millis(150);
/// Length of the lecture, seconds.
const SECONDS: u32 = 32;
const IS_PLAYING: &str = "return document.querySelector('video').currentTime > ";

#[tokio::test(flavor = "multi_thread")]
async fn browser_chain_on_the_embedded_engines() {
    chain(Engines::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_chain_on_the_grown_engines() {
    chain(Engines::Grown).await;
}

async fn chain(engines: Engines) {
    let storage = engines.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let link = Link::to(server.address, LINK, DELAY).await;
    let origin = link.url("");
    let browser = Browser::phone().await;

    browser.sign_in(&origin, "teacher").await;
    let recording = media::lecture(storage.folder(), SECONDS);
    write_course(&browser, &origin, &recording).await;
    let course = {
        let mut connection = village.db.read().await.unwrap();
        taught_by(&mut connection, village.teacher).await.unwrap()[0].id
    };
    let measure_id = village.plan(course).await;

    browser.sign_in(&origin, "student").await;
    let server = learn(&browser, &link, server, &storage).await;
    let played_ms = browser
        .run(
            "const played = document.querySelector('video').played; let sum = 0; \
             for (let i = 0; i < played.length; i++) sum += played.end(i) - played.start(i); \
             return Math.round(sum * 1000)",
        )
        .await
        .as_i64()
        .unwrap();

    // What the browser played is what the server accounted for, to the second.
    let lesson = {
        let mut connection = village.db.read().await.unwrap();
        let enrolment = enrolment::find(&mut connection, course, village.student)
            .await
            .unwrap();
        let version = enrolment.unwrap().version_id;
        publish::lessons(&mut connection, version)
            .await
            .unwrap()
            .remove(0)
    };
    let evidence_ms = until("the evidence arrives", Duration::from_secs(30), || async {
        let mut connection = village.db.read().await.unwrap();
        let watched = progress::of_timeline(
            &mut connection,
            village.student,
            lesson.lesson_id,
            lesson.timeline_id.unwrap(),
        )
        .await
        .unwrap();
        let total_ms = watched.total_ms();
        ((total_ms - played_ms).abs() <= 1_000).then_some(total_ms)
    })
    .await;
    assert!(
        evidence_ms >= i64::from(SECONDS) * 900,
        "{evidence_ms} of {played_ms} ms"
    );

    browser.open(&link.url("/learning")).await;
    browser.picture("my-learning").await;
    browser.click("a[href^='/credentials/']").await;
    browser.find(".certificate .notice").await;
    browser.picture("credential").await;
    let address = browser.client().current_url().await.unwrap();
    // An employer needs no account.
    browser.client().delete_all_cookies().await.unwrap();
    browser.open(address.as_str()).await;
    let words = browser.text().await;
    assert!(
        words.contains("student") && words.contains("Beekeeping"),
        "{words}"
    );

    browser.sign_in(&origin, "helper").await;
    browser.open(&link.url("/support/verify")).await;
    browser.picture("to-verify").await;
    browser.click("a[href^='/support/measures/']").await;
    browser.find("svg.bar").await;
    browser.picture("verification").await;
    browser.click("form[action$='/verify'] button").await;
    browser.find(".notice").await;
    let mut connection = village.db.read().await.unwrap();
    assert_eq!(
        measure(&mut connection, measure_id).await.unwrap().status,
        "verified"
    );
    drop(connection);

    browser.sign_in(&origin, "student").await;
    browser.open(&link.url("/plan")).await;
    browser.find(".badge.verified").await;
    browser.picture("my-plan").await;
    browser.close().await;
    assert!(server.stop().await, "the server did not stop in order");
}

async fn write_course(browser: &Browser, origin: &str, recording: &std::path::Path) {
    browser.open(&format!("{origin}/teach")).await;
    browser.fill("#title", "Beekeeping").await;
    browser.click("form[action='/teach/courses'] button").await;
    browser.fill("#module", "Basics").await;
    browser.click("form[action$='/modules'] button").await;
    browser
        .fill("form[action$='/lessons'] input[name=title]", "Hives")
        .await;
    browser.click("form[action$='/lessons'] button").await;
    let editor = until("the lesson's editor", Duration::from_secs(60), || async {
        let path = browser.path().await;
        path.contains("/lessons/").then_some(path)
    })
    .await;
    browser.choose_file("#file", recording).await;
    browser.click("[data-upload-form] button").await;
    browser.find("[data-upload-progress]:not([hidden])").await;
    browser.picture("upload").await;
    browser
        .wait_within(
            "the recording is prepared",
            "return !!document.querySelector('[data-media-state=ready]')",
            Duration::from_secs(180),
        )
        .await;
    // What it was taken for, what it costs, how like the recording it is.
    let page = browser.text().await;
    assert!(page.contains("Taken for"), "{page}");
    assert!(page.contains("% like the recording"), "{page}");
    browser.picture("lesson-editor").await;
    let course = editor.split("/lessons/").next().unwrap().to_owned();
    browser.open(&format!("{origin}{course}")).await;
    browser.picture("course-editor").await;
    browser.click("form[action$='/publish'] button").await;
    browser.find(".notice").await;
}

/// Something was watched, and the page says as much as its player.
const WATCHED: &str = "const [page, player] = ['[data-watched]', '[data-show=watched]'].map(each => \
     document.querySelector(each).textContent); return page === player && !/\\b0 ?%/.test(page)";

/// Watches the whole lesson through three cuts and a restart of the server.
async fn learn(
    browser: &Browser,
    link: &Link,
    server: Server,
    storage: &millet_tests::kit::Storage,
) -> Server {
    browser.open(&link.url("/courses")).await;
    browser.picture("courses").await;
    browser.click(".courses a").await;
    browser.picture("course").await;
    browser.click("form[action$='/enrol'] button").await;
    browser.click("a.button.main[href*='/lessons/']").await;
    browser.click("[data-do=toggle]").await;
    browser
        .wait("pictures move", &format!("{IS_PLAYING} 2"))
        .await;
    let frames = browser
        .run("return document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames")
        .await;
    assert!(frames.as_i64().unwrap() > 0, "frames were really decoded");
    browser.picture("player").await;
    for at in [4, 9] {
        browser
            .wait("playback goes on", &format!("{IS_PLAYING} {at}"))
            .await;
        link.cut();
        browser
            .find("[data-player][data-state=cut], [data-player][data-state=lost]")
            .await;
        browser.picture(&format!("cut-{at}")).await;
        link.heal();
    }
    browser
        .wait("playback goes on", &format!("{IS_PLAYING} 14"))
        .await;
    browser
        .wait("page and player say alike how much was watched", WATCHED)
        .await;
    server.kill().await;
    let server = Server::start(storage).await;
    link.lead_to(server.address);
    browser
        .wait("playback goes on", &format!("{IS_PLAYING} 20"))
        .await;
    link.cut();
    tokio::time::sleep(Duration::from_secs(2)).await;
    link.heal();
    browser
        .wait_within(
            "the end",
            "return document.querySelector('video').ended",
            Duration::from_secs(240),
        )
        .await;
    browser.picture("ended").await;
    server
}
