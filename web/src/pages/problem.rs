//! What happened, what was kept and what to do next.

use serde::Serialize;

use super::pages;

/// Any error that a browser sees.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Text key below `problem-`.
    pub code: String,
    /// HTTP status.
    pub status: i64,
    /// Text key of the label of the field that is wrong, below `field-`, whole; empty without one.
    pub field: String,
    /// Text key of the reason below `invalid-` or `conflict-`, whole; empty without one.
    pub reason: String,
    /// Text key of what to do, below `next-`, whole.
    pub next: String,
    /// Number that the advice names: a limit in bytes, seconds to wait; 0 without one.
    pub number: i64,
    /// Id of the request, for a question to the operator.
    pub request_id: String,
}

pages! {
    Problem => "problem";
}
