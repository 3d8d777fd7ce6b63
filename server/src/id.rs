//! Identifiers: UUIDv7 (RFC 9562), kept as text, one type for each kind of thing.

/// Why a text is not an identifier.
#[derive(Debug, thiserror::Error)]
#[error("not an identifier")]
pub struct NotAnId;

/// Defines identifier types that cannot be mistaken for each other.
#[macro_export]
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A new one, later than all made before by this process.
            #[must_use]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl $name {
            /// The id that a page put into its form, so that a form that is sent twice makes one thing.
            /// Without one, or with one that no page can have made by now, a new one.
            #[must_use]
            pub fn of_form(given: Option<Self>) -> Self {
                let now = Self::new();
                given
                    .filter(|given| given.0.get_version_num() == 7 && *given <= now)
                    .unwrap_or(now)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::NotAnId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                uuid::Uuid::try_parse(text).map(Self).map_err(|_| $crate::id::NotAnId)
            }
        }

        impl sqlx::Type<sqlx::Any> for $name {
            fn type_info() -> sqlx::any::AnyTypeInfo {
                <String as sqlx::Type<sqlx::Any>>::type_info()
            }
        }

        impl<'q> sqlx::Encode<'q, sqlx::Any> for $name {
            fn encode_by_ref(
                &self,
                buffer: &mut <sqlx::Any as sqlx::Database>::ArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <String as sqlx::Encode<sqlx::Any>>::encode(self.0.to_string(), buffer)
            }
        }

        impl<'r> sqlx::Decode<'r, sqlx::Any> for $name {
            fn decode(
                value: <sqlx::Any as sqlx::Database>::ValueRef<'r>,
            ) -> Result<Self, sqlx::error::BoxDynError> {
                let text = <&str as sqlx::Decode<sqlx::Any>>::decode(value)?;
                Ok(text.parse()?)
            }
        }
    )+};
}

ids! {
    /// A person who can sign in.
    AccountId;
    /// A role given to an account at an area.
    GrantId;
    /// A printed sign-in card.
    CardId;
    /// A node of the administrative tree.
    AreaId;
    /// A course.
    CourseId;
    /// A published version of a course.
    VersionId;
    /// A module of a course.
    ModuleId;
    /// A lesson of a course.
    LessonId;
    /// Learners who take a course together.
    CohortId;
    /// A resumable upload.
    UploadId;
    /// A piece of work for a worker.
    JobId;
    /// What a learner watches.
    TimelineId;
    /// Captions that a teacher gave.
    CaptionId;
    /// One learner on one course.
    EnrolmentId;
    /// A live class.
    LiveClassId;
    /// Classes that repeat.
    SeriesId;
    /// Somebody in a live class.
    ParticipantId;
    /// Something that somebody did in a live class, made by the client.
    ActId;
    /// A line on the board, made by the client.
    StrokeId;
    /// A question to a class, made by the client.
    PollId;
    /// Uploaded slides.
    DeckId;
    /// A secret with which an encoder publishes into a class.
    StreamKeyId;
    /// One recorder or encoder from its start to its end.
    RunId;
    /// One opening of a timeline by one learner.
    PlaySessionId;
    /// A played interval, made by the client.
    IntervalId;
    /// A report that was not credited.
    FlagId;
    /// A certificate.
    CredentialId;
    /// A supported household.
    HouseholdId;
    /// A person of a household.
    MemberId;
    /// A time during which a person belongs to a household.
    MembershipId;
    /// A time during which an officer is a household's helper.
    HelperId;
    /// A household's support plan.
    PlanId;
    /// One version of a support plan.
    PlanVersionId;
    /// A measure of a support plan.
    MeasureId;
    /// An entry of a measure's history.
    MeasureEventId;
    /// Something a person should see.
    NoticeId;
}
