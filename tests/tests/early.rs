//! A long recording that is watched while most of it is still being prepared.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millet_server::courses::proof::InCourse;
use millet_server::courses::{outline, publish, store};
use millet_server::id::TimelineId;
use millet_server::jobs::early::testing::Recording;
use millet_server::people::Teacher;
use millet_server::stream::testing::lecture;
use millet_server::stream::wire::{Header, Payload, ServerMessage, flag};
use millet_tests::kit::server;
use millet_tests::kit::{
    Browser, Course, Engines, Server, Storage, Village, Visitor, media, until,
};
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, ClientError, Event, hello};

const SOON: Duration = Duration::from_secs(30);
const PREPARED_WITHIN: Duration = Duration::from_secs(180);
const WHOLE_MS: u64 = 96_000;

/// A program in the transcoder's place.
fn program(folder: &Path, lines: &[String]) -> PathBuf {
    let path = folder.join("transcoder");
    std::fs::write(&path, format!("#!/bin/sh\nset -e\n{}\n", lines.join("\n"))).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A recording is handed in, and its beginning is shown and published; what it is.
async fn shown_early(village: &Village, draft: &InCourse<Teacher>) -> TimelineId {
    let timeline = until("the beginning is shown", PREPARED_WITHIN, || async {
        let mut connection = village.db.read().await.unwrap();
        let lessons = outline::lessons(&mut connection, draft).await.unwrap();
        lessons[0].timeline_id
    })
    .await;
    let mut tx = village.db.write().await.unwrap();
    let revision = store::draft(&mut tx, draft).await.unwrap().revision;
    publish::publish(&mut tx, draft, revision, Village::now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    timeline
}

/// A learner who has begun to watch.
struct Learner {
    visitor: Visitor,
    client: Client,
    prepared_ms: Option<u64>,
    chunks: Vec<Header>,
    rungs: usize,
}

impl Learner {
    async fn begin(server: &Server, draft: &InCourse<Teacher>, timeline: TimelineId) -> Self {
        let visitor = Visitor::signed_in(server.address, "student").await;
        let enrol = format!("/courses/{}/enrol", draft.course());
        assert_eq!(visitor.post(&enrol, &[]).await.status(), 303);
        let token = visitor.session_token();
        let mut client = Client::connect(server.address, &token).await.unwrap();
        let welcome = client
            .hello(hello(timeline, Host::session()))
            .await
            .unwrap();
        Self {
            visitor,
            client,
            prepared_ms: welcome.prepared_ms,
            chunks: Vec::new(),
            rungs: welcome.rungs.len(),
        }
    }

    /// Takes what comes until it is enough; the last control message.
    async fn watch(
        &mut self,
        enough: impl Fn(&Self, Option<&ServerMessage>) -> bool,
    ) -> Result<(), ClientError> {
        while !enough(self, None) {
            match self.client.next().await? {
                Event::Media(header, _) => {
                    if header.payload == Payload::Chunk {
                        self.chunks.push(header);
                    }
                    self.client.ack_some(1).await?;
                }
                Event::Control(message) => {
                    if let ServerMessage::Prepared { prepared_ms } = message {
                        self.prepared_ms = Some(prepared_ms);
                    }
                    if let ServerMessage::Finished { rungs, .. } = &message {
                        (self.prepared_ms, self.rungs) = (None, rungs.len());
                    }
                    if enough(self, Some(&message)) {
                        return Ok(());
                    }
                }
                Event::Words(_) => {}
            }
        }
        Ok(())
    }

    /// Times of the chunks of a lane, in order.
    fn times(&self, audio: bool) -> Vec<(u32, u32)> {
        let own = self
            .chunks
            .iter()
            .filter(|own| own.has(flag::AUDIO) == audio);
        own.map(|own| (own.start_ms, own.start_ms + own.duration_ms))
            .collect()
    }

    fn end_ms(&self, audio: bool) -> u64 {
        self.times(audio)
            .last()
            .map_or(0, |(_, end)| u64::from(*end))
    }

    fn has_until(&self, ms: u64) -> bool {
        self.end_ms(true) == ms && self.end_ms(false) == ms
    }

    /// Everything came once and in order.
    fn saw_all_in_order(&self) {
        for audio in [true, false] {
            let times = self.times(audio);
            assert_eq!(times[0].0, 0);
            for pair in times.windows(2) {
                let apart = i64::from(pair[1].0) - i64::from(pair[0].1);
                assert!(apart.abs() < 100, "{audio} {pair:?}");
            }
        }
    }

    async fn text(&self, path: &str) -> String {
        let answer = self.visitor.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }
}

fn is_end(message: Option<&ServerMessage>) -> bool {
    matches!(message, Some(ServerMessage::End))
}

async fn scripted(
    engines: Engines,
    lines: impl Fn(&Recording) -> Vec<String>,
) -> (Storage, Village, Server, Recording, InCourse<Teacher>) {
    let storage = engines.storage().await;
    let village = Village::found(storage.db().await).await;
    let recording = Recording::write(&storage.folder().join("made"), &lecture(WHOLE_MS)).unwrap();
    let program = program(storage.folder(), &lines(&recording));
    let program = program.to_str().unwrap();
    let server = Server::start_with(&storage, &["--transcoder", program]).await;
    let file = storage.folder().join("recording.mp4");
    std::fs::write(&file, b"not looked at").unwrap();
    let (draft, _) = Course::upload(&storage, &village, &file).await;
    (storage, village, server, recording, draft)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_of_the_beginning_gets_the_rest_on_the_same_connection() {
    for engines in Engines::ALL {
        let lines = |own: &Recording| vec![own.head(), own.more(), own.end()];
        let (_storage, village, server, recording, draft) = scripted(engines, lines).await;
        let timeline = shown_early(&village, &draft).await;
        let mut learner = Learner::begin(&server, &draft, timeline).await;
        assert_eq!(learner.prepared_ms, Some(32_000));
        learner.watch(|own, _| own.has_until(32_000)).await.unwrap();
        let said = |message: Option<&ServerMessage>| {
            matches!(
                message,
                Some(ServerMessage::Prepared {
                    prepared_ms: 32_000
                })
            )
        };
        // It waits, and is told that there is no more yet.
        learner.watch(|_, message| said(message)).await.unwrap();

        let (master, sound) = (
            format!("/media/{timeline}/live.m3u8"),
            format!("/media/{timeline}/live/aac32.m3u8"),
        );
        let lesson = {
            let mut connection = village.db.read().await.unwrap();
            outline::lessons(&mut connection, &draft).await.unwrap()[0].id
        };
        let page = format!("/courses/{}/lessons/{lesson}", draft.course());
        let text = learner.text(&page).await;
        assert!(text.contains(&master) && text.contains("data-show=\"preparing\""));
        assert!(learner.text(&master).await.contains("live/v240.m3u8"));
        let list = learner.text(&sound).await;
        assert!(
            list.contains("TYPE:EVENT") && !list.contains("ENDLIST"),
            "{list}"
        );
        assert!(
            list.contains("\n../aac32/00001.m4s\n") && !list.contains("00002"),
            "{list}"
        );
        learner
            .text(&format!("/media/{timeline}/aac32/00001.m4s"))
            .await;

        recording.say("go").await.unwrap();
        learner.watch(|own, _| own.has_until(64_000)).await.unwrap();
        assert!(learner.prepared_ms.is_some());
        let before = learner.rungs;
        recording.say("end").await.unwrap();
        learner.watch(|_, message| is_end(message)).await.unwrap();
        assert!(learner.has_until(WHOLE_MS));
        learner.saw_all_in_order();
        assert_eq!((learner.prepared_ms, learner.rungs), (None, before + 1));
        let list = learner.text(&sound).await;
        assert!(
            list.contains("TYPE:EVENT") && list.contains("ENDLIST"),
            "{list}"
        );
        let text = learner.text(&page).await;
        assert!(text.contains("/master.m3u8") && !text.contains("data-show=\"preparing\""));
        server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_a_recording_that_is_refused_after_all_is_told_so() {
    let lines = |own: &Recording| vec![own.head(), own.refusal()];
    let (_storage, village, server, recording, draft) = scripted(Engines::Embedded, lines).await;
    let timeline = shown_early(&village, &draft).await;
    let mut learner = Learner::begin(&server, &draft, timeline).await;
    learner.watch(|own, _| own.has_until(32_000)).await.unwrap();
    recording.say("end").await.unwrap();
    let gone = |message: Option<&ServerMessage>| matches!(message, Some(ServerMessage::Problem { code }) if code == "not_found");
    learner.watch(|_, message| gone(message)).await.unwrap();
    until("nothing is shown", SOON, || async {
        let mut connection = village.db.read().await.unwrap();
        let lessons = outline::lessons(&mut connection, &draft).await.unwrap();
        lessons[0].timeline_id.is_none().then_some(())
    })
    .await;
    let path = format!("/media/{timeline}/live.m3u8");
    assert_eq!(learner.visitor.get(&path).await.status(), 404);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transcoder_lets_a_lecture_be_watched_before_it_is_done() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let file = media::lecture(storage.folder(), 90);
    let (draft, _) = Course::upload(&storage, &village, &file).await;
    let timeline = shown_early(&village, &draft).await;
    let mut learner = Learner::begin(&server, &draft, timeline).await;
    assert!(learner.prepared_ms.is_some(), "it was done at once");
    learner.watch(|_, message| is_end(message)).await.unwrap();
    learner.saw_all_in_order();
    assert!(learner.end_ms(true) > 89_000 && learner.end_ms(false) > 89_000);
    server.kill().await;
}

/// The real transcoder, quickly, which says nothing of the third segment until the gate is written to.
fn held_back(gate: &Path) -> String {
    let (real, gate) = (server::program("millet-transcoder"), gate.display());
    format!(
        r#"mkfifo '{gate}'
'{}' "$@" --quick | while IFS= read -r line; do
  case "$passed$line" in
    '{{'*'"index":2,'*) read -r _ < '{gate}'; passed=yes;;
  esac
  printf '%s\n' "$line"
done"#,
        real.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_says_what_is_being_prepared_and_goes_on_by_itself() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let gate = storage.folder().join("gate");
    let program = program(storage.folder(), &[held_back(&gate)]);
    let server = Server::start_with(&storage, &["--transcoder", program.to_str().unwrap()]).await;
    let file = media::lecture(storage.folder(), 90);
    let (draft, _) = Course::upload(&storage, &village, &file).await;
    shown_early(&village, &draft).await;
    let visitor = Visitor::signed_in(server.address, "student").await;
    let enrol = format!("/courses/{}/enrol", draft.course());
    assert_eq!(visitor.post(&enrol, &[]).await.status(), 303);
    let lesson = {
        let mut connection = village.db.read().await.unwrap();
        outline::lessons(&mut connection, &draft).await.unwrap()[0].id
    };
    let browser = Browser::phone().await;
    browser.sign_in(&server.url(""), "student").await;
    let page = format!("/courses/{}/lessons/{lesson}", draft.course());
    browser.open(&server.url(&page)).await;
    browser.click("[data-do=toggle]").await;
    let playing = "return document.querySelector('video').currentTime > 0.5";
    browser.wait("it plays", playing).await;
    let shown = "return !document.querySelector('[data-show=preparing]').hidden";
    assert_eq!(browser.run(shown).await, true);
    browser.picture("preparing").await;

    // Near the end of what there is.
    browser
        .run(
            "const seek = document.querySelector('[data-do=seek]'); seek.value = 29;\
             for (const kind of ['input', 'change']) seek.dispatchEvent(new Event(kind, { bubbles: true }));",
        )
        .await;
    let says = "const text = document.querySelector('template[data-player-text]').content\
                .querySelector('[data-key=at-edge]').textContent;\
                return document.querySelector('[data-show=status]').textContent === text";
    browser.wait("it waits for what comes next", says).await;
    browser.picture("preparing-at-edge").await;

    tokio::fs::write(&gate, "\n").await.unwrap();
    let further = "return document.querySelector('video').currentTime > 34";
    browser.wait("it goes on by itself", further).await;
    let hidden = "return document.querySelector('[data-show=preparing]').hidden";
    browser.wait("all of it is prepared", hidden).await;
    browser.close().await;
    server.kill().await;
}
