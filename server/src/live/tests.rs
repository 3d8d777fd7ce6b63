//! Classes on both engines: planning, rights, the journal, the end and what follows from it.

use std::time::Duration;

use crate::websocket::Utf8Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::proof::{Inside, Invited, Leader};
use super::room::act::{Act, Role};
use super::room::told::Happened;
use super::schedule::{Repeats, When};
use super::store::Stage;
use super::testing::{START, World, new_class};
use super::{attendance, keys, participants, planning, remind, routes, store};
use crate::clock::Timestamp;
use crate::completion::Completion;
use crate::courses::{outline, publish, store as courses, testing as people};
use crate::db::testing;
use crate::error::Error;
use crate::id::{AccountId, ActId};
use crate::learning::access::MayWatch;
use crate::learning::evidence::Watched as _;
use crate::learning::{credentials, progress};
use crate::notices;
use crate::stream::rooms::{Rooms as _, Seat};

/// A signal that does not come within this time never comes.
const SOON: Duration = Duration::from_secs(30);
const MINUTE: i64 = 60_000;

pub(super) async fn hear(says: &mut mpsc::Receiver<Utf8Bytes>) -> Option<Value> {
    let said = tokio::time::timeout(SOON, says.recv()).await;
    let text = said.expect("nothing was said")?;
    Some(serde_json::from_str(text.as_str()).unwrap())
}

pub(super) async fn act(seat: &mut Seat, act: Act) -> Value {
    let id = ActId::new();
    let request = json!({ "id": id, "act": act });
    seat.acts.send(request).await.unwrap();
    loop {
        let message = hear(&mut seat.says).await.expect("the seat was closed");
        if message["id"] == json!(id) {
            return message;
        }
    }
}

fn chat(text: &str) -> Act {
    Act::Chat {
        text: text.into(),
        group: None,
    }
}

async fn may_watch(world: &World, account: AccountId) -> Option<bool> {
    let mut connection = world.db.read().await.unwrap();
    match MayWatch::prove(&mut connection, account, world.timeline).await {
        Ok(right) => Some(right.counts()),
        Err(Error::NotFound) => None,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_series_is_lessons_and_what_is_cancelled_leaves_the_draft() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let when = When::read("2023-12-01", "19:30", "Asia/Shanghai").unwrap();
        let moments = when
            .occurrences(Repeats::Weekly, Some(3), None, START)
            .unwrap();
        let mut tx = db.write().await.unwrap();
        let (course, module) = (&world.course, world.module);
        let zone = when.zone_name();
        let series =
            planning::schedule(&mut tx, course, module, &new_class(), &moments, zone, START)
                .await
                .unwrap();
        let lessons = outline::lessons(&mut tx, course).await.unwrap();
        assert_eq!(lessons.len(), 4);
        assert!(
            lessons
                .iter()
                .all(|own| own.kind == "live" && own.is_ready())
        );
        let revision = courses::draft(&mut tx, course).await.unwrap().revision;
        publish::publish(&mut tx, course, revision, START)
            .await
            .unwrap();

        let later = super::schedule::NewClass {
            title: "Queens".into(),
            guests: false,
            ..new_class()
        };
        let moved = Timestamp(moments[0].0 + MINUTE);
        planning::change(&mut tx, course, series[0], &later, moved, START)
            .await
            .unwrap();
        let first = planning::of_course(&mut tx, course, series[0])
            .await
            .unwrap();
        assert_eq!((first.starts_at, first.code), (moved, None));
        planning::cancel(&mut tx, course, series[1], true, START)
            .await
            .unwrap();
        let lessons = outline::lessons(&mut tx, course).await.unwrap();
        let titles: Vec<_> = lessons.iter().map(|own| own.title.as_str()).collect();
        assert_eq!(titles, ["Swarming", "Queens"]);
        let again = planning::cancel(&mut tx, course, series[2], false, START).await;
        assert!(matches!(again, Err(Error::Conflict("class-begun"))));

        let area = people::area(&mut tx).await;
        let stranger = people::teacher(&mut tx, area).await;
        let (foreign, _) = people::course(&mut tx, stranger, area).await;
        let stolen = planning::cancel(&mut tx, &foreign, series[0], false, START).await;
        assert!(matches!(stolen, Err(Error::NotFound)));
    }
}

