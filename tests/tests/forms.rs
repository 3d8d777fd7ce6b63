//! What people read when a form is refused, and that forms promise no more than the server takes.

use millet_tests::kit::{Course, Engines, Server, Storage, Village, Visitor};
use reqwest::multipart::Form;
use reqwest::{Method, Response};

struct Desk {
    village: Village,
    server: Server,
    teacher: Visitor,
    /// Path of a course's editor.
    editor: String,
    /// Path of its lesson's editor.
    lesson: String,
}

impl Desk {
    async fn open(storage: &Storage) -> Self {
        let village = Village::found(storage.db().await).await;
        let (course, lesson) = Course::text(&village).await;
        let server = Server::start(storage).await;
        let teacher = Visitor::signed_in(server.address, "teacher").await;
        let language = [("language", "en"), ("next", "/teach")];
        assert_eq!(teacher.post("/language", &language).await.status(), 303);
        let editor = format!("/teach/courses/{course}");
        let lesson = format!("{editor}/lessons/{lesson}");
        Self {
            village,
            server,
            teacher,
            editor,
            lesson,
        }
    }

    async fn page(&self, path: &str) -> String {
        words(self.teacher.get(path).await).await
    }
}

async fn words(answer: Response) -> String {
    answer.text().await.unwrap()
}

/// The tags of a page's fields of this name.
fn fields<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let name = format!("name=\"{name}\"");
    page.split('<')
        .filter(|tag| tag.starts_with("input") || tag.starts_with("textarea"))
        .filter(|tag| tag.contains(&name))
        .collect()
}

