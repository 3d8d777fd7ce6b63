//! Slows down guessing: tries from one address, and for one name.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::accounts::GivenName;
use crate::config::Config;
use crate::error::Error;

/// Keys kept before those at rest are forgotten.
const MOST_KEYS: usize = 20_000;
/// When none is at rest, further keys share this many.
const SHARED_KEYS: u64 = 4_096;
/// Tries for one name at once; then one each [`NAME_EVERY`].
const NAME_BURST: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");
const NAME_EVERY: Duration = Duration::from_secs(30);
/// Tries from one address at once: a whole class signs in behind one router.
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::new(120).expect("120 is not zero");
const ADDRESS_EVERY: Duration = Duration::from_secs(1);

type Limiter = RateLimiter<u64, DefaultKeyedStateStore<u64>, DefaultClock>;

/// Where a request comes from: the connection's address or, behind a proxy that the operator
/// trusts, the one that the proxy saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameFrom(pub IpAddr);

impl<S> FromRequestParts<S> for CameFrom
where
    S: Send + Sync,
    Arc<Config>: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(|error| Error::Internal(error.to_string()))?;
        let trusted = <Arc<Config> as FromRef<S>>::from_ref(state).trusted_proxy;
        let seen = trusted.then(|| seen_by_proxy(&parts.headers)).flatten();
        Ok(Self(seen.unwrap_or(peer.ip())))
    }
}

/// The last entry of `X-Forwarded-For`: the proxy appends it, all before it came from outside.
fn seen_by_proxy(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// The limits of one node.
#[derive(Clone)]
pub struct SignInLimit {
    names: Arc<Limiter>,
    addresses: Arc<Limiter>,
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
    /// Counts a try with a name. The address comes first, so that one that is over its limit uses
    /// up neither names nor memory.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the time to wait.
    pub fn check(&self, name: &GivenName, from: CameFrom) -> Result<(), Error> {
        self.check_address(from)?;
        self.allow(&self.names, name)
    }

    /// The same with a card's token.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the time to wait.
    pub fn check_card(&self, token: &str, from: CameFrom) -> Result<(), Error> {
        self.check_address(from)?;
        self.allow(&self.names, token)
    }

    /// Counts a try from an address, for what a whole class tries alike.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the time to wait.
    pub fn check_address(&self, from: CameFrom) -> Result<(), Error> {
        self.allow(&self.addresses, network(from.0))
    }

    fn allow(&self, limiter: &Limiter, key: impl Hash) -> Result<(), Error> {
        let mut key = self.hasher.hash_one(key);
        if limiter.len() >= MOST_KEYS {
            limiter.retain_recent();
        }
        if limiter.len() >= MOST_KEYS {
            key %= SHARED_KEYS;
        }
        limiter.check_key(&key).map_err(|early| {
            let wait = early.wait_time_from(DefaultClock::default().now());
            Error::TooMany {
                retry_after_s: wait.as_secs() + 1,
            }
        })
    }
}

/// Whoever has one address of IPv6 has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> CameFrom {
        CameFrom(address.parse().unwrap())
    }

    fn named(given: &str) -> GivenName {
        GivenName::new(given)
    }

    #[test]
    fn one_name_is_slowed_down_and_others_are_not() {
        let limit = SignInLimit::default();
        let from = from("192.0.2.1");
        let tries = (0..20)
            .filter(|_| limit.check(&named("LiNa"), from).is_ok())
            .count();
        assert_eq!(tries, 10);
        assert!(limit.check(&named("lina "), from).is_err());
        assert!(limit.check(&named("WangFang"), from).is_ok());
    }

    #[test]
    fn however_a_phone_number_is_written_it_is_one() {
        let limit = SignInLimit::default();
        let tries = (1..20)
            .map(|dashes| format!(" (138){}0000-0001", "-".repeat(dashes)))
            .filter(|phone| limit.check(&named(phone), from("192.0.2.1")).is_ok())
            .count();
        assert_eq!(tries, 10);
    }

    #[test]
    fn an_address_that_tries_many_names_uses_up_no_memory() {
        let limit = SignInLimit::default();
        for number in 0..10_000 {
            let host = number % 4;
            let _ = limit.check(
                &named(&number.to_string()),
                from(&format!("2001:db8::{host}")),
            );
        }
        assert_eq!(limit.addresses.len(), 1);
        assert!(limit.names.len() < 200, "{}", limit.names.len());
        assert!(limit.check(&named("LiNa"), from("192.0.2.1")).is_ok());
    }

    #[test]
    fn keys_are_bounded_though_every_address_is_new() {
        let limit = SignInLimit::default();
        for number in 0..60_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            let _ = limit.check(&named("LiNa"), CameFrom(address));
        }
        let most = MOST_KEYS + usize::try_from(SHARED_KEYS).unwrap();
        assert!(limit.addresses.len() <= most, "{}", limit.addresses.len());
    }

    #[test]
    fn only_what_the_proxy_itself_saw_is_believed() {
        let mut headers = HeaderMap::new();
        assert_eq!(seen_by_proxy(&headers), None);
        headers.append("x-forwarded-for", "198.51.100.9".parse().unwrap());
        headers.append("x-forwarded-for", "10.0.0.1, 203.0.113.7".parse().unwrap());
        assert_eq!(seen_by_proxy(&headers), Some([203, 0, 113, 7].into()));
        headers.append("x-forwarded-for", "unknown".parse().unwrap());
        assert_eq!(seen_by_proxy(&headers), None);
    }
}
