//! A live class as people have it: a teacher in a browser with a camera, learners behind weak links.

use std::time::Duration;

use millet_tests::kit::{Browser, Link, School, Visitor, media, until};
use reqwest::Method;
use reqwest::multipart::{Form, Part};

const DELAY: Duration = Duration::from_millis(100);
/// Of a phone far from its mast.
const FAR: Duration = Duration::from_millis(300);

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

/// Three slides, shown one after the other by the teacher's buttons.
async fn add_slides(school: &School) {
    let teacher = Visitor::signed_in(school.server.address, "teacher").await;
    let mut form = Form::new();
    for slide in media::slides(3) {
        form = form.part("file", Part::bytes(slide).file_name("bees.png"));
    }
    let request = teacher.request(Method::POST, &school.class.path("/decks"));
    let answer = request.multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
}

/// A learner who watches behind a link.
async fn learner(school: &School, link: &Link) -> Browser {
    let learner = Browser::phone().await;
    school.watch(&learner, link.address).await;
    learner
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_class_reaches_a_learner_at_300_kbit_with_moving_pictures_and_words() {
    let school = School::found().await;
    let teacher = school.host().await;
    let link = Link::to(school.server.address, 300_000, DELAY).await;
    let learner = learner(&school, &link).await;
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
    learner.read("Open the hive slowly").await;
    learner
        .fill("[data-form=say] [name=text]", "How slowly?")
        .await;
    learner.click("[data-form=say] button").await;
    teacher.read("How slowly?").await;
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
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_class_teaches_at_64_kbit_with_unbroken_sound_slides_board_and_stills() {
    let school = School::found().await;
    let teacher = school.host().await;
    add_slides(&school).await;
    teacher.find("[data-choose=deck] option:nth-child(2)").await;
    let decks = teacher.find("[data-choose=deck]").await;
    decks.select_by_index(1).await.unwrap();
    let link = Link::to(school.server.address, 64_000, FAR).await;
    let learner = learner(&school, &link).await;
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

    // The page comes back by itself and goes on: where it was, or at the present if that is far away.
    for seconds in [20, 75] {
        link.cut();
        learner.find("[data-place=link-lost]:not([hidden])").await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        learner.picture("live-cut").await;
        link.heal();
        learner
            .run("window.until = window.played + 5; return true")
            .await;
        learner
            .wait("sound after the cut", "return window.played > window.until")
            .await;
        assert!(!learner.has("[data-place=link-lost]:not([hidden])").await);
    }

    // What was played is credited: all of it, and no more.
    learner.click("[data-do=toggle]").await;
    let played = learner.run("return window.played").await.as_f64().unwrap();
    until("evidence", Duration::from_secs(40), || async {
        let mut connection = school.village.db.read().await.unwrap();
        let (credited,): (i64,) = sqlx::query_as(
            "select cast(coalesce(sum(until_ms - from_ms), 0) as bigint) from watch_interval where account_id = $1",
        )
        .bind(school.village.student)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        let missing = played - credited as f64 / 1_000.0;
        (missing.abs() < 2.0).then_some(())
    })
    .await;

    // Who comes in the middle hears the present.
    school.watch(&learner, link.address).await;
    learner
        .wait("sound of a late visit", "return window.played > 5")
        .await;
    teacher.close().await;
    learner.close().await;
    school.server.kill().await;
}

/// Opens the menu of whoever has such a badge, and chooses from it.
async fn offer(teacher: &Browser, badge: &str, offer: &str) {
    let person = format!("[data-place=people] .person:has({badge})");
    let menu = format!("{person} .menu");
    teacher
        .run_with("document.querySelector(arguments[0]).open = true", &menu)
        .await;
    teacher
        .click(&format!("{person} [data-offer={offer}]"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_learner_with_the_floor_presses_to_talk_and_the_teacher_hears_it() {
    let school = School::found().await;
    let teacher = school.host().await;
    let link = Link::to(school.server.address, 150_000, DELAY).await;
    let learner = Browser::with_camera().await;
    school.watch(&learner, link.address).await;
    teacher.run(EARS).await;

    // The teacher gives the floor to the hand that went up.
    learner.click("[data-act=hand]").await;
    teacher.find("[data-place=people] .badge.hand").await;
    offer(&teacher, ".badge.hand", "give-floor").await;
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
    offer(&teacher, ".badge.floor", "take-floor").await;
    learner.find("[data-place=floor][hidden]").await;
    teacher.close().await;
    learner.close().await;
    school.server.kill().await;
}
