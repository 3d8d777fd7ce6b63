//! Lessons that are prepared while things go wrong, and the figures that tell of it.

use std::path::Path;
use std::time::Duration;

use millet_server::id::LessonId;
use millet_server::jobs::{JobView, Status, store};
use millet_server::stream::wire::ServerMessage;
use millet_tests::kit::{Course, Engines, Server, Village, Visitor, media, until};
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, Event, hello};

/// Progress at which a job is well under way, thousandths.
const UNDER_WAY: i64 = 200;
const SOON: Duration = Duration::from_secs(30);
const PREPARED_WITHIN: Duration = Duration::from_secs(180);

async fn job(village: &Village, lesson: LessonId) -> JobView {
    let mut connection = village.db.read().await.unwrap();
    let job = store::latest_of_lesson(&mut connection, lesson).await;
    job.unwrap().unwrap()
}

/// Processes of the transcoder whose parent is this one.
fn transcoders(parent: u32) -> Vec<i32> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        // "pid (name) state parent …", and the name may hold anything.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((name, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let of_parent = rest.split(' ').nth(1) == Some(parent.to_string().as_str());
        if of_parent && name.contains("(millet-transcod") {
            children.push(pid);
        }
    }
    children
}

fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .is_ok_and(|name| name.starts_with("millet-transcod"))
}

/// Waits until the job's attempt is well under way; returns the transcoder's process.
async fn under_way(server: &Server, village: &Village, lesson: LessonId, attempt: i64) -> i32 {
    until("the work is under way", PREPARED_WITHIN, || async {
        let job = job(village, lesson).await;
        assert_ne!(job.status, Status::Done, "the lecture is too short");
        (job.status == Status::Running && job.attempts == attempt && job.permille > UNDER_WAY)
            .then_some(())
    })
    .await;
    let children = transcoders(server.pid());
    assert_eq!(children.len(), 1, "one job, one child");
    children[0]
}

