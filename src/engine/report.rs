//! Notices in words.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Observer;
use crate::auth::{Keyring, Secret};
use crate::config::Config;
use crate::error::Error;
use crate::membership::{MAX_SERVERS, MAX_UNREACHED};
use crate::message::{Reason, ServerUrl, Skipped};
use crate::protocol::{Event, ExchangeError, MemberEvent, MemberEventKind};

/// How many peers that refuse our secret, or belong to another cluster, are named in the life of an engine.
const MAX_NAMED: usize = 100;

/// Most characters of a report: a peer may give a long reason.
const MAX_MESSAGE: usize = 1_000;

/// Something that people or programs may want to know. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it is, for programs.
    pub code: &'static str,
    /// What it is, for people.
    pub message: String,
    /// Whether an operator must do something about it. Once each.
    pub is_warning: bool,
}

impl Report {
    /// Something that an operator must do something about.
    pub fn warning(code: &'static str, message: String) -> Self {
        Self { code, message, is_warning: true }
    }

    fn log(code: &'static str, message: String) -> Self {
        Self { code, message, is_warning: false }
    }
}

/// What must be in no text: what peers say is told on in places, and they know the secrets.
pub struct Secrets(Vec<String>);

impl Secrets {
    pub fn of(config: &Config) -> Self {
        let secrets =
            [&config.peer_auth.secrets, &config.control].into_iter().flat_map(Keyring::all).map(Secret::expose);
        let mut secrets: Vec<_> =
            secrets.flat_map(|secret| [secret.to_owned(), secret.escape_debug().to_string()]).collect();
        // One may be the beginning of another.
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        Self(secrets)
    }

    /// The text without them, cut off where it is long.
    pub fn blanked(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret, "***");
        }
        if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE) {
            text.truncate(end);
        }
        text
    }
}

/// Puts notices into words and hands them on.
pub struct Reporter<'a> {
    observer: Observer,
    secrets: &'a Secrets,
    named: BTreeSet<ServerUrl>,
    is_state_said: bool,
}

impl<'a> Reporter<'a> {
    pub fn new(observer: Observer, secrets: &'a Secrets) -> Self {
        Self { observer, secrets, named: BTreeSet::new(), is_state_said: false }
    }

    /// Hands on what is our own text, in which a secret that is a word of it is none.
    pub fn warn(&self, warnings: Vec<Report>) {
        warnings.into_iter().for_each(&self.observer);
    }

    pub fn failed(&self) {
        self.tell(Report::warning(Error::Failed.code(), Error::Failed.to_string()));
    }

    fn tell(&self, mut report: Report) {
        report.message = self.secrets.blanked(&report.message);
        (self.observer)(report);
    }

    // A warning the first time for each server, so that one thing is not said each round.
    fn once(&mut self, url: ServerUrl, code: &'static str, message: String) -> Report {
        if self.named.len() < MAX_NAMED && self.named.insert(url) {
            Report::warning(code, message)
        } else {
            Report::log("EXCHANGE_FAILED", message)
        }
    }

    pub fn report(&mut self, notice: Event) {
        let report = match notice {
            // The engine itself acts on these two.
            Event::Started | Event::Left => return,
            Event::Member(MemberEvent { kind: MemberEventKind::Online, entry, .. }) => {
                Report::log("MEMBER_ONLINE", format!("{} is online", entry.url))
            }
            Event::Member(MemberEvent { kind: MemberEventKind::Suspect, entry, .. }) => Report::log(
                "MEMBER_SUSPECT",
                format!("{} does not answer: others are asked whether they reach it", entry.url),
            ),
            Event::Member(MemberEvent { kind: MemberEventKind::Offline, entry, .. }) => {
                let (reason, author) = entry.v2.map_or((None, None), |v2| (v2.reason, v2.author));
                let reason = match reason {
                    Some(Reason::Failed) => ": exchanges with it fail",
                    Some(Reason::Drained) => ": it was drained",
                    Some(Reason::Left) => ": it left",
                    None => "",
                };
                let author = author.map(|author| format!(", says {author}")).unwrap_or_default();
                Report::log("MEMBER_OFFLINE", format!("{} is offline{reason}{author}", entry.url))
            }
            Event::ExchangeFailed(url, ExchangeError::SecretRejected) => {
                let message = format!(
                    "{url} refuses our SHAZBOT_SECRET: it must be the same on every server. Or it takes signed messages \
                     only: then set SHAZBOT_AUTH=sign here"
                );
                self.once(url, "SHAZBOT_PEER_REFUSED_SECRET", message)
            }
            Event::ExchangeFailed(url, ExchangeError::WrongCluster(why)) => {
                let message = format!("{url} is of another cluster. {why}");
                self.once(url, "SHAZBOT_WRONG_CLUSTER", message)
            }
            Event::ExchangeFailed(url, error) => {
                Report::log("EXCHANGE_FAILED", format!("gossip with {url} failed: {error}"))
            }
            Event::ListWritten { list, servers, on_condition } => {
                let how = if on_condition { "on condition that nobody else had" } else { "without a condition" };
                Report::log("LIST_WRITTEN", format!("the master list {list} was written, {how}: it names {servers}"))
            }
            Event::ListFailed(error) => Report::log("LIST_FAILED", format!("the master list {error}")),
            Event::ListUnusable(error) => {
                let message = format!(
                    "the master list {error}. While no list works, new servers do not find the others; see docs/master-list.md"
                );
                Report::warning("SHAZBOT_LIST_UNUSABLE", message)
            }
            Event::StateNotSaved(error) => {
                let message = format!("the state file {error}. This server keeps nothing for its next start");
                if self.is_state_said {
                    Report::log("STATE_FAILED", message)
                } else {
                    self.is_state_said = true;
                    Report::warning("SHAZBOT_STATE_UNUSABLE", message)
                }
            }
            Event::Unreachable { url, by } => {
                let by = by.map(|by| format!(", says {by}")).unwrap_or_default();
                let message = format!("others cannot reach this server at its SHAZBOT_BASE_URL, {url}{by}");
                Report::warning("SHAZBOT_UNREACHABLE", message)
            }
            Event::DuplicateUrl(url) => {
                let message = format!(
                    "another process has the SHAZBOT_BASE_URL of this one, {url}: others take both for one server, and ask \
                     whichever answers. Give each process one of its own; EXAMPLES.md has how with node:cluster and PM2"
                );
                Report::warning("SHAZBOT_DUPLICATE_BASE_URL", message)
            }
            Event::Full => {
                let message = format!(
                    "others name more servers than are remembered, {MAX_SERVERS}, of which {MAX_UNREACHED} may never have answered"
                );
                Report::warning("SHAZBOT_TOO_MANY_SERVERS", message)
            }
            Event::EntriesSkipped(entries) => {
                for Skipped { name, reason } in entries {
                    let name = if name.is_empty() { "without a URL" } else { &name };
                    let message = format!("an entry of a server list is skipped, {name}: {reason}");
                    self.tell(Report::warning("SHAZBOT_ENTRY_SKIPPED", message));
                }
                return;
            }
        };
        self.tell(report);
    }
}
