//! The owner over a journal in memory that can fail, lose answers, and be read by a second owner.

mod clients;

use std::sync::Mutex;
use std::sync::atomic::AtomicI64;

use serde_json::{Value, json};

use super::super::act::{Act, Role};
use super::super::limits::{FOLLOWERS_EVERY, GRACE};
use super::super::log::{Found, To};
use super::*;
use crate::clock::Timestamp;

const OPENED: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fails {
    #[default]
    No,
    /// Nothing is kept.
    Before,
    /// All is kept, and the answer is lost.
    After,
    /// Neither writing nor reading.
    Wholly,
}

#[derive(Default)]
struct Kept {
    story: Story,
    fails: Fails,
    appends: Vec<usize>,
    minutes: Vec<(ParticipantId, u32)>,
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Kept>>);

impl Memory {
    fn open() -> Self {
        let memory = Self::default();
        memory.kept().story.opened_at = Some(Timestamp(OPENED));
        memory
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    fn events(&self) -> Vec<Recorded> {
        self.kept().story.events.clone()
    }
}

impl Journal for Memory {
    async fn load(&mut self) -> Result<Story, JournalFault> {
        let kept = self.kept();
        match kept.fails {
            Fails::Wholly => Err(JournalFault("the disk is gone".into())),
            _ => Ok(kept.story.clone()),
        }
    }

    async fn append(&mut self, events: &[Recorded]) -> Result<(), JournalFault> {
        let mut kept = self.kept();
        let next = kept.story.events.len() as u64 + 1;
        let fault = Err(JournalFault("the disk is full".into()));
        if matches!(kept.fails, Fails::Before | Fails::Wholly) || events[0].event.sequence != next {
            return fault;
        }
        kept.story.events.extend(events.iter().cloned());
        kept.appends.push(events.len());
        if kept.fails == Fails::After {
            fault
        } else {
            Ok(())
        }
    }

    async fn minutes(&mut self) -> Result<Vec<(ParticipantId, u32)>, JournalFault> {
        Ok(self.kept().minutes.clone())
    }
}

/// An owner that is asked directly, one round at a time.
struct World {
    hall: Arc<Hall>,
    clock: Arc<AtomicI64>,
    owner: Owner<Memory>,
}

fn person(name: &str, role: Role) -> Newcomer {
    Newcomer {
        id: ParticipantId::new(),
        name: name.into(),
        role,
        admitted: true,
    }
}

fn say(text: &str) -> Request {
    Request {
        id: ActId::new(),
        act: Act::Chat {
            text: text.into(),
            group: None,
        },
    }
}

impl World {
    fn over(memory: &Memory) -> Self {
        let (hall, clock) = (Arc::new(Hall::default()), Arc::new(AtomicI64::new(OPENED)));
        let owner = Owner::new(
            memory.clone(),
            Clock::Manual(Arc::clone(&clock)),
            Arc::clone(&hall),
        );
        Self { hall, clock, owner }
    }

    async fn round(&mut self, mut asks: Vec<Ask>) {
        self.owner.round(&mut asks).await;
    }

    async fn join(
        &mut self,
        who: &Newcomer,
        events_after: Option<u64>,
    ) -> Result<(Joined, watch::Sender<Following>), Refusal> {
        let (reply, answer) = oneshot::channel();
        let (follows, followed) = watch::channel(Following::default());
        let ask = Ask::Join {
            who: who.clone(),
            seat: NewSeat {
                events_after,
                follows: followed,
            },
            reply,
        };
        self.round(vec![ask]).await;
        answer.await.unwrap().map(|joined| (joined, follows))
    }

    async fn form(&mut self, who: &Newcomer, request: &Request) -> Result<u64, Refusal> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Form {
            who: who.clone(),
            request: request.clone(),
            reply,
        };
        self.round(vec![ask]).await;
        answer.await.unwrap()
    }

    async fn look(&mut self, who: &Newcomer) -> Snapshot {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Look {
            who: who.clone(),
            reply,
        };
        self.round(vec![ask]).await;
        answer.await.unwrap().unwrap()
    }

    /// Everything that is said from a cursor on, to somebody on a seat.
    fn heard(&self, joined: &Joined, who: &Newcomer) -> Vec<Value> {
        let mut cursor = joined.cursor;
        let mut heard = Vec::new();
        while let Found::Line(line) = self.hall.log.at(cursor) {
            cursor += 1;
            if let Line::Says { to, text, .. } = line {
                let for_it = match to {
                    To::Seat(seat) => seat == joined.number,
                    To::Audience(audience) => audience.includes(who.id, standing(&joined.standing)),
                };
                if for_it {
                    heard.push(serde_json::from_slice(&text).unwrap());
                }
            }
        }
        heard
    }
}

