//! What helpers see.

use serde::Serialize;

use super::pages;

/// `GET /support`
#[derive(Clone, Debug, Serialize)]
pub struct Households {
    /// The helper's households.
    pub households: Vec<HouseholdLine>,
    /// Measures that wait for verification.
    pub to_verify: i64,
}

/// A household in a list.
#[derive(Clone, Debug, Serialize)]
pub struct HouseholdLine {
    /// Household.
    pub id: String,
    /// Code.
    pub code: String,
    /// Name of the head.
    pub head: String,
    /// Name of the area.
    pub area: String,
    /// Word of the status.
    pub status: String,
    /// Live measures.
    pub measures: i64,
    /// Measures that wait for verification.
    pub to_verify: i64,
    /// Measures with news that the helper has not seen.
    pub news: i64,
}

/// `GET /support/households/{household_id}`
#[derive(Clone, Debug, Serialize)]
pub struct Household {
    /// The line.
    pub line: HouseholdLine,
    /// Address.
    pub address: String,
    /// Members.
    pub members: Vec<Member>,
    /// Live plan.
    pub plan: Option<Plan>,
}

/// A member of a household.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// Name.
    pub name: String,
    /// Code of the relationship to the head.
    pub relationship: String,
    /// The member's learner account.
    pub account_id: Option<String>,
    /// Id of the card that the form prints.
    pub card_id: String,
}

/// A support plan.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Number of the version.
    pub version: i64,
    /// Word of the status.
    pub status: String,
    /// Goals.
    pub goals: String,
    /// ISO 8601 date.
    pub starts_on: String,
    /// ISO 8601 date.
    pub ends_on: String,
    /// Name of the helper.
    pub helper: String,
    /// Measures.
    pub measures: Vec<Measure>,
}

/// A measure of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    /// Measure.
    pub id: String,
    /// Word of the kind.
    pub kind: String,
    /// Title.
    pub title: String,
    /// Names of the members.
    pub members: Vec<String>,
    /// Course of a training measure.
    pub course_id: Option<String>,
    /// Its title; empty without a course.
    pub course_title: String,
    /// ISO 8601 date.
    pub due_on: String,
    /// Amount in words of the page, for example `CNY 300.00`; empty without an allowance.
    pub allowance: String,
    /// Word of the status.
    pub status: String,
    /// Why it was returned or reopened; empty otherwise.
    pub reason: String,
    /// Where its evidence is, for those who may see it.
    pub path: Option<String>,
}

/// `GET /support/verify`
#[derive(Clone, Debug, Serialize)]
pub struct ToVerify {
    /// Fulfilled measures of the helper's households, and returned ones.
    pub measures: Vec<VerifyLine>,
}

/// A measure that waits.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyLine {
    /// Measure.
    pub id: String,
    /// Title.
    pub title: String,
    /// Name of the member.
    pub member: String,
    /// Code of the household.
    pub household: String,
    /// Word of the status.
    pub status: String,
    /// When it was fulfilled.
    pub fulfilled_at: i64,
}

/// `GET /support/measures/{measure_id}`
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The measure.
    pub measure: Measure,
    /// Household.
    pub household_id: String,
    /// Code of the household.
    pub household: String,
    /// When it was fulfilled.
    pub fulfilled_at: Option<i64>,
    /// Whether that was after its deadline or its plan's end.
    pub late: bool,
    /// Last day of the plan, ISO 8601.
    pub plan_ends_on: String,
    /// Who did a part, in the order in which they did.
    pub members: Vec<MemberEvidence>,
    /// Whether it can be verified or returned now.
    pub open: bool,
}

/// How one member did his or her part of a measure.
#[derive(Clone, Debug, Serialize)]
pub struct MemberEvidence {
    /// Name.
    pub name: String,
    /// Credential that the member did it with.
    pub credential_id: String,
    /// When.
    pub fulfilled_at: i64,
    /// Whether that was after the measure's deadline or its plan's end.
    pub late: bool,
    /// What was watched.
    pub lessons: Vec<LessonEvidence>,
}

/// Evidence of one lesson.
#[derive(Clone, Debug, Serialize)]
pub struct LessonEvidence {
    /// Title.
    pub title: String,
    /// Length.
    pub duration_ms: i64,
    /// Watched time.
    pub watched_ms: i64,
    /// Watched share, 0 to 100.
    pub percent: i64,
    /// Watched parts, in thousandths of the length, for the bar.
    pub parts: Vec<Part>,
    /// Words of the flags.
    pub flags: Vec<String>,
}

/// A watched part, in thousandths.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// Begin.
    pub from: i64,
    /// Width.
    pub width: i64,
}

pages! {
    Households => "households";
    Household => "household";
    ToVerify => "to_verify";
    Verification => "verification";
}
