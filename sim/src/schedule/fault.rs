//! The faults of random schedules.

use std::time::Duration;

use clustershazbot::message::{Entry, EntryV2, Message, Reason, State};
use rand::RngExt;
use rand::seq::IndexedRandom;

use super::cluster::{FaultyCluster, HOUR_MS, Liar, Recovery, Repetition};
use crate::lie::Lie;
use crate::world::store::Availability;
use crate::world::{Health, Version, network};

/// How long a temporary fault lasts at most, in seconds.
const FAULT: f64 = 600.0;
const HANG: f64 = 180.0;
const STALL: f64 = 120.0;
/// For how many seconds the engine's thread gets no turn.
const PAUSE_OF_THREAD: std::ops::Range<f64> = 0.5..4.0;
/// How long after its start a server listens at the latest, in seconds. Within a minute of its start, a server that
/// refuses connections is not listed offline.
const LATE: f64 = 50.0;
/// How much each packet of a slow server is delayed at most, in seconds: more than the timeout of an exchange.
const SLOW: f64 = 6.0;
/// How long a peer lies at most, and how long it waits between two lies, in seconds.
const LIE: f64 = 300.0;
const PAUSE: std::ops::Range<f64> = 0.05..10.0;
/// How long a message is repeated at most, in seconds.
const REPEAT: f64 = 300.0;
/// How long a server is away that goes back to version 1, in seconds.
const AWAY: f64 = 60.0;
/// After how many seconds a proxy closes connections without a request.
const PROXY_TIMEOUT: std::ops::Range<f64> = 0.5..20.0;
/// The largest share of exchanges that is lost.
const LOSS: f64 = 0.5;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Kill,
    Restart,
    RestartLater,
    LateListen,
    Hang,
    Stall,
    LateThread,
    Gone,
    Leave,
    Drain,
    Partition,
    OneWay,
    Loss,
    Slow,
    Clock,
    Store,
    EditList,
    FalseDeath,
    OldEntry,
    TakeOver,
    Liar,
    FalseWitness,
    Repeat,
    FarClock,
    RollBack,
    Switch,
    Proxy,
}

impl Fault {
    /// All faults. A schedule is a sequence of random elements, so the order matters for its seed.
    pub const ALL: [Self; 27] = [
        Self::Kill,
        Self::Restart,
        Self::RestartLater,
        Self::LateListen,
        Self::Hang,
        Self::Stall,
        Self::LateThread,
        Self::Gone,
        Self::Leave,
        Self::Drain,
        Self::Partition,
        Self::OneWay,
        Self::Loss,
        Self::Slow,
        Self::Clock,
        Self::Store,
        Self::EditList,
        Self::FalseDeath,
        Self::OldEntry,
        Self::TakeOver,
        Self::Liar,
        Self::FalseWitness,
        Self::Repeat,
        Self::FarClock,
        Self::RollBack,
        Self::Switch,
        Self::Proxy,
    ];
}

impl FaultyCluster {
    /// Applies a fault to random servers.
    pub fn apply(&mut self, fault: Fault) {
        let servers = self.world.servers().len();
        let server = self.world.rng.random_range(0..servers);
        let other = (server + self.world.rng.random_range(1..servers)) % servers;
        match fault {
            Fault::Kill => self.world.set_health(server, Health::Down),
            Fault::Restart => self.world.start(server),
            Fault::RestartLater => self.set_health_for(server, Health::Down, FAULT),
            Fault::LateListen => {
                self.world.set_listens(server, false);
                self.world.start(server);
                self.recover_within(0.0..LATE, Recovery::Listen(server));
            }
            Fault::Hang => self.set_health_for(server, Health::Hung, HANG),
            Fault::Stall => self.set_health_for(server, Health::Blocked, STALL),
            Fault::LateThread => {
                self.world.set_health(server, Health::Late);
                self.recover_within(PAUSE_OF_THREAD, Recovery::Resume(server));
            }
            Fault::Gone => self.set_health_for(server, Health::Gone, FAULT),
            Fault::Leave => {
                if self.world.server(server).is_up() {
                    self.world.leave(server);
                    self.recover_within(0.0..FAULT, Recovery::Start(server));
                }
            }
            Fault::Drain => {
                if self.world.server(server).is_available() {
                    self.world.control(server, false);
                    self.recover_within(0.0..FAULT, Recovery::Undrain(server));
                }
            }
            Fault::Partition => {
                let sides: Vec<_> = (0..servers).map(|_| self.world.rng.random_bool(0.5)).collect();
                self.add_rule(network::partition(move |server| sides[server]));
            }
            Fault::OneWay => self.add_rule(network::one_way(server, other)),
            Fault::Loss => {
                let share = self.world.rng.random_range(0.0..LOSS);
                self.add_rule(network::loss(share));
            }
            Fault::Slow => {
                let most = Duration::from_secs_f64(self.world.rng.random_range(0.0..SLOW));
                self.add_rule(network::slow(server, most));
            }
            Fault::Clock => self.set_random_clock(server),
            Fault::Store => {
                let is_slow = self.world.rng.random_bool(0.5);
                self.world.store.availability = if is_slow { Availability::Slow } else { Availability::Failing };
                self.recover_within(0.0..FAULT, Recovery::RepairStore);
            }
            Fault::EditList => self.edit_list(),
            Fault::FalseDeath => self.send_false_death(server, other),
            Fault::OldEntry => self.send_old_entry(other),
            Fault::TakeOver => self.take_over(server),
            Fault::Liar => self.begin_to_lie(server, other),
            Fault::FalseWitness => {
                self.world.false_witness = Some(server);
                self.recover_within(0.0..FAULT, Recovery::EndFalseWitness);
            }
            Fault::Repeat => self.begin_to_repeat(),
            Fault::FarClock => {
                self.set_clock_far(server);
                self.recover_within(0.0..FAULT, Recovery::SetClockRight(server));
            }
            Fault::RollBack => self.roll_back(server),
            // A switch that restarts closes all watch connections, or those of one server.
            Fault::Switch => {
                let is_of_all = self.world.rng.random_bool(0.5);
                self.world.close_watches(|it| is_of_all || it == server);
            }
            Fault::Proxy => {
                let timeout = self.world.rng.random_range(PROXY_TIMEOUT);
                self.world.set_proxy_timeout(Some(Duration::from_secs_f64(timeout)));
                self.recover_within(0.0..FAULT, Recovery::RemoveProxy);
            }
        }
    }

