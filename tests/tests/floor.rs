//! The floor: who has it is heard by the class and its teacher, nobody else is. And nobody publishes or
//! listens who may not any more.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use millet_server::id::{ActId, ParticipantId};
use millet_server::live::floor::wire::{FloorAnswer, SUBPROTOCOL, SpeakerMessage, SpeechKind};
use millet_server::live::publish::wire::{PublishAnswer, PublisherMessage, RunKind};
use millet_server::live::room::act::{Act, Request, Role};
use millet_server::stream::wire::{ClientMessage, Follow, Hello, LiveWish};
use millet_tests::kit::class::{self, connect};
use millet_tests::kit::{Class, Engines, School, Server, Village, Visitor};
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, Event, hello};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

/// What takes longer does not happen.
const SOON: Duration = Duration::from_secs(20);
/// A packet of 60 ms by its first byte (RFC 6716 section 3.1).
const PACKET: [u8; 40] = [3 << 3; 40];

type Socket = WebSocketStream<TcpStream>;

async fn speak(address: SocketAddr, class: &Class, visitor: &Visitor, kind: SpeechKind) -> Socket {
    let url = format!("ws://{address}{}", class.path("/speak"));
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    let mut set = |name: &'static str, value: String| {
        headers.insert(name, value.parse().unwrap());
    };
    set("origin", format!("http://{address}"));
    set("cookie", visitor.cookie());
    set("sec-websocket-protocol", SUBPROTOCOL.to_owned());
    let stream = TcpStream::connect(address).await.unwrap();
    let mut socket = client_async(request, stream).await.unwrap().0;
    say(&mut socket, &SpeakerMessage::Hello { kind }).await;
    socket
}

async fn say(socket: &mut Socket, message: &impl serde::Serialize) {
    let text = serde_json::to_string(message).unwrap();
    socket.send(Message::text(text)).await.unwrap();
}

async fn packets(socket: &mut Socket, count: usize) {
    for _ in 0..count {
        let packet = Message::binary(PACKET.to_vec());
        socket.send(packet).await.unwrap();
    }
}

