//! Crediting claims in one transaction.

use std::time::Duration;

use super::delivered::{Delivered, MOST_RATE_PERMILLE, Wall};
use super::store::Pieces;
use super::{Claim, Evidence, Outcome, Reason, store};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{IntervalId, PlaySessionId};
use crate::learning::access::MayWatch;
use crate::learning::watched::{Interval, Intervals};

/// Shortest interval of one claim, as players have it; what ends at the end may be shorter.
pub const SHORTEST_CLAIM_MS: i64 = 100;
/// Longest interval of one claim; players report every few seconds.
pub const LONGEST_CLAIM_MS: i64 = 10 * 60 * 1000;
/// Most claims of one report.
pub const MOST_CLAIMS: usize = 100;
/// Timers and clocks of honest players run early by no more than this. It is lent once: the clock
/// may be used up this far ahead of the present, never again on top.
pub const SLACK: Duration = Duration::from_secs(2);
/// Wall clock before this much ago cannot be used any more.
pub const LONGEST_PAST: Duration = Duration::from_secs(2 * 3600);
/// Intervals credited to an account within [`LONGEST_PAST`]: one for each two seconds, where players
/// report each ten.
pub const MOST_LATELY: usize = 3600;
/// Intervals credited to an account of one timeline, beside one for each second of it.
pub const MOST_OF_TIMELINE: usize = 1000;
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
        if claims.is_empty() {
            let played = store::played(&mut *self.db.read().await?, right)
                .await?
                .parts;
            verdict.watched_permille = share(account, played);
            return Ok(verdict);
        }
        let mut transaction = self.db.write().await?;
        let tx = &mut *transaction;
        store::open_session(&mut *tx, right, account.session, account.device, now).await?;
        let mut books = Books {
            used: store::lock_clock(&mut *tx, right.account()).await?,
            lately: store::taken(&mut *tx, right.account(), past(now)).await?,
            played: store::played(&mut *tx, right).await?,
        };
        let (mut reached, mut news) = (None, false);
        for claim in claims {
            let credited = self.account_for(&mut *tx, account, *claim, &mut books, now);
            match credited.await? {
                Credited::Before => {}
                Credited::Now | Credited::Again => {
                    reached = reached.max(Some(claim.until_ms.min(account.duration_ms)));
                    news = true;
                }
                Credited::Not(reason) => {
                    verdict.refused.push((claim.id, reason));
                    continue;
                }
            }
            verdict.credited.push(claim.id);
        }
        if let Some(reached_ms) = reached {
            store::reach(&mut *tx, account.session, reached_ms, now).await?;
        }
        verdict.watched_permille = share(account, books.played.parts);
        if news {
            verdict.outcome = self
                .watched
                .watched(&mut *tx, right.account(), right.lesson(), now)
                .await?;
        }
        transaction.commit().await?;
        Ok(verdict)
    }

    /// Credits one claim or flags it.
    async fn account_for(
        &self,
        tx: &mut sqlx::AnyConnection,
        account: &Account<'_>,
        claim: Claim,
        books: &mut Books,
        now: Timestamp,
    ) -> Result<Credited, Error> {
        let right = account.right;
        if let Some((whose, what)) = store::credited_before(&mut *tx, claim.id).await? {
            return Ok(if whose == right.account() && what == right.timeline() {
                Credited::Before
            } else {
                // The id is taken by another's interval; a flag under it would be a lie.
                Credited::Not(Reason::OutOfRange)
            });
        }
        let judged = match within(account, claim) {
            Ok(claim) if books.played.parts.covers(interval(claim)) => return Ok(Credited::Again),
            Ok(_) if books.are_full(account) => Err(Reason::TooFine),
            _ => judge(account, claim, &books.lately.parts, now),
        };
        let mut reason = match judged {
            Ok((claim, wall)) => {
                let until = books.used.max(wall.until);
                if !store::move_clock(&mut *tx, right.account(), books.used, until).await? {
                    return Err(Error::Busy);
                }
                store::append_interval(&mut *tx, right, account.session, claim, wall, now).await?;
                books.used = until;
                books.lately.add(Interval {
                    from_ms: wall.from.0,
                    until_ms: wall.until.0,
                });
                books.played.add(interval(claim));
                return Ok(Credited::Now);
            }
            Err(reason) => reason,
        };
        if reason == Reason::FasterThanTime && self.clashed(&mut *tx, account, claim, now).await? {
            reason = Reason::TwoAtOnce;
        }
        let kept = bounded(claim);
        store::append_flag(&mut *tx, right, account.session, kept, reason, now).await?;
        Ok(Credited::Not(reason))
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

/// What was credited so far, while the account's clock is locked.
struct Books {
    used: Timestamp,
    /// Wall clock that can still be used and is taken.
    lately: Pieces,
    /// Of the timeline.
    played: Pieces,
}

impl Books {
    fn are_full(&self, account: &Account<'_>) -> bool {
        let seconds = usize::try_from(account.duration_ms / 1000).unwrap_or(0);
        self.lately.rows >= MOST_LATELY || self.played.rows >= MOST_OF_TIMELINE + seconds
    }
}

/// What became of one claim.
enum Credited {
    Now,
    /// Under the same id.
    Before,
    /// All of it, by other claims: nothing is added and no time is taken.
    Again,
    Not(Reason),
}

fn interval(claim: Claim) -> Interval {
    Interval {
        from_ms: claim.from_ms,
        until_ms: claim.until_ms,
    }
}

/// Share of what the timeline shows, in thousandths.
fn share(account: &Account<'_>, played: Intervals) -> i64 {
    let trim = account.right.trim();
    let length_ms = trim.length_ms(account.duration_ms);
    (played.within(trim).total_ms() * 1000 / length_ms.max(1)).clamp(0, 1000)
}

/// The claim as it lies in the timeline.
fn within(account: &Account<'_>, mut claim: Claim) -> Result<Claim, Reason> {
    if claim.until_ms <= account.duration_ms.saturating_add(END_MS) {
        claim.until_ms = claim.until_ms.min(account.duration_ms);
        claim.from_ms = claim.from_ms.min(account.duration_ms - 1);
    }
    let length = claim.until_ms.saturating_sub(claim.from_ms);
    let inside = claim.from_ms >= 0 && claim.until_ms <= account.duration_ms;
    if !inside || length <= 0 || length > LONGEST_CLAIM_MS || claim.rate_permille <= 0 {
        return Err(Reason::OutOfRange);
    }
    let shown_until_ms = account.right.trim().end_ms(account.duration_ms);
    let at_an_end = [account.duration_ms, shown_until_ms].contains(&claim.until_ms);
    if length < SHORTEST_CLAIM_MS && !at_an_end {
        return Err(Reason::TooFine);
    }
    Ok(claim)
}

/// The rules for one claim, given the wall clock that is taken already: the claim as it is credited and
/// the wall clock it takes.
///
/// # Errors
/// The reason to refuse it.
pub fn judge(
    account: &Account<'_>,
    claim: Claim,
    taken: &Intervals,
    now: Timestamp,
) -> Result<(Claim, Wall), Reason> {
    let claim = within(account, claim)?;
    if claim.rate_permille > MOST_RATE_PERMILLE {
        return Err(Reason::FasterThanTime);
    }
    let wall = account
        .delivered
        .pack(interval(claim), past(now), taken)
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
