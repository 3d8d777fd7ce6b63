//! Support plans as helpers and learners see them.

use millet_server::id::{CourseId, LessonId, MeasureId};
use millet_server::people::{Role, grants};
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
