//! Tests of the core: the server under test with its clock, and helpers for all test files.

mod accept;
mod admission;
mod bootstrap;
mod broadcast;
mod clock_check;
mod cluster;
mod detector;
mod exchange;
mod failure;
mod forget;
mod freshness;
mod helpers;
mod isolated;
mod late_timer;
mod legacy;
mod lifecycle;
mod local;
mod master_list;
mod member_limit;
mod names;
mod parts;
mod ready;
mod repair;
mod resolved;
mod saved_state;
mod seeds;
mod self_probe;
mod tags;
mod verify;
mod watch;

use std::collections::{BTreeSet, VecDeque};

use super::*;
use crate::clock::HOUR;
use crate::config::ListSettings;
use crate::membership::Source;
use crate::membership::tests::{WALL, at, entry, url};
use crate::message::{EntryV2, Envelope, Extensions};

const OFFLINE: State = State::Offline;
const ONLINE: State = State::Online;

fn list(name: &str) -> ListSettings {
    ListSettings { name: name.into(), is_written: true }
}

fn settings(name: &str) -> Settings {
    Settings { lists: vec![list("the list")], ..Settings::new(url(name)) }
}

/// An offline entry with a reason and its author.
fn offline(name: &str, stamp: u64, incarnation: u64, reason: Reason, author: &str) -> Entry {
    let v2 = EntryV2 {
        incarnation,
        instance: 1,
        reason: Some(reason),
        author: Some(url(author)),
        extensions: Extensions::default(),
    };
    Entry { v2: Some(v2), ..entry(name, OFFLINE, stamp, None) }
}

/// A failure reported by the server `x`.
fn failed(name: &str, stamp: u64, incarnation: u64) -> Entry {
    offline(name, stamp, incarnation, Reason::Failed, "x")
}

/// The entry of a server that reports another.
fn reporter() -> Entry {
    entry("reporter", ONLINE, WALL, Some(1))
}

fn refused() -> ExchangeError {
    ExchangeError::Refused("refused".into())
}

/// One server under test, and its clock.
struct Server {
    core: Core,
    now: Now,
    // The last request to read a master list.
    list_request: RequestId,
}

impl Server {
    fn new(name: &str) -> Self {
        Self::with_settings(&settings(name))
    }

    fn with_settings(settings: &Settings) -> Self {
        Self { core: Core::new(settings, at(0), 7), now: at(0), list_request: 0 }
    }

    /// Runs while the event loop turns. Returns the actions of that time.
    fn run(&mut self, seconds: u64) -> Vec<Action> {
        let mut actions = self.take_actions();
        for _ in 0..seconds * 10 {
            actions.extend(self.tick());
        }
        actions
    }

    /// Runs while the event loop is blocked: without heartbeats.
    fn run_stalled(&mut self, seconds: u64) -> Vec<Action> {
        let mut actions = self.take_actions();
        for _ in 0..seconds * 10 {
            self.advance(100);
            self.core.handle_timeout(self.now);
            actions.extend(self.take_actions());
        }
        actions
    }

    /// Runs for 100 ms.
    fn tick(&mut self) -> Vec<Action> {
        self.advance(100);
        self.core.handle_heartbeat(self.now);
        self.core.handle_timeout(self.now);
        self.take_actions()
    }

    /// Advances the clock without calling the core.
    fn advance(&mut self, millis: u64) {
        self.now.mono += Duration::from_millis(millis);
        self.now.wall += millis;
    }

    /// Runs while every exchange with one server is refused and every other succeeds. Returns the number of refused
    /// ones.
    fn run_with_refusals(&mut self, name: &str, seconds: u64) -> usize {
        self.run_with_failures(&[name], seconds, &refused())
    }

    /// Runs while every exchange with these servers fails and every other succeeds. Returns the number of failed ones.
    fn run_with_failures(&mut self, names: &[&str], seconds: u64, error: &ExchangeError) -> usize {
        let mut failures = 0;
        for _ in 0..seconds * 10 {
            for (id, to) in gossip_requests(&self.tick()) {
                if names.iter().any(|name| url(name) == to) {
                    failures += 1;
                    self.fail(id, error.clone());
                } else {
                    self.respond(id, self.empty_answer_of(&to));
                }
            }
        }
        failures
    }

    /// Runs for a few seconds in which every exchange succeeds, so that no update waits.
    fn finish_broadcasts(&mut self) {
        self.run_with_failures(&[], 5, &ExchangeError::TimedOut);
    }

