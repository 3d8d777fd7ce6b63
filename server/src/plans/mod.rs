//! Support plans: what a household was promised, and what became of it.

pub mod fulfil;
pub mod proof;
pub mod reopen;
pub mod routes;
pub mod store;

/// Where a measure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Written down.
    Planned,
    /// Begun.
    UnderWay,
    /// Done, to be verified.
    Fulfilled,
    /// The helper looked at the evidence and agreed.
    Verified,
    /// The helper did not agree, with a reason.
    Returned,
    /// Given up.
    Cancelled,
}

impl Status {
    const ALL: [Self; 6] = [
        Self::Planned,
        Self::UnderWay,
        Self::Fulfilled,
        Self::Verified,
        Self::Returned,
        Self::Cancelled,
    ];

    /// The word in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::UnderWay => "under_way",
            Self::Fulfilled => "fulfilled",
            Self::Verified => "verified",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads [`Status::word`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether a helper may verify or return it now; what was returned may be verified after all.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Fulfilled | Self::Returned)
    }
}

/// What a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A course.
    VocationalTraining,
    /// School fees, books.
    SchoolingSupport,
    /// A job.
    Employment,
    /// Farming, processing.
    Industry,
    /// A loan.
    MicroCredit,
    /// Selling online.
    ECommerce,
    /// A new home.
    Relocation,
    /// Treatment, insurance.
    Health,
    /// Roads, water, links.
    Infrastructure,
    /// Anything else.
    Other,
}

impl Kind {
    /// The word in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::VocationalTraining => "vocational_training",
            Self::SchoolingSupport => "schooling_support",
            Self::Employment => "employment",
            Self::Industry => "industry",
            Self::MicroCredit => "micro_credit",
            Self::ECommerce => "e_commerce",
            Self::Relocation => "relocation",
            Self::Health => "health",
            Self::Infrastructure => "infrastructure",
            Self::Other => "other",
        }
    }
}

/// Which members of the household have to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beneficiaries {
    /// One member, whoever it is.
    Any,
    /// Everybody who belongs to the household at that time.
    All,
    /// Those who are named, each of them.
    Named,
}

impl Beneficiaries {
    /// The word in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
            Self::Named => "named",
        }
    }

    /// Reads [`Beneficiaries::word`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Any, Self::All, Self::Named]
            .into_iter()
            .find(|beneficiaries| beneficiaries.word() == word)
    }
}

/// An amount in minor units with its ISO 4217 code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// Minor units, for example fen.
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
}

impl std::fmt::Display for Money {
    /// For example `CNY 300.00`; every currency in use here has two decimal places.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.minor / 100, (self.minor % 100).abs());
        write!(f, "{} {whole}.{part:02}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_with_its_minor_units() {
        let money = Money {
            minor: 30_005,
            currency: "CNY".into(),
        };
        assert_eq!(money.to_string(), "CNY 300.05");
    }
}
