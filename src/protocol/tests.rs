use std::collections::BTreeMap;

use super::*;
use crate::membership::tests::{WALL, at, entry, url};
use crate::message::Life;

const HOUR: u64 = 3_600_000;
const OFFLINE: State = State::Offline;
const ONLINE: State = State::Online;

fn settings(name: &str) -> Settings {
    Settings {
        base_url: url(name),
        monitor: false,
        interval: Duration::from_secs(30),
        announce_minimum: Duration::from_secs(300),
        announce_interval: Duration::from_secs(600),
        update_list_on_shutdown: false,
    }
}

/// One server under test, and its clock.
struct Server {
    core: Core,
    now: Now,
    sync: Id,
}

impl Server {
    fn new(name: &str) -> Self {
        Self::with(settings(name))
    }

    fn with(settings: Settings) -> Self {
        Self { core: Core::new(settings, at(0), 7), now: at(0), sync: 0 }
    }

    /// Lets time pass while the event loop turns, and returns what was to be done meanwhile.
    fn pass(&mut self, seconds: u64) -> Vec<Action> {
        self.pass_with(seconds, true)
    }

    fn pass_with(&mut self, seconds: u64, beats: bool) -> Vec<Action> {
        let mut actions = self.actions();
        for _ in 0..seconds * 10 {
            self.now.mono += Duration::from_millis(100);
            self.now.wall += 100;
            if beats {
                self.core.handle_beat(self.now);
            }
            self.core.handle_timeout(self.now);
            actions.extend(self.actions());
        }
        actions
    }

    fn actions(&mut self) -> Vec<Action> {
        let actions: Vec<_> = std::iter::from_fn(|| self.core.poll_action()).collect();
        for action in &actions {
            if let Action::SyncList { id, .. } = action {
                self.sync = *id;
            }
        }
        actions
    }

    /// The outcome of the last read of the master list.
    fn list(&mut self, list: Result<Message, String>) -> Option<Message> {
        self.core.handle_list(self.now, self.sync, list)
    }

    /// An update of the master list that holds this; returns what is written.
    fn update(&mut self, listed: Vec<Entry>) -> Vec<ServerUrl> {
        self.core.update_list_last();
        self.actions();
        let written = self.list(Ok(Message::new(listed))).expect("an update");
        self.list_written();
        written.entries.into_iter().map(|entry| entry.url).collect()
    }

    fn list_written(&mut self) {
        self.core.handle_list_written(self.now, self.sync, Ok(()));
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.core.poll_notice()).collect()
    }

    fn hear(&mut self, entries: Vec<Entry>) {
        self.core.handle_gossip(self.now, Message::new(entries));
    }

    fn own(&self) -> &Entry {
        self.core.own()
    }

    fn state_of(&self, name: &str) -> Option<State> {
        self.core.members().get(&url(name)).map(|member| member.entry.state)
    }

    /// Probes a server until it is tried a second time, every try failing; returns how many there were.
    fn fail_probes_of(&mut self, name: &str, seconds: u64) -> usize {
        let mut tries = 0;
        for _ in 0..seconds * 10 {
            for (id, to) in gossips(&self.pass_tenth()) {
                let result = if to == url(name) {
                    tries += 1;
                    Err(ExchangeError::NotListening("refused".into()))
                } else {
                    Ok(Message::default())
                };
                self.core.handle_answer(self.now, id, result);
            }
        }
        tries
    }

    fn pass_tenth(&mut self) -> Vec<Action> {
        self.now.mono += Duration::from_millis(100);
        self.now.wall += 100;
        self.core.handle_beat(self.now);
        self.core.handle_timeout(self.now);
        self.actions()
    }

    /// Waits for the next gossip to go out.
    fn next_gossip(&mut self) -> Id {
        let sent = std::iter::repeat_with(|| gossips(&self.pass_tenth())).find(|sent| !sent.is_empty());
        sent.expect("rounds never end")[0].0
    }

    /// A server that has answered once, so that it is not excused as starting.
    fn meet(&mut self, name: &str, incarnation: Option<u64>) {
        self.hear(vec![entry(name, ONLINE, self.now.wall, incarnation)]);
        self.core.members.answered(&url(name), self.now);
    }
}