async fn survives_hard_ends(engines: Engines) {
    let storage = engines.storage().await;
    let village = Village::found(storage.db().await).await;
    let recording = media::lecture(storage.folder(), 60);
    let server = Server::start(&storage).await;
    let (_, lesson) = Course::upload(&storage, &village, &recording).await;
    let lesson = lesson.lesson();

    let child = under_way(&server, &village, lesson, 1).await;
    signal(child, libc::SIGKILL);
    let child = under_way(&server, &village, lesson, 2).await;
    server.kill().await;
    until("the child dies with its parent", SOON, || async {
        (!is_alive(child)).then_some(())
    })
    .await;

    let server = Server::start(&storage).await;
    until("the job is done", PREPARED_WITHIN, || async {
        let job = job(&village, lesson).await;
        assert!(
            matches!(job.status, Status::Queued | Status::Running | Status::Done),
            "{job:?}"
        );
        (job.status == Status::Done).then_some(())
    })
    .await;
    let mut connection = village.db.read().await.unwrap();
    let (timelines, prepared, adopted): (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from timeline), (select count(*) from prepared), \
         (select count(*) from prepared where adopted_at is not null)",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    drop(connection);
    assert_eq!((timelines, prepared, adopted), (1, 1, 1), "{engines:?}");
    if engines == Engines::Embedded {
        assert_eq!(entries(&storage.folder().join("objects/media")), 1);
    }
    until("nothing is left of the work", SOON, || async {
        let work = storage.data().join("work");
        let life = std::fs::read_dir(work).unwrap().next().unwrap().unwrap();
        (transcoders(server.pid()).is_empty() && entries(&life.path()) == 0).then_some(())
    })
    .await;
    assert!(server.stop().await);
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_transcoder_and_a_killed_server_cost_attempts_only_on_the_embedded_engines() {
    survives_hard_ends(Engines::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_transcoder_and_a_killed_server_cost_attempts_only_on_the_grown_engines() {
    survives_hard_ends(Engines::Grown).await;
}

/// A child of one of this test's servers is killed, is stopped, or goes on.
fn signal(child: i32, signal: libc::c_int) {
    // SAFETY: the process is this test's own grandchild; a signal has no memory to break.
    #[allow(unsafe_code, reason = "std can only kill children of its own")]
    unsafe {
        libc::kill(child, signal);
    }
}

async fn count(village: &Village, sql: &'static str) -> i64 {
    let mut connection = village.db.read().await.unwrap();
    let (count,): (i64,) = sqlx::query_as(sql)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    count
}

async fn two_servers_prepare_one_recording(engines: Engines) {
    let storage = engines.storage().await;
    let village = Village::found(storage.db().await).await;
    // Long enough to be shared, and small.
    let recording = storage.folder().join("long.mp4");
    let pictures = "testsrc2=size=320x240:rate=8:duration=310";
    let arguments = [
        "-v", "error", "-f", "lavfi", "-i", pictures, "-c:v", "libx264",
    ];
    let preset = ["-preset", "ultrafast", recording.to_str().unwrap()];
    media::run("ffmpeg", &[&arguments[..], &preset].concat());

    let first = Server::start(&storage).await;
    let (_, lesson) = Course::upload(&storage, &village, &recording).await;
    until("the first one shares its work", PREPARED_WITHIN, || async {
        let shares = count(&village, "select count(*) from job_share").await;
        (shares > 0).then_some(())
    })
    .await;
    // It stands still until the second one has made something.
    let children = transcoders(first.pid());
    assert_eq!(children.len(), 1, "{engines:?}: it was too quick");
    signal(children[0], libc::SIGSTOP);
    let second = Server::start(&storage).await;
    until("the second one hands over", PREPARED_WITHIN, || async {
        let stored = "select count(*) from job_parcel where stored_at is not null";
        (count(&village, stored).await > 0).then_some(())
    })
    .await;
    signal(children[0], libc::SIGCONT);
    until("the job is done", PREPARED_WITHIN, || async {
        let job = job(&village, lesson.lesson()).await;
        assert_eq!(job.attempts, 1, "{job:?}");
        (job.status == Status::Done).then_some(())
    })
    .await;
    assert_eq!(count(&village, "select count(*) from timeline").await, 1);
    until("nothing is left of the work", SOON, || async {
        let both = [first.pid(), second.pid()];
        let ended = both.iter().all(|pid| transcoders(*pid).is_empty());
        // A hand-over that was cut off in the middle is swept later.
        let left = "select (select count(*) from job_plan) + (select count(*) from job_share) \
                    + (select count(*) from job_parcel where stored_at is not null)";
        (ended && count(&village, left).await == 0).then_some(())
    })
    .await;
    assert!(first.stop().await && second.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_prepare_one_recording_together_on_the_embedded_engines() {
    two_servers_prepare_one_recording(Engines::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_prepare_one_recording_together_on_the_grown_engines() {
    two_servers_prepare_one_recording(Engines::Grown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_tell_of_viewers_bytes_stalls_jobs_and_transactions() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let recording = media::lecture(storage.folder(), 12);
    let course = Course::publish(&storage, &village, &recording).await;
    let student = Visitor::signed_in(server.address, "student").await;
    let enrolled = student
        .post(&format!("/courses/{}/enrol", course.id), &[])
        .await;
    assert_eq!(enrolled.status(), 303);

    let mut client = Client::connect(server.address, &student.session_token())
        .await
        .unwrap();
    client
        .hello(hello(course.timeline, Host::session()))
        .await
        .unwrap();
    loop {
        match client.next().await.unwrap() {
            Event::Media(..) => client.ack_some(1).await.unwrap(),
            Event::Control(ServerMessage::End) => break,
            Event::Control(_) | Event::Words(_) => {}
        }
    }
    let url = format!("http://{}/metrics", server.admin);
    until("every figure is there", SOON, || async {
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        [
            "millet_viewers 1",
            "millet_stream_bytes_total{rung=\"",
            "millet_stalls_total ",
            "millet_jobs{status=\"queued\"} 0",
            "millet_jobs{status=\"running\"} 0",
            "millet_job_attempts_total{outcome=\"done\"} 1",
            "millet_transactions_total{outcome=\"committed\"} ",
            "millet_transaction_seconds_count ",
        ]
        .iter()
        .all(|figure| text.contains(figure))
        .then_some(())
    })
    .await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teacher_may_have_a_recording_prepared_again_after_a_fault() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let village = Village::found(storage.db().await).await;
        let server = Server::start_with(&storage, &["--workers", "0"]).await;
        let recording = storage.folder().join("recording.mp4");
        std::fs::write(&recording, b"not looked at").unwrap();
        let (course, lesson) = Course::upload(&storage, &village, &recording).await;
        let editor = format!(
            "/teach/courses/{}/lessons/{}",
            course.course(),
            lesson.lesson()
        );
        let again = format!("{editor}/again");
        let teacher = Visitor::signed_in(server.address, "teacher").await;
        let page = async || teacher.get(&editor).await.text().await.unwrap();
        assert!(!page().await.contains(&again));
        assert_eq!(teacher.post(&again, &[]).await.status(), 409);

        let mut tx = village.db.write().await.unwrap();
        sqlx::query("update job set status = 'failed', attempts = 3")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(page().await.contains(&again));
        assert_eq!(teacher.post(&again, &[]).await.status(), 303);
        let job = job(&village, lesson.lesson()).await;
        assert_eq!((job.status, job.attempts), (Status::Queued, 0));
        server.kill().await;
    }
}
