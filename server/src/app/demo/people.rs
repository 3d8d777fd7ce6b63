//! The area tree and the people of the demonstration.

use sqlx::AnyConnection;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, AreaId};
use crate::people::accounts::{self, NewAccount};
use crate::people::areas::{self, NewArea};
use crate::people::{Role, grants};

/// Sign-in names of the demonstration, with what each person is.
pub(super) const SIGN_INS: [(&str, &str); 5] = [
    ("teacher", "teacher, writes the course"),
    ("helper", "helper of ten households"),
    (
        "wangfang",
        "student, member of a household with a training measure",
    ),
    ("zhaolei", "student, member of another household"),
    ("admin", "administrator"),
];

/// Code (GB/T 2260 and GB/T 10114 in form), level, Chinese and English name, index of the area above.
const AREAS: [(&str, &str, &str, &str, Option<usize>); 6] = [
    ("530000", "province", "云南省", "Yunnan", None),
    ("532900", "prefecture", "大理白族自治州", "Dali", Some(0)),
    ("532922", "county", "漾濞县", "Yangbi", Some(1)),
    ("532922101", "township", "漾江镇", "Yangjiang", Some(2)),
    ("532922101201", "village", "紫阳村", "Ziyang", Some(3)),
    ("532922101202", "village", "湾坡村", "Wanpo", Some(3)),
];

/// Sign-in name and shown name of the learners; the first of each household.
pub(super) const LEARNERS: [(&str, &str); 10] = [
    ("wangfang", "王芳"),
    ("zhaolei", "赵磊"),
    ("liuyang", "刘洋"),
    ("chenjing", "陈静"),
    ("yangming", "杨明"),
    ("huangli", "黄丽"),
    ("zhoutao", "周涛"),
    ("wuxia", "吴霞"),
    ("xuqiang", "徐强"),
    ("sunyan", "孙燕"),
];

/// Who and where.
pub(super) struct People {
    pub(super) county: AreaId,
    pub(super) villages: [AreaId; 2],
    pub(super) teacher: AccountId,
    pub(super) helper: AccountId,
    pub(super) learners: Vec<AccountId>,
}

pub(super) async fn create(
    transaction: &mut AnyConnection,
    password_hash: &str,
    now: Timestamp,
) -> Result<People, Error> {
    let mut made: Vec<AreaId> = Vec::new();
    for (code, level, zh, en, above) in AREAS {
        let new = NewArea::new(code, level, zh, en)?;
        let above = above.and_then(|index| made.get(index).copied());
        made.push(areas::create(&mut *transaction, above, &new, now).await?);
    }
    let [province, _, county, _, first, second] = made[..] else {
        return Err(Error::Internal("the demo's areas are not six".into()));
    };
    let staff = [
        ("admin", "系统管理员", Role::Administrator, province),
        ("teacher", "李娜", Role::Teacher, county),
        ("helper", "张伟", Role::Helper, county),
    ];
    let mut accounts = Vec::new();
    for (sign_in_name, name, role, area) in staff {
        let account = add(
            &mut *transaction,
            sign_in_name,
            name,
            password_hash,
            county,
            now,
        )
        .await?;
        grants::insert(&mut *transaction, account, role, area, None, now).await?;
        accounts.push(account);
    }
    let mut learners = Vec::new();
    for (index, (sign_in_name, name)) in LEARNERS.into_iter().enumerate() {
        let village = [first, second][index % 2];
        let account = add(
            &mut *transaction,
            sign_in_name,
            name,
            password_hash,
            village,
            now,
        )
        .await?;
        learners.push(account);
    }
    Ok(People {
        county,
        villages: [first, second],
        teacher: accounts[1],
        helper: accounts[2],
        learners,
    })
}

async fn add(
    transaction: &mut AnyConnection,
    sign_in_name: &str,
    name: &str,
    password_hash: &str,
    area: AreaId,
    now: Timestamp,
) -> Result<AccountId, Error> {
    let mut new = NewAccount::new(name, sign_in_name, "")?;
    new.password_hash = Some(password_hash.to_owned());
    new.area = Some(area);
    accounts::create(transaction, &new, None, now).await
}
