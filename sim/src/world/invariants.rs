//! What must hold at every moment of any run, checked after each event of a protocol 2 server.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use clustershazbot::membership::{LEAST_LEAVE_TTL, MAX_LEAD, TOMBSTONE_TTL, effective_incarnation};
use clustershazbot::message::{Entry, MAX_AHEAD, State};

use super::network::Direction;
use super::process::Version;
use super::server::Server;
use super::traffic::PeakRate;

/// The largest body that a server may send, in bytes. Express rejects bodies over 100 kB.
pub const MAX_BODY: u64 = 90_000;
/// The most exchanges that a server may begin per second, in clusters of random schedules. It is the sum of the core's
/// bursts for broadcasts, verifications, call-backs, and indirect probes asked for and made, and of a leave that twenty servers are
/// told about.
pub const MAX_EXCHANGES: u32 = 80;
/// The most times per second that a server may ask to be woken. A timer that is always due again would never end.
pub const MAX_WAKES: u32 = 200;
/// How many violations are kept per run.
const MAX_VIOLATIONS: usize = 20;

/// A violated invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the invariant.
    pub invariant: &'static str,
    /// When it was violated, from the beginning of the run.
    pub at: Duration,
    /// What is wrong, and where.
    pub details: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.3} s: {}", self.invariant, self.at.as_secs_f64(), self.details)
    }
}

/// What a list said about a server when it was checked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    state: State,
    incarnation: u64,
    stamp: u64,
    // How long it must be remembered, ms.
    ttl: u64,
}

/// What is remembered about one server.
#[derive(Clone, Debug, Default)]
struct History {
    // Every incarnation that processes at this base URL have had.
    incarnations: BTreeSet<u64>,
    // Its incarnation and its instance now, and the instance that has lowered its incarnation: its clock was set back.
    own: Option<(u64, u32)>,
    lowered: Option<u32>,
    // The incarnation and the instance with which its process was drained or left, until it comes back.
    ended: Option<(u64, u32)>,
    // What it lists, by server.
    list: Vec<Option<Seen>>,
    exchanges: PeakRate,
    wakes: PeakRate,
}

/// What is remembered about each server, and the violations found.
#[derive(Clone, Debug, Default)]
pub struct Invariants {
    servers: Vec<History>,
    violations: Vec<Violation>,
}

impl Invariants {
    /// Invariants of a cluster with this number of servers.
    pub fn new(servers: usize) -> Self {
        let history = || History { list: vec![None; servers], ..History::default() };
        Self { servers: (0..servers).map(|_| history()).collect(), violations: Vec::new() }
    }