fn sequences(heard: &[Value]) -> Vec<u64> {
    heard
        .iter()
        .filter_map(|message| message["event"]["sequence"].as_u64())
        .collect()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let memory = Memory::open();
    let (host, learner) = (person("Li", Role::Host), person("Wang", Role::Learner));
    let mut world = World::over(&memory);
    world.form(&host, &say("welcome")).await.unwrap();
    let asked = say("louder, please");
    let sequence = world.form(&learner, &asked).await.unwrap();
    let before = world.look(&learner).await;
    drop(world);

    let mut world = World::over(&memory);
    assert_eq!(world.look(&learner).await, before);
    // The answer may have been lost with the server: the same act again is answered alike.
    assert_eq!(world.form(&learner, &asked).await, Ok(sequence));
    assert_eq!(world.look(&learner).await.chat.len(), 2);
    let stolen = Request {
        id: asked.id,
        ..say("mine")
    };
    assert_eq!(world.form(&host, &stolen).await, Err(Refusal::Invalid));
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_said_and_is_asked_again() {
    for fails in [Fails::Before, Fails::After, Fails::Wholly] {
        let memory = Memory::open();
        let (host, learner) = (person("Li", Role::Host), person("Wang", Role::Learner));
        let mut world = World::over(&memory);
        let (seat, _follows) = world.join(&host, None).await.unwrap();
        world.form(&learner, &say("first")).await.unwrap();
        let said = world.heard(&seat, &host).len();

        memory.kept().fails = fails;
        let asked = say("second");
        assert_eq!(world.form(&learner, &asked).await, Err(Refusal::TryAgain));
        assert_eq!(
            world.heard(&seat, &host).len(),
            said,
            "{fails:?}: said too early"
        );
        assert_eq!(
            world.form(&learner, &say("third")).await,
            Err(Refusal::TryAgain)
        );

        memory.kept().fails = Fails::No;
        let sequence = world.form(&learner, &asked).await.unwrap();
        let heard = world.heard(&seat, &host);
        let chats: Vec<&str> = heard
            .iter()
            .filter_map(|message| message["event"]["happened"]["act"]["text"].as_str())
            .collect();
        assert_eq!(chats[..2], ["first", "second"], "{fails:?}: {chats:?}");
        assert_eq!(
            chats.iter().filter(|text| **text == "second").count(),
            1,
            "{fails:?}: said twice"
        );
        let heard = sequences(&heard);
        assert!(heard.is_sorted() && heard.contains(&sequence));
        let kept: Vec<u64> = memory
            .events()
            .iter()
            .map(|own| own.event.sequence)
            .collect();
        assert_eq!(kept, (1..=kept.len() as u64).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn two_owners_never_fork_a_class() {
    let memory = Memory::open();
    let (host, learner) = (person("Li", Role::Host), person("Wang", Role::Learner));
    let (mut one, mut other) = (World::over(&memory), World::over(&memory));
    let (seat, _follows) = one.join(&host, None).await.unwrap();
    other
        .form(&learner, &say("from the other node"))
        .await
        .unwrap();
    let asked = say("from this node");
    assert_eq!(one.form(&host, &asked).await, Err(Refusal::TryAgain));
    one.form(&host, &asked).await.unwrap();
    let heard = one.heard(&seat, &host);
    assert_eq!(
        sequences(&heard),
        (2..=memory.events().len() as u64)
            .skip(1)
            .collect::<Vec<_>>(),
        "what the other wrote is said too: {heard:?}"
    );
}

#[tokio::test]
async fn acts_that_come_together_are_kept_together() {
    let memory = Memory::open();
    let (host, learner) = (person("Li", Role::Host), person("Wang", Role::Learner));
    let mut world = World::over(&memory);
    let (seat, _one) = world.join(&host, None).await.unwrap();
    let (other, _two) = world.join(&learner, None).await.unwrap();
    let appends = memory.kept().appends.len();
    let asks = (0..32)
        .flat_map(|number| {
            let request = |number: i32| say(&number.to_string());
            [
                Ask::Act {
                    who: host.id,
                    seat: seat.number,
                    request: request(number),
                },
                Ask::Act {
                    who: learner.id,
                    seat: other.number,
                    request: request(number),
                },
            ]
        })
        .collect();
    world.round(asks).await;
    let kept = memory.kept();
    assert_eq!(kept.appends[appends..], [64]);
    drop(kept);
    let heard = world.heard(&other, &learner);
    let acted = heard.iter().filter(|message| message["type"] == "acted");
    assert_eq!(acted.count(), 32, "each is told of the own acts only");
}

#[tokio::test]
async fn a_client_goes_on_where_it_was_and_a_forged_place_gets_the_room() {
    let memory = Memory::open();
    let (host, learner) = (person("Li", Role::Host), person("Wang", Role::Learner));
    let mut world = World::over(&memory);
    let (seat, follows) = world.join(&learner, None).await.unwrap();
    let room: Value = serde_json::from_slice(seat.room.as_ref().unwrap()).unwrap();
    let seen = room["room"]["sequence"].as_u64().unwrap();
    drop(follows);
    world.round(vec![Ask::Leave { seat: seat.number }]).await;
    let missed = world
        .form(&host, &say("while you were away"))
        .await
        .unwrap();

    // Also after a restart, for the newest events are read with the room.
    for mut world in [World::over(&memory), world] {
        let (seat, _follows) = world.join(&learner, Some(seen)).await.unwrap();
        assert!(seat.room.is_none());
        let heard = sequences(&world.heard(&seat, &learner));
        assert!(heard.contains(&missed) && heard.iter().all(|own| *own > seen));
        assert!(heard.is_sorted());
        for forged in [missed + 1000, u64::MAX] {
            let (seat, _follows) = world.join(&learner, Some(forged)).await.unwrap();
            assert!(seat.room.is_some(), "{forged} never happened");
            assert!(world.heard(&seat, &learner).is_empty());
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_take_the_class_back() {
    let memory = Memory::open();
    let host = person("Li", Role::Host);
    let mut world = World::over(&memory);
    for at in [0, 5_000, -60_000, 3_000, 9_000] {
        world.clock.store(OPENED + at, Ordering::SeqCst);
        world.form(&host, &say("tick")).await.unwrap();
    }
    let times: Vec<u64> = memory.events().iter().map(|own| own.event.at_ms).collect();
    assert!(
        times.is_sorted() && times.last() == Some(&9_000),
        "{times:?}"
    );
}

#[tokio::test]
async fn two_connections_are_one_person_and_a_short_cut_is_no_leaving() {
    let memory = Memory::open();
    let learner = person("Wang", Role::Learner);
    let mut world = World::over(&memory);
    let (one, _one) = world.join(&learner, None).await.unwrap();
    let (two, _two) = world.join(&learner, None).await.unwrap();
    let came = memory.events().len();
    let long_ago = Instant::now().checked_sub(GRACE).unwrap();
    world.round(vec![Ask::Leave { seat: one.number }]).await;
    world.owner.beat().await;
    assert_eq!(memory.events().len(), came, "still there");
    world.round(vec![Ask::Leave { seat: two.number }]).await;
    world.owner.beat().await;
    assert_eq!(memory.events().len(), came, "perhaps the link comes back");
    world.owner.gone.insert(learner.id, long_ago);
    world.owner.beat().await;
    let last = memory.events().pop().unwrap().event.happened;
    assert_eq!(last, Happened::Left { who: learner.id });
    world.join(&learner, None).await.unwrap();
    let last = memory.events().pop().unwrap().event.happened;
    assert!(matches!(last, Happened::Came { person } if person.present));
}

#[tokio::test]
async fn leaders_see_how_everybody_follows() {
    let memory = Memory::open();
    let (host, learner) = (person("Li", Role::Host), person("Wang", Role::Learner));
    memory.kept().minutes = vec![(learner.id, 12)];
    let mut world = World::over(&memory);
    let (_seat, _host) = world.join(&host, None).await.unwrap();
    let (_other, follows) = world.join(&learner, None).await.unwrap();
    follows.send_replace(Following {
        rung: "s360".into(),
        behind_ms: 7_000,
        stuck: true,
    });
    world.owner.followers_at = Instant::now().checked_sub(FOLLOWERS_EVERY).unwrap();
    world.owner.beat().await;
    let said = world.hall.log.followers.borrow().clone().unwrap();
    let said: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!(
        said["followers"],
        json!([{
            "who": learner.id.to_string(),
            "rung": "s360",
            "behind_ms": 7_000,
            "stuck": true,
            "minutes": 12,
        }])
    );
}

#[tokio::test]
async fn a_class_that_ended_without_its_owner_is_over_for_the_next() {
    let memory = Memory::open();
    let host = person("Li", Role::Host);
    let mut world = World::over(&memory);
    world.form(&host, &say("goodbye")).await.unwrap();
    memory.kept().story.ended = true;
    let mut world = World::over(&memory);
    let refused = world.join(&host, None).await.map(|_| ());
    assert_eq!(refused, Err(Refusal::Closed));
    let last = memory.events().pop().unwrap().event.happened;
    assert_eq!(last, Happened::Ended);
}
