//! The rules of evidence: in pure form against many courses of events, and over both engines.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use sqlx::AnyConnection;

use super::credit::{Account, LONGEST_PAST, MOST_LATELY, MOST_OF_TIMELINE, SLACK, Verdict, judge};
use super::delivered::{Delivered, Part};
use super::*;
use crate::courses::proof::InCourse;
use crate::courses::testing::{self, NOW};
use crate::courses::{outline, publish, store as courses};
use crate::db::Db;
use crate::id::{AccountId, JobId, PlaySessionId, TimelineId};
use crate::learning::access::MayWatch;
use crate::learning::enrolment::{self, Source};
use crate::learning::progress;
use crate::learning::watched::{Interval, Intervals};
use crate::people::Teacher;

const DURATION_MS: i64 = 3_600_000;

fn part(from_ms: i64, until_ms: i64, since: i64) -> Part {
    Part {
        from_ms,
        until_ms,
        since: Timestamp(since),
    }
}

fn claim(from_ms: i64, until_ms: i64) -> Claim {
    Claim {
        id: IntervalId::new(),
        from_ms,
        until_ms,
        rate_permille: 1000,
    }
}

/// A timeline of an hour in a course, a learner of it, and the crediting.
struct World {
    db: Db,
    clock: Arc<AtomicI64>,
    evidence: Evidence,
    learner: MayWatch,
    teacher: MayWatch,
    told: Arc<Mutex<Vec<AccountId>>>,
}

struct Tells(Arc<Mutex<Vec<AccountId>>>);

impl Watched for Tells {
    fn watched<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        account: AccountId,
        _lesson: crate::id::LessonId,
        _now: Timestamp,
    ) -> WatchedFuture<'a> {
        self.0.lock().unwrap().push(account);
        Box::pin(std::future::ready(Ok(Outcome {
            lesson_completed: true,
            course_completed: false,
        })))
    }
}

async fn timeline(connection: &mut AnyConnection, lesson: crate::id::LessonId) -> TimelineId {
    let (job, timeline) = (JobId::new(), TimelineId::new());
    sqlx::query(
        "insert into job (id, kind, lesson_id, status, priority, attempts, not_before, permille, \
         created_at) values ($1, 'prepare', $2, 'done', 0, 1, 0, 1000, 0)",
    )
    .bind(job)
    .bind(lesson)
    .execute(&mut *connection)
    .await
    .unwrap();
    sqlx::query(
        "insert into timeline (id, job_id, lesson_id, duration_ms, object_prefix, total_bytes, \
         created_at) values ($1, $2, $3, $4, 'x', 1, 0)",
    )
    .bind(timeline)
    .bind(job)
    .bind(lesson)
    .bind(DURATION_MS)
    .execute(&mut *connection)
    .await
    .unwrap();
    sqlx::query("update lesson set timeline_id = $1 where id = $2")
        .bind(timeline)
        .bind(lesson)
        .execute(connection)
        .await
        .unwrap();
    timeline
}

impl World {
    async fn new(db: &Db) -> Self {
        let mut tx = db.write().await.unwrap();
        let proof = testing::video_lesson(&mut tx).await;
        let timeline = timeline(&mut tx, proof.lesson()).await;
        let course: &InCourse<Teacher> = proof.course();
        let revision = courses::draft(&mut tx, course).await.unwrap().revision;
        publish::publish(&mut tx, course, revision, NOW)
            .await
            .unwrap();
        let area = testing::area(&mut tx).await;
        let learner = testing::teacher(&mut tx, area).await;
        enrolment::enrol(
            &mut tx,
            course.course(),
            learner,
            Source::Learner,
            learner,
            None,
            NOW,
        )
        .await
        .unwrap();
        let learner = MayWatch::prove(&mut tx, learner, timeline).await.unwrap();
        let teacher = MayWatch::prove(&mut tx, proof.account(), timeline)
            .await
            .unwrap();
        let _ = outline::lessons(&mut tx, course).await.unwrap();
        tx.commit().await.unwrap();
        let clock = Arc::new(AtomicI64::new(NOW.0));
        let told = Arc::new(Mutex::new(Vec::new()));
        Self {
            db: db.clone(),
            evidence: Evidence::new(
                db.clone(),
                Clock::Manual(clock.clone()),
                Arc::new(Tells(told.clone())),
            ),
            clock,
            learner,
            teacher,
            told,
        }
    }

