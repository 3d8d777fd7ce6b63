//! Sign-in, account, sign-in cards.

use serde::Serialize;

use super::pages;

/// `GET /sign-in`
#[derive(Clone, Debug, Default, Serialize)]
pub struct SignIn {
    /// Where to go afterwards; a path of this server.
    pub next: String,
    /// What was typed before, kept after a refusal.
    pub name: String,
    /// Key of the sentence that says why it was refused; empty at first.
    pub refusal: String,
}

/// `GET /account`
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Shown name.
    pub name: String,
    /// Sign-in name.
    pub sign_in_name: String,
    /// Whether there is a password to change.
    pub has_password: bool,
    /// Where this account is signed in.
    pub sessions: Vec<Session>,
}

/// One browser.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// Short words.
    pub device: String,
    /// When it was last used.
    pub seen_at: i64,
    /// Whether it is the one that shows this page.
    pub this_one: bool,
}

/// `GET /card/{token}`
#[derive(Clone, Debug, Serialize)]
pub struct CardLanding {
    /// Whose card it is.
    pub name: String,
    /// The card's token, for the form.
    pub token: String,
}

/// A sheet of sign-in cards to print.
#[derive(Clone, Debug, Serialize)]
pub struct CardSheet {
    /// The cards.
    pub cards: Vec<Card>,
}

/// One printed card.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// Whose.
    pub name: String,
    /// Address in the QR code, for typing by hand.
    pub url: String,
    /// The QR code as SVG, made by this system.
    pub qr_svg: String,
    /// Until when it works.
    pub expires_at: i64,
    /// Whether it works once.
    pub single_use: bool,
}

pages! {
    SignIn => "sign_in";
    Account => "account";
    CardLanding => "card_landing";
    CardSheet => "card_sheet";
}
