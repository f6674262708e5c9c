//! A server of version 1.0.0, the TypeScript package: its policy with its defects, written from a description of what it
//! does. It asks for the same actions as the core and is driven the same way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};

use super::list::List;
use clustershazbot::clock::Now;
use clustershazbot::config::Settings;
use clustershazbot::message::{Entry, Message, ServerUrl, State};
use clustershazbot::protocol::{Action, Event as CoreEvent, ExchangeError, MemberEvent, MemberEventKind, RequestId};

const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// How many random servers a bootstrap and a shutdown go to, besides all monitors.
const TOLD: usize = 20;
const RETRY_AFTER: Duration = Duration::from_secs(3);
/// After how long an offline entry is forgotten, ms.
const OFFLINE_LIFE: u64 = 24 * 3_600_000;

/// What a failure of an exchange leads to, and an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Nothing, either of them.
    Tell,
    /// A second try.
    First,
    /// The server is moved to offline.
    Second,
}

/// Why the list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Start,
    Announce,
}

/// A server of version 1.
#[derive(Debug)]
pub struct V1 {
    settings: Settings,
    online: List,
    offline: List,
    // Its own offline entry is the object that it stamps, because it was drained or shuts down.
    is_drained: bool,
    is_leaving: bool,
    exchanges: BTreeMap<RequestId, (ServerUrl, Purpose)>,
    retries: Vec<(Duration, ServerUrl)>,
    next_round: Option<Duration>,
    next_list: Option<Duration>,
    reading: Reading,
    next_id: RequestId,
    rng: SmallRng,
    actions: VecDeque<Action>,
    notices: VecDeque<CoreEvent>,
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
            reading: Reading::Start,
            next_id: 0,
            rng: SmallRng::seed_from_u64(seed),
            actions: VecDeque::new(),
            notices: VecDeque::new(),
        };
        it.stamp_own(now);
        it.read_list();
        it
    }

    /// Gives it the list of a cluster that has run for a while.
    pub fn adopt(&mut self, entries: &[Entry], now: Now) {
        self.merge(entries);
        self.stamp_own(now);
    }

    /// Something to carry out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Something that happened.
    pub fn poll_event(&mut self) -> Option<CoreEvent> {
        self.notices.pop_front()
    }

    /// When it wants to be called next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.retries.iter().map(|(at, _)| *at).chain(self.next_round).chain(self.next_list).min()
    }

    /// What it lists of a server: one that stands in both lists is online to whoever asks.
    pub fn entry(&self, url: &ServerUrl) -> Option<&Entry> {
        self.online.get(url).or_else(|| self.offline.get(url))
    }

    /// Both its lists.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.online.entries().iter().chain(self.offline.entries())
    }

    /// What time has brought.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.next_round.is_some_and(|at| at <= now.mono) {
            self.round(now);
        }
        if self.next_list.is_some_and(|at| at <= now.mono) {
            self.next_list = None;
            self.reading = Reading::Announce;
            self.read_list();
        }
        let (due, waiting) = std::mem::take(&mut self.retries).into_iter().partition(|(at, _)| *at <= now.mono);
        self.retries = waiting;
        for (_, to) in due {
            self.stamp_own(now);
            self.send(to, Purpose::Second);
        }
    }

    /// A peer's message; returns the answer.
    pub fn handle_gossip(&mut self, now: Now, message: &Message) -> Message {
        self.merge(message.lists());
        self.stamp_own(now);
        self.message()
    }

    /// The outcome of an exchange.
    pub fn handle_response(&mut self, now: Now, id: RequestId, answer: Result<Message, ExchangeError>) {
        let Some((to, purpose)) = self.exchanges.remove(&id) else { return };
        match (purpose, answer) {
            (Purpose::First | Purpose::Second, Ok(message)) => self.merge(message.lists()),
            (Purpose::First, Err(_)) => self.retries.push((now.mono + RETRY_AFTER, to)),
            (Purpose::Second, Err(_)) => self.move_offline(&to, now),
            (Purpose::Tell, _) => {}
        }
        if self.is_leaving && self.exchanges.is_empty() {
            self.notices.push_back(CoreEvent::Left);
        }
    }

    /// A control request. Nobody is told, and the next gossip undoes it.
    pub fn handle_control(&mut self, now: Now, online: bool) {
        if online {
            self.is_drained = false;
            self.offline.remove(&self.settings.base_url);
            self.stamp_own(now);
        } else {
            self.take_own_off(now);
        }
    }

    /// The program shuts down.
    pub fn handle_leave(&mut self, now: Now) {
        if self.is_leaving {
            return;
        }
        self.take_own_off(now);
        self.is_leaving = true;
        (self.next_round, self.next_list) = (None, None);
        self.retries.clear();
        self.exchanges.clear();
        self.tell_targets();
        if self.exchanges.is_empty() {
            self.notices.push_back(CoreEvent::Left);
        }
    }

    /// The master list, or why there is none; returns what to write.
    pub fn handle_list_read(&mut self, now: Now, list: Result<Message, String>) -> Option<Message> {
        // A failed read is logged, and what follows it follows all the same: an upload then truncates the list.
        if let Ok(list) = list {
            self.merge(&list.entries);
        }
        if self.is_leaving {
            return None;
        }
        match self.reading {
            Reading::Start => {
                self.stamp_own(now);
                self.tell_targets();
                self.schedule_round(now);
                self.schedule_list(now);
                None
            }
            Reading::Announce => {
                self.stamp_own(now);
                self.schedule_list(now);
                Some(Message::new(self.online.entries().to_vec()))
            }
        }
    }

    // Newest wins, but for what each branch says; nothing of it commutes.
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
                    // However much newer the offline entry is.
                    self.offline.remove(&entry.url);
                    self.is_drained &= entry.url != self.settings.base_url;
                    self.online.put(entry.clone());
                    self.note(&entry.url, false);
                }
                (State::Offline, Some(known)) if known.stamp > entry.stamp => {}
                (State::Offline, known) => {
                    let was = known.is_some();
                    self.online.remove(&entry.url);
                    if self.offline.get(&entry.url).is_none_or(|known| known.stamp <= entry.stamp) {
                        self.offline.put(entry.clone());
                    }
                    self.note(&entry.url, was);
                }
            }
        }
    }

    // The object is stamped wherever it is, and put among the online. An offline entry of it that a peer made goes only
    // when it is older.
    fn stamp_own(&mut self, now: Now) {
        let url = self.settings.base_url.clone();
        let monitor = self.settings.monitor;
        let own = Entry { url: url.clone(), monitor, state: State::Online, stamp: now.wall, v2: None };
        let was = self.online.contains(&url);
        self.online.put(own);
        if self.is_drained {
            if let Some(offline) = self.offline.get_mut(&url) {
                offline.stamp = now.wall;
            }
        } else if self.offline.get(&url).is_some_and(|offline| offline.stamp < now.wall) {
            self.offline.remove(&url);
        }
        self.note(&url, was);
    }

    fn take_own_off(&mut self, now: Now) {
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
            self.offline.put(Entry { state: State::Offline, stamp: now.wall, ..entry });
            self.note(url, true);
        }
    }

    fn note(&mut self, url: &ServerUrl, was: bool) {
        match (was, self.online.contains(url)) {
            (false, true) => self.became(MemberEventKind::Online, self.online.get(url).cloned()),
            (true, false) => self.became(MemberEventKind::Offline, self.offline.get(url).cloned()),
            (true, true) | (false, false) => {}
        }
    }

    fn became(&mut self, kind: MemberEventKind, entry: Option<Entry>) {
        let event = |entry| CoreEvent::Member(MemberEvent { kind, entry, at: 0, known_after: 0 });
        self.notices.extend(entry.map(event));
    }

    fn round(&mut self, now: Now) {
        self.schedule_round(now);
        self.offline.retain(|entry| entry.stamp + OFFLINE_LIFE >= now.wall);
        self.stamp_own(now);
        let own = &self.settings.base_url;
        let others = self.online.entries().len() - usize::from(self.online.contains(own));
        if others > 0 {
            let chosen = self.rng.random_range(0..others);
            if let Some(to) =
                self.online.entries().iter().map(|entry| &entry.url).filter(|url| *url != own).nth(chosen).cloned()
            {
                self.send(to, Purpose::First);
            }
        }
    }

    fn tell_targets(&mut self) {
        let others = self.online.entries().iter().filter(|entry| entry.url != self.settings.base_url);
        let (monitors, others): (Vec<_>, Vec<_>) = others.cloned().partition(|entry| entry.monitor);
        for to in monitors.into_iter().chain(others.into_iter().sample(&mut self.rng, TOLD)) {
            self.send(to.url, Purpose::Tell);
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
        let write = self.reading == Reading::Announce;
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
mod tests {
    use super::*;
    use crate::cluster::settings;

    fn at(ms: u64) -> Now {
        Now { mono: Duration::from_millis(ms), wall: 1_800_000_000_000 + ms }
    }

    fn url(server: usize) -> ServerUrl {
        settings(server, Duration::from_secs(30)).expect("valid").base_url
    }

    fn v1(server: usize) -> V1 {
        V1::new(settings(server, Duration::from_secs(30)).expect("valid"), at(0), 1)
    }

    fn entry(server: usize, state: State, stamp: u64) -> Entry {
        Entry { url: url(server), monitor: false, state, stamp: at(stamp).wall, v2: None }
    }

    fn hear(v1: &mut V1, now: u64, entries: Vec<Entry>) -> Vec<(ServerUrl, State, u64)> {
        let answer = v1.handle_gossip(at(now), &Message::new(entries));
        answer.entries.into_iter().map(|entry| (entry.url, entry.state, entry.stamp - at(0).wall)).collect()
    }

    #[test]
    fn a_stale_online_entry_erases_a_newer_offline_one() {
        let mut it = v1(0);
        let lists = hear(&mut it, 10, vec![entry(1, State::Online, 1), entry(1, State::Offline, 9)]);
        assert_eq!(lists, [(url(0), State::Online, 10), (url(1), State::Offline, 9)]);
        let lists = hear(&mut it, 11, vec![entry(1, State::Online, 2)]);
        assert_eq!(lists, [(url(0), State::Online, 11), (url(1), State::Online, 2)]);
    }

    #[test]
    fn a_drained_server_that_is_gossiped_with_stands_in_both_lists_with_equal_stamps() {
        let mut it = v1(0);
        it.handle_control(at(5), false);
        assert_eq!(it.entry(&url(0)).map(|own| own.state), Some(State::Offline));
        assert_eq!(hear(&mut it, 9, vec![]), [(url(0), State::Online, 9), (url(0), State::Offline, 9)]);
    }

    #[test]
    fn a_server_called_offline_by_a_fast_clock_stands_in_both_lists_until_its_own_has_caught_up() {
        let mut it = v1(0);
        let both = hear(&mut it, 10, vec![entry(0, State::Offline, 100)]);
        assert_eq!(both, [(url(0), State::Online, 10), (url(0), State::Offline, 100)]);
        assert_eq!(hear(&mut it, 101, vec![]), [(url(0), State::Online, 101)]);
    }

    #[test]
    fn an_entry_stamped_in_the_future_cannot_be_moved_offline() {
        let mut it = v1(0);
        hear(&mut it, 10, vec![entry(1, State::Online, 100)]);
        it.move_offline(&url(1), at(50));
        assert_eq!(it.entry(&url(1)).map(|it| it.state), Some(State::Online));
        it.move_offline(&url(1), at(100));
        assert_eq!(it.entry(&url(1)).map(|it| it.state), Some(State::Offline));
    }
}
