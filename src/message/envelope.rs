//! `Envelope`: the protocol 2 part of a gossip message, in its string field `shazbot`. One string crosses to JavaScript
//! cheaply. It contains the whole message; protocol 2 receivers read nothing else.
//!
//! The field is a list of words separated by spaces. A normalised URL contains neither a space nor a `>`, and no word
//! needs escapes in JSON. The first word is `2`, the version of the protocol. The first letter of each other word is
//! its type. Readers ignore unknown types, so that later versions can add some:
//!
//! | word | meaning |
//! |---|---|
//! | `e<state><stamp>><url>[><v2>]` | an entry; the state is `o` online or `x` offline, in upper case for a monitor. The sender's own entry comes first, with `s` instead of `e` |
//! | `d<hash>.<cutoff>` | the digest: a hexadecimal hash of the sender's list, except tombstones stamped before the cutoff |
//! | `a<newest>.<index>.<ages>` | freshness stamps of consecutive online servers in ring order, from this index on |
//! | `b<hashes>` | the hashes of the sender's buckets, 6 hexadecimal digits each |
//! | `w<bits>` | the buckets whose entries the sender requests, hexadecimal |
//! | `m` | the requested buckets have more entries than fit |
//! | `q<token>><url>` | an indirect probe request: please probe this server. The token is hexadecimal, and random for each suspicion |
//! | `r<token>><url>` | the report for this token: the sender reached this server |
//! | `f<token>><url>` | the report for this token: the sender did not reach this server |
//! | `c<name>` | the sender's cluster |
//! | `v<version>` | the version of this package that the sender runs, for people only |
//! | `t<time>` | the responder's time, see `auth/replay.rs` |
//! | `n<time>` | the responder's time, if it did not handle the signed request, which is late or repeated |
//! | `h<mac>` | the signature of everything before it, see `auth/signature.rs` |
//! | `u` | the sender suspects the receiver, which should refute that |

use std::fmt;

use super::words::{self, write};
use super::{MAX_ENTRIES, Message, Validator, too_many_entries};
use crate::error::Error;
use crate::server_url::ServerUrl;

/// Most freshness stamps in a message. With three exchanges an interval, they keep a hundred servers fresh.
pub const MAX_FRESHNESS_STAMPS: usize = 64;
/// Most buckets of a digest.
pub const MAX_BUCKETS: usize = 1_024;
/// Most indirect probes that a message requests or reports.
const MAX_PROBES: usize = 4;
/// The first word of the field.
const PROTOCOL: &str = "2";
/// The version of this package, sent in each message.
pub const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");
/// Most characters of a version.
const MAX_VERSION: usize = 32;

/// The parts of a protocol 2 message other than entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The sender. None if its own entry was rejected.
    pub sender: Option<ServerUrl>,
    /// The digest of the sender's list.
    pub digest: Option<Digest>,
    /// Freshness stamps. Valid only if the digests are equal.
    pub freshness: Freshness,
    /// The hashes of the sender's buckets, sent in response to a different digest.
    pub buckets: Vec<u32>,
    /// For each bucket, whether the sender requests its entries. Empty: none.
    pub requested_buckets: Vec<bool>,
    /// Whether the requested buckets have more entries than fit.
    pub has_more: bool,
    /// Whether the sender suspects the receiver, which should refute that.
    pub suspects_receiver: bool,
    /// Servers that the receiver should probe.
    pub probe_requests: Vec<ProbeTicket>,
    /// Successful indirect probes that the receiver requested.
    pub probe_successes: Vec<ProbeTicket>,
    /// Failed indirect probes that the receiver requested.
    pub probe_failures: Vec<ProbeTicket>,
    /// The sender's cluster. Only parsed here; the engine adds it with [`add_cluster_name`].
    pub cluster: Option<String>,
    /// The sender's package version. Only parsed here; [`OWN_VERSION`] is what we write.
    pub version: Option<Box<str>>,
}

/// A hash of a server's list. Equal lists have the same hash, whatever the stamps of their online servers. Different ones
/// have the same with a chance of 2^-64, unless a peer with the secret constructs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// The hash.
    pub hash: u64,
    /// Tombstones stamped before this are left out, ms: they may have expired by another server's clock.
    pub cutoff: u64,
}

