//! The master list: where a new server begins, and where each says that it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;
use rand::seq::IteratorRandom;

use super::detector::GRACE;
use super::event::{Action, Id, Notice};
use super::exchange::Purpose;
use super::timer::Timer;
use super::{Core, Phase};
use crate::clock::Now;
use crate::membership::{number, supersedes};
use crate::message::{Entry, Message, ServerUrl, State};

/// After how long reading or writing the list has failed (v1's number); half of it when the program shuts down.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// After how many failures a seed is not tried again, and leaves the list.
const SEED_TRIES: u32 = 2;
/// How many seeds are tried at a time: few, since one that answers names all others; more by one that knows nobody. A
/// thousand servers that start at once bear it.
const SEEDS_AT_A_TIME: usize = 3;
const SEEDS_WHEN_ALONE: usize = 20;
/// Servers that are called back before they are listed, beyond which none is remembered.
const MAX_CANDIDATES: usize = 1_000;
/// After how many failures in a row somebody must look at the list: about half a minute.
const MANY_FAILURES: u32 = 6;
/// Least time between two accesses to the list, whatever is configured.
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// How soon a server that is alone looks at the list again, at least.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Where the waiting between tries of a list that cannot be read ends.
const MAX_BACK_OFF: Duration = Duration::from_secs(60);

/// What is known of the master list.
#[derive(Debug, Default)]
pub struct MasterList {
    // Servers that the list names, or that call themselves alive, and that are not known to be online. They are no members
    // until they answer.
    seeds: BTreeMap<ServerUrl, Seed>,
    rounds_of_seeds: u32,
    write_next: bool,
    // The access under way whose outcome counts.
    current: Option<Id>,
    failures: u32,
    next_announce: Duration,
}

#[derive(Debug)]
struct Seed {
    entry: Entry,
    // Whether the list names it.
    listed: bool,
    failures: u32,
    since: Duration,
}

impl MasterList {
    /// Whether the list is being read or written.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    /// Waits no longer for a read or a write under way.
    pub fn abandon(&mut self) {
        self.current = None;
    }

    /// Notes a server that may be there.
    pub fn add_seed(&mut self, entry: &Entry, now: Now) {
        self.add(entry, true, now);
    }

    /// The same of one that says itself that it is there, or is said to be by a server of version 1.
    pub fn add_candidate(&mut self, entry: &Entry, now: Now) {
        if self.seeds.len() < MAX_CANDIDATES || self.seeds.contains_key(&entry.url) {
            self.add(entry, false, now);
        }
    }

    // A newer life than the last one makes it worth trying anew.
    fn add(&mut self, entry: &Entry, listed: bool, now: Now) {
        let known = self.seeds.get(&entry.url);
        let listed = listed || known.is_some_and(|seed| seed.listed);
        if known.is_none_or(|seed| number(entry) > number(&seed.entry)) {
            let seed = Seed { entry: entry.clone(), listed, failures: 0, since: now.mono };
            self.seeds.insert(entry.url.clone(), seed);
            self.rounds_of_seeds = 0;
        } else if let Some(seed) = self.seeds.get_mut(&entry.url) {
            seed.listed = listed;
        }
    }

    /// A server has answered: it is a member now, by its own word.
    pub fn seed_answered(&mut self, url: &ServerUrl) {
        self.seeds.remove(url);
    }

    /// A server could not be reached.
    pub fn seed_failed(&mut self, url: &ServerUrl) {
        if let Some(seed) = self.seeds.get_mut(url) {
            seed.failures += 1;
        }
    }

    fn forget_candidates(&mut self, now: Now) {
        self.seeds.retain(|_, it| it.listed || it.failures < SEED_TRIES || now.mono < it.since + GRACE);
    }

    // Programs start before they listen: a seed is not given up within its first minute.
    fn is_given_up(&self, url: &ServerUrl, now: Now) -> bool {
        self.seeds.get(url).is_none_or(|seed| seed.failures >= SEED_TRIES && now.mono >= seed.since + GRACE)
    }
}

impl Core {
    pub(super) fn read_list_first(&mut self, now: Now) {
        self.schedule_announce(now);
        self.list.write_next = false;
        self.sync_list();
    }

