//! How many sockets one account may hold: the newest stay, since an old one is often a dead one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::id::AccountId;

/// Sockets of one account on one node.
pub const MOST_SEATS: usize = 4;

type Held = HashMap<AccountId, Vec<(u64, CancellationToken)>>;

/// All seats of a node.
#[derive(Clone, Debug, Default)]
pub struct Seats {
    held: Arc<Mutex<(u64, Held)>>,
}

/// The right to hold one socket; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    account: AccountId,
    number: u64,
    /// Cancelled when a newer socket takes the seat, or nobody may sit any more.
    pub taken: CancellationToken,
}

impl Seats {
    /// Takes a seat until `stop` is cancelled; with [`MOST_SEATS`] taken, the oldest must leave.
    #[must_use]
    pub fn take(&self, account: AccountId, stop: &CancellationToken) -> Seat {
        let taken = stop.child_token();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, accounts) = &mut *held;
        *last += 1;
        let number = *last;
        let own = accounts.entry(account).or_default();
        if own.len() >= MOST_SEATS {
            own.remove(0).1.cancel();
        }
        own.push((number, taken.clone()));
        drop(held);
        Seat {
            seats: self.clone(),
            account,
            number,
            taken,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self
            .seats
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = held.1.get_mut(&self.account) {
            own.retain(|(number, _)| *number != self.number);
            if own.is_empty() {
                held.1.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_socket_leaves_and_nothing_is_kept_of_those_that_ended() {
        let (seats, stop) = (Seats::default(), CancellationToken::new());
        let account = AccountId::new();
        let mut own: Vec<Seat> = (0..MOST_SEATS)
            .map(|_| seats.take(account, &stop))
            .collect();
        let other = seats.take(AccountId::new(), &stop);
        assert!(own.iter().all(|seat| !seat.taken.is_cancelled()));
        own.push(seats.take(account, &stop));
        assert!(own[0].taken.is_cancelled());
        assert!(!own[1].taken.is_cancelled() && !other.taken.is_cancelled());
        stop.cancel();
        assert!(other.taken.is_cancelled());
        drop((own, other));
        assert!(seats.held.lock().unwrap().1.is_empty());
    }
}
