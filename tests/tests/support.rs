//! Support plans as helpers and learners see them.

use millet_server::households::SPOUSE;
use millet_server::households::store::{NewMember, add_member};
use millet_server::id::{CourseId, LessonId, MeasureId};
use millet_server::people::{Role, grants};
use millet_server::plans::store::{self as plans, NewMeasure};
use millet_server::plans::{Beneficiaries, Kind, Money};
use millet_tests::kit::{Course, Engines, Server, Storage, Village, Visitor};

struct Plan {
    village: Village,
    server: Server,
    course: CourseId,
    lesson: LessonId,
    measure: MeasureId,
}

impl Plan {
    async fn written(storage: &Storage) -> Self {
        let village = Village::found(storage.db().await).await;
        let (course, lesson) = Course::text(&village).await;
        let measure = village.plan(course).await;
        Self {
            server: Server::start(storage).await,
            village,
            course,
            lesson,
            measure,
        }
    }

    async fn person(&self, name: &str) -> Visitor {
        Visitor::signed_in(self.server.address, name).await
    }

    /// The student completes the course; returns the path of the credential.
    async fn completed(&self) -> String {
        let student = self.person("student").await;
        let course = format!("/courses/{}", self.course);
        let enrolled = student.post(&format!("{course}/enrol"), &[]).await;
        assert_eq!(enrolled.status(), 303);
        let read = format!("{course}/lessons/{}/read", self.lesson);
        assert_eq!(student.post(&read, &[]).await.status(), 303);
        let page = student.get("/learning").await.text().await.unwrap();
        let (_, rest) = page.split_once("\"/credentials/").unwrap();
        format!("/credentials/{}", rest.split('"').next().unwrap())
    }
}

async fn words(visitor: &Visitor, path: &str) -> String {
    let page = visitor.get(path).await;
    assert_eq!(page.status(), 200, "{path}");
    page.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_says_so_to_everybody_and_moves_the_plan_back() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let plan = Plan::written(&storage).await;
        let credential = plan.completed().await;
        let measure = format!("/support/measures/{}", plan.measure);
        let helper = plan.person("helper").await;
        let verified = helper.post(&format!("{measure}/verify"), &[]).await;
        assert_eq!(verified.status(), 303);
        assert!(words(&helper, &measure).await.contains("badge verified"));

        let revoke = format!("/teach/courses/{}{credential}/revoke", plan.course);
        let why = [("reason", "Watched by a neighbour")];
        for stranger in ["foreign-teacher", "helper", "student"] {
            let refused = plan.person(stranger).await.post(&revoke, &why).await;
            assert_eq!(refused.status(), 404, "{stranger}");
        }
        let teacher = plan.person("teacher").await;
        let silent = teacher.post(&revoke, &[("reason", " ")]).await;
        assert_eq!(silent.status(), 422);
        let learners = format!("/teach/courses/{}/learners", plan.course);
        assert!(words(&teacher, &learners).await.contains(&revoke));
        assert_eq!(teacher.post(&revoke, &why).await.status(), 303);
        assert_eq!(teacher.post(&revoke, &why).await.status(), 409);

        let anybody = Visitor::anonymous(plan.server.address);
        let page = words(&anybody, &credential).await;
        assert!(page.contains("Watched by a neighbour"), "{page}");
        assert!(!page.contains("class=\"notice\""), "{page}");
        let page = words(&helper, &measure).await;
        assert!(page.contains("badge under_way"), "{page}");
        assert!(page.contains("Watched by a neighbour"), "{page}");

        // The learner reads why, does the lessons again, and the plan moves on.
        let student = plan.person("student").await;
        let course = format!("/courses/{}", plan.course);
        let page = words(&student, &course).await;
        assert!(page.contains("Watched by a neighbour"), "{page}");
        assert!(!page.contains(&credential), "{page}");
        let read = format!("{course}/lessons/{}/read", plan.lesson);
        assert!(
            words(&student, &read.replace("/read", ""))
                .await
                .contains(&read)
        );
        assert_eq!(student.post(&read, &[]).await.status(), 303);
        let page = words(&student, &course).await;
        assert!(page.contains("\"/credentials/"), "{page}");
        assert!(!page.contains("Watched by a neighbour"), "{page}");
        let page = words(&helper, &measure).await;
        assert!(page.contains("badge fulfilled"), "{page}");
        let page = words(&teacher, &learners).await;
        assert_eq!(
            page.matches("<strong>student</strong>").count(),
            1,
            "{page}"
        );
        assert!(!page.contains(&credential), "{page}");
        plan.server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_who_moved_away_sees_nothing_of_the_former_households() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let plan = Plan::written(&storage).await;
        plan.completed().await;
        let helper = plan.person("helper").await;
        let lists = ["/support", "/support/verify"];
        for list in lists {
            assert!(words(&helper, list).await.contains("H-001"), "{list}");
        }
        assert!(words(&helper, "/support").await.contains("紫阳村"));
        assert!(words(&helper, "/support").await.contains("(1)"));
        assert_eq!(news(&helper, "/support").await, "1");

        let village = &plan.village;
        let mut tx = village.db.write().await.unwrap();
        sqlx::query("update account_grant set revoked_at = 1 where account_id = $1")
            .bind(village.helper)
            .execute(&mut *tx)
            .await
            .unwrap();
        let now = Village::now();
        let role = Role::Helper;
        grants::insert(&mut tx, village.helper, role, village.elsewhere, None, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        for list in lists {
            assert!(!words(&helper, list).await.contains("H-001"), "{list}");
        }
        assert!(words(&helper, "/support").await.contains("(0)"));
        // What is counted would answer "not found".
        assert_eq!(news(&helper, "/support").await, "");
        for path in [
            format!("/support/households/{}", village.household),
            format!("/support/measures/{}", plan.measure),
        ] {
            assert_eq!(helper.get(&path).await.status(), 404, "{path}");
        }
        plan.server.kill().await;
    }
}

