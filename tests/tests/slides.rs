//! Slides as they come in: no more at once than the server holds.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use millet_tests::kit::{School, Visitor, media, until};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method};

/// What takes longer does not happen.
const SOON: Duration = Duration::from_secs(30);

fn upload(teacher: &Visitor, path: &str, file: Part) -> reqwest::RequestBuilder {
    let form = Form::new().part("file", file.file_name("swarm.png"));
    teacher.request(Method::POST, path).multipart(form)
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_do_not_end_keep_no_more_than_their_places() {
    let school = School::found().await;
    let teacher = Visitor::signed_in(school.server.address, "teacher").await;
    let path = school.class.path("/decks");
    // Links so slow that nothing more comes.
    let mut slow = Vec::new();
    for _ in 0..4 {
        let nothing = stream::pending::<Result<Bytes, std::io::Error>>();
        let file = Part::stream(Body::wrap_stream(nothing));
        slow.push(tokio::spawn(upload(&teacher, &path, file).send()));
    }
    let slide = media::slides(1).remove(0);
    let answers = async |status: u16| {
        let upload = upload(&teacher, &path, Part::bytes(slide.clone()));
        let answer = upload.send().await.unwrap();
        (answer.status() == status).then_some(())
    };
    until("no place is left", SOON, || answers(503)).await;
    for upload in slow {
        upload.abort();
    }
    until("there is a place again", SOON, || answers(303)).await;
    school.server.kill().await;
}
