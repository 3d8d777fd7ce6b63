//! Ten households with plans; each has one training measure that names the demo course.

use sqlx::AnyConnection;

use super::people::{LEARNERS, People};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::households::store::{NewHousehold, NewMember, add_member, assign_helper, register};
use crate::households::{DAUGHTER, HEAD, PARENT, SON, SPOUSE};
use crate::id::CourseId;
use crate::plans::store::{NewMeasure, NewPlan, add_measure, write};
use crate::plans::{Beneficiaries, Kind, Money};

/// Goal, second kind of measure and its title, its allowance in fen.
const SECONDS: [(&str, Kind, &str, i64); 5] = [
    (
        "靠养蜂和核桃增收，一年内脱贫",
        Kind::Industry,
        "购买蜂箱十个",
        200_000,
    ),
    (
        "孩子完成初中学业，家庭学会一门手艺",
        Kind::SchoolingSupport,
        "住宿生活补助",
        125_000,
    ),
    (
        "外出务工与家庭养殖结合",
        Kind::Employment,
        "推荐到县城就业",
        0,
    ),
    (
        "改善住房，发展林下经济",
        Kind::Relocation,
        "危房改造",
        800_000,
    ),
    (
        "治好慢性病，恢复劳动能力",
        Kind::Health,
        "大病医疗救助",
        300_000,
    ),
];

pub(super) async fn create(
    transaction: &mut AnyConnection,
    people: &People,
    course: CourseId,
    now: Timestamp,
) -> Result<(), Error> {
    let by = people.helper;
    for (index, account) in people.learners.iter().enumerate() {
        let new = NewHousehold {
            code: format!("53292210120{}-{:03}", 1 + index % 2, 1 + index / 2),
            area: people.villages[index % 2],
            address: format!("{}组{}号", 1 + index % 3, 11 + index),
        };
        let household = register(&mut *transaction, &new, by, now).await?;
        assign_helper(&mut *transaction, household, by, by, now).await?;
        let name = LEARNERS[index].1;
        let family = name.chars().next().unwrap_or('王');
        let others = [
            (format!("{family}建国"), 1, SPOUSE),
            (
                format!("{family}小宝"),
                1,
                if index % 2 == 0 { SON } else { DAUGHTER },
            ),
            (format!("{family}奶奶"), 2, PARENT),
        ];
        let head = NewMember {
            name: name.to_owned(),
            sex: 2,
            birth_date: Some(format!("19{}-0{}-12", 75 + index, 1 + index % 9)),
            relationship: HEAD.to_owned(),
            schooling_level: Some(2),
            account: Some(*account),
        };
        let head = add_member(&mut *transaction, household, &head, now).await?;
        for (name, sex, relationship) in others.into_iter().take(1 + index % 3) {
            let member = NewMember {
                name,
                sex,
                birth_date: None,
                relationship: relationship.to_owned(),
                schooling_level: None,
                account: None,
            };
            add_member(&mut *transaction, household, &member, now).await?;
        }
        let (goals, kind, title, allowance) = SECONDS[index % SECONDS.len()];
        let plan = NewPlan {
            household,
            goals: goals.to_owned(),
            starts_on: "2026-01-01".to_owned(),
            ends_on: "2027-12-31".to_owned(),
            consented_by: head,
        };
        let plan = write(&mut *transaction, &plan, by, now).await?;
        let training = NewMeasure {
            kind: Kind::VocationalTraining,
            title: "参加养蜂技术培训".to_owned(),
            officer: by,
            course: Some(course),
            beneficiaries: Beneficiaries::Named,
            members: vec![head],
            due_on: "2027-06-30".to_owned(),
            allowance: yuan(30_000),
        };
        add_measure(&mut *transaction, plan, &training, by, now).await?;
        let second = NewMeasure {
            kind,
            title: title.to_owned(),
            officer: by,
            course: None,
            beneficiaries: Beneficiaries::Any,
            members: Vec::new(),
            due_on: "2027-03-31".to_owned(),
            allowance: yuan(allowance),
        };
        add_measure(&mut *transaction, plan, &second, by, now).await?;
    }
    Ok(())
}

fn yuan(minor: i64) -> Money {
    Money {
        minor,
        currency: "CNY".to_owned(),
    }
}
