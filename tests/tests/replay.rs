//! Lessons that were classes: what happened in them, in step with the recording and without script, and
//! the part of them that is shown.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millet_server::id::StrokeId;
use millet_server::live::room::act::{Act, Stroke};
use millet_server::live::room::told::Deck;
use millet_server::stream::wire::{Payload, ServerMessage};
use millet_tests::kit::recorded::sequence_of;
use millet_tests::kit::{
    Browser, Course, Engines, Recorded, Server, Storage, Village, Visitor, media,
};
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, Event, hello};
use serde_json::Value;

/// Length of the recording, seconds.
const SECONDS: u32 = 64;

/// A line over half of the page.
fn line(page: u16, colour: u8, y: u16) -> Act {
    let mut bytes = Vec::new();
    bytes.extend(600_u16.to_be_bytes());
    bytes.extend(y.to_be_bytes());
    for step in 0..24_i8 {
        bytes.extend([
            100_i8.to_be_bytes()[0],
            (if step % 2 == 0 { 60 } else { -60_i8 }).to_be_bytes()[0],
        ]);
    }
    Act::Draw {
        stroke: Stroke {
            id: StrokeId::new(),
            page,
            colour,
            width: 8,
            points: STANDARD.encode(bytes),
        },
    }
}

fn says(text: &str) -> Act {
    Act::Chat {
        text: text.into(),
        group: None,
    }
}

/// What happens: three slides, lines on the second, words, one of which is taken back.
fn story(deck: &Deck) -> Vec<(u64, Act)> {
    let show = |page| Act::ShowSlide {
        deck: Some(deck.id),
        page,
    };
    vec![
        (500, show(0)),
        (500, Act::TurnBoard { page: 1 }),
        (1_000, says("Can everybody hear me?")),
        (
            2_000,
            Act::Announce {
                text: "Pen and paper, please".into(),
            },
        ),
        (22_000, show(1)),
        (22_000, Act::TurnBoard { page: 2 }),
        (24_000, line(2, 1, 2_000)),
        (26_000, line(2, 2, 2_800)),
        (27_000, says("The old queen leaves <first>.")),
        (28_000, says("Wrong window, sorry")),
        (45_000, show(2)),
        (45_000, Act::TurnBoard { page: 3 }),
        (58_000, says("Goodbye")),
        (
            59_000,
            Act::HideChat {
                sequence: sequence_of(9),
            },
        ),
    ]
}

async fn school(engines: Engines) -> (Storage, Village, Server, Recorded) {
    let storage = engines.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let recording = media::lecture(storage.folder(), SECONDS);
    let lecture = Course::publish(&storage, &village, &recording).await;
    let recorded = Recorded::hold(&storage, &village, &lecture, story).await;
    (storage, village, server, recorded)
}

async fn text(visitor: &Visitor, path: &str) -> String {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    // As a browser reads the addresses in it.
    let page = answer.text().await.unwrap();
    page.replace("&#x3D;", "=").replace("&amp;", "&")
}

async fn in_english(server: &Server, name: &str) -> Visitor {
    let visitor = Visitor::signed_in(server.address, name).await;
    let fields = [("language", "en"), ("next", "/live")];
    assert_eq!(visitor.post("/language", &fields).await.status(), 303);
    visitor
}

/// What stands between two texts.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let start = page.find(before);
    let start = start.unwrap_or_else(|| panic!("no {before} in {page}"));
    let rest = &page[start + before.len()..];
    &rest[..rest.find(after).unwrap()]
}

/// The path of the first piece of what happened, as the page names it.
fn piece(page: &str) -> String {
    format!("{}0", between(page, "data-replay=\"", "\""))
}