    fn take_actions(&mut self) -> Vec<Action> {
        let actions: Vec<_> = std::iter::from_fn(|| self.core.poll_action()).collect();
        if let Some(id) = actions.iter().rev().find_map(list_request_of) {
            self.list_request = id;
        }
        actions
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.core.poll_event()).collect()
    }

    /// Waits for the next gossip message that matches.
    fn next_message(&mut self, fits: impl Fn(&Message) -> bool) -> (RequestId, ServerUrl, Message) {
        for _ in 0..3_000 {
            for action in self.tick() {
                if let Action::Gossip { id, to, message, .. } = action
                    && fits(&message)
                {
                    return (id, to, Message::clone(&message));
                }
            }
        }
        panic!("no such message within five minutes");
    }

    /// Waits for the next exchange.
    fn next_exchange(&mut self) -> RequestId {
        let sent = std::iter::repeat_with(|| gossip_requests(&self.tick())).find(|sent| !sent.is_empty());
        sent.expect("rounds never end")[0].0
    }

    /// Ends the current read of the master list. Returns the list to write.
    fn on_list_read(&mut self, list: Result<Message, String>) -> Option<Message> {
        self.core.handle_list_read(self.now, self.list_request, list.map(Some))
    }

    /// Ends it with the result that the list has not changed.
    fn on_unchanged_list_read(&mut self, listed: &[Entry], if_changed: bool) -> Option<Message> {
        let list = (!if_changed).then(|| Message::new(listed.to_vec()));
        self.core.handle_list_read(self.now, self.list_request, Ok(list))
    }

    fn on_list_written(&mut self) {
        self.core.handle_list_written(self.now, self.list_request, Ok(true));
    }

    /// Updates a master list that has these entries. Returns the servers in it afterwards.
    fn update_list(&mut self, listed: Vec<Entry>) -> Vec<ServerUrl> {
        self.start_list_updates();
        self.take_actions();
        let written = self.on_list_read(Ok(Message::new(listed.clone())));
        if written.is_some() {
            self.on_list_written();
        }
        written.map_or(listed, |written| written.entries).into_iter().map(|entry| entry.url).collect()
    }

    fn start_list_updates(&mut self) {
        let Core { discovery, members, out, .. } = &mut self.core;
        discovery.lists.update_last(members, self.now, out);
    }

    /// Leaves without having been found at the base URL, where nothing answers.
    fn leave_unfound(&mut self) {
        self.core.handle_leave(self.now);
        for (id, _) in gossip_requests(&self.take_actions()) {
            self.fail(id, refused());
        }
    }

    /// Receives a version 1 message.
    fn receive_v1(&mut self, entries: Vec<Entry>) {
        self.core.handle_gossip(self.now, &Message::new(entries));
    }

    /// Receives a protocol 2 message with entries of other servers, from a server that was reached before. Returns the
    /// answer.
    fn receive_v2(&mut self, from: &Entry, others: Vec<Entry>) -> Message {
        self.receive_v2_with(from, others, Envelope::default())
    }

    fn receive_v2_with(&mut self, from: &Entry, others: Vec<Entry>, envelope: Envelope) -> Message {
        self.learn(from);
        self.core.handle_gossip(self.now, &Message::new_v2(from.clone(), others, envelope))
    }

    /// Lists a server that another one has reached, unless it is known.
    fn learn(&mut self, entry: &Entry) {
        if self.core.members().get(&entry.url).is_none() {
            let mut learned = entries::Learned::default();
            self.core.merge_entry(entry, Source::ThirdParty, &mut learned, self.now);
            self.core.broadcast_all(learned.to_broadcast, self.now);
        }
    }

    /// Ends an exchange with a failure.
    fn fail(&mut self, id: RequestId, error: ExchangeError) {
        self.core.handle_response(self.now, id, Err(error));
    }

    /// Ends an exchange with a response.
    fn respond(&mut self, id: RequestId, response: Message) {
        self.core.handle_response(self.now, id, Ok(response));
    }

    /// Ends an exchange with a protocol 2 response.
    fn respond_v2(&mut self, id: RequestId, from: &Entry, others: Vec<Entry>) {
        self.respond(id, Message::new_v2(from.clone(), others, Envelope::default()));
    }

    /// The answer of a server that sends only its own entry.
    fn empty_answer_of(&self, from: &ServerUrl) -> Message {
        let known = self.core.members().get(from).map(|member| member.entry.clone());
        known.map_or_else(Message::default, |entry| Message::new_v2(entry, None, Envelope::default()))
    }

    /// Adds a server that has answered once, so that it has no startup grace.
    fn add_member(&mut self, name: &str, incarnation: Option<u64>) {
        self.receive_v1(vec![entry(name, ONLINE, self.now.wall, incarnation)]);
        self.core.members.on_response(&url(name), None, self.now);
    }

    fn own_entry(&self) -> &Entry {
        self.core.own()
    }

    fn incarnation(&self) -> Option<u64> {
        self.own_entry().v2.as_ref().map(|v2| v2.incarnation)
    }

    /// The listed reason for which a server is offline.
    fn reason(&self) -> Option<Reason> {
        self.own_entry().v2.as_ref().and_then(|v2| v2.reason)
    }

    fn entry_of(&self, url: &ServerUrl) -> Entry {
        self.core.members().get(url).expect("listed").entry.clone()
    }

    fn state_of(&self, name: &str) -> Option<State> {
        self.core.members().state(&url(name))
    }
}

/// The exchanges that these actions begin, and their receivers.
fn gossip_requests(actions: &[Action]) -> Vec<(RequestId, ServerUrl)> {
    let request = |action: &Action| match action {
        Action::Gossip { id, to, .. } => Some((*id, to.clone())),
        _ => None,
    };
    actions.iter().filter_map(request).collect()
}

/// For each read of a master list, whether the list may be written then.
fn list_requests(actions: &[Action]) -> Vec<bool> {
    let request = |action: &Action| match action {
        Action::SyncList { write, .. } => Some(*write),
        _ => None,
    };
    actions.iter().filter_map(request).collect()
}

fn list_request_of(action: &Action) -> Option<RequestId> {
    if let Action::SyncList { id, .. } = action { Some(*id) } else { None }
}
