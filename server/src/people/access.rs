//! Proofs of a role: [`Has`] anywhere, [`InArea`] at the area of the path.

use std::collections::HashMap;
use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts, Path};
use axum::http::request::Parts;
use sqlx::AnyConnection;

use super::{Role, SignedIn};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, AreaId};

/// A role as a type.
pub trait RoleKind: Send + Sync + 'static {
    /// The same as a value.
    const ROLE: Role;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl RoleKind for $name {
            const ROLE: Role = Role::$name;
        }
    )+};
}

roles! {
    /// See [`Role::Teacher`].
    Teacher;
    /// See [`Role::Helper`].
    Helper;
    /// See [`Role::AreaManager`].
    AreaManager;
    /// See [`Role::Auditor`].
    Auditor;
    /// See [`Role::Administrator`].
    Administrator;
}

/// Proof that the account has the role at some area; a store joins `area_closure` on
/// [`Has::areas`] for lists.
#[derive(Clone, Debug)]
pub struct Has<R> {
    signed_in: SignedIn,
    role: PhantomData<R>,
}

impl<R: RoleKind> Has<R> {
    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.signed_in.account()
    }

    /// Who, with name and grants.
    #[must_use]
    pub fn signed_in(&self) -> &SignedIn {
        &self.signed_in
    }

    /// The tops of the parts of the tree where the role holds; never empty.
    #[must_use]
    pub fn areas(&self) -> Vec<AreaId> {
        self.signed_in
            .grants()
            .iter()
            .filter(|grant| grant.role == R::ROLE)
            .map(|grant| grant.area)
            .collect()
    }

    /// Whether the role holds at `area`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn covers(
        &self,
        connection: &mut AnyConnection,
        area: AreaId,
    ) -> Result<bool, Error> {
        covers(connection, self.account(), R::ROLE, area).await
    }
}

impl<S, R> FromRequestParts<S> for Has<R>
where
    S: Send + Sync,
    R: RoleKind,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        if !signed_in.has(R::ROLE) {
            return Err(Error::Forbidden);
        }
        Ok(Self {
            signed_in,
            role: PhantomData,
        })
    }
}

/// Proof that the account has the role at the area `{area_id}` of the path or above it.
#[derive(Clone, Debug)]
pub struct InArea<R> {
    account: AccountId,
    area: AreaId,
    role: PhantomData<R>,
}

impl<R: RoleKind> InArea<R> {
    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Where.
    #[must_use]
    pub fn area(&self) -> AreaId {
        self.area
    }
}

impl<S, R> FromRequestParts<S> for InArea<R>
where
    S: Send + Sync,
    R: RoleKind,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let has = Has::<R>::from_request_parts(parts, state).await?;
        let area = path_id(parts, state, "area_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        // An area outside is answered like one that does not exist.
        if !has.covers(&mut connection, area).await? {
            return Err(Error::NotFound);
        }
        Ok(Self {
            account: has.account(),
            area,
            role: PhantomData,
        })
    }
}

/// An id of the path. For extractors of proofs only: handlers take the proof.
///
/// # Errors
/// [`Error::NotFound`] when it is not an id, since no such page exists.
pub async fn path_id<S, T>(parts: &mut Parts, state: &S, name: &str) -> Result<T, Error>
where
    S: Send + Sync,
    T: std::str::FromStr,
{
    let Path(path) = Path::<HashMap<String, String>>::from_request_parts(parts, state)
        .await
        .map_err(|_| Error::NotFound)?;
    path.get(name)
        .and_then(|text| text.parse().ok())
        .ok_or(Error::NotFound)
}

/// Condition on `own` (a row of `household_helper`) and `household`: the helper answers for the
/// household now, and still is a helper at its area. Proofs and lists share it.
pub const ANSWERS: &str = "own.until is null and exists (select 1 from account_grant \
    join area_closure closure on closure.ancestor_id = account_grant.area_id \
    where account_grant.account_id = own.account_id and account_grant.role = 'helper' \
    and account_grant.revoked_at is null and closure.descendant_id = household.area_id) ";

/// Whether `account` has `role` at `area` or above it.
///
/// # Errors
/// When the database fails.
pub async fn covers(
    connection: &mut AnyConnection,
    account: AccountId,
    role: Role,
    area: AreaId,
) -> Result<bool, Error> {
    let row: Option<(i64,)> = sqlx::query_as(
        "select closure.depth from account_grant \
         join area_closure closure on closure.ancestor_id = account_grant.area_id \
         where account_grant.account_id = $1 and account_grant.role = $2 \
         and account_grant.revoked_at is null and closure.descendant_id = $3 limit 1",
    )
    .bind(account)
    .bind(role.word())
    .bind(area)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}