/// The most characters that a field lets somebody type.
fn longest(page: &str, name: &str) -> usize {
    let fields = fields(page, name);
    let all: Vec<usize> = fields
        .iter()
        .map(|tag| {
            let (_, rest) = tag.split_once("maxlength=\"").expect(tag);
            rest.split('"').next().unwrap().parse().unwrap()
        })
        .collect();
    assert!(!all.is_empty(), "no field {name}");
    assert!(all.iter().all(|one| *one == all[0]), "{name}: {all:?}");
    all[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_takes_as_much_as_it_lets_somebody_type() {
    let storage = Engines::Embedded.storage().await;
    let desk = Desk::open(&storage).await;
    let area = desk.village.area.to_string();
    let send = async |path: &str, fields: &[(&str, &str)]| {
        let answer = desk.teacher.post(path, fields).await;
        answer.status().as_u16()
    };

    let most = longest(&desk.page("/teach").await, "title");
    for (length, status) in [(most, 303), (most + 1, 422)] {
        let title = "长".repeat(length);
        let fields = [
            ("title", title.as_str()),
            ("area_id", area.as_str()),
            ("language", "en"),
        ];
        assert_eq!(send("/teach/courses", &fields).await, status);
    }

    let page = desk.page(&desk.editor).await;
    let (title, description) = (longest(&page, "title"), longest(&page, "description"));
    let revision = fields(&page, "revision")[0];
    let (_, revision) = revision.split_once("value=\"").unwrap();
    let revision = revision.split('"').next().unwrap();
    for (more, status) in [((1, 0), 422), ((0, 1), 422), ((0, 0), 303)] {
        let (title, description) = ("t".repeat(title + more.0), "d".repeat(description + more.1));
        let draft = [
            ("revision", revision),
            ("title", title.as_str()),
            ("description", description.as_str()),
            ("language", "en"),
            ("isced_level", "2"),
            ("isced_field", "9999"),
            ("estimated_minutes", "60"),
            ("required_percent", "90"),
        ];
        assert_eq!(send(&desk.editor, &draft).await, status, "{more:?}");
    }

    let page = desk.page(&desk.lesson).await;
    let (title, body) = (longest(&page, "title"), longest(&page, "body"));
    for (more, status) in [((0, 0), 303), ((1, 0), 422), ((0, 1), 422)] {
        let (title, body) = ("t".repeat(title + more.0), "b".repeat(body + more.1));
        let lesson = [
            ("title", title.as_str()),
            ("body", body.as_str()),
            ("action", "save"),
        ];
        assert_eq!(send(&desk.lesson, &lesson).await, status, "{more:?}");
    }

    let learners = desk.page(&format!("{}/learners", desk.editor)).await;
    let most = longest(&learners, "name");
    for (length, status) in [(most, 303), (most + 1, 422)] {
        let name = "n".repeat(length);
        let path = format!("{}/cohorts", desk.editor);
        assert_eq!(send(&path, &[("name", name.as_str())]).await, status);
    }
    desk.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_field_in_the_words_of_its_label() {
    let storage = Engines::Embedded.storage().await;
    let desk = Desk::open(&storage).await;
    let admin = Visitor::signed_in(desk.server.address, "admin").await;
    let area = desk.village.area.to_string();
    for (language, refusal) in [
        ("en", "Phone number: This is not a phone number."),
        ("zh-CN", "手机号：手机号格式不对。"),
    ] {
        let chosen = [("language", language), ("next", "/admin/accounts")];
        admin.post("/language", &chosen).await;
        let fields = [
            ("name", "Zhao"),
            ("sign_in_name", "zhao"),
            ("phone", "12"),
            ("password", ""),
            ("area_id", area.as_str()),
        ];
        let refused = admin.post("/admin/accounts", &fields).await;
        assert_eq!(refused.status(), 422);
        let page = words(refused).await;
        assert!(page.contains(refusal), "{page}");
        let label = refusal.split([':', '：']).next().unwrap();
        let form = words(admin.get("/admin/accounts").await).await;
        assert!(form.contains(&format!(">{label}</label>")), "{form}");
    }
    desk.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_says_why_and_what_to_do() {
    let storage = Engines::Embedded.storage().await;
    let desk = Desk::open(&storage).await;
    // Nobody else was there: a course without a lesson just cannot be published.
    let area = desk.village.area.to_string();
    let fields = [
        ("title", "Empty"),
        ("area_id", area.as_str()),
        ("language", "en"),
    ];
    let made = desk.teacher.post("/teach/courses", &fields).await;
    let place = made.headers()["location"].to_str().unwrap().to_owned();
    let page = desk.page(&place).await;
    let (_, revision) = page.split_once("name=\"revision\" value=\"").unwrap();
    let revision = revision.split('"').next().unwrap();
    let publish = format!("{place}/publish");
    let refused = desk.teacher.post(&publish, &[("revision", revision)]).await;
    assert_eq!(refused.status(), 409);
    let page = words(refused).await;
    assert!(!page.contains("faster"), "{page}");
    assert!(page.contains("The course has no lesson yet"), "{page}");
    assert!(page.contains("Add a lesson first"), "{page}");
    desk.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_too_large_is_told_its_own_limit() {
    let storage = Engines::Embedded.storage().await;
    let desk = Desk::open(&storage).await;
    let path = format!("{}/learners", desk.editor);
    let form = Form::new()
        .text("cohort_id", "")
        .text("lines", "a\n".repeat((1 << 19) + 1000));
    let request = desk.teacher.request(Method::POST, &path).multipart(form);
    let refused = request.send().await.unwrap();
    assert_eq!(refused.status(), 413);
    let page = words(refused).await;
    assert!(page.contains("At most 1048576 bytes"), "{page}");

    let form = Form::new()
        .text("cohort_id", "")
        .text("lines", "nobody-known");
    let request = desk.teacher.request(Method::POST, &path).multipart(form);
    let page = words(request.send().await.unwrap()).await;
    assert!(page.contains("Line 1 · nobody-known · "), "{page}");
    desk.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_a_form_that_is_opened_answers_with_a_page() {
    let storage = Engines::Embedded.storage().await;
    let desk = Desk::open(&storage).await;
    let opened = desk.teacher.get("/sign-out").await;
    assert_eq!(opened.status(), 405);
    assert_eq!(opened.headers()["allow"], "POST");
    let page = words(opened).await;
    assert!(page.contains("Nothing can be opened here"), "{page}");
    assert!(page.contains("href=\"/courses\""), "{page}");
    // A program is told the same.
    let called = desk.teacher.call(Method::GET, "/sign-out").send().await;
    let problem: serde_json::Value = called.unwrap().json().await.unwrap();
    assert_eq!(problem["type"], "urn:millet:problem:method-not-allowed");
    desk.server.kill().await;
}