    /// The first violations.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Reports a violation.
    pub fn report(&mut self, invariant: &'static str, at: Duration, details: String) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation { invariant, at, details });
        }
    }

    /// Whether a server asks to be woken so often that the run would never end.
    pub fn spins(&self, server: usize) -> bool {
        self.servers[server].wakes.current() > MAX_WAKES
    }

    /// A new process has started.
    pub fn on_start(&mut self, server: usize) {
        let history = &mut self.servers[server];
        history.ended = None;
        history.list.fill(None);
    }

    /// The timer of a server was due.
    pub fn on_wake(&mut self, server: usize, now: Duration) {
        if self.servers[server].wakes.count(now) == MAX_WAKES + 1 {
            self.report("no spinning", now, format!("server {server} asks to be woken all the time"));
        }
    }

    /// A protocol 2 server has sent its own entry. It may have had that incarnation only for a moment: timers that are late
    /// fire together.
    pub fn on_own_entry(&mut self, server: usize, own: &Entry) {
        self.servers[server].incarnations.extend(own.v2.as_ref().map(|v2| v2.incarnation));
    }

    /// A protocol 2 server has sent a body.
    pub fn on_sent(&mut self, server: usize, bytes: u64, direction: Direction, now: Duration) {
        if bytes > MAX_BODY {
            self.report("bounded bodies", now, format!("server {server} sends {bytes} bytes"));
        }
        // Responses are not counted: peers decide how many there are, and a server that was blocked sends all at once.
        if direction == Direction::Response {
            return;
        }
        let count = self.servers[server].exchanges.count(now);
        if count == MAX_EXCHANGES + 1 {
            self.report("bounded exchanges", now, format!("server {server} begins {count} in a second"));
        }
    }

    /// Checks what a protocol 2 server lists.
    pub fn check<S: Borrow<Server>>(&mut self, servers: &[S], now: Duration, server: usize) {
        let it = servers[server].borrow();
        let Some(core) = it.core() else { return };
        let Some(own) = core.members().get(it.url()).map(|member| &member.entry) else {
            return self.report("own entry", now, format!("server {server} does not list itself"));
        };
        let intended = if core.leaves_silently() { own.state } else { it.intended };
        self.check_own(now, server, intended, own);
        let (mut next, mut count) = (0, 0);
        for entry in core.members().entries() {
            // Lists and indices are both in the order of base URLs.
            let is_it = |it: &S| *it.borrow().url() == entry.url;
            if !servers.get(next).is_some_and(is_it) {
                let Some(found) = servers.iter().position(is_it) else { continue };
                next = found;
            }
            self.check_entry(now, server, next, servers[next].borrow().earliest_answer(now), entry);
            if is_unreached(servers[next].borrow(), entry) && next != server && !has_version_1(servers) {
                let details = format!("server {server} lists {next} online, which nobody has reached");
                self.report("reached before it is listed", now, details);
            }
            next += 1;
            count += 1;
        }
        if self.servers[server].list.iter().flatten().count() > count {
            self.check_forgotten(servers, now, server);
        }
    }

    fn check_own(&mut self, now: Duration, server: usize, intended: State, own: &Entry) {
        if own.state != intended {
            let details = format!("server {server} was told to be {intended:?} and says {:?}", own.state);
            self.report("own entry", now, details);
        }
        let history = &mut self.servers[server];
        history.incarnations.extend(own.v2.as_ref().map(|v2| v2.incarnation));
        if let Some(v2) = &own.v2 {
            if history
                .own
                .is_some_and(|(incarnation, instance)| instance == v2.instance && incarnation > v2.incarnation)
            {
                history.lowered = Some(v2.instance);
            }
            history.own = Some((v2.incarnation, v2.instance));
        }
        history.ended = match &own.v2 {
            Some(v2) if own.state == State::Offline => Some((effective_incarnation(own), v2.instance)),
            Some(_) | None => None,
        };
    }

    fn check_entry(
        &mut self,
        now: Duration,
        observer: usize,
        subject: usize,
        earliest_answer: Option<u64>,
        entry: &Entry,
    ) {
        let ttl = if entry.is_leave() { LEAST_LEAVE_TTL } else { TOMBSTONE_TTL };
        let seen = Seen { state: entry.state, incarnation: effective_incarnation(entry), stamp: entry.stamp, ttl };
        let Some(before) = self.servers[observer].list.get_mut(subject).map(|before| before.replace(seen)) else {
            return;
        };
        if before == Some(seen) || entry.state == State::Offline {
            return;
        }
        let listed = format!("server {observer} lists {subject} online at");
        if let Some(v2) = &entry.v2
            && !self.servers[subject].incarnations.contains(&v2.incarnation)
        {
            let details = format!("{listed} {}, which it never had", v2.incarnation);
            self.report("no invented incarnation", now, details);
        }
        // For an entry that has lost its incarnation only the stamp tells which is newer. A server that answers is listed
        // whatever was said of it, if that is further ahead than it refutes by the clock that it had when it answered.
        if let Some(before) = before
            && before.state == State::Offline
            && earliest_answer.is_some_and(|wall| before.incarnation <= wall + MAX_LEAD)
            && (seen.incarnation <= before.incarnation || (entry.v2.is_none() && seen.stamp <= before.stamp))
        {
            let details = format!("{listed} {} after {}", seen.incarnation, before.incarnation);
            self.report("no resurrection", now, details);
        }
        // An earlier process may have had a higher incarnation, if its clock was ahead. This one raises its own as soon
        // as it learns about that.
        if let (Some((ended, instance)), Some(v2)) = (self.servers[subject].ended, &entry.v2)
            && v2.instance == instance
            && seen.incarnation > ended
            && self.servers[subject].lowered != Some(instance)
        {
            let details = format!("{listed} {}, ended at {ended}", seen.incarnation);
            self.report("a drained or departed server stays offline", now, details);
        }
    }

    fn check_forgotten<S: Borrow<Server>>(&mut self, servers: &[S], now: Duration, server: usize) {
        let wall = servers[server].borrow().clock(now).wall;
        let Some(core) = servers[server].borrow().core() else { return };
        for (subject, it) in servers.iter().enumerate() {
            let Some(seen) = self.servers[server].list[subject] else { continue };
            if core.members().get(it.borrow().url()).is_none() {
                self.servers[server].list[subject] = None;
                // What is further ahead was taken while the clock was wrong.
                let is_ahead = seen.incarnation.max(seen.stamp) > wall + MAX_AHEAD;
                if seen.state == State::Offline && seen.stamp + seen.ttl >= wall && !is_ahead {
                    let details = format!("server {server} has forgotten that {subject} is offline");
                    self.report("tombstones last", now, details);
                }
            }
        }
    }
}

// Whether an entry is about a process that nobody has contacted.
fn is_unreached(subject: &Server, entry: &Entry) -> bool {
    entry.state == State::Online
        && subject.core().is_some_and(|core| core.counters().last_inbound.is_none())
        && subject.own_entry().is_some_and(|own| own.instance() == entry.instance())
}

// Servers of version 1 list every name that they hear.
fn has_version_1<S: Borrow<Server>>(servers: &[S]) -> bool {
    servers.iter().any(|it| it.borrow().version == Version::V1)
}