/// The number that the navigation shows at a place, empty without one.
async fn news(visitor: &Visitor, place: &str) -> String {
    let page = words(visitor, "/courses").await;
    let (_, rest) = page.split_once(&format!("<a href=\"{place}\">")).unwrap();
    let (link, _) = rest.split_once("</a>").unwrap();
    let Some((_, rest)) = link.split_once("<b aria-hidden=\"true\">") else {
        return String::new();
    };
    let (number, spoken) = rest.split_once("</b>").unwrap();
    assert!(
        spoken.contains(&format!(">{number}")),
        "read aloud: {spoken}"
    );
    number.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_navigation_counts_what_somebody_has_not_seen_yet() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let plan = Plan::written(&storage).await;
        let helper = plan.person("helper").await;
        let student = plan.person("student").await;
        assert_eq!(news(&helper, "/support").await, "");
        plan.completed().await;
        assert_eq!(news(&helper, "/support").await, "1");
        let measure = format!("/support/measures/{}", plan.measure);
        words(&helper, &measure).await;
        assert_eq!(news(&helper, "/support").await, "");

        assert_eq!(news(&student, "/plan").await, "");
        let why = [("reason", "Somebody else watched")];
        let returned = helper.post(&format!("{measure}/return"), &why).await;
        assert_eq!(returned.status(), 303);
        assert_eq!(news(&student, "/plan").await, "1");
        let page = words(&student, "/plan").await;
        assert!(page.contains("Somebody else watched"), "{page}");
        assert_eq!(news(&student, "/plan").await, "");
        plan.server.kill().await;
    }
}