    fn wait(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// The whole timeline, delivered since now.
    fn all(&self) -> Delivered {
        let mut delivered = Delivered::default();
        delivered.add(part(0, DURATION_MS, self.now()));
        delivered
    }

    async fn credit(
        &self,
        right: MayWatch,
        session: PlaySessionId,
        delivered: &Delivered,
        claims: &[Claim],
    ) -> Result<Verdict, Error> {
        let account = Account {
            right,
            session,
            device: "test",
            duration_ms: DURATION_MS,
            delivered,
        };
        self.evidence.credit(&account, claims).await
    }

    /// Puts tiny credited intervals on the learner's books, by number.
    async fn cut_up(&self, session: PlaySessionId, from: i64, until: i64) {
        let mut tx = self.db.write().await.unwrap();
        sqlx::query(
            "with recursive piece (number) as (select cast($1 as bigint) union all \
             select number + 1 from piece where number + 1 < $2) \
             insert into watch_interval (id, play_session_id, account_id, timeline_id, lesson_id, \
             from_ms, until_ms, wall_from, wall_until, recorded_at) \
             select 'piece ' || cast(number as text), $3, $4, $5, $6, \
             number, number + 1, $7 + number, $7 + number + 1, $7 from piece",
        )
        .bind(from)
        .bind(until)
        .bind(session)
        .bind(self.learner.account())
        .bind(self.learner.timeline())
        .bind(self.learner.lesson())
        .bind(self.now() - 60_000)
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    async fn rows(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table} where account_id = $1");
        let (rows,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(self.learner.account())
            .fetch_one(&mut *self.db.read().await.unwrap())
            .await
            .unwrap();
        rows
    }
}

#[tokio::test]
async fn what_was_played_is_credited_once_however_often_it_is_reported() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let (session, delivered) = (PlaySessionId::new(), world.all());
        world.wait(60_000);
        let claims = [claim(0, 30_000), claim(30_000, 60_000)];
        for _ in 0..3 {
            let verdict = world
                .credit(world.learner, session, &delivered, &claims)
                .await
                .unwrap();
            assert_eq!(verdict.credited, claims.map(|claim| claim.id));
            assert_eq!(verdict.watched_permille, 16);
            assert!(verdict.refused.is_empty());
        }
        assert_eq!(world.rows("watch_interval").await, 2);
        assert_eq!(world.rows("evidence_flag").await, 0);
        // Told once: a repeated report brings nothing new.
        assert_eq!(*world.told.lock().unwrap(), [world.learner.account()]);
    }
}

#[tokio::test]
async fn a_cut_of_minutes_and_a_late_report_lose_nothing() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let (session, delivered) = (PlaySessionId::new(), world.all());
        world.wait(10_000);
        let early = [claim(0, 10_000)];
        let verdict = world
            .credit(world.learner, session, &delivered, &early)
            .await;
        assert_eq!(verdict.unwrap().credited.len(), 1);
        // A minute from the store while the link is down, ten minutes of silence; then the page was
        // opened anew and played on before the old visit's intervals are handed in.
        world.wait(660_000);
        let mut second = delivered.clone();
        second.add(part(0, DURATION_MS, world.now()));
        world.wait(20_000);
        let anew = PlaySessionId::new();
        let newer = [claim(70_000, 90_000)];
        let verdict = world.credit(world.learner, anew, &second, &newer).await;
        assert_eq!(verdict.unwrap().credited.len(), 1);
        let late: Vec<Claim> = (1..7)
            .map(|n| claim(n * 10_000, (n + 1) * 10_000))
            .collect();
        let verdict = world
            .credit(world.learner, anew, &delivered, &late)
            .await
            .unwrap();
        assert_eq!((verdict.credited.len(), verdict.refused.len()), (6, 0));
        assert_eq!(verdict.watched_permille, 25);
    }
}

