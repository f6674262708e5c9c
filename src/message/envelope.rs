//! What servers of ours tell each other: the field `shazbot` of a gossip message, one string, which crosses the boundary
//! to JavaScript for next to nothing. It carries everything; a message that has it is read from it alone.
//!
//! Words with a space between; no normalised URL has a space or a `>`, and none of it needs escaping in JSON. The first
//! word is `2`, the protocol. The first letter of the others says what they are; a letter that is not known is passed
//! over, so that a later version may add some:
//!
//! | word | what it says |
//! |---|---|
//! | `e<state><stamp>><url>[><life>]` | an entry; the state is `o` online, `x` offline, a capital of a monitor. The first is the sender's own, `s` in place of `e` |
//! | `d<hash>.<cutoff>` | the hash, hexadecimal, over all that the sender lists, but for tombstones stamped before the cut-off |
//! | `a<base>.<place>.<ages>` | stamps of online servers that follow each other in the order of the hashes of their URLs, from this place on |
//! | `b<hashes>` | the hashes of the sender's buckets, 6 hexadecimal digits each |
//! | `w<bits>` | the buckets whose entries are asked for, hexadecimal |
//! | `m` | there is more to tell than fits |
//! | `q<url>` | please try to reach this server |
//! | `r<url>` | this server was reached |
//! | `c<name>` | the sender's cluster |
//! | `h<mac>` | a signature of what stands before it: see `auth.rs` |
//! | `u` | the receiver does not answer, as far as the sender can tell, and should speak up |

use std::fmt::Write;

use super::{Entry, MAX_ENTRIES, Message, RawEntry, ServerUrl, State, Validator, is_cluster_name, too_many_entries};
use crate::error::Error;

/// Most stamps that one message carries by their place: three exchanges an interval then keep the stamps of a hundred
/// servers fresh.
pub const MAX_FRESHNESS_STAMPS: usize = 64;
/// Most buckets of a digest.
pub const MAX_BUCKETS: usize = 1_024;
/// Most servers that one message asks to have tried.
const MAX_ASKED: usize = 4;
/// Stamps go by place in units of this many ms.
const AGE_UNIT: u64 = 128;
/// The characters of a number to the base of 64.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// How much older than the newest a stamp is that is not told any more, in units: 18 bits, about 9 hours.
const MAX_AGE: u64 = (1 << 18) - 1;

/// What a message of ours carries besides entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Who sent it; None where its own entry is not acceptable.
    pub sender: Option<ServerUrl>,
    /// What the sender lists, in a number.
    pub digest: Option<Digest>,
    /// Stamps by place. They mean nothing where the digests differ.
    pub freshness: Freshness,
    /// The hashes of the sender's buckets: the answer to another digest.
    pub buckets: Vec<u32>,
    /// Which buckets the sender asks for. Empty: none.
    pub requested_buckets: Vec<bool>,
    /// Whether there was more to tell of the buckets asked for.
    pub has_more: bool,
    /// Whether the receiver does not seem to answer, and should speak up.
    pub suspects_receiver: bool,
    /// Servers that the receiver is asked to try.
    pub probe_requests: Vec<ServerUrl>,
    /// Servers that the sender was asked to try, and has reached.
    pub probe_successes: Vec<ServerUrl>,
    /// The name of the sender's cluster, where it has one. Whoever sends a message puts it there: `auth.rs`.
    pub cluster: Option<String>,
}

/// All that a server lists, in a number that is the same where the lists are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// The number.
    pub hash: u64,
    /// Tombstones stamped before this, ms, are left out: somebody's clock may have expired them.
    pub cutoff: u64,
}

/// Stamps of online servers that follow each other in the order of the hashes of their URLs, the first after the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// The place of the first of them among all that are online.
    pub first: usize,
    /// Their stamps, ms, rounded down to a unit. None: too old to be told.
    pub stamps: Vec<Option<u64>>,
}

