//! Objects as files: written to a temporary name, synced, renamed, and the folder synced.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Key, ObjectsError};

/// A folder that holds objects.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens or creates the folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn open(root: &Path) -> Result<Self, ObjectsError> {
        tokio::fs::create_dir_all(root.join(".incoming")).await?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    pub(super) async fn check(&self) -> Result<(), ObjectsError> {
        let incoming = self.root.join(".incoming");
        blocking(move || {
            tempfile::tempfile_in(incoming)?;
            Ok(())
        })
        .await
    }

    pub(super) async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), ObjectsError> {
        self.place(key, move |file| file.write_all(&bytes)).await
    }

    pub(super) async fn put_file(&self, key: &Key, path: &Path) -> Result<(), ObjectsError> {
        let mut source = std::fs::File::open(path)?;
        self.place(key, move |file| {
            std::io::copy(&mut source, file).map(|_| ())
        })
        .await
    }

    async fn place(
        &self,
        key: &Key,
        write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), ObjectsError> {
        let (incoming, target) = (self.root.join(".incoming"), self.path(key));
        blocking(move || {
            let mut file = tempfile::NamedTempFile::new_in(incoming)?;
            write(file.as_file_mut())?;
            file.as_file().sync_all()?;
            let parent = target.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(parent)?;
            file.persist(&target).map_err(|error| error.error)?;
            std::fs::File::open(parent)?.sync_all()
        })
        .await
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Bytes, ObjectsError> {
        let path = self.path(key);
        blocking(move || std::fs::read(path).map(Bytes::from)).await
    }

    pub(super) async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, ObjectsError> {
        let path = self.path(key);
        blocking(move || {
            let mut file = std::fs::File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    pub(super) async fn size(&self, key: &Key) -> Result<u64, ObjectsError> {
        let path = self.path(key);
        blocking(move || Ok(std::fs::metadata(path)?.len())).await
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<(), ObjectsError> {
        let path = self.path(key);
        let deleted = blocking(move || std::fs::remove_file(path)).await;
        match deleted {
            Err(ObjectsError::NotFound) => Ok(()),
            other => other,
        }
    }
}

/// Runs disk work off the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ObjectsError> {
    let result = tokio::task::spawn_blocking(work)
        .await
        .map_err(std::io::Error::other)?;
    result.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ObjectsError::NotFound,
        _ => ObjectsError::Io(error),
    })
}