fn gossips(actions: &[Action]) -> Vec<(Id, ServerUrl)> {
    let gossip = |action: &Action| match action {
        Action::Gossip { id, to, .. } => Some((*id, to.clone())),
        Action::SyncList { .. } => None,
    };
    actions.iter().filter_map(gossip).collect()
}

fn syncs(actions: &[Action]) -> Vec<bool> {
    let sync = |action: &Action| match action {
        Action::SyncList { write, .. } => Some(*write),
        Action::Gossip { .. } => None,
    };
    actions.iter().filter_map(sync).collect()
}

#[test]
fn a_false_death_is_refuted_by_a_higher_incarnation_and_a_newer_stamp() {
    let mut server = Server::new("a");
    server.hear(vec![entry("a", OFFLINE, WALL + 5_000, Some(WALL))]);
    assert_eq!(server.own().state, ONLINE);
    assert_eq!(server.own().life.as_ref().map(|life| life.incarnation), Some(WALL + 5_001));
    assert_eq!(server.own().stamp, WALL + 5_001);
}

#[test]
fn a_death_that_a_v1_peer_stamped_ahead_of_our_clock_is_refuted_at_once() {
    let mut server = Server::new("a");
    server.hear(vec![entry("a", OFFLINE, WALL + HOUR, None)]);
    assert_eq!((server.own().state, server.own().stamp), (ONLINE, WALL + HOUR + 1));
    // By the stamp for v1 peers, and by the incarnation for ours.
    assert!(server.own().life.as_ref().is_some_and(|life| life.incarnation > WALL + HOUR));
}

#[test]
fn a_new_process_rises_above_what_peers_remember_of_the_old_one() {
    let mut server = Server::new("a");
    // Our clock was set back by an hour between the two.
    let mut before = entry("a", OFFLINE, WALL + HOUR, Some(WALL + HOUR));
    before.life = before.life.map(|life| Life { reason: Some(Reason::Left), author: Some(url("a")), ..life });
    server.hear(vec![before]);
    assert_eq!(server.own().life.as_ref().map(|life| life.incarnation), Some(WALL + HOUR + 1));
}

#[test]
fn a_stamp_stuck_ahead_drops_back_when_the_clock_is_set_right() {
    let mut server = Server::new("a");
    let incarnation = server.own().life.as_ref().map(|life| life.incarnation);
    server.now.wall += 72 * HOUR;
    server.hear(vec![]);
    assert_eq!(server.own().stamp, WALL + 72 * HOUR);
    server.now.wall = WALL + 1_000;
    server.hear(vec![]);
    assert_eq!(server.own().stamp, WALL + 1_000);
    assert!(server.own().life.as_ref().map(|life| life.incarnation) > incarnation);
}

#[test]
fn an_incarnation_born_while_the_clock_was_days_ahead_drops_back_too() {
    let wrong = Now { wall: WALL + 72 * HOUR, ..at(0) };
    let mut server = Server { core: Core::new(settings("a"), wrong, 7), now: at(1), sync: 0 };
    server.hear(vec![]);
    assert_eq!(server.own().life.as_ref().map(|life| life.incarnation), Some(WALL + 1_000));
}

#[test]
fn a_drained_server_stays_offline_and_goes_on_gossiping() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.actions();
    server.core.handle_control(server.now, false);
    assert_eq!(gossips(&server.actions()).len(), 1, "the others are told at once");
    server.hear(vec![entry("a", ONLINE, server.now.wall + 5, Some(WALL))]);
    assert_eq!(server.own().state, OFFLINE);
    assert!(!gossips(&server.pass(40)).is_empty());
    assert!(server.own().stamp > WALL + 20_000, "its tombstone does not expire while it runs");
    server.core.handle_control(server.now, true);
    assert_eq!(server.own().state, ONLINE);
    assert_eq!(server.own().life.as_ref().and_then(|life| life.reason), None);
}

#[test]
fn control_for_the_state_that_is_there_changes_nothing() {
    let mut server = Server::new("a");
    server.actions();
    let before = server.own().clone();
    server.core.handle_control(server.now, true);
    assert_eq!(server.own(), &before);
    assert_eq!(server.actions(), []);
}

