//! The protocol: when to gossip with whom, and what follows from the answers. Pure: it reads no clock, sends nothing,
//! draws its random numbers from a seed.

mod detector;
mod event;
mod exchange;
mod figures;
mod hearing;
mod inbound;
mod master_list;
mod own;
mod rumours;
mod seeds;
mod state;
mod sync;
mod timer;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::clock::Now;
use crate::config::Settings;
use crate::error::Error;
use crate::membership::Members;
use crate::message::{Entry, Envelope, MAX_NAMED, Message, Reason, ServerUrl, Skipped, State};

use detector::Suspicion;
pub use event::{Action, Event, ExchangeError, Id, ListIndex, MemberEvent, MemberEventKind, WriteError};
use exchange::{Exchange, Purpose};
pub use figures::{Counters, ListStatus};
use hearing::Voice;
use inbound::Inbound;
use master_list::MasterList;
use own::{Rival, UrlDoubt};
use seeds::{Bootstrap, Seeds};
use timer::{Timer, Timers};
use tokens::RateLimit;

/// After how long without a sign of the event loop the program counts as hung. Longer than a garbage collection or a
/// synchronous start-up task should take, shorter than what others wait before they call a silent server dead.
const STALL: Duration = Duration::from_secs(5);
/// How often what has expired is looked for: tombstones live 24 h, a minute more does not matter.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);
/// A leave ends 6 s after it began, with a master list update 12 s (the promise of `shazbotShutDown`), less a margin
/// for carrying it out.
const LEAVE_LIMIT: Duration = Duration::from_millis(5_800);
const LEAVE_LIMIT_WITH_LIST: Duration = Duration::from_millis(11_800);
/// How far the wall clock may go its own way between two looks at it before we doubt how much time has passed.
const CLOCK_JUMP: u64 = 5_000;
/// So many rumours are pushed at once, and so many a second after that; so many servers that others call dead are checked;
/// others are asked so often to try a server; so many are tried for others. It keeps a server near 20 messages a second when a large cluster restarts.
const PUSHES: (u32, u32) = (8, 2);
const CHECKS: (u32, u32) = (6, 3);
const ASKS: (u32, u32) = (22, 11);
const FAVOURS: (u32, u32) = (12, 6);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Leaving,
    Left,
}

/// One server's protocol.
///
/// Order of calling: after [`Core::new`] and after every `handle_*`, take all of [`Core::poll_action`] and
/// [`Core::poll_event`]; carry out the actions and give back their outcome; call [`Core::handle_timeout`] when
/// [`Core::poll_timeout`] says so; call [`Core::handle_heartbeat`] at least every 2 s for as long as the program works.
/// `now` never goes back in its monotonic part; its wall part may step.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    phase: Phase,
    members: Members,
    // The greatest of what others say of us beyond what we say, until we answer it.
    claim: Option<Entry>,
    url_doubt: UrlDoubt,
    rival: Rival,
    exchanges: BTreeMap<Id, Exchange>,
    next_id: Id,
    // Servers that do not answer us, until it is settled.
    suspicions: BTreeMap<ServerUrl, Suspicion>,
    // How often a server that does not answer us has been spared, since it last did.
    spared: BTreeMap<ServerUrl, u32>,
    // Deaths that others tell of and that we look into before we list them.
    claims: BTreeMap<ServerUrl, Entry>,
    rumours: BTreeSet<ServerUrl>,
    // When news of servers whose state stayed the same was told on last.
    renewed: BTreeMap<ServerUrl, Duration>,
    pushes: RateLimit,
    checks: RateLimit,
    asks: RateLimit,
    favours: RateLimit,
    // Pairs of hashes of lists, ours and another's, that an exchange did not make one.
    futile: VecDeque<(u64, u64)>,
    // The hashes of servers of which something else changed last.
    changed: VecDeque<u64>,
    // With which of all hashes the next answer to a version 1 server begins.
    legacy_turn: u64,
    // The server of version 1 that was probed last in its turn.
    last_legacy: ServerUrl,
    last_answer: Duration,
    // When anybody answered for the first time.
    met: Option<Duration>,
    // None once started.
    bootstrap: Option<Bootstrap>,
    seeds: Seeds,
    lists: Vec<MasterList>,
    // The hash of the lists of servers when they were saved last.
    saved: Option<u64>,
    timers: Timers,
    rng: SmallRng,
    last_beat: Duration,
    // When the program last came back from a stall: exchanges from before say nothing about others.
    awake_since: Duration,
    // How far the wall clock is ahead of the monotonic one, ms.
    clock_ahead: u64,
    inbound: Inbound,
    figures: Counters,
    reported: BTreeSet<Skipped>,
    is_full_said: bool,
    actions: VecDeque<Action>,
    notices: VecDeque<Event>,
}

