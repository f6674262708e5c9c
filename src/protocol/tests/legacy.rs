//! Exchanges with version 1 servers.

use super::repair::server_that_knows;
use super::*;

#[test]
fn a_version_1_server_that_repeats_a_report_of_its_own_failure_stays_online() {
    let mut server = Server::new("a");
    server.add_member("b", None);
    server.finish_broadcasts();
    let id = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    let now = server.now.wall;
    let both = vec![entry("b", ONLINE, now, None), entry("b", OFFLINE, now + HOUR, None)];
    server.respond(id, Message::new(both));
    assert_eq!(server.state_of("b"), Some(ONLINE));
    // The same stamp in both lists means that it was drained.
    let id = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    let both = vec![entry("b", ONLINE, now + 1, None), entry("b", OFFLINE, now + 1, None)];
    server.respond(id, Message::new(both));
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn the_time_to_read_what_a_version_1_server_repeats_about_itself_grows_linearly() {
    let mut server = Server::new("a");
    server.add_member("b", None);
    let id = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    let answer = (0..50_000).map(|i| entry("b", OFFLINE, WALL + i % 100, None)).collect();
    let began = crate::clock::Clock::new();
    server.respond(id, Message::new(answer));
    // With quadratic time it takes over four seconds.
    assert!(began.now().mono < Duration::from_secs(1));
}

#[test]
fn long_tags_take_no_room_in_the_answer_to_a_version_1_server() {
    let answered = |note: &str| {
        let mut server = Server::new("a");
        for i in 0..1_000 {
            let mut entry = entry(&format!("server-{i}"), ONLINE, WALL, Some(1));
            if let Some(v2) = &mut entry.v2 {
                v2.extensions = Extensions::with_tags(&Tags::parse(note).expect("valid"));
            }
            server.core.members.put(entry, server.now);
        }
        let answer = server.core.handle_gossip(server.now, &Message::new(vec![]));
        (answer.entries.len(), answer.to_json().len())
    };
    let (without, _) = answered("");
    let (with, bytes) = answered(&format!("note={}", "x".repeat(400)));
    assert!(with * 10 > without * 9, "{with} entries with tags, {without} without");
    assert!(bytes < 90_000, "{bytes}");
}

#[test]
fn version_1_servers_are_probed_in_turn() {
    let mut server = Server::new("a");
    for i in 0..10 {
        server.add_member(&format!("v{i}"), None);
    }
    let mut probed = BTreeSet::new();
    for _ in 0..11 {
        for (id, to) in gossip_requests(&server.run(30)) {
            probed.insert(to);
            server.respond(id, Message::default());
        }
    }
    probed.remove(&url("a"));
    assert_eq!(probed.len(), 10);
}

#[test]
fn the_only_version_1_server_is_probed_in_each_round() {
    let mut server = Server::new("a");
    for i in 0..50 {
        server.add_member(&format!("s{i}"), Some(1));
    }
    server.add_member("v", None);
    server.finish_broadcasts();
    let mut probes = 0;
    for _ in 0..600 {
        for (id, to) in gossip_requests(&server.run(1)) {
            probes += usize::from(to == url("v"));
            let whole_list = || Message::new(server.core.members().entries().cloned().collect());
            let answer = if to == url("v") { whole_list() } else { server.empty_answer_of(&to) };
            server.respond(id, answer);
        }
    }
    assert!((19..=24).contains(&probes), "{probes} probes in twenty rounds");
}

#[test]
fn a_version_1_server_is_sent_the_entries_that_its_answer_lacks() {
    let mut server = Server::new("a");
    server.receive_v1(["b", "c", "d"].map(|name| entry(name, ONLINE, WALL, Some(1))).into());
    server.take_actions();
    let id = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    let sent = server.take_actions();
    let Action::Gossip { message, .. } = &sent[0] else { panic!("{sent:?}") };
    assert_eq!(message.lists().len(), 1, "the first message is small");
    let known = ["b", "c"].map(|name| entry(name, ONLINE, WALL, Some(1)));
    server.respond(id, Message::new(known.into()));
    let sent = server.take_actions();
    let Action::Gossip { to, message, .. } = &sent[0] else { panic!("{sent:?}") };
    let sent_urls: BTreeSet<_> = message.lists().iter().map(|entry| entry.url.clone()).collect();
    assert_eq!((to, sent_urls), (&url("b"), BTreeSet::from([url("d")])));
    assert!(!message.is_v2());
}

#[test]
fn the_answer_to_a_version_1_server_is_the_whole_list_if_it_fits() {
    let mut server = server_that_knows("a", 0..500);
    let answer = server.core.handle_gossip(server.now, &Message::new(vec![]));
    assert_eq!(answer.entries.len(), 501);
}

#[test]
fn answers_to_version_1_servers_of_at_most_90_kb_begin_with_recent_changes_and_cover_the_list_in_turns() {
    let mut server = server_that_knows("a", 0..5_000);
    server.receive_v1(vec![entry("server-7", ONLINE, WALL + 1, Some(2))]);
    let mut covered = BTreeSet::new();
    for _ in 0..12 {
        let answer = server.core.handle_gossip(server.now, &Message::new(vec![]));
        let bytes = answer.to_json().len();
        assert!((80_000..90_000).contains(&bytes), "{bytes} bytes");
        assert_eq!(answer.entries[1].url, url("server-7"));
        let urls: BTreeSet<_> = answer.entries.iter().map(|entry| entry.url.clone()).collect();
        assert_eq!(urls.len(), answer.entries.len(), "no server is named twice");
        covered.extend(urls);
    }
    assert_eq!(covered.len(), 5_001);
}
