//! A live class between browsers of two makers.

use millet_tests::kit::firefox::PITCH;
use millet_tests::kit::school::SENSES;
use millet_tests::kit::{Browser, Firefox, Loudspeaker, School};

/// The made-up camera of Firefox shows one colour after the other.
const PICTURES_MOVE: &str = "
    const video = document.querySelector('video');
    const frames = video.getVideoPlaybackQuality().totalVideoFrames;
    return video.videoHeight >= 180 && frames > 30 && looks.size > 3";

/// A teacher who is on the air.
async fn host(school: &School, loudspeaker: Option<&Loudspeaker>) -> Firefox {
    let teacher = Firefox::with_camera(loudspeaker).await;
    teacher.sign_in(&school.server.url(""), "teacher").await;
    teacher.open(&school.page()).await;
    teacher.click("form[action$='/open'] button").await;
    teacher.click("[data-act=send]").await;
    teacher.find("[data-place=on-air]:not([hidden])").await;
    teacher
}

fn microphone_is_heard() -> String {
    format!("return loudest > 0.05 && Math.abs(pitch - {PITCH}) < 20")
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_class_of_a_teacher_in_firefox_is_seen_and_heard_in_chromium_and_in_firefox() {
    let school = School::found().await;
    let loudspeaker = Loudspeaker::start().await;
    let teacher = host(&school, Some(&loudspeaker)).await;
    let heard = microphone_is_heard();

    let learner = Browser::phone().await;
    school.watch(&learner, school.server.address).await;
    learner.run(SENSES).await;
    learner.wait("pictures that move", PICTURES_MOVE).await;
    learner.wait("the teacher's microphone", &heard).await;
    learner.picture("firefox-to-chromium").await;
    learner.close().await;

    let learner = Firefox::with_camera(Some(&loudspeaker)).await;
    learner.sign_in(&school.server.url(""), "student").await;
    learner.open(&school.page()).await;
    learner.click("[data-do=toggle]").await;
    learner.run(SENSES).await;
    learner.wait("pictures that move", PICTURES_MOVE).await;
    learner.wait("the teacher's microphone", &heard).await;
    learner.picture("firefox-to-firefox").await;
    teacher.picture("firefox-teacher").await;
    learner.close().await;
    teacher.close().await;
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_class_of_a_teacher_in_firefox_without_a_loudspeaker_is_seen() {
    let school = School::found().await;
    let teacher = host(&school, None).await;
    let learner = Browser::phone().await;
    school.watch(&learner, school.server.address).await;
    learner.run(SENSES).await;
    learner.wait("pictures that move", PICTURES_MOVE).await;
    learner.close().await;
    teacher.close().await;
    school.server.kill().await;
}