    pub(super) fn update_list_last(&mut self) {
        self.list.write_next = true;
        self.sync_list();
    }

    pub(super) fn sync_list(&mut self) {
        let timeout = if self.phase == Phase::Leaving { LIST_TIMEOUT / 2 } else { LIST_TIMEOUT };
        self.next_id += 1;
        let id = self.next_id;
        self.list.current = Some(id);
        self.actions.push_back(Action::SyncList { id, write: self.list.write_next, timeout });
    }

    /// What reading the list for [`Action::SyncList`] gave. Returns what is to be written, if anything is.
    pub fn handle_list(&mut self, now: Now, id: Id, list: Result<Message, String>) -> Option<Message> {
        if self.list.current != Some(id) {
            return None;
        }
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                self.list_failed(error, now);
                self.end_bootstrap();
                return None;
            }
        };
        self.report_skipped(&list.skipped);
        let listed: Vec<_> = list.entries.into_iter().filter(|entry| entry.state == State::Online).collect();
        self.add_seeds(&listed, now);
        self.meet_seeds(now);
        if self.list.write_next {
            return Some(self.joined(listed, now));
        }
        let missing = listed.iter().all(|entry| entry.url != self.settings.base_url);
        self.list_done(missing && self.own().state == State::Online, now);
        None
    }

    /// What writing the list for [`Action::SyncList`] gave.
    pub fn handle_list_written(&mut self, now: Now, id: Id, result: Result<(), String>) {
        if self.list.current != Some(id) {
            return;
        }
        match result {
            Ok(()) => {
                self.schedule_announce(now);
                self.list_done(false, now);
            }
            Err(error) => self.list_failed(error, now),
        }
    }

    fn add_seeds(&mut self, listed: &[Entry], now: Now) {
        // Or a list that names others each time would make us remember them all.
        let urls: BTreeSet<_> = listed.iter().map(|entry| &entry.url).collect();
        self.list.seeds.retain(|url, seed| !seed.listed || urls.contains(url));
        for entry in listed {
            let known = self.members.get(&entry.url).map(|member| &member.entry);
            // One that is known to be dead may have started again since.
            if known.is_none_or(|known| known.state == State::Offline && supersedes(entry, known)) {
                self.list.add_seed(entry, now);
            } else {
                self.list.seeds.remove(&entry.url);
            }
        }
        self.list.seeds.remove(&self.settings.base_url);
    }

    // The first contact with what the list names; its end is the end of the bootstrap.
    fn meet_seeds(&mut self, now: Now) {
        if self.phase != Phase::Running {
            return;
        }
        if self.bootstrap.as_ref().is_some_and(BTreeSet::is_empty) {
            let first = self.list.seeds.keys().cloned().sample(&mut self.rng, SEEDS_AT_A_TIME);
            let pending: BTreeSet<_> = first.into_iter().map(|to| self.send(to, Purpose::Contact, now)).collect();
            if pending.is_empty() {
                self.end_bootstrap();
            } else {
                self.bootstrap = Some(pending);
            }
        }
        self.expect_seeds(now);
    }

    /// Has the seeds tried, the first time soon. Leaves a wait that has begun as it is.
    pub(super) fn expect_seeds(&mut self, now: Now) {
        if self.list.rounds_of_seeds == 0 || !self.timers.is_set(Timer::Seeds) {
            self.schedule_seeds(now);
        }
    }

    fn schedule_seeds(&mut self, now: Now) {
        if !self.list.seeds.is_empty() && self.phase == Phase::Running {
            // At first every second, for a program that does not listen yet; then as seldom as gossip.
            let wait = Duration::from_secs(1 << self.list.rounds_of_seeds.min(12)).min(self.settings.interval);
            let wait = wait.mul_f64(self.random_factor(0.9..1.1));
            self.timers.set(Timer::Seeds, now.mono + wait);
        }
    }

    /// Tries some of the seeds that have not answered; all of them by and by while there is nobody else.
    pub(super) fn try_seeds(&mut self, now: Now) {
        self.list.rounds_of_seeds += 1;
        if !self.is_awake(now) {
            self.schedule_seeds(now);
            return;
        }
        let alone = self.members.is_alone(&self.settings.base_url);
        let worth = |seed: &Seed| alone || seed.failures < SEED_TRIES || now.mono < seed.since + GRACE;
        let waiting = self.list.seeds.iter().filter(|(url, seed)| worth(seed) && !self.is_contacting(url));
        let waiting: Vec<_> = waiting.map(|(url, _)| url.clone()).collect();
        let count = if alone { SEEDS_WHEN_ALONE } else { SEEDS_AT_A_TIME };
        for to in waiting.into_iter().sample(&mut self.rng, count) {
            self.send(to, Purpose::Contact, now);
        }
        self.list.forget_candidates(now);
        self.schedule_seeds(now);
    }

    /// Tries one of the seeds that were given up, about as often as one of the dead: while two parts of a cluster were
    /// cut off from each other they may have started anew, and then they know each other from the list alone.
    pub(super) fn try_lost_seed(&mut self, now: Now) {
        let lost = self.list.seeds.keys().filter(|url| self.list.is_given_up(url, now) && !self.is_contacting(url));
        let lost: Vec<_> = lost.cloned().collect();
        let chance = (lost.len() as f64 / self.members.live() as f64).min(1.0);
        // One that is alone goes on with all its seeds anyway.
        if !self.members.is_alone(&self.settings.base_url)
            && self.rng.random_bool(chance)
            && let Some(to) = lost.into_iter().choose(&mut self.rng)
        {
            self.send(to, Purpose::Contact, now);
        }
    }

    // The list as it should be: whoever is online to our knowledge, and whoever the list names that we do not know
    // and have not tried in vain. The dead leave it by that.
    fn joined(&self, listed: Vec<Entry>, now: Now) -> Message {
        let mut entries: Vec<_> = self.members.entries().filter(|it| it.state == State::Online).cloned().collect();
        entries.extend(listed.into_iter().filter(|entry| !self.list.is_given_up(&entry.url, now)));
        Message::new(entries)
    }

    fn list_done(&mut self, missing: bool, now: Now) {
        self.list.current = None;
        self.list.failures = 0;
        if missing {
            let wait = Duration::from_secs(1).mul_f64(self.random_factor(0.5..2.0));
            return self.schedule_list(wait, true, now);
        }
        let announce = self.list.next_announce.saturating_sub(now.mono);
        // Two that started with an empty list may have missed each other.
        let look_again = LOOK_AGAIN.mul_f64(self.random_factor(1.0..2.0));
        if self.members.is_alone(&self.settings.base_url) && look_again < announce {
            self.schedule_list(look_again, false, now);
        } else {
            self.schedule_list(announce, true, now);
        }
    }

    /// Whoever finds itself alone looks whether the list names anybody by now, and does not wait for its next update.
    pub(super) fn look_at_list_if_alone(&mut self, now: Now) {
        if self.members.is_alone(&self.settings.base_url) && !self.list.is_busy() && self.phase == Phase::Running {
            let wait = LOOK_AGAIN.mul_f64(self.random_factor(0.0..1.0));
            if self.timers.set_earlier(Timer::List, now.mono + wait.max(LEAST_WAIT)) {
                self.list.write_next = false;
            }
        }
    }

    fn schedule_announce(&mut self, now: Now) {
        let more = self.settings.announce_interval.mul_f64(self.random_factor(0.0..1.0));
        self.list.next_announce = now.mono + self.settings.announce_minimum + more;
    }

    fn list_failed(&mut self, error: String, now: Now) {
        self.list.current = None;
        self.list.failures += 1;
        if self.list.failures == MANY_FAILURES {
            self.notices.push_back(Notice::ListUnusable(error.clone()));
        }
        self.notices.push_back(Notice::ListFailed(error));
        let wait = Duration::from_secs(1 << self.list.failures.min(12)).min(MAX_BACK_OFF);
        let wait = wait.mul_f64(self.random_factor(0.5..1.0));
        self.schedule_list(wait, self.list.write_next, now);
    }

    fn schedule_list(&mut self, wait: Duration, write: bool, now: Now) {
        self.list.write_next = write;
        match self.phase {
            Phase::Running => self.timers.set(Timer::List, now.mono + wait.max(LEAST_WAIT)),
            Phase::Leaving if self.exchanges.is_empty() => self.finish_leave(),
            Phase::Leaving | Phase::Left => {}
        }
    }
}
