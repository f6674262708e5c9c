//! The cost of the core's operations by the number of known servers: `npm run bench -- core`.
//!
//! What happens in every exchange should cost the same for every number of servers. What reads a whole list should grow
//! with the list, and no faster. It is compiled with the same optimisation as the package.

#![allow(clippy::wildcard_imports, reason = "the groups use everything above them")]

use std::time::Duration;

use divan::{Bencher, black_box};

use clustershazbot_core::clock::Now;
use clustershazbot_core::config::{ListSettings, Settings};
use clustershazbot_core::membership::{Members, TOMBSTONE_TTL};
use clustershazbot_core::message::{
    Entry, EntryV2, Envelope, Extensions, Freshness, MAX_FRESHNESS_STAMPS, Message, RawEntry, Reason, ServerUrl, State,
    Validator,
};
use clustershazbot_core::origins::Origins;
use clustershazbot_core::protocol::Core;

/// The numbers of known servers.
const SERVERS: [usize; 4] = [10, 100, 1_000, 10_000];
const WALL: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
/// Digests leave out tombstones that were stamped before this.
const CUTOFF: u64 = WALL + 3 * HOUR - TOMBSTONE_TTL;
/// The unit of the stamps in a freshness message, in ms.
const UNIT: u64 = 128;

fn main() {
    divan::main();
}

/// The version that a server runs.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    V1,
    V2,
}

fn url(server: usize) -> ServerUrl {
    ServerUrl::parse(&format!("http://server-{server:05}:3000/")).expect("a base URL")
}

fn origins() -> Origins {
    Origins::new(&url(0), None).expect("no list")
}

fn entry(server: usize, version: Version) -> Entry {
    let v2 = EntryV2 {
        incarnation: WALL,
        instance: 0x1234_5678,
        reason: None,
        author: None,
        extensions: Extensions::default(),
    };
    let v2 = (version == Version::V2).then_some(v2);
    Entry { url: url(server), monitor: false, state: State::Online, stamp: WALL, v2 }
}

fn entries(servers: usize, version: Version) -> Vec<Entry> {
    (0..servers).map(|server| entry(server, version)).collect()
}

/// An entry stamped this many ms later.
fn later(entry: &Entry, ms: u64) -> Entry {
    Entry { stamp: entry.stamp + ms, ..entry.clone() }
}

/// An entry of a server that has failed.
fn failed(entry: &Entry) -> Entry {
    let v2 = entry.v2.clone().map(|v2| EntryV2 { reason: Some(Reason::Failed), author: Some(url(0)), ..v2 });
    Entry { state: State::Offline, v2, ..entry.clone() }
}

fn members(entries: &[Entry]) -> Members {
    let mut members = Members::new(url(0));
    merge_all(&mut members, entries.to_vec());
    members
}

/// Merges entries as the core does: most of them only have a new stamp.
fn merge_all(members: &mut Members, entries: Vec<Entry>) {
    for entry in entries {
        if !members.refresh_if_same(&entry, now(0)) {
            members.merge(entry, now(0));
        }
    }
}

fn now(ms: u64) -> Now {
    Now { mono: Duration::from_millis(ms), wall: WALL + ms }
}

/// Increasing numbers, so that every message is newer than the one before.
fn counter() -> impl FnMut() -> u64 {
    let mut last = 0;
    move || {
        last += 1;
        last
    }
}

#[divan::bench_group]
mod merge {
    use super::*;

    /// A full list in which every stamp is new, as version 1 servers send it.
    #[divan::bench(args = SERVERS)]
    fn all_stamps_are_new(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V1);
        let (mut members, mut ms) = (members(&known), counter());
        let message = || {
            let ms = ms();
            known.iter().map(|entry| later(entry, ms)).collect::<Vec<_>>()
        };
        bencher.with_inputs(message).bench_local_values(|message| merge_all(&mut members, message));
    }

    /// A full list in which one stamp is new.
    #[divan::bench(args = SERVERS)]
    fn one_stamp_is_new(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V1);
        let (mut members, mut ms) = (members(&known), counter());
        let message = || {
            let mut message = known.clone();
            message[servers / 2].stamp += ms();
            message
        };
        bencher.with_inputs(message).bench_local_values(|message| merge_all(&mut members, message));
    }

    /// Entries that replace the known ones, though only their stamps are new.
    #[divan::bench(args = SERVERS)]
    fn put(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V1);
        let (mut members, mut ms) = (members(&known), counter());
        let message = || {
            let ms = ms();
            known.iter().map(|entry| later(entry, ms)).collect::<Vec<_>>()
        };
        bencher.with_inputs(message).bench_local_values(|message| {
            for entry in message {
                members.put(entry, now(0));
            }
        });
    }
}

#[divan::bench_group]
mod digest {
    use super::*;

