//! Turns a stream of bytes into durable parts.

use std::pin::pin;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use sha1::{Digest as _, Sha1};
use tokio_util::sync::CancellationToken;

use super::store::{self, Part, Upload};
use super::{IDLE, NewUpload, PART_BYTES};
use crate::clock::Clock;
use crate::courses::proof::InLesson;
use crate::db::Db;
use crate::error::Error;
use crate::id::{LessonId, UploadId};
use crate::jobs;
use crate::objects::{Key, Objects};
use crate::people::Teacher;

/// What receiving needs; cheap to clone.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Database.
    pub db: Db,
    /// Objects.
    pub objects: Objects,
    /// Time.
    pub clock: Clock,
    /// Cancelled when the server stops: then the client is treated as cut off.
    pub stop: CancellationToken,
}

impl<S> FromRequestParts<S> for Receiver
where
    S: Send + Sync,
    Db: FromRef<S>,
    Objects: FromRef<S>,
    Clock: FromRef<S>,
    CancellationToken: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            db: Db::from_ref(state),
            objects: Objects::from_ref(state),
            clock: Clock::from_ref(state),
            stop: CancellationToken::from_ref(state),
        })
    }
}

/// How far an upload is after some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes that are durable.
    pub offset_bytes: u64,
    /// Whether the client was cut off before its end.
    pub cut: bool,
}

/// A SHA-1 of the bytes of one request (the checksum extension of tus 1.0).
pub type Checksum = [u8; 20];

impl Receiver {
    /// Begins an upload for the lesson.
    ///
    /// # Errors
    /// [`Error::TooMany`] when the account has too many open ones, or when the database fails.
    pub async fn create(
        &self,
        lesson: &InLesson<Teacher>,
        new: &NewUpload,
    ) -> Result<Upload, Error> {
        let mut transaction = self.db.write().await?;
        let upload = store::create(&mut transaction, lesson, new, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(upload)
    }

    /// Receives bytes from `offset` until the stream ends, fails, rests for too long, or the server
    /// stops; all that arrived is durable afterwards.
    ///
    /// With a `checksum`, all of this request's bytes are kept or none.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another request moved the offset, [`Error::TooLarge`] when the bytes
    /// run past the length, [`Error::ChecksumMismatch`], or when a store fails.
    pub async fn receive<E>(
        &self,
        upload: &Upload,
        offset: u64,
        body: impl Stream<Item = Result<Bytes, E>>,
        checksum: Option<Checksum>,
    ) -> Result<Received, Error> {
        let offset = i64::try_from(offset).map_err(|_| Error::Conflict("upload-offset"))?;
        if offset != upload.offset_bytes {
            return Err(Error::Conflict("upload-offset"));
        }
        let mut writer = Writer {
            receiver: self,
            upload: upload.id,
            lesson: upload.lesson_id,
            most: upload.length_bytes - offset,
            offset,
            buffer: BytesMut::new(),
            waiting: Vec::new(),
            hasher: checksum.map(|_| Sha1::new()),
        };
        let result = writer.run(body, checksum).await;
        match &result {
            // A commit whose answer was lost may have happened: only the sweeper, which asks the
            // database, may remove these parts.
            Ok(_) | Err(Error::Database(_)) => {}
            Err(_) => writer.drop_waiting().await,
        }
        result
    }
}

struct Writer<'a> {
    receiver: &'a Receiver,
    upload: UploadId,
    lesson: LessonId,
    /// Bytes that may still come.
    most: i64,
    /// Offset that the database has.
    offset: i64,
    /// Received, not yet a part.
    buffer: BytesMut,
    /// Parts that are stored but wait for the checksum.
    waiting: Vec<Part>,
    hasher: Option<Sha1>,
}

impl Writer<'_> {
    async fn run<E>(
        &mut self,
        body: impl Stream<Item = Result<Bytes, E>>,
        checksum: Option<Checksum>,
    ) -> Result<Received, Error> {
        let mut body = pin!(body);
        let cut = loop {
            let next = tokio::select! {
                next = tokio::time::timeout(IDLE, body.next()) => next,
                () = self.receiver.stop.cancelled() => break true,
            };
            match next {
                Ok(Some(Ok(bytes))) => self.take(bytes).await?,
                Ok(None) => break false,
                Ok(Some(Err(_))) | Err(_) => break true,
            }
        };
        let sum = self.hasher.take().map(|hasher| hasher.finalize());
        if let (Some(expected), Some(sum)) = (checksum, sum) {
            // The checksum is of all bytes; without them nothing can be kept.
            if cut {
                self.drop_waiting().await;
                return Ok(self.received(cut));
            }
            if sum[..] != expected {
                return Err(Error::ChecksumMismatch);
            }
        }
        self.store_part().await?;
        self.advance().await?;
        Ok(self.received(cut))
    }

    fn received(&self, cut: bool) -> Received {
        Received {
            offset_bytes: u64::try_from(self.offset).unwrap_or(0),
            cut,
        }
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        self.most -= i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        if self.most < 0 {
            return Err(Error::Malformed(
                "more bytes than Upload-Length says".into(),
            ));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes);
        }
        while !bytes.is_empty() {
            let room = PART_BYTES - self.buffer.len();
            let piece = bytes.split_to(room.min(bytes.len()));
            self.buffer.extend_from_slice(&piece);
            if self.buffer.len() == PART_BYTES {
                self.store_part().await?;
                if self.hasher.is_none() {
                    self.advance().await?;
                }
            }
        }
        Ok(())
    }

    /// Makes an object of the buffer, after a row that says so.
    async fn store_part(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = self.buffer.split().freeze();
        let before: i64 = self.waiting.iter().map(|part| part.length_bytes).sum();
        // A name of its own: a slower request at the same offset must not overwrite it.
        let object_key = format!("uploads/{}/{}", self.upload, uuid::Uuid::now_v7());
        let part = Part {
            object_key,
            offset_bytes: self.offset + before,
            length_bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        };
        let mut transaction = self.receiver.db.write().await?;
        store::begin_part(&mut transaction, self.upload, &part).await?;
        transaction.commit().await?;
        let key = Key::new(part.object_key.as_str())?;
        self.waiting.push(part);
        self.receiver.objects.put(&key, bytes).await?;
        Ok(())
    }

    /// Moves the offset over the waiting parts; the last byte enqueues the preparation.
    async fn advance(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let now = self.receiver.clock.now();
        let mut transaction = self.receiver.db.write().await?;
        let complete = store::advance(
            &mut transaction,
            self.upload,
            self.offset,
            &self.waiting,
            now,
        )
        .await?;
        if complete {
            jobs::store::enqueue_prepare(&mut transaction, self.upload, self.lesson, now).await?;
        }
        transaction.commit().await?;
        self.offset += self
            .waiting
            .drain(..)
            .map(|part| part.length_bytes)
            .sum::<i64>();
        Ok(())
    }

    /// Removes parts that will not become a part of the file. When a store fails here, the rows
    /// stay and the sweeper removes them with the upload.
    async fn drop_waiting(&mut self) {
        for part in std::mem::take(&mut self.waiting) {
            if let Err(error) = self.drop_part(&part).await {
                tracing::warn!(%error, "a part without use is left to the sweeper");
            }
        }
    }

    async fn drop_part(&self, part: &Part) -> Result<(), Error> {
        self.receiver
            .objects
            .delete(&Key::new(part.object_key.as_str())?)
            .await?;
        let mut transaction = self.receiver.db.write().await?;
        store::forget_part(&mut transaction, &part.object_key).await?;
        transaction.commit().await?;
        Ok(())
    }
}
