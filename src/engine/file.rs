//! A master list in a file: for one machine, or a volume that several share.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock that somebody else holds is tried again: an update takes about a millisecond.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// The right to update a list: nobody else has it until it is dropped.
pub struct Lock(#[allow(dead_code, reason = "dropping it releases the lock")] File);

/// Waits for the right to update a list. It is a lock on a file beside it, because the list's own file is replaced.
pub async fn lock(path: &Path) -> io::Result<Lock> {
    let file = File::create(beside(path, ".lock"))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Reads a list; one that is not there is empty.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result,
    }
}

/// Replaces a list as a whole: whoever reads it sees the old one or the new one. Call it with the lock held.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = beside(path, ".new");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