    /// A server restarts, which changes the digest.
    #[divan::bench(args = SERVERS)]
    fn update_after_restart(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V2);
        let (mut members, mut ms) = (members(&known), counter());
        let restarted = || {
            let mut entry = known[servers / 2].clone();
            entry.v2.as_mut().expect("protocol 2").incarnation += ms();
            entry
        };
        bencher.with_inputs(restarted).bench_local_values(|entry| members.put(entry, now(0)));
    }

    /// A server fails and comes back, which changes the digest and the lists that peers are selected from.
    #[divan::bench(args = SERVERS)]
    fn update_after_failure_and_return(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V2);
        let mut members = members(&known);
        let online = &known[servers / 2];
        bencher.with_inputs(|| (failed(online), online.clone())).bench_local_values(|(failed, online)| {
            members.put(failed, now(0));
            members.put(online, now(0))
        });
    }

    #[divan::bench(args = SERVERS)]
    fn read(bencher: Bencher<'_, '_>, servers: usize) {
        let members = members(&entries(servers, Version::V2));
        bencher.bench_local(|| members.digest(black_box(CUTOFF)));
    }

    /// One tombstone is too old for the digest.
    #[divan::bench(args = SERVERS)]
    fn read_with_an_old_tombstone(bencher: Bencher<'_, '_>, servers: usize) {
        let mut members = members(&entries(servers, Version::V2));
        members.put(Entry { stamp: CUTOFF - 1, ..failed(&entry(servers, Version::V1)) }, now(0));
        bencher.bench_local(|| members.digest(black_box(CUTOFF)));
    }

    /// What two servers do if their digests differ.
    #[divan::bench(args = SERVERS)]
    fn compare_buckets(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V2);
        let one = members(&known);
        let mut other = one.clone();
        other.put(failed(&known[servers / 2]), now(0));
        let count = one.bucket_count();
        let theirs = other.buckets(count, CUTOFF);
        bencher.bench_local(|| {
            let mine = one.buckets(count, black_box(CUTOFF));
            let wanted: Vec<_> = mine.iter().zip(&theirs).map(|(mine, theirs)| mine != theirs).collect();
            one.in_buckets(&wanted, 0, CUTOFF).cloned().collect::<Vec<_>>()
        });
    }
}

#[divan::bench_group]
mod selection {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    /// Half of the servers have failed.
    fn half_failed(servers: usize, version: Version) -> Members {
        let known = entries(servers, version);
        let state = |(n, entry): (usize, &Entry)| if n % 2 == 0 { entry.clone() } else { failed(entry) };
        members(&known.iter().enumerate().map(state).collect::<Vec<_>>())
    }

    fn rng() -> SmallRng {
        SmallRng::seed_from_u64(1)
    }

    #[divan::bench(args = SERVERS)]
    fn gossip_partner(bencher: Bencher<'_, '_>, servers: usize) {
        let (members, mut rng) = (half_failed(servers, Version::V2), rng());
        bencher.bench_local(|| members.gossip_partner(&mut rng));
    }

    #[divan::bench(args = SERVERS)]
    fn random_peers(bencher: Bencher<'_, '_>, servers: usize) {
        let (members, mut rng) = (half_failed(servers, Version::V2), rng());
        bencher.bench_local(|| members.random_peers(&mut rng, 3, &[]));
    }

    #[divan::bench(args = SERVERS)]
    fn offline_to_contact(bencher: Bencher<'_, '_>, servers: usize) {
        let (members, mut rng) = (half_failed(servers, Version::V2), rng());
        bencher.bench_local(|| members.offline_to_contact(&mut rng, now(0)));
    }

    #[divan::bench(args = SERVERS)]
    fn successors(bencher: Bencher<'_, '_>, servers: usize) {
        let members = half_failed(servers, Version::V2);
        bencher.bench_local(|| members.successors().take(2).cloned().collect::<Vec<_>>());
    }

    /// Seen by the first server that was upgraded from version 1.
    #[divan::bench(args = SERVERS)]
    fn successors_among_version_1(bencher: Bencher<'_, '_>, servers: usize) {
        let members = half_failed(servers, Version::V1);
        bencher.bench_local(|| members.successors().take(2).cloned().collect::<Vec<_>>());
    }
}

/// The core of a server that knows these servers.
fn core(known: &[Entry]) -> Core {
    let lists = vec![ListSettings { name: "the list".into(), is_written: true }];
    let settings = Settings { lists, ..Settings::new(url(99_999)) };
    let mut core = Core::new(&settings, now(0), 1);
    core.adopt(members(known), now(0));
    core
}

/// The message of a protocol 2 server that knows the same servers: its entry, its digest and the newest stamps.
fn idle_message(members: &Members, sender: &Entry) -> Message {
    let live = members.online();
    let ages = Freshness { first: 0, stamps: vec![Some(WALL / UNIT * UNIT); live.min(MAX_FRESHNESS_STAMPS)] };
    let envelope = Envelope { digest: Some(members.digest(CUTOFF)), freshness: ages, ..Envelope::default() };
    Message::new_v2(sender.clone(), None, envelope)
}

