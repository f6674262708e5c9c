//! The gossip protocol: failure detection, dissemination, anti-entropy repair, discovery. It is pure: it reads no
//! clock, does no I/O, and draws random numbers from a seed.
//!
//! [`Core`] routes inputs to its parts: timers and control here, rounds and suspicions in `rounds.rs`, messages in
//! `dispatch.rs`, entries in `entries.rs`, lists and seeds in `discovery/`. Each part owns its state and never calls
//! another part: `Core` passes what one needs from another as arguments.

mod action;
mod admission;
mod broadcast;
mod clock_check;
mod counters;
mod detector;
mod discovery;
mod dispatch;
mod entries;
mod event;
mod exchange;
mod freshness;
mod leave;
mod legacy;
mod lifecycle;
mod local;
mod output;
mod own_changes;
mod pacing;
mod parts;
mod rate_limit;
mod repair;
mod rounds;
mod self_probe;
mod suspicion;
mod timer;
mod verify;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;
use crate::config::Settings;
use crate::error::Error;
use crate::membership::{Change, Members};
pub use crate::membership::{Failure, FailureCode};
use crate::message::{Entry, Envelope, Message, Reason, ServerUrl, State, Tags};

pub use action::{Action, ExchangeError, ListIndex, NameIndex, Place, RequestId, WatchEnd, WriteError};
use admission::Admission;
use broadcast::Broadcasts;
use clock_check::ClockCheck;
pub use counters::{Counters, ListStatus, WatchCounters};
use detector::FailureDetector;
use discovery::Discovery;
pub use event::{Event, MemberEvent, MemberEventKind, Resolved};
use exchange::{Content, Exchanges, Purpose, Request};
use legacy::Legacy;
use lifecycle::{Lifecycle, Phase};
use local::LocalMember;
use output::Output;
use repair::Repair;
use self_probe::SelfProbe;
use suspicion::NextStep;
use timer::Timer;
use verify::Verifier;
use watch::Watches;

/// How often expired entries are removed. Tombstones live for hours, so a minute more does not matter.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// The protocol state of one server.
///
/// After [`Core::new`] and after every `handle_*`, drain [`Core::poll_action`] and [`Core::poll_event`], carry out the
/// actions, and report their outcomes. Call [`Core::handle_timeout`] at the time that [`Core::poll_timeout`] returns,
/// and [`Core::handle_heartbeat`] at least every 2 s while the program's event loop turns. `now` must be monotonic in
/// `mono`; `wall` may jump.
#[derive(Clone, Debug)]
pub struct Core {
    lifecycle: Lifecycle,
    clock_check: ClockCheck,
    members: Members,
    local: LocalMember,
    self_probe: SelfProbe,
    exchanges: Exchanges,
    detector: FailureDetector,
    verifier: Verifier,
    broadcasts: Broadcasts,
    watches: Watches,
    repair: Repair,
    legacy: Legacy,
    discovery: Discovery,
    admission: Admission,
    out: Output,
}

impl Core {
    /// A server that starts now. The seed determines every random choice.
    pub fn new(settings: &Settings, now: Now, seed: u64) -> Self {
        let (url, interval) = (settings.base_url.clone(), settings.interval);
        let mut core = Self {
            lifecycle: Lifecycle::new(now),
            clock_check: ClockCheck::default(),
            members: Members::new(url.clone()).forgetting_leaves(settings.forget_after.as_millis() as u64),
            local: LocalMember::new(&url, interval, now),
            self_probe: SelfProbe::new(interval),
            exchanges: Exchanges::new(interval),
            detector: FailureDetector::new(interval, now),
            verifier: Verifier::new(now),
            broadcasts: Broadcasts::new(interval, now),
            watches: Watches::default(),
            repair: Repair::new(interval),
            legacy: Legacy::new(interval, url.clone()),
            discovery: Discovery::new(settings),
            admission: Admission::new(now.mono),
            out: Output::new(seed, now.mono),
        };
        let own = LocalMember::first_entry(settings, now, &mut core.out);
        core.put_local(own, now);
        core.discovery.lists.start(&core.members, now, &mut core.out);
        core.discovery.names.start(&mut core.out);
        core.discovery.saved_state.schedule(now, &mut core.out);
        core.detector.schedule_round(now, &mut core.out);
        core.detector.schedule_first_silence(now, &mut core.out);
        FailureDetector::schedule_startup_contact(now, &mut core.out);
        SelfProbe::start(now, &mut core.out);
        core.out.timers.set(Timer::Expire, now.mono + EXPIRY_INTERVAL);
        core
    }

