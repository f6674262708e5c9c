//! Servers that may be there: the master lists name them, or they say so themselves. They are no members until they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;

use super::detector::GRACE;
use super::event::{Event, Id, ListIndex};
use super::exchange::{Exchange, Purpose};
use super::timer::Timer;
use super::{Core, Phase, urls};
use crate::clock::Now;
use crate::membership::{TOMBSTONE_TTL, effective_incarnation};
use crate::message::{Entry, ServerUrl};

/// After how many failures a seed is not tried again, and leaves the list.
const TRIES: u32 = 2;
/// How many seeds are tried at a time: few, since one that answers names all others; more by one that knows nobody. A
/// thousand servers that start at once bear it.
const AT_A_TIME: usize = 3;
const AT_A_TIME_ALONE: usize = 20;
/// Who knows nobody goes through all seeds once in 20 s, and has at most so many exchanges with them under way: half of
/// what the engine carries at a time.
const PASS_ALONE: Pass = Pass { wait: Duration::from_millis(250), of: 80, least: 5, most: 64 };
/// Who knows others does it in 5 min, the least time between two updates of the list: then it may leave the dead out.
const PASS: Pass = Pass { wait: Duration::from_secs(1), of: 300, least: AT_A_TIME, most: 20 };
/// Stamps no further apart than this say nothing about which of two servers is more likely to be there: a list is
/// stamped anew once an hour.
const RECENT: u64 = 2 * 3_600_000;
/// Servers that are called back before they are listed, beyond which none is remembered.
const MAX_CANDIDATES: usize = 1_000;

// How fast seeds are tried the first time: each `of`-th of them after each `wait`.
struct Pass {
    wait: Duration,
    of: usize,
    least: usize,
    most: usize,
}

/// Who may be there.
#[derive(Debug, Default)]
pub struct Seeds {
    known: BTreeMap<ServerUrl, Seed>,
    // How often all have been tried.
    rounds: u32,
}

#[derive(Debug)]
struct Seed {
    entry: Entry,
    // Which lists name it.
    listed: BTreeSet<ListIndex>,
    failures: u32,
    since: Duration,
}

/// The first contact with the servers that may be there.
#[derive(Debug, Default)]
pub struct Bootstrap {
    /// Those without an outcome yet.
    pub contacts: BTreeSet<Id>,
    /// Whether anybody has answered.
    pub has_answer: bool,
}

impl Seeds {
    /// Notes a server that a list names.
    pub fn add_listed(&mut self, place: ListIndex, entry: &Entry, now: Now) {
        self.add(entry, now).listed.insert(place);
    }

    /// The same of one that says itself that it is there, is said to be by a server of version 1, or was there once.
    pub fn add_candidate(&mut self, entry: &Entry, now: Now) {
        if self.known.len() < MAX_CANDIDATES || self.known.contains_key(&entry.url) {
            self.add(entry, now);
        }
    }

    // A newer life than the last one makes it worth trying anew.
    fn add(&mut self, entry: &Entry, now: Now) -> &mut Seed {
        let known = self.known.entry(entry.url.clone());
        let seed = known.or_insert_with(|| {
            self.rounds = 0;
            Seed { entry: entry.clone(), listed: BTreeSet::new(), failures: 0, since: now.mono }
        });
        if effective_incarnation(entry) > effective_incarnation(&seed.entry) {
            self.rounds = 0;
            (seed.failures, seed.since) = (0, now.mono);
        }
        if (effective_incarnation(entry), entry.stamp) > (effective_incarnation(&seed.entry), seed.entry.stamp) {
            seed.entry = entry.clone();
        }
        seed
    }

    /// A list does not name others than these, or it would make us remember all that it ever named.
    pub fn keep_listed(&mut self, place: ListIndex, listed: &BTreeMap<&ServerUrl, &Entry>) {
        self.known
            .retain(|url, seed| listed.contains_key(url) || !(seed.listed.remove(&place) && seed.listed.is_empty()));
    }

    /// A server is a member now, or known better than its seed.
    pub fn remove(&mut self, url: &ServerUrl) {
        self.known.remove(url);
    }

    /// A server could not be reached.
    pub fn failed(&mut self, url: &ServerUrl) {
        if let Some(seed) = self.known.get_mut(url) {
            seed.failures += 1;
        }
    }

    fn untried<'a>(&'a self, under_way: &'a BTreeSet<&ServerUrl>) -> impl Iterator<Item = &'a Seed> {
        self.known.values().filter(|seed| seed.failures == 0 && !under_way.contains(&seed.entry.url))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Whether it was tried in vain, or is not known.
    pub fn is_given_up(&self, url: &ServerUrl, now: Now) -> bool {
        self.known.get(url).is_none_or(|seed| seed.is_given_up(now))
    }
}

impl Seed {
    // Programs start before they listen: a seed is not given up within its first minute. But whoever lives is stamped
    // anew once an hour where a list names it; a list that somebody has written by hand may have no stamps.
    fn is_given_up(&self, now: Now) -> bool {
        let stamp = self.entry.stamp;
        let is_old = stamp > 0 && stamp.saturating_add(TOMBSTONE_TTL) < now.wall;
        self.failures > 0 && is_old || !self.is_worth_a_try(now)
    }

    fn is_worth_a_try(&self, now: Now) -> bool {
        self.failures < TRIES || now.mono < self.since + GRACE
    }
}

impl Core {
    /// Has the seeds tried, the first time soon. Leaves a wait that has begun as it is.
    pub(super) fn expect_seeds(&mut self, now: Now) {
        if self.seeds.rounds == 0 || !self.timers.is_set(Timer::Seeds) {
            self.schedule_seeds(now);
        }
    }

