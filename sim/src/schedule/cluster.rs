//! A simulated cluster with random settings, and the faults that will end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clustershazbot::config::Settings;
use clustershazbot::message::{Entry, Message, Reason};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::lie::Lie;
use crate::world::network::RuleId;
use crate::world::store::Availability;
use crate::world::{Health, Version, World, settings};

pub const HOUR_MS: i64 = 3_600_000;
/// How many hours a clock is wrong that is further wrong than others accept.
const FAR_HOURS: std::ops::Range<f64> = 3.0..12.0;

/// What ends a fault, or continues it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    Start(usize),
    Resume(usize),
    Listen(usize),
    Undrain(usize),
    RemoveRule(RuleId),
    RepairStore,
    RemoveProxy,
    EndFalseWitness,
    SetClockRight(usize),
    StartAsVersion1(usize),
    Lie(Liar),
    Repeat(Repetition),
}

/// A peer that lies again and again until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liar {
    pub lie: Lie,
    pub sender: usize,
    pub victim: usize,
    /// Which server it lies to; None: a random one each time.
    pub receiver: Option<usize>,
    pub pause: Duration,
    pub until: Duration,
}

/// An old message that is sent again and again until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repetition {
    /// Which one of the remembered messages.
    pub message: usize,
    pub until: Duration,
}

/// How long after one repetition the next one follows.
const REPEATED_AFTER: Duration = Duration::from_secs(1);

/// A cluster with the faults that will end.
pub struct FaultyCluster {
    pub world: World,
    recoveries: Vec<(Duration, Recovery)>,
    pub has_v1: bool,
    pub has_skew: bool,
    pub interval: Duration,
    /// Entries that servers once listed, which may be sent again.
    pub old_entries: Vec<Entry>,
    /// Messages that were once sent, each with its receiver, which may be sent again.
    pub old_messages: Vec<(usize, Arc<Message>)>,
    /// Servers whose clocks are more than 3 h wrong.
    far_clocks: BTreeSet<usize>,
    /// When a person edited the master list last.
    pub list_edited: Option<Duration>,
}

impl FaultyCluster {
    /// Starts a cluster.
    pub fn new(mut world: World) -> Option<Self> {
        let servers = if world.rng.random_bool(0.05) { 30 } else { world.rng.random_range(3..=12) };
        let interval = Duration::from_secs([2, 10, 30].choose(&mut world.rng).copied()?);
        let (has_v1, has_skew) = (world.rng.random_bool(0.25), world.rng.random_bool(0.5));
        for server in 0..servers {
            let version = if has_v1 && world.rng.random_bool(0.3) { Version::V1 } else { Version::V2 };
            let skew = if has_skew { world.rng.random_range(-HOUR_MS..=HOUR_MS) } else { 0 };
            let (monitor, update_list_on_shutdown) = (world.rng.random_bool(0.1), world.rng.random_bool(0.3));
            let settings = Settings { monitor, update_list_on_shutdown, ..settings(server, interval)? };
            world.add(settings, version, skew);
        }
        world.check_invariants();
        world.store.supports_conditions = world.rng.random_bool(0.5);
        let all: Vec<_> = (0..servers).collect();
        // Half of the clusters start with an empty master list.
        if world.rng.random_bool(0.5) {
            world.fill_master_list(&all);
        }
        world.start_within(&all, interval);
        Some(Self {
            world,
            recoveries: Vec::new(),
            has_v1,
            has_skew,
            interval,
            old_entries: Vec::new(),
            old_messages: Vec::new(),
            far_clocks: BTreeSet::new(),
            list_edited: None,
        })
    }

