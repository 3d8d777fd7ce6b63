//! What a room says, in one order for all: a bounded log that every connection reads with a cursor of
//! its own. Nobody's slowness costs more than a place in it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::limits::{LOG_BYTES, LOG_LINES};
use super::view::Audience;
use crate::id::ParticipantId;

/// Number of a connection to one room.
pub type SeatNumber = u64;

/// Whom a line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// By what people see.
    Audience(Audience),
    /// One connection: an answer.
    Seat(SeatNumber),
}

/// What stands in the log.
#[derive(Clone, Debug)]
pub enum Line {
    /// A message; events carry their sequence.
    Says {
        /// Whom it is for.
        to: To,
        /// Sequence of the event, 0 for an answer.
        sequence: u64,
        /// The message as it is sent.
        text: Bytes,
    },
    /// What this person sees has changed as a whole: the room is said anew.
    Anew(ParticipantId),
    /// This person was sent out.
    Out(ParticipantId),
}

impl Line {
    fn bytes(&self) -> usize {
        match self {
            Self::Says { text, .. } => text.len(),
            Self::Anew(_) | Self::Out(_) => 0,
        }
    }
}

/// What a cursor finds.
#[derive(Clone, Debug)]
pub enum Found {
    /// The next line.
    Line(Line),
    /// Nothing yet.
    Nothing,
    /// The place is gone: too far behind.
    Fallen,
    /// Nothing, and nothing will come.
    Closed,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Line>,
    /// Number of the first line that is kept.
    first: u64,
    bytes: usize,
    /// Events up to this one have left the ring.
    forgotten: u64,
    closed: bool,
}

impl Ring {
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }
}

/// The log of one room.
#[derive(Debug)]
pub struct Log {
    ring: Mutex<Ring>,
    /// Number behind the newest line; changes with every line.
    newest: watch::Sender<u64>,
    /// Where the pointer is; only the newest is said.
    pub pointer: watch::Sender<Option<Bytes>>,
    /// Quick signs of the last moments.
    pub reactions: watch::Sender<Option<Bytes>>,
    /// How everybody follows, for leaders.
    pub followers: watch::Sender<Option<Bytes>>,
}

impl Default for Log {
    fn default() -> Self {
        let nothing = || watch::channel(None).0;
        Self {
            ring: Mutex::default(),
            newest: watch::channel(0).0,
            pointer: nothing(),
            reactions: nothing(),
            followers: nothing(),
        }
    }
}

impl Log {
    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line and forgets the oldest ones beyond the bounds.
    pub fn push(&self, line: Line) {
        let mut ring = self.ring();
        ring.bytes += line.bytes();
        ring.lines.push_back(line);
        while ring.lines.len() > LOG_LINES || ring.bytes > LOG_BYTES {
            let Some(oldest) = ring.lines.pop_front() else {
                break;
            };
            ring.first += 1;
            ring.bytes -= oldest.bytes();
            if let Line::Says { sequence, .. } = oldest {
                ring.forgotten = ring.forgotten.max(sequence);
            }
        }
        let end = ring.end();
        drop(ring);
        self.newest.send_replace(end);
    }

    /// Events up to this one are not in the log: they were before it began.
    pub fn begin_after(&self, sequence: u64) {
        self.ring().forgotten = sequence;
    }

    /// Nothing will come any more.
    pub fn close(&self) {
        self.ring().closed = true;
        self.newest.send_modify(|_| {});
    }

    /// The line at a cursor.
    #[must_use]
    pub fn at(&self, cursor: u64) -> Found {
        let ring = self.ring();
        let Some(index) = cursor.checked_sub(ring.first) else {
            return Found::Fallen;
        };
        let line = usize::try_from(index)
            .ok()
            .and_then(|index| ring.lines.get(index));
        match line {
            Some(line) => Found::Line(line.clone()),
            None if ring.closed => Found::Closed,
            None => Found::Nothing,
        }
    }

    /// The cursor behind everything.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.ring().end()
    }

    /// The cursor of who has seen the events up to `sequence` and was told `newest` as the newest; `None`
    /// when something between was forgotten, or when the event never happened.
    #[must_use]
    pub fn after(&self, sequence: u64, newest: u64) -> Option<u64> {
        let ring = self.ring();
        if sequence < ring.forgotten || sequence > newest {
            return None;
        }
        let seen = |line: &Line| match line {
            Line::Says { sequence: own, .. } => *own <= sequence,
            Line::Anew(_) | Line::Out(_) => true,
        };
        // Answers have no sequence, so the place is behind the last event that was seen.
        let last = ring.lines.iter().rposition(|line| {
            matches!(line, Line::Says { sequence, .. } if *sequence > 0) && seen(line)
        });
        Some(ring.first + last.map_or(0, |last| last as u64 + 1))
    }

    /// Wakes with every line.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64) -> Line {
        Line::Says {
            to: To::Audience(Audience::All),
            sequence,
            text: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn who_is_too_far_behind_falls_out_and_who_is_not_goes_on() {
        let log = Log::default();
        for sequence in 1..=(LOG_LINES as u64 + 10) {
            log.push(event(sequence));
        }
        let newest = LOG_LINES as u64 + 10;
        assert!(matches!(log.at(0), Found::Fallen));
        assert_eq!(log.after(9, newest), None);
        let cursor = log.after(10, newest).unwrap();
        assert!(matches!(
            log.at(cursor),
            Found::Line(Line::Says { sequence: 11, .. })
        ));
        assert_eq!(log.after(newest, newest), Some(log.end()));
        assert_eq!(log.after(newest + 1, newest), None, "never happened");
        assert!(matches!(log.at(log.end()), Found::Nothing));
        log.close();
        assert!(matches!(log.at(log.end()), Found::Closed));
    }

    #[test]
    fn large_lines_do_not_fill_the_memory() {
        let log = Log::default();
        for _ in 0..100 {
            log.push(Line::Says {
                to: To::Seat(1),
                sequence: 0,
                text: Bytes::from(vec![b'x'; 100_000]),
            });
        }
        assert!(log.ring().bytes <= LOG_BYTES);
    }
}
