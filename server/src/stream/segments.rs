//! Prepared media in memory: read once for all viewers who want it, within a bound of bytes.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;

use super::frame::Frame;
use super::growing::Growing;
use super::wire::Payload;
use crate::error::Error;
use crate::id::TimelineId;
use crate::jobs::prepared::prefix;
use crate::objects::{Key, Objects};

/// Memory for segments of one node.
const MOST_BYTES: u64 = 128 << 20;
/// A larger file is read by ranges and not kept.
const LARGEST_KEPT: u64 = 4 << 20;

/// Shared by all viewers of a node; cheap to clone.
#[derive(Clone)]
pub struct Segments {
    objects: Objects,
    cache: Cache<Key, Bytes>,
}

impl Segments {
    /// Over the objects of this installation.
    #[must_use]
    pub fn new(objects: Objects) -> Self {
        Self {
            objects,
            cache: Cache::builder()
                .max_capacity(MOST_BYTES)
                .weigher(|_, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX))
                .build(),
        }
    }

    /// The payload of a frame of a timeline that grows: from its ring, else from the objects.
    ///
    /// # Errors
    /// As [`Segments::payload`].
    pub async fn growing(&self, growing: &Growing, frame: &Frame) -> Result<Bytes, Error> {
        let header = &frame.header;
        let held = match header.payload {
            Payload::Init => growing.init(header.rendition),
            Payload::Chunk => growing.payload(header.rendition, header.sequence, header.part),
        };
        match held {
            Some(payload) => Ok(payload),
            None => self.payload(growing.id(), frame).await,
        }
    }

    /// The payload of a frame: a slice of the cached segment, not a copy.
    ///
    /// # Errors
    /// When the object is missing, shorter than the manifest says, or the store fails.
    pub async fn payload(&self, timeline: TimelineId, frame: &Frame) -> Result<Bytes, Error> {
        let key = Key::new(format!("{}/{}", prefix(timeline), frame.file))?;
        if frame.file_bytes > LARGEST_KEPT {
            let bytes = self
                .objects
                .get_range(&key, frame.offset, frame.bytes)
                .await?;
            return checked(bytes, frame.bytes);
        }
        let objects = self.objects.clone();
        let wanted = key.clone();
        let load = async move { objects.get(&wanted).await };
        // One reader for all who wait; they share its error.
        let whole = self
            .cache
            .try_get_with(key, load)
            .await
            .map_err(|error: Arc<_>| Error::Internal(format!("segment: {error}")))?;
        let (from, length) = (index(frame.offset), index(frame.bytes));
        let until = from.saturating_add(length);
        if until > whole.len() {
            return Err(Error::Internal(
                "a segment is shorter than its manifest says".into(),
            ));
        }
        Ok(whole.slice(from..until))
    }
}

fn checked(bytes: Bytes, expected: u64) -> Result<Bytes, Error> {
    if bytes.len() as u64 == expected {
        Ok(bytes)
    } else {
        Err(Error::Internal(
            "a segment is shorter than its manifest says".into(),
        ))
    }
}

fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