/// When the first and the last chunk of sound begin and end that the stream brings.
async fn heard(server: &Server, visitor: &Visitor, recorded: &Recorded) -> (u64, u64) {
    let token = visitor.session_token();
    let mut client = Client::connect(server.address, &token).await.unwrap();
    let hello = hello(recorded.class.timeline, Host::session());
    client.hello(hello).await.unwrap();
    let (mut first, mut last) = (u64::MAX, 0);
    loop {
        match client.next().await.unwrap() {
            Event::Media(header, _) => {
                if header.payload == Payload::Chunk {
                    first = first.min(u64::from(header.start_ms));
                    last = last.max(u64::from(header.start_ms) + u64::from(header.duration_ms));
                }
                client.ack(1_500).await.unwrap();
            }
            Event::Control(ServerMessage::End) => return (first, last),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_is_over_shows_what_happened_in_it() {
    for engines in Engines::ALL {
        let (_storage, _village, server, recorded) = school(engines).await;
        let student = in_english(&server, "student").await;
        let page = text(&student, &recorded.lesson_path()).await;
        // Without script: chapters are links, messages and slides stand there.
        for part in [
            "href=\"?t=22\" data-at=\"22000\"",
            "data-at=\"0\"",
            "data-at=\"45000\"",
            "Bees in spring · 2",
            "The old queen leaves &lt;first&gt;.",
            "Goodbye",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(!page.contains("Wrong window"));
        let slides = page.matches("?small\"").count();
        assert_eq!(slides, 3);
        assert!(!page.contains("/trim\""), "not a learner's");
        let at = text(&student, &format!("{}?t=45", recorded.lesson_path())).await;
        assert!(at.contains("live.m3u8#t=45"));

        let path = piece(&page);
        let answer = student.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(
            answer.headers()["cache-control"],
            "private, max-age=31536000, immutable"
        );
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let events = body["events"].as_array().unwrap();
        assert_eq!(events.len(), 12, "{body}");
        assert!(!body.to_string().contains("Wrong window"));
        assert_eq!(body["room"]["people"][0]["name"], "Li Na");
        let behind = path.replace("piece=0", "piece=1");
        assert_eq!(student.get(&behind).await.status(), 404);
        let outsider = Visitor::signed_in(server.address, "outsider").await;
        let slide = &recorded.deck.pages[2];
        for path in [&path, slide] {
            assert_eq!(outsider.get(path).await.status(), 404, "{path}");
        }
        assert_eq!(student.get(slide).await.status(), 200);
        server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teacher_leaves_out_the_ends_and_takes_it_back() {
    for engines in Engines::ALL {
        let (_storage, _village, server, recorded) = school(engines).await;
        let (teacher, student) = (
            in_english(&server, "teacher").await,
            in_english(&server, "student").await,
        );
        let whole = heard(&server, &student, &recorded).await;
        let trim = recorded.class.path("/trim");
        let part = [("from", "0:20"), ("until", "0:50"), ("action", "trim")];
        assert_eq!(student.post(&trim, &part).await.status(), 403);
        for wrong in ["20", "0:99", "9:00"] {
            let fields = [("from", wrong), ("until", ""), ("action", "trim")];
            assert_eq!(teacher.post(&trim, &fields).await.status(), 422, "{wrong}");
        }
        let lesson = recorded.lesson_path();
        let before = text(&student, &lesson).await;
        assert_eq!(teacher.post(&trim, &part).await.status(), 303);

        let from = recorded.cuts_ms.iter().rev().find(|cut| **cut <= 20_000);
        let until = recorded.cuts_ms.iter().find(|cut| **cut >= 50_000);
        let duration = u64::try_from(recorded.duration_ms).unwrap();
        let (from, until) = (*from.unwrap(), until.copied().unwrap_or(duration));
        assert!(from > 0);
        let (first, last) = heard(&server, &student, &recorded).await;
        assert!(first.abs_diff(from) < 1_000, "{first} {from}");
        assert!(last.abs_diff(until) < 1_000, "{last} {until}");

        // Players without the stream get the same part, and no file of the rest.
        let media = format!("/media/{}", recorded.class.timeline);
        let master = text(&student, &format!("{media}/live.m3u8")).await;
        let video = master
            .lines()
            .find(|line| line.starts_with("live/v"))
            .unwrap();
        let list = text(&student, &format!("{media}/{video}")).await;
        assert!(list.contains("#EXT-X-MEDIA-SEQUENCE:1\n"), "{list}");
        assert!(!list.contains("#EXT-X-GAP"), "{list}");
        let count = recorded
            .cuts_ms
            .iter()
            .filter(|cut| **cut >= from && **cut < until)
            .count();
        assert_eq!(list.matches("#EXTINF").count(), count);
        assert_eq!(
            student
                .get(&format!("{media}/timeline.json"))
                .await
                .status(),
            404
        );

        let page = text(&student, &lesson).await;
        assert!(page.contains(&format!("data-from-ms=\"{from}\"")));
        assert!(page.contains("The old queen") && !page.contains("Can everybody hear me?"));
        assert_ne!(
            piece(&page),
            piece(&before),
            "another part has other addresses"
        );
        let stale = student.get(&piece(&before)).await;
        assert_eq!(stale.headers()["cache-control"], "private, no-store");
        assert!(!stale.text().await.unwrap().contains("Can everybody"));
        let form = text(&teacher, &lesson).await;
        assert!(form.contains("Show everything again"));

        let again = [("from", ""), ("until", ""), ("action", "whole")];
        assert_eq!(teacher.post(&trim, &again).await.status(), 303);
        assert_eq!(heard(&server, &student, &recorded).await, whole);
        assert_eq!(text(&student, &lesson).await, before);
        server.kill().await;
    }
}

/// What the page shows of the class: the slide's number, coloured dots on the board, messages.
const SHOWN: &str = "const image = document.querySelector('img[data-slide]'); \
    const board = document.querySelector('canvas[data-board]'); \
    const paint = board.getContext('2d').getImageData(0, 0, board.width, board.height).data; \
    let dots = 0; for (let i = 3; i < paint.length; i += 4) if (paint[i] > 0) dots += 1; \
    const slide = image.hidden ? '' : new URL(image.src).pathname.split('/').pop(); \
    return slide + ' ' + (dots > 0 ? 'drawn' : 'blank') + ' ' + \
    [...document.querySelectorAll('[data-place=chat] p[data-key]')].length";

#[tokio::test(flavor = "multi_thread")]
async fn browser_recorded_class_replays_in_step_with_its_sound() {
    let (_storage, _village, server, recorded) = school(Engines::Embedded).await;
    let browser = Browser::phone().await;
    browser.sign_in(&server.url(""), "student").await;
    browser.open(&server.url(&recorded.lesson_path())).await;
    browser.picture("replay-before").await;
    let fetched = "return performance.getEntriesByType('resource').filter(e => e.name.includes('/replay?')).length";
    assert_eq!(browser.run(fetched).await, 0, "nothing before play");
    browser.click("[data-do=toggle]").await;
    let shows = async |what: &str, script: &str| {
        let asked =
            format!("return (() => {{ {SHOWN} }})() === '{what}' && (() => {{ {script} }})()");
        browser.wait(&format!("{what} on the page"), &asked).await;
    };
    shows("0 blank 1", "return true").await;
    browser
        .wait("announcement", "return document.querySelector('[data-place=announcement]:not([hidden])')?.innerText.includes('Pen and paper')")
        .await;
    // A chapter is one click, and it plays on from there.
    browser.click(".chapters li:nth-child(2) a").await;
    shows(
        "1 drawn 2",
        "return document.querySelector('video').currentTime > 27",
    )
    .await;
    browser.picture("replay-second").await;
    assert!(
        browser
            .has(".chapters li:nth-child(2) a[aria-current]")
            .await
    );
    browser.click(".chapters li:nth-child(3) a").await;
    shows("2 blank 2", "return true").await;
    // Back, and paused: the board is what it was then.
    browser.click("[data-do=toggle]").await;
    browser
        .run("const bar = document.querySelector('[data-do=seek]'); bar.value = 25; bar.dispatchEvent(new Event('change'))")
        .await;
    shows("1 drawn 1", "return document.querySelector('video').paused").await;
    browser
        .run("const bar = document.querySelector('[data-do=seek]'); bar.value = 23; bar.dispatchEvent(new Event('change'))")
        .await;
    shows("1 blank 1", "return document.querySelector('video').paused").await;
    assert_eq!(browser.run(fetched).await, 1, "one piece holds all");
    browser
        .run("document.querySelector('.chapters').scrollIntoView()")
        .await;
    browser.picture("replay-chapters").await;
    assert_eq!(browser.barriers().await, Value::Array(Vec::new()));
    let wide = "return document.documentElement.scrollWidth - innerWidth";
    assert!(browser.run(wide).await.as_i64().unwrap() <= 0);
    browser.close().await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_teacher_trims_where_the_player_is() {
    let (_storage, _village, server, recorded) = school(Engines::Embedded).await;
    let browser = Browser::phone().await;
    browser.sign_in(&server.url(""), "teacher").await;
    browser.open(&server.url(&recorded.lesson_path())).await;
    browser.click(".chapters li:nth-child(2) a").await;
    browser
        .wait(
            "it plays",
            "return document.querySelector('video').currentTime > 23",
        )
        .await;
    browser.click("[data-do=toggle]").await;
    browser.click(".trim summary").await;
    browser.click("[data-here=from]").await;
    browser
        .wait(
            "the time in the field",
            "return /^0:2[2-9]$/.test(document.querySelector('#trim-from').value)",
        )
        .await;
    browser.picture("trim-form").await;
    assert_eq!(browser.barriers().await, Value::Array(Vec::new()));
    browser.click("button[value=trim]").await;
    let from = browser
        .wait("the player begins later", "const from = Number(document.querySelector('[data-player]')?.dataset.fromMs); return from > 0 && from")
        .await;
    let from = from.as_i64().unwrap();
    browser.click("[data-do=toggle]").await;
    browser
        .wait(
            "it plays on from the trim",
            &format!("return document.querySelector('video').currentTime * 1000 > {from} + 500"),
        )
        .await;
    browser.picture("trim-done").await;
    // An announcement that comes up while it plays moves what is below.
    browser.click("[data-do=toggle]").await;
    browser.click("button[value=whole]").await;
    browser
        .wait(
            "all of it",
            "return document.querySelector('[data-player]')?.dataset.fromMs === '0'",
        )
        .await;
    browser.close().await;
    server.kill().await;
}

/// A lecture that brings captions and chapters of its own.
fn captioned(storage: &Storage) -> PathBuf {
    let lecture = media::lecture(storage.folder(), 24);
    let captions = "1\n00:00:01,000 --> 00:00:09,000\nBees need a <dry> place.\n\n\
                    2\n00:00:10,000 --> 00:00:20,000\nLook when it is warm.\n";
    let chapters = ";FFMETADATA1\n\
                    [CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=12000\ntitle=Where\n\
                    [CHAPTER]\nTIMEBASE=1/1000\nSTART=12000\nEND=24000\ntitle=When\n";
    let file = |name: &str, text: &str| {
        let path = storage.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (captions, chapters) = (file("c.srt", captions), file("c.txt", chapters));
    let path = storage.folder().join("captioned.mp4");
    let arguments = [
        "-v",
        "error",
        "-y",
        "-i",
        lecture.to_str().unwrap(),
        "-i",
        captions.to_str().unwrap(),
        "-i",
        chapters.to_str().unwrap(),
        "-map",
        "0",
        "-map",
        "1",
        "-map_metadata",
        "2",
        "-map_chapters",
        "2",
        "-c",
        "copy",
        "-c:s",
        "mov_text",
        "-metadata:s:s:0",
        "language=eng",
        path.to_str().unwrap(),
    ];
    media::run("ffmpeg", &arguments);
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_shows_chapters_and_captions_that_its_recording_brought() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let course = Course::publish(&storage, &village, &captioned(&storage)).await;
    let browser = Browser::phone().await;
    browser.sign_in(&server.url(""), "teacher").await;
    browser.open(&server.url(&course.lesson_path())).await;
    let captions = "return performance.getEntriesByType('resource').filter(e => e.name.includes('.vtt')).length";
    browser.click(".chapters li:nth-child(2) a").await;
    browser
        .wait(
            "the second chapter plays",
            "return document.querySelector('video').currentTime > 12.5",
        )
        .await;
    assert!(browser.text().await.contains("When"));
    assert_eq!(browser.run(captions).await, 0, "nobody asked for captions");
    browser.click(".player-choices summary").await;
    let named = browser
        .run("return document.querySelector('[data-do=captions]').innerText")
        .await;
    assert!(named.as_str().unwrap().contains("English"), "{named}");
    browser
        .run("const choice = document.querySelector('[data-do=captions]'); choice.value = '0'; choice.dispatchEvent(new Event('change'))")
        .await;
    browser
        .wait("a caption", "return document.querySelector('[data-show=captions]').innerText.includes('when it is warm')")
        .await;
    browser.click(".chapters li:nth-child(1) a").await;
    browser
        .wait("the first caption", "return document.querySelector('[data-show=captions]').innerText.includes('Bees need a')")
        .await;
    browser.picture("captions").await;
    browser.click("details:has(.stills) summary").await;
    browser.click(".stills li:nth-child(3) .at").await;
    browser
        .wait(
            "the third slide plays",
            "return document.querySelector('video').currentTime > 12",
        )
        .await;
    browser.picture("pictures").await;
    assert_eq!(browser.barriers().await, Value::Array(Vec::new()));
    browser.close().await;
    server.kill().await;
}
