//! Slows down guessing: tries for one name, and from one address.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::error::Error;

/// Keys kept before those at rest are forgotten.
const MOST_KEYS: usize = 20_000;
/// Tries for one name at once; then one each [`NAME_EVERY`].
const NAME_BURST: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");
const NAME_EVERY: Duration = Duration::from_secs(30);
/// Tries from one address at once: a whole class signs in behind one router.
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::new(120).expect("120 is not zero");
const ADDRESS_EVERY: Duration = Duration::from_secs(1);

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>;

/// The limits of one node.
#[derive(Clone)]
pub struct SignInLimit {
    names: Arc<Limiter<u64>>,
    addresses: Arc<Limiter<IpAddr>>,
    hasher: RandomState,
}

impl Default for SignInLimit {
    fn default() -> Self {
        let quota = |every: Duration, burst| {
            Quota::with_period(every)
                .unwrap_or(Quota::per_second(burst))
                .allow_burst(burst)
        };
        Self {
            names: Arc::new(RateLimiter::keyed(quota(NAME_EVERY, NAME_BURST))),
            addresses: Arc::new(RateLimiter::keyed(quota(ADDRESS_EVERY, ADDRESS_BURST))),
            hasher: RandomState::new(),
        }
    }
}

impl SignInLimit {
    /// Counts a try with a name or a card's token.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the time to wait.
    pub fn check(&self, name: &str, from: IpAddr) -> Result<(), Error> {
        let name = self.hasher.hash_one(name.trim().to_lowercase());
        allow(&self.names, &name)?;
        allow(&self.addresses, &from)
    }
}

fn allow<K: std::hash::Hash + Eq + Clone>(limiter: &Limiter<K>, key: &K) -> Result<(), Error> {
    if limiter.len() > MOST_KEYS {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|early| {
        let wait = early.wait_time_from(DefaultClock::default().now());
        Error::TooMany {
            retry_after_s: wait.as_secs() + 1,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_slowed_down_and_others_are_not() {
        let limit = SignInLimit::default();
        let from = IpAddr::from([192, 0, 2, 1]);
        let tries = (0..20)
            .filter(|_| limit.check("Li Na", from).is_ok())
            .count();
        assert_eq!(tries, 10);
        assert!(limit.check("li na ", from).is_err());
        assert!(limit.check("Wang Fang", from).is_ok());
    }
}