/// Stamps of consecutive online servers in ring order, wrapping around at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// The ring position of the first one among all online servers.
    pub first: usize,
    /// The stamps, ms, rounded down to a unit. None: too old to send.
    pub stamps: Vec<Option<u64>>,
}

/// Whether this is a valid cluster name: only characters that need no escapes.
pub fn is_cluster_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

// A later package may use another format. Such a version is not shown, but the message is valid.
fn is_version(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
    (1..=MAX_VERSION).contains(&text.len()) && text.chars().all(fits)
}

/// Appends the cluster name to the field of a message.
pub fn add_cluster_name(field: &mut String, name: &str) {
    write(field, format_args!(" c{name}"));
}

/// A request for an indirect probe, or the report of its result. The token is random for each suspicion, so that a
/// replayed report does not count for a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTicket {
    /// The same in the request and the report.
    pub token: u32,
    /// The server to probe.
    pub url: ServerUrl,
}

impl fmt::Display for ProbeTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}>{}", self.token, self.url)
    }
}

impl Message {
    /// Writes the `shazbot` field. None for a version 1 message.
    pub fn to_field(&self) -> Option<String> {
        let envelope = self.envelope.as_ref()?;
        let mut text = String::with_capacity(64 + 100 * self.entries.len());
        text.push_str(PROTOCOL);
        for entry in &self.entries {
            text.push_str(if envelope.sender.as_ref() == Some(&entry.url) { " s" } else { " e" });
            words::write_entry(&mut text, entry);
        }
        if let Some(digest) = envelope.digest {
            text.push_str(" d");
            words::write_digest(&mut text, digest);
        }
        words::write_freshness(&mut text, &envelope.freshness);
        if !envelope.buckets.is_empty() {
            text.push_str(" b");
            words::write_buckets(&mut text, &envelope.buckets);
        }
        if !envelope.requested_buckets.is_empty() {
            text.push_str(" w");
            words::write_requested(&mut text, &envelope.requested_buckets);
        }
        if envelope.has_more {
            text.push_str(" m");
        }
        if envelope.suspects_receiver {
            text.push_str(" u");
        }
        envelope.probe_requests.iter().for_each(|ticket| write(&mut text, format_args!(" q{ticket}")));
        envelope.probe_successes.iter().for_each(|ticket| write(&mut text, format_args!(" r{ticket}")));
        envelope.probe_failures.iter().for_each(|ticket| write(&mut text, format_args!(" f{ticket}")));
        write(&mut text, format_args!(" v{OWN_VERSION}"));
        Some(text)
    }

    /// The sender that a `shazbot` field claims, before any check: the URL of its first entry.
    pub fn sender_of(field: &str) -> Option<&str> {
        let own = field.split(' ').nth(1)?.strip_prefix('s')?;
        own.split('>').nth(1)
    }

    /// Parses the `shazbot` field. None if it is of another protocol: the message then counts as version 1.
    pub fn from_field(text: &str, validator: Validator<'_>) -> Option<Result<Self, Error>> {
        let mut words = text.split(' ');
        if words.next() != Some(PROTOCOL) {
            return None;
        }
        let mut reader = Reader { message: Self::default(), envelope: Envelope::default(), entries: 0, validator };
        Some(words.try_for_each(|word| reader.read(word)).map(|()| reader.message.with(reader.envelope)))
    }

    fn with(self, envelope: Envelope) -> Self {
        Self { envelope: Some(envelope), ..self }
    }
}

struct Reader<'a> {
    message: Message,
    envelope: Envelope,
    entries: usize,
    validator: Validator<'a>,
}

