//! A short sum by which bytes are known again: not against forgery, which would harm the forger's own
//! lesson alone.

/// FNV-1a.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
