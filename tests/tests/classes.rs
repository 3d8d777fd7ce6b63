//! Live classes by pages alone, as a browser without script uses them, over the real program.

use std::time::Duration;

use millet_server::courses::{Draft, outline, store};
use millet_server::id::CourseId;
use millet_tests::kit::{Engines, Server, Storage, Village, Visitor, until};
use reqwest::Method;
use reqwest::header::LOCATION;
use reqwest::multipart::{Form, Part};

/// What takes longer does not happen.
const SOON: Duration = Duration::from_secs(30);

/// A picture of one pixel.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4,
    0x89, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x38, 0xd0, 0xa0, 0xf0,
    0x1f, 0x00, 0x05, 0xc4, 0x02, 0x60, 0x8f, 0x8f, 0xfd, 0x2d, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45,
    0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// A draft with a module and no lesson.
async fn course(village: &Village) -> (CourseId, String) {
    let now = Village::now();
    let mut tx = village.db.write().await.unwrap();
    let draft = Draft::new("Beekeeping", "en").unwrap();
    let (teacher, area) = (village.teacher, village.area);
    let course = store::create(&mut tx, teacher, area, &draft, now)
        .await
        .unwrap();
    let module = outline::add_module(&mut tx, &course, "Basics", now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (course.course(), module.to_string())
}

async fn text(visitor: &Visitor, path: &str) -> String {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

async fn post(visitor: &Visitor, path: &str, fields: &[(&str, &str)]) {
    let answer = visitor.post(path, fields).await;
    assert_eq!(
        answer.status(),
        303,
        "{path}: {}",
        answer.text().await.unwrap()
    );
}

/// What stands between two texts.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let start = page
        .find(before)
        .unwrap_or_else(|| panic!("no {before} in {page}"));
    let rest = &page[start + before.len()..];
    &rest[..rest.find(after).unwrap()]
}

/// Schedules a class for tomorrow by the form; returns its path and its code.
async fn schedule(teacher: &Visitor, course: CourseId, module: &str) -> (String, String) {
    let place = format!("/teach/courses/{course}/live");
    let page = text(teacher, &place).await;
    let date = between(&page, "name=\"date\" type=\"date\" value=\"", "\"");
    let fields = [
        ("title", "Swarming"),
        ("module_id", module),
        ("date", date),
        ("time", "23:59"),
        ("time_zone", "Asia/Shanghai"),
        ("minutes", "45"),
        ("repeats", "weekly"),
        ("times", "2"),
        ("remind_minutes", "30"),
        ("guests", "yes"),
        ("lobby", "yes"),
    ];
    post(teacher, &place, &fields).await;
    let page = text(teacher, &place).await;
    assert_eq!(page.matches("<h2><a href=\"/live/").count(), 2);
    let class = between(&page, "<h2><a href=\"", "\"").to_owned();
    let code = between(&page, "Class code <strong>", "</strong>").to_owned();
    (class, code)
}

async fn begin(storage: &Storage) -> (Village, Server) {
    let village = Village::found(storage.db().await).await;
    (village, Server::start(storage).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_is_held_with_pages_alone() {
    let storage = Engines::Embedded.storage().await;
    let (village, server) = begin(&storage).await;
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    post(
        &teacher,
        "/language",
        &[("language", "en"), ("next", "/live")],
    )
    .await;
    let (course, module) = course(&village).await;
    let (class, code) = schedule(&teacher, course, &module).await;

    // A guest finds the door by the code and waits before it.
    let guest = Visitor::anonymous(server.address);
    post(
        &guest,
        "/language",
        &[("language", "en"), ("next", "/join")],
    )
    .await;
    let wrong = guest
        .post("/join", &[("code", "WRONG234"), ("name", "Zhao")])
        .await;
    assert_eq!(wrong.status(), 422);
    let answer = guest
        .post("/join", &[("code", &code), ("name", "Zhao")])
        .await;
    assert_eq!(answer.headers()[LOCATION], class.as_str());
    assert!(
        text(&guest, &class)
            .await
            .contains("The class has not begun")
    );
    let refused = guest.post(&format!("{class}/open"), &[]).await;
    assert_eq!(refused.status(), 403);

    post(&teacher, &format!("{class}/open"), &[]).await;
    assert!(
        text(&guest, &class)
            .await
            .contains("The teacher will let you in")
    );
    let say = format!("{class}/say");
    assert_eq!(guest.post(&say, &[("text", "Hello?")]).await.status(), 403);
    let page = text(&teacher, &class).await;
    let who = between(&page, "name=\"who\" value=\"", "\"").to_owned();
    post(&teacher, &format!("{class}/admit"), &[("who", &who)]).await;
    post(&guest, &say, &[("text", "Which bees <swarm>?")]).await;
    let page = text(&teacher, &class).await;
    assert!(page.contains(">Zhao</span>") && page.contains(">Which bees &lt;swarm&gt;?</span>"));

    // Slides are pictures of both sizes, for the people of the class only.
    let picture = Part::bytes(PNG.to_vec()).file_name("swarm.png");
    let form = Form::new().part("file", picture);
    let request = teacher.request(Method::POST, &format!("{class}/decks"));
    let answer = request.multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let mut connection = village.db.read().await.unwrap();
    let (deck,): (String,) = sqlx::query_as("select id from live_deck")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    drop(connection);
    for size in ["", "?small"] {
        let slide = format!("{class}/decks/{deck}/0{size}");
        let answer = guest.get(&slide).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "image/webp");
        let outsider = Visitor::signed_in(server.address, "outsider").await;
        assert_eq!(outsider.get(&slide).await.status(), 404);
    }

    // What was said is there after the power went, and the class goes on.
    server.kill().await;
    let server = Server::start(&storage).await;
    let (teacher, guest) = (teacher.at(server.address), guest.at(server.address));
    assert!(
        text(&guest, &class)
            .await
            .contains("Which bees &lt;swarm&gt;?")
    );
    post(&teacher, &say, &[("text", "The young ones.")]).await;
    post(&teacher, &format!("{class}/end"), &[]).await;
    let closed = || async {
        let page = text(&teacher, &class).await;
        page.contains("Watch the recording").then_some(())
    };
    until("the class is over", SOON, closed).await;
    assert_eq!(guest.post(&say, &[("text", "Bye")]).await.status(), 409);
    let page = text(&teacher, &format!("{class}/attendance")).await;
    assert!(page.contains("Zhao") && page.contains("guest"));
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_finds_the_class_and_a_guest_earns_nothing() {
    let storage = Engines::Embedded.storage().await;
    let (village, server) = begin(&storage).await;
    let teacher = Visitor::signed_in(server.address, "teacher").await;
    post(
        &teacher,
        "/language",
        &[("language", "en"), ("next", "/live")],
    )
    .await;
    let (course, module) = course(&village).await;
    let (class, code) = schedule(&teacher, course, &module).await;

    // A class is ready to be published before it was held.
    let editor = format!("/teach/courses/{course}");
    let page = text(&teacher, &editor).await;
    let revision = between(&page, "name=\"revision\" value=\"", "\"").to_owned();
    post(
        &teacher,
        &format!("{editor}/publish"),
        &[("revision", &revision)],
    )
    .await;
    let student = Visitor::signed_in(server.address, "student").await;
    assert_eq!(student.get(&class).await.status(), 404, "not enrolled yet");
    post(&student, &format!("/courses/{course}/enrol"), &[]).await;
    assert!(text(&student, "/live").await.contains(&class));
    let page = text(&student, &format!("/courses/{course}")).await;
    let lesson = between(&page, "<ol class=\"lessons\">\n<li><a href=\"", "\"");
    let answer = student.get(lesson).await;
    let on = answer.headers()[LOCATION].to_str().unwrap().to_owned();
    assert_eq!(student.get(&on).await.headers()[LOCATION], class.as_str());
    assert_eq!(student.get(&class).await.status(), 200);

    let guest = Visitor::anonymous(server.address);
    post(
        &guest,
        "/language",
        &[("language", "en"), ("next", "/join")],
    )
    .await;
    post(&guest, "/join", &[("code", &code), ("name", "Zhao")]).await;
    let enrol = guest.post(&format!("/courses/{course}/enrol"), &[]).await;
    assert_eq!(enrol.status(), 403, "a guest's account names nobody");

    let id = class.rsplit('/').next().unwrap();
    let cancel = format!("/teach/courses/{course}/live/{id}");
    post(&teacher, &cancel, &[("action", "cancel_following")]).await;
    let answer = guest
        .post("/join", &[("code", &code), ("name", "Qian")])
        .await;
    assert_eq!(answer.status(), 422);
    assert!(text(&guest, &class).await.contains("does not take place"));
    server.kill().await;
}
