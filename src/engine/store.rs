//! One master list: where it is, and what was seen of it last.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use super::file::{self, Lock};
use super::http::{Got, Http, MAX_BODY};
use crate::config::{List, Location};
use crate::error::Error;
use crate::message::Message;
use crate::protocol::{Write, WriteError};

/// How long a start waits for its state, and how long it may take to save it.
const STATE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a list is read and written.
pub struct Store {
    list: List,
    // The tag of what was read last.
    seen: Mutex<Option<String>>,
}

/// A list as it was read.
pub struct Content {
    /// None where it has not changed.
    pub json: Option<Vec<u8>>,
    hold: Hold,
}

/// What keeps others from writing a list between our reading and our writing, or tells that they have.
enum Hold {
    Nothing,
    Lock(Lock),
    Version(Version),
}

/// What a store calls a version of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// There is none.
    Absent,
    /// A strong tag.
    Tag(String),
    /// What Google Cloud Storage has instead.
    Generation(String),
}

impl Store {
    pub fn new(list: List) -> Self {
        Self { list, seen: Mutex::new(None) }
    }

    /// Reads the list; one that is not there is empty. Where it is a file and will be written, nobody else writes it
    /// until the content is dropped.
    pub async fn read(&self, http: &Http, write: Write, only_news: bool, timeout: Duration) -> Result<Content, String> {
        let content = self.try_to_read(http, write, only_news, timeout).await;
        content.map_err(|error| format!("{} cannot be read: {error}", self.list.read))
    }

    async fn try_to_read(
        &self,
        http: &Http,
        write: Write,
        only_news: bool,
        timeout: Duration,
    ) -> Result<Content, String> {
        let lock = match &self.list.write {
            Location::File(path) if write != Write::No => Some(within(timeout, file::lock(path)).await?),
            _ => None,
        };
        let url = match &self.list.read {
            Location::Http(url) => url,
            Location::File(path) => {
                let json = within(timeout, file::read(path, MAX_BODY)).await?;
                return Ok(Content { json: Some(json), hold: lock.map_or(Hold::Nothing, Hold::Lock) });
            }
        };
        let seen = if only_news { self.seen().clone() } else { None };
        let Some(Got { body, tag, version, at }) = http.get_list(url, seen.as_deref(), timeout).await? else {
            return Ok(Content { json: None, hold: Hold::Nothing });
        };
        *self.seen() = tag;
        let hold = match (lock, &self.list.write, version) {
            (Some(lock), ..) => Hold::Lock(lock),
            // A tag says something about the document that it came with: a presigned URL differs in its query.
            (None, Location::Http(url), Some(version)) if write == Write::Unless && is_same(url, &at) => {
                Hold::Version(version)
            }
            (None, ..) => Hold::Nothing,
        };
        Ok(Content { json: Some(body), hold })
    }

    /// Writes the list that was joined with what was read.
    pub async fn write(&self, http: &Http, json: Vec<u8>, read: Content, timeout: Duration) -> Result<(), WriteError> {
        let written = match (&self.list.write, read.hold) {
            (Location::File(path), Hold::Lock(lock)) => {
                within(timeout, file::replace(path, json, Some(lock))).await.map_err(WriteError::Failed)
            }
            (Location::File(_), Hold::Nothing | Hold::Version(_)) => {
                Err(WriteError::Failed("its lock is not held".into()))
            }
            (Location::Http(url), Hold::Version(version)) => http.put_list(url, Some(&version), json, timeout).await,
            (Location::Http(url), Hold::Nothing | Hold::Lock(_)) => http.put_list(url, None, json, timeout).await,
        };
        written.map_err(|error| match error {
            WriteError::Failed(error) => WriteError::Failed(format!("{} cannot be written: {error}", self.list.write)),
            WriteError::Conflict => WriteError::Conflict,
        })
    }

    /// Says that what was read is no list.
    pub fn not_a_list(&self, error: &Error) -> String {
        format!("{} cannot be read: {error}", self.list.read)
    }

    fn seen(&self) -> MutexGuard<'_, Option<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file that the state is kept in, for the next start. It is a list like the others, and nobody else's.
pub struct StateFile(PathBuf);

impl StateFile {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// What it holds; nothing where it is not there.
    pub async fn read(&self) -> Result<Vec<u8>, String> {
        within(STATE_TIMEOUT, file::read(&self.0, MAX_BODY)).await
    }

    /// Replaces what it holds.
    pub async fn save(&self, state: &Message) -> Result<(), String> {
        let saved = within(STATE_TIMEOUT, file::replace(&self.0, state.to_master_list(), None)).await;
        saved.map_err(|error| format!("{self} cannot be written: {error}"))
    }
}

impl fmt::Display for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

fn is_same(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path() == other.path()
}

async fn within<T>(timeout: Duration, access: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(timeout, access).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the file did not answer in time".into()),
    }
}
