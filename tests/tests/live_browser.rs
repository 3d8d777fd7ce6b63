//! A live class as people have it: a teacher in a browser with a camera, learners behind weak links.

use std::time::Duration;

use millet_tests::kit::{Browser, Class, Engines, Link, Server, Storage, Village, until};

const DELAY: Duration = Duration::from_millis(100);

async fn school() -> (Storage, Server, Class) {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let class = Class::schedule(&village).await;
    (storage, server, class)
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
    learner.sign_in(&server.url(""), "student").await;
    learner.open(&link.url(&class.path(""))).await;
    learner.click("[data-do=toggle]").await;
    learner
        .wait(
            "sound or picture moves",
            "return document.querySelector('video').currentTime > 2",
        )
        .await;
    learner
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_class_reaches_a_learner_at_300_kbit_with_moving_pictures_and_words() {
    let (_storage, server, class) = school().await;
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
