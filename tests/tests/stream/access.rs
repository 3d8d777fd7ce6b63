//! Who may connect, and how a connection ends.

use std::time::Duration;

use millet_server::id::TimelineId;
use millet_server::stream::testing::content;
use millet_server::stream::wire::{ClientMessage, ServerMessage};
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, ClientError, Event, hello};

use crate::{connected, lecture, welcomed};

async fn refusal(client: &mut Client) -> (Option<String>, u16) {
    let mut problem = None;
    loop {
        match client.next().await {
            Ok(Event::Control(ServerMessage::Problem { code })) => problem = Some(code),
            Ok(_) => {}
            Err(ClientError::Closed(code, _)) => return (problem, code),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn only_who_follows_or_teaches_the_course_may_watch() {
    let (_folder, host) = lecture(60_000).await;
    let connect = async |person: &str, timeline: TimelineId| {
        let mut client = Client::connect(host.address(), person).await.unwrap();
        let message = ClientMessage::Hello(hello(timeline, Host::session()));
        client.send(&message).await.unwrap();
        client
    };
    let mut outsider = connect(&host.outsider.token, host.timeline).await;
    assert_eq!(
        refusal(&mut outsider).await,
        (Some("not_found".into()), 1008)
    );
    let mut unknown = connect(&host.learner.token, TimelineId::new()).await;
    assert_eq!(
        refusal(&mut unknown).await,
        (Some("not_found".into()), 1008)
    );
    let mut teacher = connect(&host.teacher.token, host.timeline).await;
    assert!(matches!(
        teacher.next().await.unwrap(),
        Event::Control(ServerMessage::Welcome { .. })
    ));
    assert!(
        Client::connect(host.address(), &"0".repeat(64))
            .await
            .is_err()
    );
    host.running.stop().await;
}

#[tokio::test]
async fn malformed_talk_ends_the_connection_and_nothing_else() {
    let (_folder, host) = lecture(60_000).await;
    for text in [
        "",
        "[]",
        "{\"type\":\"ack\",\"bytes\":1,\"buffer_ms\":1}",
        "{\"type\":\"hello\"}",
    ] {
        let mut client = connected(&host).await;
        client.send_text(text).await.unwrap();
        assert_eq!(
            refusal(&mut client).await,
            (Some("malformed".into()), 1008),
            "{text}"
        );
    }
    let mut client = welcomed(&host).await;
    client
        .send_text(&format!("{{\"type\":\"{}\"}}", "x".repeat(20_000)))
        .await
        .unwrap();
    let ended = loop {
        if let Err(error) = client.next().await {
            break error;
        }
    };
    assert!(!matches!(ended, ClientError::Silence), "{ended}");
    let mut client = welcomed(&host).await;
    for _ in 0..200 {
        // The server may have closed already.
        if client
            .send(&ClientMessage::Pin { rung: None })
            .await
            .is_err()
        {
            break;
        }
    }
    let ended = loop {
        if let Err(error) = client.next().await {
            break error;
        }
    };
    assert!(!matches!(ended, ClientError::Silence), "{ended}");
    host.running.stop().await;
}

#[tokio::test]
async fn a_fifth_socket_takes_the_place_of_the_oldest_and_a_stop_says_restart() {
    let (_folder, host) = lecture(60_000).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(welcomed(&host).await);
    }
    let (problem, code) = refusal(&mut clients[0]).await;
    assert_eq!(
        (problem.as_deref(), code),
        (Some("too_many_connections"), 1008)
    );
    let stopped = tokio::spawn(host.running.stop());
    assert_eq!(refusal(&mut clients[4]).await, (None, 1012));
    drop(clients);
    stopped.await.unwrap();
}

#[tokio::test]
async fn files_are_served_whole_and_by_range_to_members_only() {
    let (_folder, host) = lecture(60_000).await;
    let http = reqwest::Client::new();
    let file = &host.described.renditions[4].segments[1];
    let url = format!(
        "http://{}/media/{}/{}",
        host.address(),
        host.timeline,
        file.file
    );
    let get = |token: &str, headers: &[(&'static str, String)]| {
        let mut request = http
            .get(&url)
            .header("cookie", format!("millet_session={token}"));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.send()
    };
    let content = content(&file.file, file.bytes);
    let whole = get(&host.learner.token, &[]).await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["content-type"], "video/mp4");
    assert_eq!(
        whole.headers()["cache-control"],
        "private, max-age=31536000, immutable"
    );
    assert!(!whole.headers().contains_key("content-encoding"));
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.bytes().await.unwrap(), content);

    let range = ("range", "bytes=1000-1999".to_owned());
    let part = get(&host.learner.token, std::slice::from_ref(&range))
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(
        part.headers()["content-range"],
        format!("bytes 1000-1999/{}", file.bytes)
    );
    assert_eq!(part.bytes().await.unwrap(), content[1000..2000]);
    let other = ("if-range", "\"other\"".to_owned());
    assert_eq!(
        get(&host.learner.token, &[range, other])
            .await
            .unwrap()
            .status(),
        200
    );
    let beyond = ("range", format!("bytes={}-", file.bytes));
    assert_eq!(
        get(&host.learner.token, &[beyond]).await.unwrap().status(),
        416
    );
    let kept = ("if-none-match", tag);
    assert_eq!(
        get(&host.learner.token, &[kept]).await.unwrap().status(),
        304
    );
    assert_eq!(get(&host.outsider.token, &[]).await.unwrap().status(), 404);
    assert_eq!(get("", &[]).await.unwrap().status(), 401);
    assert_eq!(get(&host.teacher.token, &[]).await.unwrap().status(), 200);
    host.running.stop().await;
}

#[tokio::test]
async fn a_peer_that_vanished_or_never_speaks_is_given_up() {
    let (_folder, host) = lecture(600_000).await;
    let mut mute = connected(&host).await;
    let mut gone = welcomed(&host).await;
    let began = std::time::Instant::now();
    let never_speaks = async {
        let end = refusal(&mut mute).await;
        assert_eq!(end, (None, 1008));
        assert!(
            (9.0..13.0).contains(&began.elapsed().as_secs_f64()),
            "{:?}",
            began.elapsed()
        );
    };
    let vanished = async {
        // A phone out of reach answers no ping: nothing is read here until the server gave up.
        tokio::time::sleep(Duration::from_secs(16)).await;
        while gone.next().await.is_ok() {}
        assert!(
            began.elapsed() < Duration::from_secs(17),
            "{:?}",
            began.elapsed()
        );
    };
    tokio::join!(never_speaks, vanished);
    host.running.stop().await;
}
