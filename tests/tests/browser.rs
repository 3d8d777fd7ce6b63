//! What only a real browser can show: budgets, accessibility, HLS, a resumed upload.

use std::time::Duration;

use millet_server::completion;
use millet_server::jobs::store::latest_of_lesson;
use millet_server::learning::enrolment::Source;
use millet_tests::kit::{
    Browser, Course, Engines, Link, Server, Storage, Village, Visitor, media, until,
};
use reqwest::header::ACCEPT_ENCODING;
use serde_json::Value;

/// A published course of one short lecture, that the student takes.
async fn school() -> (Storage, Village, Server, Course) {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let recording = media::lecture(storage.folder(), 12);
    let course = Course::publish(&storage, &village, &recording).await;
    village.plan(course.id).await;
    let mut tx = village.db.write().await.unwrap();
    let (student, now) = (village.student, Village::now());
    completion::enrol(
        &mut tx,
        course.id,
        student,
        Source::Learner,
        student,
        None,
        now,
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    (storage, village, server, course)
}

/// Compressed bytes of an answer's body, as a browser would get it.
async fn compressed(visitor: &Visitor, path: &str) -> (usize, String) {
    let answer = visitor
        .request(reqwest::Method::GET, path)
        .header(ACCEPT_ENCODING, "gzip, br")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let policy = answer.headers().get("content-security-policy");
    let policy = policy.map(|value| value.to_str().unwrap().to_owned());
    if let Some(policy) = &policy {
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let bytes = answer.bytes().await.unwrap();
    (bytes.len(), policy.unwrap_or_default())
}

/// Addresses in a page that begin and end so.
fn addresses(page: &str, begin: &str, end: &str) -> Vec<String> {
    page.split('"')
        .filter(|part| part.starts_with(begin) && part.ends_with(end))
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_pages_fit_their_budgets() {
    let (_storage, village, server, course) = school().await;
    // A full page, and more on the next one.
    let trades = [
        "Beekeeping",
        "Joinery",
        "Weaving",
        "Pig breeding",
        "Book-keeping",
    ];
    let stages = [
        "for beginners",
        "in winter",
        "for the market",
        "with a loan",
        "together",
    ];
    for title in trades
        .iter()
        .flat_map(|trade| stages.map(|stage| format!("{trade} {stage}")))
    {
        Course::text_named(&village, &title).await;
    }
    let visitor = Visitor::signed_in(server.address, "student").await;
    let shown = visitor.get("/courses").await.text().await.unwrap();
    let next = addresses(&shown, "/courses?before=", "").remove(0);
    let rest = visitor.get(&next).await.text().await.unwrap();
    let cards = |page: &str| page.matches("<a href=\"/courses/").count();
    assert_eq!((cards(&shown), cards(&rest)), (20, 6));
    for path in ["/courses", "/sign-in"] {
        let reader = Visitor::anonymous(server.address);
        let page = reader.get(path).await.text().await.unwrap();
        let mut total = compressed(&reader, path).await.0;
        for style in addresses(&page, "/static/", ".css") {
            total += compressed(&reader, &style).await.0;
        }
        assert!(total <= 14 * 1024, "{path}: {total} bytes of HTML and CSS");
        assert!(
            !page.contains("<script>") && !page.contains("style="),
            "{path}"
        );
    }
    // Every script of the player's page, those that modules load included, as the browser says.
    let browser = Browser::phone().await;
    browser.sign_in(&server.url(""), "student").await;
    browser.open(&server.url(&course.lesson_path())).await;
    browser.find("[data-do=toggle]").await;
    let loaded = browser
        .run(
            "return performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)\
             .filter(path => path.endsWith('.js'))",
        )
        .await;
    let Value::Array(scripts) = loaded else {
        panic!("{loaded}")
    };
    let mut total = 0;
    for script in &scripts {
        total += compressed(&visitor, script.as_str().unwrap()).await.0;
    }
    assert!(scripts.len() >= 5, "{scripts:?}");
    assert!(total <= 20 * 1024, "{total} bytes of script");
    let fonts = browser
        .run("return performance.getEntriesByType('resource').filter(e => /\\.(woff2?|ttf)$/.test(e.name)).length")
        .await;
    assert_eq!(fonts, 0);
    browser.close().await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_finds_no_barrier_on_any_page() {
    let (_storage, village, server, course) = school().await;
    let browser = Browser::phone().await;
    let household = format!("/support/households/{}", village.household);
    let editor = format!("/teach/courses/{}", course.id);
    let lesson_editor = format!("{editor}/lessons/{}", course.lesson);
    let learners = format!("{editor}/learners");
    let lesson = course.lesson_path();
    let course_page = format!("/courses/{}", course.id);
    let walks: [(&str, Vec<&str>); 5] = [
        ("", vec!["/courses", "/sign-in", &course_page]),
        (
            "student",
            vec!["/learning", &course_page, &lesson, "/plan", "/account"],
        ),
        (
            "teacher",
            vec!["/teach", &editor, &lesson_editor, &learners],
        ),
        ("helper", vec!["/support", &household, "/support/verify"]),
        ("admin", vec!["/admin/accounts", "/admin/areas"]),
    ];
    for (person, paths) in walks {
        if !person.is_empty() {
            browser.sign_in(&server.url(""), person).await;
        }
        for path in paths {
            browser.open(&server.url(path)).await;
            let name = path.trim_matches('/').split('/').next().unwrap();
            browser.picture(&format!("axe-{person}-{name}")).await;
            let width = browser
                .run("return document.documentElement.scrollWidth - innerWidth")
                .await;
            assert!(
                width.as_i64().unwrap() <= 0,
                "{path} scrolls sideways by {width}"
            );
            let found = browser.barriers().await;
            assert_eq!(found, Value::Array(Vec::new()), "{path} for {person:?}");
        }
    }
    browser.close().await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_finds_no_barrier_on_what_is_handed_over_in_the_dark() {
    let storage = Engines::Embedded.storage().await;
    let _village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let browser = Browser::in_the_dark().await;
    browser.sign_in(&server.url(""), "admin").await;
    for button in ["form[action$='/cards'] button", "button[value=password]"] {
        browser.open(&server.url("/admin/accounts")).await;
        let dark = "for (const part of document.querySelectorAll('details')) part.open = true; \
                    return matchMedia('(prefers-color-scheme: dark)').matches";
        assert_eq!(browser.run(dark).await, true);
        assert_eq!(browser.barriers().await, Value::Array(Vec::new()));
        browser
            .click(&format!(".rows li:first-child {button}"))
            .await;
        browser.find(".sign-in-card .hint").await;
        let found = browser.barriers().await;
        assert_eq!(found, Value::Array(Vec::new()), "{button}");
    }
    browser.close().await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_plays_the_same_lesson_by_hls() {
    let (_storage, _village, server, course) = school().await;
    let library = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../web/node_modules/hls.js/dist/hls.min.js"
    ))
    .unwrap();
    let browser = Browser::phone().await;
    browser.sign_in(&server.url(""), "student").await;
    browser.open(&server.url("/learning")).await;
    browser.run(&library).await;
    browser
        .run(&format!(
            "const video = document.createElement('video'); video.id = 'hls'; video.muted = true; \
             document.body.append(video); const hls = new Hls({{ enableWorker: false }}); \
             hls.on(Hls.Events.ERROR, (_, data) => {{ video.dataset.fault = data.details }}); \
             hls.loadSource('/media/{}/master.m3u8'); hls.attachMedia(video); \
             hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());",
            course.timeline
        ))
        .await;
    let play = browser.wait(
        "HLS plays",
        "const v = document.getElementById('hls'); return v.currentTime > 3 && \
         v.getVideoPlaybackQuality().totalVideoFrames > 3 && v.webkitAudioDecodedByteCount > 1000",
    );
    play.await;
    let fault = browser
        .run("return document.getElementById('hls').dataset.fault ?? ''")
        .await;
    assert_eq!(fault, "");
    browser.close().await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_upload_goes_on_after_the_server_was_killed() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let village = Village::found(storage.db().await).await;
        let server = Server::start_with(&storage, &["--workers", "0"]).await;
        let link = Link::to(server.address, 3_000_000, Duration::from_millis(20)).await;
        let (course, lesson) = Course::draft(&village).await;
        // Not media: only the way of the bytes matters here.
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|i| (i * 7 % 251) as u8).collect();
        let file = storage.folder().join("recording.mp4");
        std::fs::write(&file, &bytes).unwrap();
        let browser = Browser::phone().await;
        browser.sign_in(&link.url(""), "teacher").await;
        let page = format!(
            "/teach/courses/{}/lessons/{}",
            course.course(),
            lesson.lesson()
        );
        browser.open(&link.url(&page)).await;
        browser.choose_file("#file", &file).await;
        browser.click("[data-upload-form] button").await;
        let offset = async || {
            let mut connection = village.db.read().await.unwrap();
            let row: Option<(i64,)> = sqlx::query_as("select offset_bytes from upload")
                .fetch_optional(&mut *connection)
                .await
                .unwrap();
            row.map_or(0, |(offset,)| offset)
        };
        until(
            "some parts are durable",
            Duration::from_secs(60),
            || async { (offset().await >= 2 << 20).then_some(()) },
        )
        .await;
        server.kill().await;
        let durable = offset().await;
        assert!(durable < 5_000_000, "the kill came too late");
        let server = Server::start_with(&storage, &["--workers", "0"]).await;
        link.lead_to(server.address);
        until("the job is there", Duration::from_secs(90), || async {
            let mut connection = village.db.read().await.unwrap();
            latest_of_lesson(&mut connection, lesson.lesson())
                .await
                .unwrap()
        })
        .await;
        let mut connection = village.db.read().await.unwrap();
        let parts: Vec<(String,)> = sqlx::query_as(
            "select object_key from upload_part where stored_at is not null order by offset_bytes",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        drop(connection);
        let objects = millet_server::objects::Objects::open(storage.objects())
            .await
            .unwrap();
        let mut stored = Vec::new();
        for (key,) in parts {
            let key = millet_server::objects::Key::new(key).unwrap();
            stored.extend_from_slice(&objects.get(&key).await.unwrap());
        }
        assert!(stored == bytes, "{engines:?}: the bytes differ");
        browser.close().await;
        server.kill().await;
    }
}
