//! A live class as people have it: a teacher in a browser with a camera, learners behind weak links.

use std::time::Duration;

use millet_tests::kit::{
    Browser, Class, Engines, Link, Server, Storage, Village, Visitor, media, until,
};
use reqwest::Method;
use reqwest::multipart::{Form, Part};

const DELAY: Duration = Duration::from_millis(100);
/// Of a phone far from its mast.
const FAR: Duration = Duration::from_millis(300);

/// Measures in the page how much sound was played, and how often it stood still while it should play.
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

/// Notes in a page how loud the voices are that it plays.
const EARS: &str = "
    window.loudest = 0;
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (...when) {
      for (const sample of this.buffer.getChannelData(0))
        window.loudest = Math.max(window.loudest, Math.abs(sample));
      return start.apply(this, when);
    };
    return true;";

async fn school() -> (Storage, Village, Server, Class) {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let class = Class::schedule(&village).await;
    (storage, village, server, class)
}

/// Three slides, shown one after the other by the teacher's buttons.
async fn add_slides(server: &Server, class: &Class) {
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    let mut form = Form::new();
    for slide in media::slides(3) {
        form = form.part("file", Part::bytes(slide).file_name("bees.png"));
    }
    let request = teacher.request(Method::POST, &class.path("/decks"));
    let answer = request.multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
}

/// A teacher who is on the air.
async fn host(server: &Server, class: &Class) -> Browser {
    let teacher = Browser::with_camera().await;
    teacher.sign_in(&server.url(""), "teacher").await;
    teacher.open(&server.url(&class.path(""))).await;
    teacher.picture("live-before").await;
    teacher.click("form[action$='/open'] button").await;
    teacher.click("[data-act=send]").await;
    teacher.find("[data-place=on-air]:not([hidden])").await;
    teacher
}

/// A learner who watches behind a link.
async fn learner(server: &Server, link: &Link, class: &Class) -> Browser {
    let learner = Browser::phone().await;
    watch(&learner, server, link, class).await;
    learner
}

