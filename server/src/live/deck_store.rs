//! Where slides are kept: a row for each deck, two objects for each page.
//!
//! `live_deck_begun` has a row before there are objects, so that those of an upload that was cut off are found
//! and removed. No transaction is open while objects are stored.

use std::time::Duration;

use bytes::Bytes;
use sqlx::AnyConnection;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::decks::Page;
use super::proof::{InClass, Leader};
use super::room::limits::MOST_DECKS;
use super::room::told::Deck;
use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::error::Error;
use crate::id::{DeckId, LiveClassId};
use crate::objects::{Key, Objects};

/// Longest name, in characters.
const LONGEST_NAME: usize = 100;
/// How often the sweeper looks.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Objects of an upload that did not end are left alone for so long, in case it goes on; milliseconds.
const ORPHAN_AGE_MS: i64 = 3_600_000;

/// Sweeps until the server stops.
pub async fn run(db: Db, objects: Objects, clock: Clock, stop: CancellationToken) {
    let mut tick = interval(SWEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        // Safe to cut off: a row goes after its objects.
        let swept = tokio::select! {
            () = stop.cancelled() => return,
            swept = sweep(&db, &objects, clock.now()) => swept,
        };
        if let Err(error) = swept {
            tracing::error!(%error, "slides that nobody shows could not be removed");
        }
    }
}

fn orphaned_before(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(ORPHAN_AGE_MS))
}

fn key(class: LiveClassId, deck: DeckId, page: usize, small: bool) -> Result<Key, Error> {
    let size = if small { "s" } else { "l" };
    Ok(Key::new(format!("live/{class}/{deck}/{page}{size}.webp"))?)
}

/// Whether a class takes one more deck; the room has the last word.
///
/// # Errors
/// [`Error::Conflict`] when it has as many as it may, or when the database fails.
pub async fn has_room(
    connection: &mut AnyConnection,
    proof: &InClass<Leader>,
) -> Result<(), Error> {
    let (count,): (i64,) = sqlx::query_as("select count(*) from live_deck where class_id = $1")
        .bind(proof.class())
        .fetch_one(connection)
        .await?;
    if usize::try_from(count).unwrap_or(usize::MAX) < MOST_DECKS {
        Ok(())
    } else {
        Err(Error::Conflict("class-full"))
    }
}

/// Stores the pages of a deck; durable when it returns.
///
/// # Errors
/// When a store fails; what was stored is removed later.
pub async fn store(
    db: &Db,
    objects: &Objects,
    proof: &InClass<Leader>,
    name: &str,
    pages: Vec<Page>,
    clock: &Clock,
) -> Result<Deck, Error> {
    let (class, deck) = (proof.class(), DeckId::new());
    let (count, total) = (pages.len(), pages.iter().map(Page::bytes).sum());
    let mut transaction = db.write().await?;
    begin(&mut transaction, class, deck, count, clock.now()).await?;
    transaction.commit().await?;
    for (number, page) in pages.into_iter().enumerate() {
        let (large, small) = (
            key(class, deck, number, false)?,
            key(class, deck, number, true)?,
        );
        objects.put(&large, page.large).await?;
        objects.put(&small, page.small).await?;
    }
    let name: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_NAME)
        .collect();
    let mut transaction = db.write().await?;
    let now = clock.now();
    finish(&mut transaction, proof, deck, &name, (count, total), now).await?;
    transaction.commit().await?;
    Ok(Deck {
        id: deck,
        name,
        pages: (0..count)
            .map(|page| format!("/live/{class}/decks/{deck}/{page}"))
            .collect(),
    })
}

async fn begin(
    connection: &mut AnyConnection,
    class: LiveClassId,
    deck: DeckId,
    pages: usize,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into live_deck_begun (id, class_id, pages, begun_at) values ($1, $2, $3, $4)",
    )
    .bind(deck)
    .bind(class)
    .bind(i64::try_from(pages).unwrap_or(i64::MAX))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn finish(
    connection: &mut AnyConnection,
    proof: &InClass<Leader>,
    deck: DeckId,
    name: &str,
    (pages, total): (usize, usize),
    now: Timestamp,
) -> Result<(), Error> {
    let begun = sqlx::query("delete from live_deck_begun where id = $1 and begun_at >= $2")
        .bind(deck)
        .bind(orphaned_before(now))
        .execute(&mut *connection)
        .await?;
    if begun.rows_affected() == 0 {
        // It took so long that its objects are removed.
        return Err(Error::Busy);
    }
    sqlx::query(
        "insert into live_deck (id, class_id, name, pages, total_bytes, created_by, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(deck)
    .bind(proof.class())
    .bind(name)
    .bind(i64::try_from(pages).unwrap_or(i64::MAX))
    .bind(i64::try_from(total).unwrap_or(i64::MAX))
    .bind(proof.account())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives up a deck that the room does not take; its objects are removed later.
///
/// # Errors
/// When the database fails.
pub async fn give_up(
    db: &Db,
    proof: &InClass<Leader>,
    deck: DeckId,
    now: Timestamp,
) -> Result<(), Error> {
    let mut transaction = db.write().await?;
    let given_up: Option<(i64,)> =
        sqlx::query_as("delete from live_deck where id = $1 and class_id = $2 returning pages")
            .bind(deck)
            .bind(proof.class())
            .fetch_optional(&mut *transaction)
            .await?;
    if let Some((pages,)) = given_up {
        let pages = usize::try_from(pages).unwrap_or(0);
        begin(&mut transaction, proof.class(), deck, pages, now).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Removes the objects of decks that were begun long ago and are none.
///
/// # Errors
/// When a store fails; what is left is found again.
pub async fn sweep(db: &Db, objects: &Objects, now: Timestamp) -> Result<(), Error> {
    let mut connection = db.read().await?;
    let orphans: Vec<(DeckId, LiveClassId, i64)> = sqlx::query_as(
        "select id, class_id, pages from live_deck_begun where begun_at < $1 order by begun_at",
    )
    .bind(orphaned_before(now))
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    for (deck, class, pages) in orphans {
        for page in 0..usize::try_from(pages).unwrap_or(0) {
            objects.delete(&key(class, deck, page, false)?).await?;
            objects.delete(&key(class, deck, page, true)?).await?;
        }
        let mut transaction = db.write().await?;
        sqlx::query("delete from live_deck_begun where id = $1")
            .bind(deck)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// A page of a deck of this class.
///
/// # Errors
/// [`Error::NotFound`], or when the objects fail.
pub async fn read(
    objects: &Objects,
    class: LiveClassId,
    deck: DeckId,
    page: usize,
    small: bool,
) -> Result<Bytes, Error> {
    Ok(objects.get(&key(class, deck, page, small)?).await?)
}