/// The next answer.
async fn hear(socket: &mut Socket) -> FloorAnswer {
    loop {
        let message = timeout(SOON, socket.next()).await.expect("no answer");
        if let Message::Text(text) = message.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

fn problem(code: &str) -> FloorAnswer {
    FloorAnswer::Problem { code: code.into() }
}

/// The teacher's desk: a publisher that hears voices.
async fn desk(address: SocketAddr, class: &Class, teacher: &Visitor) -> Socket {
    let mut desk = connect(address, class, teacher).await;
    let hello = PublisherMessage::Hello {
        run: millet_server::id::RunId::new(),
        kind: RunKind::Frames,
        container: None,
        take: true,
    };
    say(&mut desk, &hello).await;
    desk
}

/// Speaker and payload of the next voice at the desk.
async fn voice(desk: &mut Socket) -> (u32, Vec<u8>) {
    loop {
        let message = timeout(SOON, desk.next()).await.expect("no voice");
        if let Message::Binary(bytes) = message.unwrap().unwrap() {
            assert_eq!(bytes[0], 4);
            let speaker = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
            return (speaker, bytes[16..].to_vec());
        }
    }
}

/// A member of the room, over the stream's socket.
struct Member {
    client: Client,
    me: ParticipantId,
}

impl Member {
    async fn join(address: SocketAddr, class: &Class, visitor: &Visitor) -> Self {
        let mut client = Client::connect(address, &visitor.session_token())
            .await
            .unwrap();
        let wish = Hello {
            budget_bytes: Some(0),
            live: Some(LiveWish {
                follow: Follow::All,
                at_edge: true,
                events_after: None,
            }),
            ..hello(class.timeline, Host::session())
        };
        client.hello(wish).await.unwrap();
        let mut member = Self {
            client,
            me: ParticipantId::new(),
        };
        let room = member.words("room").await;
        member.me = serde_json::from_value(room["room"]["me"].clone()).unwrap();
        member
    }

    /// The next message of the room of a type.
    async fn words(&mut self, kind: &str) -> serde_json::Value {
        loop {
            let event = timeout(SOON, self.client.next()).await.expect(kind);
            match event.unwrap() {
                Event::Words(words) if words["type"] == kind => return words,
                _ => {}
            }
        }
    }

    async fn act(&mut self, act: Act) {
        let request = Request {
            id: ActId::new(),
            act,
        };
        let request = serde_json::to_value(&request).unwrap();
        self.client
            .send(&ClientMessage::Act { request })
            .await
            .unwrap();
        self.words("acted").await;
    }
}

/// An open class with its teacher and a learner in the room.
struct Floor {
    school: School,
    teacher: Visitor,
    student: Visitor,
    leads: Member,
    learner: Member,
}

impl Floor {
    async fn of_a_class() -> Self {
        let school = School::found().await;
        let School { server, class, .. } = &school;
        let teacher = Visitor::signed_in(server.address, "teacher").await;
        let student = Visitor::signed_in(server.address, "student").await;
        assert_eq!(teacher.post(&class.path("/open"), &[]).await.status(), 303);
        Self {
            leads: Member::join(server.address, class, &teacher).await,
            learner: Member::join(server.address, class, &student).await,
            school,
            teacher,
            student,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_floor_is_heard_and_nobody_else() {
    let Floor {
        school,
        teacher,
        student,
        mut leads,
        learner,
    } = Floor::of_a_class().await;
    let (address, class) = (school.server.address, &school.class);
    let mut desk = desk(address, class, &teacher).await;

    let mut early = speak(address, class, &student, SpeechKind::Live).await;
    assert_eq!(hear(&mut early).await, problem("no_floor"));

    // Live: packet by packet, at the desk and in the class.
    leads.act(Act::GiveFloor { to: learner.me }).await;
    let mut live = speak(address, class, &student, SpeechKind::Live).await;
    assert_eq!(hear(&mut live).await, FloorAnswer::Welcome);
    packets(&mut live, 3).await;
    let (speaker, heard) = voice(&mut desk).await;
    assert_eq!(heard, PACKET);
    assert_eq!(voice(&mut desk).await.0, speaker);
    assert_eq!(voice(&mut desk).await.0, speaker);

    // A note: nothing of it before it is whole, then in its own time.
    let mut note = speak(address, class, &student, SpeechKind::Note).await;
    assert_eq!(hear(&mut note).await, FloorAnswer::Welcome);
    packets(&mut note, 20).await;
    say(&mut note, &SpeakerMessage::Over).await;
    let duration_ms = 1_200;
    assert_eq!(hear(&mut note).await, FloorAnswer::Kept { duration_ms });
    let began = Instant::now();
    let (second, _) = voice(&mut desk).await;
    assert_ne!(second, speaker, "another voice");
    for _ in 1..20 {
        assert_eq!(voice(&mut desk).await.0, second);
    }
    assert!(
        began.elapsed() >= Duration::from_millis(1_000),
        "in a flood"
    );

    // The floor ends while somebody speaks.
    leads.act(Act::TakeFloor { from: learner.me }).await;
    assert_eq!(hear(&mut live).await, problem("no_floor"));
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_speakers_are_refused() {
    let Floor {
        school,
        student,
        mut leads,
        learner,
        ..
    } = Floor::of_a_class().await;
    let (address, class) = (school.server.address, &school.class);
    leads.act(Act::GiveFloor { to: learner.me }).await;

    let begin = async |kind| {
        let mut socket = speak(address, class, &student, kind).await;
        assert_eq!(hear(&mut socket).await, FloorAnswer::Welcome);
        socket
    };
    let mut silent = begin(SpeechKind::Live).await;
    silent.send(Message::binary(vec![0xff, 63])).await.unwrap();
    assert_eq!(hear(&mut silent).await, problem("malformed"), "no packet");

    let mut large = begin(SpeechKind::Live).await;
    large.send(Message::binary(vec![24; 600])).await.unwrap();
    assert_eq!(hear(&mut large).await, problem("malformed"), "too large");

    let mut flood = begin(SpeechKind::Live).await;
    packets(&mut flood, 80).await;
    assert_eq!(hear(&mut flood).await, problem("too_fast"));

    let mut long = begin(SpeechKind::Note).await;
    packets(&mut long, 1_001).await;
    assert_eq!(hear(&mut long).await, problem("too_long"));

    // A guest of another school cannot even connect.
    let outsider = Visitor::signed_in(address, "outsider").await;
    assert_eq!(outsider.get(&class.path("/speak")).await.status(), 404);
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leads_no_more_publishes_no_more_and_whoever_is_out_hears_nothing() {
    let Floor {
        school,
        student,
        mut leads,
        learner,
        ..
    } = Floor::of_a_class().await;
    let (address, class, who) = (school.server.address, &school.class, learner.me);
    let set = |role| Act::SetRole { who, role };
    leads.act(set(Role::CoHost)).await;
    let mut desk = desk(address, class, &student).await;
    let mut sound = student.get(&class.path("/sound")).await;
    assert_eq!(sound.status(), 200);

    leads.act(set(Role::Learner)).await;
    let not_leading = async {
        while let Some(answer) = class::hear(&mut desk).await {
            if let PublishAnswer::Problem { code } = answer {
                return code;
            }
        }
        String::new()
    };
    let code = timeout(SOON, not_leading)
        .await
        .expect("a learner publishes");
    assert_eq!(code, "not_leading");

    leads.act(Act::Remove { who }).await;
    let over = async { while let Some(_sound) = sound.chunk().await.unwrap() {} };
    timeout(SOON, over)
        .await
        .expect("it goes on for who was sent out");
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_does_not_delay_a_stop() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start_with(&storage, &["--drain-s", "120"]).await;
    let class = Class::schedule(&village).await;
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    assert_eq!(teacher.post(&class.path("/open"), &[]).await.status(), 303);
    let sound = teacher.get(&class.path("/sound")).await;
    assert_eq!(sound.status(), 200);
    let stopped = timeout(SOON, server.stop()).await;
    assert!(stopped.expect("it waits for the listener"));
}
