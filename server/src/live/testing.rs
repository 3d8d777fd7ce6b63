//! A scheduled class in a published course, with people, for the tests of this folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::AnyConnection;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ends::EndsAtOnce;
use super::proof::{InClass, PartKind};
use super::rooms::LiveRooms;
use super::schedule::NewClass;
use super::{participants, planning, store};
use crate::clock::{Clock, Timestamp};
use crate::completion::Completion;
use crate::courses::proof::InCourse;
use crate::courses::testing::{self as people, NOW};
use crate::courses::{publish, store as courses};
use crate::db::Db;
use crate::id::{
    AccountId, CourseId, IntervalId, LessonId, LiveClassId, ModuleId, PlaySessionId, TimelineId,
};
use crate::learning::enrolment::{self, Source};
use crate::people::{Teacher, accounts};

pub use crate::courses::testing::NOW as START;

/// A class and its people.
pub struct World {
    pub db: Db,
    pub clock: Arc<AtomicI64>,
    pub course: InCourse<Teacher>,
    pub module: ModuleId,
    pub class: LiveClassId,
    pub timeline: TimelineId,
    pub host: AccountId,
    pub other_host: AccountId,
    pub learner: AccountId,
    pub outsider: AccountId,
}

pub fn new_class() -> NewClass {
    NewClass {
        title: "Swarming".into(),
        minutes: 45,
        remind_minutes: Some(30),
        guests: true,
        lobby: true,
    }
}

pub async fn enrol(connection: &mut AnyConnection, course: CourseId, account: AccountId) {
    let source = Source::Learner;
    enrolment::enrol(connection, course, account, source, account, None, NOW)
        .await
        .unwrap();
}

impl World {
    pub async fn new(db: &Db) -> Self {
        let mut tx = db.write().await.unwrap();
        let area = people::area(&mut tx).await;
        let host = people::teacher(&mut tx, area).await;
        let other_host = people::teacher(&mut tx, area).await;
        let learner = people::teacher(&mut tx, area).await;
        let outsider = people::teacher(&mut tx, area).await;
        let (course, module) = people::course(&mut tx, host, area).await;
        sqlx::query(
            "insert into course_teacher (course_id, account_id, added_at) values ($1, $2, 0)",
        )
        .bind(course.course())
        .bind(other_host)
        .execute(&mut *tx)
        .await
        .unwrap();
        let classes = planning::schedule(
            &mut tx,
            &course,
            module,
            &new_class(),
            &[NOW],
            "Asia/Shanghai",
            NOW,
        )
        .await
        .unwrap();
        let revision = courses::draft(&mut tx, &course).await.unwrap().revision;
        publish::publish(&mut tx, &course, revision, NOW)
            .await
            .unwrap();
        enrol(&mut tx, course.course(), learner).await;
        let class = store::find(&mut tx, classes[0]).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        Self {
            db: db.clone(),
            clock: Arc::new(AtomicI64::new(NOW.0)),
            course,
            module,
            class: class.id,
            timeline: class.timeline_id,
            host,
            other_host,
            learner,
            outsider,
        }
    }

    pub fn clock(&self) -> Clock {
        Clock::Manual(Arc::clone(&self.clock))
    }

    pub fn pass_ms(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// The rooms as a server has them that just started.
    pub async fn rooms(&self) -> LiveRooms {
        let rooms = LiveRooms::new(
            self.db.clone(),
            self.clock(),
            Arc::new(Completion),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let ends = EndsAtOnce {
            db: self.db.clone(),
            clock: self.clock(),
        };
        rooms.start(Arc::new(ends)).await.unwrap();
        rooms
    }

    pub async fn row(&self) -> store::Class {
        let mut connection = self.db.read().await.unwrap();
        let class = store::find(&mut connection, self.class).await.unwrap();
        class.unwrap()
    }

    pub async fn prove<K: PartKind>(
        &self,
        account: AccountId,
    ) -> Result<InClass<K>, crate::error::Error> {
        let mut connection = self.db.read().await.unwrap();
        InClass::prove(&mut connection, account, self.class).await
    }

    pub async fn open(&self, rooms: &LiveRooms) {
        let proof = self.prove(self.host).await.unwrap();
        let mut tx = self.db.write().await.unwrap();
        let at = store::open(&mut tx, &proof, self.now()).await.unwrap();
        tx.commit().await.unwrap();
        rooms.opened(self.class, at).await.unwrap();
    }

    /// Somebody who came by the class code.
    pub async fn guest(&self) -> AccountId {
        let class = self.row().await;
        let mut tx = self.db.write().await.unwrap();
        let account = accounts::create_guest(&mut tx, "Zhao", self.now())
            .await
            .unwrap();
        participants::invite(&mut tx, &class, account, self.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        account
    }

    /// Evidence as it was credited.
    pub async fn played(&self, account: AccountId, from_ms: i64, until_ms: i64) {
        let lesson = self.row().await.lesson_id;
        let mut tx = self.db.write().await.unwrap();
        self.played_in(&mut tx, lesson, account, from_ms, until_ms)
            .await;
        tx.commit().await.unwrap();
    }

    /// The same, not yet committed.
    pub async fn played_in(
        &self,
        tx: &mut AnyConnection,
        lesson: LessonId,
        account: AccountId,
        from_ms: i64,
        until_ms: i64,
    ) {
        let session = PlaySessionId::new();
        sqlx::query(
            "insert into play_session (id, account_id, timeline_id, lesson_id, device, \
             started_at) values ($1, $2, $3, $4, '', 0)",
        )
        .bind(session)
        .bind(account)
        .bind(self.timeline)
        .bind(lesson)
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query(
            "insert into watch_interval (id, play_session_id, account_id, timeline_id, \
             lesson_id, from_ms, until_ms, wall_from, wall_until, recorded_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $6, $7, 0)",
        )
        .bind(IntervalId::new())
        .bind(session)
        .bind(account)
        .bind(self.timeline)
        .bind(lesson)
        .bind(from_ms)
        .bind(until_ms)
        .execute(&mut *tx)
        .await
        .unwrap();
    }
}
