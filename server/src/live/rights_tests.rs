//! Parts in a class that somebody has no longer, or has from a leader of it.

use serde_json::{Value, json};

use super::proof::{Inside, Invited, Leader};
use super::room::act::{Act, Role};
use super::testing::{World, enrol};
use super::tests::{act, hear};
use crate::db::testing;
use crate::error::Error;
use crate::id::AccountId;
use crate::stream::rooms::Rooms as _;

async fn teaches_no_more(world: &World, account: AccountId) {
    let mut tx = world.db.write().await.unwrap();
    sqlx::query("update course_teacher set removed_at = 1 where account_id = $1")
        .bind(account)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn learns(world: &World, account: AccountId) {
    let mut tx = world.db.write().await.unwrap();
    enrol(&mut tx, world.course.course(), account).await;
    tx.commit().await.unwrap();
}

fn own_role(room: &Value) -> Value {
    let people = room["room"]["people"].as_array().unwrap();
    let me = people.iter().find(|one| one["id"] == room["room"]["me"]);
    me.unwrap()["role"].clone()
}

#[tokio::test]
async fn whoever_teaches_no_more_leads_no_more() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let rooms = world.rooms().await;
        world.open(&rooms).await;
        let (account, timeline) = (world.other_host, world.timeline);
        let mut seat = rooms.join(timeline, account, None).await.unwrap().unwrap();
        assert_eq!(own_role(&hear(&mut seat.says).await.unwrap()), "co_host");
        assert_eq!(
            act(&mut seat, Act::Lock { on: true }).await["type"],
            "acted"
        );
        rooms.prove(timeline, account).await.unwrap();
        assert_eq!(
            act(&mut seat, Act::Lock { on: false }).await["type"],
            "acted"
        );

        teaches_no_more(&world, account).await;
        let gone = rooms.prove(timeline, account).await;
        assert!(matches!(gone, Err(Error::NotFound)));

        // As a learner he or she comes back as one, and the open connection learns it.
        learns(&world, account).await;
        let leads = world.prove::<Leader>(account).await;
        assert!(matches!(leads, Err(Error::Forbidden)));
        rooms.prove(timeline, account).await.unwrap();
        let refused = act(&mut seat, Act::Lock { on: true }).await;
        assert_eq!(refused["reason"], "not_allowed");
        let mut anew = rooms.join(timeline, account, None).await.unwrap().unwrap();
        assert_eq!(own_role(&hear(&mut anew.says).await.unwrap()), "learner");
        let proof = world.prove::<Inside>(account).await.unwrap();
        assert!(!proof.is_lowered());
    }
}

#[tokio::test]
async fn a_part_that_a_leader_gave_stays() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let rooms = world.rooms().await;
        world.open(&rooms).await;
        let (account, timeline) = (world.learner, world.timeline);
        let mut host = rooms
            .join(timeline, world.host, None)
            .await
            .unwrap()
            .unwrap();
        let mut seat = rooms.join(timeline, account, None).await.unwrap().unwrap();
        let proof = world.prove::<Invited>(account).await.unwrap();
        let who = proof.participant().unwrap().id;
        let role = Role::CoHost;
        let given = act(&mut host, Act::SetRole { who, role }).await;
        assert_eq!(given["type"], "acted");

        assert!(world.prove::<Leader>(account).await.is_ok());
        rooms.prove(timeline, account).await.unwrap();
        let mut anew = rooms.join(timeline, account, None).await.unwrap().unwrap();
        assert_eq!(own_role(&hear(&mut anew.says).await.unwrap()), "co_host");
        assert_eq!(
            act(&mut seat, Act::Lock { on: true }).await["type"],
            "acted"
        );

        // So does the lesser one of a teacher.
        let proof = world.prove::<Invited>(world.other_host).await.unwrap();
        let room = rooms.look(&proof).await.unwrap();
        let who = room.me;
        let role = Role::Learner;
        let taken = act(&mut host, Act::SetRole { who, role }).await;
        assert_eq!(taken["type"], json!("acted"));
        let leads = world.prove::<Leader>(world.other_host).await;
        assert!(matches!(leads, Err(Error::Forbidden)));
    }
}
