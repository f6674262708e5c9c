//! Checks the examples in docs/protocol.md: the code must parse each one and write it unchanged.

use std::time::Duration;

use crate::auth::{Keyring, Mode, PeerAuth, ReplayGuard, Secret};
use crate::clock::Now;
use crate::membership::{Members, supersedes};
use crate::message::tests::{WALL, validator};
use crate::message::{Entry, Envelope, Message, OWN_VERSION, ServerUrl};

/// The lines of all code blocks of a kind. Fails if there are none.
fn lines(kind: &str) -> Vec<&'static str> {
    let fence = format!("```text protocol-example {kind}\n");
    let blocks = include_str!("../docs/protocol.md").split(&fence).skip(1);
    let lines: Vec<_> = blocks.flat_map(|block| block.split("\n```").next().unwrap_or_default().lines()).collect();
    assert!(!lines.is_empty(), "docs/protocol.md has no {kind}");
    lines
}

fn columns(kind: &str) -> Vec<Vec<&'static str>> {
    lines(kind).into_iter().map(|line| line.split("  ").collect()).collect()
}

/// The examples leave out the version, which changes with each release.
fn without_version(text: &str) -> String {
    text.replace(&format!(" v{OWN_VERSION}"), "")
}

/// Parses an envelope, and checks that it is written unchanged.
fn read(field: &str) -> Message {
    let message = Message::from_field(field, validator()).expect(field).expect(field);
    assert_eq!(message.skipped, [], "{field}");
    assert_eq!(message.to_field().as_deref().map(without_version).as_deref(), Some(field));
    message
}

fn entry(word: &str) -> Entry {
    read(&format!("2 {word}")).entries.pop().expect(word)
}

fn envelope(message: Message) -> Envelope {
    message.envelope.expect("protocol 2")
}

/// The hashes of buckets as written in an envelope.
fn hex(buckets: &[u32]) -> String {
    buckets.iter().map(|hash| format!("{hash:06x}")).collect::<Vec<_>>().concat()
}

#[test]
fn messages_and_master_lists_are_read_and_written_as_documented() {
    for json in lines("message") {
        let message = Message::from_json(json.as_bytes(), validator()).expect(json);
        assert_eq!(without_version(&String::from_utf8(message.to_json()).expect(json)), json);
    }
    for json in lines("master-list") {
        let list = Message::from_master_list(json.as_bytes(), validator()).expect(json);
        assert_eq!(String::from_utf8(list.to_master_list()).as_deref(), Ok(json));
    }
}

#[test]
fn the_later_of_two_documented_entries_wins() {
    for pair in lines("precedence").windows(2) {
        assert!(supersedes(&entry(pair[1]), &entry(pair[0])), "{pair:?}");
    }
}

#[test]
fn the_documented_envelopes_carry_the_documented_digests() {
    let lists: Vec<_> = columns("digest").into_iter().filter(|line| line[0].starts_with('d')).collect();
    let differs = |at: usize| lists[0][1][at..at + 6] != lists[1][1][at..at + 6];
    let different: Vec<_> = ("b ".len()..lists[0][1].len()).step_by(6).map(differs).collect();
    let is_message = |line: &&str| line.get(1..).is_some_and(|rest| rest.starts_with(" > "));
    let messages: Vec<_> = lines("envelope").into_iter().filter(is_message).collect();
    assert!(messages.len() > 10);
    for line in messages {
        let (who, field) = line.split_once("  ").expect(line);
        let Envelope { sender, digest, buckets, requested_buckets, .. } = envelope(read(field));
        assert_eq!(sender.map(|url| url.to_string()), Some(format!("http://{}:3000/", who[..1].to_lowercase())));
        assert!(requested_buckets.is_empty() || requested_buckets == different, "{line}");
        let Some(digest) = digest else { continue };
        let list = lists.iter().find(|list| list[0] == format!("d {:x}", digest.hash)).expect(line);
        assert!(buckets.is_empty() || list[1] == format!("b {}", hex(&buckets)), "{line}");
    }
}

#[test]
fn urls_and_keys_are_those_documented() {
    for line in columns("url") {
        let url = ServerUrl::parse(line[0]).expect(line[0]);
        assert_eq!([line[0], url.as_str(), &format!("{:016x}", url.key())], line[..]);
    }
}

#[test]
fn digests_and_freshness_stamps_are_those_documented() {
    let now = Now { mono: Duration::ZERO, wall: WALL };
    let mut list = Members::new(ServerUrl::parse("http://own/").expect("valid"));
    for line in columns("digest") {
        match &line[0][..1] {
            "d" => {
                let buckets = hex(&list.buckets(list.bucket_count(), 0));
                assert_eq!([format!("d {:x}", list.digest(0).hash), format!("b {buckets}")], line[..]);
            }
            "a" => {
                let freshness = envelope(read(&format!("2 {}", line[0]))).freshness;
                let stamps: Vec<_> = freshness.stamps.iter().flatten().map(ToString::to_string).collect();
                assert_eq!([line[0], &freshness.first.to_string(), &stamps.join(" ")], line[..]);
            }
            _ => {
                let mut alone = Members::new(ServerUrl::parse("http://own/").expect("valid"));
                alone.put(entry(line[0]), now);
                assert_eq!([line[0], &format!("{:016x}", alone.digest(0).hash)], line[..]);
                list.put(entry(line[0]), now);
            }
        }
    }
}

#[test]
fn signatures_are_those_documented() {
    let lines = columns("signature");
    let value = |name| lines.iter().find(|line| line[0] == name).expect(name)[1];
    let secrets = Keyring::new(Secret::new(value("secret").into()), None);
    let auth = PeerAuth { mode: Mode::Signed, secrets, cluster: None };
    let answerer = ServerUrl::parse("http://b:3000/").expect("valid");
    let now = Duration::from_millis(70_002);
    let mut guard = ReplayGuard::new(0x5eed);
    let header = value("Authorization");
    let proof = auth.check_request(header, Some(value("envelope")), &answerer).expect("signed");
    assert_eq!(proof.refuse_stale(&mut guard, &answerer, now), None);
    let read = |name| auth.verify_response(value("nonce"), &answerer, value(name)).expect("signed");
    let answer = read("answer");
    assert_eq!((answer.time, answer.is_stale), (guard.time(now), false));
    assert_eq!(proof.sign_response(&answerer, answer.time, answer.field.into()), value("answer"));
    // The same request again.
    let refusal = proof.refuse_stale(&mut guard, &answerer, now);
    assert_eq!(refusal.as_deref(), Some(value("not handled")));
    assert!(read("not handled").is_stale);
    for field in [value("envelope"), value("answer")] {
        assert!(
            Message::from_field(field, validator())
                .expect(field)
                .is_ok_and(|message| message.cluster() == Some("blue"))
        );
    }
}