#[test]
fn two_failed_probes_list_a_server_offline_and_say_why() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    assert_eq!(server.fail_probes_of("b", 40), 2);
    let life = server.core.members().get(&url("b")).and_then(|b| b.entry.life.clone()).expect("one of ours");
    assert_eq!((life.incarnation, life.reason, life.author), (1, Some(Reason::Failed), Some(url("a"))));
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_probe_that_began_before_fresh_news_of_the_server_calls_nobody_dead() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.core.handle_answer(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    // It stamped itself a second after the probe began, by its own clock.
    server.hear(vec![entry("b", ONLINE, server.now.wall + 1_000, Some(1))]);
    let again = server.next_gossip();
    server.core.handle_answer(server.now, again, Err(ExchangeError::Other("time-out".into())));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn fresh_news_that_arrives_while_a_probe_is_under_way_counts_too() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.pass_tenth();
    server.hear(vec![entry("b", ONLINE, server.now.wall, Some(1))]);
    server.core.handle_answer(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    assert_eq!(server.fail_probes_of("b", 10), 0, "there is nothing to ask a second time");
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn fresh_news_counts_of_a_server_whose_clock_has_stepped_back() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL + HOUR, Some(1))]);
    server.pass(20);
    server.hear(vec![entry("b", ONLINE, WALL + HOUR + 1, Some(1))]);
    // Its own answer says what its clock shows.
    server.core.members.answered(&url("b"), server.now);
    let probe = server.next_gossip();
    server.core.handle_answer(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    server.hear(vec![entry("b", ONLINE, WALL + HOUR + 60_000, Some(1))]);
    assert_eq!(server.fail_probes_of("b", 10), 0);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn old_news_that_arrives_late_does_not_save_a_dead_server() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.core.handle_answer(server.now, probe, Err(ExchangeError::Other("refused".into())));
    // Stamped before the probe began, heard after.
    server.hear(vec![entry("b", ONLINE, server.now.wall - 10_000, Some(1))]);
    server.fail_probes_of("b", 4);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_answers_with_errors_has_started() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(1))]);
    for _ in 0..2 {
        let probe = server.next_gossip();
        server.core.handle_answer(server.now, probe, Err(ExchangeError::SecretRefused));
    }
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_others_go_on_calling_dead_says_so_once() {
    let mut server = Server::new("a");
    for _ in 0..5 {
        let incarnation = server.own().life.as_ref().map(|life| life.incarnation);
        let mut death = entry("a", OFFLINE, server.now.wall, incarnation);
        death.life = death.life.map(|life| Life { reason: Some(Reason::Failed), author: Some(url("b")), ..life });
        server.hear(vec![death]);
    }
    let doubts = server.notices().into_iter().filter(|notice| matches!(notice, Notice::Unreachable { .. }));
    assert_eq!(doubts.count(), 1);
}

#[test]
fn a_server_that_has_never_answered_is_not_called_dead_in_its_first_minute() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(1))]);
    assert!(server.fail_probes_of("b", 55) >= 2);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.fail_probes_of("b", 45);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_program_whose_event_loop_hangs_neither_stamps_refutes_probes_nor_accuses() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.pass_with(6, false);
    let stamp = server.own().stamp;
    server.core.handle_answer(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    let accusation = Message::new(vec![entry("a", OFFLINE, server.now.wall, Some(WALL))]);
    let from_b = server.core.send_all(vec![url("b")], server.now)[0];
    server.actions();
    server.core.handle_answer(server.now, from_b, Ok(accusation));
    assert_eq!(gossips(&server.pass_with(90, false)), []);
    assert_eq!((server.own().stamp, server.state_of("b")), (stamp, Some(ONLINE)));
    assert_eq!(server.own().life.as_ref().map(|life| life.incarnation), Some(WALL));
    // It answers when it is back.
    server.pass(40);
    assert!(server.own().life.as_ref().is_some_and(|life| life.incarnation > WALL));
}

