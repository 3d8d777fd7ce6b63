//! The ways in which a socket ends.

/// Why a socket is closed (RFC 6455 section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Farewell {
    /// Status; 0 when nobody is there to hear it.
    pub(super) code: u16,
    /// For the client: nothing can be played, so that connecting again is of no use.
    pub(super) problem: Option<&'static str>,
    pub(super) reason: &'static str,
}

const fn farewell(code: u16, problem: Option<&'static str>, reason: &'static str) -> Farewell {
    Farewell {
        code,
        problem,
        reason,
    }
}

pub(super) const BYE: Farewell = farewell(1000, None, "bye");
pub(super) const MALFORMED: Farewell = farewell(1008, Some("malformed"), "malformed");
pub(super) const NOT_FOUND: Farewell = farewell(1008, Some("not_found"), "not found");
pub(super) const NO_CODEC: Farewell = farewell(1008, Some("no_codec"), "nothing to decode");
pub(super) const NO_HELLO: Farewell = farewell(1008, None, "no hello in time");
pub(super) const TOO_MANY_MESSAGES: Farewell = farewell(1008, None, "too many messages");
pub(super) const TOO_MANY_REFUSED: Farewell = farewell(1008, None, "too many refused intervals");
pub(super) const SIGNED_OUT: Farewell = farewell(1008, Some("sign_in_needed"), "signed out");
pub(super) const SEAT_TAKEN: Farewell =
    farewell(1008, Some("too_many_connections"), "too many connections");
pub(super) const STOPPING: Farewell = farewell(1012, None, "restart");
pub(super) const TRY_LATER: Farewell = farewell(1013, None, "try again later");
/// The other side is gone: nothing is said.
pub(super) const GONE: Farewell = farewell(0, None, "");
