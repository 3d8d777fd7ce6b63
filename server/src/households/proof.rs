//! Proof that an account is the helper of a household now.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use sqlx::AnyConnection;

use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, HouseholdId};
use crate::people::access::{ANSWERS, path_id};
use crate::people::{Has, Helper};

/// Proof for the household `{household_id}` of the path.
#[derive(Clone, Debug)]
pub struct InHousehold<R> {
    account: AccountId,
    household: HouseholdId,
    role: PhantomData<R>,
}

impl<R> InHousehold<R> {
    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Of which household.
    #[must_use]
    pub fn household(&self) -> HouseholdId {
        self.household
    }
}

impl InHousehold<Helper> {
    /// Asks whether the account is the household's helper now, and still a helper at its area.
    ///
    /// # Errors
    /// [`Error::NotFound`] when not, as for a household that does not exist.
    pub async fn prove(
        connection: &mut AnyConnection,
        account: AccountId,
        household: HouseholdId,
    ) -> Result<Self, Error> {
        let sql = format!(
            "select household.id from household \
             join household_helper own on own.household_id = household.id \
             where household.id = $1 and own.account_id = $2 and {ANSWERS}"
        );
        let row: Option<(HouseholdId,)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(household)
            .bind(account)
            .fetch_optional(connection)
            .await?;
        let (household,) = row.ok_or(Error::NotFound)?;
        Ok(Self {
            account,
            household,
            role: PhantomData,
        })
    }
}

impl<S> FromRequestParts<S> for InHousehold<Helper>
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let helper = Has::<Helper>::from_request_parts(parts, state).await?;
        let household = path_id(parts, state, "household_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        Self::prove(&mut connection, helper.account(), household).await
    }
}
