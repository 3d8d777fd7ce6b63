//! Small groups of a class: leaders look at their boards and chats, and no group sees another's.

use std::time::Duration;

use millet_server::id::{ActId, StrokeId};
use millet_server::live::room::act::{Act, Request, Stroke};
use millet_server::stream::wire::{ClientMessage, Follow, Hello, LiveWish};
use millet_tests::kit::{Browser, Class, Engines, Server, Village, Visitor};
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, Event, hello};
use serde_json::Value;
use tokio::time::timeout;

/// A learner in the class, on a socket of his or her own.
async fn learner(server: &Server, class: &Class, visitor: &Visitor) -> Client {
    let token = visitor.session_token();
    let mut client = Client::connect(server.address, &token).await.unwrap();
    let wish = Hello {
        live: Some(LiveWish {
            follow: Follow::Edge,
            at_edge: true,
            events_after: None,
        }),
        budget_bytes: Some(0),
        ..hello(class.timeline, Host::session())
    };
    client.hello(wish).await.unwrap();
    client
}

/// What the room says until it says this.
async fn hear(client: &mut Client, until: &str) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let event = timeout(Duration::from_secs(30), client.next()).await;
        if let Event::Words(words) = event.expect(until).unwrap() {
            heard.push(words);
            if heard.last().unwrap().to_string().contains(until) {
                return heard;
            }
        }
    }
}

async fn act(client: &mut Client, act: Act) {
    let request = Request {
        id: ActId::new(),
        act,
    };
    let request = serde_json::to_value(&request).unwrap();
    client.send(&ClientMessage::Act { request }).await.unwrap();
}

/// Number of the group that the room put this person in.
fn group_of(heard: &[Value], me: &Value) -> usize {
    let groups = heard.iter().rev().find_map(|words| {
        let members = words["event"]["happened"]["members"].as_array()?;
        (!members.is_empty()).then_some(members)
    });
    let in_it = |group: &Value| group.as_array().unwrap().contains(me);
    groups.unwrap().iter().position(in_it).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_leader_looks_at_a_small_group_and_another_group_does_not_notice() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let class = Class::schedule(&village).await;
    let student = Visitor::signed_in(server.address, "student").await;
    let other = Visitor::signed_in(server.address, "outsider").await;
    let enrol = format!("/courses/{}/enrol", class.course);
    assert_eq!(other.post(&enrol, &[]).await.status(), 303);

    let teacher = Browser::phone().await;
    teacher.sign_in(&server.url(""), "teacher").await;
    teacher.open(&server.url(&class.path(""))).await;
    teacher.click("form[action$='/open'] button").await;
    teacher.find("[data-link=open]").await;
    let mut one = learner(&server, &class, &student).await;
    let room = hear(&mut one, "\"type\":\"room\"").await;
    let me = room.last().unwrap()["room"]["me"].clone();
    let mut two = learner(&server, &class, &other).await;
    hear(&mut two, "\"type\":\"room\"").await;
    hear(&mut one, "outsider").await;
    teacher
        .wait(
            "both are there",
            "const people = document.querySelector('[data-place=people]').innerText; \
             return people.includes('student') && people.includes('outsider')",
        )
        .await;
    teacher
        .run("document.querySelector('form[data-form=groups]').requestSubmit()")
        .await;
    let mut heard = hear(&mut one, "\"members\":[[\"").await;
    let own = group_of(&heard, &me);

    // What the group draws and writes is there for the teacher who looks at it.
    let page = 1_000 + u16::try_from(own).unwrap();
    let stroke = Stroke {
        id: StrokeId::new(),
        page,
        colour: 1,
        width: 12,
        // From the middle 127 to the right, and on.
        points: "CAAIAH8Afwh/AA==".into(),
    };
    act(&mut one, Act::Draw { stroke }).await;
    let group = u8::try_from(own).ok();
    let text = "We think it is the queen".to_owned();
    act(&mut one, Act::Chat { text, group }).await;
    teacher
        .wait(
            "the group to look at",
            "return document.querySelector('[data-place=groups-look]:not([hidden]) select')?.options.length === 3",
        )
        .await;
    teacher
        .run(&format!(
            "const look = document.querySelector('#look'); look.value = '{own}'; \
             look.dispatchEvent(new Event('change'))"
        ))
        .await;
    teacher
        .wait(
            "the group's line and words",
            "const board = document.querySelector('canvas[data-board]'); \
             const paint = board.getContext('2d').getImageData(0, 0, board.width, board.height).data; \
             return paint.some(each => each > 0) && \
             document.querySelector('[data-place=chat]').innerText.includes('the queen')",
        )
        .await;
    teacher
        .run("document.querySelector('[data-place=groups-look]').scrollIntoView()")
        .await;
    teacher.picture("groups-look").await;
    teacher
        .fill("[data-form=say] [name=text]", "Look at her wings")
        .await;
    teacher.click("[data-form=say] button").await;
    heard = hear(&mut one, "Look at her wings").await;
    assert_eq!(
        heard.last().unwrap()["event"]["happened"]["act"]["group"],
        own
    );
    // To everybody again; the other group heard nothing of it all.
    teacher
        .run("const look = document.querySelector('#look'); look.value = ''; look.dispatchEvent(new Event('change'))")
        .await;
    teacher
        .fill("[data-form=say] [name=text]", "Two minutes more")
        .await;
    teacher.click("[data-form=say] button").await;
    let heard = hear(&mut two, "Two minutes more").await;
    let all = heard.iter().map(Value::to_string).collect::<String>();
    assert!(!all.contains("the queen") && !all.contains("her wings"));
    assert!(!all.contains(&format!("\"page\":{page}")));
    teacher.close().await;
    server.kill().await;
}
