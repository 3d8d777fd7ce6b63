//! Recorded classes on both engines: what is shown of them, what of it counts, and classes that were held
//! before the course showed them.

use super::proof::Leader;
use super::replays::Replays;
use super::room::act::Act;
use super::room::told::Happened;
use super::testing::{START, World, new_class};
use super::{attendance, planning, store, trimming};
use crate::clock::Timestamp;
use crate::completion::{self, Completion};
use crate::courses::{publish, store as courses};
use crate::db::Db;
use crate::db::testing;
use crate::error::Error;
use crate::id::AccountId;
use crate::learning::access::MayWatch;
use crate::learning::enrolment::{self, Source};
use crate::learning::{credentials, progress};
use crate::timelines::trim::Trim;

const MINUTE: i64 = 60_000;

/// Ends the class after so many minutes and settles its attendance.
async fn end(world: &World, minutes: i64) {
    let mut tx = world.db.write().await.unwrap();
    let duration_ms = minutes * MINUTE;
    assert!(
        store::close(&mut tx, world.class, duration_ms, world.now())
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    settle(world).await;
}

async fn settle(world: &World) {
    attendance::settle(&world.db, &world.clock(), &Completion, world.class)
        .await
        .unwrap();
}

async fn open(world: &World) {
    let proof = world.prove::<Leader>(world.host).await.unwrap();
    let mut tx = world.db.write().await.unwrap();
    store::open(&mut tx, &proof, world.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn trim(world: &World, trim: Trim) {
    let proof = world.prove::<Leader>(world.host).await.unwrap();
    let mut tx = world.db.write().await.unwrap();
    trimming::set(&mut tx, &proof, trim).await.unwrap();
    tx.commit().await.unwrap();
    settle(world).await;
}

/// Credentials, completed lessons of the published version.
async fn earned(world: &World, account: AccountId) -> (usize, usize) {
    let mut connection = world.db.read().await.unwrap();
    let draft = courses::draft(&mut connection, &world.course)
        .await
        .unwrap();
    let version = draft.published_version_id.unwrap();
    let done = progress::completed(&mut connection, account, version)
        .await
        .unwrap();
    let own = credentials::of_account(&mut connection, account)
        .await
        .unwrap();
    (own.len(), done.len())
}

async fn publish_again(db: &Db, world: &World) {
    let mut tx = db.write().await.unwrap();
    let revision = courses::draft(&mut tx, &world.course)
        .await
        .unwrap()
        .revision;
    publish::publish(&mut tx, &world.course, revision, START)
        .await
        .unwrap();
    completion::republished(&mut tx, &world.course, START)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn only_what_is_shown_counts_and_nobody_loses_what_was_earned() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        open(&world).await;
        // The class takes from minute 5 to minute 15; the learner saw only that.
        world.played(world.learner, 5 * MINUTE, 15 * MINUTE).await;
        end(&world, 20).await;
        assert_eq!(earned(&world, world.learner).await, (0, 0), "half of it");

        let part = Trim {
            from_ms: 5 * MINUTE,
            until_ms: Some(15 * MINUTE),
        };
        trim(&world, part).await;
        assert_eq!(earned(&world, world.learner).await, (1, 1));
        let lesson = world.row().await.lesson_id;
        let mut connection = db.read().await.unwrap();
        let right = MayWatch::prove(&mut connection, world.learner, world.timeline)
            .await
            .unwrap();
        assert_eq!(right.trim(), part);
        let watched = progress::of_timeline(&mut connection, world.learner, lesson, world.timeline)
            .await
            .unwrap();
        assert_eq!(watched.total_ms(), 10 * MINUTE);
        let draft = courses::draft(&mut connection, &world.course)
            .await
            .unwrap();
        let version = draft.published_version_id.unwrap();
        let lessons = publish::lessons(&mut connection, version).await.unwrap();
        assert_eq!(lessons[0].duration_ms, 10 * MINUTE);
        // Times of a page's bar begin with what is shown.
        let shown = progress::of_version(&mut connection, world.learner, version)
            .await
            .unwrap();
        assert_eq!(shown[&lesson].parts()[0].from_ms, 0);
        drop(connection);

        // What lies outside was watched and is kept, but does not count now.
        let other = Trim {
            from_ms: 10 * MINUTE,
            until_ms: None,
        };
        trim(&world, other).await;
        let mut connection = db.read().await.unwrap();
        let watched = progress::of_lesson(&mut connection, world.learner, lesson)
            .await
            .unwrap();
        assert_eq!(watched[0].0.total_ms(), 5 * MINUTE);
        assert_eq!(watched[0].1, 10 * MINUTE);
        drop(connection);
        assert_eq!(earned(&world, world.learner).await, (1, 1), "it was earned");

        trim(&world, Trim::default()).await;
        let mut connection = db.read().await.unwrap();
        let watched = progress::of_lesson(&mut connection, world.learner, lesson)
            .await
            .unwrap();
        assert_eq!(
            (watched[0].0.total_ms(), watched[0].1),
            (10 * MINUTE, 20 * MINUTE)
        );
    }
}

#[tokio::test]
async fn a_class_that_goes_on_is_not_trimmed() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        open(&world).await;
        let proof = world.prove::<Leader>(world.host).await.unwrap();
        let part = Trim {
            from_ms: MINUTE,
            until_ms: None,
        };
        let mut tx = db.write().await.unwrap();
        let refused = trimming::set(&mut tx, &proof, part).await;
        assert!(matches!(refused, Err(Error::Conflict("class-goes-on"))));
    }
}

