//! What an administrator does for an account whose owner cannot: a new password, closing, opening.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use millet_web::pages::admin as pages;
use serde::Deserialize;
use sqlx::AnyConnection;

use super::admin_routes::note;
use super::grants::{self, ManagedAccount};
use super::password::{self, Passwords};
use super::view::{View, done};
use super::{accounts, cards, session};
use crate::clock::{Clock, Timestamp};
use crate::db::{Db, Transaction};
use crate::error::Error;
use crate::form::Form;

/// `POST /admin/accounts/{account_id}`
#[derive(Deserialize)]
pub struct ChangeForm {
    action: String,
}

/// `POST /admin/accounts/{account_id}`: whatever is done, the account is signed out everywhere and its
/// cards are withdrawn.
///
/// # Errors
/// [`Error::Forbidden`] when the account has a role outside the administrator's areas,
/// [`Error::Conflict`] for one's own, or when it is closed or open already.
pub async fn change(
    managed: ManagedAccount,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(passwords): State<Passwords>,
    Form(form): Form<ChangeForm>,
) -> Result<Response, Error> {
    let now = clock.now();
    match form.action.as_str() {
        "password" => {
            let view = view.at("/admin/accounts");
            give_password(&managed, &view, &db, &passwords, now).await
        }
        "close" => {
            let mut transaction = begin(&db, &managed).await?;
            accounts::close(&mut transaction, &managed, now).await?;
            shut_out(&mut transaction, &managed, "account.closed", now).await?;
            transaction.commit().await?;
            Ok(done("/admin/accounts", "account-closed").into_response())
        }
        "open" => {
            let mut transaction = begin(&db, &managed).await?;
            accounts::open_again(&mut transaction, &managed).await?;
            shut_out(&mut transaction, &managed, "account.opened", now).await?;
            transaction.commit().await?;
            Ok(done("/admin/accounts", "account-opened").into_response())
        }
        _ => Err(Error::Invalid {
            field: "action",
            reason: "choice",
        }),
    }
}

/// Shows the new password, this once.
async fn give_password(
    managed: &ManagedAccount,
    view: &View,
    db: &Db,
    passwords: &Passwords,
    now: Timestamp,
) -> Result<Response, Error> {
    let password = password::made_up()?;
    // Before the transaction: it takes its time.
    let hash = passwords.hash(&password).await?;
    let mut transaction = begin(db, managed).await?;
    accounts::give_password(&mut transaction, managed, &hash).await?;
    let own = accounts::own(&mut transaction, managed.account()).await?;
    shut_out(&mut transaction, managed, "account.password_given", now).await?;
    transaction.commit().await?;
    view.page(&pages::NewPassword {
        name: own.name,
        sign_in_name: own.sign_in_name,
        password,
    })
}

async fn begin(db: &Db, managed: &ManagedAccount) -> Result<Transaction, Error> {
    let mut transaction = db.write().await?;
    grants::only_below(&mut transaction, managed).await?;
    Ok(transaction)
}

/// Ends every way in that was open before, and writes down why.
async fn shut_out(
    transaction: &mut AnyConnection,
    managed: &ManagedAccount,
    action: &'static str,
    now: Timestamp,
) -> Result<(), Error> {
    let (by, account) = (managed.administrator(), managed.account());
    session::end_all(&mut *transaction, account, None, now).await?;
    cards::withdraw(&mut *transaction, account, now).await?;
    note(transaction, by, action, "account", account, now).await
}
