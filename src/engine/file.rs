//! `LockedFile`: reads and replaces a file with a list of servers (a master list or the state), without blocking the
//! engine.
//!
//! Others may have write access to the folder. So helper files are never opened through a symbolic link, existing files
//! are never truncated, and private files have the mode 0600.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::workers::Workers;
use crate::clock;

/// How often a held lock is retried. An update takes about a millisecond.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// An exclusive lock on a file, until dropped.
pub struct Lock {
    file: Option<File>,
    workers: Arc<Workers>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.workers.drop_later(self.file.take());
    }
}

/// Why a lock was not obtained.
pub struct LockError {
    /// Another process holds it.
    pub is_held: bool,
    /// The folder of the file does not exist.
    pub has_no_folder: bool,
    /// The error, as text.
    pub why: String,
}

/// A file with one access at a time, so that a hung volume blocks only one thread.
pub struct LockedFile {
    path: PathBuf,
    // Whether only this user may read it, regardless of its current mode.
    is_private: bool,
    turn: Arc<Semaphore>,
    workers: Arc<Workers>,
}

impl LockedFile {
    /// A file that keeps its mode.
    pub fn new(path: PathBuf, workers: &Arc<Workers>) -> Self {
        Self { path, is_private: false, turn: Arc::new(Semaphore::new(1)), workers: Arc::clone(workers) }
    }