#[tokio::test]
async fn whoever_attended_a_class_has_completed_it_once_the_course_shows_it() {
    for (db, _folder) in testing::both().await {
        let mut world = World::new(&db).await;
        let mut tx = db.write().await.unwrap();
        let later = Timestamp(START.0 + MINUTE);
        let (course, module, zone) = (&world.course, world.module, "Asia/Shanghai");
        let classes =
            planning::schedule(&mut tx, course, module, &new_class(), &[later], zone, START)
                .await
                .unwrap();
        let before = world.class;
        world.class = classes[0];
        let row = store::find(&mut tx, classes[0]).await.unwrap().unwrap();
        world.timeline = row.timeline_id;
        let area = crate::courses::testing::area(&mut tx).await;
        let late = crate::courses::testing::teacher(&mut tx, area).await;
        super::testing::enrol(&mut tx, world.course.course(), late).await;
        tx.commit().await.unwrap();

        // The new class is held and over before the course is published with it.
        open(&world).await;
        let mut connection = db.read().await.unwrap();
        let right = MayWatch::prove(&mut connection, world.learner, world.timeline)
            .await
            .unwrap();
        assert!(right.counts(), "a learner of the course");
        drop(connection);
        world.played(world.learner, 0, 19 * MINUTE).await;
        world.played(late, 0, 2 * MINUTE).await;
        end(&world, 20).await;
        assert_eq!(earned(&world, world.learner).await, (0, 0));
        for _ in 0..2 {
            publish_again(&db, &world).await;
            assert_eq!(earned(&world, world.learner).await, (0, 1));
            assert_eq!(earned(&world, late).await, (0, 0));
        }

        // The other class is still missing for the course: once it is out of it, all is done.
        let mut tx = db.write().await.unwrap();
        planning::cancel(&mut tx, &world.course, before, false, START)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        publish_again(&db, &world).await;
        assert_eq!(earned(&world, world.learner).await, (1, 1));
    }
}

#[tokio::test]
async fn whoever_comes_back_to_a_course_has_what_he_or_she_attended() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        open(&world).await;
        world.played(world.learner, 0, 19 * MINUTE).await;
        let mut tx = db.write().await.unwrap();
        sqlx::query("update enrolment set withdrawn_at = 1 where account_id = $1")
            .bind(world.learner)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        end(&world, 20).await;
        assert_eq!(earned(&world, world.learner).await, (0, 0));
        let mut tx = db.write().await.unwrap();
        let (course, who) = (world.course.course(), world.learner);
        completion::enrol(&mut tx, course, who, Source::Learner, who, None, START)
            .await
            .unwrap();
        let back = enrolment::find(&mut tx, course, who).await.unwrap();
        assert!(back.unwrap().completed_at.is_some());
        tx.commit().await.unwrap();
        assert_eq!(earned(&world, world.learner).await, (1, 1));
    }
}

#[tokio::test]
async fn a_recording_is_read_from_the_journal_once_the_class_is_over() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let rooms = world.rooms().await;
        world.open(&rooms).await;
        let proof = world.prove::<Leader>(world.host).await.unwrap();
        let chat = |text: &str| Act::Chat {
            text: text.into(),
            group: None,
        };
        rooms.act(&proof, chat("Good morning")).await.unwrap();
        world.pass_ms(MINUTE);
        let rude = rooms.act(&proof, chat("Not for the lesson")).await.unwrap();
        let proof = world.prove::<Leader>(world.host).await.unwrap();
        rooms
            .act(&proof, Act::HideChat { sequence: rude })
            .await
            .unwrap();
        let replays = Replays::new(db.clone());
        let early = replays.of(&world.row().await, Trim::default()).await;
        assert!(matches!(early, Err(Error::Conflict("class-goes-on"))));

        end(&world, 2).await;
        // Closed, but the room has not said so: nobody may keep this answer for good.
        let row = world.row().await;
        let open = replays.of(&row, Trim::default()).await.unwrap();
        assert!(!open.complete);
        rooms.ended(world.class).await.unwrap();
        let whole = replays.of(&row, Trim::default()).await.unwrap();
        assert!(whole.complete);
        let texts: Vec<&str> = whole.chat.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["Good morning"]);
        let part = Trim {
            from_ms: MINUTE / 2,
            until_ms: None,
        };
        let part = replays.of(&row, part).await.unwrap();
        assert!(part.chat.is_empty());
        assert_eq!(part.pieces[0].from_ms, 30_000);
        let mut connection = db.read().await.unwrap();
        let events = super::journal::events(&mut connection, world.class)
            .await
            .unwrap();
        assert!(matches!(events.last().unwrap().happened, Happened::Ended));
    }
}
