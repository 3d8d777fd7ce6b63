//! Certificates that are taken back, and what their learners and helpers can do then.

use std::time::Duration;

use sqlx::AnyConnection;

use super::tests::{Village, status};
use super::*;
use crate::audit::{self, Entry};
use crate::courses::testing::{self as courses, NOW};
use crate::db::{Db, Engine, testing};
use crate::id::MeasureId;
use crate::learning::{credentials, roster};
use crate::notices;
use crate::people::Helper;
use crate::plans::proof::InMeasure;
use crate::plans::store::measure;
use crate::plans::{Beneficiaries, fulfil};

const WHY: &str = "Watched by another";

/// A day after everything else.
fn later() -> Timestamp {
    NOW.after(Duration::from_secs(24 * 3600))
}

async fn take_back(tx: &mut AnyConnection, village: &Village, member: usize) -> CredentialId {
    let credential = village.credential(tx, member).await;
    revoke(tx, &village.course, credential, WHY, later())
        .await
        .unwrap();
    credential
}

async fn verify(tx: &mut AnyConnection, village: &Village, id: MeasureId) {
    let proof = InMeasure::<Helper>::prove(tx, village.helper, id)
        .await
        .unwrap();
    fulfil::verify(tx, &proof, NOW).await.unwrap();
}

async fn rests_on(tx: &mut AnyConnection, id: MeasureId) -> Option<CredentialId> {
    let (credential,): (Option<CredentialId>,) =
        sqlx::query_as("select credential_id from measure where id = $1")
            .bind(id)
            .fetch_one(tx)
            .await
            .unwrap();
    credential
}

#[tokio::test]
async fn a_revoked_certificate_moves_back_what_no_other_certificate_fulfils() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let any = village.measure(&mut tx, Beneficiaries::Any, &[]).await;
        let all = village.measure(&mut tx, Beneficiaries::All, &[]).await;
        for member in [0, 1] {
            village.enrol(&mut tx, member).await;
            village.finish(&mut tx, member).await;
        }
        verify(&mut tx, &village, any).await;
        notices::read(&mut tx, village.helper, any, NOW)
            .await
            .unwrap();
        let before = notices::unread(&mut tx, village.helper).await.unwrap();
        let credential = village.credential(&mut tx, 0).await;

        let stranger = courses::video_lesson(&mut tx).await;
        let refused = revoke(&mut tx, stranger.course(), credential, "x", NOW).await;
        assert!(matches!(refused, Err(Error::NotFound)));
        let silent = revoke(&mut tx, &village.course, credential, " ", NOW).await;
        assert!(matches!(silent, Err(Error::Invalid { .. })));
        take_back(&mut tx, &village, 0).await;
        let again = revoke(&mut tx, &village.course, credential, WHY, NOW).await;
        assert!(matches!(again, Err(Error::Conflict("state"))));

        let back = measure(&mut tx, all).await.unwrap();
        assert_eq!(
            (back.status.as_str(), back.reason.as_str()),
            ("under_way", WHY)
        );
        assert!(back.fulfilled_at.is_none() && rests_on(&mut tx, all).await.is_none());
        // The other one's certificate holds; the helper has not looked at it yet.
        assert_eq!(status(&mut tx, any).await, "fulfilled");
        let other = village.credential(&mut tx, 1).await;
        assert_eq!(rests_on(&mut tx, any).await, Some(other));
        let after = notices::unread(&mut tx, village.helper).await.unwrap();
        assert_eq!(after, before + 2);
        let (events,): (i64,) = sqlx::query_as(
            "select count(*) from measure_event where kind = 'reopened' and credential_id = $1",
        )
        .bind(credential)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        assert_eq!(events, 2);
        assert_eq!(audit::first_broken(&mut tx).await.unwrap(), None);
    }
}

#[tokio::test]
async fn losing_a_certificate_that_a_measure_does_not_rest_on_changes_nothing() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let any = village.measure(&mut tx, Beneficiaries::Any, &[]).await;
        for member in [0, 1] {
            village.enrol(&mut tx, member).await;
            village.finish(&mut tx, member).await;
        }
        verify(&mut tx, &village, any).await;
        take_back(&mut tx, &village, 1).await;
        assert_eq!(status(&mut tx, any).await, "verified");
        // Now nobody is left.
        take_back(&mut tx, &village, 0).await;
        assert_eq!(status(&mut tx, any).await, "under_way");
    }
}

#[tokio::test]
async fn a_certificate_whose_part_was_never_written_down_holds_a_measure_all_the_same() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let any = village.measure(&mut tx, Beneficiaries::Any, &[]).await;
        for member in [0, 1] {
            village.enrol(&mut tx, member).await;
            village.finish(&mut tx, member).await;
        }
        // As it was before parts of fulfilled measures were kept.
        sqlx::query("delete from measure_member where member_id = $1")
            .bind(village.members[1].0)
            .execute(&mut *tx)
            .await
            .unwrap();
        take_back(&mut tx, &village, 0).await;
        assert_eq!(status(&mut tx, any).await, "fulfilled");
        let other = village.credential(&mut tx, 1).await;
        assert_eq!(rests_on(&mut tx, any).await, Some(other));
    }
}

