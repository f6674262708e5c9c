//! The protocol: when to gossip with whom, and what follows from the answers. Pure: it reads no clock, sends nothing,
//! draws its random numbers from a seed.

mod detector;
mod event;
mod master_list;
mod own;
mod timer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::clock::Now;
use crate::config::Settings;
use crate::error::Error;
use crate::membership::{Change, Members};
use crate::message::{Entry, MAX_NAMED, Message, Reason, ServerUrl, Skipped, State};

use detector::{Began, Exchange, Purpose, Retry};
pub use event::{Action, ExchangeError, Id, Notice};
use master_list::MasterList;
use timer::{Timer, Timers};

/// After how long without a sign of the event loop the program counts as hung. Longer than a garbage collection or a
/// synchronous start-up task should take, shorter than the two time-outs after which others call a server dead.
const STALL: Duration = Duration::from_secs(5);
/// How often what has expired is looked for: tombstones live 24 h, a minute more does not matter.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);
/// A leave ends 6 s after it began, with a master list update 12 s (the promise of `shazbotShutDown`), less a margin
/// for carrying it out.
const LEAVE_LIMIT: Duration = Duration::from_millis(5_800);
const LEAVE_LIMIT_WITH_LIST: Duration = Duration::from_millis(11_800);
/// Gossip messages handled in a second: fifty times what the restart of a large cluster sends to one server.
const INBOUND_PER_SECOND: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Leaving,
    Left,
}

/// One server's protocol.
///
/// Order of calling: after [`Core::new`] and after every `handle_*`, take all of [`Core::poll_action`] and
/// [`Core::poll_notice`]; carry out the actions and give back their outcome; call [`Core::handle_timeout`] when
/// [`Core::poll_timeout`] says so; call [`Core::handle_beat`] at least every 2 s for as long as the program works.
/// `now` never goes back in its monotonic part; its wall part may step.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    phase: Phase,
    members: Members,
    // The greatest of what others say of us beyond what we say, until we answer it.
    claim: Option<Entry>,
    // How often we have answered that we cannot be reached.
    deaths_answered: u32,
    exchanges: BTreeMap<Id, Exchange>,
    retries: Vec<Retry>,
    next_id: Id,
    // The exchanges of the bootstrap that have no answer yet; empty before there are any, None once started.
    bootstrap: Option<BTreeSet<Id>>,
    list: MasterList,
    timers: Timers,
    rng: SmallRng,
    last_beat: Duration,
    // When the program last came back from a stall: exchanges from before say nothing about others.
    awake_since: Duration,
    inbound: (Duration, u32),
    reported: BTreeSet<Skipped>,
    actions: VecDeque<Action>,
    notices: VecDeque<Notice>,
}

impl Core {
    /// A server that starts now. `seed` decides every random choice.
    pub fn new(settings: Settings, now: Now, seed: u64) -> Self {
        let mut core = Self {
            settings,
            phase: Phase::Running,
            members: Members::default(),
            claim: None,
            deaths_answered: 0,
            exchanges: BTreeMap::new(),
            retries: Vec::new(),
            next_id: 0,
            bootstrap: Some(BTreeSet::new()),
            list: MasterList::default(),
            timers: Timers::default(),
            rng: SmallRng::seed_from_u64(seed),
            last_beat: now.mono,
            awake_since: now.mono,
            inbound: (now.mono, 0),
            reported: BTreeSet::new(),
            actions: VecDeque::new(),
            notices: VecDeque::new(),
        };
        core.be_born(now);
        core.read_list_first(now);
        core.schedule_round(now);
        core.timers.set(Timer::Expire, now.mono + EXPIRY_INTERVAL);
        core
    }

    /// Something to carry out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Something that happened.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Whether there is anything to poll.
    pub fn has_output(&self) -> bool {
        !self.actions.is_empty() || !self.notices.is_empty()
    }