#[test]
fn probes_from_before_a_stall_of_our_own_accuse_nobody() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.core.handle_answer(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    let again = server.next_gossip();
    server.pass_with(20, false);
    server.core.handle_beat(server.now);
    server.core.handle_answer(server.now, again, Err(ExchangeError::Other("time-out".into())));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_bootstrap_ends_when_every_seed_has_answered_or_failed() {
    let mut server = Server::new("a");
    assert_eq!(syncs(&server.actions()), [false]);
    let seeds = ["b", "c"].map(|name| entry(name, ONLINE, WALL, Some(1)));
    assert_eq!(server.list(Ok(Message::new(seeds.into()))), None);
    assert_eq!(server.state_of("b"), None, "a seed is no member");
    let sent = gossips(&server.actions());
    assert_eq!(sent.len(), 2);
    server.core.handle_answer(server.now, sent[0].0, Err(ExchangeError::Other("refused".into())));
    assert!(!server.notices().contains(&Notice::Started));
    let answer = Message::new(vec![entry("c", ONLINE, WALL, Some(1)), entry("d", ONLINE, WALL, Some(1))]);
    server.core.handle_answer(server.now, sent[1].0, Ok(answer));
    assert!(server.notices().contains(&Notice::Started));
    assert_eq!((server.state_of("c"), server.state_of("d")), (Some(ONLINE), Some(ONLINE)), "its answer is used");
}

#[test]
fn a_list_that_cannot_be_read_ends_the_bootstrap_and_is_tried_again_with_back_off() {
    let mut server = Server::new("a");
    server.actions();
    let mut tries = Vec::new();
    server.list(Err("no answer".into()));
    assert!(server.notices().contains(&Notice::Started));
    for second in 0..300 {
        for _ in syncs(&server.pass(1)) {
            tries.push(second);
            server.list(Err("no answer".into()));
        }
    }
    assert!(tries[0] <= 2 && (8..16).contains(&tries.len()), "{tries:?}");
    let warnings = server.notices().into_iter().filter(|notice| matches!(notice, Notice::ListUnusable(_)));
    assert_eq!(warnings.count(), 1);
}

#[test]
fn a_server_that_is_missing_from_the_list_announces_itself_within_seconds() {
    let mut server = Server::new("a");
    server.actions();
    server.list(Ok(Message::new(vec![])));
    assert_eq!(syncs(&server.pass(3)), [true]);
    let written = server.list(Ok(Message::new(vec![]))).expect("an update");
    assert_eq!(written.entries, [server.own().clone()]);
}

#[test]
fn a_server_alone_announces_itself_as_often_as_any_and_looks_at_the_list_between() {
    let mut server = Server::new("a");
    server.actions();
    let mut writes = 0;
    let mut reads = 0;
    server.list(Ok(Message::default()));
    for _ in 0..3_600 {
        for _ in syncs(&server.pass(1)) {
            let own = server.own().clone();
            if server.list(Ok(Message::new(vec![own]))).is_some() {
                server.list_written();
                writes += 1;
            } else {
                reads += 1;
            }
        }
    }
    assert!((4..=13).contains(&writes) && (50..=120).contains(&reads), "{writes} {reads}");
}

#[test]
fn a_drained_server_does_not_announce_itself() {
    let mut server = Server::new("a");
    server.core.handle_control(server.now, false);
    server.actions();
    server.list(Ok(Message::new(vec![])));
    assert_eq!(syncs(&server.pass(20)), Vec::<bool>::new());
}

#[test]
fn the_dead_leave_the_list_and_strangers_stay_in_it_until_they_were_tried() {
    let mut server = Server::new("a");
    server.meet("dead", Some(1));
    server.fail_probes_of("dead", 40);
    server.actions();
    // v1 peers revive the dead in their lists by stamping them anew.
    let dead = entry("dead", ONLINE, server.now.wall + 1, Some(1));
    let stranger = entry("stranger", ONLINE, server.now.wall, Some(1));
    let listed = vec![dead, stranger];
    assert_eq!(server.update(listed.clone()), [url("a"), url("stranger")]);
    server.fail_probes_of("stranger", 100);
    assert_eq!(server.update(listed), [url("a")]);
}

#[test]
fn a_server_alone_goes_on_trying_its_seeds() {
    let mut server = Server::new("a");
    server.actions();
    server.list(Ok(Message::new(vec![entry("b", ONLINE, WALL, Some(1))])));
    let early = server.fail_probes_of("b", 10);
    assert!((3..=6).contains(&early), "{early}");
    assert!(server.fail_probes_of("b", 600) >= 15);
}

#[test]
fn a_leave_is_told_to_the_others_and_ends_when_they_know() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.meet("c", None);
    server.actions();
    server.core.handle_leave(server.now);
    let sent = server.actions();
    let Action::Gossip { message, .. } = &sent[0] else { panic!("{sent:?}") };
    let own = message.entries.iter().find(|it| it.url == url("a")).expect("our entry");
    assert_eq!((own.state, own.life.as_ref().and_then(|life| life.reason)), (OFFLINE, Some(Reason::Left)));
    for (id, _) in gossips(&sent) {
        assert!(!server.notices().contains(&Notice::Left));
        server.core.handle_answer(server.now, id, Ok(Message::default()));
    }
    assert!(server.notices().contains(&Notice::Left));
}

