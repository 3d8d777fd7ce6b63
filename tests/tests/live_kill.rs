//! A class whose server is killed while browsers are in it.

use millet_tests::kit::school::SENSES;
use millet_tests::kit::{Browser, School, Server};

const LINE_IS_SEEN: &str = "
    const board = document.querySelector('canvas[data-board]');
    const seen = board.getContext('2d').getImageData(0, 0, board.width, board.height).data;
    return seen.some((value) => value > 0)";

/// Notes in a teacher's page the newest time, in microseconds, of each kind of media that is sent.
const STAMPS: &str = "
    window.stamps = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
      if (typeof data !== 'string') {
        const view = new DataView(data);
        window.stamps[view.getUint8(0)] = Number(view.getBigInt64(8));
      }
      return send.call(this, data);
    };
    return true;";

#[tokio::test(flavor = "multi_thread")]
async fn browser_class_goes_on_by_itself_and_keeps_all_when_its_server_was_killed() {
    let mut school = School::found().await;
    let teacher = school.host().await;
    teacher.run(STAMPS).await;
    let learner = Browser::phone().await;
    school.watch(&learner, school.server.address).await;
    learner.run(SENSES).await;
    learner
        .wait(
            "sound and pictures",
            "return loudest > 0.05 && looks.size > 1",
        )
        .await;

    // Nothing of this waits for an answer any more when the power goes.
    say(&teacher, "Close the hive").await;
    teacher
        .find("[data-place=chat] .own:not(:has(.hint))")
        .await;
    teacher.draw("canvas[data-board]").await;
    learner.wait("the line", LINE_IS_SEEN).await;
    learner.read("Close the hive").await;
    let address = school.server.address;
    school.server.kill().await;
    teacher.find("[data-sending=lost]").await;
    learner.find("[data-place=link-lost]:not([hidden])").await;
    learner
        .run(
            "const { buffered } = document.querySelector('video'); \
             window.stored = buffered.end(buffered.length - 1); return true",
        )
        .await;
    learner.picture("live-killed").await;

    // Nobody touches anything.
    school.server = Server::start_again(&school.storage, address).await;
    teacher.find("[data-sending=open]").await;
    teacher.find("[data-place=on-air]:not([hidden])").await;
    learner
        .wait(
            "what was made after the kill",
            "const video = document.querySelector('video'); \
             window.frames = video.getVideoPlaybackQuality().totalVideoFrames; \
             window.loudest = 0; \
             return video.currentTime > window.stored + 3",
        )
        .await;
    // A voice that stood still with the server would be behind the picture by as long.
    let apart = teacher.run("return Math.abs(stamps[1] - stamps[2])").await;
    assert!(apart.as_f64().unwrap() < 1_000_000.0, "{apart} µs apart");
    learner
        .wait(
            "its sound and pictures",
            "const { totalVideoFrames } = document.querySelector('video').getVideoPlaybackQuality(); \
             if (totalVideoFrames < window.frames) window.frames = 0; \
             return loudest > 0.05 && totalVideoFrames > window.frames + 30",
        )
        .await;
    assert!(!learner.has("[data-place=link-lost]:not([hidden])").await);
    say(&teacher, "It was the wind").await;
    learner.read("It was the wind").await;

    // Not in the page's own memory: whoever comes now finds it too.
    learner.open(&school.page()).await;
    learner.read("Close the hive").await;
    learner.wait("the line", LINE_IS_SEEN).await;
    learner.picture("live-started-again").await;
    teacher.close().await;
    learner.close().await;
    school.server.kill().await;
}

async fn say(browser: &Browser, words: &str) {
    browser.fill("[data-form=say] [name=text]", words).await;
    browser.click("[data-form=say] button").await;
}
