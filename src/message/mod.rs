//! What goes over the wire: entries, gossip messages and master lists. Everything that comes in is checked here, so that
//! the rest of the crate only sees valid values.

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

/// Most entries of a message or list: twice the largest supported cluster, with as many offline servers.
pub const MAX_ENTRIES: usize = 50_000;
/// How many skipped entries are reported, of one message and by one engine: a peer that invents entries must not fill the
/// memory.
pub const MAX_NAMED: usize = 1_000;

/// The content of a gossip message or of a master list, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The accepted entries, in the order they came.
    pub entries: Vec<Entry>,
    /// The entries that were not accepted, up to [`MAX_NAMED`].
    pub skipped: Vec<Skipped>,
    /// How many of the entries that were not accepted are online and stamped too far ahead of our clock.
    pub ahead: usize,
    /// What protocol 2 servers tell each other. None in a message from or to a version 1 server, and in a master list.
    pub envelope: Option<Envelope>,
}

impl Message {
    /// A message in the form of version 1.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, ..Self::default() }
    }

    /// A message of protocol 2. The sender's own entry comes first.
    pub fn new_v2(own: Entry, others: impl IntoIterator<Item = Entry>, envelope: Envelope) -> Self {
        let sender = Some(own.url.clone());
        let entries = std::iter::once(own).chain(others).collect();
        Self { entries, envelope: Some(Envelope { sender, ..envelope }), ..Self::default() }
    }

    /// The name of the sender's cluster, if it has one.
    pub fn cluster(&self) -> Option<&str> {
        self.envelope.as_ref()?.cluster.as_deref()
    }

    /// Whether a protocol 2 server sent it.
    pub fn is_v2(&self) -> bool {
        self.envelope.is_some()
    }

    /// The entries that a version 1 server reads. Of a protocol 2 message only the sender's, by which the receiver may get
    /// to know it.
    pub fn lists(&self) -> &[Entry] {
        let shown = if self.is_v2() { 1 } else { self.entries.len() };
        &self.entries[..shown.min(self.entries.len())]
    }

    /// Checks entries that JavaScript took out of a message.
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

    // Returns the entry if it is well-formed and was skipped only for its origin or its stamp.
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
}