/// The same message, this many units of time later.
fn idle_later(message: &Message, units: u64) -> Message {
    let mut message = message.clone();
    message.entries[0].stamp += units * UNIT;
    let envelope = message.envelope.as_mut().expect("protocol 2");
    envelope.freshness.stamps.iter_mut().flatten().for_each(|stamp| *stamp += units * UNIT);
    message
}

#[divan::bench_group]
mod wire {
    use super::*;

    #[divan::bench(args = SERVERS)]
    fn encode_idle(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V2);
        let message = idle_message(&members(&known), &known[0]);
        bencher.bench_local(|| black_box(&message).to_field());
    }

    #[divan::bench(args = SERVERS)]
    fn parse_idle(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V2);
        let members = members(&known);
        let text = idle_message(&members, &known[0]).to_field().expect("protocol 2");
        let known = |text: &str| members.known(text);
        let (origins, wall) = (origins(), WALL);
        bencher.bench_local(|| {
            Message::from_field(black_box(&text), Validator { wall, origins: &origins, known: &known })
        });
    }

    #[divan::bench(args = SERVERS)]
    fn encode_version_1(bencher: Bencher<'_, '_>, servers: usize) {
        let message = Message::new(entries(servers, Version::V1));
        bencher.bench_local(|| black_box(&message).to_json());
    }

    #[divan::bench(args = SERVERS)]
    fn parse_version_1(bencher: Bencher<'_, '_>, servers: usize) {
        let json = Message::new(entries(servers, Version::V1)).to_json();
        let (origins, wall) = (origins(), WALL);
        bencher.bench_local(|| {
            Message::from_json(black_box(&json), Validator { wall, origins: &origins, known: &|_| None })
        });
    }

    /// The same message as JavaScript passes it, which has parsed the JSON.
    #[divan::bench(args = SERVERS)]
    fn check_version_1(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V1);
        let members = members(&known);
        let raw: Vec<_> = known.iter().map(|it| (it.state, raw(it))).collect();
        let (origins, known) = (origins(), |text: &str| members.known(text));
        let validator = Validator { wall: WALL, origins: &origins, known: &known };
        bencher.bench_local(|| Message::from_raw(black_box(raw.iter().copied()), validator));
    }

    fn raw(entry: &Entry) -> RawEntry<'_> {
        RawEntry {
            url: Some(entry.url.as_str()),
            monitor: Some(entry.monitor),
            stamp: Some(entry.stamp as f64),
            v2: None,
        }
    }
}

/// A received message, and the answer to it.
#[divan::bench_group]
mod handle_gossip {
    use super::*;

    fn idle(bencher: Bencher<'_, '_>, mut core: Core, sender: &Entry) {
        let message = idle_message(core.members(), sender);
        let answer = core.handle_gossip(now(0), &message).envelope.expect("protocol 2");
        assert!(answer.digest.is_some() && answer.buckets.is_empty(), "both know the same servers");
        let mut units = counter();
        let message = || {
            let units = units();
            (units, idle_later(&message, units))
        };
        bencher
            .with_inputs(message)
            .bench_local_refs(|(units, message)| core.handle_gossip(now(*units * UNIT), message));
    }

    /// From a protocol 2 server that knows the same servers.
    #[divan::bench(args = SERVERS)]
    fn idle_version_2(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V2);
        idle(bencher, core(&known), &known[0]);
    }

    /// The same, if one tombstone is too old for the digest.
    #[divan::bench(args = SERVERS)]
    fn idle_version_2_with_an_old_tombstone(bencher: Bencher<'_, '_>, servers: usize) {
        let mut known = entries(servers, Version::V2);
        known.push(Entry { stamp: CUTOFF - 1, ..failed(&entry(servers, Version::V1)) });
        idle(bencher, core(&known), &known[0]);
    }

    /// From a protocol 2 server with another list: answered with the hashes of buckets.
    #[divan::bench(args = SERVERS)]
    fn another_list_of_version_2(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V2);
        let (mut core, message) = (core(&known), idle_message(&members(&known[1..]), &known[0]));
        bencher.bench_local(|| core.handle_gossip(now(0), black_box(&message)));
    }

    /// From a protocol 2 server that knows the same servers, while false reports of failures wait to be verified.
    #[divan::bench(args = SERVERS)]
    fn idle_version_2_while_reports_wait(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V2);
        let mut core = core(&known);
        core.handle_gossip(now(0), &Message::new(known.iter().map(|entry| later(&failed(entry), 1)).collect()));
        idle(bencher, core, &known[0]);
    }

    /// From a version 1 server: its full list with every stamp new, answered by the full list.
    #[divan::bench(args = SERVERS)]
    fn full_list_of_version_1(bencher: Bencher<'_, '_>, servers: usize) {
        let known = entries(servers, Version::V1);
        let (mut core, mut ms) = (core(&known), counter());
        let message = || {
            let ms = ms();
            (ms, Message::new(known.iter().map(|entry| later(entry, ms)).collect()))
        };
        bencher.with_inputs(message).bench_local_refs(|(ms, message)| core.handle_gossip(now(*ms), message));
    }
}
