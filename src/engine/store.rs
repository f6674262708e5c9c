//! One master list: where it is, and what was seen of it last.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use super::file::{Document, Lock};
use super::http::{Http, MAX_BODY};
use super::list_http::{Got, PutError};
use crate::config::{List, Location};
use crate::error::Error;
use crate::message::Message;
use crate::protocol::WriteError;

/// How many characters of what is no list are shown: a word of what it is, and no secret.
const BEGINNING: usize = 15;
/// How often a store may refuse the write of a version that it still gives to whoever reads: then it knows by another name
/// what it gives, as behind a proxy that changes its tags.
const MAX_REFUSED: u32 = 3;
/// How long a start waits for its state, and how long it may take to save it.
const STATE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a list is read and written.
pub struct Store {
    list: List,
    read: Target,
    write: Target,
    seen: Mutex<Seen>,
}

// Where it is, to be accessed.
enum Target {
    Http(Url),
    File(Document),
}

#[derive(Default)]
struct Seen {
    // The tag of the list that was read last.
    tag: Option<String>,
    // The version whose write was refused last, and how often in a row.
    refused: Option<(Version, u32)>,
    // Whether it can be written on condition at all.
    is_unconditional: bool,
}

/// A list as it was read.
pub struct Content {
    /// None where it has not changed.
    pub json: Option<Vec<u8>>,
    tag: Option<String>,
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
        let target = |location: &Location| match location {
            Location::Http(url) => Target::Http(url.clone()),
            Location::File(path) => Target::File(Document::new(path.clone())),
        };
        Self { read: target(&list.read), write: target(&list.write), list, seen: Mutex::default() }
    }

    /// Reads the list; one that is not there is empty. Where it is a file that will be written, nobody else writes it until
    /// the content is dropped.
    pub async fn read(&self, http: &Http, write: bool, if_changed: bool, timeout: Duration) -> Result<Content, String> {
        let mut hold = Hold::Nothing;
        if let (Target::File(document), true) = (&self.write, write) {
            let lock = document.lock(timeout).await;
            hold = Hold::Lock(lock.map_err(|error| format!("{} cannot be written: {error}", self.list.write))?);
        }
        let content = self.try_to_read(http, write, if_changed, timeout, hold).await;
        content.map_err(|error| format!("{} cannot be read: {error}", self.list.read))
    }

    async fn try_to_read(
        &self,
        http: &Http,
        write: bool,
        if_changed: bool,
        timeout: Duration,
        mut hold: Hold,
    ) -> Result<Content, String> {
        let url = match &self.read {
            Target::Http(url) => url,
            Target::File(document) => {
                return Ok(Content { json: Some(document.read(MAX_BODY, timeout).await?), tag: None, hold });
            }
        };
        let seen = if if_changed { self.seen().tag.clone() } else { None };
        let Some(Got { body, tag, version, at }) = http.lists.get(url, seen.as_deref(), timeout).await? else {
            return Ok(Content { json: None, tag: None, hold });
        };
        // A tag says something about the document that it came with: a presigned URL differs in its query.
        if let (Target::Http(url), Some(version), true) = (&self.write, version, write)
            && is_same(url, &at)
            && !self.seen().is_unconditional
        {
            hold = Hold::Version(version);
        }
        Ok(Content { json: Some(body), tag, hold })
    }

    /// What was read is a list: it need not be sent again before it changes.
    pub fn is_list(&self, content: &Content) {
        self.seen().tag.clone_from(&content.tag);
    }

    /// Says that what was read is no list, and how it begins: it may be the page of a proxy.
    pub fn not_a_list(&self, json: &[u8], error: &Error) -> String {
        let text = String::from_utf8_lossy(&json[..json.len().min(4 * BEGINNING)]);
        let begins: String = text.trim_start().chars().take(BEGINNING).collect();
        format!("{} cannot be read: {error}. It begins with {begins:?}", self.list.read)
    }

    /// Writes the list that was joined with what was read. Returns whether on condition that nobody else had.
    pub async fn write(
        &self,
        http: &Http,
        json: Vec<u8>,
        read: Content,
        timeout: Duration,
    ) -> Result<bool, WriteError> {
        let failed = |error| WriteError::Failed(format!("{} cannot be written: {error}", self.list.write));
        match (&self.write, read.hold) {
            (Target::File(document), Hold::Lock(lock)) => {
                document.replace(json, Some(lock), timeout).await.map(|()| true).map_err(failed)
            }
            (Target::File(_), Hold::Nothing | Hold::Version(_)) => Err(failed("its lock is not held".into())),
            (Target::Http(url), Hold::Nothing | Hold::Lock(_)) => {
                match http.lists.put(url, None, json, timeout).await {
                    Ok(()) => Ok(false),
                    Err(PutError::Conflict(why) | PutError::Unsupported(why) | PutError::Failed(why)) => {
                        Err(failed(why))
                    }
                }
            }
            (Target::Http(url), Hold::Version(version)) => {
                match http.lists.put(url, Some(&version), json, timeout).await {
                    Ok(()) => {
                        self.seen().refused = None;
                        Ok(true)
                    }
                    Err(PutError::Conflict(why)) => {
                        self.refused(version, &why).map_err(failed).and(Err(WriteError::Conflict))
                    }
                    // It is read again, and written without.
                    Err(PutError::Unsupported(_)) => {
                        self.seen().is_unconditional = true;
                        Err(WriteError::Conflict)
                    }
                    Err(PutError::Failed(why)) => Err(failed(why)),
                }
            }
        }
    }

    // Somebody else has written it: then it is of another version when it is read next.
    fn refused(&self, version: Version, why: &str) -> Result<(), String> {
        let mut seen = self.seen();
        let before = seen.refused.take().filter(|(refused, _)| *refused == version).map_or(0, |(_, times)| times);
        let times = before + 1;
        let is_absent = version == Version::Absent;
        seen.refused = Some((version, times));
        if times >= MAX_REFUSED && is_absent {
            // Nothing is written over a list that we cannot see.
            return Err(format!("it is not there for whoever reads it, but {why}"));
        }
        seen.is_unconditional |= times >= MAX_REFUSED;
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file that the state is kept in, for the next start. It is a list like the others, and nobody else's.
pub struct StateFile(Document);

impl StateFile {
    pub fn new(path: PathBuf) -> Self {
        Self(Document::new(path))
    }

    /// What it holds; nothing where it is not there.
    pub async fn read(&self) -> Result<Vec<u8>, String> {
        self.0.read(MAX_BODY, STATE_TIMEOUT).await
    }

    /// Replaces what it holds.
    pub async fn save(&self, state: &Message) -> Result<(), String> {
        let saved = self.0.replace(state.to_master_list(), None, STATE_TIMEOUT).await;
        saved.map_err(|error| format!("{self} cannot be written: {error}"))
    }
}

impl fmt::Display for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.path().display())
    }
}

fn is_same(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path() == other.path()
}