impl Reader<'_> {
    fn read(&mut self, word: &str) -> Result<(), Error> {
        let Some(tag) = word.chars().next() else { return Ok(()) };
        let value = &word[tag.len_utf8()..];
        let envelope = &mut self.envelope;
        let is_valid = match tag {
            's' | 'e' => return self.read_entry(value, tag == 's'),
            'd' => words::parse_digest(value).map(|digest| envelope.digest = Some(digest)).is_some(),
            'a' => words::parse_freshness(value).map(|stamps| envelope.freshness = stamps).is_some(),
            'b' => words::parse_buckets(value).map(|buckets| envelope.buckets = buckets).is_some(),
            'w' => words::parse_requested(value).map(|requested| envelope.requested_buckets = requested).is_some(),
            'm' => {
                envelope.has_more = true;
                true
            }
            'u' => {
                envelope.suspects_receiver = true;
                true
            }
            'q' => add_ticket(&mut envelope.probe_requests, value, self.validator),
            'r' => add_ticket(&mut envelope.probe_successes, value, self.validator),
            'f' => add_ticket(&mut envelope.probe_failures, value, self.validator),
            'c' => {
                envelope.cluster = Some(value.into());
                is_cluster_name(value)
            }
            'v' => {
                envelope.version = is_version(value).then(|| value.into());
                true
            }
            _ => true,
        };
        if is_valid {
            return Ok(());
        }
        Err(Error::InvalidMessage(format!("Invalid gossip message: its shazbot field has a malformed word {tag:?}")))
    }

    fn read_entry(&mut self, value: &str, is_sender: bool) -> Result<(), Error> {
        if self.entries >= MAX_ENTRIES {
            return Err(too_many_entries());
        }
        self.entries += 1;
        let accepted = self.message.entries.len();
        let (state, raw) = words::parse_entry(value);
        self.message.add(state, raw, self.validator);
        if is_sender && self.envelope.sender.is_none() {
            self.envelope.sender = self.message.entries.get(accepted).map(|entry| entry.url.clone());
        }
        Ok(())
    }
}

