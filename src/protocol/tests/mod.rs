//! A core under test, and its clock.

mod accept;
mod broadcast;
mod cluster;
mod detector;
mod leave;
mod limits;
mod local;
mod master_list;
mod repair;
mod saved_state;
mod suspicion;

use std::collections::{BTreeSet, VecDeque};

use super::*;
use crate::membership::tests::{WALL, at, entry, url};
use crate::message::{EntryV2, Envelope};

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
        lists: vec!["the list".into()],
        keeps_state: false,
    }
}

/// One server under test, and its clock.
struct Server {
    core: Core,
    now: Now,
    sync: RequestId,
}

impl Server {
    fn new(name: &str) -> Self {
        Self::with(&settings(name))
    }

    fn with(settings: &Settings) -> Self {
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
                self.core.handle_heartbeat(self.now);
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
        self.core.handle_list_read(self.now, self.sync, list.map(Some))
    }

    /// An update of the master list that holds this; returns what it holds then.
    fn update(&mut self, listed: Vec<Entry>) -> Vec<ServerUrl> {
        self.update_lists();
        self.actions();
        let written = self.list(Ok(Message::new(listed.clone())));
        if written.is_some() {
            self.list_written();
        }
        written.map_or(listed, |written| written.entries).into_iter().map(|entry| entry.url).collect()
    }

    fn update_lists(&mut self) {
        let Core { discovery, members, out, .. } = &mut self.core;
        discovery.update_all(members, self.now, out);
    }

    /// The outcome of a read of a list that may be what it was.
    fn list_again(&mut self, listed: &[Entry], if_changed: bool) -> Option<Message> {
        let list = (!if_changed).then(|| Message::new(listed.to_vec()));
        self.core.handle_list_read(self.now, self.sync, Ok(list))
    }

    fn list_written(&mut self) {
        self.core.handle_list_written(self.now, self.sync, Ok(true));
    }

    fn notices(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.core.poll_event()).collect()
    }

    fn hear(&mut self, entries: Vec<Entry>) {
        self.core.handle_gossip(self.now, &Message::new(entries));
    }

    fn own(&self) -> &Entry {
        self.core.own()
    }

    fn state_of(&self, name: &str) -> Option<State> {
        self.core.members().get(&url(name)).map(|member| member.entry.state)
    }

    /// Probes a server until it is tried a second time, every try failing; returns how many there were.
    fn fail_probes_of(&mut self, name: &str, seconds: u64) -> usize {
        self.fail_probes(&[name], seconds, &ExchangeError::Refused("refused".into()))
    }

    /// Lets every exchange with these fail and every other succeed; returns how many failed.
    fn fail_probes(&mut self, names: &[&str], seconds: u64, error: &ExchangeError) -> usize {
        let mut tries = 0;
        for _ in 0..seconds * 10 {
            for (id, to) in gossips(&self.pass_tenth()) {
                let result = if names.iter().any(|name| url(name) == to) {
                    tries += 1;
                    Err(error.clone())
                } else {
                    Ok(self.nod(&to))
                };
                self.core.handle_response(self.now, id, result);
            }
        }
        tries
    }

    /// The answer of a server that has nothing to say.
    fn nod(&self, from: &ServerUrl) -> Message {
        let known = self.core.members().get(from).map(|member| member.entry.clone());
        known.map_or_else(Message::default, |entry| Message::new_v2(entry, None, Envelope::default()))
    }

    /// Lets a few seconds pass in which every exchange succeeds: rumours of what was met are told.
    fn settle(&mut self) {
        self.fail_probes(&[], 5, &ExchangeError::TimedOut);
    }

    /// A message of a server of ours, which says these things of others. Returns the answer.
    fn hear_ours(&mut self, from: &Entry, others: Vec<Entry>, envelope: Envelope) -> Message {
        self.core.handle_gossip(self.now, &Message::new_v2(from.clone(), others, envelope))
    }

    /// The same as an answer.
    fn answered(&mut self, id: RequestId, from: &Entry, others: Vec<Entry>, envelope: Envelope) {
        self.core.handle_response(self.now, id, Ok(Message::new_v2(from.clone(), others, envelope)));
    }

    /// What is sent until one message fits.
    fn sent_until(&mut self, fits: impl Fn(&Message) -> bool) -> (RequestId, ServerUrl, Message) {
        for _ in 0..3_000 {
            for action in self.pass_tenth() {
                if let Action::Gossip { id, to, message, .. } = action
                    && fits(&message)
                {
                    return (id, to, Message::clone(&message));
                }
            }
        }
        panic!("no such message within five minutes");
    }

    fn pass_tenth(&mut self) -> Vec<Action> {
        self.now.mono += Duration::from_millis(100);
        self.now.wall += 100;
        self.core.handle_heartbeat(self.now);
        self.core.handle_timeout(self.now);
        self.actions()
    }

    /// Waits for the next gossip to go out.
    fn next_gossip(&mut self) -> RequestId {
        let sent = std::iter::repeat_with(|| gossips(&self.pass_tenth())).find(|sent| !sent.is_empty());
        sent.expect("rounds never end")[0].0
    }

    /// A server that has answered once, so that it is not excused as starting.
    fn meet(&mut self, name: &str, incarnation: Option<u64>) {
        self.hear(vec![entry(name, ONLINE, self.now.wall, incarnation)]);
        self.core.members.on_response(&url(name), self.now);
    }
}

fn gossips(actions: &[Action]) -> Vec<(RequestId, ServerUrl)> {
    let gossip = |action: &Action| match action {
        Action::Gossip { id, to, .. } => Some((*id, to.clone())),
        Action::SyncList { .. } | Action::SaveState(_) => None,
    };
    actions.iter().filter_map(gossip).collect()
}

fn sync_of(action: &Action) -> Option<RequestId> {
    if let Action::SyncList { id, .. } = action { Some(*id) } else { None }
}

fn place_of(action: &Action) -> Option<ListIndex> {
    if let Action::SyncList { list, .. } = action { Some(*list) } else { None }
}

fn syncs(actions: &[Action]) -> Vec<bool> {
    let sync = |action: &Action| match action {
        Action::SyncList { write, .. } => Some(*write),
        Action::Gossip { .. } | Action::SaveState(_) => None,
    };
    actions.iter().filter_map(sync).collect()
}
