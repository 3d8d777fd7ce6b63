//! Removes what nobody needs any more: parts of ended uploads, objects of attempts that died.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::store;
use crate::clock::Timestamp;
use crate::courses::captions;
use crate::db::Db;
use crate::error::Error;
use crate::id::UploadId;
use crate::jobs::worker::Context;
use crate::jobs::{adopt, prepared, shares};
use crate::objects::{Key, Objects};

/// How often the sweeper looks.
const EVERY: Duration = Duration::from_secs(60);
/// Objects of a dead attempt are left alone for so long, in case it is not dead.
const ORPHAN_AGE: Duration = Duration::from_secs(3600);

/// Sweeps until the server stops.
pub async fn run(context: Context) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        // Each removal is safe to cut off: its row goes last.
        let swept = tokio::select! {
            () = context.stop.cancelled() => return,
            swept = once(&context) => swept,
        };
        if let Err(error) = swept {
            tracing::error!(%error, "sweeping failed; it is tried again");
        }
    }
}

/// One sweep.
///
/// # Errors
/// When a store fails.
pub async fn once(context: &Context) -> Result<(), Error> {
    let now = context.clock.now();
    let mut transaction = context.db.write().await?;
    let expired = store::terminate_expired(&mut transaction, now).await?;
    transaction.commit().await?;
    if expired > 0 {
        tracing::info!(expired, "uploads expired");
    }
    loop {
        let mut connection = context.db.read().await?;
        let removable = store::removable(&mut connection, now).await?;
        drop(connection);
        if removable.is_empty() {
            break;
        }
        for upload in removable {
            remove_parts(&context.db, &context.objects, upload).await?;
        }
    }
    let age = i64::try_from(ORPHAN_AGE.as_millis()).unwrap_or(i64::MAX);
    let begun_before = Timestamp(now.0.saturating_sub(age));
    shares::sweep(context, begun_before).await?;
    remove_captions(context, begun_before).await?;
    loop {
        let mut connection = context.db.read().await?;
        let orphans = prepared::orphans(&mut connection, begun_before).await?;
        drop(connection);
        if orphans.is_empty() {
            return Ok(());
        }
        for orphan in orphans {
            let names: Vec<String> = orphan.files.lines().map(str::to_owned).collect();
            adopt::remove(context, orphan.id, &names).await?;
        }
    }
}

/// Removes captions that were taken away a while ago, or whose request died.
async fn remove_captions(context: &Context, before: Timestamp) -> Result<(), Error> {
    loop {
        let mut connection = context.db.read().await?;
        let unneeded = captions::unneeded(&mut connection, before).await?;
        drop(connection);
        if unneeded.is_empty() {
            return Ok(());
        }
        for (timeline, id) in unneeded {
            let key = captions::key(timeline, id)?;
            context.objects.delete(&key).await?;
            let mut transaction = context.db.write().await?;
            captions::forget(&mut transaction, id).await?;
            transaction.commit().await?;
        }
    }
}

/// Removes every part of an upload that has ended.
///
/// # Errors
/// When a store fails; what is left is found again.
pub async fn remove_parts(db: &Db, objects: &Objects, upload: UploadId) -> Result<(), Error> {
    loop {
        let mut connection = db.read().await?;
        let keys = store::any_parts(&mut connection, upload).await?;
        drop(connection);
        if keys.is_empty() {
            return Ok(());
        }
        for key in &keys {
            objects.delete(&Key::new(key.as_str())?).await?;
        }
        let mut transaction = db.write().await?;
        for key in &keys {
            store::forget_part(&mut transaction, key).await?;
        }
        transaction.commit().await?;
    }
}