impl Message {
    /// The field that servers of ours read, if this is a message of ours.
    pub fn to_field(&self) -> Option<String> {
        let envelope = self.envelope.as_ref()?;
        let mut text = String::with_capacity(64 + 100 * self.entries.len());
        text.push('2');
        for entry in &self.entries {
            let tag = if envelope.sender.as_ref() == Some(&entry.url) { 's' } else { 'e' };
            put(&mut text, format_args!(" {tag}{}", state_letter(entry)));
            put(&mut text, format_args!("{}>{}", entry.stamp, entry.url));
            if let Some(v2) = &entry.v2 {
                put(&mut text, format_args!(">{v2}"));
            }
        }
        if let Some(Digest { hash, cutoff }) = envelope.digest {
            put(&mut text, format_args!(" d{hash:x}.{cutoff}"));
        }
        put_ages(&mut text, &envelope.freshness);
        if !envelope.buckets.is_empty() {
            text.push_str(" b");
            envelope.buckets.iter().for_each(|hash| put(&mut text, format_args!("{:06x}", hash & 0xff_ffff)));
        }
        if !envelope.requested_buckets.is_empty() {
            text.push_str(" w");
            for bits in envelope.requested_buckets.chunks(4) {
                let bits = bits.iter().enumerate().fold(0, |sum, (bit, wanted)| sum | (u32::from(*wanted) << bit));
                put(&mut text, format_args!("{bits:x}"));
            }
        }
        if envelope.has_more {
            text.push_str(" m");
        }
        if envelope.suspects_receiver {
            text.push_str(" u");
        }
        envelope.probe_requests.iter().for_each(|url| put(&mut text, format_args!(" q{url}")));
        envelope.probe_successes.iter().for_each(|url| put(&mut text, format_args!(" r{url}")));
        Some(text)
    }

    /// Reads the field. None: it is of a protocol that we do not speak, and the message counts as one of version 1.
    pub fn from_field(text: &str, validator: Validator<'_>) -> Option<Result<Self, Error>> {
        let mut words = text.split(' ');
        if words.next() != Some("2") {
            return None;
        }
        let (mut message, mut envelope, mut count) = (Self::default(), Envelope::default(), 0);
        for word in words {
            let Some(tag) = word.chars().next() else { continue };
            let rest = &word[tag.len_utf8()..];
            let good = match tag {
                's' | 'e' if count >= MAX_ENTRIES => {
                    return Some(Err(too_many_entries()));
                }
                's' | 'e' => {
                    count += 1;
                    let before = message.entries.len();
                    message.take_word(rest, validator);
                    if tag == 's' && envelope.sender.is_none() {
                        envelope.sender = message.entries.get(before).map(|entry| entry.url.clone());
                    }
                    true
                }
                'd' => parse_digest(rest).map(|digest| envelope.digest = Some(digest)).is_some(),
                'a' => parse_ages(rest).map(|ages| envelope.freshness = ages).is_some(),
                'b' => parse_buckets(rest).map(|buckets| envelope.buckets = buckets).is_some(),
                'w' => parse_wanted(rest).map(|wanted| envelope.requested_buckets = wanted).is_some(),
                'm' => {
                    envelope.has_more = true;
                    true
                }
                'u' => {
                    envelope.suspects_receiver = true;
                    true
                }
                'q' => put_url(&mut envelope.probe_requests, rest, validator),
                'r' => put_url(&mut envelope.probe_successes, rest, validator),
                'c' => {
                    envelope.cluster = Some(rest.into());
                    is_cluster_name(rest)
                }
                _ => true,
            };
            if !good {
                let why = format!("Invalid gossip message: its shazbot field is malformed at the word {tag:?}");
                return Some(Err(Error::InvalidMessage(why)));
            }
        }
        message.envelope = Some(envelope);
        Some(Ok(message))
    }

