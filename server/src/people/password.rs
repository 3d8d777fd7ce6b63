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
    /// [`Error::Invalid`] when it is too short or too long.
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
        assert!(matches!(
            passwords.hash("short").await,
            Err(Error::Invalid {
                reason: "password-short",
                ..
            })
        ));
    }
}
