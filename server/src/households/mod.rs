//! Households, their members, and the helper who answers for each.

pub mod proof;
pub mod store;

/// Where a household stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Supported.
    Registered,
    /// Not poor any more, but watched.
    Monitored,
    /// Out of poverty.
    Lifted,
    /// Poor again.
    Relapsed,
}

impl Status {
    /// The word in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Monitored => "monitored",
            Self::Lifted => "lifted",
            Self::Relapsed => "relapsed",
        }
    }
}

/// GB/T 4761: the head of a household.
pub const HEAD: &str = "02";
/// GB/T 4761: the spouse.
pub const SPOUSE: &str = "10";
/// GB/T 4761: a son.
pub const SON: &str = "20";
/// GB/T 4761: a daughter.
pub const DAUGHTER: &str = "30";
/// GB/T 4761: a parent.
pub const PARENT: &str = "50";

/// Whether a code of GB/T 4761 is the head's (01: "the person", 02: "head").
#[must_use]
pub fn is_head(relationship: &str) -> bool {
    matches!(relationship, "01" | "02")
}