impl Core {
    /// A server that starts now. `seed` decides every random choice.
    pub fn new(settings: Settings, now: Now, seed: u64) -> Self {
        let last_legacy = settings.base_url.clone();
        let lists = settings.lists.iter().map(|_| MasterList::default()).collect();
        let mut core = Self {
            settings,
            phase: Phase::Running,
            members: Members::default(),
            claim: None,
            url_doubt: UrlDoubt::None,
            rival: Rival::None,
            exchanges: BTreeMap::new(),
            next_id: 0,
            suspicions: BTreeMap::new(),
            spared: BTreeMap::new(),
            claims: BTreeMap::new(),
            rumours: BTreeSet::new(),
            renewed: BTreeMap::new(),
            pushes: RateLimit::new(PUSHES, now.mono),
            checks: RateLimit::new(CHECKS, now.mono),
            asks: RateLimit::new(ASKS, now.mono),
            favours: RateLimit::new(FAVOURS, now.mono),
            futile: VecDeque::new(),
            changed: VecDeque::new(),
            legacy_turn: 0,
            last_legacy,
            last_answer: now.mono,
            met: None,
            bootstrap: Some(Bootstrap::default()),
            seeds: Seeds::default(),
            lists,
            saved: None,
            timers: Timers::default(),
            rng: SmallRng::seed_from_u64(seed),
            last_beat: now.mono,
            awake_since: now.mono,
            clock_ahead: now.wall.wrapping_sub(now.mono.as_millis() as u64),
            inbound: Inbound::default(),
            figures: Counters::default(),
            reported: BTreeSet::new(),
            is_full_said: false,
            actions: VecDeque::new(),
            notices: VecDeque::new(),
        };
        core.be_born(now);
        core.read_lists_first(now);
        core.schedule_round(now);
        core.timers.set(Timer::Silence, now.mono + core.settings.interval);
        core.timers.set(Timer::Expire, now.mono + EXPIRY_INTERVAL);
        core.schedule_state(now);
        core
    }