    /// When to call [`Core::handle_timeout`] next, as monotonic time.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.retries.iter().map(|retry| retry.at).chain(self.timers.next()).min()
    }

    /// Everybody known.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Makes it one of a cluster that has run for a while: every one of these servers has answered it. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn adopt(&mut self, mut members: Members, now: Now) {
        let own = self.own().clone();
        members.put(own, now);
        self.members = members;
    }

    /// What time has brought.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.take_due(now.mono) {
            match timer {
                Timer::Round => self.round(now),
                Timer::Seeds => self.try_seeds(now),
                Timer::List => self.sync_list(),
                Timer::Expire => self.expire(now),
                Timer::Leave => self.finish_leave(),
            }
        }
        self.retry_probes(now);
    }

    /// The program's event loop turns. Without this the server vouches for nobody, itself included.
    pub fn handle_beat(&mut self, now: Now) {
        if !self.is_awake(now) {
            self.awake_since = now.mono;
        }
        self.last_beat = now.mono;
    }

    /// Whether one more message may be handled now. Asked before it is even read.
    pub fn admit(&mut self, now: Now) -> Result<(), Error> {
        let (since, count) = &mut self.inbound;
        if now.mono.saturating_sub(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now.mono, 0);
        }
        *count += 1;
        if *count > INBOUND_PER_SECOND { Err(Error::Limit) } else { Ok(()) }
    }

    /// A peer's message, admitted. Returns the answer to it.
    pub fn handle_gossip(&mut self, now: Now, message: Message) -> Message {
        self.handle_beat(now);
        self.merge(message, now);
        self.vouch(now);
        Message::new(self.members.entries().cloned().collect())
    }

    /// The outcome of [`Action::Gossip`].
    pub fn handle_answer(&mut self, now: Now, id: Id, answer: Result<Message, ExchangeError>) {
        let Some(exchange) = self.exchanges.remove(&id) else {
            return;
        };
        match answer {
            Ok(message) => {
                self.merge(message, now);
                self.members.answered(&exchange.to, now);
                self.list.seed_answered(&exchange.to);
                self.vouch(now);
            }
            Err(error) => {
                self.list.seed_failed(&exchange.to);
                self.notices.push_back(Notice::ExchangeFailed(exchange.to.clone(), error.clone()));
                self.judge(exchange, &error, now);
            }
        }
        self.end_bootstrap_exchange(id);
        if self.phase == Phase::Leaving && self.exchanges.is_empty() && !self.list.is_busy() {
            self.finish_leave();
        }
    }

    /// A control request: takes this server out of the online list, or back into it, and tells the others.
    pub fn handle_control(&mut self, now: Now, online: bool) {
        self.handle_beat(now);
        let (state, reason) = if online { (State::Online, None) } else { (State::Offline, Some(Reason::Drained)) };
        if self.phase == Phase::Running && self.own().state != state {
            self.declare_self(state, reason, now);
            self.announce(now);
        }
    }

    /// The program shuts down: tells the others. [`Notice::Left`] says when it is done.
    pub fn handle_leave(&mut self, now: Now) {
        if self.phase != Phase::Running {
            return;
        }
        self.handle_beat(now);
        self.phase = Phase::Leaving;
        self.timers.clear();
        self.retries.clear();
        self.exchanges.clear();
        self.list.abandon();
        self.end_bootstrap();
        self.declare_self(State::Offline, Some(Reason::Left), now);
        self.announce(now);
        let limit = if self.settings.update_list_on_shutdown {
            self.update_list_last();
            LEAVE_LIMIT_WITH_LIST
        } else {
            LEAVE_LIMIT
        };
        self.timers.set(Timer::Leave, now.mono + limit);
        if self.exchanges.is_empty() && !self.list.is_busy() {
            self.finish_leave();
        }
    }

    fn finish_leave(&mut self) {
        self.phase = Phase::Left;
        self.timers.clear();
        self.exchanges.clear();
        self.notices.push_back(Notice::Left);
    }

    fn is_awake(&self, now: Now) -> bool {
        now.mono.saturating_sub(self.last_beat) <= STALL
    }

    fn merge(&mut self, message: Message, now: Now) {
        self.report(message.skipped);
        for entry in message.entries {
            if entry.url == self.settings.base_url {
                self.hear_of_self(entry);
            } else {
                let url = entry.url.clone();
                let change = self.members.merge(entry, now);
                self.note(url, change);
            }
        }
    }

    fn note(&mut self, url: ServerUrl, change: Change) {
        match change {
            Change::None | Change::Refreshed => {}
            Change::Online => self.notices.push_back(Notice::Online(url)),
            Change::Offline => {
                let life = self.members.get(&url).and_then(|member| member.entry.life.as_ref());
                let reason = life.and_then(|life| life.reason);
                let author = life.and_then(|life| life.author.clone());
                self.notices.push_back(Notice::Offline { url, reason, author });
            }
        }
    }

    fn report(&mut self, skipped: Vec<Skipped>) {
        for entry in skipped {
            if self.reported.len() < MAX_NAMED && self.reported.insert(entry.clone()) {
                self.notices.push_back(Notice::EntrySkipped(entry));
            }
        }
    }

    fn announce(&mut self, now: Now) {
        let audience = self.members.audience(&self.settings.base_url, &mut self.rng);
        self.send_all(audience, now);
    }

    fn send_all(&mut self, to: Vec<ServerUrl>, now: Now) -> Vec<Id> {
        let message = self.message();
        to.into_iter().map(|to| self.send_this(to, Purpose::Contact, Arc::clone(&message), now)).collect()
    }

    fn send(&mut self, to: ServerUrl, purpose: Purpose, now: Now) {
        let message = self.message();
        self.send_this(to, purpose, message, now);
    }

    fn send_this(&mut self, to: ServerUrl, purpose: Purpose, message: Arc<Message>, now: Now) -> Id {
        let id = self.new_id();
        self.actions.push_back(Action::Gossip {
            id,
            to: to.clone(),
            message,
            timeout: detector::EXCHANGE_TIMEOUT,
            fresh: false,
        });
        let own_clock = self.members.get(&to).map_or(0, |member| member.own_clock(now));
        self.exchanges.insert(id, Exchange { to, purpose, began: Began { mono: now.mono, own_clock } });
        id
    }

    fn message(&self) -> Arc<Message> {
        Arc::new(Message::new(self.members.entries().cloned().collect()))
    }

    fn new_id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    fn expire(&mut self, now: Now) {
        self.timers.set(Timer::Expire, now.mono + EXPIRY_INTERVAL);
        for entry in self.members.expire(&self.settings.base_url, now) {
            self.list.add_seed(&entry, now);
        }
        self.expect_seeds(now);
    }

    fn end_bootstrap_exchange(&mut self, id: Id) {
        if let Some(pending) = &mut self.bootstrap
            && pending.remove(&id)
            && pending.is_empty()
        {
            self.end_bootstrap();
        }
    }

    fn end_bootstrap(&mut self) {
        if self.bootstrap.take().is_some() {
            self.notices.push_back(Notice::Started);
        }
    }

    fn random_factor(&mut self, range: std::ops::Range<f64>) -> f64 {
        self.rng.random_range(range)
    }
}

#[cfg(test)]
mod tests;
