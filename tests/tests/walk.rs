//! The walk of the route table: every route answers everybody as its row says. A route without a
//! verdict here fails the walk.

use millet_server::app::routes::{Access, table};
use millet_server::completion;
use millet_server::id::CardId;
use millet_server::learning::enrolment::Source;
use millet_server::people::cards;
use millet_tests::kit::{Course, Engines, Server, Village, Visitor, media};
use reqwest::Method;

/// Who walks.
const PEOPLE: [&str; 11] = [
    "",
    "outsider",
    "student",
    "teacher",
    "helper",
    "admin",
    "manager",
    "auditor",
    "foreign-teacher",
    "foreign-helper",
    "foreign-admin",
];

/// Whether a person of the village may use a route of this access.
fn may(person: &str, access: Access) -> bool {
    match access {
        Access::Anyone | Access::Card => true,
        Access::SignedIn => !person.is_empty(),
        Access::CourseMember | Access::ClassMember => matches!(person, "student" | "teacher"),
        Access::Teacher => matches!(person, "teacher" | "foreign-teacher"),
        Access::CourseTeacher | Access::ClassLeader => person == "teacher",
        Access::Helper => matches!(person, "helper" | "foreign-helper"),
        Access::HouseholdHelper => person == "helper",
        Access::Administrator => matches!(person, "admin" | "foreign-admin"),
        Access::AccountAdministrator | Access::GrantAdministrator => person == "admin",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_everybody_as_its_row_says() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let recording = media::lecture(storage.folder(), 4);
    let course = Course::publish(&storage, &village, &recording).await;
    let measure = village.plan(course.id).await;
    let now = Village::now();
    let mut tx = village.db.write().await.unwrap();
    let (student, source) = (village.student, Source::Learner);
    completion::enrol(&mut tx, course.id, student, source, student, None, now)
        .await
        .unwrap();
    let card = cards::issue(&mut tx, CardId::new(), student, village.teacher, false, now)
        .await
        .unwrap();
    let (grant,): (String,) =
        sqlx::query_as("select id from account_grant where role = 'helper' and area_id = $1")
            .bind(village.area)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    let (module,): (String,) = sqlx::query_as("select id from module where course_id = $1")
        .bind(course.id)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let class = village.class(course.id).await;

    let mut walkers = Vec::new();
    for person in PEOPLE {
        let visitor = match person {
            "" => Visitor::anonymous(server.address),
            name => Visitor::signed_in(server.address, name).await,
        };
        walkers.push((person, visitor));
    }
    let mut faults = Vec::new();
    // Whoever enrols is a member afterwards, so that row is walked last.
    let (enrols, others): (Vec<_>, Vec<_>) = table()
        .into_iter()
        .partition(|route| route.path.ends_with("/enrol"));
    for route in others.into_iter().chain(enrols) {
        // What ends the walker's own session, or needs a socket, is walked elsewhere.
        let own_test = ["/sign-out", "/sign-out-everywhere", "/stream"];
        if own_test.contains(&route.path) {
            continue;
        }
        let path = route
            .path
            .replace("{course_id}", &course.id.to_string())
            .replace("{lesson_id}", &course.lesson.to_string())
            .replace("{module_id}", &module)
            .replace("{timeline_id}", &course.timeline.to_string())
            .replace("{measure_id}", &measure.to_string())
            .replace("{household_id}", &village.household.to_string())
            .replace("{account_id}", &village.student.to_string())
            .replace("{grant_id}", &grant)
            .replace("{token}", card.token.reveal())
            .replace("{credential_id}", &course.id.to_string())
            .replace("{upload_id}", &course.id.to_string())
            .replace("{class_id}", &class.to_string())
            .replace("{deck_id}", &course.id.to_string())
            .replace("{key_id}", &course.id.to_string())
            .replace("{page}", "0")
            .replace("{name}", "none.jpg")
            .replace("{*path}", "timeline.json");
        assert!(
            !path.contains('{'),
            "the walk does not know how to walk {}",
            route.path
        );
        for &(person, ref visitor) in &walkers {
            // A copy, for a route may answer with another session.
            let visitor = visitor.again();
            // An empty form: who may gets as far as its fields, and changes nothing.
            let mut request = visitor.request(route.method.clone(), &path);
            if route.method == Method::POST {
                request = request.form(&[("nothing", "")]);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let denied = matches!(status, 401 | 403 | 404) || asks_to_sign_in(&answer);
            let allowed = may(person, route.access);
            // What is open to all may still not be there.
            let verdict = if allowed {
                status < 500 && (!denied || tolerates_absence(route.path))
            } else {
                denied
            };
            if !verdict {
                faults.push(format!(
                    "{} {} for {person:?}: {status}",
                    route.method, route.path
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    server.kill().await;
}

/// A page that needs a sign-in leads there.
fn asks_to_sign_in(answer: &reqwest::Response) -> bool {
    let location = answer.headers().get(reqwest::header::LOCATION);
    location.is_some_and(|to| to.as_bytes().starts_with(b"/sign-in"))
}

/// Routes whose thing the walk does not make: covers, credentials, uploads, assets of other names,
/// slides and keys of a class.
fn tolerates_absence(path: &str) -> bool {
    [
        "/covers/",
        "/credentials/",
        "/uploads",
        "/static/",
        "/media/",
        "/live/{class_id}/decks/{deck_id}/",
        "/live/{class_id}/keys/{key_id}/",
    ]
    .iter()
    .any(|known| path.starts_with(known))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_another_site_changes_nothing() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let visitor = Visitor::signed_in(server.address, "teacher").await;
    let area = village.area.to_string();
    let fields = [
        ("title", "Forged"),
        ("area_id", area.as_str()),
        ("language", "en"),
    ];
    let forged = visitor
        .request(Method::POST, "/teach/courses")
        .header("origin", "https://evil.example")
        .form(&fields)
        .send()
        .await
        .unwrap();
    // The forged header is added beside the honest one: both must be honest.
    assert_eq!(forged.status(), 403);
    let words = visitor.get("/teach").await.text().await.unwrap();
    assert!(!words.contains("Forged"));
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_and_signing_out_everywhere_ends_every_session() {
    let storage = Engines::Embedded.storage().await;
    let _village = Village::found(storage.db().await).await;
    let server = Server::start(&storage).await;
    let (one, other) = (
        Visitor::signed_in(server.address, "student").await,
        Visitor::signed_in(server.address, "student").await,
    );
    assert_eq!(other.get("/learning").await.status(), 200);
    assert_eq!(one.post("/sign-out-everywhere", &[]).await.status(), 303);
    assert_eq!(other.get("/learning").await.status(), 303);

    let guesser = Visitor::anonymous(server.address);
    let mut last = 0;
    for guess in 0..12 {
        let password = format!("guess {guess}");
        let fields = [("name", "admin"), ("password", password.as_str())];
        last = guesser.post("/sign-in", &fields).await.status().as_u16();
    }
    assert_eq!(last, 429);
    server.kill().await;
}
