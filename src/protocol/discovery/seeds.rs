//! `Seeds`: servers that may be up, because a master list or an earlier process names them, or they claim it.
//!
//! | A seed | is |
//! |---|---|
//! | untried | contacted first, all of them at a bounded pace |
//! | failed once, or added less than a minute ago | retried with backoff |
//! | given up | removed from the master list, and contacted as rarely as a failed member |
//! | answering | a member, and no longer a seed |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;

use crate::clock::{HOUR, Now};
use crate::membership::{ByUrl, Members, TOMBSTONE_TTL, effective_incarnation, supersedes};
use crate::message::{Entry, ServerUrl, State};
use crate::protocol::action::{ExchangeError, ListIndex};
use crate::protocol::detector::{STARTUP_GRACE, STARTUP_SILENCE};
use crate::protocol::exchange::{Exchanges, Purpose, Request};
use crate::protocol::output::Output;
use crate::protocol::pacing::backoff;
use crate::protocol::timer::Timer;

/// After how many failures a seed is given up, and removed from the list.
const TRIES: u32 = 2;
/// How many seeds are contacted at a time by a server that knows others: one that answers lists all others. A server
/// that is alone contacts more, see [`PACE_ALONE`].
pub const AT_A_TIME: usize = 3;
const AT_A_TIME_ALONE: usize = 20;
/// A server that is alone tries all seeds once within 20 s, with a timeout of 1 s. At most 64 exchanges at a time: half
/// of what the engine carries out in parallel.
pub const PACE_ALONE: Pace = Pace { wait: Duration::from_millis(250), steps: 80, least: 5, most: 64 };
pub const TIMEOUT_ALONE: Duration = Duration::from_secs(1);
/// A server that knows others tries all seeds within 5 min, the least time between two updates of the list. Then it can
/// remove those that did not answer.
const PACE: Pace = Pace { wait: Duration::from_secs(1), steps: 300, least: AT_A_TIME, most: 20 };
/// After which time a server that speaks to us and cannot be reached is listed as failed. Shorter than [`STARTUP_GRACE`],
/// after which a seed is forgotten.
const GRACE_OF_SPEAKERS: Duration = Duration::from_secs(50);
const GRACE_OF_WRONG_ANSWERS: Duration = Duration::from_secs(10);
/// How close to the newest stamp counts as equally recent, ms. Listed stamps are renewed once an hour, so smaller
/// differences mean nothing.
const RECENT: u64 = 2 * HOUR;
/// Most seeds that no list names.
const MAX_CANDIDATES: usize = 1_000;

// How fast new seeds are tried: all within `steps`, with `least` to `most` contacts under way.
pub struct Pace {
    pub wait: Duration,
    pub steps: usize,
    pub least: usize,
    pub most: usize,
}

impl Pace {
    fn for_members(members: &Members) -> Self {
        if members.is_alone() { PACE_ALONE } else { PACE }
    }
}

/// The seed candidates.
#[derive(Clone, Debug)]
pub struct Seeds {
    interval: Duration,
    known: BTreeMap<ServerUrl, Seed>,
    // How many batches of failed seeds were retried, for the backoff.
    retries: u32,
    // The last failure, as text.
    last_failure: Option<String>,
}

#[derive(Clone, Debug)]
struct Seed {
    entry: Entry,
    // The lists that name it.
    listed: BTreeSet<ListIndex>,
    failures: u32,
    since: Duration,
    // When it last sent us a message.
    spoke: Option<Duration>,
}

impl Seed {
    // Listed stamps of living servers are renewed once an hour. A hand-written list may have no stamps.
    fn may_be_online(&self, now: Now) -> bool {
        let stamp = self.entry.stamp;
        let is_old = stamp > 0 && stamp.saturating_add(TOMBSTONE_TTL) < now.wall;
        self.is_retried(now) && !(self.failures > 0 && is_old)
    }

    // In the first minute a failed seed is retried, because programs start before they listen.
    fn is_retried(&self, now: Now) -> bool {
        self.failures < TRIES || now.mono < self.since + STARTUP_GRACE
    }
}

impl Seeds {
    /// No seeds.
    pub fn new(interval: Duration) -> Self {
        Self { interval, known: BTreeMap::new(), retries: 0, last_failure: None }
    }

