//! The owner over a journal in memory that can fail, lose answers, and be read by a second owner.

use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::act::{Act, Poll, Role};
use super::super::limits::{FOLLOWERS_EVERY, GRACE, LOG_LINES};
use super::super::seat::Connection;
use super::*;
use crate::clock::Timestamp;
use crate::id::PollId;

const OPENED: i64 = 1_000_000;
/// A signal that does not come within this time never comes.
const SOON: Duration = Duration::from_secs(20);

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

use super::super::log::{Found, To};

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

/// A client of an owner that runs as a task.
struct Client {
    heard: mpsc::Receiver<Value>,
    acts: mpsc::Sender<Value>,
    _follows: watch::Sender<Following>,
}

struct Running {
    asks: mpsc::Sender<Ask>,
    hall: Arc<Hall>,
}

impl Running {
    fn over(memory: &Memory) -> Self {
        let world = World::over(memory);
        let (asks, asked) = mpsc::channel(16);
        tokio::spawn(world.owner.run(asked));
        Self {
            asks,
            hall: world.hall,
        }
    }

    async fn connect(&self, who: &Newcomer, window: usize) -> Client {
        let (reply, answer) = oneshot::channel();
        let (follows, followed) = watch::channel(Following::default());
        let seat = NewSeat {
            events_after: None,
            follows: followed,
        };
        let ask = Ask::Join {
            who: who.clone(),
            seat,
            reply,
        };
        self.asks.send(ask).await.unwrap();
        let connection = Connection {
            who: who.id,
            hall: Arc::clone(&self.hall),
            owner: self.asks.clone(),
            joined: answer.await.unwrap().unwrap(),
        };
        let (acts, acted) = mpsc::channel(512);
        let (says, heard) = mpsc::channel(window);
        tokio::spawn(connection.run(acted, move |text| {
            let says = says.clone();
            let message: Value = serde_json::from_slice(&text).unwrap();
            async move { says.send(message).await.is_ok() }
        }));
        Client {
            heard,
            acts,
            _follows: follows,
        }
    }
}

impl Client {
    async fn act(&self, request: &Request) {
        self.acts
            .send(serde_json::to_value(request).unwrap())
            .await
            .unwrap();
    }

    async fn hear(&mut self) -> Option<Value> {
        tokio::time::timeout(SOON, self.heard.recv())
            .await
            .expect("nothing was said")
    }

    /// The answer to an act.
    async fn answer(&mut self, id: ActId) -> Value {
        loop {
            let message = self.hear().await.expect("the connection ended");
            if message["id"] == json!(id) {
                return message;
            }
        }
    }
}

#[tokio::test]
async fn who_floods_is_refused_and_the_others_hear_what_they_should() {
    let memory = Memory::open();
    let room = Running::over(&memory);
    let (host, flooder) = (person("Li", Role::Host), person("Wang", Role::Learner));
    let mut teacher = room.connect(&host, 512).await;
    let mut viewer = room.connect(&flooder, 512).await;
    let requests: Vec<Request> = (0..100).map(|_| say("!")).collect();
    for request in &requests {
        viewer.act(request).await;
    }
    let mut refused = 0;
    for _ in 0..100 {
        let answer = loop {
            let message = viewer.hear().await.unwrap();
            if message["type"] == "acted" || message["type"] == "act_refused" {
                break message;
            }
        };
        refused += usize::from(answer["reason"] == "too_fast");
        if refused > 0 && refused + 5 >= 32 {
            break;
        }
    }
    assert!(refused >= 27, "{refused}");
    let asked = say("calm down");
    teacher.act(&asked).await;
    assert_eq!(teacher.answer(asked.id).await["type"], "acted");
}

#[tokio::test]
async fn who_is_too_slow_gets_the_room_as_it_is() {
    let memory = Memory::open();
    let room = Running::over(&memory);
    let (host, learner) = (person("Li", Role::Host), person("Wang", Role::Learner));
    let mut slow = room.connect(&learner, 1).await;
    assert_eq!(slow.hear().await.unwrap()["type"], "room");
    let mut newest = 0;
    for number in 0..(LOG_LINES + 40) {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            id: ActId::new(),
            act: Act::Announce {
                text: number.to_string(),
            },
        };
        let ask = Ask::Form {
            who: host.clone(),
            request,
            reply,
        };
        room.asks.send(ask).await.unwrap();
        match answer.await.unwrap() {
            Ok(sequence) => newest = sequence,
            // A form is held back like anything else; the journal grows by its own kind then.
            Err(refusal) => assert_eq!(refusal, Refusal::TooFast),
        }
        let happened = Happened::Host {
            present: number % 2 == 0,
        };
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Note {
            happened,
            opened_at: None,
            reply,
        };
        room.asks.send(ask).await.unwrap();
        answer.await.unwrap().unwrap();
    }
    let room = loop {
        let message = slow.hear().await.unwrap();
        if message["type"] == "room" {
            break message;
        }
    };
    assert!(room["room"]["sequence"].as_u64().unwrap() >= newest);
    assert!(memory.events().len() > LOG_LINES);
}

#[tokio::test]
async fn messages_beyond_the_limits_are_refused_by_name() {
    let memory = Memory::open();
    let room = Running::over(&memory);
    let host = person("Li", Role::Host);
    let mut client = room.connect(&host, 64).await;
    let long = say(&"长".repeat(501));
    client.act(&long).await;
    assert_eq!(client.answer(long.id).await["reason"], "invalid");
    let many = Request {
        id: ActId::new(),
        act: Act::OpenPoll {
            poll: Poll {
                id: PollId::new(),
                question: "?".into(),
                options: vec!["a".into(); 7],
                right: None,
            },
        },
    };
    client.act(&many).await;
    assert_eq!(client.answer(many.id).await["reason"], "invalid");
    let id = ActId::new();
    let unknown = json!({"id": id, "act": {"type": "become_host"}});
    client.acts.send(unknown).await.unwrap();
    assert_eq!(client.answer(id).await["reason"], "invalid");
    client.acts.send(json!("nonsense")).await.unwrap();
    let good = say("still here");
    client.act(&good).await;
    assert_eq!(client.answer(good.id).await["type"], "acted");
}

#[tokio::test]
async fn who_is_let_in_sees_the_room_and_who_is_sent_out_hears_no_more() {
    let memory = Memory::open();
    let room = Running::over(&memory);
    let host = person("Li", Role::Host);
    let guest = Newcomer {
        admitted: false,
        ..person("Zhao", Role::Learner)
    };
    let mut teacher = room.connect(&host, 64).await;
    let mut outside = room.connect(&guest, 64).await;
    let first = outside.hear().await.unwrap();
    assert_eq!(first["room"]["waiting"], true);
    assert_eq!(first["room"]["people"], json!([]));
    let request = |act| Request {
        id: ActId::new(),
        act,
    };
    let knock = say("let me in");
    outside.act(&knock).await;
    assert_eq!(outside.answer(knock.id).await["reason"], "not_allowed");

    let admit = request(Act::Admit { who: guest.id });
    teacher.act(&admit).await;
    assert_eq!(teacher.answer(admit.id).await["type"], "acted");
    let room = loop {
        let message = outside.hear().await.unwrap();
        if message["type"] == "room" {
            break message;
        }
    };
    assert_eq!(room["room"]["waiting"], false);

    let remove = request(Act::Remove { who: guest.id });
    teacher.act(&remove).await;
    assert_eq!(teacher.answer(remove.id).await["type"], "acted");
    while outside.hear().await.is_some() {}
}
