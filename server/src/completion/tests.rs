use sqlx::AnyConnection;

use super::*;
use crate::courses::publish;
use crate::courses::testing as courses;
use crate::courses::{LessonKind, outline, proof::InCourse};
use crate::db::testing;
use crate::households::store::{NewHousehold, NewMember, add_member, assign_helper, register};
use crate::households::{HEAD, SPOUSE};
use crate::id::{HouseholdId, MeasureId, MemberId};
use crate::learning::credentials;
use crate::notices;
use crate::people::{Helper, Teacher};
use crate::plans::fulfil;
use crate::plans::proof::InMeasure;
use crate::plans::store::{NewMeasure, NewPlan, add_measure, measure, write};
use crate::plans::{Beneficiaries, Kind, Money};

const NOW: Timestamp = courses::NOW;

/// A published course of one text lesson, and a household whose plan names it.
pub(super) struct Village {
    pub(super) course: InCourse<Teacher>,
    pub(super) lesson: LessonId,
    pub(super) helper: AccountId,
    pub(super) household: HouseholdId,
    pub(super) members: Vec<(MemberId, AccountId)>,
}

impl Village {
    pub(super) async fn new(tx: &mut AnyConnection) -> Self {
        let area = courses::area(tx).await;
        let teacher = courses::teacher(tx, area).await;
        let (course, module) = courses::course(tx, teacher, area).await;
        let kind = LessonKind::Text;
        let lesson = outline::add_lesson(tx, &course, module, "Hives", kind, NOW)
            .await
            .unwrap();
        outline::edit_lesson(tx, &course, lesson, "Hives", "Bees live in hives.", NOW)
            .await
            .unwrap();
        let draft = crate::courses::store::draft(tx, &course).await.unwrap();
        publish::publish(tx, &course, draft.revision, NOW)
            .await
            .unwrap();
        let helper = courses::teacher(tx, area).await;
        grant(tx, helper, "helper", area).await;
        let new = NewHousehold {
            code: uuid::Uuid::now_v7().to_string(),
            area,
            address: "Lane 1".into(),
        };
        let household = register(tx, &new, helper, NOW).await.unwrap();
        assign_helper(tx, household, helper, helper, NOW)
            .await
            .unwrap();
        let mut members = Vec::new();
        for relationship in [HEAD, SPOUSE] {
            let account = courses::teacher(tx, area).await;
            let new = NewMember {
                name: "Wang".into(),
                sex: 1,
                birth_date: None,
                relationship: relationship.into(),
                schooling_level: None,
                account: Some(account),
            };
            let member = add_member(tx, household, &new, NOW).await.unwrap();
            members.push((member, account));
        }
        Self {
            course,
            lesson,
            helper,
            household,
            members,
        }
    }

    pub(super) async fn measure(
        &self,
        tx: &mut AnyConnection,
        beneficiaries: Beneficiaries,
        named: &[MemberId],
    ) -> MeasureId {
        let plan = match crate::plans::store::live(tx, self.household).await.unwrap() {
            Some(plan) => plan.id,
            None => {
                let new = NewPlan {
                    household: self.household,
                    goals: "Honey".into(),
                    starts_on: "2026-01-01".into(),
                    ends_on: "2026-12-31".into(),
                    consented_by: self.members[0].0,
                };
                write(tx, &new, self.helper, NOW).await.unwrap()
            }
        };
        let new = NewMeasure {
            kind: Kind::VocationalTraining,
            title: "Beekeeping".into(),
            officer: self.helper,
            course: Some(self.course.course()),
            beneficiaries,
            members: named.to_vec(),
            due_on: "2026-12-31".into(),
            allowance: Money {
                minor: 30_000,
                currency: "CNY".into(),
            },
        };
        add_measure(tx, plan, &new, self.helper, NOW).await.unwrap()
    }

    pub(super) async fn enrol(&self, tx: &mut AnyConnection, member: usize) {
        let (course, account) = (self.course.course(), self.members[member].1);
        enrol(tx, course, account, Source::Learner, account, None, NOW)
            .await
            .unwrap();
    }

    pub(super) async fn finish(&self, tx: &mut AnyConnection, member: usize) -> Outcome {
        let account = self.members[member].1;
        let enrolment = enrolment::find(tx, self.course.course(), account)
            .await
            .unwrap();
        lesson_done(tx, enrolment.unwrap().id, self.lesson, 100, NOW)
            .await
            .unwrap()
    }

    /// The newest certificate of a member.
    pub(super) async fn credential(&self, tx: &mut AnyConnection, member: usize) -> CredentialId {
        let own = credentials::of_account(tx, self.members[member].1).await;
        own.unwrap().iter().map(|own| own.id).max().unwrap()
    }
}

async fn grant(tx: &mut AnyConnection, account: AccountId, role: &str, area: crate::id::AreaId) {
    let role = crate::people::Role::from_word(role).unwrap();
    crate::people::grants::insert(tx, account, role, area, None, NOW)
        .await
        .unwrap();
}

pub(super) async fn status(tx: &mut AnyConnection, id: MeasureId) -> String {
    measure(tx, id).await.unwrap().status
}

