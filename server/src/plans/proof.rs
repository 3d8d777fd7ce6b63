//! Proof that a measure belongs to a household of the helper.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use sqlx::AnyConnection;

use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::households::proof::InHousehold;
use crate::id::{AccountId, HouseholdId, MeasureId};
use crate::people::access::path_id;
use crate::people::{Has, Helper};

/// Proof for the measure `{measure_id}` of the path.
#[derive(Clone, Debug)]
pub struct InMeasure<R> {
    household: InHousehold<R>,
    measure: MeasureId,
}

impl<R> InMeasure<R> {
    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.household.account()
    }

    /// The measure.
    #[must_use]
    pub fn measure(&self) -> MeasureId {
        self.measure
    }

    /// Proof for the household.
    #[must_use]
    pub fn household(&self) -> &InHousehold<R> {
        &self.household
    }
}

impl InMeasure<Helper> {
    /// Asks the database.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not so, as for a measure that does not exist.
    pub async fn prove(
        connection: &mut AnyConnection,
        account: AccountId,
        measure: MeasureId,
    ) -> Result<Self, Error> {
        let row: Option<(HouseholdId,)> = sqlx::query_as(
            "select support_plan.household_id from measure \
             join support_plan on support_plan.id = measure.plan_id where measure.id = $1",
        )
        .bind(measure)
        .fetch_optional(&mut *connection)
        .await?;
        let (household,) = row.ok_or(Error::NotFound)?;
        Ok(Self {
            household: InHousehold::prove(connection, account, household).await?,
            measure,
        })
    }
}

impl<S> FromRequestParts<S> for InMeasure<Helper>
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let helper = Has::<Helper>::from_request_parts(parts, state).await?;
        let measure = path_id(parts, state, "measure_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        Self::prove(&mut connection, helper.account(), measure).await
    }
}
