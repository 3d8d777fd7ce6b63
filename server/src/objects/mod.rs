//! Objects: uploaded and prepared bytes, in a folder or in any S3 service.
//!
//! An object is written whole or not at all, never changed afterwards, and read by ranges.

mod folder;
mod s3;

use std::path::Path;

use bytes::Bytes;

pub use folder::Folder;
pub use s3::S3;

/// What can go wrong with the store of objects.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// No object has this key.
    #[error("no such object")]
    NotFound,
    /// A key that could leave its place or that a service could read differently.
    #[error("an object key has an unsafe form")]
    UnsafeKey,
    /// The setting cannot be used.
    #[error("objects setting: {0}")]
    Setting(String),
    /// The disk.
    #[error("objects folder: {0}")]
    Io(#[from] std::io::Error),
    /// The S3 service.
    #[error("objects service: {0}")]
    Service(String),
}

/// A checked key: parts of `a-z A-Z 0-9 . - _` between slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// Checks a key.
    ///
    /// # Errors
    /// [`ObjectsError::UnsafeKey`].
    pub fn new(text: impl Into<String>) -> Result<Self, ObjectsError> {
        let text = text.into();
        let safe = text.len() <= 512
            && text.split('/').all(|part| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            });
        if safe {
            Ok(Self(text))
        } else {
            Err(ObjectsError::UnsafeKey)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A store of objects; cheap to clone.
#[derive(Clone, Debug)]
pub enum Objects {
    /// A folder of this machine.
    Folder(Folder),
    /// An S3 service.
    S3(S3),
}

impl Objects {
    /// Opens what the setting names: `file:PATH` or `s3://bucket?endpoint=…&region=…`.
    ///
    /// # Errors
    /// When the setting is malformed, the folder cannot be made, or keys are missing.
    pub async fn open(setting: &str) -> Result<Self, ObjectsError> {
        if let Some(path) = setting.strip_prefix("file:") {
            Ok(Self::Folder(Folder::open(Path::new(path)).await?))
        } else if setting.starts_with("s3://") {
            Ok(Self::S3(S3::open(setting)?))
        } else {
            Err(ObjectsError::Setting(
                "must be file:PATH or s3://bucket?endpoint=…&region=…".into(),
            ))
        }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// What the store said.
    pub async fn check(&self) -> Result<(), ObjectsError> {
        match self {
            Self::Folder(folder) => folder.check().await,
            Self::S3(s3) => s3.check().await,
        }
    }

    /// Stores bytes; durable when it returns.
    ///
    /// # Errors
    /// When the store fails; nothing is then visible under the key.
    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), ObjectsError> {
        match self {
            Self::Folder(folder) => folder.put(key, bytes).await,
            Self::S3(s3) => s3.put(key, bytes).await,
        }
    }

    /// Stores a file's bytes without reading it into memory; durable when it returns.
    ///
    /// # Errors
    /// When the file cannot be read or the store fails.
    pub async fn put_file(&self, key: &Key, path: &Path) -> Result<(), ObjectsError> {
        match self {
            Self::Folder(folder) => folder.put_file(key, path).await,
            Self::S3(s3) => s3.put_file(key, path).await,
        }
    }

    /// The whole object. For objects that are known to be small: segments, parts, pictures.
    ///
    /// # Errors
    /// [`ObjectsError::NotFound`], or when the store fails.
    pub async fn get(&self, key: &Key) -> Result<Bytes, ObjectsError> {
        match self {
            Self::Folder(folder) => folder.get(key).await,
            Self::S3(s3) => s3.get(key, None).await,
        }
    }

    /// `length` bytes from `offset`, fewer at the end of the object.
    ///
    /// # Errors
    /// [`ObjectsError::NotFound`], or when the store fails.
    pub async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, ObjectsError> {
        match self {
            Self::Folder(folder) => folder.get_range(key, offset, length).await,
            Self::S3(_) if length == 0 => Ok(Bytes::new()),
            Self::S3(s3) => s3.get(key, Some((offset, length))).await,
        }
    }

    /// Size in bytes.
    ///
    /// # Errors
    /// [`ObjectsError::NotFound`], or when the store fails.
    pub async fn size(&self, key: &Key) -> Result<u64, ObjectsError> {
        match self {
            Self::Folder(folder) => folder.size(key).await,
            Self::S3(s3) => s3.size(key).await,
        }
    }

    /// Deletes; an object that is not there is deleted already.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, key: &Key) -> Result<(), ObjectsError> {
        match self {
            Self::Folder(folder) => folder.delete(key).await,
            Self::S3(s3) => s3.delete(key).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder and, when the test command has brought it up, nothing less than a real S3 service.
    async fn both() -> (tempfile::TempDir, Vec<Objects>) {
        let folder = tempfile::tempdir().unwrap();
        let local = Objects::open(&format!("file:{}", folder.path().display()))
            .await
            .unwrap();
        let setting = std::env::var("TEST_OBJECTS")
            .expect("Garage is needed: run the tests by `make test`, which starts it");
        let s3 = Objects::open(&setting).await.unwrap();
        (folder, vec![local, s3])
    }

    fn fresh(name: &str) -> Key {
        Key::new(format!("test/{}/{name}", uuid::Uuid::now_v7())).unwrap()
    }

    #[tokio::test]
    async fn what_was_put_is_read_whole_and_by_range_and_gone_after_delete() {
        let (_folder, stores) = both().await;
        for store in stores {
            let key = fresh("a.bin");
            store.check().await.unwrap();
            assert!(matches!(store.get(&key).await, Err(ObjectsError::NotFound)));
            store
                .put(&key, Bytes::from_static(b"0123456789"))
                .await
                .unwrap();
            assert_eq!(store.get(&key).await.unwrap(), &b"0123456789"[..]);
            assert_eq!(store.get_range(&key, 3, 4).await.unwrap(), &b"3456"[..]);
            assert_eq!(store.get_range(&key, 8, 9).await.unwrap(), &b"89"[..]);
            assert_eq!(store.size(&key).await.unwrap(), 10);
            store.delete(&key).await.unwrap();
            store.delete(&key).await.unwrap();
            assert!(matches!(
                store.size(&key).await,
                Err(ObjectsError::NotFound)
            ));
        }
    }

    #[tokio::test]
    async fn a_file_of_several_parts_is_stored_as_it_is() {
        let (folder, stores) = both().await;
        let path = folder.path().join("source");
        let content: Vec<u8> = (0..20_000_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        for store in stores {
            let key = fresh("file");
            store.put_file(&key, &path).await.unwrap();
            assert_eq!(store.get(&key).await.unwrap(), content);
        }
    }

    #[test]
    fn a_key_cannot_leave_its_place() {
        for bad in [
            "", "/etc", "a//b", "../a", "a/../b", ".hidden", "a b", "a\u{e9}",
        ] {
            assert!(Key::new(bad).is_err(), "{bad:?}");
        }
        assert!(Key::new("media/01/v240/00001.m4s").is_ok());
    }
}
