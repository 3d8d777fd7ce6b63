//! The rooms of one node: each open class has one owner task, started when somebody asks for it and
//! forgotten when nobody does. What it knew is in the journal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::websocket::Utf8Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ends::Ends;
use super::floor::Floor;
use super::journal::SqlJournal;
use super::participants;
use super::proof::{InClass, Inside, Invited, PartKind};
use super::room::act::{Act, Refusal, Request};
use super::room::decide::Newcomer;
use super::room::limits::{MOST_ASKED, SEAT_ACTS, SEAT_LINES};
use super::room::owner::{Ask, Hall, Joined, NewSeat, Owner, Signs};
use super::room::seat::Connection;
use super::room::told::{Deck, Happened, Snapshot};
use super::store::{self, Stage};
use super::{attendance, keys};
use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, ActId, LiveClassId, TimelineId};
use crate::learning::evidence::Watched;
use crate::stream::rooms::{Following, Rooms, Seat};

/// How long after a fault the end of a class is tried again.
const END_AGAIN: Duration = Duration::from_secs(5);
/// An owner may go just when it is asked; the next one answers.
const TRIES: usize = 3;

/// The rooms of a node; cheap to clone.
#[derive(Clone)]
pub struct LiveRooms {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    watched: Arc<dyn Watched>,
    ends: OnceLock<Arc<dyn Ends>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    open: Mutex<HashMap<LiveClassId, Room>>,
}

#[derive(Clone)]
struct Room {
    asks: mpsc::Sender<Ask>,
    hall: Arc<Hall>,
}

