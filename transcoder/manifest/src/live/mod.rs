//! Records on the pipes of `millet-transcoder live`: what a class sends in, what comes out.
//!
//! Every record is `u32` big-endian length of what follows, `u8` kind, body. Numbers inside bodies
//! are big-endian too.

mod decoder;
mod input;
mod output;

pub use decoder::Decoder;
pub use input::{AudioConfig, Input, MediaFrame, VideoConfig};
pub use output::{Chunk, LiveRendition, Output, Report};

/// Largest record, its kind included, its length field not.
pub const MAX_RECORD_BYTES: usize = 4 << 20;
/// Length of a segment of the grid, milliseconds.
pub const SEGMENT_MS: u64 = 2_000;
/// Length of a chunk of the grid, milliseconds.
pub const CHUNK_MS: u64 = 500;

/// One kind of record.
pub trait Record: Sized {
    /// The kind's number and the body's parts, in order.
    fn parts(&self) -> (u8, Vec<std::borrow::Cow<'_, [u8]>>);

    /// Reads a body of this kind.
    ///
    /// # Errors
    /// When the kind is unknown or the body is not of its form.
    fn from_parts(kind: u8, body: &[u8]) -> Result<Self, RecordError>;

    /// The record as it stands on the pipe.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] beyond [`MAX_RECORD_BYTES`].
    fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let (kind, parts) = self.parts();
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        if length > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong(length));
        }
        let stated = u32::try_from(length).map_err(|_| RecordError::TooLong(length))?;
        let mut record = Vec::with_capacity(4 + length);
        record.extend_from_slice(&stated.to_be_bytes());
        record.push(kind);
        for part in parts {
            record.extend_from_slice(&part);
        }
        Ok(record)
    }
}

/// Why a record was refused; the stream cannot be followed any further.
#[derive(Debug)]
pub enum RecordError {
    /// Longer than [`MAX_RECORD_BYTES`].
    TooLong(usize),
    /// Not even a kind.
    Empty,
    /// No record of this kind goes in this direction.
    UnknownKind(u8),
    /// The body ends before its fixed fields do.
    Short(u8),
    /// The body is not the JSON that this kind has.
    Json(serde_json::Error),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong(bytes) => write!(f, "a record of {bytes} bytes is too long"),
            Self::Empty => f.write_str("a record has no kind"),
            Self::UnknownKind(kind) => write!(f, "no record has the kind {kind}"),
            Self::Short(kind) => write!(f, "a record of kind {kind} is too short"),
            Self::Json(error) => write!(f, "a record cannot be read: {error}"),
        }
    }
}

impl std::error::Error for RecordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            _ => None,
        }
    }
}

/// Takes fixed fields from the front of a body.
struct Fields<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn new(kind: u8, body: &'a [u8]) -> Self {
        Self { kind, rest: body }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (field, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(RecordError::Short(self.kind))?;
        self.rest = rest;
        Ok(*field)
    }

    fn u8(&mut self) -> Result<u8, RecordError> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, RecordError> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, RecordError> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        self.take().map(u64::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, RecordError> {
        self.take().map(i64::from_be_bytes)
    }

    fn rest(self) -> Vec<u8> {
        self.rest.to_vec()
    }
}

/// JSON of a type that always has one.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Structs of numbers, strings and lists cannot fail to serialise.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
