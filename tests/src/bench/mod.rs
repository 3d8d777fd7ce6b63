//! Speed and memory as ratios to nginx, which serves the same bytes from files in the same run.
//!
//! Figures, not tests: nothing here passes or fails.

pub mod fanout;
pub mod frames;
pub mod glass;
pub mod nginx;
pub mod pages;
mod peers;
pub mod process;
pub mod transcode;
pub mod viewers;

use std::path::PathBuf;
use std::time::Duration;

use millet_server::completion;
use millet_server::id::AccountId;
use millet_server::learning::enrolment::Source;
use millet_server::people::accounts::{self, NewAccount};
use millet_server::people::session;

use crate::kit::{Course, Engines, Server, Storage, Village, media};
use crate::stream::host::Person;
use nginx::Nginx;

/// Length of the lecture that everything is measured with, seconds.
const LECTURE_S: u32 = 120;

/// Measures the parts that are named, or all: `pages`, `viewers`, `frames`, `glass`, `fanout`, `transcode`,
/// `encoding`, `lessons`, `machines`, `memory`, `words`.
///
/// # Panics
/// When a server or a client fails.
pub async fn run(parts: &[String]) {
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|named| named == part);
    println!("{}\n", machine());
    let lessons: Vec<&str> = ["pages", "viewers", "frames"]
        .into_iter()
        .filter(|part| wanted(part))
        .collect();
    if !lessons.is_empty() {
        Bench::start().await.run(&lessons).await;
    }
    let folder = tempfile::tempdir().unwrap();
    if wanted("glass") {
        glass::run(folder.path()).await;
    }
    if wanted("fanout") {
        fanout::run(folder.path()).await;
    }
    if wanted("transcode") {
        tokio::task::spawn_blocking(transcode::run).await.unwrap();
    }
    for (part, run) in [
        ("encoding", transcode::encode_quickly as fn()),
        ("lessons", transcode::encode_lessons),
        ("machines", transcode::share),
        ("memory", transcode::measure_memory),
        ("words", transcode::read_words),
    ] {
        if wanted(part) {
            tokio::task::spawn_blocking(run).await.unwrap();
        }
    }
}

/// One lesson, served by Millet and as HLS by nginx.
struct Bench {
    // Holds the folder.
    _storage: Storage,
    village: Village,
    server: Server,
    course: Course,
    nginx: Nginx,
}

impl Bench {
    /// Prepares the lesson and starts both servers.
    ///
    /// # Panics
    /// When a program is missing or the lesson is not prepared.
    async fn start() -> Self {
        let storage = Engines::Embedded.storage().await;
        let village = Village::found(storage.db().await).await;
        let server = Server::start(&storage).await;
        let recording = media::lecture(storage.folder(), LECTURE_S);
        let course = Course::publish(&storage, &village, &recording).await;
        let prepared = prepared(&storage, &course);
        let nginx = Nginx::start(&storage.folder().join("nginx"), &prepared).await;
        Self {
            _storage: storage,
            village,
            server,
            course,
            nginx,
        }
    }

    /// Measures lessons and prints.
    ///
    /// # Panics
    /// When a client fails.
    async fn run(self, parts: &[&str]) {
        let learners = self.learners(viewers::VIEWERS).await;
        if parts.contains(&"pages") {
            pages::run(&self.server, &self.nginx).await;
        }
        if parts.contains(&"viewers") {
            viewers::run(&self.server, &self.nginx, &self.course, learners).await;
        }
        if parts.contains(&"frames") {
            frames::run(&self.server, &self.nginx, &self.course).await;
        }
        assert!(self.server.stop().await, "the server did not stop in order");
    }

    /// Learners of the course with sessions; `student` of the village is one more.
    async fn learners(&self, count: usize) -> Vec<Person> {
        let now = Village::now();
        let mut tx = self.village.db.write().await.unwrap();
        let mut learners = Vec::with_capacity(count);
        for number in 0..count {
            let name = format!("learner{number}");
            let mut new = NewAccount::new(&name, &name, "").unwrap();
            new.area = Some(self.village.area);
            let account = accounts::create(&mut tx, &new, None, now).await.unwrap();
            self.enrol(&mut tx, account).await;
            let token = session::begin(&mut tx, account, "bench", now)
                .await
                .unwrap();
            learners.push(Person {
                account,
                token: token.reveal().to_owned(),
            });
        }
        self.enrol(&mut tx, self.village.student).await;
        tx.commit().await.unwrap();
        learners
    }

    async fn enrol(&self, connection: &mut sqlx::AnyConnection, account: AccountId) {
        let now = Village::now();
        let source = Source::Learner;
        completion::enrol(
            connection,
            self.course.id,
            account,
            source,
            account,
            None,
            now,
        )
        .await
        .unwrap();
    }
}

fn prepared(storage: &Storage, course: &Course) -> PathBuf {
    let folder = storage.objects().strip_prefix("file:").unwrap();
    PathBuf::from(folder)
        .join("media")
        .join(course.timeline.to_string())
}

/// Cores and memory, to be quoted beside every figure.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    format!("{cores} cores, {} GiB, `make bench`", kib >> 20)
}

/// `a` beside `b`, and the ratio.
pub(crate) fn row(what: &str, unit: &str, millet: f64, nginx: f64) {
    let ratio = if nginx > 0.0 {
        format!("{:.2}×", millet / nginx)
    } else {
        "–".to_owned()
    };
    println!("{what:<44} {millet:>10.2} {nginx:>10.2} {unit:<8} {ratio:>8}");
}

pub(crate) fn heading(what: &str) {
    println!(
        "\n{what:<44} {:>10} {:>10} {:<8} {:>8}",
        "millet", "nginx", "", "ratio"
    );
}

/// Middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

pub(crate) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