#[tokio::test]
async fn a_class_opens_once_and_closes_once() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let proof = world.prove::<Leader>(world.other_host).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let closed = store::close(&mut tx, world.class, 1, START).await.unwrap();
        assert!(!closed, "it is not open");
        let at = store::open(&mut tx, &proof, START).await.unwrap();
        let again = store::open(&mut tx, &proof, Timestamp(START.0 + 5)).await;
        assert_eq!(again.unwrap(), at);
        assert_eq!(store::open_classes(&mut tx).await.unwrap().len(), 1);
        let course = &world.course;
        let changed =
            planning::change(&mut tx, course, world.class, &new_class(), START, START).await;
        assert!(matches!(changed, Err(Error::Conflict("class-begun"))));
        let end = Timestamp(START.0 + MINUTE);
        assert!(
            store::close(&mut tx, world.class, MINUTE, end)
                .await
                .unwrap()
        );
        assert!(!store::close(&mut tx, world.class, 1, end).await.unwrap());
        let reopened = store::open(&mut tx, &proof, end).await;
        assert!(matches!(reopened, Err(Error::Conflict("class-closed"))));
        let (duration,): (i64,) = sqlx::query_as("select duration_ms from timeline where id = $1")
            .bind(world.timeline)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(duration, MINUTE);
        let class = store::class_of_timeline(&mut tx, world.timeline)
            .await
            .unwrap();
        assert_eq!(class.unwrap().stage(), Stage::Ended);
        assert_eq!(store::unsettled(&mut tx).await.unwrap(), [world.class]);
    }
}

#[tokio::test]
async fn who_may_be_in_a_class_and_watch_it() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let rooms = world.rooms().await;
        world.open(&rooms).await;
        assert!(world.prove::<Leader>(world.host).await.is_ok());
        assert!(matches!(
            world.prove::<Leader>(world.learner).await,
            Err(Error::Forbidden)
        ));
        assert!(matches!(
            world.prove::<Invited>(world.outsider).await,
            Err(Error::NotFound)
        ));
        assert_eq!(may_watch(&world, world.host).await, Some(false));
        assert_eq!(may_watch(&world, world.learner).await, Some(true));
        assert_eq!(may_watch(&world, world.outsider).await, None);

        // A guest waits outside until a leader opens the door.
        let guest = world.guest().await;
        assert_eq!(may_watch(&world, guest).await, None);
        assert!(matches!(
            world.prove::<Inside>(guest).await,
            Err(Error::Forbidden)
        ));
        let proof = world.prove::<Invited>(guest).await.unwrap();
        assert!(rooms.look(&proof).await.unwrap().waiting);
        let mut host = rooms
            .join(world.timeline, world.host, None)
            .await
            .unwrap()
            .unwrap();
        let room = hear(&mut host.says).await.unwrap();
        let who = proof.participant().unwrap().id;
        assert_eq!(room["room"]["waits"][0]["id"], json!(who));
        assert_eq!(act(&mut host, Act::Admit { who }).await["type"], "acted");
        assert!(!rooms.look(&proof).await.unwrap().waiting);
        assert_eq!(
            may_watch(&world, guest).await,
            Some(false),
            "does not count"
        );
        assert!(world.prove::<Inside>(guest).await.is_ok());

        // A learner who is made an observer leaves no evidence; one who is sent out sees no more.
        let proof = world.prove::<Inside>(world.learner).await.unwrap();
        rooms.act(&proof, chat("here")).await.unwrap();
        assert_eq!(may_watch(&world, world.learner).await, Some(true));
        let proof = world.prove::<Inside>(world.learner).await.unwrap();
        let who = proof.participant().unwrap().id;
        let role = Role::Observer;
        assert_eq!(
            act(&mut host, Act::SetRole { who, role }).await["type"],
            "acted"
        );
        assert_eq!(may_watch(&world, world.learner).await, Some(false));
        assert_eq!(act(&mut host, Act::Remove { who }).await["type"], "acted");
        assert_eq!(may_watch(&world, world.learner).await, None);
        assert!(matches!(
            world.prove::<Invited>(world.learner).await,
            Err(Error::NotFound)
        ));
        assert!(
            rooms
                .join(world.timeline, world.learner, None)
                .await
                .is_err()
        );

        // The recording is a lesson like any other.
        let mut tx = db.write().await.unwrap();
        store::close(&mut tx, world.class, MINUTE, world.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(may_watch(&world, world.learner).await, Some(true));
        assert_eq!(may_watch(&world, guest).await, Some(false));
    }
}