    fn set_health_for(&mut self, server: usize, health: Health, most_seconds: f64) {
        self.world.set_health(server, health);
        let recovery = match health {
            Health::Down | Health::Gone => Recovery::Start(server),
            Health::Up | Health::Late | Health::Blocked | Health::Hung => Recovery::Resume(server),
        };
        self.recover_within(0.0..most_seconds, recovery);
    }

    fn add_rule(&mut self, rule: network::Rule) {
        let id = self.world.network.add(rule);
        self.recover_within(0.0..FAULT, Recovery::RemoveRule(id));
    }

    fn set_random_clock(&mut self, server: usize) {
        if self.has_skew {
            let skew = self.world.rng.random_range(-HOUR_MS..=HOUR_MS);
            self.world.set_clock(server, skew);
        }
    }

    // Another host with another clock takes over the address. It may run the other version.
    fn take_over(&mut self, server: usize) {
        if self.has_v1 && self.world.rng.random_bool(0.3) {
            let version = if self.world.rng.random_bool(0.5) { Version::V1 } else { Version::V2 };
            self.world.set_health(server, Health::Down);
            self.world.set_version(server, version);
        }
        self.set_random_clock(server);
        self.world.start(server);
    }

    // A peer that holds the secret lies about a server for a while.
    fn begin_to_lie(&mut self, victim: usize, receiver: usize) {
        let servers = self.world.servers().len();
        let rng = &mut self.world.rng;
        let lie = Lie::nth(rng.random_range(0..Lie::KINDS));
        let pause = Duration::from_secs_f64(rng.random_range(PAUSE));
        let seconds = rng.random_range(0.0..LIE);
        let receiver = rng.random_bool(0.5).then_some(receiver);
        let sender = rng.random_range(0..servers);
        let until = self.world.now() + Duration::from_secs_f64(seconds);
        self.begin(Recovery::Lie(Liar { lie, sender, victim, receiver, pause, until }));
    }

    // Somebody who has recorded messages sends one again and again.
    fn begin_to_repeat(&mut self) {
        if !self.old_messages.is_empty() {
            let message = self.world.rng.random_range(0..self.old_messages.len());
            let seconds = self.world.rng.random_range(0.0..REPEAT);
            let until = self.world.now() + Duration::from_secs_f64(seconds);
            self.begin(Recovery::Repeat(Repetition { message, until }));
        }
    }

    // A server leaves in order and starts again as version 1. Most servers stay what they are.
    fn roll_back(&mut self, server: usize) {
        let servers = self.world.servers();
        let v2 = servers.iter().filter(|server| server.version == Version::V2).count();
        if self.has_v1 && v2 > servers.len() / 2 && servers[server].is_up() {
            self.world.leave(server);
            self.recover_within(0.0..AWAY, Recovery::StartAsVersion1(server));
        }
    }

    // A person empties the master list, removes the fields that only protocol 2 has, or adds every server.
    fn edit_list(&mut self) {
        match self.world.rng.random_range(0..3) {
            0 => self.world.store.replace(Vec::new()),
            1 => {
                let entries = self.world.store.read();
                self.world.store.replace(entries.into_iter().map(|entry| Entry { v2: None, ..entry }).collect());
            }
            _ => {
                let all: Vec<_> = (0..self.world.servers().len()).collect();
                self.world.fill_master_list(&all);
            }
        }
        self.list_edited = Some(self.world.now());
    }

    // A third party says that a healthy server has failed.
    fn send_false_death(&mut self, server: usize, to: usize) {
        let author = self.world.rng.random_range(0..self.world.servers().len());
        let author = self.world.url(author).clone();
        let Some(own) = self.world.server(server).own_entry().cloned() else { return };
        if !self.world.server(server).is_available() {
            return;
        }
        let stamp = self.world.clock_of(server).wall.max(own.stamp);
        let v2 = own.v2.map(|v2| EntryV2 { reason: Some(Reason::Failed), author: Some(author), ..v2 });
        self.send(to, Entry { state: State::Offline, stamp, v2, ..own });
    }

    // A server that was away may send what it listed long ago, and a version 1 server may have removed the incarnation.
    fn send_old_entry(&mut self, to: usize) {
        let Some(mut entry) = self.old_entries.choose(&mut self.world.rng).cloned() else { return };
        if self.world.rng.random_bool(0.3) {
            entry.v2 = None;
        }
        self.send(to, entry);
    }

    fn send(&mut self, to: usize, entry: Entry) {
        if self.world.server(to).is_up() {
            self.world.call(to, |process, now| process.handle_gossip(now, &Message::new(vec![entry])));
        }
    }
}