// A server that must not be listed, or exceeds the limit, is skipped; the word is valid.
fn add_ticket(tickets: &mut Vec<ProbeTicket>, text: &str, validator: Validator<'_>) -> bool {
    let Some((token, url)) = text.split_once('>') else { return false };
    let Ok(token) = u32::from_str_radix(token, 16) else { return false };
    if tickets.len() < MAX_PROBES {
        tickets.extend(validator.server(url).map(|url| ProbeTicket { token, url }));
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{WALL, validator};
    use super::super::words::STAMP_UNIT;
    use super::super::{Entry, EntryV2, Extensions, Reason, State};
    use super::*;

    fn read(text: &str) -> Option<Result<Message, Error>> {
        Message::from_field(text, validator())
    }

    fn any_url() -> impl Strategy<Value = ServerUrl> {
        "[a-z]{1,8}(/[a-z;,.!~|]{1,5})?".prop_map(|name| ServerUrl::parse(&format!("http://{name}")).expect("valid"))
    }

    fn any_extensions() -> impl Strategy<Value = Option<Extensions>> {
        let some = prop::sample::select(vec!["1.1>?", "1.1>trole=api", "1.1>x>trole=api&zone=1"]);
        prop::option::of(some.prop_map(|text| EntryV2::parse(text).expect(text).extensions))
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        let v2 = prop::option::of((0..WALL, any::<u32>(), prop::option::of(any_url()), any_extensions()));
        (any_url(), any::<bool>(), any::<bool>(), 0..WALL, v2).prop_map(|(url, monitor, online, stamp, v2)| Entry {
            url,
            monitor,
            state: if online { State::Online } else { State::Offline },
            stamp,
            v2: v2.map(|(incarnation, instance, author, extensions)| EntryV2 {
                incarnation,
                instance,
                reason: author.as_ref().map(|_| Reason::Failed),
                author,
                extensions: extensions.unwrap_or_default(),
            }),
        })
    }

    #[test]
    fn the_sender_of_a_field_is_known_before_the_field_is_read() {
        assert_eq!(Message::sender_of("2 so5>http://a/>5.1 eo6>http://b/"), Some("http://a/"));
        for field in ["", "2", "2 eo6>http://b/", "2 s", "3 so5>"] {
            assert!(Message::sender_of(field).is_none_or(str::is_empty), "{field}");
        }
    }

    #[test]
    fn the_cluster_name_is_read_as_it_is_written() {
        let cluster = |text: &str| read(text).expect("protocol 2").map(|it| it.envelope.expect("an envelope").cluster);
        let mut field = "2".to_owned();
        add_cluster_name(&mut field, "blue-1");
        assert_eq!(cluster(&field), Ok(Some("blue-1".into())));
        assert!(cluster("2 c").is_err() && cluster("2 ca/b").is_err());
    }

    #[test]
    fn each_message_tells_the_version_of_its_sender() {
        let version = |text: &str| read(text).expect("protocol 2").expect("valid").envelope.and_then(|it| it.version);
        let field = Message::new_v2(entry("http://a/"), [], Envelope::default()).to_field().expect("a field");
        assert_eq!(version(&field).as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(version("2 v3.0.0-rc.1+build-7").as_deref(), Some("3.0.0-rc.1+build-7"));
        for ignored in ["2", "2 v", "2 v<b>", &format!("2 v{}", "1".repeat(MAX_VERSION + 1))] {
            assert_eq!(version(ignored), None, "{ignored}");
        }
    }

    fn entry(url: &str) -> Entry {
        let url = ServerUrl::parse(url).expect("valid");
        Entry { url, monitor: false, state: State::Online, stamp: WALL, v2: None }
    }

    fn any_envelope() -> impl Strategy<Value = Envelope> {
        let stamp = prop::option::weighted(0.9, (WALL - 30_000_000..WALL).prop_map(|stamp| stamp & !(STAMP_UNIT - 1)));
        let stamps = (0usize..40_000, prop::collection::vec(stamp, 0..MAX_FRESHNESS_STAMPS));
        let bits = (2u32..10).prop_flat_map(|power| prop::collection::vec(any::<bool>(), 1usize << power));
        let buckets = (2u32..10).prop_flat_map(|power| prop::collection::vec(0u32..1 << 24, 1usize << power));
        let ticket = || (any::<u32>(), any_url()).prop_map(|(token, url)| ProbeTicket { token, url });
        let urls = || prop::collection::vec(ticket(), 0..MAX_PROBES);
        let digest = prop::option::of((any::<u64>(), 0..WALL));
        (stamps, bits, buckets, (urls(), urls(), urls()), digest, any::<bool>()).prop_map(
            |((first, stamps), requested, buckets, (requests, successes, failures), digest, flag)| Envelope {
                sender: None,
                digest: digest.map(|(hash, cutoff)| Digest { hash, cutoff }),
                freshness: if stamps.iter().any(Option::is_some) {
                    Freshness { first, stamps }
                } else {
                    Freshness::default()
                },
                buckets,
                requested_buckets: requested,
                has_more: flag,
                cluster: None,
                version: Some(OWN_VERSION.into()),
                suspects_receiver: !flag,
                probe_requests: requests,
                probe_successes: successes,
                probe_failures: failures,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_field_is_read_as_it_is_written(own in any_entry(), others in prop::collection::vec(any_entry(), 0..5), envelope in any_envelope()) {
            prop_assume!(others.iter().all(|entry| entry.url != own.url));
            let message = Message::new_v2(own, others, envelope);
            let text = message.to_field().expect("a field");
            prop_assert_eq!(read(&text), Some(Ok(message)));
        }

        #[test]
        fn no_input_causes_a_panic(text in "2( [sedabwmuqrfv][ -~]{0,40}){0,8}|\\PC{0,60}") {
            let _ = read(&text);
        }
    }

    #[test]
    fn unknown_words_are_ignored_and_another_protocol_is_not_read() {
        assert_eq!(read("2 zebra m").and_then(Result::ok).and_then(|it| it.envelope).map(|it| it.has_more), Some(true));
        assert_eq!(read("3 m"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_sender_that_is_not_accepted_does_not_affect_other_entries() {
        let message = read("2 so99>http://user@a/ eo5>http://b/").expect("protocol 2").expect("a message");
        assert_eq!((message.entries.len(), message.skipped.len()), (1, 1));
        assert_eq!(message.envelope.and_then(|envelope| envelope.sender), None);
    }

    #[test]
    fn a_malformed_word_rejects_the_message() {
        for text in [
            "2 d5",
            "2 dx.5",
            "2 a5",
            "2 a5.A",
            "2 a5.0.AA",
            "2 a5.x.AAA",
            "2 a5.0.AA!",
            "2 b12345",
            "2 b000000000000000000",
            "2 w1ff",
            "2 wzz",
        ] {
            assert!(matches!(read(text), Some(Err(Error::InvalidMessage(_)))), "{text}");
        }
    }
}
