//! How long a client may keep acknowledgements back. Each costs a turn of the radio and of the server; where
//! nothing is to be found out about the link, fewer do (compare draft-ietf-quic-ack-frequency, "Requested
//! Max Ack Delay").

/// Before anything is said, and as soon as the link is not at ease.
pub const SHORT_MS: u64 = 200;
/// On a calm link.
pub const LONG_MS: u64 = 1_000;
/// So many acknowledgements in a row show that it is calm.
const CALM: u32 = 10;

/// What the client was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct AckDelay {
    calm: u32,
}

impl AckDelay {
    /// An acknowledgement came from a link that is `calm` or not; the delay that the client is to be asked
    /// for, if it is another from now on, in milliseconds.
    pub fn heard(&mut self, calm: bool) -> Option<u64> {
        let before = self.calm;
        self.calm = if calm { (before + 1).min(CALM) } else { 0 };
        match (before == CALM, self.calm == CALM) {
            (false, true) => Some(LONG_MS),
            (true, false) => Some(SHORT_MS),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calm_link_is_left_alone_until_it_is_not() {
        let mut delay = AckDelay::default();
        let mut asked = |calm: bool, times: u32| {
            let all = (0..times).map(|_| delay.heard(calm));
            all.collect::<Vec<_>>()
        };
        assert_eq!(asked(true, CALM - 1), vec![None; 9]);
        assert_eq!(asked(false, 2), [None, None]);
        assert_eq!(asked(true, CALM - 1), vec![None; 9]);
        assert_eq!(asked(true, 2), [Some(LONG_MS), None]);
        assert_eq!(asked(false, 2), [Some(SHORT_MS), None]);
    }
}