#[tokio::test]
async fn a_completed_course_issues_a_credential_and_fulfils_the_named_measure_once() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let named = village
            .measure(&mut tx, Beneficiaries::Named, &[village.members[0].0])
            .await;
        let others = village
            .measure(&mut tx, Beneficiaries::Named, &[village.members[1].0])
            .await;
        village.enrol(&mut tx, 0).await;
        assert_eq!(status(&mut tx, named).await, "under_way");
        assert_eq!(status(&mut tx, others).await, "planned");

        let outcome = village.finish(&mut tx, 0).await;
        assert!(outcome.lesson_completed && outcome.course_completed);
        assert_eq!(status(&mut tx, named).await, "fulfilled");
        // One member cannot fulfil what another was named for.
        assert_eq!(status(&mut tx, others).await, "planned");
        let account = village.members[0].1;
        let credentials = credentials::of_account(&mut tx, account).await.unwrap();
        assert_eq!(credentials.len(), 1);
        assert_eq!(credentials[0].evidence().unwrap().lessons[0].percent, 100);
        assert_eq!(notices::unread(&mut tx, village.helper).await.unwrap(), 1);

        assert_eq!(village.finish(&mut tx, 0).await, Outcome::default());
        assert_eq!(
            credentials::of_account(&mut tx, account)
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(notices::unread(&mut tx, village.helper).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn all_means_everybody_and_any_means_one() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let all = village.measure(&mut tx, Beneficiaries::All, &[]).await;
        let any = village.measure(&mut tx, Beneficiaries::Any, &[]).await;
        let both: Vec<_> = village.members.iter().map(|(member, _)| *member).collect();
        let each = village.measure(&mut tx, Beneficiaries::Named, &both).await;
        for member in [0, 1] {
            village.enrol(&mut tx, member).await;
        }
        village.finish(&mut tx, 0).await;
        assert_eq!(status(&mut tx, any).await, "fulfilled");
        assert_eq!(status(&mut tx, all).await, "under_way");
        assert_eq!(status(&mut tx, each).await, "under_way");
        village.finish(&mut tx, 1).await;
        assert_eq!(status(&mut tx, all).await, "fulfilled");
        assert_eq!(status(&mut tx, each).await, "fulfilled");
    }
}

#[tokio::test]
async fn only_the_household_s_helper_decides_and_only_once() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let id = village.measure(&mut tx, Beneficiaries::Any, &[]).await;
        village.enrol(&mut tx, 0).await;
        let proof = InMeasure::<Helper>::prove(&mut tx, village.helper, id)
            .await
            .unwrap();
        let early = fulfil::verify(&mut tx, &proof, NOW).await;
        assert!(matches!(early, Err(Error::Conflict("decided"))));
        village.finish(&mut tx, 0).await;

        let stranger = village.members[1].1;
        let refused = InMeasure::<Helper>::prove(&mut tx, stranger, id).await;
        assert!(matches!(refused, Err(Error::NotFound)));
        let empty = fulfil::give_back(&mut tx, &proof, "  ", NOW).await;
        assert!(matches!(
            empty,
            Err(Error::Invalid {
                field: "reason",
                ..
            })
        ));
        fulfil::give_back(&mut tx, &proof, "Somebody else watched", NOW)
            .await
            .unwrap();
        assert_eq!(
            measure(&mut tx, id).await.unwrap().reason,
            "Somebody else watched"
        );
        fulfil::verify(&mut tx, &proof, NOW).await.unwrap();
        let again = fulfil::give_back(&mut tx, &proof, "too late", NOW).await;
        assert!(matches!(again, Err(Error::Conflict("decided"))));
        assert_eq!(status(&mut tx, id).await, "verified");
    }
}

#[tokio::test]
async fn a_learner_without_a_household_gets_a_credential_all_the_same() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let account = village.course.account();
        let course = village.course.course();
        enrol(
            &mut tx,
            course,
            account,
            Source::Learner,
            account,
            None,
            NOW,
        )
        .await
        .unwrap();
        let enrolment = enrolment::find(&mut tx, course, account)
            .await
            .unwrap()
            .unwrap();
        let outcome = lesson_done(&mut tx, enrolment.id, village.lesson, 100, NOW)
            .await
            .unwrap();
        assert!(outcome.course_completed);
        assert_eq!(
            credentials::of_account(&mut tx, account)
                .await
                .unwrap()
                .len(),
            1
        );
    }
}

#[tokio::test]
async fn what_fails_midway_leaves_nothing() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let id = village.measure(&mut tx, Beneficiaries::Any, &[]).await;
        village.enrol(&mut tx, 0).await;
        tx.commit().await.unwrap();

        let mut tx = db.write().await.unwrap();
        assert!(village.finish(&mut tx, 0).await.course_completed);
        // The power goes before the commit.
        drop(tx);
        let mut connection = db.read().await.unwrap();
        assert_eq!(status(&mut connection, id).await, "under_way");
        let account = village.members[0].1;
        assert!(
            credentials::of_account(&mut connection, account)
                .await
                .unwrap()
                .is_empty()
        );
    }
}