    fn take_word(&mut self, word: &str, validator: Validator<'_>) {
        let mut parts = word.splitn(3, '>');
        let head = parts.next().unwrap_or_default();
        let letter = head.chars().next().unwrap_or(' ');
        let entry = RawEntry {
            url: parts.next(),
            monitor: matches!(letter, 'o' | 'x' | 'O' | 'X').then_some(letter.is_ascii_uppercase()),
            stamp: head[letter.len_utf8().min(head.len())..].parse::<u64>().ok().map(|stamp| stamp as f64),
            v2: parts.next(),
        };
        let state = if letter.eq_ignore_ascii_case(&'o') { State::Online } else { State::Offline };
        self.take(state, entry, validator);
    }
}

// Writing to a string does not fail.
fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}

fn state_letter(entry: &Entry) -> char {
    let letter = match entry.state {
        State::Online => 'o',
        State::Offline => 'x',
    };
    if entry.monitor { letter.to_ascii_uppercase() } else { letter }
}

fn put_url(urls: &mut Vec<ServerUrl>, text: &str, validator: Validator<'_>) -> bool {
    if urls.len() < MAX_ASKED {
        urls.extend(validator.server(text));
    }
    true
}

fn parse_digest(text: &str) -> Option<Digest> {
    let (hash, cutoff) = text.split_once('.')?;
    Some(Digest { hash: u64::from_str_radix(hash, 16).ok()?, cutoff: cutoff.parse().ok()? })
}

fn parse_buckets(text: &str) -> Option<Vec<u32>> {
    let (chunks, rest) = text.as_bytes().as_chunks::<6>();
    if !rest.is_empty() || !is_bucket_count(chunks.len()) {
        return None;
    }
    let hash = |chunk: &[u8; 6]| u32::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok();
    chunks.iter().map(hash).collect()
}

fn parse_wanted(text: &str) -> Option<Vec<bool>> {
    if !is_bucket_count(text.len() * 4) {
        return None;
    }
    let digits = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<_>>>()?;
    Some(digits.into_iter().flat_map(|digit| (0..4).map(move |bit| digit & (1 << bit) != 0)).collect())
}

fn is_bucket_count(count: usize) -> bool {
    count.is_power_of_two() && (4..=MAX_BUCKETS).contains(&count)
}

// The newest stamp, the first place, and how much older each is, in 3 characters of 6 bits.
fn put_ages(text: &mut String, ages: &Freshness) {
    let units = |stamp: &u64| stamp / AGE_UNIT;
    let Some(base) = ages.stamps.iter().flatten().map(units).max() else { return };
    put(text, format_args!(" a{base}.{}.", ages.first));
    for stamp in &ages.stamps {
        let age = stamp.as_ref().map_or(MAX_AGE, |stamp| (base - units(stamp)).min(MAX_AGE));
        for part in [age >> 12, age >> 6, age] {
            text.push(char::from(DIGITS[(part & 63) as usize]));
        }
    }
}

fn parse_ages(text: &str) -> Option<Freshness> {
    let (base, rest) = text.split_once('.')?;
    let (first, ages) = rest.split_once('.')?;
    let base: u64 = base.parse().ok().filter(|base| *base <= u64::MAX / AGE_UNIT)?;
    let (ages, []) = ages.as_bytes().as_chunks::<3>() else { return None };
    let stamp = |age: &[u8; 3]| {
        let age = age.iter().try_fold(0, |sum, character| Some(sum << 6 | digit(*character)?))?;
        // What a peer makes older than time itself is as good as too old.
        Some(base.checked_sub(age).filter(|_| age < MAX_AGE).map(|units| units * AGE_UNIT))
    };
    let stamps = ages.iter().take(MAX_FRESHNESS_STAMPS).map(stamp).collect::<Option<Vec<_>>>()?;
    Some(Freshness { first: first.parse().ok()?, stamps })
}

