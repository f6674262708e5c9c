//! A file with a list of servers: a master list, for one machine or on a volume that several share, or the state.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How often a lock that somebody else holds is tried again: an update takes about a millisecond.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// The right to update a list: nobody else has it until it is dropped.
pub struct Lock(#[allow(dead_code, reason = "dropping it releases the lock")] File);

/// A file, and the one access to it that there is at a time: a volume that hangs keeps one thread, however often it is
/// tried.
pub struct Document {
    path: PathBuf,
    turn: Arc<Semaphore>,
}

impl Document {
    pub fn new(path: PathBuf) -> Self {
        Self { path, turn: Arc::new(Semaphore::new(1)) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the right to update it. It is a lock on a file beside it, because the file itself is replaced.
    pub async fn lock(&self, timeout: Duration) -> Result<Lock, String> {
        let lock = async {
            let beside = beside(&self.path, ".lock");
            let file = self.blocking(move || File::create(&beside).map_err(|error| not_made(&beside, &error))).await?;
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(Lock(file)),
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
        };
        within(timeout, lock).await
    }

    /// Reads it, up to so many bytes; one that is not there is empty.
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

    /// Replaces it as a whole: whoever reads it sees the old one or the new one. Holds a lock until that is done, whether or
    /// not anybody waits for it so long.
    pub async fn replace(&self, content: Vec<u8>, lock: Option<Lock>, timeout: Duration) -> Result<(), String> {
        let (path, temporary) = (self.path.clone(), beside(&self.path, ".new"));
        let replaced = self.blocking(move || {
            let _lock = lock;
            let mut file = File::create(&temporary).map_err(|error| not_made(&temporary, &error))?;
            file.write_all(&content)?;
            if let Ok(old) = fs::metadata(&path) {
                file.set_permissions(old.permissions())?;
            }
            file.sync_all()?;
            fs::rename(&temporary, &path)
        });
        within(timeout, replaced).await
    }

    // A volume may hang; the engine's thread may not.
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
    match tokio::time::timeout(timeout, access).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the file did not answer in time".into()),
    }
}

// A file that is not there is made, a folder is not. It is none of those that anybody has named.
fn not_made(path: &Path, error: &io::Error) -> io::Error {
    let what = match path.parent() {
        Some(folder) if error.kind() == io::ErrorKind::NotFound => format!("there is no folder {}", folder.display()),
        _ => format!("{}: {error}", path.display()),
    };
    io::Error::new(error.kind(), what)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
