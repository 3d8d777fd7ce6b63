//! Reads files of a folder into which an untrusted program writes at the same time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use bytes::Bytes;

/// Largest file that is read, in bytes: segments of the lowest rungs.
const LARGEST: u64 = 32 << 20;

/// The bytes of the file `name` below `folder`, that has this size. No part of the name may be a link, which
/// would lead to files of the server's own.
///
/// # Errors
/// When it is not there, is no plain file, or has another size.
pub async fn read(folder: &Path, name: &str, size: u64) -> io::Result<Bytes> {
    let (folder, name) = (folder.to_owned(), name.to_owned());
    tokio::task::spawn_blocking(move || read_blocking(&folder, &name, size))
        .await
        .map_err(io::Error::other)?
}

fn read_blocking(folder: &Path, name: &str, size: u64) -> io::Result<Bytes> {
    let mut at = open(folder, libc::O_DIRECTORY)?;
    for part in name.split('/') {
        // Through the descriptor, so that nobody can exchange the folder meanwhile; a pipe does not block.
        let path = format!("/proc/self/fd/{}/{part}", at.as_raw_fd());
        at = open(Path::new(&path), libc::O_NONBLOCK)?;
    }
    let metadata = at.metadata()?;
    if !metadata.is_file() || metadata.len() != size || size > LARGEST {
        return Err(io::Error::other(format!("{name} is not as it was told")));
    }
    let mut bytes = Vec::new();
    at.take(size).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | flags)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn links_pipes_and_other_sizes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        std::fs::create_dir(at.join("v240")).unwrap();
        std::fs::write(at.join("v240/0.m4s"), "media").unwrap();
        assert_eq!(read(at, "v240/0.m4s", 5).await.unwrap(), &b"media"[..]);
        assert!(read(at, "v240/0.m4s", 4).await.is_err());
        symlink("0.m4s", at.join("v240/1.m4s")).unwrap();
        symlink("v240", at.join("v480")).unwrap();
        assert!(read(at, "v240/1.m4s", 5).await.is_err());
        assert!(read(at, "v480/0.m4s", 5).await.is_err());
        let pipe = std::process::Command::new("mkfifo")
            .arg(at.join("v240/2.m4s"))
            .status();
        assert!(pipe.unwrap().success());
        assert!(read(at, "v240/2.m4s", 0).await.is_err());
    }
}
