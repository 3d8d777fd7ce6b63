//! Proofs of a part in a live class, for the class `{class_id}` of the path.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use sqlx::AnyConnection;

use super::participants::{self, Participant};
use super::room::act::Role;
use super::store::{self, Class};
use crate::clock::Clock;
use crate::courses::proof::InCourse;
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, LiveClassId};
use crate::learning::enrolment;
use crate::people::access::path_id;
use crate::people::{SignedIn, Teacher};

/// What is proved about a class, as a type.
pub trait PartKind: Send + Sync + 'static {
    /// Whether somebody has it.
    fn allows(role: Role, admitted: bool) -> bool;
}

/// Hosts and co-hosts.
#[derive(Clone, Copy, Debug)]
pub struct Leader;

/// Everybody who is let in: leaders, learners of the course, observers, guests.
#[derive(Clone, Copy, Debug)]
pub struct Inside;

/// Those and guests who wait to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Invited;

impl PartKind for Leader {
    fn allows(role: Role, _: bool) -> bool {
        role.leads()
    }
}

impl PartKind for Inside {
    fn allows(_: Role, admitted: bool) -> bool {
        admitted
    }
}

impl PartKind for Invited {
    fn allows(_: Role, _: bool) -> bool {
        true
    }
}

/// Proof of a part in a class.
#[derive(Clone, Debug)]
pub struct InClass<K> {
    account: AccountId,
    class: Class,
    role: Role,
    participant: Option<Participant>,
    lowered: bool,
    kind: PhantomData<K>,
}

impl<K: PartKind> InClass<K> {
    /// Asks the database: a teacher of the course leads, a learner of the course takes part, and so
    /// does a guest of the class. Who was sent out is none of them. The part that somebody came with holds no
    /// longer than the course gives it; one that a leader of the class gave stays.
    ///
    /// # Errors
    /// [`Error::NotFound`] for everybody else; [`Error::Forbidden`] for who has another part.
    pub async fn prove(
        connection: &mut AnyConnection,
        account: AccountId,
        class: LiveClassId,
    ) -> Result<Self, Error> {
        let class = store::find(&mut *connection, class)
            .await?
            .ok_or(Error::NotFound)?;
        let participant = participants::find(&mut *connection, class.id, account).await?;
        let guest = match &participant {
            Some(part) if part.removed_at.is_some() => return Err(Error::NotFound),
            Some(part) => part.guest_since.is_some(),
            None => false,
        };
        let role = if guest {
            None
        } else {
            Some(Self::role_of(&mut *connection, account, &class).await?)
        };
        let kept = match &participant {
            Some(part) => Some(part.role()?),
            None => None,
        };
        let given = participant
            .as_ref()
            .is_some_and(|part| part.role_given_at.is_some());
        let role = match (kept, role) {
            (Some(kept), Some(role)) if !given => kept.min(role),
            (kept, role) => kept.or(role).ok_or(Error::NotFound)?,
        };
        let admitted = participant
            .as_ref()
            .is_none_or(|part| part.admitted_at.is_some());
        if !K::allows(role, admitted) {
            // Of a class that somebody may see, the part is no secret.
            return Err(Error::Forbidden);
        }
        Ok(Self {
            account,
            class,
            role,
            participant,
            lowered: kept.is_some_and(|kept| kept > role),
            kind: PhantomData,
        })
    }

    async fn role_of(
        connection: &mut AnyConnection,
        account: AccountId,
        class: &Class,
    ) -> Result<Role, Error> {
        match InCourse::<Teacher>::prove(&mut *connection, account, class.course_id).await {
            Ok(_) if class.created_by == account => return Ok(Role::Host),
            Ok(_) => return Ok(Role::CoHost),
            Err(Error::NotFound) => {}
            Err(other) => return Err(other),
        }
        let enrolled = enrolment::find(connection, class.course_id, account).await?;
        enrolled.map(|_| Role::Learner).ok_or(Error::NotFound)
    }

    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Which class.
    #[must_use]
    pub fn class(&self) -> LiveClassId {
        self.class.id
    }

    /// The class as it was when this was proved.
    #[must_use]
    pub fn row(&self) -> &Class {
        &self.class
    }

    /// Part.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// As somebody who was in the room, or was invited to it.
    #[must_use]
    pub fn participant(&self) -> Option<&Participant> {
        self.participant.as_ref()
    }

    /// Whether it is a lesser part than he or she came with.
    #[must_use]
    pub fn is_lowered(&self) -> bool {
        self.lowered
    }

    /// Whether it is somebody who came by the class code alone.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.participant
            .as_ref()
            .is_some_and(|part| part.guest_since.is_some())
    }

    /// The same as a weaker proof.
    #[must_use]
    pub fn invited(&self) -> InClass<Invited> {
        InClass {
            account: self.account,
            class: self.class.clone(),
            role: self.role,
            participant: self.participant.clone(),
            lowered: self.lowered,
            kind: PhantomData,
        }
    }
}

impl<S, K> FromRequestParts<S> for InClass<K>
where
    S: Send + Sync,
    K: PartKind,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let person = SignedIn::from_request_parts(parts, state).await?;
        let class = path_id(parts, state, "class_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        Self::prove(&mut connection, person.account(), class).await
    }
}
