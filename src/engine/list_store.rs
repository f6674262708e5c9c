//! `ListStore`: reads and writes one master list, in a file or over HTTP, without overwriting others' changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

use super::file::{Lock, LockError, LockedFile};
use super::http::MAX_RESPONSE;
use super::list_http::{Document, ListClient, PutError, Version};
use super::workers::Workers;
use crate::clock;
use crate::config::{List, Location};
use crate::error::Error;
use crate::protocol::WriteError;

/// How many characters of an invalid document are shown: enough to recognise HTML, too few for a secret.
const PREVIEW: usize = 15;
/// After how many refused conditional writes of one version the store's conditions count as broken, for example by a
/// proxy that changes tags.
const MAX_REFUSED: u32 = 3;
/// How long, and in how many tries, another process may hold the lock of a file before we write without it. Such a
/// process hangs, because an update takes milliseconds.
pub const LOCK_PATIENCE: (Duration, u32) = (Duration::from_secs(5 * 60), 5);

pub struct ListStore {
    list: List,
    read: Target,
    // None if the list is read-only.
    write: Option<Target>,
    seen: Mutex<Seen>,
}

enum Target {
    Http(Url),
    File(LockedFile),
}

// Results of earlier accesses.
#[derive(Default)]
struct Seen {
    // The tag of the list at the last read.
    tag: Option<String>,
    // The version whose write was refused last, and how often in a row.
    refused: Option<(Version, u32)>,
    // Whether conditional writes do not work.
    is_unconditional: bool,
    // Since when another process holds the lock, and in how many tries in a row.
    locked: Option<(Instant, u32)>,
}

/// A list as read.
pub struct Content {
    /// None if it has not changed.
    pub json: Option<Vec<u8>>,
    // A redirect led to another origin. The content may be anything and must not be shown.
    is_foreign: bool,
    tag: Option<String>,
    guard: Guard,
}

/// Protects a list from concurrent writes between our read and our write.
enum Guard {
    Nothing,
    Lock(Lock),
    /// Another process has held the lock for too long: the write only checks that the file has not changed.
    LockIgnored,
    /// The file cannot be written.
    NotLocked(LockError),
    Version(Version),
}

impl ListStore {
    pub fn new(list: List, files: &Arc<Workers>) -> Self {
        let target = |location: &Location| match location {
            Location::Http(url) => Target::Http(url.clone()),
            Location::File(path) => Target::File(LockedFile::new(path.clone(), files)),
        };
        Self { read: target(&list.read), write: list.write.as_ref().map(target), list, seen: Mutex::default() }
    }

    /// Reads the list; a missing one counts as empty. A file that will be written stays locked until the content is
    /// dropped. With `if_changed`, an unchanged list is not transferred.
    pub async fn read(
        &self,
        client: &ListClient,
        write: bool,
        if_changed: bool,
        timeout: Duration,
    ) -> Result<Content, String> {
        let mut guard = Guard::Nothing;
        if let (Some(Target::File(file)), true) = (&self.write, write) {
            // A list that cannot be written can still be read.
            guard = self.on_lock(file.lock(timeout / 2).await);
        }
        let failed = |error| format!("{} cannot be read: {error}", self.list.read);
        match &self.read {
            Target::File(file) => {
                let json = file.read(MAX_RESPONSE, timeout).await.map_err(failed)?;
                Ok(Content { json: Some(json), is_foreign: false, tag: None, guard })
            }
            Target::Http(url) => {
                let seen = if if_changed { self.seen().tag.clone() } else { None };
                let read = client.get(url, seen.as_deref(), timeout).await.map_err(failed)?;
                let unchanged = Content { json: None, is_foreign: false, tag: None, guard: Guard::Nothing };
                Ok(read.map_or(unchanged, |document| Content {
                    is_foreign: document.url.origin() != url.origin(),
                    ..self.content(document, write, guard)
                }))
            }
        }
    }

    fn on_lock(&self, lock: Result<Lock, LockError>) -> Guard {
        let error = match lock {
            Ok(lock) => {
                self.seen().locked = None;
                return Guard::Lock(lock);
            }
            Err(error) => error,
        };
        if !error.is_held {
            return Guard::NotLocked(error);
        }
        let mut seen = self.seen();
        let (since, tries) = seen.locked.take().unwrap_or((Instant::now(), 0));
        let tries = tries + 1;
        seen.locked = Some((since, tries));
        let (patience, most) = LOCK_PATIENCE;
        let is_same_file = self.is_same_document();
        if is_same_file && since.elapsed() >= clock::real(patience) && tries >= most {
            Guard::LockIgnored
        } else {
            Guard::NotLocked(error)
        }
    }

