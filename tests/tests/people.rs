//! Accounts as people use them: passwords, phones, cards and languages.

use millet_tests::kit::village::PASSWORD;
use millet_tests::kit::{Course, Engines, Server, Village, Visitor};
use reqwest::header::LOCATION;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};

/// Name, sign-in name and phone of a learner who is nothing else.
const LEARNER: [&str; 3] = ["Zhao", "zhao", "+8613800000001"];

struct School {
    village: Village,
    server: Server,
    course: String,
    admin: Visitor,
    teacher: Visitor,
}

impl School {
    /// A published course, its people, and a learner whom the administrator added.
    async fn open(storage: &millet_tests::kit::Storage) -> Self {
        let village = Village::found(storage.db().await).await;
        let (course, _) = Course::text(&village).await;
        let server = Server::start(storage).await;
        let admin = Visitor::signed_in(server.address, "admin").await;
        let teacher = Visitor::signed_in(server.address, "teacher").await;
        let area = village.area.to_string();
        let [name, sign_in_name, phone] = LEARNER;
        let fields = [
            ("name", name),
            ("sign_in_name", sign_in_name),
            ("phone", phone),
            ("password", PASSWORD),
            ("area_id", area.as_str()),
        ];
        let added = admin.post("/admin/accounts", &fields).await;
        assert_eq!(added.status(), 303);
        Self {
            village,
            server,
            course: course.to_string(),
            admin,
            teacher,
        }
    }

    async fn account(&self, sign_in_name: &str) -> String {
        let mut connection = self.village.db.read().await.unwrap();
        let (id,): (String,) = sqlx::query_as("select id from account where sign_in_name = $1")
            .bind(sign_in_name)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        id
    }

    async fn list(&self, lines: &str) -> Response {
        let path = format!("/teach/courses/{}/learners", self.course);
        self.send_list(&path, Form::new().text("lines", lines.to_owned()))
            .await
    }

    async fn file(&self, bytes: &'static [u8]) -> Response {
        let path = format!("/teach/courses/{}/learners", self.course);
        let file = Part::bytes(bytes).file_name("list.csv");
        self.send_list(&path, Form::new().text("lines", "").part("file", file))
            .await
    }

    async fn send_list(&self, path: &str, form: Form) -> Response {
        let form = form.text("cohort_id", "");
        let request = self.teacher.request(Method::POST, path).multipart(form);
        request.send().await.unwrap()
    }

    /// Who asked for the enrolment, as it was written down.
    async fn source(&self, sign_in_name: &str) -> String {
        let mut connection = self.village.db.read().await.unwrap();
        let (source,): (String,) = sqlx::query_as(
            "select enrolment.source from enrolment \
             join account on account.id = enrolment.account_id where sign_in_name = $1",
        )
        .bind(sign_in_name)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        source
    }

    async fn card_of_teacher(&self, account: &str, single_use: &str) -> Response {
        let path = format!("/teach/courses/{}/cards", self.course);
        let fields = [("account_id", account), ("single_use", single_use)];
        self.teacher.post(&path, &fields).await
    }

    /// Takes a card in a browser of its own; returns the status and who is signed in then.
    async fn take(&self, path: &str) -> (u16, bool) {
        let browser = Visitor::anonymous(self.server.address);
        let status = browser.post(path, &[]).await.status().as_u16();
        let signed_in = browser.get("/learning").await.status() == 200;
        (status, signed_in)
    }
}

