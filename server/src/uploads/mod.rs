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
    let upload = receiver.create(lesson, &new).await?;
    let body = ReaderStream::with_capacity(file, 64 * 1024);
    let received = receiver.receive(&upload, 0, body, None).await?;
    if received.offset_bytes != length {
        return Err(Error::Internal("the file changed while it was read".into()));
    }
    Ok(upload.id)
}