    fn content(&self, document: Document, write: bool, mut guard: Guard) -> Content {
        let Document { body, tag, version, url } = document;
        // A version is valid only for its document. Presigned URLs differ in their query.
        if let (Some(Target::Http(write_url)), Some(version), true) = (&self.write, version, write)
            && is_same_document(write_url, &url)
            && !self.seen().is_unconditional
        {
            guard = Guard::Version(version);
        }
        Content { json: Some(body), is_foreign: false, tag, guard }
    }

    /// The content was a valid list, so it need not be transferred again until it changes.
    pub fn accept(&self, content: &Content) {
        self.seen().tag.clone_from(&content.tag);
    }

    /// The error for a document that is not a list. Shows its beginning, because it may be the page of a proxy.
    pub fn not_a_list(&self, content: &Content, error: &Error) -> String {
        if content.is_foreign {
            return format!("{} cannot be read: it redirects to another origin, and no list is there", self.list.read);
        }
        let json = content.json.as_deref().unwrap_or_default();
        let text = String::from_utf8_lossy(&json[..json.len().min(4 * PREVIEW)]);
        let preview: String = text.trim_start().chars().take(PREVIEW).collect();
        format!("{} cannot be read: {error}. It begins with {preview:?}", self.list.read)
    }

    /// Writes the list that was merged with `read`. Returns whether the write was conditional.
    pub async fn write(
        &self,
        client: &ListClient,
        json: Vec<u8>,
        read: Content,
        timeout: Duration,
    ) -> Result<bool, WriteError> {
        let (Some(target), Some(location)) = (&self.write, &self.list.write) else {
            return Err(WriteError::Failed(format!("{} is only read", self.list.read)));
        };
        let failed = |error| WriteError::Failed(format!("{location} cannot be written: {error}"));
        match (target, read.guard) {
            (Target::File(file), Guard::Lock(lock)) => {
                // Also with the lock: others may have ignored it.
                let unchanged = read.json.filter(|_| self.is_same_document());
                let is_written = file.replace(json, Some(lock), unchanged, timeout).await.map_err(failed)?;
                if is_written { Ok(true) } else { Err(WriteError::Conflict) }
            }
            (Target::File(file), Guard::LockIgnored) => {
                let is_written = file.replace(json, None, read.json, timeout).await.map_err(failed)?;
                if is_written { Ok(false) } else { Err(WriteError::Conflict) }
            }
            (Target::File(_), Guard::NotLocked(LockError { why, has_no_folder: true, .. })) => {
                Err(WriteError::NoFolder(format!("{location} cannot be written: {why}")))
            }
            (Target::File(_), Guard::NotLocked(LockError { why, .. })) => Err(failed(why)),
            (Target::File(_), Guard::Nothing | Guard::Version(_)) => Err(failed("its lock is not held".into())),
            (Target::Http(url), Guard::Nothing | Guard::Lock(_) | Guard::LockIgnored | Guard::NotLocked(_)) => {
                match client.put(url, None, json, timeout).await {
                    Ok(()) => Ok(false),
                    Err(PutError::Conflict(why) | PutError::Unsupported(why) | PutError::Failed(why)) => {
                        Err(failed(why))
                    }
                }
            }
            (Target::Http(url), Guard::Version(version)) => {
                match client.put(url, Some(&version), json, timeout).await {
                    Ok(()) => {
                        self.seen().refused = None;
                        Ok(true)
                    }
                    Err(PutError::Conflict(why)) => {
                        self.count_conflict(version, &why).map_err(failed).and(Err(WriteError::Conflict))
                    }
                    // The next write, after another read, will be unconditional.
                    Err(PutError::Unsupported(_)) => {
                        self.seen().is_unconditional = true;
                        Err(WriteError::Conflict)
                    }
                    Err(PutError::Failed(why)) => Err(failed(why)),
                }
            }
        }
    }

    // After a real conflict the next read returns another version. If it returns the same one several times in a row,
    // the store's conditions do not work.
    fn count_conflict(&self, version: Version, why: &str) -> Result<(), String> {
        let mut seen = self.seen();
        let before = seen.refused.take().filter(|(refused, _)| *refused == version).map_or(0, |(_, times)| times);
        let times = before + 1;
        let is_absent = version == Version::Absent;
        seen.refused = Some((version, times));
        if times >= MAX_REFUSED && is_absent {
            // There is a list that we cannot read: it must not be overwritten.
            return Err(format!("it does not exist when it is read, but {why}"));
        }
        seen.is_unconditional |= times >= MAX_REFUSED;
        Ok(())
    }

    fn is_same_document(&self) -> bool {
        self.list.write.as_ref() == Some(&self.list.read)
    }

    #[cfg(test)]
    pub fn set_locked_since(&self, since: Instant) {
        if let Some(locked) = &mut self.seen().locked {
            locked.0 = since;
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same_document(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path() == other.path()
}
