//! A server with one hand-made lecture, its learner, its teacher and an outsider.

use std::net::{Ipv4Addr, SocketAddr};

use millet_manifest::{TIMELINE_FILE, Timeline};
use millet_server::app::{self, Running};
use millet_server::clock::Timestamp;
use millet_server::config::{Config, LogFormat};
use millet_server::id::{AccountId, AreaId, LessonId, PlaySessionId, TimelineId};
use millet_server::objects::Key;
use millet_server::people::session;
use millet_server::stream::testing;
use sqlx::AnyConnection;

/// A running server and what is in it.
pub struct Host {
    /// The server.
    pub running: Running,
    /// What can be watched.
    pub timeline: TimelineId,
    /// Its description.
    pub described: Timeline,
    /// Its lesson.
    pub lesson: LessonId,
    /// Enrolled.
    pub learner: Person,
    /// Teaches the course.
    pub teacher: Person,
    /// Neither.
    pub outsider: Person,
    config: Config,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Account.
    pub account: AccountId,
    /// Value of the session cookie.
    pub token: String,
}

impl Host {
    /// Boots over SQLite or, with a URL, over PostgreSQL.
    pub async fn start(
        folder: &std::path::Path,
        database: Option<String>,
        duration_ms: u64,
    ) -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = Config {
            listen: free,
            admin_listen: free,
            data: folder.to_owned(),
            database_url: database
                .unwrap_or_else(|| format!("sqlite:{}/millet.db", folder.display())),
            objects: format!("file:{}/objects", folder.display()),
            public_url: None,
            trusted_proxy: false,
            transcoder: "true".into(),
            av1: false,
            workers: 0,
            upload_max_bytes: 1 << 30,
            log: LogFormat::Text,
            log_filter: "info".into(),
            drain_s: 5,
            rtmp_listen: None,
        };
        let running = boot(&config).await;
        let described = testing::lecture(duration_ms);
        let timeline = TimelineId::new();
        store(&running, timeline, &described).await;
        let mut transaction = running.app.db.write().await.unwrap();
        let mut people = Vec::new();
        for _ in 0..3 {
            people.push(person(&mut transaction).await);
        }
        let (outsider, teacher, learner) = (people.remove(2), people.remove(1), people.remove(0));
        let lesson = course(
            &mut transaction,
            timeline,
            i64::try_from(duration_ms).unwrap(),
            teacher.account,
            learner.account,
        )
        .await;
        transaction.commit().await.unwrap();
        Self {
            running,
            timeline,
            described,
            lesson,
            learner,
            teacher,
            outsider,
            config,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Stops it and boots it again over the same data, on another port.
    pub async fn restart(mut self) -> Self {
        let config = self.config.clone();
        self.running.stop().await;
        self.running = boot(&config).await;
        self
    }

    /// More learners of the course, for load.
    pub async fn enrol(&self, count: usize) -> Vec<Person> {
        let mut transaction = self.running.app.db.write().await.unwrap();
        let mut learners = Vec::new();
        for _ in 0..count {
            let learner = person(&mut transaction).await;
            enrol(&mut transaction, self.lesson, learner.account).await;
            learners.push(learner);
        }
        transaction.commit().await.unwrap();
        learners
    }

    /// A play session's id as a client makes it.
    #[must_use]
    pub fn session() -> PlaySessionId {
        PlaySessionId::new()
    }
}

async fn boot(config: &Config) -> Running {
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new()
        .build_recorder()
        .handle();
    app::start(config.clone(), metrics).await.unwrap()
}

async fn store(running: &Running, id: TimelineId, timeline: &Timeline) {
    let put = async |file: &str, bytes: Vec<u8>| {
        let key = Key::new(format!("media/{id}/{file}")).unwrap();
        running.app.objects.put(&key, bytes.into()).await.unwrap();
    };
    for (file, bytes) in testing::files(timeline) {
        put(&file, bytes).await;
    }
    put(
        &timeline.hls,
        b"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_vec(),
    )
    .await;
    put(TIMELINE_FILE, serde_json::to_vec(timeline).unwrap()).await;
}

async fn person(connection: &mut AnyConnection) -> Person {
    let account = AccountId::new();
    run(
        connection,
        "insert into account (id, name, sign_in_name, created_at) values ($1, $1, $1, 0)",
        &[&account.to_string()],
    )
    .await;
    let now = millet_server::clock::Clock::System.now();
    let token = session::begin(connection, account, "test", now)
        .await
        .unwrap();
    Person {
        account,
        token: token.reveal().to_owned(),
    }
}

async fn run(connection: &mut AnyConnection, sql: &'static str, values: &[&str]) {
    let mut query = sqlx::query(sql);
    for value in values {
        query = query.bind((*value).to_owned());
    }
    query.execute(connection).await.unwrap();
}

/// One id for everything of the course: tables do not share ids.
async fn course(
    connection: &mut AnyConnection,
    timeline: TimelineId,
    duration_ms: i64,
    teacher: AccountId,
    learner: AccountId,
) -> LessonId {
    let area = AreaId::new().to_string();
    let id = LessonId::new();
    let (own, teacher) = (id.to_string(), teacher.to_string());
    let statements: [(&'static str, &[&str]); 9] = [
        (
            "insert into area (id, code, level, created_at) values ($1, $1, 'county', 0)",
            &[&area],
        ),
        (
            "insert into area_closure (ancestor_id, descendant_id, depth) values ($1, $1, 0)",
            &[&area],
        ),
        (
            "insert into account_grant (id, account_id, role, area_id, granted_at) \
             values ($1, $2, 'teacher', $3, 0)",
            &[&own, &teacher, &area],
        ),
        (
            "insert into course (id, area_id, title, description, language, isced_level, isced_field, \
             estimated_minutes, required_percent, created_by, created_at, changed_at, revision, \
             published_version_id) \
             values ($1, $2, 'Bees', '', 'en', 2, '0811', 60, 80, $3, 0, 0, 1, $1)",
            &[&own, &area, &teacher],
        ),
        (
            "insert into course_teacher (course_id, account_id, added_at) values ($1, $2, 0)",
            &[&own, &teacher],
        ),
        (
            "insert into module (id, course_id, title, position, created_at) values ($1, $1, 'One', 1, 0)",
            &[&own],
        ),
        (
            "insert into lesson (id, course_id, module_id, title, kind, body, position, created_at) \
             values ($1, $1, $1, 'Hives', 'video', '', 1, 0)",
            &[&own],
        ),
        (
            "insert into job (id, kind, lesson_id, status, priority, attempts, not_before, permille, \
             created_at) values ($1, 'prepare', $1, 'done', 0, 1, 0, 1000, 0)",
            &[&own],
        ),
        (
            "insert into course_version (id, course_id, number, title, description, language, \
             isced_level, isced_field, estimated_minutes, required_percent, published_at, published_by) \
             values ($1, $1, 1, 'Bees', '', 'en', 2, '0811', 60, 80, 0, $2)",
            &[&own, &teacher],
        ),
    ];
    for (sql, values) in statements {
        run(connection, sql, values).await;
    }
    sqlx::query(
        "insert into timeline (id, job_id, lesson_id, duration_ms, object_prefix, total_bytes, \
         created_at) values ($1, $2, $2, $3, $4, 1, $5)",
    )
    .bind(timeline)
    .bind(id)
    .bind(duration_ms)
    .bind(format!("media/{timeline}"))
    .bind(Timestamp(0))
    .execute(&mut *connection)
    .await
    .unwrap();
    run(
        connection,
        "insert into version_lesson (version_id, lesson_id, module_title, module_position, title, \
         kind, body, position, timeline_id) values ($1, $1, 'One', 1, 'Hives', 'video', '', 1, $2)",
        &[&own, &timeline.to_string()],
    )
    .await;
    enrol(connection, id, learner).await;
    id
}

async fn enrol(connection: &mut AnyConnection, lesson: LessonId, learner: AccountId) {
    run(
        connection,
        "insert into enrolment (id, course_id, version_id, account_id, source, enrolled_by, \
         enrolled_at) values ($1, $2, $2, $1, 'self', $1, 0)",
        &[&learner.to_string(), &lesson.to_string()],
    )
    .await;
}
