//! The policy of version 1.0.0, the TypeScript package, with its defects, written from a description of its behaviour.
//!
//! It takes the same inputs and returns the same actions as the core.

mod list;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use clustershazbot::clock::Now;
use clustershazbot::config::Settings;
use clustershazbot::message::{Entry, Message, ServerUrl, State};
use clustershazbot::protocol::{Action, Event, ExchangeError, MemberEvent, MemberEventKind, RequestId};
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};

pub use list::json_length;

use list::List;

const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// How many random servers a start and a shutdown are announced to, in addition to all monitors.
const ANNOUNCED_TO: usize = 20;
const RETRY_AFTER: Duration = Duration::from_secs(3);
/// After how long an offline entry is removed, in ms.
const OFFLINE_TTL: u64 = 24 * 3_600_000;

/// What an exchange is for. It decides what follows from an answer and from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// An announcement: nothing follows from either.
    Announce,
    /// The gossip of a round: a failure leads to a retry.
    Gossip,
    /// The retry: a failure moves the server to the offline list.
    Retry,
}

/// Why the master list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListPurpose {
    /// The server starts.
    Start,
    /// The server adds itself to the list.
    Update,
}

/// A server of version 1.
#[derive(Clone, Debug)]
pub struct V1 {
    settings: Settings,
    online: List,
    offline: List,
    // Whether its own entry in the offline list is the object that it stamps: after a drain or a shutdown.
    is_drained: bool,
    is_leaving: bool,
    exchanges: BTreeMap<RequestId, (ServerUrl, Purpose)>,
    retries: Vec<(Duration, ServerUrl)>,
    next_round: Option<Duration>,
    next_list: Option<Duration>,
    list_purpose: ListPurpose,
    next_id: RequestId,
    rng: SmallRng,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

impl V1 {
    /// A server that starts now.
    pub fn new(settings: Settings, now: Now, seed: u64) -> Self {
        let mut it = Self {
            settings,
            online: List::default(),
            offline: List::default(),
            is_drained: false,
            is_leaving: false,
            exchanges: BTreeMap::new(),
            retries: Vec::new(),
            next_round: None,
            next_list: None,
            list_purpose: ListPurpose::Start,
            next_id: 0,
            rng: SmallRng::seed_from_u64(seed),
            actions: VecDeque::new(),
            events: VecDeque::new(),
        };
        it.stamp_own(now);
        it.read_list();
        it
    }

    /// Begins its random numbers anew.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = SmallRng::seed_from_u64(seed);
    }

    /// Gives it the list of a cluster that has run for a while.
    pub fn adopt(&mut self, entries: &[Entry], now: Now) {
        self.merge(entries);
        self.stamp_own(now);
    }