impl LiveRooms {
    /// No room is open yet. `watched` is told when attendance is settled.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        watched: Arc<dyn Watched>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                db,
                clock,
                watched,
                ends: OnceLock::new(),
                stop,
                tasks,
                open: Mutex::default(),
            }),
        }
    }

    /// Says who closes the media of classes; once, at start. Then goes on with what a stop cut off:
    /// classes that were being ended, attendance that was not settled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(&self, ends: Arc<dyn Ends>) -> Result<(), Error> {
        drop(self.inner.ends.set(ends));
        let mut connection = self.inner.db.read().await?;
        let open = store::open_classes(&mut connection).await?;
        let unsettled = store::unsettled(&mut connection).await?;
        drop(connection);
        for class in open.into_iter().filter(|class| class.ending_at.is_some()) {
            self.end_media(class.id);
        }
        for class in unsettled {
            self.settle(class);
        }
        Ok(())
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, HashMap<LiveClassId, Room>> {
        let open = self.inner.open.lock();
        open.unwrap_or_else(PoisonError::into_inner)
    }

    /// The room of a class, with an owner that lives.
    fn room(&self, class: LiveClassId, timeline: TimelineId) -> Room {
        let mut rooms = self.rooms();
        if let Some(room) = rooms.get(&class)
            && !room.asks.is_closed()
        {
            return room.clone();
        }
        let (asks, asked) = mpsc::channel(MOST_ASKED);
        let hall = Arc::new(Hall::default());
        let room = Room {
            asks,
            hall: Arc::clone(&hall),
        };
        rooms.insert(class, room.clone());
        drop(rooms);
        let (db, clock) = (self.inner.db.clone(), self.inner.clock.clone());
        let journal = SqlJournal::new(db, clock.clone(), class, timeline);
        let signs = hall.signs.subscribe();
        let owner = Owner::new(journal, clock, hall);
        let (rooms, asks) = (self.clone(), room.asks.clone());
        let stop = self.inner.stop.clone();
        self.inner.tasks.spawn(async move {
            // The registry's sender keeps the channel open, so this one need not.
            let own = asks.downgrade();
            drop(asks);
            tokio::select! {
                () = owner.run(asked) => {}
                () = rooms.watch_end(class, signs) => {}
                () = stop.cancelled() => {}
            }
            let mut open = rooms.rooms();
            if open
                .get(&class)
                .is_some_and(|room| own.upgrade().is_none_or(|own| own.same_channel(&room.asks)))
            {
                open.remove(&class);
            }
        });
        room
    }

    /// Ends the media as soon as a leader ended the class; never returns.
    async fn watch_end(&self, class: LiveClassId, mut signs: watch::Receiver<Signs>) {
        if signs.wait_for(|signs| signs.ending).await.is_ok() {
            self.end_media(class);
        }
        std::future::pending::<()>().await;
    }

    fn end_media(&self, class: LiveClassId) {
        let rooms = self.clone();
        self.inner.tasks.spawn(async move {
            loop {
                let Some(ends) = rooms.inner.ends.get() else {
                    return;
                };
                match ends.end(class).await {
                    Ok(()) => break,
                    Err(error) => tracing::error!(%error, "a class could not be ended"),
                }
                tokio::select! {
                    () = tokio::time::sleep(END_AGAIN) => {}
                    () = rooms.inner.stop.cancelled() => return,
                }
            }
            if let Err(error) = rooms.ended(class).await {
                tracing::error!(%error, "the end of a class was not said");
            }
        });
    }

    /// Looks at everybody's attendance of a class that is over.
    pub fn settle(&self, class: LiveClassId) {
        let rooms = self.clone();
        self.inner.tasks.spawn(async move {
            let Inner {
                db, clock, watched, ..
            } = &*rooms.inner;
            while let Err(error) = attendance::settle(db, clock, &**watched, class).await {
                tracing::error!(%error, "attendance could not be settled");
                tokio::select! {
                    () = tokio::time::sleep(END_AGAIN) => {}
                    () = rooms.inner.stop.cancelled() => return,
                }
            }
        });
    }

    async fn ask<T>(
        &self,
        class: LiveClassId,
        timeline: TimelineId,
        make: impl Fn(oneshot::Sender<T>) -> Ask,
    ) -> Result<(Room, T), Error> {
        for _ in 0..TRIES {
            let room = self.room(class, timeline);
            let (reply, answer) = oneshot::channel();
            if room.asks.send(make(reply)).await.is_ok()
                && let Ok(answer) = answer.await
            {
                return Ok((room, answer));
            }
        }
        Err(Error::Busy)
    }

    async fn note(
        &self,
        class: LiveClassId,
        happened: Happened,
        opened_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let mut connection = self.inner.db.read().await?;
        let row = store::find(&mut connection, class).await?;
        drop(connection);
        let timeline = row.ok_or(Error::NotFound)?.timeline_id;
        let ask = |reply| Ask::Note {
            happened: happened.clone(),
            opened_at,
            reply,
        };
        let (_, noted) = self.ask(class, timeline, ask).await?;
        noted.map_err(refused)
    }

    /// The class was opened by [`store::open`].
    ///
    /// # Errors
    /// When the room cannot keep it; it keeps it when it is read the next time.
    pub async fn opened(&self, class: LiveClassId, at: Timestamp) -> Result<(), Error> {
        self.note(class, Happened::Opened, Some(at)).await
    }

    /// The class was closed by [`store::close`]: says so, and settles attendance.
    ///
    /// # Errors
    /// As [`LiveRooms::opened`].
    pub async fn ended(&self, class: LiveClassId) -> Result<(), Error> {
        self.settle(class);
        self.note(class, Happened::Ended, None).await
    }

    /// The teacher's media comes, or does not any more.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the class is not open, or when the room cannot keep it.
    pub async fn host_present(&self, class: LiveClassId, present: bool) -> Result<(), Error> {
        self.note(class, Happened::Host { present }, None).await
    }

    /// Slides are there.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the class is over or has too many, or when the room cannot keep it.
    pub async fn deck_added(&self, class: LiveClassId, deck: Deck) -> Result<(), Error> {
        self.note(class, Happened::DeckAdded { deck }, None).await
    }

    /// The right to be heard: of leaders, and of whoever has the floor of a room that is open on this
    /// node.
    #[must_use]
    pub fn floor(&self, proof: &InClass<Inside>) -> Option<Floor> {
        let signs = self.signs(proof.class())?;
        let holder = proof.participant().map(|part| part.id);
        let floor = match (proof.role().leads(), holder) {
            (true, _) => Floor::new(None, signs),
            (false, Some(holder)) => Floor::new(Some(holder), signs),
            (false, None) => return None,
        };
        floor.is_held().then_some(floor)
    }

    /// What changes in a room that is open on this node: floors, connections, the end.
    #[must_use]
    pub fn signs(&self, class: LiveClassId) -> Option<watch::Receiver<Signs>> {
        self.rooms()
            .get(&class)
            .map(|room| room.hall.signs.subscribe())
    }

    async fn enter<K: PartKind>(&self, proof: &InClass<K>) -> Result<Newcomer, Error> {
        if proof.participant().is_some() && !proof.is_lowered() {
            let mut connection = self.inner.db.read().await?;
            return participants::newcomer(&mut connection, proof.class(), proof.account())
                .await?
                .ok_or(Error::NotFound);
        }
        let mut transaction = self.inner.db.write().await?;
        let newcomer = participants::enter(&mut transaction, proof, self.inner.clock.now()).await?;
        transaction.commit().await?;
        Ok(newcomer)
    }

    /// The room as somebody sees it who looks at a page, and so is there for a while.
    ///
    /// # Errors
    /// [`Error::NotFound`] for who was sent out, [`Error::Conflict`] when it is full or over.
    pub async fn look(&self, proof: &InClass<Invited>) -> Result<Snapshot, Error> {
        let who = self.enter(proof).await?;
        let ask = |reply| Ask::Look {
            who: who.clone(),
            reply,
        };
        let timeline = proof.row().timeline_id;
        let (_, snapshot) = self.ask(proof.class(), timeline, ask).await?;
        snapshot.map_err(refused)
    }

    /// Somebody does something by a form; durable when it returns.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn act<K: PartKind>(&self, proof: &InClass<K>, act: Act) -> Result<u64, Error> {
        let who = self.enter(proof).await?;
        let request = Request {
            id: ActId::new(),
            act,
        };
        let ask = |reply| Ask::Form {
            who: who.clone(),
            request: request.clone(),
            reply,
        };
        let timeline = proof.row().timeline_id;
        let (_, done) = self.ask(proof.class(), timeline, ask).await?;
        done.map_err(refused)
    }

    /// The class into which a stream key publishes, while it can be published into.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn class_of_key(&self, secret: &str) -> Result<Option<LiveClassId>, Error> {
        let mut connection = self.inner.db.read().await?;
        keys::class_of(&mut connection, secret).await
    }

    async fn seat(
        &self,
        timeline: TimelineId,
        account: AccountId,
        events_after: Option<u64>,
    ) -> Result<Option<Seat>, Error> {
        let mut connection = self.inner.db.read().await?;
        let class = match store::class_of_timeline(&mut connection, timeline).await? {
            Some(class) if class.stage() == Stage::Open => class.id,
            _ => return Ok(None),
        };
        let proof = InClass::<Invited>::prove(&mut connection, account, class).await?;
        drop(connection);
        let who = self.enter(&proof).await?;
        let (follows, followed) = watch::channel(Following::default());
        let ask = |reply| Ask::Join {
            who: who.clone(),
            seat: NewSeat {
                events_after,
                follows: followed.clone(),
            },
            reply,
        };
        let (room, joined) = self.ask(class, timeline, ask).await?;
        let joined = match joined {
            Ok(joined) => joined,
            Err(Refusal::Closed) => return Ok(None),
            Err(other) => return Err(refused(other)),
        };
        Ok(Some(self.connect(room, who, joined, follows)))
    }

    async fn belongs(&self, timeline: TimelineId, account: AccountId) -> Result<(), Error> {
        let mut connection = self.inner.db.read().await?;
        let class = match store::class_of_timeline(&mut connection, timeline).await? {
            Some(class) if class.stage() == Stage::Open => class.id,
            _ => return Ok(()),
        };
        let proof = InClass::<Invited>::prove(&mut connection, account, class).await?;
        drop(connection);
        if proof.is_lowered() {
            self.look(&proof).await?;
        }
        Ok(())
    }

    fn connect(
        &self,
        room: Room,
        who: Newcomer,
        joined: Joined,
        follows: watch::Sender<Following>,
    ) -> Seat {
        let (acts, acted) = mpsc::channel(SEAT_ACTS);
        let (say, says) = mpsc::channel(SEAT_LINES);
        let connection = Connection {
            who: who.id,
            hall: room.hall,
            owner: room.asks,
            joined,
        };
        self.inner.tasks.spawn(connection.run(acted, move |text| {
            let say = say.clone();
            async move {
                match Utf8Bytes::try_from(text) {
                    Ok(text) => say.send(text).await.is_ok(),
                    Err(_) => false,
                }
            }
        }));
        Seat {
            says,
            acts,
            follows,
        }
    }
}

impl Rooms for LiveRooms {
    fn join(
        &self,
        timeline: TimelineId,
        account: AccountId,
        events_after: Option<u64>,
    ) -> BoxFuture<'_, Result<Option<Seat>, Error>> {
        Box::pin(self.seat(timeline, account, events_after))
    }

    fn prove(&self, timeline: TimelineId, account: AccountId) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.belongs(timeline, account))
    }
}

/// A refusal of the room as an answer to a form.
#[must_use]
pub fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NotAllowed => Error::Forbidden,
        Refusal::Muted => Error::Conflict("class-muted"),
        Refusal::Invalid => Error::Invalid {
            field: "text",
            reason: "choice",
        },
        Refusal::Closed => Error::Conflict("class-closed"),
        Refusal::TooFast => Error::TooMany { retry_after_s: 2 },
        Refusal::Full => Error::Conflict("class-full"),
        Refusal::TryAgain => Error::Busy,
    }
}