#[tokio::test]
async fn what_cannot_have_been_played_is_flagged_with_its_reason() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let session = PlaySessionId::new();
        let mut delivered = Delivered::default();
        delivered.add(part(0, 100_000, world.now()));
        world.wait(30_000);
        let fast = Claim {
            rate_permille: 2000,
            ..claim(0, 10_000)
        };
        let claims = [
            claim(200_000, 210_000),
            claim(0, 60_000),
            claim(-5, 10),
            claim(10, 10),
            claim(0, i64::MAX),
            fast,
        ];
        for _ in 0..2 {
            let verdict = world
                .credit(world.learner, session, &delivered, &claims)
                .await
                .unwrap();
            let reasons: Vec<Reason> = verdict.refused.iter().map(|(_, why)| *why).collect();
            use Reason as R;
            let expected = [
                R::NotDelivered,
                R::FasterThanTime,
                R::OutOfRange,
                R::OutOfRange,
                R::OutOfRange,
                R::FasterThanTime,
            ];
            assert_eq!(reasons, expected);
        }
        assert_eq!(world.rows("evidence_flag").await, 6);
        assert_eq!(world.rows("watch_interval").await, 0);
        assert!(world.told.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn two_players_at_once_share_one_wall_clock() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let delivered = world.all();
        world.wait(60_000);
        let (one, other) = (PlaySessionId::new(), PlaySessionId::new());
        let (first, second) = ([claim(0, 60_000)], [claim(60_000, 120_000)]);
        let (a, b) = tokio::join!(
            world.credit(world.learner, one, &delivered, &first),
            world.credit(world.learner, other, &delivered, &second),
        );
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!(a.credited.len() + b.credited.len(), 1);
        let refused: Vec<Reason> = a.refused.iter().chain(&b.refused).map(|r| r.1).collect();
        assert_eq!(refused, [Reason::TwoAtOnce]);
    }
}

#[tokio::test]
async fn another_s_ids_bring_nothing_and_a_teacher_leaves_no_trace() {
    for (db, _folder) in crate::db::testing::both().await {
        let (world, other) = (World::new(&db).await, World::new(&db).await);
        let (session, delivered) = (PlaySessionId::new(), world.all());
        world.wait(60_000);
        other.wait(60_000);
        let own = [claim(0, 10_000)];
        world
            .credit(world.learner, session, &delivered, &own)
            .await
            .unwrap();
        let theirs = other
            .credit(other.learner, PlaySessionId::new(), &delivered, &own)
            .await
            .unwrap();
        assert_eq!(theirs.refused, [(own[0].id, Reason::OutOfRange)]);
        let more = [claim(10_000, 20_000)];
        let stolen = other
            .credit(other.learner, session, &delivered, &more)
            .await;
        assert!(matches!(stolen, Err(Error::NotFound)));
        let seen = [claim(0, 10_000)];
        let verdict = world
            .credit(
                world.teacher,
                PlaySessionId::new(),
                &Delivered::default(),
                &seen,
            )
            .await
            .unwrap();
        assert_eq!(verdict.credited, [seen[0].id]);
        assert_eq!(world.rows("watch_interval").await, 1);
    }
}

#[tokio::test]
async fn crumbs_are_not_credited_but_the_last_one_is() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let (session, delivered) = (PlaySessionId::new(), world.all());
        world.wait(60_000);
        let crumbs: Vec<Claim> = (0..50).map(|n| claim(n, n + 1)).collect();
        let verdict = world
            .credit(world.learner, session, &delivered, &crumbs)
            .await
            .unwrap();
        assert!(verdict.credited.is_empty());
        assert!(
            verdict
                .refused
                .iter()
                .all(|(_, why)| *why == Reason::TooFine)
        );
        // Sound went on behind the end, and the claim is cut there.
        let last = [claim(DURATION_MS - 20, DURATION_MS + 200)];
        let verdict = world
            .credit(world.learner, session, &delivered, &last)
            .await
            .unwrap();
        assert_eq!(verdict.credited, [last[0].id]);
        assert_eq!(world.rows("watch_interval").await, 1);
    }
}

#[tokio::test]
async fn what_is_watched_again_takes_neither_rows_nor_time_and_moves_the_place() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let (session, delivered) = (PlaySessionId::new(), world.all());
        world.wait(80_000);
        let first = [claim(0, 60_000)];
        world
            .credit(world.learner, session, &delivered, &first)
            .await
            .unwrap();
        world.wait(5_000);
        let again: Vec<Claim> = (0..50).map(|n| claim(n * 100, 10_000 + n * 100)).collect();
        let verdict = world
            .credit(world.learner, session, &delivered, &again)
            .await
            .unwrap();
        assert_eq!((verdict.credited.len(), verdict.refused.len()), (50, 0));
        assert_eq!(world.rows("watch_interval").await, 1);
        let mut connection = world.db.read().await.unwrap();
        let (account, timeline) = (world.learner.account(), world.learner.timeline());
        let place = progress::position_ms(&mut connection, account, timeline).await;
        assert_eq!(place.unwrap(), 14_900);
        drop(connection);
        // All of the wall clock that the first did not take is still there.
        let rest = [claim(60_000, 106_250)];
        let verdict = world
            .credit(world.learner, session, &delivered, &rest)
            .await
            .unwrap();
        assert_eq!(verdict.credited, [rest[0].id]);
        assert_eq!(verdict.watched_permille, 29);
    }
}