    /// Runs for a while, and ends the faults whose time has come.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.world.now() + time;
        while let Some(next) = (0..self.recoveries.len()).min_by_key(|index| self.recoveries[*index].0)
            && self.recoveries[next].0 <= until
        {
            let (at, recovery) = self.recoveries.swap_remove(next);
            self.world.run_until(at.max(self.world.now()));
            self.recover(recovery);
        }
        self.world.run_until(until);
    }

    fn recover(&mut self, recovery: Recovery) {
        match recovery {
            Recovery::Start(server) => {
                if self.world.server(server).process.is_none() {
                    self.world.start(server);
                }
            }
            Recovery::Resume(server) => self.world.set_health(server, Health::Up),
            Recovery::Listen(server) => self.world.set_listens(server, true),
            Recovery::Undrain(server) => {
                // A server that leaves stays offline.
                if self.world.server(server).is_up() && self.is_drained(server) {
                    self.world.control(server, true);
                }
            }
            Recovery::RemoveRule(rule) => self.world.network.remove(rule),
            Recovery::RepairStore => self.world.store.availability = Availability::Up,
            Recovery::RemoveProxy => self.world.set_proxy_timeout(None),
            Recovery::EndFalseWitness => self.world.false_witness = None,
            Recovery::SetClockRight(server) => self.set_clock_right(server),
            Recovery::StartAsVersion1(server) => {
                if self.world.server(server).process.is_none() {
                    self.world.set_version(server, Version::V1);
                    self.world.start(server);
                }
            }
            Recovery::Lie(liar) => self.lie(liar),
            Recovery::Repeat(repetition) => self.repeat(repetition),
        }
    }

    fn is_drained(&self, server: usize) -> bool {
        let own = self.world.server(server).own_entry();
        own.and_then(|own| own.v2.as_ref()).is_some_and(|v2| v2.reason == Some(Reason::Drained))
    }

    /// Makes a clock more than 3 h wrong.
    pub fn set_clock_far(&mut self, server: usize) {
        let hours = self.world.rng.random_range(FAR_HOURS);
        let sign = if self.world.rng.random_bool(0.5) { 1.0 } else { -1.0 };
        self.world.set_clock(server, (sign * hours * HOUR_MS as f64) as i64);
        self.far_clocks.insert(server);
    }

    // Sets a clock that is more than 3 h wrong right, or at most an hour wrong.
    fn set_clock_right(&mut self, server: usize) {
        if self.far_clocks.remove(&server) {
            let skew = if self.has_skew { self.world.rng.random_range(-HOUR_MS..=HOUR_MS) } else { 0 };
            self.world.set_clock(server, skew);
        }
    }

    fn lie(&mut self, liar: Liar) {
        let to = liar.receiver.unwrap_or_else(|| self.world.rng.random_range(0..self.world.servers().len()));
        if to != liar.victim
            && self.world.server(to).is_up()
            && let Some(message) = liar.lie.message(&mut self.world, liar.sender, &[liar.victim], to, Vec::new())
        {
            self.world.call(to, |process, now| process.handle_gossip(now, &message));
        }
        let next = self.world.now() + liar.pause;
        if next < liar.until {
            self.recoveries.push((next, Recovery::Lie(liar)));
        }
    }

    fn repeat(&mut self, repetition: Repetition) {
        let Some((to, message)) = self.old_messages.get(repetition.message).cloned() else { return };
        if self.world.server(to).is_up() {
            self.world.call(to, |process, now| process.handle_gossip(now, &message));
        }
        let next = self.world.now() + REPEATED_AFTER;
        if next < repetition.until {
            self.recoveries.push((next, Recovery::Repeat(repetition)));
        }
    }

    /// Schedules something for now.
    pub fn begin(&mut self, recovery: Recovery) {
        self.recoveries.push((self.world.now(), recovery));
    }

    /// Remembers the last message, and what a random server lists about another.
    pub fn remember(&mut self) {
        let servers = self.world.servers().len();
        let (by, about) = (self.world.rng.random_range(0..servers), self.world.rng.random_range(0..servers));
        self.old_messages.extend(self.world.last_request().cloned());
        self.old_entries.extend(self.world.server(by).entry(self.world.url(about)).cloned());
    }

    /// Schedules the end of a fault.
    pub fn recover_within(&mut self, seconds: std::ops::Range<f64>, recovery: Recovery) {
        let wait = Duration::from_secs_f64(self.world.rng.random_range(seconds));
        self.recoveries.push((self.world.now() + wait, recovery));
    }

    /// Ends all faults. Servers that are down stay down.
    pub fn end_all_faults(&mut self) {
        self.world.network.heal();
        self.world.store.availability = Availability::Up;
        self.world.set_proxy_timeout(None);
        self.world.false_witness = None;
        self.recoveries.clear();
        for server in self.far_clocks.clone() {
            self.set_clock_right(server);
        }
        for server in 0..self.world.servers().len() {
            self.world.set_listens(server, true);
            if self.world.server(server).process.is_some() {
                self.world.set_health(server, Health::Up);
            }
        }
    }
}
