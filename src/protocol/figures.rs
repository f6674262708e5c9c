//! What people may want to know, besides who is listed: it decides nothing.

use super::Core;
use crate::message::ServerUrl;

/// What has happened since the start, and how often.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// When another server last began an exchange with us, ms since the epoch, and which, where it is of ours.
    pub last_in: Option<(u64, Option<ServerUrl>)>,
    /// When one that we began was last answered, ms since the epoch, and by whom.
    pub last_out: Option<(u64, ServerUrl)>,
    /// A change of a server was told on.
    pub rumours: u64,
    /// A server did not answer, and others were asked.
    pub suspicions: u64,
    /// A server was called dead by us.
    pub deaths: u64,
    /// We answered what others had said of us.
    pub refutations: u64,
}

/// What people may want to know of one of the master lists.
#[derive(Clone, Debug, Default)]
pub struct ListStatus {
    /// When it was read last, ms since the epoch.
    pub read: Option<u64>,
    /// When it was written last.
    pub written: Option<u64>,
    /// How many servers it named then.
    pub servers: usize,
    /// How often it could not be read or written since it last could, and why the last time.
    pub failing: Option<(u32, String)>,
    /// How often since the start.
    pub failed: u64,
}

impl Core {
    /// What has happened, and how often.
    pub fn figures(&self) -> &Counters {
        &self.figures
    }

    /// The master lists, as they are called and what is known of them.
    pub fn list_statuses(&self) -> impl Iterator<Item = (&str, &ListStatus)> {
        let names = self.settings.lists.iter().map(String::as_str);
        names.zip(self.lists.iter().map(|list| &list.figures))
    }

    /// Whether a server does not answer us, and it is not settled what that means.
    pub fn is_suspect(&self, url: &ServerUrl) -> bool {
        self.suspicions.contains_key(url)
    }
}
