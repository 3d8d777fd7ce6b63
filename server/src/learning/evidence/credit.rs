//! Crediting claims in one transaction.

use std::time::Duration;

use super::delivered::{Delivered, MOST_RATE_PERMILLE, Wall};
use super::{Claim, Evidence, Outcome, Reason, store};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{IntervalId, PlaySessionId};
use crate::learning::access::MayWatch;
use crate::learning::progress;
use crate::learning::watched::{Interval, Intervals};

/// Longest interval of one claim; players report every few seconds.
pub const LONGEST_CLAIM_MS: i64 = 10 * 60 * 1000;
/// Most claims of one report.
pub const MOST_CLAIMS: usize = 100;
/// Timers and clocks of honest players run early by no more than this. It is lent once: the clock
/// may be used up this far ahead of the present, never again on top.
pub const SLACK: Duration = Duration::from_secs(2);
/// Wall clock before this much ago cannot be used any more.
pub const LONGEST_PAST: Duration = Duration::from_secs(2 * 3600);
/// Players' ends of a timeline differ from the server's by audio frames.
const END_MS: i64 = 1000;

/// Whose claims of what.
#[derive(Clone, Debug)]
pub struct Account<'a> {
    /// Proof of the right to watch.
    pub right: MayWatch,
    /// The opening of the timeline, made by the client.
    pub session: PlaySessionId,
    /// Short words.
    pub device: &'a str,
    /// Length of the timeline.
    pub duration_ms: i64,
    /// What was sent.
    pub delivered: &'a Delivered,
}

/// What became of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Credited now or before.
    pub credited: Vec<IntervalId>,
    /// Not credited.
    pub refused: Vec<(IntervalId, Reason)>,
    /// Share of what the timeline shows that was watched so far, in thousandths, rounded down.
    pub watched_permille: i64,
    /// What the credit brought about.
    pub outcome: Outcome,
}

impl Evidence {
    /// Credits what the rules allow, flags the rest, all durable when it returns.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the play session belongs to somebody else; [`Error::Malformed`] for
    /// too many claims; when the database fails. Nothing was credited then.
    pub async fn credit(&self, account: &Account<'_>, claims: &[Claim]) -> Result<Verdict, Error> {
        if claims.len() > MOST_CLAIMS {
            return Err(Error::Malformed("too many intervals in one message".into()));
        }
        let mut verdict = Verdict::default();
        if !account.right.counts() {
            // A teacher who looks at the own course: nothing to account for, nothing to keep.
            verdict.credited = claims.iter().map(|claim| claim.id).collect();
            return Ok(verdict);
        }
        let now = self.now();
        let right = account.right;
        // What was played before it was left out is handed in late.
        let account = &Account {
            duration_ms: account.duration_ms.max(right.duration_ms()),
            ..account.clone()
        };
        let mut transaction = self.db.write().await?;
        let tx = &mut *transaction;
        store::open_session(&mut *tx, right, account.session, account.device, now).await?;
        let mut used = store::lock_clock(&mut *tx, right.account()).await?;
        let mut taken = store::taken(&mut *tx, right.account(), past(now)).await?;
        let mut appended = false;
        for claim in claims {
            if let Some((whose, what)) = store::credited_before(&mut *tx, claim.id).await? {
                if whose == right.account() && what == right.timeline() {
                    verdict.credited.push(claim.id);
                } else {
                    // The id is taken by another's interval; a flag under it would be a lie.
                    verdict.refused.push((claim.id, Reason::OutOfRange));
                }
                continue;
            }
            match judge(account, *claim, &taken, now) {
                Ok((claim, wall)) => {
                    let until = used.max(wall.until);
                    if !store::move_clock(&mut *tx, right.account(), used, until).await? {
                        return Err(Error::Busy);
                    }
                    store::append_interval(&mut *tx, right, account.session, claim, wall, now)
                        .await?;
                    used = until;
                    taken.add(Interval {
                        from_ms: wall.from.0,
                        until_ms: wall.until.0,
                    });
                    appended = true;
                    verdict.credited.push(claim.id);
                }
                Err(mut reason) => {
                    if reason == Reason::FasterThanTime
                        && self.clashed(&mut *tx, account, *claim, now).await?
                    {
                        reason = Reason::TwoAtOnce;
                    }
                    let kept = bounded(*claim);
                    store::append_flag(&mut *tx, right, account.session, kept, reason, now).await?;
                    verdict.refused.push((claim.id, reason));
                }
            }
        }
        let watched =
            progress::of_timeline(&mut *tx, right.account(), right.lesson(), right.timeline())
                .await?;
        let length_ms = right.trim().length_ms(account.duration_ms);
        verdict.watched_permille = (watched.total_ms() * 1000 / length_ms.max(1)).clamp(0, 1000);
        if appended {
            verdict.outcome = self
                .watched
                .watched(&mut *tx, right.account(), right.lesson(), now)
                .await?;
        }
        transaction.commit().await?;
        Ok(verdict)
    }

    /// Whether the claim would fit if no other play session had used the clock.
    async fn clashed(
        &self,
        connection: &mut sqlx::AnyConnection,
        account: &Account<'_>,
        claim: Claim,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let Ok((_, wall)) = judge(account, claim, &Intervals::default(), now) else {
            return Ok(false);
        };
        store::another_session_used(
            connection,
            account.right.account(),
            account.session,
            wall.from,
        )
        .await
    }
}

/// The rules for one claim, given the wall clock that is taken already: the claim as it is credited and
/// the wall clock it takes.
///
/// # Errors
/// The reason to refuse it.
pub fn judge(
    account: &Account<'_>,
    mut claim: Claim,
    taken: &Intervals,
    now: Timestamp,
) -> Result<(Claim, Wall), Reason> {
    if claim.until_ms <= account.duration_ms.saturating_add(END_MS) {
        claim.until_ms = claim.until_ms.min(account.duration_ms);
        claim.from_ms = claim.from_ms.min(account.duration_ms - 1);
    }
    let length = claim.until_ms.saturating_sub(claim.from_ms);
    let inside = claim.from_ms >= 0 && claim.until_ms <= account.duration_ms;
    if !inside || length <= 0 || length > LONGEST_CLAIM_MS || claim.rate_permille <= 0 {
        return Err(Reason::OutOfRange);
    }
    if claim.rate_permille > MOST_RATE_PERMILLE {
        return Err(Reason::FasterThanTime);
    }
    let interval = Interval {
        from_ms: claim.from_ms,
        until_ms: claim.until_ms,
    };
    let wall = account
        .delivered
        .pack(interval, past(now), taken)
        .ok_or(Reason::NotDelivered)?;
    if wall.until > now.after(SLACK) {
        return Err(Reason::FasterThanTime);
    }
    Ok((claim, wall))
}

/// Where the wall clock that can still be used begins.
fn past(now: Timestamp) -> Timestamp {
    Timestamp(now.0 - i64::try_from(LONGEST_PAST.as_millis()).unwrap_or(0))
}

/// A refused claim as it is kept: whatever numbers were sent.
fn bounded(claim: Claim) -> Claim {
    Claim {
        from_ms: claim.from_ms.max(0),
        until_ms: claim.until_ms.max(0),
        ..claim
    }
}
