//! Cuts a stream of bytes into records, whatever pieces it comes in.

use super::{MAX_RECORD_BYTES, Record, RecordError};

/// Length field before every record.
const HEAD: usize = 4;

/// Keeps what arrived of a record that is not complete; never more than one record and the bytes of
/// one [`Decoder::push`].
#[derive(Debug, Default)]
pub struct Decoder {
    waiting: Vec<u8>,
    /// Bytes at the front of `waiting` that were handed out already.
    used: usize,
}

impl Decoder {
    /// Adds bytes that arrived. To be emptied by [`Decoder::take`] before more are added.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.drain(..self.used);
        self.used = 0;
        self.waiting.extend_from_slice(bytes);
    }

    /// The next complete record, `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the record is no record; its length is judged before its body is waited for.
    pub fn take<R: Record>(&mut self) -> Result<Option<R>, RecordError> {
        let waiting = &self.waiting[self.used..];
        let Some(head) = waiting.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong(length));
        }
        if length == 0 {
            return Err(RecordError::Empty);
        }
        let Some(record) = waiting.get(HEAD..HEAD + length) else {
            return Ok(None);
        };
        let record = R::from_parts(record[0], &record[1..]).map(Some);
        self.used += HEAD + length;
        record
    }

    /// Bytes of a record that is not complete; at the end of a stream, what was cut off.
    #[must_use]
    pub fn left(&self) -> usize {
        self.waiting.len() - self.used
    }
}