#[tokio::test]
async fn what_no_longer_counts_is_played_and_credited_anew() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let (session, delivered) = (PlaySessionId::new(), world.all());
        world.wait(80_000);
        let first = [claim(0, 60_000)];
        let credited = world.credit(world.learner, session, &delivered, &first);
        assert_eq!(credited.await.unwrap().watched_permille, 16);
        // A certificate is revoked.
        let mut tx = world.db.write().await.unwrap();
        sqlx::query("update enrolment set counts_from = $1 where account_id = $2")
            .bind(world.now())
            .bind(world.learner.account())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let (session, delivered) = (PlaySessionId::new(), world.all());
        world.wait(80_000);
        let second = [claim(0, 30_000)];
        let credited = world.credit(world.learner, session, &delivered, &second);
        assert_eq!(credited.await.unwrap().watched_permille, 8);
        assert_eq!(world.rows("watch_interval").await, 2);
    }
}

#[tokio::test]
async fn a_question_is_answered_without_a_trace() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let delivered = world.all();
        world.wait(60_000);
        let first = [claim(0, 60_000)];
        world
            .credit(world.learner, PlaySessionId::new(), &delivered, &first)
            .await
            .unwrap();
        let verdict = world
            .credit(world.learner, PlaySessionId::new(), &delivered, &[])
            .await
            .unwrap();
        assert_eq!(verdict.watched_permille, 16);
        assert_eq!(world.rows("play_session").await, 1);
    }
}

#[tokio::test]
async fn nobody_is_credited_more_pieces_than_playback_makes() {
    for (db, _folder) in crate::db::testing::both().await {
        let world = World::new(&db).await;
        let (session, delivered) = (PlaySessionId::new(), world.all());
        world.wait(60_000);
        let first = [claim(0, 10_000)];
        world
            .credit(world.learner, session, &delivered, &first)
            .await
            .unwrap();
        let pieces = |most: usize| i64::try_from(most).unwrap();
        world.cut_up(session, 0, pieces(MOST_LATELY)).await;
        let late = [claim(100_000, 110_000)];
        let verdict = world
            .credit(world.learner, session, &delivered, &late)
            .await
            .unwrap();
        assert_eq!(verdict.refused, [(late[0].id, Reason::TooFine)]);
        // Time goes on, and then there is a bound for what there is to watch.
        let past = i64::try_from(LONGEST_PAST.as_millis()).unwrap();
        world.wait(past + 60_000);
        let next = [claim(100_000, 110_000)];
        let verdict = world
            .credit(world.learner, session, &delivered, &next)
            .await
            .unwrap();
        assert_eq!(verdict.credited, [next[0].id]);
        let of_timeline = pieces(MOST_OF_TIMELINE) + DURATION_MS / 1000;
        world.wait(past + 60_000);
        world
            .cut_up(session, pieces(MOST_LATELY), of_timeline)
            .await;
        world.wait(past + 60_000);
        let last = [claim(200_000, 210_000)];
        let verdict = world
            .credit(world.learner, session, &delivered, &last)
            .await
            .unwrap();
        assert_eq!(verdict.refused, [(last[0].id, Reason::TooFine)]);
    }
}

#[tokio::test]
async fn every_node_has_the_same_key() {
    for (db, _folder) in crate::db::testing::both().await {
        let receipt = receipt::Receipt {
            account: AccountId::new(),
            timeline: TimelineId::new(),
            delivered: Delivered::default(),
            rung: "audio".into(),
            rung_from: 0,
            bandwidth_bps: 0,
        };
        let node = || Evidence::new(db.clone(), Clock::System, Arc::new(NobodyWatches));
        let (one, two) = (node(), node());
        let (one, two) = tokio::join!(one.key(), two.key());
        let token = one.unwrap().sign(&receipt);
        assert_eq!(two.unwrap().verify(&token), Some(receipt));
    }
}