/// The first link of a page that begins so.
fn link(page: &str, start: &str) -> String {
    let (_, rest) = page.split_once(&format!("href=\"{start}")).unwrap();
    format!("{start}{}", rest.split('"').next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_finds_what_was_returned_or_reopened_by_following_links() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let plan = Plan::written(&storage).await;
        let credential = plan.completed().await;
        let helper = plan.person("helper").await;
        let measure = link(
            &words(&helper, "/support/verify").await,
            "/support/measures/",
        );
        let why = [("reason", "Somebody else watched")];
        let returned = helper.post(&format!("{measure}/return"), &why).await;
        assert_eq!(returned.status(), 303);
        // Returned, and may be verified after all.
        let list = words(&helper, "/support/verify").await;
        assert_eq!(link(&list, "/support/measures/"), measure);
        assert!(list.contains("badge returned"), "{list}");

        let revoke = format!("/teach/courses/{}{credential}/revoke", plan.course);
        let teacher = plan.person("teacher").await;
        assert_eq!(teacher.post(&revoke, &why).await.status(), 303);
        let shown = news(&helper, "/support").await;
        assert_eq!(shown, "1");
        assert!(!words(&helper, "/support/verify").await.contains(&measure));
        let household = link(&words(&helper, "/support").await, "/support/households/");
        let found = link(&words(&helper, &household).await, "/support/measures/");
        assert_eq!(found, measure);
        assert!(words(&helper, &measure).await.contains("badge under_way"));
        assert_eq!(news(&helper, "/support").await, "");
        // Learners get no such link.
        let student = plan.person("student").await;
        assert!(!words(&student, "/plan").await.contains("/support/"));
        plan.server.kill().await;
    }
}

impl Plan {
    /// A second member of the household, and a measure for all that was due long ago.
    async fn overdue(&self) -> MeasureId {
        let (village, now) = (&self.village, Village::now());
        let mut tx = village.db.write().await.unwrap();
        let spouse = NewMember {
            name: "outsider".into(),
            sex: 1,
            birth_date: None,
            relationship: SPOUSE.into(),
            schooling_level: None,
            account: Some(village.outsider),
        };
        add_member(&mut tx, village.household, &spouse, now)
            .await
            .unwrap();
        let plan = plans::live(&mut tx, village.household).await.unwrap();
        let measure = NewMeasure {
            kind: Kind::VocationalTraining,
            title: "Both learn to keep bees".into(),
            officer: village.helper,
            course: Some(self.course),
            beneficiaries: Beneficiaries::All,
            members: Vec::new(),
            due_on: "2020-01-31".into(),
            allowance: Money {
                minor: 30_000,
                currency: "CNY".into(),
            },
        };
        let id = plans::add_measure(&mut tx, plan.unwrap().id, &measure, village.helper, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_helper_sees_every_member_s_evidence_and_what_came_too_late() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let plan = Plan::written(&storage).await;
        let all = format!("/support/measures/{}", plan.overdue().await);
        let own = format!("/support/measures/{}", plan.measure);
        let mine = plan.completed().await;
        let outsider = plan.person("outsider").await;
        let course = format!("/courses/{}", plan.course);
        assert_eq!(
            outsider
                .post(&format!("{course}/enrol"), &[])
                .await
                .status(),
            303
        );
        let read = format!("{course}/lessons/{}/read", plan.lesson);
        assert_eq!(outsider.post(&read, &[]).await.status(), 303);
        let theirs = link(&words(&outsider, &course).await, "/credentials/");

        let helper = plan.person("helper").await;
        let language = [("language", "en"), ("next", "/support")];
        assert_eq!(helper.post("/language", &language).await.status(), 303);
        let page = words(&helper, &all).await;
        assert!(page.contains(&mine) && page.contains(&theirs), "{page}");
        assert_eq!(page.matches("svg class=\"bar\"").count(), 2, "{page}");
        // The measure as a whole, and both members.
        assert_eq!(page.matches("after the deadline").count(), 3, "{page}");
        for words in ["2020-01-31", "2027-12-31", "CNY 300.00"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        let page = words(&helper, &own).await;
        assert!(page.contains("2027-06-30"), "{page}");
        assert!(!page.contains("after the deadline"), "{page}");
        plan.server.kill().await;
    }
}