    /// Something to carry out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Something that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.notices.pop_front()
    }

    /// Whether there is anything to poll.
    pub fn has_output(&self) -> bool {
        !self.actions.is_empty() || !self.notices.is_empty()
    }

    /// When to call [`Core::handle_timeout`] next, as monotonic time.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.suspicions.values().map(|suspicion| suspicion.deadline).chain(self.timers.next()).min()
    }

    /// Everybody known.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Makes it one of a cluster that has run for a while. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn adopt(&mut self, mut members: Members, now: Now) {
        let own = self.own().clone();
        members.put(own, now);
        self.members = members;
        self.seeds = Seeds::default();
        self.lists.iter_mut().for_each(MasterList::abandon);
        self.rumours.clear();
        self.end_bootstrap();
    }

    /// What time has brought.
    pub fn handle_timeout(&mut self, now: Now) {
        self.look_at_clocks(now);
        while let Some(timer) = self.timers.take_due(now.mono) {
            match timer {
                Timer::Round => self.round(now),
                Timer::Silence => self.notice_silence(now),
                Timer::Rumours => self.push_rumours(now),
                Timer::Checks => self.check_claims(now),
                Timer::CatchUp => self.catch_up(now),
                Timer::Seeds => self.try_seeds(now),
                Timer::List => self.sync_lists_due(now),
                Timer::State => self.save_state(now),
                Timer::Expire => self.expire(now),
                Timer::Leave => self.finish_leave(),
            }
        }
        self.settle_suspicions(now);
    }

    /// The program's event loop turns. Without this the server vouches for nobody, itself included.
    pub fn handle_heartbeat(&mut self, now: Now) {
        self.look_at_clocks(now);
        if !self.is_awake(now) {
            self.doubt_ourselves(now);
        }
        self.last_beat = now.mono;
        if !self.claims.is_empty() && !self.timers.is_set(Timer::Checks) {
            self.check_claims(now);
        }
    }

    // A machine that was suspended may not count the time in its monotonic clock.
    fn look_at_clocks(&mut self, now: Now) {
        let ahead = now.wall.wrapping_sub(now.mono.as_millis() as u64);
        let moved = ahead.wrapping_sub(self.clock_ahead).cast_signed().unsigned_abs();
        self.clock_ahead = ahead;
        if moved > CLOCK_JUMP {
            self.doubt_ourselves(now);
        }
    }

    // What failed until now says nothing about others.
    fn doubt_ourselves(&mut self, now: Now) {
        self.awake_since = now.mono;
        self.suspicions.clear();
    }

    /// Whether one more message may be handled now. Asked before it is even read.
    pub fn admit(&mut self, now: Now) -> Result<(), Error> {
        self.inbound.admit(now.mono)
    }

    /// Whether one more message of its sender may be handled now, if it says who that is. After [`Core::admit`].
    pub fn admit_from(&mut self, message: &Message) -> Result<(), Error> {
        let from = message.envelope.as_ref().and_then(|envelope| envelope.sender.as_ref());
        from.map_or(Ok(()), |from| self.inbound.admit_from(from))
    }

    /// A peer's message, admitted. Returns the answer to it.
    pub fn handle_gossip(&mut self, now: Now, message: &Message) -> Message {
        self.handle_heartbeat(now);
        let from = message.envelope.as_ref().and_then(|envelope| envelope.sender.clone());
        let is_repair = message.envelope.as_ref().is_some_and(|envelope| !envelope.requested_buckets.is_empty());
        if from.as_ref() == Some(&self.settings.base_url) {
            self.hear_mirror(message, now);
            return Message::new_v2(self.own().clone(), [], Envelope::default());
        }
        self.figures.last_in = Some((now.wall, from.clone()));
        self.hear_all(message, from.as_ref(), Voice::Itself, is_repair, now);
        if let Some(from) = &from {
            self.members.heard(from, now);
        }
        self.vouch(now);
        if matches!(self.url_doubt, UrlDoubt::Unheard { .. }) {
            self.url_doubt = UrlDoubt::None;
        }
        let Some(envelope) = &message.envelope else {
            return self.answer_legacy();
        };
        if let Some(from) = &from {
            self.others_reach(from, &envelope.probe_successes);
            self.try_for(from, &envelope.probe_requests, now);
            if envelope.suspects_receiver {
                self.speak_up(from, now);
            }
        }
        let said = message.entries.iter().find(|entry| Some(&entry.url) == from.as_ref());
        self.answer(said, envelope, now)
    }

    /// A control request: takes this server out of the online list, or back into it, and tells the others.
    pub fn handle_control(&mut self, now: Now, online: bool) {
        self.handle_heartbeat(now);
        let (state, reason) = if online { (State::Online, None) } else { (State::Offline, Some(Reason::Drained)) };
        if self.phase == Phase::Running && self.own().state != state {
            self.declare_self(state, reason, now);
            self.announce(now);
        }
    }

    /// The program shuts down: tells the others. [`Event::Left`] says when it is done.
    pub fn handle_leave(&mut self, now: Now) {
        if self.phase != Phase::Running {
            return;
        }
        self.handle_heartbeat(now);
        self.phase = Phase::Leaving;
        self.timers.clear();
        self.suspicions.clear();
        self.claims.clear();
        self.rumours.clear();
        self.exchanges.clear();
        self.lists.iter_mut().for_each(MasterList::abandon);
        self.end_bootstrap();
        self.declare_self(State::Offline, Some(Reason::Left), now);
        self.announce(now);
        let limit = if self.settings.update_list_on_shutdown {
            self.update_lists_last(now);
            LEAVE_LIMIT_WITH_LIST
        } else {
            LEAVE_LIMIT
        };
        self.timers.set(Timer::Leave, now.mono + limit);
        self.finish_leave_if_told();
    }

    fn finish_leave_if_told(&mut self) {
        if self.phase == Phase::Leaving && self.exchanges.is_empty() && !self.lists.iter().any(MasterList::is_pending) {
            self.finish_leave();
        }
    }

    fn finish_leave(&mut self) {
        self.phase = Phase::Left;
        self.timers.clear();
        self.exchanges.clear();
        self.notices.push_back(Event::Left);
    }

    fn is_awake(&self, now: Now) -> bool {
        now.mono.saturating_sub(self.last_beat) <= STALL
    }

    /// Whether it goes on, and its program with it: then it may judge others.
    fn is_working(&self, now: Now) -> bool {
        self.phase == Phase::Running && self.is_awake(now)
    }

    fn report_skipped(&mut self, skipped: &[Skipped]) {
        for entry in skipped {
            if self.reported.len() < MAX_NAMED && self.reported.insert(entry.clone()) {
                self.notices.push_back(Event::EntrySkipped(entry.clone()));
            }
        }
    }

    fn say_full(&mut self) {
        if !self.is_full_said {
            self.is_full_said = true;
            self.notices.push_back(Event::Full);
        }
    }

    // Our own drain, its end, or our leave: it is told more widely than a rumour, and no further by us.
    fn announce(&mut self, now: Now) {
        self.rumours.remove(&self.settings.base_url);
        for to in self.members.audience(&self.settings.base_url, &mut self.rng) {
            self.tell(to, Purpose::Push, Vec::new(), Envelope::default(), now);
        }
    }

    fn expire(&mut self, now: Now) {
        self.timers.set(Timer::Expire, now.mono + EXPIRY_INTERVAL);
        self.renewed.retain(|_, at| now.mono < *at + self.settings.interval);
        self.look_at_lists_if_alone(now);
        for entry in self.members.expire(&self.settings.base_url, now) {
            self.seeds.add_candidate(&entry, now);
            if entry.state == State::Online {
                // Until it has been met anew it is not listed.
                let event = MemberEvent { kind: MemberEventKind::Offline, entry, at: now.wall, known_after: 0 };
                self.notices.push_back(Event::Member(event));
            }
        }
        let members = &self.members;
        self.spared.retain(|url, _| members.get(url).is_some());
        self.expect_seeds(now);
    }

    fn random_factor(&mut self, range: std::ops::Range<f64>) -> f64 {
        self.rng.random_range(range)
    }
}

// Neither is collected: that would sort first, which is 8 kB of code for each type.
fn urls<'a>(urls: impl Iterator<Item = &'a ServerUrl>) -> BTreeSet<&'a ServerUrl> {
    let mut set = BTreeSet::new();
    set.extend(urls);
    set
}

fn by_url<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<&'a ServerUrl, &'a Entry> {
    let mut map = BTreeMap::new();
    map.extend(entries.map(|entry| (&entry.url, entry)));
    map
}

#[cfg(test)]
mod tests;