#[test]
fn a_leave_after_a_stall_is_a_leave_all_the_same() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.pass_with(20, false);
    let death = entry("a", OFFLINE, server.now.wall, Some(WALL));
    let from_b = server.core.send_all(vec![url("b")], server.now)[0];
    server.core.handle_answer(server.now, from_b, Ok(Message::new(vec![death.clone()])));
    server.core.handle_leave(server.now);
    assert!(crate::membership::supersedes(server.own(), &death));
    assert_eq!(server.own().life.as_ref().and_then(|life| life.reason), Some(Reason::Left));
}

#[test]
fn a_read_of_the_list_from_before_the_leave_is_not_the_update_of_the_leave() {
    let mut server = Server::with(Settings { update_list_on_shutdown: true, ..settings("a") });
    server.actions();
    let earlier = server.sync;
    server.core.handle_leave(server.now);
    server.core.handle_list(server.now, earlier, Ok(Message::default()));
    assert!(!server.notices().contains(&Notice::Left));
}

#[test]
fn the_bootstrap_contacts_its_seeds_once() {
    let mut server = Server::new("a");
    server.actions();
    let seed = entry("b", ONLINE, WALL, Some(1));
    server.list(Ok(Message::new(vec![seed.clone()])));
    let first = gossips(&server.actions());
    assert_eq!(first.len(), 1);
    server.pass(3);
    server.list(Ok(Message::new(vec![seed])));
    server.core.handle_answer(server.now, first[0].0, Err(ExchangeError::Other("time-out".into())));
    assert!(server.notices().contains(&Notice::Started));
}

#[test]
fn seeds_are_tried_less_and_less_often_however_often_the_list_is_read() {
    let mut server = Server::with(Settings { interval: Duration::from_secs(300), ..settings("a") });
    let mut tries = Vec::new();
    for second in 0..3_600 {
        for action in server.pass(1) {
            match action {
                Action::Gossip { id, .. } => {
                    tries.push(second);
                    server.core.handle_answer(server.now, id, Err(ExchangeError::Other("refused".into())));
                }
                Action::SyncList { .. } => {
                    let listed = vec![entry("b", ONLINE, WALL, Some(1)), server.own().clone()];
                    if server.list(Ok(Message::new(listed))).is_some() {
                        server.list_written();
                    }
                }
            }
        }
    }
    assert!((15..30).contains(&tries.len()) && tries.iter().any(|second| *second > 3_000), "{tries:?}");
}

#[test]
fn a_leave_ends_within_six_seconds_whatever_the_others_do() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.core.handle_leave(server.now);
    server.pass(6);
    assert!(server.notices().contains(&Notice::Left));
    assert_eq!(server.core.poll_timeout(), None);
}

