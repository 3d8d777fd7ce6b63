//! What goes on for as long as somebody has a part in a class: publishing, and hearing its sound.

use std::time::Duration;

use super::proof::{InClass, PartKind};
use super::rooms::LiveRooms;
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, LiveClassId};

/// A part is looked at this often in any case: a right may end outside the room too, and a room that nobody is
/// in gives no signs.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Waits until somebody does not have this part any more: was sent out, or was given another.
pub async fn lost<K: PartKind>(db: &Db, rooms: &LiveRooms, proof: InClass<K>) {
    let (account, class) = (proof.account(), proof.class());
    loop {
        // Before the question, so that what changes meanwhile is noticed.
        let signs = rooms.signs(class);
        let parts = signs.as_ref().map(|signs| signs.borrow().parts);
        match prove::<K>(db, account, class).await {
            Ok(_) => {}
            Err(Error::NotFound | Error::Forbidden) => return,
            Err(error) => tracing::warn!(%error, "a part in a class could not be looked at"),
        }
        let changed = async {
            match signs {
                Some(mut signs) => drop(signs.wait_for(|now| Some(now.parts) != parts).await),
                None => std::future::pending().await,
            }
        };
        // Without a change it is looked at again all the same.
        let _ = tokio::time::timeout(LOOK_EVERY, changed).await;
    }
}

async fn prove<K: PartKind>(
    db: &Db,
    account: AccountId,
    class: LiveClassId,
) -> Result<InClass<K>, Error> {
    let mut connection = db.read().await?;
    InClass::prove(&mut connection, account, class).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing;
    use crate::live::proof::{Inside, Leader};
    use crate::live::room::act::{Act, Role};
    use crate::live::testing::World;

    /// Sooner than it would be looked at without a change.
    const AT_ONCE: Duration = Duration::from_secs(15);

    #[tokio::test]
    async fn whoever_is_demoted_or_sent_out_loses_the_part_at_once() {
        for (db, _folder) in testing::both().await {
            let world = World::new(&db).await;
            let rooms = world.rooms().await;
            world.open(&rooms).await;
            for account in [world.host, world.other_host, world.learner] {
                rooms
                    .look(&world.prove(account).await.unwrap())
                    .await
                    .unwrap();
            }
            let leads = world.prove::<Leader>(world.other_host).await.unwrap();
            let who = leads.participant().unwrap().id;
            let listens = world.prove::<Inside>(world.learner).await.unwrap();
            let removed = listens.participant().unwrap().id;
            let mut stays = std::pin::pin!(lost(
                &db,
                &rooms,
                world.prove::<Inside>(world.other_host).await.unwrap()
            ));
            let mut leading = std::pin::pin!(lost(&db, &rooms, leads));
            let mut listening = std::pin::pin!(lost(&db, &rooms, listens));

            let host = world.prove::<Leader>(world.host).await.unwrap();
            let demote = Act::SetRole {
                who,
                role: Role::Learner,
            };
            let acted = async {
                rooms.act(&host, demote).await.unwrap();
                std::future::pending::<()>().await;
            };
            let demoted = async {
                tokio::select! {
                    () = &mut leading => {}
                    () = &mut listening => panic!("a learner stays"),
                    () = &mut stays => panic!("a learner may listen"),
                    () = acted => {}
                }
            };
            tokio::time::timeout(AT_ONCE, demoted)
                .await
                .expect("a learner leads");
            let act = Act::Remove { who: removed };
            let acted = async {
                rooms.act(&host, act).await.unwrap();
                std::future::pending::<()>().await;
            };
            let sent_out = async {
                tokio::select! {
                    () = &mut listening => {}
                    () = &mut stays => panic!("another one was sent out"),
                    () = acted => {}
                }
            };
            tokio::time::timeout(AT_ONCE, sent_out)
                .await
                .expect("who is out listens");
        }
    }
}