#[tokio::test]
async fn what_happened_is_in_the_journal_and_nobody_changes_it() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let rooms = world.rooms().await;
        world.open(&rooms).await;
        let mut host = rooms
            .join(world.timeline, world.host, None)
            .await
            .unwrap()
            .unwrap();
        let mut learner = rooms
            .join(world.timeline, world.learner, None)
            .await
            .unwrap()
            .unwrap();
        rooms.host_present(world.class, true).await.unwrap();
        assert_eq!(
            act(&mut learner, Act::Hand { up: true }).await["type"],
            "acted"
        );
        world.pass_ms(1_500);
        let said = act(&mut host, chat("Which bees swarm?")).await;
        let proof = world.prove::<Invited>(world.learner).await.unwrap();
        let before = rooms.look(&proof).await.unwrap();
        assert!(before.host_present && before.people.len() == 2);
        assert!(before.people.iter().any(|person| person.hand_ms.is_some()));

        // The first server is killed: nothing of it is left but the database.
        drop((rooms, host, learner));
        let rooms = world.rooms().await;
        assert_eq!(rooms.look(&proof).await.unwrap(), before);
        let line = before.chat.last().unwrap();
        assert_eq!(json!(line.sequence), said["sequence"]);
        assert_eq!(line.at_ms, 1_500);

        for sql in ["update live_event set at_ms = 0", "delete from live_event"] {
            let mut tx = db.write().await.unwrap();
            assert!(sqlx::query(sql).execute(&mut *tx).await.is_err(), "{sql}");
        }
    }
}

#[tokio::test]
async fn attendance_completes_lessons_when_the_class_is_over_and_not_before() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let rooms = world.rooms().await;
        world.open(&rooms).await;
        let mut tx = db.write().await.unwrap();
        let area = people::area(&mut tx).await;
        let late = people::teacher(&mut tx, area).await;
        super::testing::enrol(&mut tx, world.course.course(), late).await;
        tx.commit().await.unwrap();
        world.played(world.learner, 0, 19 * MINUTE).await;
        world.played(world.learner, 10 * MINUTE, 20 * MINUTE).await;
        world.played(late, 19 * MINUTE, 20 * MINUTE).await;
        let row = world.row().await;
        let mut tx = db.write().await.unwrap();
        let outcome = Completion
            .watched(&mut tx, world.learner, row.lesson_id, world.now())
            .await
            .unwrap();
        assert!(!outcome.lesson_completed, "the class still goes on");
        tx.commit().await.unwrap();

        world.pass_ms(20 * MINUTE);
        let mut host = rooms
            .join(world.timeline, world.host, None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(act(&mut host, Act::End).await["type"], "acted");
        let mut last = Value::Null;
        while let Some(message) = hear(&mut host.says).await {
            last = message;
        }
        assert_eq!(last["event"]["happened"]["type"], "ended");
        let row = world.row().await;
        assert_eq!(row.stage(), Stage::Ended);

        // The rooms settle by themselves; so does the next start, and again it changes nothing.
        for _ in 0..2 {
            attendance::settle(&db, &world.clock(), &Completion, world.class)
                .await
                .unwrap();
        }
        let mut tx = db.write().await.unwrap();
        assert!(store::unsettled(&mut tx).await.unwrap().is_empty());
        let version = courses::draft(&mut tx, &world.course).await.unwrap();
        let version = version.published_version_id.unwrap();
        let done = progress::completed(&mut tx, world.learner, version)
            .await
            .unwrap();
        assert_eq!(done[0].watched_percent, 100);
        let done = progress::completed(&mut tx, late, version).await.unwrap();
        assert!(done.is_empty(), "a twentieth is not the class");
        let earned = credentials::of_account(&mut tx, world.learner)
            .await
            .unwrap();
        assert_eq!(earned.len(), 1);
        tx.commit().await.unwrap();

        let proof = world.prove::<Leader>(world.host).await.unwrap();
        let mut connection = db.read().await.unwrap();
        let attended = attendance::of_class(&mut connection, &proof).await.unwrap();
        let minutes: Vec<(bool, i64)> = attended
            .iter()
            .filter(|person| person.role == Role::Learner)
            .map(|person| (person.completed, person.played.total_ms() / MINUTE))
            .collect();
        assert!(minutes.contains(&(true, 20)) && minutes.contains(&(false, 1)));
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_goes_on_at_the_next_start() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let rooms = world.rooms().await;
        world.open(&rooms).await;
        // The leader's act is durable, and the server dies before the media is closed.
        let mut tx = db.write().await.unwrap();
        store::ending(&mut tx, world.class, world.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        drop(rooms);
        let proof = world.prove::<Invited>(world.host).await.unwrap();
        assert_eq!(proof.row().stage(), Stage::Open);
        let rooms = world.rooms().await;
        let deadline = std::time::Instant::now() + SOON;
        while world.row().await.stage() != Stage::Ended {
            assert!(std::time::Instant::now() < deadline, "it never ended");
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            rooms.look(&proof).await,
            Err(Error::Conflict("class-closed"))
        ));
        // Who asked for the page while it was still open is shown that it is over.
        let (proof, room) = routes::look(&db, &rooms, proof).await.unwrap();
        assert_eq!(proof.row().stage(), Stage::Ended);
        assert!(room.is_none());
    }
}

