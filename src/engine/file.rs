//! A file with a list of servers: a master list, for one machine or on a volume that several share, or the state.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock that somebody else holds is tried again: an update takes about a millisecond.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// The right to update a list: nobody else has it until it is dropped.
pub struct Lock(#[allow(dead_code, reason = "dropping it releases the lock")] File);

/// Waits for the right to update a list. It is a lock on a file beside it, because the list's own file is replaced.
pub async fn lock(path: &Path) -> io::Result<Lock> {
    let beside = beside(path, ".lock");
    let file = blocking(move || File::create(beside)).await?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Reads a list of at most so many bytes; one that is not there is empty.
pub async fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    blocking(move || {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        let mut content = Vec::new();
        file.take(most as u64 + 1).read_to_end(&mut content)?;
        if content.len() > most { Err(io::Error::other("it is too large")) } else { Ok(content) }
    })
    .await
}

/// Replaces a list as a whole: whoever reads it sees the old one or the new one. Holds a lock until that is done,
/// whether or not anybody waits for it so long.
pub async fn replace(path: &Path, content: Vec<u8>, lock: Option<Lock>) -> io::Result<()> {
    let (path, temporary) = (path.to_owned(), beside(path, ".new"));
    blocking(move || {
        let _lock = lock;
        let mut file = File::create(&temporary)?;
        file.write_all(&content)?;
        if let Ok(old) = fs::metadata(&path) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })
    .await
}

// A volume may hang; the engine's thread may not.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await?
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
