//! `LockedFile`: reads and replaces a file with a list of servers, a master list or the state, without blocking the engine.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock;

/// How often a lock that another process holds is tried again: an update takes about a millisecond.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// The right to update a file: no other process has it until this is dropped.
pub struct Lock(#[allow(dead_code, reason = "dropping it releases the lock")] File);

/// A file with at most one access at a time: a volume that hangs blocks one thread, however often it is tried.
pub struct LockedFile {
    path: PathBuf,
    turn: Arc<Semaphore>,
}

impl LockedFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path, turn: Arc::new(Semaphore::new(1)) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the right to update the file. The lock is on a second file, `NAME.lock`, because an update replaces the
    /// file itself.
    pub async fn lock(&self, timeout: Duration) -> Result<Lock, String> {
        let lock = async {
            let path = with_suffix(&self.path, ".lock");
            let file = self.blocking(move || File::create(&path).map_err(|error| not_created(&path, &error))).await?;
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(Lock(file)),
                    Err(TryLockError::WouldBlock) => clock::sleep(LOCK_POLL).await,
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
        };
        within(timeout, lock).await
    }

    /// Reads up to `most` bytes. A file that does not exist is empty.
    pub async fn read(&self, most: usize, timeout: Duration) -> Result<Vec<u8>, String> {
        let path = self.path.clone();
        let read = self.blocking(move || {
            let file = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                opened => opened?,
            };
            let mut content = Vec::new();
            file.take(most as u64 + 1).read_to_end(&mut content)?;
            if content.len() > most { Err(io::Error::other("it is too large")) } else { Ok(content) }
        });
        within(timeout, read).await
    }

    /// Replaces the whole file: a reader sees either the old or the new one. Holds a lock until that is done, even if the
    /// caller stops waiting earlier.
    pub async fn replace(&self, content: Vec<u8>, lock: Option<Lock>, timeout: Duration) -> Result<(), String> {
        let (path, temporary) = (self.path.clone(), with_suffix(&self.path, ".new"));
        let replaced = self.blocking(move || {
            let _lock = lock;
            let mut file = File::create(&temporary).map_err(|error| not_created(&temporary, &error))?;
            file.write_all(&content)?;
            if let Ok(old) = fs::metadata(&path) {
                file.set_permissions(old.permissions())?;
            }
            file.sync_all()?;
            fs::rename(&temporary, &path)
        });
        within(timeout, replaced).await
    }

    // On a thread of its own: a volume may hang, and the engine's thread must not.
    async fn blocking<T: Send + 'static>(&self, act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        // The semaphore is never closed.
        let turn: Option<OwnedSemaphorePermit> = Arc::clone(&self.turn).acquire_owned().await.ok();
        let act = move || {
            let _turn = turn;
            act()
        };
        tokio::task::spawn_blocking(act).await?
    }
}

async fn within<T>(timeout: Duration, access: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match clock::timeout(timeout, access).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the file did not answer in time".into()),
    }
}

// Names the path: these files are not the one that is configured. A missing file is created, a missing folder is not.
fn not_created(path: &Path, error: &io::Error) -> io::Error {
    let why = match path.parent() {
        Some(folder) if error.kind() == io::ErrorKind::NotFound => format!("there is no folder {}", folder.display()),
        _ => format!("{}: {error}", path.display()),
    };
    io::Error::new(error.kind(), why)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
