//! Slides on both engines: how they are stored, and what becomes of those that are not shown.

use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;

use super::deck_store;
use super::decks::Page;
use super::proof::Leader;
use super::room::limits::MOST_DECKS;
use super::room::told::Deck;
use super::testing::World;
use crate::db::{Engine, testing};
use crate::error::Error;
use crate::objects::Objects;

/// What takes longer does not happen; whoever waits for a writer gives up later.
const SOON: Duration = Duration::from_secs(8);
/// Until what was not finished is removed.
const LONG_MS: i64 = 3_600_001;

fn pages(count: usize) -> Vec<Page> {
    let page = Page {
        large: Bytes::from_static(b"large"),
        small: Bytes::from_static(b"small"),
    };
    vec![page; count]
}

async fn folder() -> (tempfile::TempDir, Objects) {
    let folder = tempfile::tempdir().unwrap();
    let setting = format!("file:{}", folder.path().display());
    let objects = Objects::open(&setting).await.unwrap();
    (folder, objects)
}

async fn store(world: &World, objects: &Objects, count: usize) -> Result<Deck, Error> {
    let proof = world.prove::<Leader>(world.host).await.unwrap();
    let (db, clock) = (&world.db, world.clock());
    deck_store::store(db, objects, &proof, "bees.pdf", pages(count), &clock).await
}

async fn has_room(world: &World) -> Result<(), Error> {
    let proof = world.prove::<Leader>(world.host).await.unwrap();
    let mut connection = world.db.read().await.unwrap();
    deck_store::has_room(&mut connection, &proof).await
}

/// Files of all slides of the class.
fn files(world: &World, folder: &tempfile::TempDir) -> usize {
    let class = folder.path().join("live").join(world.class.to_string());
    let Ok(decks) = std::fs::read_dir(class) else {
        return 0;
    };
    let pages = |deck: std::fs::DirEntry| std::fs::read_dir(deck.path()).unwrap().count();
    decks.map(|deck| pages(deck.unwrap())).sum()
}

#[tokio::test]
async fn others_write_while_pictures_of_slides_are_stored() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        // A service that takes the first picture and does not answer.
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = service.local_addr().unwrap();
        let setting = format!("s3://slides?endpoint=http://{address}");
        let objects = Objects::open(&setting).await.unwrap();
        let mut storing = std::pin::pin!(store(&world, &objects, 3));
        let _picture = tokio::select! {
            stored = &mut storing => panic!("{stored:?}"),
            picture = service.accept() => picture.unwrap(),
        };
        let mut others = Vec::new();
        // As many as there are connections that write.
        let writers = if db.engine() == Engine::Sqlite { 1 } else { 8 };
        for _ in 0..writers {
            let other = tokio::time::timeout(SOON, db.write()).await;
            others.push(other.expect("a writer is held").unwrap());
        }
    }
}

#[tokio::test]
async fn what_is_left_of_slides_that_nobody_shows_is_removed() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let (folder, objects) = folder().await;
        let shown = store(&world, &objects, 2).await.unwrap();
        let refused = store(&world, &objects, 3).await.unwrap();
        let proof = world.prove::<Leader>(world.host).await.unwrap();
        let given_up = deck_store::give_up(&db, &proof, refused.id, world.now());
        given_up.await.unwrap();
        // The disk takes no more folders, so that an upload is cut off.
        let class = folder.path().join("live").join(world.class.to_string());
        let away = folder.path().join("away");
        std::fs::rename(&class, &away).unwrap();
        std::fs::write(&class, b"").unwrap();
        assert!(store(&world, &objects, 4).await.is_err());
        std::fs::remove_file(&class).unwrap();
        std::fs::rename(&away, &class).unwrap();

        deck_store::sweep(&db, &objects, world.now()).await.unwrap();
        assert_eq!(files(&world, &folder), 10, "somebody may still store them");
        world.pass_ms(LONG_MS);
        deck_store::sweep(&db, &objects, world.now()).await.unwrap();
        assert_eq!(files(&world, &folder), 4);
        for small in [false, true] {
            let page = deck_store::read(&objects, world.class, shown.id, 1, small).await;
            assert!(page.is_ok());
        }
        let mut connection = db.read().await.unwrap();
        let (left,): (i64,) = sqlx::query_as("select count(*) from live_deck_begun")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn a_class_that_has_all_its_slides_takes_no_more_into_the_store() {
    for (db, _folder) in testing::both().await {
        let world = World::new(&db).await;
        let (_objects, objects) = folder().await;
        for _ in 0..MOST_DECKS {
            has_room(&world).await.unwrap();
            store(&world, &objects, 1).await.unwrap();
        }
        let full = has_room(&world).await;
        assert!(matches!(full, Err(Error::Conflict("class-full"))));
    }
}
