//! Encoders such as OBS publish by RTMP with a stream key, until the key is revoked.

use std::process::Stdio;
use std::time::Duration;

use millet_tests::kit::{Class, Engines, Server, Village, Visitor, media, until};
use tokio::process::{Child, Command};

/// Time in which a class gets going, or a revoked key is noticed.
const SOON: Duration = Duration::from_secs(40);

/// An encoder that sends a recording in its own time, over and over.
fn encoder(recording: &std::path::Path, url: &str) -> Child {
    let recording = recording.to_str().unwrap();
    Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i"])
        .arg(recording)
        .args([
            "-vf",
            "scale=640:360,fps=15",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ])
        .args(["-g", "30", "-c:a", "aac", "-b:a", "48k", "-f", "flv", url])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_publishes_with_a_key_until_it_is_revoked() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start_with(&storage, &["--rtmp-listen", "127.0.0.1:0"]).await;
    let class = Class::schedule(&village).await;
    let recording = media::lecture(storage.folder(), 12);
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    let student = Visitor::signed_in(server.address, "student").await;
    assert_eq!(teacher.post(&class.path("/open"), &[]).await.status(), 303);
    let page = teacher.post(&class.path("/keys"), &[]).await;
    let page = page.text().await.unwrap();
    let key = page.split("<code>").nth(1).unwrap();
    let key = key.split('<').next().unwrap();
    let place = format!("rtmp://{}/live", server.rtmp.unwrap());

    let mut stranger = encoder(&recording, &format!("{place}/not-a-key"));
    let ended = tokio::time::timeout(SOON, stranger.wait()).await;
    assert!(!ended.expect("a stranger publishes").unwrap().success());

    let mut obs = encoder(&recording, &format!("{place}/{key}"));
    let playlist = format!("/media/{}/live/v240.m3u8", class.timeline);
    let segments = async || {
        let text = student.get(&playlist).await.text().await.unwrap();
        text.lines().filter(|line| line.ends_with(".m4s")).count()
    };
    until("segments of the encoder's picture", SOON, || async {
        (segments().await >= 3).then_some(())
    })
    .await;

    let page = teacher.get(&class.path("")).await.text().await.unwrap();
    let revoke = page.split("/revoke\"").next().unwrap();
    let revoke = format!("{}/revoke", revoke.rsplit('"').next().unwrap());
    assert_eq!(teacher.post(&revoke, &[]).await.status(), 303);
    let ended = tokio::time::timeout(SOON, obs.wait()).await;
    assert!(ended.is_ok(), "a revoked key goes on publishing");
    let mut again = encoder(&recording, &format!("{place}/{key}"));
    let ended = tokio::time::timeout(SOON, again.wait()).await;
    assert!(!ended.expect("a revoked key publishes").unwrap().success());
    server.kill().await;
}