    /// A file that only this user may read.
    pub fn new_private(path: PathBuf, workers: &Arc<Workers>) -> Self {
        Self { is_private: true, ..Self::new(path, workers) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the lock. It is on a second file, `NAME.lock`, because an update replaces the file itself.
    pub async fn lock(&self, timeout: Duration) -> Result<Lock, LockError> {
        let path = with_suffix(&self.path, ".lock");
        let mut is_held = false;
        let locked = clock::timeout(timeout, self.acquire(path.clone(), &mut is_held)).await;
        let is_late = locked.is_err();
        let (why, has_no_folder) = match locked {
            Ok(Ok(lock)) => return Ok(lock),
            Ok(Err(error)) => (error.to_string(), error.kind() == io::ErrorKind::NotFound),
            Err(_) if is_held => (format!("another process holds its lock, {}", path.display()), false),
            Err(_) => (no_answer(), false),
        };
        Err(LockError { is_held: is_late && is_held, has_no_folder, why })
    }

    async fn acquire(&self, path: PathBuf, is_held: &mut bool) -> io::Result<Lock> {
        let list = self.path.clone();
        let open = move || open_lock(&path, &list).map_err(|error| not_opened(&path, &error));
        let mut lock = Lock { file: Some(self.blocking(open).await?), workers: Arc::clone(&self.workers) };
        loop {
            let attempt = move || {
                let outcome = lock.file.as_ref().map_or(Ok(()), File::try_lock);
                Ok((lock, outcome))
            };
            let (tried, outcome) = self.blocking(attempt).await?;
            lock = tried;
            match outcome {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => *is_held = true,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            clock::sleep(LOCK_POLL).await;
        }
    }

    /// Reads up to `most` bytes. A missing file counts as empty.
    pub async fn read(&self, most: usize, timeout: Duration) -> Result<Vec<u8>, String> {
        let path = self.path.clone();
        within(timeout, self.blocking(move || read(&path, most))).await
    }

    /// Fails if the folder of the file does not exist.
    pub async fn check_folder(&self, timeout: Duration) -> Result<(), String> {
        let path = self.path.clone();
        let check = self.blocking(move || match fs::metadata(folder_of(&path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(not_opened(&path, &error)),
            // Other errors show when the file is used.
            Ok(_) | Err(_) => Ok(()),
        });
        within(timeout, check).await
    }

    /// Replaces the whole file atomically. With `unchanged`: only if the file still has that content; returns false
    /// otherwise. Holds a lock until done, even if the caller stops waiting.
    pub async fn replace(
        &self,
        content: Vec<u8>,
        lock: Option<Lock>,
        unchanged: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Result<bool, String> {
        let (path, is_private) = (self.path.clone(), self.is_private);
        let replaced = self.blocking(move || {
            let _lock = lock;
            let mode = if is_private { Some(PRIVATE) } else { own_mode(&path) };
            let temporary = Temporary::create(&path, mode)?;
            temporary.remove_older(&path);
            temporary.fill(&content, mode)?;
            if let Some(expected) = unchanged
                && read(&path, expected.len()).ok().is_none_or(|present| present != expected)
            {
                return Ok(false);
            }
            temporary.rename(&path).map(|()| true)
        });
        within(timeout, replaced).await
    }

    #[cfg(test)]
    pub async fn hang(&self, until: impl FnOnce() + Send + 'static) {
        let act = || {
            until();
            Ok(())
        };
        let _ = self.blocking(act).await;
    }

    // Runs on a worker thread, because a volume may hang.
    async fn blocking<T: Send + 'static>(&self, act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        // The semaphore is never closed.
        let turn: Option<OwnedSemaphorePermit> = Arc::clone(&self.turn).acquire_owned().await.ok();
        let act = move || {
            let _turn = turn;
            act()
        };
        self.workers.run(act).await
    }
}

/// How old another process's temporary file must be before it is removed. A write takes milliseconds.
const LEFT_OVER: Duration = Duration::from_secs(60);
/// How many names of a folder are searched for such files.
const MAX_ENTRIES: usize = 1_000;

/// The mode of private files.
const PRIVATE: u32 = 0o600;

/// A temporary file that will replace another. Has an unpredictable name, and is removed on drop unless renamed.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn create(path: &Path, mode: Option<u32>) -> io::Result<Self> {
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("the system has no random numbers"))?;
        let mut suffix = String::from(".");
        random.iter().try_for_each(|byte| write!(suffix, "{byte:02x}")).map_err(io::Error::other)?;
        let path = with_suffix(path, &(suffix + ".new"));
        let mut options = OpenOptions::new();
        // Fails if the name exists, even as a link.
        options.write(true).create_new(true);
        if mode.is_some() {
            restrict(&mut options, PRIVATE);
        }
        let file = options.open(&path).map_err(|error| not_opened(&path, &error))?;
        Ok(Self { file, path })
    }

    fn fill(&self, content: &[u8], mode: Option<u32>) -> io::Result<()> {
        (&self.file).write_all(content)?;
        if let Some(mode) = mode {
            set_mode(&self.file, mode)?;
        }
        self.file.sync_all()
    }

    // Removes temporary files of killed processes: only regular files of this user with a name that we could have
    // chosen. A write still in progress then fails and is repeated. Does not follow links.
    fn remove_older(&self, path: &Path) {
        let (Some(name), Ok(own)) = (path.file_name(), self.file.metadata()) else { return };
        let Ok(entries) = fs::read_dir(folder_of(path)) else { return };
        let is_old = |found: &fs::Metadata| found.modified().ok()?.elapsed().ok().filter(|age| *age > LEFT_OVER);
        for entry in entries.take(MAX_ENTRIES).flatten().filter(|entry| is_temporary(&entry.file_name(), name)) {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_file() && has_same_owner(&found, &own) && is_old(&found).is_some() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn rename(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is no such file.
        let _ = fs::remove_file(&self.path);
    }
}

fn is_temporary(candidate: &OsStr, name: &OsStr) -> bool {
    let (candidate, name) = (candidate.as_encoded_bytes(), name.as_encoded_bytes());
    let random = candidate.strip_prefix(name).and_then(|rest| rest.strip_prefix(b".")?.strip_suffix(b".new"));
    random.is_some_and(|it| it.len() == 16 && it.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(unix)]
fn has_same_owner(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    one.uid() == other.uid()
}

#[cfg(not(unix))]
fn has_same_owner(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

// Who may write the list may also hold its lock.
fn open_lock(path: &Path, list: &Path) -> io::Result<File> {
    let is_shared = own_mode(list).is_some_and(|mode| mode & 0o020 != 0);
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    restrict(&mut options, PRIVATE);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            if is_shared {
                set_mode(&file, PRIVATE | 0o060)?;
            }
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            #[cfg(not(unix))]
            if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
                return Err(io::Error::other("it is a symbolic link, remove it"));
            }
            regular(options.open(path)?)
        }
        Err(error) => Err(error),
    }
}

// Sets the mode of a new file. Does not follow links or block on a pipe.
#[cfg(unix)]
fn restrict(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(mode).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
}

#[cfg(not(unix))]
fn restrict(_: &mut OpenOptions, _: u32) {}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

// The mode of an existing regular file.
#[cfg(unix)]
fn own_mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(found.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn own_mode(_: &Path) -> Option<u32> {
    None
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

// Follows links, because an orchestrator may mount the file as one.
fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => regular(opened?)?,
    };
    let mut content = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut content)?;
    if content.len() > most { Err(io::Error::other("it is too large")) } else { Ok(content) }
}

async fn within<T>(timeout: Duration, access: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match clock::timeout(timeout, access).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> String {
    "the file did not answer in time".into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

// Names the path, because these files are not the configured one. A missing file is created, a missing folder is not.
fn not_opened(path: &Path, error: &io::Error) -> io::Error {
    #[cfg(unix)]
    let is_link = error.raw_os_error() == Some(libc::ELOOP);
    #[cfg(not(unix))]
    let is_link = false;
    let why = match path.parent() {
        Some(folder) if error.kind() == io::ErrorKind::NotFound => {
            format!("the folder {} does not exist", folder.display())
        }
        _ if is_link => format!("{}: it is a symbolic link, remove it", path.display()),
        _ => format!("{}: {error}", path.display()),
    };
    io::Error::new(error.kind(), why)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
