//! What is credited while a class ends, where two transactions may write side by side.

use super::attendance;
use super::store;
use super::testing::World;
use crate::completion::Completion;
use crate::courses::store as courses;
use crate::db::testing::{postgres, until_blocked};
use crate::learning::evidence::Watched as _;
use crate::learning::progress;

const LONG_MS: i64 = 20 * 60_000;

#[tokio::test]
async fn attendance_that_is_being_credited_when_the_class_ends_is_not_missed() {
    let db = postgres().await;
    let world = World::new(&db).await;
    let rooms = world.rooms().await;
    world.open(&rooms).await;
    let lesson = world.row().await.lesson_id;

    let mut crediting = db.write().await.unwrap();
    world
        .played_in(&mut crediting, lesson, world.learner, 0, LONG_MS)
        .await;
    let early = Completion
        .watched(&mut crediting, world.learner, lesson, world.now())
        .await
        .unwrap();
    assert!(!early.lesson_completed, "the class goes on");
    let mut tx = db.write().await.unwrap();
    store::close(&mut tx, world.class, LONG_MS, world.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let settling = tokio::spawn({
        let (db, clock, class) = (db.clone(), world.clock(), world.class);
        async move { attendance::settle(&db, &clock, &Completion, class).await }
    });
    until_blocked(&db, &settling).await;
    crediting.commit().await.unwrap();
    settling.await.unwrap().unwrap();

    let mut connection = db.read().await.unwrap();
    let course = courses::draft(&mut connection, &world.course)
        .await
        .unwrap();
    let version = course.published_version_id.unwrap();
    let done = progress::completed(&mut connection, world.learner, version).await;
    assert_eq!(done.unwrap().len(), 1);
}
