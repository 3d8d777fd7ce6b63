//! Which node this is: a name that outlives restarts, and a folder for work in progress.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Folder of the work of the node that has this data folder to itself.
const OWN: &str = "own";

/// This node in this life of its process.
#[derive(Debug)]
pub struct Node {
    name: String,
    life: String,
    work: PathBuf,
    /// Held as long as the process lives; the system frees it even after kill -9.
    lock: Option<File>,
}

impl Node {
    /// Reads or makes the node's name in its data folder. What an earlier life worked on stays, so that the
    /// next attempt goes on with it.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub async fn open(data: &Path) -> io::Result<Self> {
        let data = data.to_owned();
        tokio::task::spawn_blocking(move || Self::open_blocking(&data))
            .await
            .map_err(io::Error::other)?
    }

    fn open_blocking(data: &Path) -> io::Result<Self> {
        let all_work = data.join("work");
        std::fs::create_dir_all(&all_work)?;
        let lock = File::create(data.join("node.lock"))?;
        let (lock, name) = match lock.try_lock() {
            Ok(()) => (Some(lock), read_or_make_name(&data.join("node.id"))?),
            // Another process works in this folder: be another node, and leave its things alone.
            Err(TryLockError::WouldBlock) => (None, Uuid::now_v7().to_string()),
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let life = Uuid::now_v7().to_string();
        let work = match lock {
            Some(_) => {
                let own = all_work.join(OWN);
                clear_but(&all_work, &own)?;
                own
            }
            None => all_work.join(&life),
        };
        std::fs::create_dir_all(&work)?;
        Ok(Self {
            name,
            life,
            work,
            lock,
        })
    }

    /// A UUID.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether no other process can have this name, so that leases in it are leftovers.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.lock.is_some()
    }

    /// What stands in a lease of this node's worker number `worker`.
    #[must_use]
    pub fn owner(&self, worker: u16) -> String {
        format!("{}/{}/{worker}", self.name, self.life)
    }

    /// Folder for work in progress: a folder for each job, named after it.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.work
    }
}

/// Removes what second processes left that are no more.
fn clear_but(folder: &Path, kept: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        // A file is not of a node, and no reason not to start.
        if path != kept && entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

fn read_or_make_name(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) if Uuid::try_parse(text.trim()).is_ok() => return Ok(text.trim().to_owned()),
        // A damaged name is replaced: its leases then end by themselves.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let name = Uuid::now_v7().to_string();
    std::fs::write(path, &name)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_outlives_a_restart_and_a_second_process_gets_its_own() {
        let data = tempfile::tempdir().unwrap();
        let first = Node::open(data.path()).await.unwrap();
        let begun = first.work().join("input");
        std::fs::write(&begun, "x").unwrap();

        let beside = Node::open(data.path()).await.unwrap();
        assert!(first.is_alone() && !beside.is_alone());
        assert_ne!(first.name(), beside.name());
        let leftover = beside.work().join("input");
        std::fs::write(&leftover, "x").unwrap();
        assert!(begun.exists(), "a node leaves a living node's work alone");

        let name = first.name().to_owned();
        let owner = first.owner(0);
        std::fs::write(data.path().join("work/stray"), "x").unwrap();
        drop((first, beside));
        let again = Node::open(data.path()).await.unwrap();
        assert_eq!(again.name(), name);
        assert_ne!(again.owner(0), owner);
        assert!(begun.exists(), "what was begun is gone on with");
        assert!(!leftover.exists());
    }
}