async fn watch(learner: &Browser, server: &Server, link: &Link, class: &Class) {
    learner.sign_in(&server.url(""), "student").await;
    learner.open(&link.url(&class.path(""))).await;
    learner.run(METER).await;
    learner.click("[data-do=toggle]").await;
    learner
        .wait(
            "sound or picture moves",
            "return document.querySelector('video').currentTime > 2",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_class_reaches_a_learner_at_300_kbit_with_moving_pictures_and_words() {
    let (_storage, _village, server, class) = school().await;
    let teacher = host(&server, &class).await;
    let link = Link::to(server.address, 300_000, DELAY).await;
    let learner = learner(&server, &link, &class).await;
    learner
        .wait(
            "pictures of 240 lines or more",
            "const v = document.querySelector('video'); \
             return v.videoHeight >= 240 && v.getVideoPlaybackQuality().totalVideoFrames > 30",
        )
        .await;
    learner.picture("live-learner").await;

    // What the teacher writes is read by the learner, and the answer by the teacher.
    teacher
        .fill("[data-form=say] [name=text]", "Open the hive slowly")
        .await;
    teacher.click("[data-form=say] button").await;
    read(&learner, "Open the hive slowly").await;
    learner
        .fill("[data-form=say] [name=text]", "How slowly?")
        .await;
    learner.click("[data-form=say] button").await;
    read(&teacher, "How slowly?").await;
    learner.click("[data-act=hand]").await;
    teacher
        .wait(
            "the hand",
            "return document.querySelector('[data-place=people]')?.innerText.length > 0",
        )
        .await;
    teacher.picture("live-teacher").await;
    teacher.close().await;
    learner.close().await;
    server.kill().await;
}

async fn read(browser: &Browser, words: &str) {
    until(words, Duration::from_secs(30), || async {
        browser.text().await.contains(words).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_class_teaches_at_64_kbit_with_unbroken_sound_slides_board_and_stills() {
    let (_storage, village, server, class) = school().await;
    let teacher = host(&server, &class).await;
    add_slides(&server, &class).await;
    teacher.find("[data-choose=deck] option:nth-child(2)").await;
    let decks = teacher.find("[data-choose=deck]").await;
    decks.select_by_index(1).await.unwrap();
    let link = Link::to(server.address, 64_000, FAR).await;
    let learner = learner(&server, &link, &class).await;
    learner
        .wait(
            "the slide",
            "const slide = document.querySelector('img[data-slide]'); return slide.complete && slide.naturalWidth > 300",
        )
        .await;
    // What the teacher draws appears over it.
    teacher.draw("canvas[data-board]").await;
    learner
        .wait(
            "the line",
            "const board = document.querySelector('canvas[data-board]'); \
             const seen = board.getContext('2d').getImageData(0, 0, board.width, board.height).data; \
             return seen.some((value) => value > 0)",
        )
        .await;
    learner
        .wait(
            "stills",
            "const video = document.querySelector('video'); \
             return video.videoHeight > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 3",
        )
        .await;
    learner
        .run("window.stalls = []; window.until = window.played + 30; return true")
        .await;
    learner
        .wait("30 seconds of sound", "return window.played > window.until")
        .await;
    let stalls = learner.run("return window.stalls").await;
    assert_eq!(stalls.as_array().unwrap().len(), 0, "{stalls}");
    learner.picture("live-64").await;

    // A cut of 20 s: the page says so, comes back by itself and goes on.
    link.cut();
    learner.find("[data-place=link-lost]:not([hidden])").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    learner.picture("live-cut").await;
    link.heal();
    learner
        .run("window.until = window.played + 5; return true")
        .await;
    learner
        .wait("sound after the cut", "return window.played > window.until")
        .await;
    assert!(!learner.has("[data-place=link-lost]:not([hidden])").await);

    // What was played is credited: all of it, and no more.
    learner.click("[data-do=toggle]").await;
    let played = learner.run("return window.played").await.as_f64().unwrap();
    until("evidence", Duration::from_secs(40), || async {
        let mut connection = village.db.read().await.unwrap();
        let (credited,): (i64,) = sqlx::query_as(
            "select cast(coalesce(sum(until_ms - from_ms), 0) as bigint) from watch_interval where account_id = $1",
        )
        .bind(village.student)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        let missing = played - credited as f64 / 1_000.0;
        (missing.abs() < 2.0).then_some(())
    })
    .await;
    teacher.close().await;
    learner.close().await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_learner_with_the_floor_presses_to_talk_and_the_teacher_hears_it() {
    let (_storage, _village, server, class) = school().await;
    let teacher = host(&server, &class).await;
    let link = Link::to(server.address, 150_000, DELAY).await;
    let learner = Browser::with_camera().await;
    watch(&learner, &server, &link, &class).await;
    teacher.run(EARS).await;

    // The teacher gives the floor to the hand that went up.
    learner.click("[data-act=hand]").await;
    teacher.find("[data-place=people] .badge.hand").await;
    teacher
        .run("document.querySelector('[data-place=people] .person:has(.badge.hand) .menu').open = true")
        .await;
    teacher
        .click(".person:has(.badge.hand) [data-offer=give-floor]")
        .await;
    learner.find("[data-act=talk]:not([disabled])").await;
    learner.picture("live-floor").await;
    learner
        .hold("[data-act=talk]", Duration::from_secs(4))
        .await;
    teacher
        .wait("the learner's voice", "return window.loudest > 0.05")
        .await;
    // Let go: nothing is said any more.
    learner.find("[data-act=talk][aria-pressed=false]").await;

    // Without the floor there is nothing to press.
    teacher
        .run("document.querySelector('[data-place=people] .person:has(.badge.floor) .menu').open = true")
        .await;
    teacher
        .click(".person:has(.badge.floor) [data-offer=take-floor]")
        .await;
    learner.find("[data-place=floor][hidden]").await;
    teacher.close().await;
    learner.close().await;
    server.kill().await;
}
