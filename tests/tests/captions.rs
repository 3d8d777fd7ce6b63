//! Captions that a teacher gives a recording, from the form to the player and to HLS.

use millet_server::completion;
use millet_server::learning::enrolment::Source;
use millet_tests::kit::{Browser, Course, Engines, Server, Storage, Village, Visitor, media};
use reqwest::Method;
use reqwest::header::ACCEPT_LANGUAGE;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

/// "Bees need a dry place", in Chinese as an editor in China saves it, and half a comparison.
const CHINESE: &[u8] = b"1\r\n00:00:01,000 --> 00:00:03,000\r\n\xc3\xdb\xb7\xe4\r\n\r\n\
                         2\r\n00:00:02,000 --> 00:00:09,000\r\nif a<b & c\r\n";
const AS_WEBVTT: &str = "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\n蜜蜂\n\n\
                         00:00:02.000 --> 00:00:09.000\nif a&lt;b &amp; c\n";
const ENGLISH: &[u8] = b"WEBVTT\n\n00:01.000 --> 00:09.000\nBees &amp; hives\n";

async fn school(engines: Engines, seconds: u32) -> (Storage, Village, Server, Course) {
    let storage = engines.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let recording = media::lecture(storage.folder(), seconds);
    let course = Course::publish(&storage, &village, &recording).await;
    let (student, source, now) = (village.student, Source::Learner, Village::now());
    let mut tx = village.db.write().await.unwrap();
    completion::enrol(&mut tx, course.id, student, source, student, None, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (storage, village, server, course)
}

fn editor(course: &Course) -> String {
    format!("/teach/courses/{}/lessons/{}", course.id, course.lesson)
}

/// Sends the form; the status of the answer, and what it says.
async fn give(
    teacher: &Visitor,
    course: &Course,
    timeline: &str,
    language: &str,
    file: &'static [u8],
) -> (u16, String) {
    let form = Form::new()
        .text("timeline_id", timeline.to_owned())
        .text("language", language.to_owned())
        .part("captions", Part::bytes(file).file_name("lesson.srt"));
    let path = format!("{}/captions", editor(course));
    let request = teacher
        .request(Method::POST, &path)
        .header(ACCEPT_LANGUAGE, "en")
        .multipart(form);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn text(visitor: &Visitor, path: &str) -> String {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

/// Paths of the player's text tracks.
async fn tracks(visitor: &Visitor, course: &Course) -> Vec<String> {
    let page = text(visitor, &course.lesson_path()).await;
    let tracks = page.split("<track kind=\"captions\" src=\"").skip(1);
    tracks
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn captions_that_a_teacher_gives_are_seen_until_they_are_taken_away() {
    for engines in Engines::ALL {
        let (_storage, _village, server, course) = school(engines, 4).await;
        let teacher = Visitor::signed_in(server.address, "teacher").await;
        let student = Visitor::signed_in(server.address, "student").await;
        let foreign = Visitor::signed_in(server.address, "foreign-teacher").await;
        let timeline = course.timeline.to_string();
        let master = format!("/media/{timeline}/master.m3u8");
        assert!(!text(&student, &master).await.contains("SUBTITLES"));

        for (language, file) in [("en", ENGLISH), ("zh", CHINESE), ("zh", CHINESE)] {
            let (status, said) = give(&teacher, &course, &timeline, language, file).await;
            assert_eq!(status, 303, "{said}");
        }
        let given = tracks(&student, &course).await;
        assert_eq!(given.len(), 2, "the same file changed nothing: {given:?}");
        assert_eq!(text(&student, &given[0]).await, AS_WEBVTT);
        assert_eq!(foreign.get(&given[0]).await.status(), 404);
        let page = text(&student, &course.lesson_path()).await;
        assert!(page.contains("srclang=\"zh\" label=\"中文\""), "{page}");

        let answer = student.get(&master).await;
        assert_eq!(answer.headers()["cache-control"], "private, no-cache");
        let list = answer.text().await.unwrap();
        let chinese = given[0].rsplit_once("/given/").unwrap().1;
        let chinese = format!("given/{}", chinese.replace(".vtt", ".m3u8"));
        assert!(list.contains(&format!(
            "NAME=\"中文\",LANGUAGE=\"zh\",DEFAULT=NO,AUTOSELECT=YES,URI=\"{chinese}\""
        )));
        let variants = list.matches("#EXT-X-STREAM-INF:").count();
        assert!(variants > 1);
        assert_eq!(list.matches(",SUBTITLES=\"text\"").count(), variants);
        let pieces = text(&student, &format!("/media/{timeline}/{chinese}")).await;
        let piece = pieces.lines().find(|line| line.ends_with(".vtt")).unwrap();
        let piece = text(&student, &format!("/media/{timeline}/given/{piece}")).await;
        let cues = AS_WEBVTT.strip_prefix("WEBVTT\n").unwrap();
        let head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n";
        assert_eq!(piece, format!("{head}{cues}"));

        // Another file in this language takes the place of the first one.
        let (status, _) = give(&teacher, &course, &timeline, "zh", ENGLISH).await;
        assert_eq!(status, 303);
        let newer = tracks(&student, &course).await;
        assert!(newer.len() == 2 && newer[0] != given[0] && newer[1] == given[1]);
        assert!(text(&student, &newer[0]).await.contains("Bees &amp; hives"));
        // Whoever began to watch with it keeps it for a while.
        assert_eq!(text(&student, &given[0]).await, AS_WEBVTT);

        let remove = format!("{}/captions/remove", editor(&course));
        for path in &newer {
            let id = path.rsplit('/').next().unwrap().trim_end_matches(".vtt");
            let answer = teacher.post(&remove, &[("caption_id", id)]).await;
            assert_eq!(answer.status(), 303);
        }
        assert_eq!(tracks(&student, &course).await, Vec::<String>::new());
        assert!(!text(&student, &master).await.contains("SUBTITLES"));
        server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_of_captions_is_refused_with_a_sentence() {
    let (_storage, _village, server, course) = school(Engines::Embedded, 4).await;
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    let timeline = course.timeline.to_string();
    let large: &'static [u8] = vec![b'\n'; (1 << 20) + 1].leak();
    let cases: [(&'static [u8], u16, &str); 5] = [
        (b"\x89PNG\r\n\x1a\n", 422, "Save it as UTF-8"),
        (b"Dear all", 422, "no captions in the file"),
        (b"0:01 --> x\nwords", 422, "A time in the file"),
        (b"", 422, "This field is needed"),
        (large, 413, "1048576"),
    ];
    for (file, expected, words) in cases {
        let (status, said) = give(&teacher, &course, &timeline, "zh", file).await;
        assert_eq!(status, expected, "{said}");
        assert!(said.contains(words), "{words} in {said}");
    }
    let (status, _) = give(&teacher, &course, &timeline, "xx", ENGLISH).await;
    assert_eq!(status, 422);
    let other = course.lesson.to_string();
    let (status, said) = give(&teacher, &course, &other, "zh", ENGLISH).await;
    assert!(
        status == 409 && said.contains("there is a newer one"),
        "{said}"
    );
    assert_eq!(tracks(&teacher, &course).await, Vec::<String>::new());
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_gives_captions_by_the_form_and_shows_them_in_page_and_hls() {
    let (storage, _village, server, course) = school(Engines::Embedded, 12).await;
    let file = storage.folder().join("lesson.srt");
    std::fs::write(&file, CHINESE).unwrap();
    let browser = Browser::phone().await;
    browser.sign_in(&server.url(""), "teacher").await;
    browser.open(&server.url(&editor(&course))).await;
    browser.choose_file("#captions", &file).await;
    browser
        .run("document.getElementById('captions-language').value = 'zh'")
        .await;
    browser.click("form[action$='/captions'] button").await;
    browser.read("中文").await;
    browser.picture("captions-given").await;
    assert_eq!(browser.barriers().await, Value::Array(Vec::new()));

    browser.open(&server.url(&course.lesson_path())).await;
    browser.click("[data-do=toggle]").await;
    browser
        .run("const choice = document.querySelector('[data-do=captions]'); choice.value = '0'; choice.dispatchEvent(new Event('change'))")
        .await;
    browser
        .wait("a caption", "return document.querySelector('[data-show=captions]').innerText.includes('if a<b & c')")
        .await;

    let library = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../web/node_modules/hls.js/dist/hls.min.js"
    ))
    .unwrap();
    browser.open(&server.url("/learning")).await;
    browser.run(&library).await;
    browser
        .run(&format!(
            "const video = document.createElement('video'); video.id = 'hls'; video.muted = true; \
             document.body.append(video); const hls = new Hls({{ enableWorker: false }}); \
             hls.on(Hls.Events.ERROR, (_, data) => {{ video.dataset.fault = data.details }}); \
             hls.loadSource('/media/{}/master.m3u8'); hls.attachMedia(video); \
             video.addEventListener('playing', () => {{ hls.subtitleTrack = 0 }}, {{ once: true }}); \
             hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());",
            course.timeline
        ))
        .await;
    browser
        .wait(
            "captions by HLS",
            "const own = document.getElementById('hls').textTracks[0]; \
             return own?.language === 'zh' && own.cues?.length === 2 && own.cues[0].startTime === 1 \
             && own.cues[0].text === '蜜蜂' && own.cues[1].text === 'if a&lt;b &amp; c'",
        )
        .await;
    let fault = browser
        .run("return document.getElementById('hls').dataset.fault ?? ''")
        .await;
    assert_eq!(fault, "");
    browser.close().await;
    server.kill().await;
}
