//! Objects as files: written to a temporary name, synced, renamed, and every folder above synced.

use std::collections::HashSet;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{Key, ObjectsError};

/// Most folders of which it is remembered that the way to them is durable.
const MOST_KNOWN: usize = 4096;

/// A folder that holds objects.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// Folders below the root whose every ancestor this process has synced.
    known: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Folder {
    /// Opens or creates the folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn open(root: &Path) -> Result<Self, ObjectsError> {
        let incoming = root.join(".incoming");
        blocking(move || make_durable(&incoming, None, sync)).await?;
        Ok(Self {
            root: root.to_owned(),
            known: Arc::default(),
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
        let path = path.to_owned();
        self.place(key, move |file| {
            let mut source = std::fs::File::open(path)?;
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
        let folder = self.clone();
        blocking(move || {
            let mut file = tempfile::NamedTempFile::new_in(incoming)?;
            write(file.as_file_mut())?;
            file.as_file().sync_all()?;
            let parent = target.parent().unwrap_or(Path::new("."));
            folder.make(parent)?;
            file.persist(&target).map_err(|error| error.error)?;
            sync(parent)
        })
        .await
    }

    /// Makes the folder of an object and the way to it durable.
    fn make(&self, folder: &Path) -> std::io::Result<()> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().contains(folder) {
            return Ok(());
        }
        make_durable(folder, Some(&self.root), sync)?;
        let mut known = lock();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(folder.to_owned());
        Ok(())
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

/// Makes `folder`, then syncs every folder that has a part of the way to it as an entry: up to
/// `root`, whose own way is durable, or else as far as something had to be made.
///
/// What is there already is synced too: whoever made it may have died before that.
fn make_durable(
    folder: &Path,
    root: Option<&Path>,
    mut sync: impl FnMut(&Path) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let above = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    };
    let is_way = |path: &Path| match root {
        Some(root) => path.starts_with(root) && path != root,
        None => !path.exists(),
    };
    let mut holders = Vec::new();
    let mut path = folder.to_owned();
    while is_way(&path) {
        path = above(&path);
        holders.push(path.clone());
    }
    std::fs::create_dir_all(folder)?;
    holders.iter().try_for_each(|holder| sync(holder))
}

fn sync(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn synced(folder: &Path, root: Option<&Path>) -> Vec<PathBuf> {
        let mut holders = Vec::new();
        make_durable(folder, root, |holder| {
            assert!(holder.is_dir());
            holders.push(holder.to_owned());
            Ok(())
        })
        .unwrap();
        assert!(folder.is_dir());
        holders
    }

    #[test]
    fn every_folder_on_the_way_to_an_object_is_synced() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("data/objects");
        assert_eq!(
            synced(&root, None),
            [place.path().join("data"), place.path().to_owned()]
        );
        assert_eq!(synced(&root, None), [] as [PathBuf; 0]);
        let way = [root.join("media/1"), root.join("media"), root.clone()];
        for _ in 0..2 {
            assert_eq!(synced(&root.join("media/1/v240"), Some(&root)), way);
        }
    }
}