    /// The next action to carry out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.take_action()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.take_event()
    }

    /// Whether an action or event waits.
    pub fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    /// When to call [`Core::handle_timeout`] next, monotonic.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.detector.next_deadline().into_iter().chain(self.out.timers.next()).min()
    }

    /// All known servers.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Totals since the start.
    pub fn counters(&self) -> &Counters {
        &self.out.counters
    }

    /// The name and status of each master list and DNS name.
    pub fn list_statuses(&self) -> impl Iterator<Item = (&str, &ListStatus)> {
        self.discovery.lists.statuses().chain(self.discovery.names.statuses())
    }

    /// Whether it leaves unannounced, because another process may have its base URL. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn leaves_silently(&self) -> bool {
        match self.lifecycle.phase() {
            Phase::Running => false,
            Phase::Leaving => self.exchanges.count(|purpose| matches!(purpose, Purpose::SelfProbe)) > 0,
            Phase::Left => !self.self_probe.is_found(),
        }
    }

    /// Restarts the random numbers: later choices do not depend on earlier ones. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn reseed(&mut self, seed: u64) {
        self.out.reseed(seed);
    }

    /// Starts as a member of a cluster that has run for a while. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn adopt(&mut self, members: Members, now: Now) {
        let own = self.own().clone();
        let mut members = members.held_by(own.url.clone());
        members.put(own, now);
        self.members = members;
        self.broadcasts.clear();
        self.out.timers.set_earlier(Timer::Watch, now.mono);
        self.discovery.seeds.clear();
        self.discovery.lists.abandon();
        self.discovery.bootstrap.end(&mut self.out);
    }

    /// The time of [`Core::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Now) {
        self.check_clocks(now);
        self.check_lateness(now);
        while let Some(timer) = self.out.timers.take_due(now.mono) {
            match timer {
                Timer::Round => self.round(now),
                Timer::Silence => self.probe_silent_neighbours(now),
                Timer::Startup => {
                    if !self.local.is_contacted() {
                        FailureDetector::schedule_startup_contact(now, &mut self.out);
                        self.contact_predecessors(now);
                    }
                }
                Timer::SelfProbe => self.probe_self(1, now),
                Timer::Broadcast => {
                    let messages = self.broadcasts.next_messages(&self.members, now, &mut self.out);
                    self.send_all(messages, now);
                }
                Timer::Verification => self.verify_reports(now),
                Timer::CatchUp => {
                    if self.lifecycle.is_working(now) {
                        let contacts = Repair::catch_up(&self.members, &mut self.out);
                        self.send_all(contacts, now);
                    }
                }
                Timer::Seeds => self.send_seed_contacts(now),
                Timer::Lists => self.discovery.lists.sync_due(&self.members, now, &mut self.out),
                Timer::Names => self.look_up_names(now),
                Timer::SaveState => self.save_state(now),
                Timer::Expire => self.expire(now),
                Timer::Watch => {
                    if self.lifecycle.is_running() {
                        self.watches.update(&self.members, now, &mut self.out);
                    }
                }
                Timer::OwnChanges => self.send_own_changes(now),
                Timer::Leave => self.finish_leave(),
            }
        }
        self.advance_suspicions(now);
    }

    /// A watch is open.
    pub fn handle_watch_opened(&mut self, now: Now, id: RequestId) {
        self.watches.on_opened(id, now, &mut self.out);
    }

    /// A watch has ended or could not be opened.
    pub fn handle_watch_ended(&mut self, now: Now, id: RequestId, end: WatchEnd) {
        self.check_clocks(now);
        if let Some(url) = self.watches.on_end(id, end, now, &mut self.out) {
            if end == WatchEnd::Vanished {
                self.on_vanished(&url, now);
            } else {
                self.on_hint(&url, now);
            }
        }
    }

    /// How many watches are open.
    pub fn open_watches(&self) -> usize {
        self.watches.open()
    }

    /// The program's event loop turned. Without heartbeats the server neither claims to be up nor judges others.
    pub fn handle_heartbeat(&mut self, now: Now) {
        self.check_clocks(now);
        if self.lifecycle.on_heartbeat(now) {
            self.detector.clear_suspicions();
        }
        if self.verifier.has_reports() && !self.out.timers.is_set(Timer::Verification) {
            self.verify_reports(now);
        }
    }

    fn check_clocks(&mut self, now: Now) {
        if self.lifecycle.check_clocks(now) {
            self.detector.clear_suspicions();
            if self.clock_check.is_wrong() && self.lifecycle.is_running() {
                self.discovery.lists.read_now(now, &mut self.out);
            }
            self.clock_check.reset(&mut self.out);
        }
    }

    /// Whether a version 1 message may be handled now. Call it before parsing the message.
    pub fn admit_v1(&mut self, now: Now) -> Result<(), Error> {
        self.admission.admit_v1(now.mono)
    }

    /// Whether a message may be handled now that claims to be from `sender`. Call it before parsing the rest.
    pub fn admit_v2(&mut self, sender: Option<&str>, now: Now) -> Result<(), Error> {
        let known = sender.and_then(|sender| self.members.known(sender));
        match known.filter(|sender| self.members.is_reached(sender)) {
            Some(sender) => self.admission.admit_member(&sender, now.mono),
            None => self.admission.admit_stranger(now.mono),
        }
    }

    /// A control request: drains this server or ends its drain, and announces it.
    pub fn handle_control(&mut self, now: Now, online: bool) {
        self.handle_heartbeat(now);
        let (state, reason) = if online { (State::Online, None) } else { (State::Offline, Some(Reason::Drained)) };
        if self.lifecycle.is_running() && self.own().state != state {
            self.declare_local(state, reason, now);
        }
    }

    fn expire(&mut self, now: Now) {
        self.broadcasts.expire(now);
        if self.lifecycle.is_running() {
            self.discovery.lists.read_if_alone(&self.members, now, &mut self.out);
        }
        let (ahead, has_more) = self.members.expire(now);
        let wait = if has_more { Duration::from_secs(1) } else { EXPIRY_INTERVAL };
        self.out.timers.set(Timer::Expire, now.mono + wait);
        for entry in ahead {
            self.discovery.seeds.add_candidate(&entry, now);
            if entry.state == State::Online {
                // Reported offline, because it is not listed again until it answers.
                let kind = MemberEventKind::Offline;
                let event = MemberEvent { kind, entry, failure: None, at: now.wall, known_after: 0 };
                self.out.report(Event::Member(event));
            }
        }
        self.detector.expire(&self.members);
        self.schedule_seed_contacts(now);
    }

    /// Whether this process was found at its base URL, by a peer or by itself.
    pub fn is_found(&self) -> bool {
        self.self_probe.is_found()
    }

    // Our own entry.
    fn own(&self) -> &Entry {
        // `new` adds it and nothing removes it.
        self.members.local().expect("the local entry is always there")
    }

    // Stamps our entry and refutes claims about us.
    fn refresh_local(&mut self, now: Now) {
        if self.lifecycle.is_awake(now) {
            let own = self.local.refresh(self.own().clone(), now, &mut self.out);
            self.put_local(own, now);
        }
    }

    // Changes our state because the program wants it. Announced to more servers than other updates, because no server
    // passes it on.
    fn declare_local(&mut self, state: State, reason: Option<Reason>, now: Now) {
        self.refresh_local(now);
        let has_peers = self.members.successors().next().is_some();
        let own = self.local.declare(self.own().clone(), state, reason, has_peers, now);
        self.put_local(own, now);
        self.broadcasts.forget(self.members.local_url());
        let message = Arc::new(Message::new_v2(self.own().clone(), [], Envelope::default()));
        for to in self.members.announcement_targets(&mut self.out.rng) {
            let content = Content::Message(Arc::clone(&message));
            self.send(Request::with(to, Purpose::Update { ring_tries: 0 }, content), now);
        }
    }

    fn put_local(&mut self, own: Entry, now: Now) {
        let url = own.url.clone();
        let change = self.members.put(own, now);
        if self.on_change(&url, change, now) {
            self.broadcast(url, now);
        }
    }
}

#[cfg(test)]
mod tests;
