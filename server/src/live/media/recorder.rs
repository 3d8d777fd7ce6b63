//! Makes what grew durable: the objects of each complete segment, then its row.

use bytes::{Bytes, BytesMut};
use millet_manifest::Segment;
use millet_manifest::live::LiveRendition;
use millet_manifest::{FileRef, Kind, Rendition};

use super::store;
use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::error::Error;
use crate::id::TimelineId;
use crate::jobs::prepared::prefix;
use crate::objects::{Key, Objects};
use crate::stream::growing::{self, Growing};
use crate::stream::index::Grown;

/// What recording needs; cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Database.
    pub db: Db,
    /// Objects.
    pub objects: Objects,
    /// Time.
    pub clock: Clock,
}

/// Length of the grid's segments.
const SEGMENT_MS: u64 = millet_manifest::live::SEGMENT_MS;

impl Recorder {
    /// Begins a recording, or goes on with one that an earlier life of a node began.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn open(
        &self,
        timeline: TimelineId,
        began: Timestamp,
        ladder: &[LiveRendition],
        inits: &[Bytes],
    ) -> Result<Growing, Error> {
        for (rendition, init) in ladder.iter().zip(inits) {
            let key = key(timeline, &init_file(&rendition.id))?;
            self.objects.put(&key, init.clone()).await?;
        }
        let mut transaction = self.db.write().await?;
        store::begin(&mut transaction, timeline, began, ladder).await?;
        let recorded = store::segments(&mut transaction, timeline).await?;
        transaction.commit().await?;
        let renditions = ladder
            .iter()
            .zip(inits)
            .map(|(rendition, init)| described(rendition, init.len() as u64))
            .collect();
        // Of the class's beginning, so that it is the same after a restart.
        let epoch = u32::try_from(began.0 / 1000).unwrap_or(1);
        let mut grown = growing::empty(renditions, SEGMENT_MS, epoch);
        for (sequence, segments) in recorded {
            restore(&mut grown, sequence, segments);
        }
        Ok(Growing::new(timeline, began, grown, inits.to_vec()))
    }

    /// What is durable of a recording, with the renditions of `like`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recorded(&self, timeline: TimelineId, like: &Grown) -> Result<Grown, Error> {
        let mut connection = self.db.read().await?;
        let recorded = store::segments(&mut connection, timeline).await?;
        let mut grown = growing::empty(like.renditions.to_vec(), like.segment_ms, like.epoch);
        for (sequence, segments) in recorded {
            restore(&mut grown, sequence, segments);
        }
        Ok(grown)
    }

    /// Stores what was gathered: the objects, then the row that names them.
    ///
    /// # Errors
    /// [`Error::Conflict`] when something else is recorded under this number, which stays; or when a store
    /// fails, and the same may be tried again.
    pub async fn record(&self, gathered: &Gathered) -> Result<(), Error> {
        let Gathered {
            timeline,
            sequence,
            segments,
            media,
        } = gathered;
        let mut connection = self.db.read().await?;
        let known = store::segment(&mut connection, *timeline, *sequence).await?;
        drop(connection);
        match known {
            // The answer was lost, or the objects are another one's: they are never changed.
            Some(known) => return store::same(&known, segments),
            None => {
                for (segment, bytes) in segments.iter().zip(media) {
                    if !segment.chunks.is_empty() {
                        let key = key(*timeline, &segment.file)?;
                        self.objects.put(&key, bytes.clone()).await?;
                    }
                }
            }
        }
        let mut transaction = self.db.write().await?;
        let now = self.clock.now();
        store::append(&mut transaction, *timeline, *sequence, segments, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores a picture for the index.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn still(&self, timeline: TimelineId, at_ms: u64, data: Bytes) -> Result<(), Error> {
        let end = if data.starts_with(b"RIFF") {
            "webp"
        } else {
            "jpg"
        };
        let file = format!("live/stills/{at_ms:09}.{end}");
        let bytes = data.len() as u64;
        self.objects.put(&key(timeline, &file)?, data).await?;
        let mut transaction = self.db.write().await?;
        store::append_still(&mut transaction, timeline, at_ms, &file, bytes).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Key of a file of a timeline.
///
/// # Errors
/// When the name is unsafe.
pub fn key(timeline: TimelineId, file: &str) -> Result<Key, Error> {
    Ok(Key::new(format!("{}/{file}", prefix(timeline)))?)
}

/// The segments of one number as they are recorded: taken from the ring once, so that every try stores the
/// same.
#[derive(Debug)]
pub struct Gathered {
    timeline: TimelineId,
    sequence: usize,
    /// Of each rendition.
    segments: Vec<Segment>,
    /// Their bytes.
    media: Vec<Bytes>,
}

impl Gathered {
    /// Takes the segments of one number from the ring. A chunk that is no longer there ends its segment:
    /// what comes behind it could not be decoded.
    #[must_use]
    pub fn of(growing: &Growing, sequence: usize) -> Self {
        let grown = growing.grown();
        let mut segments = Vec::with_capacity(grown.segments.len());
        let mut media = Vec::with_capacity(grown.segments.len());
        for (rendition, own) in grown.segments.iter().enumerate() {
            let mut segment = own
                .get(sequence)
                .map_or_else(|| empty(sequence), |segment| Segment::clone(segment));
            media.push(gather(growing, rendition, sequence, &mut segment));
            segments.push(segment);
        }
        Self {
            timeline: growing.id(),
            sequence,
            segments,
            media,
        }
    }
}

/// Joins the chunks of a segment; drops from its description what is not there.
fn gather(growing: &Growing, rendition: usize, sequence: usize, segment: &mut Segment) -> Bytes {
    let number = (
        u8::try_from(rendition).unwrap_or(u8::MAX),
        u32::try_from(sequence).unwrap_or(u32::MAX),
    );
    let mut whole = BytesMut::with_capacity(usize::try_from(segment.bytes).unwrap_or(0));
    let mut kept = 0;
    for part in 0..segment.chunks.len() {
        let part = u16::try_from(part).unwrap_or(u16::MAX);
        let Some(payload) = growing.payload(number.0, number.1, part) else {
            tracing::error!(
                rendition,
                sequence,
                part,
                "a chunk was lost before it was stored"
            );
            break;
        };
        whole.extend_from_slice(&payload);
        kept += 1;
    }
    segment.chunks.truncate(kept);
    segment.bytes = whole.len() as u64;
    if kept == 0 {
        segment.file.clear();
    }
    whole.freeze()
}

fn empty(sequence: usize) -> Segment {
    Segment {
        start_ms: sequence as u64 * SEGMENT_MS,
        duration_ms: SEGMENT_MS,
        file: String::new(),
        bytes: 0,
        chunks: Vec::new(),
    }
}

/// Name of the initialisation of a rendition.
fn init_file(id: &str) -> String {
    format!("live/{id}/init.mp4")
}

fn described(live: &LiveRendition, init_bytes: u64) -> Rendition {
    Rendition {
        id: live.id.clone(),
        kind: live.kind,
        codec: live.codec.clone(),
        width: live.width,
        height: live.height,
        frame_rate_milli: live.frame_rate_milli,
        sample_rate: live.sample_rate,
        channels: live.channels,
        average_bps: live.peak_bps,
        peak_bps: live.peak_bps,
        init: FileRef {
            file: init_file(&live.id),
            bytes: init_bytes,
        },
        segments: Vec::new(),
    }
}

/// Puts recorded segments back at their places.
fn restore(grown: &mut Grown, sequence: usize, segments: Vec<Segment>) {
    for (own, segment) in grown.segments.iter_mut().zip(segments) {
        while own.len() < sequence {
            own.push(empty(own.len()).into());
        }
        let end = segment
            .chunks
            .last()
            .map(|last| last.start_ms + last.duration_ms);
        grown.edge_ms = grown.edge_ms.max(end.unwrap_or(0));
        if own.len() == sequence {
            own.push(segment.into());
        }
    }
}

/// Whether there is a picture at all in what was recorded.
#[must_use]
pub fn has_pictures(grown: &Grown) -> bool {
    grown
        .renditions
        .iter()
        .zip(&grown.segments)
        .any(|(rendition, segments)| {
            rendition.kind != Kind::Audio && segments.iter().any(|s| !s.chunks.is_empty())
        })
}
