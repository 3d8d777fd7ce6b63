//! Resumable uploads (tus 1.0) and their form for browsers without script.
//!
//! Received bytes become objects of at most [`PART_BYTES`]; a row moves the upload's offset over a
//! part only when the part is durable. Any node can take any request of an upload.

pub mod metadata;
pub mod receive;
pub mod store;
pub mod sweep;
pub mod tus;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio_util::io::ReaderStream;

use crate::courses::proof::InLesson;
use crate::error::Error;
use crate::id::UploadId;
use crate::people::Teacher;

/// Bytes of a part, and the most that one upload holds in memory.
pub const PART_BYTES: usize = 1 << 20;
/// An upload that gets no bytes for so long is removed.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Open uploads that one account may have.
pub const MOST_OPEN: i64 = 8;
/// A client that sends nothing for so long is treated as cut off.
pub const IDLE: Duration = Duration::from_secs(60);

/// What somebody wants to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// Cleaned by [`metadata::clean_file_name`].
    pub file_name: String,
    /// As the client said; checked by [`metadata::is_taken`].
    pub media_type: String,
    /// Length of the whole file.
    pub length_bytes: u64,
}

impl NewUpload {
    /// Checks size and type.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::UnsupportedType`], or [`Error::Invalid`] for an empty file.
    pub fn new(
        file_name: &str,
        media_type: &str,
        length_bytes: u64,
        most_bytes: u64,
    ) -> Result<Self, Error> {
        if length_bytes > most_bytes {
            return Err(Error::TooLarge {
                limit_bytes: most_bytes,
            });
        }
        if length_bytes == 0 {
            return Err(Error::Invalid {
                field: "file",
                reason: "file-empty",
            });
        }
        if !metadata::is_taken(media_type) {
            return Err(Error::UnsupportedType);
        }
        Ok(Self {
            file_name: metadata::clean_file_name(file_name),
            media_type: media_type.to_owned(),
            length_bytes,
        })
    }
}

/// Uploads a file of this machine for a lesson and enqueues its preparation.
///
/// # Errors
/// When the file cannot be read, is refused, or a store fails.
pub async fn enqueue_file(
    receiver: &receive::Receiver,
    lesson: &InLesson<Teacher>,
    path: &Path,
    media_type: &str,
    most_bytes: u64,
) -> Result<UploadId, Error> {
    let file = tokio::fs::File::open(path).await?;
    let length = file.metadata().await?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = NewUpload::new(&name, media_type, length, most_bytes)?;
    take_whole(
        receiver,
        lesson,
        &new,
        ReaderStream::with_capacity(file, 64 * 1024),
    )
    .await
}

/// Receives a whole file at once, or nothing: nobody will go on with a part of it.
///
/// # Errors
/// [`Error::Busy`] when not everything came, or when a store fails; then nothing is kept.
pub async fn take_whole<E>(
    receiver: &receive::Receiver,
    lesson: &InLesson<Teacher>,
    new: &NewUpload,
    body: impl Stream<Item = Result<Bytes, E>>,
) -> Result<UploadId, Error> {
    let upload = receiver.create(lesson, new).await?;
    let result = receiver.receive(&upload, 0, body, None).await;
    let refusal = match result {
        Ok(received) if received.offset_bytes == new.length_bytes => return Ok(upload.id),
        Ok(_) => Error::Busy,
        Err(error) => error,
    };
    let mut transaction = receiver.db.write().await?;
    let now = receiver.clock.now();
    let ended = store::terminate(&mut transaction, lesson.account(), upload.id, now).await?;
    transaction.commit().await?;
    if !ended {
        // The last bytes were durable before the fault was noticed.
        return Ok(upload.id);
    }
    sweep::remove_parts(&receiver.db, &receiver.objects, upload.id).await?;
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::clock::Clock;
    use crate::courses::testing::video_lesson;
    use crate::db::testing::both;
    use crate::objects::Objects;

    #[tokio::test]
    async fn a_file_that_did_not_come_whole_leaves_nothing_behind() {
        for (db, _database) in both().await {
            let folder = tempfile::tempdir().unwrap();
            let objects = format!("file:{}", folder.path().display());
            let mut tx = db.write().await.unwrap();
            let lesson = video_lesson(&mut tx).await;
            tx.commit().await.unwrap();
            let receiver = receive::Receiver {
                objects: Objects::open(&objects).await.unwrap(),
                clock: Clock::System,
                stop: CancellationToken::new(),
                db,
            };
            let length = PART_BYTES as u64 + 7;
            let new = NewUpload::new("a.mp4", "video/mp4", length, 1 << 30).unwrap();
            let first = Bytes::from(vec![7; PART_BYTES]);
            let body = stream::iter([Ok(first.clone()), Err("the disk failed")]);
            let cut = take_whole(&receiver, &lesson, &new, body).await;
            assert!(matches!(cut, Err(Error::Busy)));

            let mut connection = receiver.db.read().await.unwrap();
            let (parts, open): (i64, i64) = sqlx::query_as(
                "select (select count(*) from upload_part), \
                 (select count(*) from upload where terminated_at is null)",
            )
            .fetch_one(&mut *connection)
            .await
            .unwrap();
            drop(connection);
            assert_eq!((parts, open), (0, 0));
            let uploads = std::fs::read_dir(folder.path().join("uploads")).unwrap();
            for upload in uploads {
                let files = std::fs::read_dir(upload.unwrap().path()).unwrap();
                assert_eq!(files.count(), 0);
            }

            let rest = Bytes::from_static(b"the end");
            let body = stream::iter([Ok::<_, ()>(first), Ok(rest)]);
            take_whole(&receiver, &lesson, &new, body).await.unwrap();
        }
    }
}