/// What an account gets for claims that are reported at given times, by the pure rules.
fn credited(delivered: &Delivered, reports: &[(i64, Claim)], right: MayWatch) -> (i64, usize) {
    let account = Account {
        right,
        session: PlaySessionId::new(),
        device: "",
        duration_ms: DURATION_MS,
        delivered,
    };
    let (mut taken, mut total_ms, mut refused) = (Intervals::default(), 0, 0);
    for (at, claim) in reports {
        match judge(&account, *claim, &taken, Timestamp(*at)) {
            Ok((claim, wall)) => {
                taken.add(Interval {
                    from_ms: wall.from.0,
                    until_ms: wall.until.0,
                });
                total_ms += claim.until_ms - claim.from_ms;
            }
            Err(_) => refused += 1,
        }
    }
    (total_ms, refused)
}

fn somebody() -> MayWatch {
    MayWatch::for_tests(
        AccountId::new(),
        TimelineId::new(),
        crate::id::LessonId::new(),
    )
}

/// One stretch of an honest visit: a pause, then so much played at a rate; perhaps the link was cut
/// before; reported only so much later; perhaps a jump to another place first.
fn stretch() -> impl Strategy<Value = (i64, i64, i64, bool, i64, i64)> {
    (
        0_i64..600_000,
        100_i64..60_000,
        500_i64..=1250,
        any::<bool>(),
        prop_oneof![Just(0_i64), 0_i64..900_000],
        prop_oneof![Just(-1_i64), 0_i64..DURATION_MS - 70_000],
    )
}

/// Of a claim of somebody who tries: anything, often as little as possible.
fn length() -> impl Strategy<Value = i64> {
    prop_oneof![1_i64..700_000, 1_i64..300]
}

proptest! {
    #[test]
    fn honest_playback_is_credited_in_full_in_any_order_of_reports(
        stretches in prop::collection::vec(stretch(), 1..16),
        jitter_ms in -150_i64..150,
    ) {
        let start = NOW.0;
        let (mut now, mut at, mut since) = (start, 0_i64, start);
        let mut delivered = Delivered::default();
        let mut reports = Vec::new();
        let mut expected = 0;
        for (pause, length, rate, cut, late, jump) in stretches {
            now += pause;
            if cut {
                since = now;
            }
            if jump >= 0 {
                at = jump;
            }
            let until = (at + length).min(DURATION_MS);
            if until - at < 100 {
                at = 0;
                continue;
            }
            delivered.add(part(at, until, since));
            now += (until - at) * 1000 / rate;
            let claim = Claim { rate_permille: rate, ..claim(at, until) };
            expected += until - at;
            at = until;
            // The wall clock of the learner's device and its timers are not exact.
            reports.push((now + late + jitter_ms.max(0), claim));
        }
        // Nothing older than two hours is asked for here.
        prop_assume!(now - start < 2 * 3_600_000 - 900_000);
        reports.sort_by_key(|(at, _)| *at);
        let (total, refused) = credited(&delivered, &reports, somebody());
        prop_assert_eq!(refused, 0);
        prop_assert_eq!(total, expected);
    }

    #[test]
    fn no_schedule_of_claims_gets_more_than_the_wall_clock_allows(
        reports in prop::collection::vec((0_i64..60_000, 0_i64..DURATION_MS, length(), 1_i64..1500), 1..60),
        connections in prop::collection::vec((0_i64..DURATION_MS, 1_i64..DURATION_MS, 0_i64..600_000), 1..20),
    ) {
        let start = NOW.0;
        let mut delivered = Delivered::default();
        for (from, length, since) in connections {
            delivered.add(part(from, from + length, start + since));
        }
        let mut now = start;
        let mut schedule = Vec::new();
        for (wait, from, length, rate) in reports {
            now += wait;
            schedule.push((now, Claim { rate_permille: rate, ..claim(from, from + length) }));
        }
        let (total, _) = credited(&delivered, &schedule, somebody());
        let allowed = (now - start) + i64::try_from(SLACK.as_millis()).unwrap();
        prop_assert!(total * 1000 <= allowed * 1250, "{total} in {allowed}");
    }
}