/// Path of the card that a page shows.
async fn card_path(page: Response) -> String {
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    let (_, rest) = text.split_once("/card/").unwrap();
    let token: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    format!("/card/{token}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teacher_takes_over_nobody() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let school = School::open(&storage).await;

        // Somebody of another area enrols alone; no list reaches such a person.
        let outsider = Visitor::signed_in(school.server.address, "outsider").await;
        let enrol = format!("/courses/{}/enrol", school.course);
        assert_eq!(outsider.post(&enrol, &[]).await.status(), 303);
        let refused = school.list("zhao\nforeign-teacher\n").await;
        assert_eq!(refused.status(), 422);
        let words = refused.text().await.unwrap();
        assert!(words.contains("foreign-teacher"), "{words}");
        let file = "\u{feff}student, Student\r\nhelper\r\n".as_bytes();
        assert_eq!(school.file(file).await.status(), 303);
        assert_eq!(school.file(b"\xd5\xd4").await.status(), 422);
        assert_eq!(school.list("zhao").await.status(), 303);
        assert_eq!(school.source("zhao").await, "teacher");
        assert_eq!(school.source("helper").await, "csv");
        assert_eq!(school.source("outsider").await, "self");

        // Elsewhere, in a household, with a role: the card comes from others.
        for person in ["outsider", "student", "helper"] {
            let account = school.account(person).await;
            let refused = school.card_of_teacher(&account, "").await;
            assert_eq!(refused.status(), 409, "{person}");
            let words = refused.text().await.unwrap();
            assert!(!words.contains("/card/"), "{person}");
        }
        let nobody = school.account("admin").await;
        assert_eq!(school.card_of_teacher(&nobody, "").await.status(), 404);
        let learner = school.account("zhao").await;
        let card = card_path(school.card_of_teacher(&learner, "").await).await;
        assert_eq!(school.take(&card).await, (303, true));

        // The helper prints for members of the own household only.
        let cards = format!("/support/households/{}/cards", school.village.household);
        let student = school.account("student").await;
        let print = async |helper: &str, account: &str| {
            let helper = Visitor::signed_in(school.server.address, helper).await;
            helper.post(&cards, &[("account_id", account)]).await
        };
        let card = card_path(print("helper", &student).await).await;
        assert_eq!(school.take(&card).await, (303, true));
        assert_eq!(print("helper", &learner).await.status(), 404);
        assert_eq!(print("foreign-helper", &student).await.status(), 404);
        school.server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_finds_a_person_by_name_and_gives_a_role() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let school = School::open(&storage).await;
        let found = async |name: &str| {
            let fields = [("name", name)];
            let page = school.admin.post("/admin/accounts/search", &fields).await;
            assert_eq!(page.status(), 200);
            page.text().await.unwrap()
        };
        let learner = school.account("zhao").await;
        for name in ["zha", "ZHAO", "+8613800"] {
            let page = found(name).await;
            assert!(page.contains(&learner), "{name}");
            assert!(!page.contains(">student<"), "{name}");
        }
        assert!(!found("%").await.contains(&learner), "no wildcard");
        // The address of a search can be opened, and says nothing about anybody.
        let opened = school.admin.get("/admin/accounts/search").await;
        assert_eq!(opened.headers()[LOCATION], "/admin/accounts");
        // However many accounts and areas, the areas stand in two lists.
        let area = school.village.area.to_string();
        let lists = found("")
            .await
            .matches(&format!("value=\"{area}\""))
            .count();
        assert_eq!(lists, 2);

        let give = async |admin: &Visitor, account: &str| {
            let fields = [
                ("account_id", account),
                ("role", "teacher"),
                ("area_id", area.as_str()),
            ];
            admin.post("/admin/grants", &fields).await.status()
        };
        let outsider = school.account("outsider").await;
        assert_eq!(give(&school.admin, &outsider).await, 404);
        let foreign = Visitor::signed_in(school.server.address, "foreign-admin").await;
        assert_eq!(give(&foreign, &outsider).await, 403);
        assert_eq!(give(&school.admin, &learner).await, 303);
        let new_teacher = Visitor::signed_in(school.server.address, "zhao").await;
        assert_eq!(new_teacher.get("/teach").await.status(), 200);
        school.server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_works_as_often_as_it_says_and_until_the_next_one_is_printed() {
    let storage = Engines::Embedded.storage().await;
    let school = School::open(&storage).await;
    assert_eq!(school.list("zhao").await.status(), 303);
    let learner = school.account("zhao").await;

    let once = card_path(school.card_of_teacher(&learner, "yes").await).await;
    let looked = Visitor::anonymous(school.server.address).get(&once).await;
    assert_eq!(looked.status(), 200, "a look does not use it up");
    assert_eq!(school.take(&once).await, (303, true));
    assert_eq!(school.take(&once).await, (401, false));

    let often = card_path(school.card_of_teacher(&learner, "").await).await;
    assert_eq!(school.take(&often).await, (303, true));
    assert_eq!(school.take(&often).await, (303, true));
    let path = format!("/admin/accounts/{learner}/cards");
    let newer = card_path(school.admin.post(&path, &[]).await).await;
    assert_eq!(school.take(&often).await, (401, false));
    assert_eq!(school.take(&newer).await, (303, true));
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_signs_in_and_a_new_password_ends_the_other_sessions() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let school = School::open(&storage).await;
        let sign_in = async |name: &str, password: &str| {
            let visitor = Visitor::anonymous(school.server.address);
            let fields = [("name", name), ("password", password), ("next", "/account")];
            let answer = visitor.post("/sign-in", &fields).await;
            (answer.status().as_u16(), visitor)
        };
        let (status, phone) = sign_in("+86 138-0000-0001", PASSWORD).await;
        assert_eq!(status, 303);
        let (status, computer) = sign_in("ZHAO", PASSWORD).await;
        assert_eq!(status, 303);

        let change = async |old: &str, new: &str| {
            let fields = [("old", old), ("password", new)];
            phone.post("/account/password", &fields).await.status()
        };
        let new = "a quite different one";
        assert!(change("not the old one", new).await.is_client_error());
        assert_eq!(change(PASSWORD, "short").await, 422);
        assert_eq!(change(PASSWORD, "Password123").await, 422);
        assert_eq!(computer.get("/account").await.status(), 200);
        assert_eq!(change(PASSWORD, new).await, 303);
        assert_eq!(phone.get("/account").await.status(), 200);
        assert_eq!(computer.get("/account").await.status(), 303);
        assert_eq!(sign_in("zhao", PASSWORD).await.0, 401);
        assert_eq!(sign_in("zhao", new).await.0, 303);
        school.server.kill().await;
    }
}

/// What the audit says was done to an account, in order.
async fn audited(school: &School, account: &str) -> Vec<String> {
    let mut connection = school.village.db.read().await.unwrap();
    let rows: Vec<(String,)> = sqlx::query_as(
        "select action from audit where subject_id = $1 and action like 'account.%' \
         and account_id = (select id from account where sign_in_name = 'admin') order by number",
    )
    .bind(account)
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    rows.into_iter().map(|(action,)| action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_gives_a_new_password_to_who_lost_it() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let school = School::open(&storage).await;
        let account = school.account("zhao").await;
        let place = format!("/admin/accounts/{account}");
        let cards = format!("{place}/cards");
        let card = card_path(school.admin.post(&cards, &[]).await).await;
        let phone = Visitor::signed_in(school.server.address, "zhao").await;

        let page = school.admin.post(&place, &[("action", "password")]).await;
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        let (_, rest) = page.split_once("class=\"code\">").unwrap();
        let password = rest.split('<').next().unwrap();
        assert_eq!(phone.get("/account").await.status(), 303);
        assert_eq!(school.take(&card).await, (401, false));
        let again = Visitor::anonymous(school.server.address);
        let sign_in = async |password: &str| {
            let fields = [("name", "zhao"), ("password", password)];
            again.post("/sign-in", &fields).await.status()
        };
        assert_eq!(sign_in(PASSWORD).await, 401);
        assert_eq!(sign_in(password).await, 303);
        let done = ["account.created", "account.password_given"];
        assert_eq!(audited(&school, &account).await, done);
        school.server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_lets_nobody_in_until_it_is_opened() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let school = School::open(&storage).await;
        let account = school.account("zhao").await;
        let place = format!("/admin/accounts/{account}");
        let act = async |action: &str| {
            let answer = school.admin.post(&place, &[("action", action)]).await;
            answer.status().as_u16()
        };
        let sign_in = async || {
            let visitor = Visitor::anonymous(school.server.address);
            let fields = [("name", "zhao"), ("password", PASSWORD)];
            visitor.post("/sign-in", &fields).await.status()
        };
        let card = card_path(school.admin.post(&format!("{place}/cards"), &[]).await).await;
        let phone = Visitor::signed_in(school.server.address, "zhao").await;
        assert_eq!(act("nothing known").await, 422);
        assert_eq!(act("open").await, 409, "it is open");

        assert_eq!(act("close").await, 303);
        assert_eq!(act("close").await, 409, "it is closed");
        assert_eq!(phone.get("/account").await.status(), 303);
        assert_eq!(sign_in().await, 401);
        assert_eq!(school.take(&card).await, (401, false));
        let list = school.admin.get("/admin/accounts").await;
        assert!(list.text().await.unwrap().contains("value=\"open\""));

        assert_eq!(act("open").await, 303);
        assert_eq!(sign_in().await, 303);
        assert_eq!(phone.get("/account").await.status(), 303, "ended for good");
        assert_eq!(school.take(&card).await, (401, false));
        let done = ["account.created", "account.closed", "account.opened"];
        assert_eq!(audited(&school, &account).await, done);
        school.server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_changes_no_account_that_is_not_below() {
    let storage = Engines::Embedded.storage().await;
    let school = School::open(&storage).await;
    let student = school.village.student;
    let refused = async |who: &Visitor, account: &str, status: u16| {
        for action in ["password", "close", "open"] {
            let place = format!("/admin/accounts/{account}");
            let answer = who.post(&place, &[("action", action)]).await;
            assert_eq!(answer.status(), status, "{action}");
            assert!(!answer.text().await.unwrap().contains("class=\"code\""));
        }
    };
    // Somebody with a role where this administrator has none, oneself, somebody elsewhere.
    let mut tx = school.village.db.write().await.unwrap();
    let (elsewhere, now) = (school.village.elsewhere, Village::now());
    let role = millet_server::people::Role::Teacher;
    millet_server::people::grants::insert(&mut tx, student, role, elsewhere, None, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    refused(&school.admin, &student.to_string(), 403).await;
    refused(&school.admin, &school.account("admin").await, 409).await;
    refused(&school.admin, &school.account("outsider").await, 404).await;
    refused(&school.teacher, &school.account("zhao").await, 403).await;
    Visitor::signed_in(school.server.address, "student").await;
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spelling_a_phone_number_anew_gives_no_more_guesses() {
    let storage = Engines::Embedded.storage().await;
    let school = School::open(&storage).await;
    let guesser = Visitor::anonymous(school.server.address);
    let guess = async |name: &str, password: &str| {
        let fields = [("name", name), ("password", password)];
        guesser.post("/sign-in", &fields).await.status().as_u16()
    };
    assert_eq!(guess("+86 138 0000 0001", "not this one").await, 401);
    for dashes in 1..12 {
        let phone = format!("+86 (138){}0000-0001", "-".repeat(dashes));
        guess(&phone, "not this one").await;
    }
    assert_eq!(guess("+8613800000001", PASSWORD).await, 429);
    school.server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_belongs_to_the_browser_and_then_to_the_account() {
    let storage = Engines::Embedded.storage().await;
    let school = School::open(&storage).await;
    let language = async |visitor: &Visitor, wants: &str| {
        let request = visitor.request(Method::GET, "/courses");
        let page = request.header("accept-language", wants).send().await;
        let text = page.unwrap().text().await.unwrap();
        let (_, rest) = text.split_once("<html lang=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let choose = async |visitor: &Visitor, code: &str| {
        let fields = [("language", code), ("next", "/courses")];
        let answer = visitor.post("/language", &fields).await;
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()[LOCATION], "/courses");
    };
    let browser = Visitor::anonymous(school.server.address);
    assert_eq!(language(&browser, "en-GB,en;q=0.9").await, "en");
    assert_eq!(language(&browser, "zh-CN").await, "zh-CN");
    choose(&browser, "en").await;
    assert_eq!(language(&browser, "zh-CN").await, "en");

    let learner = Visitor::signed_in(school.server.address, "zhao").await;
    choose(&learner, "zh-CN").await;
    let elsewhere = Visitor::signed_in(school.server.address, "zhao").await;
    assert_eq!(language(&elsewhere, "en").await, "zh-CN");
    assert_eq!(language(&browser, "zh-CN").await, "en");
    school.server.kill().await;
}

/// The value of a hidden field behind some words of a page.
fn hidden(page: &str, behind: &str, name: &str) -> String {
    let (_, rest) = page.split_once(behind).unwrap();
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = rest.split_once(&field).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_twice_does_what_it_says_once() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let school = School::open(&storage).await;
        let teacher = &school.teacher;
        let words = async |path: &str| teacher.get(path).await.text().await.unwrap();
        let area = school.village.area.to_string();
        let page = words("/teach").await;
        let id = hidden(&page, "action=\"/teach/courses\"", "id");
        let course = [
            ("id", id.as_str()),
            ("title", "Ducks"),
            ("area_id", area.as_str()),
            ("language", "en"),
        ];
        let editor = format!("/teach/courses/{id}");
        for _ in 0..2 {
            let made = teacher.post("/teach/courses", &course).await;
            assert_eq!(made.headers()[LOCATION], editor.as_str());
        }
        assert_eq!(words("/teach").await.matches("Ducks").count(), 1);

        let modules = format!("{editor}/modules");
        let module = hidden(&words(&editor).await, &modules, "id");
        for _ in 0..2 {
            let fields = [("id", module.as_str()), ("title", "Basics")];
            assert_eq!(teacher.post(&modules, &fields).await.status(), 303);
        }
        let lessons = format!("{editor}/lessons");
        let lesson = hidden(&words(&editor).await, &format!("{lessons}\""), "id");
        for _ in 0..2 {
            let fields = [
                ("id", lesson.as_str()),
                ("module_id", module.as_str()),
                ("title", "Eggs"),
                ("kind", "text"),
            ];
            let made = teacher.post(&lessons, &fields).await;
            assert_eq!(
                made.headers()[LOCATION],
                format!("{lessons}/{lesson}").as_str()
            );
        }
        let page = words(&editor).await;
        assert_eq!(page.matches(">Eggs<").count(), 1, "{page}");
        assert_eq!(page.matches("value=\"Basics\"").count(), 1, "{page}");

        // A printed card that is loaded again is not withdrawn.
        assert_eq!(school.list("zhao").await.status(), 303);
        let learners = format!("/teach/courses/{}/learners", school.course);
        let card_id = hidden(&words(&learners).await, "<strong>Zhao</strong>", "card_id");
        let account = school.account("zhao").await;
        let fields = [
            ("account_id", account.as_str()),
            ("card_id", card_id.as_str()),
            ("single_use", ""),
        ];
        let cards = format!("/teach/courses/{}/cards", school.course);
        let card = card_path(teacher.post(&cards, &fields).await).await;
        assert_eq!(teacher.post(&cards, &fields).await.status(), 409);
        assert_eq!(school.take(&card).await, (303, true));
        school.server.kill().await;
    }
}
