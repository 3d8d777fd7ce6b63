//! What administrators see.

use serde::Serialize;

use super::pages;
use super::teaching::Choice;

/// `GET /admin/areas`
#[derive(Clone, Debug, Serialize)]
pub struct Areas {
    /// The tree in order, each with its depth.
    pub areas: Vec<Area>,
}

/// An area of the tree.
#[derive(Clone, Debug, Serialize)]
pub struct Area {
    /// Area.
    pub id: String,
    /// Code.
    pub code: String,
    /// Name in the page's language.
    pub name: String,
    /// Word of the level.
    pub level: String,
    /// Steps below the top.
    pub depth: i64,
}

/// `GET /admin/accounts`, `POST /admin/accounts/search`
#[derive(Clone, Debug, Serialize)]
pub struct Accounts {
    /// What was searched for; empty for the newest.
    pub name: String,
    /// Accounts of the administrator's areas.
    pub accounts: Vec<AccountLine>,
    /// Areas to choose from.
    pub areas: Vec<Choice>,
}

/// An account in the list.
#[derive(Clone, Debug, Serialize)]
pub struct AccountLine {
    /// Account.
    pub id: String,
    /// Name.
    pub name: String,
    /// Sign-in name.
    pub sign_in_name: String,
    /// Whether it is closed.
    pub disabled: bool,
    /// Id of the card that its form prints.
    pub card_id: String,
    /// Roles.
    pub grants: Vec<GrantLine>,
}

/// A role at an area.
#[derive(Clone, Debug, Serialize)]
pub struct GrantLine {
    /// Grant.
    pub id: String,
    /// Word of the role.
    pub role: String,
    /// Name of the area.
    pub area: String,
}

/// A new password, shown once to whoever hands it over.
#[derive(Clone, Debug, Serialize)]
pub struct NewPassword {
    /// Whose.
    pub name: String,
    /// Name to sign in with.
    pub sign_in_name: String,
    /// The password.
    pub password: String,
}

pages! {
    Areas => "admin_areas";
    Accounts => "admin_accounts";
    NewPassword => "new_password";
}