fn digit(character: u8) -> Option<u64> {
    DIGITS.iter().position(|digit| *digit == character).map(|value| value as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{WALL, validator};
    use super::super::{EntryV2, Reason};
    use super::*;

    fn read(text: &str) -> Option<Result<Message, Error>> {
        Message::from_field(text, validator())
    }

    fn any_url() -> impl Strategy<Value = ServerUrl> {
        "[a-z]{1,8}(/[a-z;,.!~|]{1,5})?".prop_map(|name| ServerUrl::parse(&format!("http://{name}")).expect("valid"))
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        let v2 = prop::option::of((0..WALL, any::<u32>(), prop::option::of(any_url())));
        (any_url(), any::<bool>(), any::<bool>(), 0..WALL, v2).prop_map(|(url, monitor, online, stamp, v2)| Entry {
            url,
            monitor,
            state: if online { State::Online } else { State::Offline },
            stamp,
            v2: v2.map(|(incarnation, instance, author)| EntryV2 {
                incarnation,
                instance,
                reason: author.as_ref().map(|_| Reason::Failed),
                author,
            }),
        })
    }

    #[test]
    fn the_name_of_a_cluster_is_read() {
        let cluster = |text| read(text).expect("protocol 2").map(|message| message.envelope.expect("ours").cluster);
        assert_eq!(cluster("2 cblue-1"), Ok(Some("blue-1".into())));
        assert!(cluster("2 c").is_err() && cluster("2 ca/b").is_err());
    }

    fn any_ours() -> impl Strategy<Value = Envelope> {
        let stamp = prop::option::weighted(0.9, (WALL - 30_000_000..WALL).prop_map(|stamp| stamp & !(AGE_UNIT - 1)));
        let ages = (0usize..40_000, prop::collection::vec(stamp, 0..MAX_FRESHNESS_STAMPS));
        let bits = (2u32..10).prop_flat_map(|power| prop::collection::vec(any::<bool>(), 1usize << power));
        let buckets = (2u32..10).prop_flat_map(|power| prop::collection::vec(0u32..1 << 24, 1usize << power));
        let urls = || prop::collection::vec(any_url(), 0..MAX_ASKED);
        let digest = prop::option::of((any::<u64>(), 0..WALL));
        (ages, bits, buckets, urls(), urls(), digest, any::<bool>()).prop_map(
            |(ages, wanted, buckets, asked, reached, digest, more)| Envelope {
                sender: None,
                digest: digest.map(|(hash, cutoff)| Digest { hash, cutoff }),
                freshness: if ages.1.iter().any(Option::is_some) {
                    Freshness { first: ages.0, stamps: ages.1 }
                } else {
                    Freshness::default()
                },
                buckets,
                requested_buckets: wanted,
                has_more: more,
                cluster: None,
                suspects_receiver: !more,
                probe_requests: asked,
                probe_successes: reached,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_we_send_is_what_we_read(own in any_entry(), others in prop::collection::vec(any_entry(), 0..5), envelope in any_ours()) {
            prop_assume!(others.iter().all(|entry| entry.url != own.url));
            let message = Message::new_v2(own, others, envelope);
            let text = message.to_field().expect("ours");
            prop_assert_eq!(read(&text), Some(Ok(message)));
        }

        #[test]
        fn whatever_comes_in_does_no_harm(text in "2( [sedabwmuqr][ -~]{0,40}){0,8}|\\PC{0,60}") {
            let _ = read(&text);
        }
    }

    #[test]
    fn a_word_that_a_later_version_adds_is_passed_over_and_another_protocol_is_not_read() {
        assert_eq!(read("2 zebra m").and_then(Result::ok).and_then(|it| it.envelope).map(|it| it.has_more), Some(true));
        assert_eq!(read("3 m"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_sender_that_is_not_acceptable_spoils_only_its_own_entry() {
        let message = read("2 so99>http://user@a/ eo5>http://b/").expect("protocol 2").expect("a message");
        assert_eq!((message.entries.len(), message.skipped.len()), (1, 1));
        assert_eq!(message.envelope.and_then(|envelope| envelope.sender), None);
    }

    #[test]
    fn malformed_words_are_refused_whole() {
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
