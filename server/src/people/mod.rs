//! People: accounts, sessions, roles at areas, and the proofs that handlers take.
//!
//! A proof is made only by its extractor and carries the ids it proved; a store puts them into its
//! `WHERE`. No handler reads such an id from the path a second time.

pub mod access;
pub mod account_routes;
pub mod accounts;
pub mod admin_routes;
pub mod areas;
pub mod cards;
pub mod grants;
pub mod limit;
pub mod managed_routes;
pub mod newcomer;
pub mod password;
pub mod routes;
pub mod session;
pub mod view;

use serde::{Deserialize, Serialize};

use crate::id::AreaId;

pub use access::{Administrator, AreaManager, Auditor, Has, Helper, InArea, RoleKind, Teacher};
pub use session::{SignedIn, Visitor};
pub use view::View;

/// What an account may be at an area; it holds there and in every area below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Writes courses, hosts classes, sees the learners of own courses.
    Teacher,
    /// The officer responsible for households.
    Helper,
    /// Assigns helpers, approves plans.
    AreaManager,
    /// Reads everything, changes nothing.
    Auditor,
    /// Accounts, areas and grants.
    Administrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Teacher,
        Self::Helper,
        Self::AreaManager,
        Self::Auditor,
        Self::Administrator,
    ];

    /// The word in the database and in forms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Helper => "helper",
            Self::AreaManager => "area_manager",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// Reads [`Role::word`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// A role at an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The top of the part of the tree where it holds.
    pub area: AreaId,
}
