//! Clients of an owner that runs: each has a connection, and a window of what it has not heard yet.

use std::time::Duration;

use super::*;
use crate::id::PollId;
use crate::live::room::act::Poll;
use crate::live::room::limits::LOG_LINES;
use crate::live::room::seat::Connection;

/// A signal that does not come within this time never comes.
const SOON: Duration = Duration::from_secs(20);

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