#[tokio::test]
async fn learners_are_reminded_once_and_again_when_the_time_changes() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let early = Timestamp(START.0 - 31 * MINUTE);
        let due = Timestamp(START.0 - 30 * MINUTE);
        for (now, expected) in [(early, 0), (due, 1), (due, 1), (START, 1)] {
            remind::remind(&db, now).await.unwrap();
            let mut connection = db.read().await.unwrap();
            let unread = notices::unread(&mut connection, world.learner)
                .await
                .unwrap();
            assert_eq!(unread, expected);
            assert_eq!(
                notices::unread(&mut connection, world.outsider)
                    .await
                    .unwrap(),
                0
            );
        }
        let later = Timestamp(START.0 + 60 * MINUTE);
        let mut tx = db.write().await.unwrap();
        planning::change(
            &mut tx,
            &world.course,
            world.class,
            &new_class(),
            later,
            START,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        remind::remind(&db, Timestamp(START.0 + 30 * MINUTE))
            .await
            .unwrap();
        let mut connection = db.read().await.unwrap();
        assert_eq!(
            notices::unread(&mut connection, world.learner)
                .await
                .unwrap(),
            2
        );
    }
}

#[tokio::test]
async fn codes_and_keys_work_until_the_class_is_over() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let code = world.row().await.code.unwrap();
        let spoken = format!("{}-{}", &code[..4].to_lowercase(), &code[4..]);
        let proof = world.prove::<Leader>(world.host).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let found = store::class_of_code(&mut tx, &spoken)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.id, world.class);
        assert!(store::class_of_code(&mut tx, "").await.unwrap().is_none());
        let token = keys::issue(&mut tx, &proof, START).await.unwrap();
        let secret = token.reveal();
        let class = keys::class_of(&mut tx, secret).await.unwrap();
        assert_eq!(class, Some(world.class));
        assert!(keys::class_of(&mut tx, "guess").await.unwrap().is_none());
        let other = keys::issue(&mut tx, &proof, START).await.unwrap();
        let listed = keys::list(&mut tx, &proof).await.unwrap();
        keys::revoke(&mut tx, &proof, listed[0].id, START)
            .await
            .unwrap();
        assert!(
            keys::revoke(&mut tx, &proof, listed[0].id, START)
                .await
                .is_err()
        );
        assert!(keys::class_of(&mut tx, secret).await.unwrap().is_none());
        store::open(&mut tx, &proof, START).await.unwrap();
        store::close(&mut tx, world.class, 1, START).await.unwrap();
        assert!(
            store::class_of_code(&mut tx, &code)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            keys::class_of(&mut tx, other.reveal())
                .await
                .unwrap()
                .is_none()
        );
    }
}

#[tokio::test]
async fn one_person_has_one_place_however_often_he_or_she_comes() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let rooms = world.rooms().await;
        world.open(&rooms).await;
        let join = || rooms.join(world.timeline, world.learner, None);
        let (one, two, three) = tokio::join!(join(), join(), join());
        let mut seats = [one, two, three].map(|seat| seat.unwrap().unwrap());
        let mut me = Vec::new();
        for seat in &mut seats {
            me.push(hear(&mut seat.says).await.unwrap()["room"]["me"].clone());
        }
        assert!(me[0] == me[1] && me[1] == me[2]);
        let mut connection = db.read().await.unwrap();
        let came: Vec<(String,)> =
            sqlx::query_as("select body from live_event where class_id = $1")
                .bind(world.class)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        let came = came
            .iter()
            .map(|(body,)| serde_json::from_str::<Happened>(body).unwrap())
            .filter(|happened| matches!(happened, Happened::Came { .. }));
        assert_eq!(came.count(), 1);
        let account = participants::account_of(
            &mut connection,
            world.class,
            serde_json::from_value(me[0].clone()).unwrap(),
        );
        assert_eq!(account.await.unwrap(), Some(world.learner));
    }
}