    /// The next action to carry out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next event that has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When it wants to be called next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.retries.iter().map(|(at, _)| *at).chain(self.next_round).chain(self.next_list).min()
    }

    /// What it lists about a server. A server in both lists counts as online.
    pub fn entry(&self, url: &ServerUrl) -> Option<&Entry> {
        self.online.get(url).or_else(|| self.offline.get(url))
    }

    /// Both its lists.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.online.entries().iter().chain(self.offline.entries())
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.next_round.is_some_and(|at| at <= now.mono) {
            self.gossip_round(now);
        }
        if self.next_list.is_some_and(|at| at <= now.mono) {
            self.next_list = None;
            self.list_purpose = ListPurpose::Update;
            self.read_list();
        }
        let (due, waiting) = std::mem::take(&mut self.retries).into_iter().partition(|(at, _)| *at <= now.mono);
        self.retries = waiting;
        for (_, to) in due {
            self.stamp_own(now);
            self.send(to, Purpose::Retry);
        }
    }

    /// A peer's message. Returns the answer.
    pub fn handle_gossip(&mut self, now: Now, message: &Message) -> Message {
        self.merge(message.lists());
        self.stamp_own(now);
        self.message()
    }

    /// The outcome of an exchange.
    pub fn handle_response(&mut self, now: Now, id: RequestId, answer: Result<Message, ExchangeError>) {
        let Some((to, purpose)) = self.exchanges.remove(&id) else { return };
        match (purpose, answer) {
            (Purpose::Gossip | Purpose::Retry, Ok(message)) => self.merge(message.lists()),
            (Purpose::Gossip, Err(_)) => self.retries.push((now.mono + RETRY_AFTER, to)),
            (Purpose::Retry, Err(_)) => self.move_offline(&to, now),
            (Purpose::Announce, _) => {}
        }
        if self.is_leaving && self.exchanges.is_empty() {
            self.events.push_back(Event::Left);
        }
    }

    /// A control request. It is not announced, and the next gossip undoes it.
    pub fn handle_control(&mut self, now: Now, online: bool) {
        if online {
            self.is_drained = false;
            self.offline.remove(&self.settings.base_url);
            self.stamp_own(now);
        } else {
            self.drain(now);
        }
    }

    /// The program shuts down.
    pub fn handle_leave(&mut self, now: Now) {
        if self.is_leaving {
            return;
        }
        self.drain(now);
        self.is_leaving = true;
        (self.next_round, self.next_list) = (None, None);
        self.retries.clear();
        self.exchanges.clear();
        self.announce();
        if self.exchanges.is_empty() {
            self.events.push_back(Event::Left);
        }
    }

    /// The master list, or why it could not be read. Returns the list to write.
    pub fn handle_list_read(&mut self, now: Now, list: Result<Message, String>) -> Option<Message> {
        // A failed read changes nothing in what follows: an update then overwrites the list with fewer entries.
        if let Ok(list) = list {
            self.merge(&list.entries);
        }
        if self.is_leaving {
            return None;
        }
        match self.list_purpose {
            ListPurpose::Start => {
                self.stamp_own(now);
                self.announce();
                self.schedule_round(now);
                self.schedule_list(now);
                None
            }
            ListPurpose::Update => {
                self.stamp_own(now);
                self.schedule_list(now);
                Some(Message::new(self.online.entries().to_vec()))
            }
        }
    }

    // The newest entry wins, except where a branch says otherwise. The result depends on the order of messages.
    fn merge(&mut self, entries: &[Entry]) {
        for entry in entries {
            let known = self.online.get_mut(&entry.url);
            match (entry.state, known) {
                (State::Online, Some(known)) => {
                    if entry.stamp > known.stamp {
                        *known = entry.clone();
                    }
                }
                (State::Online, None) => {
                    // Removed even if the offline entry is much newer.
                    self.offline.remove(&entry.url);
                    self.is_drained &= entry.url != self.settings.base_url;
                    self.online.insert(entry.clone());
                    self.report_change(&entry.url, false);
                }
                (State::Offline, Some(known)) if known.stamp > entry.stamp => {}
                (State::Offline, known) => {
                    let was_online = known.is_some();
                    self.online.remove(&entry.url);
                    if self.offline.get(&entry.url).is_none_or(|known| known.stamp <= entry.stamp) {
                        self.offline.insert(entry.clone());
                    }
                    self.report_change(&entry.url, was_online);
                }
            }
        }
    }

    // Stamps its own entry in whichever list it is, and adds it to the online list. An offline entry that a peer made is
    // removed only if it is older.
    fn stamp_own(&mut self, now: Now) {
        let url = self.settings.base_url.clone();
        let monitor = self.settings.monitor;
        let own = Entry { url: url.clone(), monitor, state: State::Online, stamp: now.wall, v2: None };
        let was_online = self.online.contains(&url);
        self.online.insert(own);
        if self.is_drained {
            if let Some(offline) = self.offline.get_mut(&url) {
                offline.stamp = now.wall;
            }
        } else if self.offline.get(&url).is_some_and(|offline| offline.stamp < now.wall) {
            self.offline.remove(&url);
        }
        self.report_change(&url, was_online);
    }

    fn drain(&mut self, now: Now) {
        let url = self.settings.base_url.clone();
        self.stamp_own(now);
        self.move_offline(&url, now);
        self.is_drained = true;
    }

    // An entry that is stamped in the future cannot be moved.
    fn move_offline(&mut self, url: &ServerUrl, now: Now) {
        if self.online.get(url).is_some_and(|entry| entry.stamp <= now.wall)
            && let Some(entry) = self.online.remove(url)
        {
            self.offline.insert(Entry { state: State::Offline, stamp: now.wall, ..entry });
            self.report_change(url, true);
        }
    }

    fn report_change(&mut self, url: &ServerUrl, was_online: bool) {
        let (kind, entry) = match (was_online, self.online.get(url)) {
            (false, Some(entry)) => (MemberEventKind::Online, Some(entry)),
            (true, None) => (MemberEventKind::Offline, self.offline.get(url)),
            (true, Some(_)) | (false, None) => return,
        };
        let event = |entry: &Entry| MemberEvent { kind, entry: entry.clone(), failure: None, at: 0, known_after: 0 };
        self.events.extend(entry.map(event).map(Event::Member));
    }

    fn gossip_round(&mut self, now: Now) {
        self.schedule_round(now);
        self.offline.retain(|entry| entry.stamp + OFFLINE_TTL >= now.wall);
        self.stamp_own(now);
        let own = &self.settings.base_url;
        let others = self.online.entries().len() - usize::from(self.online.contains(own));
        if others > 0 {
            let chosen = self.rng.random_range(0..others);
            if let Some(to) =
                self.online.entries().iter().map(|entry| &entry.url).filter(|url| *url != own).nth(chosen).cloned()
            {
                self.send(to, Purpose::Gossip);
            }
        }
    }

    fn announce(&mut self) {
        let others = self.online.entries().iter().filter(|entry| entry.url != self.settings.base_url);
        let (monitors, others): (Vec<_>, Vec<_>) = others.cloned().partition(|entry| entry.monitor);
        for to in monitors.into_iter().chain(others.into_iter().sample(&mut self.rng, ANNOUNCED_TO)) {
            self.send(to.url, Purpose::Announce);
        }
    }

    fn send(&mut self, to: ServerUrl, purpose: Purpose) {
        self.next_id += 1;
        let (id, message) = (self.next_id, Arc::new(self.message()));
        self.actions.push_back(Action::Gossip {
            id,
            to: to.clone(),
            message,
            timeout: EXCHANGE_TIMEOUT,
            new_connection: false,
        });
        self.exchanges.insert(id, (to, purpose));
    }

    fn read_list(&mut self) {
        self.next_id += 1;
        let write = self.list_purpose == ListPurpose::Update;
        let (id, timeout) = (self.next_id, LIST_TIMEOUT);
        self.actions.push_back(Action::SyncList { id, list: 0, write, if_changed: false, timeout });
    }

    fn message(&self) -> Message {
        Message::new(self.entries().cloned().collect())
    }

    fn schedule_round(&mut self, now: Now) {
        let wait = self.settings.interval.mul_f64(self.rng.random_range(0.9..1.1));
        self.next_round = Some(now.mono + wait);
    }

    fn schedule_list(&mut self, now: Now) {
        let more = self.settings.announce_interval.mul_f64(self.rng.random_range(0.0..1.0));
        self.next_list = Some(now.mono + self.settings.announce_minimum + more);
    }
}

#[cfg(test)]
mod tests;
