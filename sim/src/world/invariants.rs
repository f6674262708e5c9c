//! What must hold at every step of any run, looked at after each event of a server.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::{Kind, Node, Rate, World};
use clustershazbot::membership::{TOMBSTONE_TTL, effective_incarnation};
use clustershazbot::message::{Entry, State};

/// Largest body that a server of ours sends, bytes: Express refuses what is over 100 kB.
pub const MAX_BODY: u64 = 90_000;
/// Most exchanges that a server of ours begins in a second, in clusters of the fuzz: what the core's bounds allow at once
/// for rumours, checks, asking and being asked, and a leave that is told to twenty.
pub const MAX_MESSAGES: u32 = 80;
/// Most times that a server asks to be called in a second: a timer that is due again at once would never end.
pub const MAX_WAKES: u32 = 200;
/// More of them are of no use to anybody.
const MAX_VIOLATIONS: usize = 20;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub invariant: &'static str,
    /// When, from the beginning of the run.
    pub at: Duration,
    /// What is wrong, and where.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.3} s: {}", self.invariant, self.at.as_secs_f64(), self.what)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    state: State,
    number: u64,
    stamp: u64,
}

#[derive(Debug, Default)]
struct Seen {
    // Every incarnation that processes at this base URL have had.
    had: BTreeSet<u64>,
    // The number of its own word when it was drained or left, and of its process, while that holds.
    ended: Option<(u64, u32)>,
    // What it lists, by server.
    list: Vec<Option<Known>>,
    messages: Rate,
    wakes: (u64, u32),
}

/// What has been seen of each server, and what was wrong with it.
#[derive(Debug, Default)]
pub struct Invariants {
    seen: Vec<Seen>,
    /// The first of what was wrong.
    pub violations: Vec<Violation>,
}

impl Invariants {
    /// For so many servers.
    pub fn new(servers: usize) -> Self {
        let seen = || Seen { list: vec![None; servers], ..Seen::default() };
        Self { seen: (0..servers).map(|_| seen()).collect(), violations: Vec::new() }
    }

    /// Whether a server asks to be called so often that it would never end.
    pub fn spins(&self, server: usize) -> bool {
        self.seen[server].wakes.1 > MAX_WAKES
    }

    pub(super) fn started(&mut self, server: usize) {
        let seen = &mut self.seen[server];
        seen.ended = None;
        seen.list.fill(None);
    }

    pub(super) fn woken(&mut self, server: usize, now: Duration) {
        let (second, count) = &mut self.seen[server].wakes;
        if *second != now.as_secs() {
            (*second, *count) = (now.as_secs(), 0);
        }
        *count += 1;
        if *count == MAX_WAKES + 1 {
            self.violated("no spinning", now, format!("server {server} asks to be called all the time"));
        }
    }

    pub(super) fn sent(&mut self, server: usize, kind: Kind, (bytes, is_request): (u64, bool), now: Duration) {
        if kind != Kind::Ours {
            return;
        }
        if bytes > MAX_BODY {
            self.violated("bounded bodies", now, format!("server {server} sends {bytes} bytes"));
        }
        // How much it answers is in the hands of others, and after a stall of its own it answers all at once.
        if !is_request {
            return;
        }
        let count = self.seen[server].messages.count(now);
        if count == MAX_MESSAGES + 1 {
            self.violated("bounded messages", now, format!("server {server} sends {count} in a second"));
        }
    }

    pub(super) fn look(&mut self, world: &World, server: usize) {
        let it = &world.servers()[server];
        let Some(Node::Ours(core)) = &it.node else { return };
        let Some(own) = core.members().get(&it.settings.base_url).map(|member| &member.entry) else {
            return self.violated("own word", world.now(), format!("server {server} does not list itself"));
        };
        self.look_at_own(world, server, own);
        let (mut next, mut count) = (0, 0);
        for entry in core.members().entries() {
            // Lists are in the order of URLs, and so are the servers.
            if world.servers().get(next).is_none_or(|it| it.settings.base_url != entry.url) {
                let Some(found) = world.find(&entry.url) else { continue };
                next = found;
            }
            self.look_at_entry(world, server, next, entry);
            next += 1;
            count += 1;
        }
        if self.seen[server].list.iter().flatten().count() > count {
            self.look_for_forgotten(world, server);
        }
    }

    fn look_at_own(&mut self, world: &World, server: usize, own: &Entry) {
        let told = world.servers()[server].told;
        if own.state != told {
            let what = format!("server {server} was told to be {told:?}, and says {:?}", own.state);
            self.violated("own word", world.now(), what);
        }
        let seen = &mut self.seen[server];
        seen.had.extend(own.v2.as_ref().map(|life| life.incarnation));
        seen.ended = match &own.v2 {
            Some(life) if own.state == State::Offline => Some((effective_incarnation(own), life.instance)),
            Some(_) | None => None,
        };
    }

    fn look_at_entry(&mut self, world: &World, by: usize, about: usize, entry: &Entry) {
        let known = Known { state: entry.state, number: effective_incarnation(entry), stamp: entry.stamp };
        let Some(before) = self.seen[by].list.get_mut(about).map(|before| before.replace(known)) else { return };
        if before == Some(known) || entry.state == State::Offline {
            return;
        }
        if let Some(life) = &entry.v2
            && !self.seen[about].had.contains(&life.incarnation)
        {
            let what = format!("server {by} lists {about} online at {}, which it never had", life.incarnation);
            self.violated("no invented incarnation", world.now(), what);
        }
        // One that lost its incarnation has only its stamp, whatever number we give it.
        if let Some(before) = before
            && before.state == State::Offline
            && (known.number <= before.number || (entry.v2.is_none() && known.stamp <= before.stamp))
        {
            let what = format!("server {by} lists {about} online at {} after {}", known.number, before.number);
            self.violated("no resurrection", world.now(), what);
        }
        // An earlier process, whose clock was ahead, is another matter: until it hears of that, this one is below it.
        if let (Some((ended, instance)), Some(life)) = (self.seen[about].ended, &entry.v2)
            && life.instance == instance
            && known.number > ended
        {
            let what = format!("server {by} lists {about} online at {}, ended at {ended}", known.number);
            self.violated("a drain or a leave stays", world.now(), what);
        }
    }

    fn look_for_forgotten(&mut self, world: &World, server: usize) {
        let wall = world.now_of(server).wall;
        let Some(Node::Ours(core)) = &world.servers()[server].node else { return };
        for about in 0..self.seen[server].list.len() {
            let Some(known) = self.seen[server].list[about] else { continue };
            if core.members().get(world.url(about)).is_none() {
                self.seen[server].list[about] = None;
                if known.state == State::Offline && known.stamp + TOMBSTONE_TTL >= wall {
                    let what = format!("server {server} has forgotten that {about} is offline");
                    self.violated("tombstones last", world.now(), what);
                }
            }
        }
    }

    /// Notes something that must not be.
    pub fn violated(&mut self, invariant: &'static str, at: Duration, what: String) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation { invariant, at, what });
        }
    }
}
