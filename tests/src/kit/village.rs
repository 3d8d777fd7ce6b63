//! People, households and plans in the database that a server uses.

use millet_server::clock::{Clock, Timestamp};
use millet_server::courses::outline;
use millet_server::courses::proof::InCourse;
use millet_server::db::Db;
use millet_server::households::HEAD;
use millet_server::households::store::{
    NewHousehold, NewMember, add_member, assign_helper, register,
};
use millet_server::id::{
    AccountId, AreaId, CourseId, HouseholdId, LiveClassId, MeasureId, MemberId,
};
use millet_server::live::planning;
use millet_server::live::schedule::NewClass;
use millet_server::people::accounts::{self, NewAccount};
use millet_server::people::areas::{self, NewArea};
use millet_server::people::password::Passwords;
use millet_server::people::{Role, grants};
use millet_server::plans::store::{NewMeasure, NewPlan, add_measure, write};
use millet_server::plans::{Beneficiaries, Kind, Money};

/// Everybody's password.
pub const PASSWORD: &str = "bees like the sun";

/// One village with its people; sign-in names are `admin`, `teacher`, `helper`,
/// `manager`, `auditor`, `student`, `outsider`, and `foreign-…` for the roles elsewhere.
pub struct Village {
    /// Same database as the server's.
    pub db: Db,
    /// Where all of it is.
    pub area: AreaId,
    /// Another area.
    pub elsewhere: AreaId,
    /// Teaches in the area.
    pub teacher: AccountId,
    /// Answers for the household.
    pub helper: AccountId,
    /// Member of the household.
    pub student: AccountId,
    /// Somebody without any role.
    pub outsider: AccountId,
    /// The student's household.
    pub household: HouseholdId,
    /// The student as a member of it.
    pub member: MemberId,
}

impl Village {
    /// Fills a fresh database.
    pub async fn found(db: Db) -> Self {
        let now = Clock::System.now();
        let hash = Passwords::default().hash(PASSWORD).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let mut place = async |code: &str, zh: &str, en: &str| {
            let new = NewArea::new(code, "village", zh, en).unwrap();
            areas::create(&mut tx, None, &new, now).await.unwrap()
        };
        let area = place("532922101201", "紫阳村", "Ziyang").await;
        let elsewhere = place("532922101202", "湾坡村", "Wanpo").await;
        let mut person = async |name: &str, role: Option<Role>, at: AreaId| {
            let mut new = NewAccount::new(name, name, "").unwrap();
            new.password_hash = Some(hash.clone());
            new.area = Some(at);
            let account = accounts::create(&mut tx, &new, None, now).await.unwrap();
            if let Some(role) = role {
                grants::insert(&mut tx, account, role, at, None, now)
                    .await
                    .unwrap();
            }
            account
        };
        person("admin", Some(Role::Administrator), area).await;
        let teacher = person("teacher", Some(Role::Teacher), area).await;
        let helper = person("helper", Some(Role::Helper), area).await;
        person("manager", Some(Role::AreaManager), area).await;
        person("auditor", Some(Role::Auditor), area).await;
        let student = person("student", None, area).await;
        let outsider = person("outsider", None, elsewhere).await;
        person("foreign-admin", Some(Role::Administrator), elsewhere).await;
        person("foreign-teacher", Some(Role::Teacher), elsewhere).await;
        person("foreign-helper", Some(Role::Helper), elsewhere).await;
        let new = NewHousehold {
            code: "H-001".into(),
            area,
            address: "Lane 1".into(),
        };
        let household = register(&mut tx, &new, helper, now).await.unwrap();
        assign_helper(&mut tx, household, helper, helper, now)
            .await
            .unwrap();
        let new = NewMember {
            name: "student".into(),
            sex: 2,
            birth_date: None,
            relationship: HEAD.into(),
            schooling_level: None,
            account: Some(student),
        };
        let member = add_member(&mut tx, household, &new, now).await.unwrap();
        tx.commit().await.unwrap();
        Self {
            db,
            area,
            elsewhere,
            teacher,
            helper,
            student,
            outsider,
            household,
            member,
        }
    }

    /// A plan whose only measure is that the student completes the course.
    pub async fn plan(&self, course: CourseId) -> MeasureId {
        let now = Clock::System.now();
        let mut tx = self.db.write().await.unwrap();
        let plan = NewPlan {
            household: self.household,
            goals: "Live from honey".into(),
            starts_on: "2026-01-01".into(),
            ends_on: "2027-12-31".into(),
            consented_by: self.member,
        };
        let plan = write(&mut tx, &plan, self.helper, now).await.unwrap();
        let measure = NewMeasure {
            kind: Kind::VocationalTraining,
            title: "Learn to keep bees".into(),
            officer: self.helper,
            course: Some(course),
            beneficiaries: Beneficiaries::Named,
            members: vec![self.member],
            due_on: "2027-06-30".into(),
            allowance: Money {
                minor: 30_000,
                currency: "CNY".into(),
            },
        };
        let measure = add_measure(&mut tx, plan, &measure, self.helper, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        measure
    }

    /// A class of the course that begins in an hour and lets guests in.
    pub async fn class(&self, course: CourseId) -> LiveClassId {
        let now = Clock::System.now();
        let mut tx = self.db.write().await.unwrap();
        let proof = InCourse::prove(&mut tx, self.teacher, course)
            .await
            .unwrap();
        let module = outline::modules(&mut tx, &proof).await.unwrap()[0].id;
        let new = NewClass {
            title: "Swarming".into(),
            minutes: 45,
            remind_minutes: Some(30),
            guests: true,
            lobby: true,
        };
        let starts = now.after(std::time::Duration::from_secs(3600));
        let zone = "Asia/Shanghai";
        let classes = planning::schedule(&mut tx, &proof, module, &new, &[starts], zone, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        classes[0]
    }

    /// The present moment of the server's clock.
    #[must_use]
    pub fn now() -> Timestamp {
        Clock::System.now()
    }
}
