//! `StateFile`: stores the known servers for the next start.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::file::LockedFile;
use super::http::MAX_RESPONSE;
use super::workers::Workers;
use crate::message::Message;

/// The time limit for reading at the start, and for saving.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A private file in the format of a master list.
pub struct StateFile(LockedFile);

impl StateFile {
    pub fn new(path: PathBuf, workers: &Arc<Workers>) -> Self {
        Self(LockedFile::new_private(path, workers))
    }

    /// Its content. Empty if it does not exist.
    pub async fn read(&self) -> Result<Vec<u8>, String> {
        self.0.read(MAX_RESPONSE, TIMEOUT).await
    }

    /// Fails if its folder does not exist, so that saving would fail.
    pub async fn check_folder(&self) -> Result<(), String> {
        self.0.check_folder(TIMEOUT).await.map_err(|error| self.not_written(&error))
    }

    pub async fn save(&self, state: &Message) -> Result<(), String> {
        let saved = self.0.replace(state.to_master_list(), None, None, TIMEOUT).await;
        saved.map(|_| ()).map_err(|error| self.not_written(&error))
    }

    fn not_written(&self, error: &str) -> String {
        format!("{self} cannot be written: {error}")
    }
}

impl fmt::Display for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.path().display())
    }
}
