//! The wire format: entries, gossip messages and master lists. All input is validated here, so the other modules get
//! only valid values.

mod entry;
mod envelope;
mod extensions;
mod gossip_body;
mod json;
mod tags;
mod validate;
mod words;

use crate::error::Error;

pub use crate::server_url::{ServerUrl, stable_hash};
pub use entry::{Entry, EntryV2, Reason, State};
pub use envelope::{
    Digest, Envelope, Freshness, MAX_BUCKETS, MAX_FRESHNESS_STAMPS, OWN_VERSION, ProbeTicket, add_cluster_name,
    is_cluster_name,
};
pub use extensions::Extensions;
pub use gossip_body::GossipBody;
pub use json::MasterList;
pub use tags::Tags;
pub use validate::{MAX_AHEAD, RawEntry, Skipped, Validator};

/// Most entries of a message or list: the largest supported cluster, and as many offline servers.
pub const MAX_ENTRIES: usize = 50_000;
/// Most skipped entries of a message or list that are reported: each warning takes the event loop about 15 µs.
pub const MAX_NAMED: usize = 20;

/// A validated gossip message or master list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The accepted entries, in order.
    pub entries: Vec<Entry>,
    /// The rejected entries, up to [`MAX_NAMED`].
    pub skipped: Vec<Skipped>,
    /// How many rejected entries are online and stamped too far ahead of our clock.
    pub ahead: usize,
    /// The protocol 2 part. None in a message from or to a version 1 server, and in a master list.
    pub envelope: Option<Envelope>,
    /// How many of the first entries the core has merged already, in parts.
    pub merged: usize,
    /// Whether it arrived at another port than that of our base URL.
    pub is_at_other_port: bool,
}

impl Message {
    /// A version 1 message.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, ..Self::default() }
    }

    /// A protocol 2 message. The sender's own entry comes first.
    pub fn new_v2(own: Entry, others: impl IntoIterator<Item = Entry>, envelope: Envelope) -> Self {
        let sender = Some(own.url.clone());
        let entries = std::iter::once(own).chain(others).collect();
        Self { entries, envelope: Some(Envelope { sender, ..envelope }), ..Self::default() }
    }

    /// The sender of a protocol 2 message. None if its own entry was rejected.
    pub fn sender(&self) -> Option<&ServerUrl> {
        self.envelope.as_ref()?.sender.as_ref()
    }

    /// Whether a protocol 2 server sends the entries of some buckets, and requests ours.
    pub fn is_repair(&self) -> bool {
        self.envelope.as_ref().is_some_and(|envelope| !envelope.requested_buckets.is_empty())
    }

    /// The sender's cluster name, if it has one.
    pub fn cluster(&self) -> Option<&str> {
        self.envelope.as_ref()?.cluster.as_deref()
    }

    /// Whether a protocol 2 server sent it.
    pub fn is_v2(&self) -> bool {
        self.envelope.is_some()
    }

    /// The entries that a version 1 server reads. For a protocol 2 message only the sender's own, which makes the
    /// receiver list it.
    pub fn lists(&self) -> &[Entry] {
        let shown = if self.is_v2() { 1 } else { self.entries.len() };
        &self.entries[..shown.min(self.entries.len())]
    }

    /// Validates entries that JavaScript parsed.
    pub fn from_raw<'a>(
        raw: impl IntoIterator<Item = (State, RawEntry<'a>)>,
        validator: Validator<'_>,
    ) -> Result<Self, Error> {
        let mut message = Self::default();
        for (index, (state, entry)) in raw.into_iter().enumerate() {
            if index >= MAX_ENTRIES {
                return Err(too_many_entries());
            }
            message.add(state, entry, validator);
        }
        Ok(message)
    }

    // Returns the entry if it is valid and was rejected only for its origin or stamp.
    fn add(&mut self, state: State, raw: RawEntry<'_>, validator: Validator<'_>) -> Option<Entry> {
        match raw.check(state, validator) {
            Ok(entry) => {
                self.entries.push(entry);
                None
            }
            Err(rejected) => {
                self.ahead += usize::from(rejected.is_ahead && state == State::Online);
                if self.skipped.len() < MAX_NAMED {
                    self.skipped.push(Skipped::new(raw.url.unwrap_or_default(), rejected.reason));
                }
                rejected.entry
            }
        }
    }
}

fn too_many_entries() -> Error {
    Error::TooLarge(format!("A message has at most {MAX_ENTRIES} servers"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::origins::Origins;

    pub(crate) const WALL: u64 = 1_800_000_000_000;

    static ORIGINS: LazyLock<Origins> =
        LazyLock::new(|| Origins::new(&ServerUrl::parse("http://own/").expect("valid"), None).expect("valid"));

    pub(crate) fn validator() -> Validator<'static> {
        Validator { wall: WALL, origins: &ORIGINS, known: &|_| None }
    }

    #[test]
    fn a_message_with_too_many_entries_is_rejected() {
        let entries = std::iter::repeat_n((State::Online, RawEntry::default()), MAX_ENTRIES + 1);
        assert!(matches!(Message::from_raw(entries, validator()), Err(Error::TooLarge(_))));
    }

    #[test]
    fn a_few_of_many_bad_entries_are_named() {
        let entries = std::iter::repeat_n((State::Online, RawEntry::default()), 1_000);
        let message = Message::from_raw(entries, validator()).expect("a message");
        assert_eq!(message.skipped.len(), MAX_NAMED);
    }
}