#[test]
fn a_leave_with_an_update_takes_the_server_out_of_the_list_within_twelve_seconds() {
    let mut server = Server::with(Settings { update_list_on_shutdown: true, ..settings("a") });
    server.actions();
    server.core.handle_leave(server.now);
    assert_eq!(syncs(&server.actions()), [true]);
    let written = server.list(Ok(Message::new(vec![entry("a", ONLINE, WALL, None)])));
    assert_eq!(written, Some(Message::default()));
    server.list_written();
    assert!(server.notices().contains(&Notice::Left));
    let mut hanging = Server::with(Settings { update_list_on_shutdown: true, ..settings("a") });
    hanging.core.handle_leave(hanging.now);
    hanging.pass(12);
    assert!(hanging.notices().contains(&Notice::Left));
}

#[test]
fn a_flood_of_messages_is_refused_and_passes() {
    let mut server = Server::new("a");
    let refused = |server: &mut Server| {
        let results = (0..1_500).map(|_| server.core.admit(server.now));
        results.filter(|result| *result == Err(Error::Limit)).count()
    };
    assert_eq!(refused(&mut server), 500);
    server.pass(1);
    assert_eq!(refused(&mut server), 500);
}

#[test]
fn a_skipped_entry_is_reported_once() {
    let mut server = Server::new("a");
    for _ in 0..3 {
        let skipped = vec![Skipped { name: "x".into(), reason: "because" }];
        server.core.handle_gossip(server.now, Message { entries: vec![], skipped });
    }
    let reported = server.notices().into_iter().filter(|notice| matches!(notice, Notice::EntrySkipped(_)));
    assert_eq!(reported.count(), 1);
}

/// Servers whose messages arrive at once, unless a cut keeps them apart.
struct Cluster {
    servers: BTreeMap<ServerUrl, Server>,
    cut: fn(&ServerUrl, &ServerUrl) -> bool,
}

impl Cluster {
    fn new(names: &[&str]) -> Self {
        let mut servers = BTreeMap::new();
        for (seed, name) in names.iter().enumerate() {
            let core = Core::new(settings(name), at(0), seed as u64);
            let seeds = names.iter().map(|name| entry(name, ONLINE, WALL, None)).collect();
            let mut server = Server { core, now: at(0), sync: 0 };
            server.actions();
            server.list(Ok(Message::new(seeds)));
            servers.insert(url(name), server);
        }
        Self { servers, cut: |_, _| false }
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            for from in self.servers.keys().cloned().collect::<Vec<_>>() {
                let Some(server) = self.servers.get_mut(&from) else {
                    continue;
                };
                for action in server.pass_tenth() {
                    let Action::Gossip { id, to, message, .. } = action else {
                        continue;
                    };
                    let answer = match self.servers.get_mut(&to) {
                        Some(peer) if !(self.cut)(&from, &to) => {
                            peer.core.handle_gossip(peer.now, Arc::unwrap_or_clone(message));
                            Ok(Message::new(peer.core.members().entries().cloned().collect()))
                        }
                        _ => Err(ExchangeError::Other("cut off".into())),
                    };
                    let Some(server) = self.servers.get_mut(&from) else {
                        continue;
                    };
                    server.core.handle_answer(server.now, id, answer);
                }
            }
        }
    }

    fn online(&self, name: &str) -> Vec<String> {
        let online = self.servers[&url(name)].core.members().entries().filter(|it| it.state == ONLINE);
        online.map(|it| it.url.to_string()).collect()
    }
}

#[test]
fn a_partition_of_an_hour_heals_by_itself() {
    let mut cluster = Cluster::new(&["a", "b", "c", "d"]);
    cluster.pass(120);
    assert_eq!(cluster.online("a").len(), 4);
    cluster.cut = |from, to| (*from < url("c")) != (*to < url("c"));
    cluster.pass(3_600);
    assert_eq!(cluster.online("a").len(), 2);
    assert_eq!(cluster.online("d").len(), 2);
    cluster.cut = |_, _| false;
    cluster.pass(240);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(cluster.online(name).len(), 4, "{name}");
    }
}

#[test]
fn a_killed_server_stays_gone() {
    let mut cluster = Cluster::new(&["a", "b", "c", "d", "e"]);
    cluster.pass(300);
    cluster.servers.remove(&url("e"));
    cluster.pass(900);
    for _ in 0..100 {
        for name in ["a", "b", "c", "d"] {
            assert_eq!(cluster.online(name).len(), 4, "{name}");
        }
        cluster.pass(30);
    }
}
