//! Polls and quick quizzes: one answer a person, the last one before the poll closes.

use std::collections::BTreeMap;

use super::act::{Poll, Refusal};
use super::limits::{LONGEST_OPTION, LONGEST_SENTENCE, OPTIONS};
use super::state::is_sentence;
use super::told::PollState;
use crate::id::ParticipantId;

/// A poll with its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is asked, with the right answer.
    pub poll: Poll,
    /// Whether it is closed.
    pub closed: bool,
    answers: BTreeMap<ParticipantId, u8>,
}

impl Asked {
    /// A poll that was just opened.
    #[must_use]
    pub fn new(poll: Poll) -> Self {
        Self {
            poll,
            closed: false,
            answers: BTreeMap::new(),
        }
    }

    /// Notes an answer; a closed poll takes none.
    pub fn answer(&mut self, who: ParticipantId, option: u8) {
        if !self.closed && usize::from(option) < self.poll.options.len() {
            self.answers.insert(who, option);
        }
    }

    /// What somebody answered.
    #[must_use]
    pub fn own(&self, who: ParticipantId) -> Option<u8> {
        self.answers.get(&who).copied()
    }

    /// Answers of each option.
    #[must_use]
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.poll.options.len()];
        for option in self.answers.values() {
            if let Some(count) = counts.get_mut(usize::from(*option)) {
                *count += 1;
            }
        }
        counts
    }

    /// As one person sees it: learners see neither counts nor the right answer before it is closed.
    #[must_use]
    pub fn seen_by(&self, who: ParticipantId, leads: bool) -> PollState {
        let all = leads || self.closed;
        PollState {
            poll: if all {
                self.poll.clone()
            } else {
                without_right(&self.poll)
            },
            counts: if all { self.counts() } else { Vec::new() },
            own: self.own(who),
            closed: self.closed,
        }
    }
}

/// The question without its right answer.
#[must_use]
pub fn without_right(poll: &Poll) -> Poll {
    Poll {
        right: None,
        ..poll.clone()
    }
}

/// Whether this can be asked.
///
/// # Errors
/// [`Refusal::Invalid`].
pub fn check(poll: &Poll) -> Result<(), Refusal> {
    let right = poll
        .right
        .is_none_or(|right| usize::from(right) < poll.options.len());
    let good = right
        && OPTIONS.contains(&poll.options.len())
        && is_sentence(&poll.question, LONGEST_SENTENCE)
        && poll
            .options
            .iter()
            .all(|option| is_sentence(option, LONGEST_OPTION));
    if good { Ok(()) } else { Err(Refusal::Invalid) }
}