#[tokio::test]
async fn whoever_lost_a_certificate_earns_another_by_doing_the_lessons_again() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let (member, account) = village.members[0];
        let named = village
            .measure(&mut tx, Beneficiaries::Named, &[member])
            .await;
        village.enrol(&mut tx, 0).await;
        village.finish(&mut tx, 0).await;
        let lost = take_back(&mut tx, &village, 0).await;
        let taken = enrolment::of_account(&mut tx, account).await.unwrap();
        assert_eq!(
            (taken[0].completed_at, taken[0].lessons_completed),
            (None, 0)
        );
        // Publishing again gives nothing back.
        republished(&mut tx, &village.course, later())
            .await
            .unwrap();
        assert_eq!(status(&mut tx, named).await, "under_way");

        assert!(village.finish(&mut tx, 0).await.course_completed);
        let earned = village.credential(&mut tx, 0).await;
        assert_ne!(earned, lost);
        assert_eq!(status(&mut tx, named).await, "fulfilled");
        assert_eq!(rests_on(&mut tx, named).await, Some(earned));
        let own = credentials::of_account(&mut tx, account).await.unwrap();
        let valid = own.iter().filter(|own| own.revoked_at.is_none()).count();
        assert_eq!((own.len(), valid), (2, 1));
        let learners = enrolment::of_course(&mut tx, &village.course).await;
        let learners = learners.unwrap();
        assert_eq!(learners.len(), 1);
        assert_eq!(learners[0].credential_id, Some(earned));
        let (kept,): (i64,) =
            sqlx::query_as("select count(*) from revoked_completion where credential_id = $1")
                .bind(lost)
                .fetch_one(&mut *tx)
                .await
                .unwrap();
        assert_eq!(kept, 1);
    }
}

#[tokio::test]
async fn a_returned_measure_is_fulfilled_by_another_member_who_may_do_it() {
    for (db, _folder) in testing::both().await {
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let any = village.measure(&mut tx, Beneficiaries::Any, &[]).await;
        for member in [0, 1] {
            village.enrol(&mut tx, member).await;
        }
        village.finish(&mut tx, 0).await;
        let proof = InMeasure::<Helper>::prove(&mut tx, village.helper, any)
            .await
            .unwrap();
        fulfil::give_back(&mut tx, &proof, WHY, NOW).await.unwrap();
        village.finish(&mut tx, 1).await;
        assert_eq!(status(&mut tx, any).await, "fulfilled");
        let other = village.credential(&mut tx, 1).await;
        assert_eq!(rests_on(&mut tx, any).await, Some(other));
    }
}

/// Waits until a transaction waits for another one's lock.
async fn somebody_waits(db: &Db) {
    loop {
        let mut connection = db.read().await.unwrap();
        let (waiting,): (i64,) = sqlx::query_as(
            "select count(*) from pg_stat_activity \
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        if waiting > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_list_that_is_enrolled_waits_in_line_with_a_version_that_is_published() {
    for (db, _folder) in testing::both().await {
        // SQLite has one writer.
        if db.engine() == Engine::Sqlite {
            continue;
        }
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let (_, account) = village.members[0];
        let (name,): (String,) = sqlx::query_as(
            "update account set home_area_id = (select area_id from course where course.id = $1) \
             where id = $2 returning sign_in_name",
        )
        .bind(village.course.course())
        .bind(account)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();

        let mut tx = db.write().await.unwrap();
        republished(&mut tx, &village.course, NOW).await.unwrap();
        let (other, course) = (db.clone(), village.course.clone());
        let mut enrolling = tokio::spawn(async move {
            let mut tx = other.write().await.unwrap();
            let enrolled = roster::enrol(&mut tx, &course, &name, None, NOW).await;
            tx.commit().await.unwrap();
            enrolled.unwrap().unwrap()
        });
        // Nobody's place is taken yet: it is the course that is waited for.
        tokio::select! {
            early = &mut enrolling => panic!("{early:?}"),
            () = somebody_waits(&db) => {}
        }
        tx.commit().await.unwrap();
        assert_eq!(enrolling.await.unwrap(), [account]);
    }
}

#[tokio::test]
async fn verifying_and_revoking_at_the_same_moment_wait_in_line() {
    for (db, _folder) in testing::both().await {
        // SQLite has one writer.
        if db.engine() == Engine::Sqlite {
            continue;
        }
        let mut tx = db.write().await.unwrap();
        let village = Village::new(&mut tx).await;
        let any = village.measure(&mut tx, Beneficiaries::Any, &[]).await;
        village.enrol(&mut tx, 0).await;
        village.finish(&mut tx, 0).await;
        let credential = village.credential(&mut tx, 0).await;
        tx.commit().await.unwrap();

        let mut tx = db.write().await.unwrap();
        verify(&mut tx, &village, any).await;
        let (other, course) = (db.clone(), village.course.clone());
        let revoking = tokio::spawn(async move {
            let mut tx = other.write().await.unwrap();
            revoke(&mut tx, &course, credential, WHY, later()).await?;
            tx.commit().await?;
            Ok::<_, Error>(())
        });
        somebody_waits(&db).await;
        let entry = Entry {
            account: Some(village.helper),
            action: "measure.verified",
            subject_kind: "measure",
            subject_id: any.to_string(),
            reason: None,
            at: NOW,
        };
        audit::append(&mut tx, entry).await.unwrap();
        tx.commit().await.unwrap();
        revoking.await.unwrap().unwrap();
        let mut connection = db.read().await.unwrap();
        assert_eq!(status(&mut connection, any).await, "under_way");
        assert_eq!(audit::first_broken(&mut connection).await.unwrap(), None);
    }
}