    /// Removes all seeds. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn clear(&mut self) {
        *self = Self::new(self.interval);
    }

    /// A list was read. Its online servers become seeds, unless they are known to be up. Seeds that only this list
    /// named before are removed.
    pub fn on_list(&mut self, list: ListIndex, listed: &ByUrl<'_>, members: &Members, now: Now) {
        self.known
            .retain(|url, seed| listed.get(url).is_some() || !(seed.listed.remove(&list) && seed.listed.is_empty()));
        for entry in listed.iter() {
            let known = members.get(&entry.url).map(|member| &member.entry);
            if known.is_none_or(|known| known.state == State::Offline && may_be_back(entry, known)) {
                self.add(entry, now).listed.insert(list);
            } else {
                self.remove(&entry.url);
            }
        }
        self.remove(members.local_url());
    }

    /// Adds a server that claims to be up, that a version 1 server reported, or that was up before.
    pub fn add_candidate(&mut self, entry: &Entry, now: Now) {
        if self.known.len() < MAX_CANDIDATES || self.known.contains_key(&entry.url) {
            self.add(entry, now);
        }
    }

    // A higher incarnation than before makes a failed seed worth trying again.
    fn add(&mut self, entry: &Entry, now: Now) -> &mut Seed {
        let known = self.known.entry(entry.url.clone());
        let seed = known.or_insert_with(|| {
            self.retries = 0;
            Seed { entry: entry.clone(), listed: BTreeSet::new(), failures: 0, since: now.mono, spoke: None }
        });
        let (new, old) = (effective_incarnation(entry), effective_incarnation(&seed.entry));
        if new > old {
            self.retries = 0;
            (seed.failures, seed.since) = (0, now.mono);
        }
        if (new, entry.stamp) > (old, seed.entry.stamp) {
            seed.entry = entry.clone();
        }
        seed
    }

    /// Removes a server that became a member.
    pub fn remove(&mut self, url: &ServerUrl) {
        self.known.remove(url);
    }

    /// An exchange with a server failed.
    pub fn on_failure(&mut self, url: &ServerUrl, error: &ExchangeError) {
        if let Some(seed) = self.known.get_mut(url) {
            seed.failures += 1;
            self.last_failure = Some(format!("{url}: {error}"));
        }
    }

    /// A server that is not listed sent us a message.
    pub fn on_message(&mut self, url: &ServerUrl, now: Now) {
        if let Some(seed) = self.known.get_mut(url) {
            seed.spoke = Some(now.mono);
        }
    }

    /// The entry of a server that speaks to us and cannot be reached, and since when: the whole start-up grace long if
    /// nothing answers, a few seconds if something else does.
    pub fn unreachable(&self, url: &ServerUrl, error: &ExchangeError, now: Now) -> Option<(&Entry, Duration)> {
        let patience = match error {
            ExchangeError::Refused(_)
            | ExchangeError::NotReady(_)
            | ExchangeError::Unreachable(_)
            | ExchangeError::TimedOut
            | ExchangeError::NoAnswer(_) => GRACE_OF_SPEAKERS,
            ExchangeError::SecretRejected
            | ExchangeError::WrongCluster(_)
            | ExchangeError::Other(_)
            | ExchangeError::Busy
            | ExchangeError::Local(_) => GRACE_OF_WRONG_ANSWERS,
        };
        let seed = self.known.get(url)?;
        let speaks = seed.spoke.is_some_and(|spoke| now.mono < spoke + STARTUP_SILENCE);
        let is_certain = speaks && seed.failures >= TRIES && now.mono >= seed.since + patience;
        is_certain.then_some((&seed.entry, seed.since))
    }

    /// The last seed that failed and why, for people.
    pub fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }

    /// How many seeds there are.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Whether a server is a seed that was not given up.
    pub fn may_be_online(&self, url: &ServerUrl, now: Now) -> bool {
        self.known.get(url).is_some_and(|seed| seed.may_be_online(now))
    }

    fn untried<'a>(&'a self, under_way: &'a BTreeSet<&ServerUrl>) -> impl Iterator<Item = &'a Seed> {
        self.known.values().filter(|seed| seed.failures == 0 && !under_way.contains(&seed.entry.url))
    }

    /// Sets the timer of the next contacts if it is not set. The first come soon.
    pub fn expect(&self, members: &Members, exchanges: &Exchanges, now: Now, out: &mut Output) {
        if self.retries == 0 || !out.timers.is_set(Timer::Seeds) {
            self.schedule(members, exchanges, now, out);
        }
    }

    /// Sets the timer of the next contacts.
    pub fn schedule(&self, members: &Members, exchanges: &Exchanges, now: Now, out: &mut Output) {
        if self.known.is_empty() {
            return;
        }
        let wait = if self.untried(&exchanges.receivers(|_| true)).next().is_some() {
            Pace::for_members(members).wait
        } else {
            // Every second at first, since programs start before they listen; then less and less, down to once an
            // interval.
            backoff(Duration::from_secs(1), self.retries, self.interval)
        };
        let wait = wait.mul_f64(out.jitter(0.9..1.1));
        out.timers.set_earlier(Timer::Seeds, now.mono + wait);
    }

    /// The seeds to contact now: untried ones first, then failed ones again.
    pub fn next_contacts(
        &mut self,
        members: &Members,
        exchanges: &Exchanges,
        now: Now,
        out: &mut Output,
    ) -> Vec<Request> {
        let (alone, Pace { steps, least, most, .. }) = (members.is_alone(), Pace::for_members(members));
        let under_way = exchanges.receivers(|_| true);
        let is_first = self.untried(&under_way).next().is_some();
        let chosen = if is_first {
            let contacts = exchanges.count(|purpose| *purpose == Purpose::Contact);
            let count = (self.known.len() / steps).clamp(least, most).min(most.saturating_sub(contacts));
            choose(self.untried(&under_way), count, &mut out.rng)
        } else {
            let worth = self.known.values().filter(|seed| alone || seed.is_retried(now));
            let waiting = worth.filter(|seed| !under_way.contains(&seed.entry.url));
            choose(waiting, if alone { AT_A_TIME_ALONE } else { AT_A_TIME }, &mut out.rng)
        };
        self.retries += u32::from(!is_first);
        self.known.retain(|_, seed| alone || !seed.listed.is_empty() || seed.is_retried(now));
        let request = |to| {
            let request = Request::new(to, Purpose::Contact);
            if alone && is_first { request.within(TIMEOUT_ALONE) } else { request }
        };
        chosen.into_iter().map(request).collect()
    }

    /// Skips one batch of contacts.
    pub fn skip_contacts(&mut self) {
        self.retries += 1;
    }

    /// Up to `most` untried seeds, for the first contacts.
    pub fn first_contacts(&self, most: usize, exchanges: &Exchanges, out: &mut Output) -> Vec<ServerUrl> {
        choose(self.untried(&exchanges.receivers(|_| true)), most, &mut out.rng)
    }

    /// With some probability, a given-up seed, as often as a failed member. After a partition in which all servers of
    /// the other side restarted, only the list connects the two sides.
    pub fn lost_contact(
        &self,
        members: &Members,
        exchanges: &Exchanges,
        now: Now,
        out: &mut Output,
    ) -> Option<ServerUrl> {
        // A server that is alone retries all seeds anyway.
        if members.is_alone() {
            return None;
        }
        let under_way = exchanges.receivers(|_| true);
        let lost = self.known.iter().filter(|(url, seed)| !seed.may_be_online(now) && !under_way.contains(url));
        let lost: Vec<_> = lost.map(|(url, _)| url).collect();
        let chance = (lost.len() as f64 / members.online() as f64).min(1.0);
        if out.rng.random_bool(chance) { lost.into_iter().choose(&mut out.rng).cloned() } else { None }
    }
}

// Whether a listed entry is from a later process than the offline entry that we know. Its incarnation can still be
// lower: after a leave, which is stamped ahead, or with another clock.
fn may_be_back(listed: &Entry, known: &Entry) -> bool {
    supersedes(listed, known) || listed.stamp > effective_incarnation(known) || listed.instance() != known.instance()
}

// Half of them have stamps near the newest: in a list full of dead servers those are the likeliest to be up.
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
