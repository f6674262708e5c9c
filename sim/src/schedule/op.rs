//! What is done to a cluster at random.

use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::{End, HOUR, Schedule};
use crate::cluster::listed;
use crate::world::store::Condition;
use crate::world::{Health, Kind, Node, network};
use clustershazbot::message::{Entry, EntryV2, Message, Reason, State};

/// How long what ends by itself lasts at most, s.
const FAULT: f64 = 600.0;
const HANG: f64 = 180.0;
const STALL: f64 = 120.0;
/// Within a minute of its start a server that refuses is not called dead.
const LATE: f64 = 50.0;
/// How much slower what a server sends and gets can be, s: up to beyond the time-out of an exchange.
const SLOW: f64 = 6.0;
/// The greatest share of exchanges that are lost.
const LOSS: f64 = 0.5;

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Kill,
    Restart,
    RestartLater,
    LateListen,
    Hang,
    Stall,
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
    OldNews,
    TakeOver,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Kill,
        Self::Restart,
        Self::RestartLater,
        Self::LateListen,
        Self::Hang,
        Self::Stall,
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
        Self::OldNews,
        Self::TakeOver,
    ];
}

impl Schedule {
    pub fn apply(&mut self, op: Op) {
        let servers = self.world.servers().len();
        let server = self.world.rng.random_range(0..servers);
        let other = (server + self.world.rng.random_range(1..servers)) % servers;
        match op {
            Op::Kill => self.world.set_health(server, Health::Down),
            Op::Restart => self.world.start(server),
            Op::RestartLater => {
                self.world.set_health(server, Health::Down);
                self.later(0.0..FAULT, End::Start(server));
            }
            Op::LateListen => {
                self.world.set_listens(server, false);
                self.world.start(server);
                self.later(0.0..LATE, End::Listen(server));
            }
            Op::Hang => {
                self.world.set_health(server, Health::Hung);
                self.later(0.0..HANG, End::Resume(server));
            }
            Op::Stall => {
                self.world.set_health(server, Health::Blocked);
                self.later(0.0..STALL, End::Resume(server));
            }
            Op::Gone => {
                self.world.set_health(server, Health::Gone);
                self.later(0.0..FAULT, End::Start(server));
            }
            Op::Leave => {
                if self.world.servers()[server].is_up() {
                    self.world.leave(server);
                    self.later(0.0..FAULT, End::Start(server));
                }
            }
            Op::Drain => {
                if self.world.lives(server) {
                    self.world.control(server, false);
                    self.later(0.0..FAULT, End::Undrain(server));
                }
            }
            Op::Partition => {
                let sides: Vec<_> = (0..servers).map(|_| self.world.rng.random_bool(0.5)).collect();
                self.add_rule(network::partition(move |it| sides[it]));
            }
            Op::OneWay => self.add_rule(network::one_way(server, other)),
            Op::Loss => {
                let share = self.world.rng.random_range(0.0..LOSS);
                self.add_rule(network::loss(share));
            }
            Op::Slow => {
                let most = Duration::from_secs_f64(self.world.rng.random_range(0.0..SLOW));
                self.add_rule(network::slow(server, most));
            }
            Op::Clock => self.set_any_clock(server),
            Op::Store => {
                let is_slow = self.world.rng.random_bool(0.5);
                self.world.store.condition = if is_slow { Condition::Slow } else { Condition::Failing };
                self.later(0.0..FAULT, End::Store);
            }
            Op::EditList => self.edit_list(),
            Op::FalseDeath => self.say_dead(server, other),
            Op::OldNews => self.repeat(other),
            Op::TakeOver => self.take_over(server),
        }
    }

    fn add_rule(&mut self, rule: network::Rule) {
        let number = self.world.network.add(rule);
        self.later(0.0..FAULT, End::Rule(number));
    }

    fn set_any_clock(&mut self, server: usize) {
        if self.has_skew {
            let skew = self.world.rng.random_range(-HOUR..=HOUR);
            self.world.set_clock(server, skew);
        }
    }

    // Another host, with another clock, gets the address, and may run the other version.
    fn take_over(&mut self, server: usize) {
        if self.has_v1 && self.world.rng.random_bool(0.3) {
            let kind = if self.world.rng.random_bool(0.5) { Kind::V1 } else { Kind::Ours };
            self.world.set_health(server, Health::Down);
            self.world.set_kind(server, kind);
        }
        self.set_any_clock(server);
        self.world.start(server);
    }

    // Somebody empties the list, strips it of what he does not understand, or puts everybody back who ever was in it.
    fn edit_list(&mut self) {
        let entries = match self.world.rng.random_range(0..3) {
            0 => Vec::new(),
            1 => self.world.store.read().into_iter().map(|entry| Entry { v2: None, ..entry }).collect(),
            _ => self.world.servers().iter().map(|it| listed(it.settings.base_url.clone())).collect(),
        };
        self.world.store.put(entries);
        self.edited = Some(self.world.now());
    }

    // A third party's word that a server has failed which is well.
    fn say_dead(&mut self, server: usize, to: usize) {
        let author = self.world.rng.random_range(0..self.world.servers().len());
        let author = self.world.url(author).clone();
        let it = &self.world.servers()[server];
        let Some(own) = it.node.as_ref().and_then(|node| node.entry(&it.settings.base_url)).cloned() else { return };
        if !self.world.lives(server) {
            return;
        }
        let stamp = self.world.now_of(server).wall.max(own.stamp);
        let life = own.v2.map(|life| EntryV2 { reason: Some(Reason::Failed), author: Some(author), ..life });
        self.say(to, Entry { state: State::Offline, stamp, v2: life, ..own });
    }

    // What somebody listed once, as somebody may who was away since, or through whom it lost its incarnation.
    fn repeat(&mut self, to: usize) {
        let Some(mut entry) = self.said.choose(&mut self.world.rng).cloned() else { return };
        if self.world.rng.random_bool(0.3) {
            entry.v2 = None;
        }
        self.say(to, entry);
    }

    fn say(&mut self, to: usize, entry: Entry) {
        if self.world.servers()[to].is_up() {
            self.world.handle(to, |node: &mut Node, now| node.handle_gossip(now, &Message::new(vec![entry])));
        }
    }
}