    fn schedule_seeds(&mut self, now: Now) {
        if self.seeds.known.is_empty() || self.phase != Phase::Running {
            return;
        }
        let wait = if self.seeds.untried(&under_way(&self.exchanges)).next().is_some() {
            self.pass().wait
        } else {
            // At first every second, for a program that does not listen yet; then as seldom as gossip.
            Duration::from_secs(1 << self.seeds.rounds.min(12)).min(self.settings.interval)
        };
        let wait = wait.mul_f64(self.random_factor(0.9..1.1));
        self.timers.set_earlier(Timer::Seeds, now.mono + wait);
    }

    fn is_alone(&self) -> bool {
        self.members.is_alone(&self.settings.base_url)
    }

    fn pass(&self) -> Pass {
        if self.is_alone() { PASS_ALONE } else { PASS }
    }

    /// Tries some of the seeds that have not answered; all of them by and by while there is nobody else.
    pub(super) fn try_seeds(&mut self, now: Now) {
        if !self.is_awake(now) {
            self.seeds.rounds += 1;
            self.schedule_seeds(now);
            return;
        }
        let (alone, Pass { of, least, most, .. }) = (self.is_alone(), self.pass());
        let under_way = under_way(&self.exchanges);
        let is_first = self.seeds.untried(&under_way).next().is_some();
        let chosen = if is_first {
            let tries = self.exchanges.values().filter(|it| matches!(it.purpose, Purpose::Contact | Purpose::Meet));
            let count = (self.seeds.known.len() / of).clamp(least, most).min(most.saturating_sub(tries.count()));
            choose(self.seeds.untried(&under_way), count, &mut self.rng)
        } else {
            let worth = self.seeds.known.values().filter(|seed| alone || seed.is_worth_a_try(now));
            let waiting = worth.filter(|seed| !under_way.contains(&seed.entry.url));
            choose(waiting, if alone { AT_A_TIME_ALONE } else { AT_A_TIME }, &mut self.rng)
        };
        // There may be thousands, and whoever knows nobody waits for the one that is there.
        let purpose = if alone && is_first { Purpose::Meet } else { Purpose::Contact };
        for to in chosen {
            self.send(to, purpose.clone(), now);
        }
        self.seeds.rounds += u32::from(!is_first);
        self.seeds.known.retain(|_, seed| alone || !seed.listed.is_empty() || seed.is_worth_a_try(now));
        self.schedule_seeds(now);
    }

    /// Tries some of the seeds that nobody has tried, as the first thing that a server does.
    pub(super) fn meet_seeds(&mut self, now: Now) {
        let Some(bootstrap) = &self.bootstrap else { return };
        let most = AT_A_TIME.saturating_sub(bootstrap.contacts.len());
        let first = choose(self.seeds.untried(&under_way(&self.exchanges)), most, &mut self.rng);
        let contacts: Vec<_> = first.into_iter().map(|to| self.send(to, Purpose::Contact, now)).collect();
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.contacts.extend(contacts);
        }
    }

    pub(super) fn end_bootstrap_exchange(&mut self, id: Id) {
        if self.bootstrap.as_mut().is_some_and(|bootstrap| bootstrap.contacts.remove(&id)) {
            self.end_bootstrap_if_over();
        }
    }

    pub(super) fn end_bootstrap_if_over(&mut self) {
        let all_tried = self.lists.iter().all(|list| list.is_tried);
        let is_over = |it: &Bootstrap| it.contacts.is_empty() && (it.has_answer || all_tried);
        if self.bootstrap.as_ref().is_some_and(is_over) {
            self.end_bootstrap();
        }
    }

    pub(super) fn end_bootstrap(&mut self) {
        if self.bootstrap.take().is_some() {
            self.notices.push_back(Event::Started);
        }
    }

    /// Tries one of the seeds that were given up, about as often as one of the dead: while two parts of a cluster were
    /// cut off from each other they may have started anew, and then they know each other from the list alone.
    pub(super) fn try_lost_seed(&mut self, now: Now) {
        // One that is alone goes on with all its seeds anyway.
        if self.is_alone() {
            return;
        }
        let under_way = under_way(&self.exchanges);
        let lost = self.seeds.known.iter().filter(|(url, seed)| seed.is_given_up(now) && !under_way.contains(url));
        let lost: Vec<_> = lost.map(|(url, _)| url).collect();
        let chance = (lost.len() as f64 / self.members.live() as f64).min(1.0);
        let chosen = if self.rng.random_bool(chance) { lost.into_iter().choose(&mut self.rng).cloned() } else { None };
        if let Some(to) = chosen {
            self.send(to, Purpose::Contact, now);
        }
    }
}

// To whom anything is on its way.
fn under_way(exchanges: &BTreeMap<Id, Exchange>) -> BTreeSet<&ServerUrl> {
    urls(exchanges.values().map(|exchange| &exchange.to))
}

// Half of them among those whose stamps are near the newest: in a list full of the dead they are the likeliest.
fn choose<'a>(seeds: impl Iterator<Item = &'a Seed>, count: usize, rng: &mut SmallRng) -> Vec<ServerUrl> {
    let entries: Vec<_> = seeds.map(|seed| &seed.entry).collect();
    let newest = entries.iter().map(|entry| entry.stamp).max().unwrap_or_default();
    let (recent, others): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.stamp.saturating_add(RECENT) >= newest);
    let of_others = others.len().min(count / 2).max(count.saturating_sub(recent.len()));
    let mut chosen = others.into_iter().sample(rng, of_others);
    chosen.extend(recent.into_iter().sample(rng, count - of_others));
    chosen.into_iter().map(|entry| entry.url.clone()).collect()
}
