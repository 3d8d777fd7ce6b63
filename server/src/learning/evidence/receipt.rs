//! Delivery receipts: what the server sent to a learner, signed, and kept by the client, so that it
//! outlives cuts, restarts and a change of node without a write for each chunk.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::delivered::Delivered;
use crate::id::{AccountId, TimelineId};

/// Longest token that is looked at, in characters.
const LONGEST_TOKEN: usize = 12 * 1024;
/// Length of the signature, in bytes.
const SIGNATURE_BYTES: usize = 32;
/// Length of the key: a block of SHA-256, the most that HMAC uses (RFC 2104 section 3).
pub const KEY_BYTES: usize = 64;

/// What a receipt says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// To whom.
    #[serde(rename = "a")]
    pub account: AccountId,
    /// Of what.
    #[serde(rename = "t")]
    pub timeline: TimelineId,
    /// What was sent.
    #[serde(rename = "d")]
    pub delivered: Delivered,
    /// Rung that was sent last, so that the next connection goes on in the middle of a segment.
    #[serde(rename = "r")]
    pub rung: String,
    /// Segment from which its video lane was sent.
    #[serde(rename = "g")]
    pub rung_from: u32,
    /// Bandwidth that was measured last, in bits per second; 0 when it was not.
    #[serde(rename = "b")]
    pub bandwidth_bps: u64,
}

/// The installation's key for receipts.
#[derive(Clone)]
pub struct ReceiptKey([u8; KEY_BYTES]);

impl ReceiptKey {
    /// Reads the stored form; `None` when it is not [`KEY_BYTES`] in hexadecimal.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0_u8; KEY_BYTES];
        hex::decode_to_slice(text, &mut key).ok()?;
        Some(Self(key))
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&self.0.into());
        mac.update(body);
        mac
    }

    /// Makes the token.
    #[must_use]
    pub fn sign(&self, receipt: &Receipt) -> String {
        let mut bytes = serde_json::to_vec(receipt).unwrap_or_default();
        let signature = self.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&signature);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token; `None` when it was not made with this key.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Receipt> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let at = bytes.len().checked_sub(SIGNATURE_BYTES)?;
        let (body, signature) = bytes.split_at(at);
        self.mac(body).verify_slice(signature).ok()?;
        serde_json::from_slice(body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::learning::evidence::delivered::Part;

    #[test]
    fn a_receipt_reads_back_and_any_other_byte_is_refused() {
        let key = ReceiptKey([7; KEY_BYTES]);
        let mut delivered = Delivered::default();
        delivered.add(Part {
            from_ms: 0,
            until_ms: 16_000,
            since: Timestamp(1_700_000_000_000),
        });
        let receipt = Receipt {
            account: AccountId::new(),
            timeline: TimelineId::new(),
            delivered,
            rung: "v240".into(),
            rung_from: 3,
            bandwidth_bps: 64_000,
        };
        let token = key.sign(&receipt);
        assert_eq!(key.verify(&token), Some(receipt));
        assert_eq!(ReceiptKey([8; KEY_BYTES]).verify(&token), None);
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                key.verify(&String::from_utf8(forged).unwrap()),
                None,
                "at {at}"
            );
        }
        for junk in ["", "A", "****", &"A".repeat(20_000)] {
            assert_eq!(key.verify(junk), None);
        }
    }
}
