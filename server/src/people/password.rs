//! Passwords: Argon2id, off the runtime, a few at a time.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::error::Error;

/// Shortest password, in characters (NIST SP 800-63B).
pub const SHORTEST: usize = 8;
/// Longest password, in bytes; longer ones only cost time.
pub const LONGEST: usize = 256;
/// Memory in KiB, passes, lanes: the OWASP Password Storage Cheat Sheet's first choice.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// Passwords that are guessed first, one a line, lowered; shorter ones are refused anyway
/// (NIST SP 800-63B, section 3.1.1.2).
const COMMON: &str = include_str!("common_passwords.txt");

/// Whether a password is among those that are guessed first, in any case: it stands in the list, is
/// one character again and again, or a run of characters that follow each other.
fn is_common(password: &str) -> bool {
    let lowered = password.to_lowercase();
    let letters: Vec<i64> = lowered.chars().map(|c| i64::from(u32::from(c))).collect();
    let runs = |step: i64| letters.windows(2).all(|two| two[1] - two[0] == step);
    COMMON.lines().any(|common| common == lowered) || [0, 1, -1].into_iter().any(runs)
}

/// Hashes and checks passwords, at most two at a time so that a flood of sign-ins cannot take all
/// memory and both cores.
#[derive(Clone, Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(2)),
        }
    }
}

impl Passwords {
    /// The PHC string to store.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is too short, too long, or one that everybody uses.
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        let invalid = |reason| Error::Invalid {
            field: "password",
            reason,
        };
        if password.chars().count() < SHORTEST {
            return Err(invalid("password-short"));
        }
        if password.len() > LONGEST {
            return Err(invalid("password-long"));
        }
        if is_common(password) {
            return Err(invalid("password-common"));
        }
        let password = password.to_owned();
        self.run(move || {
            let mut salt = [0_u8; 16];
            getrandom::fill(&mut salt).map_err(|error| Error::Internal(error.to_string()))?;
            let salt = SaltString::encode_b64(&salt).map_err(internal)?;
            let hash = argon2()?
                .hash_password(password.as_bytes(), &salt)
                .map_err(internal)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password fits. Takes the same time when there is no account (`stored` is `None`).
    ///
    /// # Errors
    /// When a stored hash is damaged.
    pub async fn verify(&self, password: &str, stored: Option<String>) -> Result<bool, Error> {
        if password.len() > LONGEST {
            return Ok(false);
        }
        let password = password.to_owned();
        self.run(move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| DECOY.to_owned());
            let hash = PasswordHash::new(&stored).map_err(internal)?;
            let fits = argon2()?
                .verify_password(password.as_bytes(), &hash)
                .is_ok();
            Ok(fits && known)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _slot = self.slots.acquire().await.map_err(|_| Error::Busy)?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
    }
}

/// Letters and digits that are told apart in every hand and print.
const PLAIN: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// A new password to hand over on paper: 12 random letters and digits, 59 bits, in groups of four.
///
/// # Errors
/// When the machine gives no randomness.
pub fn made_up() -> Result<String, Error> {
    let mut password = String::new();
    while password.len() < 14 {
        let mut byte = [0_u8];
        getrandom::fill(&mut byte).map_err(|error| Error::Internal(error.to_string()))?;
        let at = usize::from(byte[0]);
        // The last, incomplete round would make the first letters likelier.
        if at >= 256 / PLAIN.len() * PLAIN.len() {
            continue;
        }
        if matches!(password.len(), 4 | 9) {
            password.push('-');
        }
        password.push(char::from(PLAIN[at % PLAIN.len()]));
    }
    Ok(password)
}

/// A hash of the same cost that no password is known for.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
     aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";

fn argon2() -> Result<Argon2<'static>, Error> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("argon2: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobody_has_the_decoy() {
        let passwords = Passwords::default();
        let stored = passwords.hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(
            passwords
                .verify("correct horse", Some(stored.clone()))
                .await
                .unwrap()
        );
        assert!(!passwords.verify("wrong horse", Some(stored)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_guessed_first_is_no_password() {
        let passwords = Passwords::default();
        for (password, why) in [
            ("short", "password-short"),
            ("Password", "password-common"),
            ("woaini1314", "password-common"),
            ("AAAAAAAAA", "password-common"),
            ("23456789", "password-common"),
            ("hgfedcba", "password-common"),
        ] {
            match passwords.hash(password).await {
                Err(Error::Invalid { reason, .. }) => assert_eq!(reason, why, "{password}"),
                other => panic!("{password}: {other:?}"),
            }
        }
    }

    #[test]
    fn passwords_that_are_made_up_differ_and_can_be_read_aloud() {
        let made: std::collections::HashSet<String> =
            (0..200).map(|_| made_up().unwrap()).collect();
        assert_eq!(made.len(), 200);
        for password in &made {
            let groups: Vec<&str> = password.split('-').collect();
            assert!(groups.iter().all(|group| group.len() == 4), "{password}");
            assert_eq!(groups.len(), 3);
        }
        let used: std::collections::HashSet<char> =
            made.iter().flat_map(|one| one.chars()).collect();
        assert_eq!(used.len(), PLAIN.len() + 1);
    }

    #[test]
    fn every_line_of_the_list_can_refuse_somebody() {
        for line in COMMON.lines() {
            assert!(line.chars().count() >= SHORTEST, "{line}");
            assert_eq!(line, line.to_lowercase());
        }
    }
}
