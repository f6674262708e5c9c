//! The usual course of an explored cluster: its events in the order of time, and what the processes want done after them.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use clustershazbot::clock::Now;
use clustershazbot::message::{Message, State as Listed};
use clustershazbot::protocol::{Action, Event as CoreEvent, ExchangeError, MemberEventKind, WatchEnd};

use super::canonical::hash;
use super::event::{Body, Event, Exchange, Kind, Link, Outcome};
use super::state::{Leaving, State};
use crate::world::{Direction, Health, Process, Version, Violation};

/// How long a message takes at least. What happens at one server cannot change what happens at another one sooner.
pub const LATENCY: Duration = Duration::from_millis(10);

/// After how long a watch connection cannot be opened to a host that has vanished.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After how long keep-alive packets have found that a host has vanished.
const VANISHED_AFTER: Duration = Duration::from_secs(11);

/// How long a message takes between two servers. Each pair has its own time, so that few events happen at once.
pub fn latency(from: usize, to: usize) -> Duration {
    LATENCY + Duration::from_millis(3 * from as u64 + to as u64)
}

impl State {
    /// Handles the next event.
    pub fn step(&mut self) -> Result<(), Violation> {
        let Some(event) = self.next_event() else { return Ok(()) };
        self.handle(event)
    }

    /// Handles one event, and checks what must hold.
    pub fn handle(&mut self, event: Event) -> Result<(), Violation> {
        let (at, server) = (event.at, event.server);
        let own = self.own_incarnation(server);
        self.carry_out(event)?;
        if let (Some(before), Some(after)) = (own, self.own_incarnation(server))
            && before > after
            && !self.nodes()[server].has_stepped
        {
            let details = format!("that of server {server} falls from {before} to {after}");
            return Err(Violation { invariant: "the own incarnation never falls", at, details });
        }
        self.check(server)
    }

    fn own_incarnation(&self, server: usize) -> Option<u64> {
        Some(self.nodes()[server].server.own_entry()?.v2.as_ref()?.incarnation)
    }

    fn carry_out(&mut self, event: Event) -> Result<(), Violation> {
        self.now = event.at;
        let server = event.server;
        if event.kind.identity() != Kind::Timer.identity() {
            self.remove(&event);
        }
        if self.is_held(&event) {
            let node = &self.nodes()[server];
            let (at, is_late) = (node.busy_until, node.server.health == Health::Late);
            let kind = match event.kind {
                // A late thread finds what has arrived, although its timeout has passed meanwhile.
                Kind::Outcome(exchange, outcome) if is_late => {
                    Kind::Outcome(Exchange { deadline: exchange.deadline.max(at), ..exchange }, outcome)
                }
                kind => kind,
            };
            self.events.push(Arc::new(Event { at, kind, ..event }));
            return Ok(());
        }
        self.note(|_| format!("server {server}: {}", event.kind));
        self.node_mut(server).last = self.now;
        match event.kind {
            Kind::Timer => {
                let now = self.now;
                Arc::make_mut(&mut self.invariants).on_wake(server, now);
                self.node_mut(server).late_timer = None;
                self.call(server, Process::handle_timeout)?;
                self.node_mut(server).has_other_seed = false;
            }
            Kind::Request(exchange, body) => self.answer(exchange, &body)?,
            Kind::Outcome(exchange, outcome) => self.learn_outcome(exchange, outcome)?,
            Kind::WatchConnects(link) => self.connect(link),
            Kind::WatchOpened(link) => {
                self.call(server, |process, now| process.handle_watch_opened(now, link.id))?;
            }
            Kind::WatchEnded(link, end) => self.end_watch(link, end)?,
            Kind::Start => self.start(server)?,
            Kind::Resume => {
                let now = self.clock_of(server);
                let node = self.node_mut(server);
                node.server.health = Health::Up;
                node.server.restart_heartbeats(now.mono);
                self.call(server, Process::handle_heartbeat)?;
            }
        }
        Ok(())
    }

    /// Takes an event out of what is under way.
    pub fn remove(&mut self, event: &Event) {
        let order = event.order();
        self.events.retain(|it| it.order() != order);
    }

    // Requests wait for a blocked program, and everything for a suspended process.
    fn is_held(&self, event: &Event) -> bool {
        let node = &self.nodes()[event.server];
        let is_busy = self.now < node.busy_until;
        match (node.server.health, &event.kind) {
            (_, Kind::Resume | Kind::Start | Kind::WatchConnects(_)) => false,
            (Health::Hung, _)
            | (Health::Blocked, Kind::Request(..))
            | (Health::Late, Kind::Outcome(..) | Kind::WatchOpened(_) | Kind::WatchEnded(..)) => is_busy,
            (Health::Up | Health::Late | Health::Blocked | Health::Gone | Health::Down, _) => false,
        }
    }

    fn learn_outcome(&mut self, exchange: Exchange, outcome: Outcome) -> Result<(), Violation> {
        self.forget_outcomes(exchange);
        let outcome = match outcome {
            // A process that was suspended finds that its timeout has passed before it finds the answer.
            _ if self.now > exchange.deadline => Err(ExchangeError::TimedOut),
            Outcome::Answered(body) => Ok(Message::clone(&body.message)),
            Outcome::Refused => Err(ExchangeError::Refused("refused".into())),
            Outcome::Reset => Err(ExchangeError::Other("connection reset".into())),
            Outcome::TimedOut => Err(ExchangeError::TimedOut),
        };
        self.call(exchange.from, |process, now| process.handle_response(now, exchange.id, outcome))?;
        Ok(())
    }

    fn end_watch(&mut self, link: Link, end: WatchEnd) -> Result<(), Violation> {
        self.remove_links(|it| *it == link);
        let before = self.listed_by(link.from);
        self.call(link.from, |process, now| process.handle_watch_ended(now, link.id, end))?;
        if before != self.listed_by(link.from) {
            let details = format!("the end of a watch changed the list of server {}", link.from);
            return Err(Violation { invariant: "a hint decides nothing", at: self.now, details });
        }
        Ok(())
    }

    fn listed_by(&self, server: usize) -> Vec<Listed> {
        let entries = self.nodes()[server].server.process.iter().flat_map(Process::entries);
        entries.map(|entry| entry.state).collect()
    }

    /// Gives an input to a process, and carries out what it wants done. Random numbers begin anew, so that they depend on
    /// the state alone, and not on the way there.
    pub fn call<R>(
        &mut self,
        server: usize,
        input: impl FnOnce(&mut Process, Now) -> R,
    ) -> Result<Option<R>, Violation> {
        let now = self.clock_of(server);
        if self.seed_offset > 0 {
            self.seed_offset += 1;
        }
        let offset = self.seed_offset;
        let node = self.node_mut(server);
        // Each suspicion has a token of its own.
        let suspicions = node.server.core().map_or(0, |core| core.counters().suspicions);
        let seed = (offset << 24) + (suspicions << 1) + u64::from(node.has_other_seed);
        let called = panic::catch_unwind(AssertUnwindSafe(|| {
            node.server.send_heartbeats(now);
            if let Some(process) = &mut node.server.process {
                process.reseed(seed);
            }
            node.server.call(now, input)
        }));
        let Ok(result) = called else {
            return Err(Violation { invariant: "no panic", at: self.now, details: format!("server {server} panics") });
        };
        self.carry_out_actions(server)?;
        Ok(result)
    }

    fn carry_out_actions(&mut self, server: usize) -> Result<(), Violation> {
        let mut has_left = false;
        if self.nodes()[server].server.health == Health::Late {
            return Ok(());
        }
        while let Some(process) = &mut self.node_mut(server).server.process {
            if let Some(event) = process.poll_event() {
                has_left |= event == CoreEvent::Left;
                self.on_core_event(server, &event)?;
                continue;
            }
            match process.poll_action() {
                Some(Action::Gossip { id, to, message, timeout, .. }) => {
                    let Some(to) = self.find(&to) else { continue };
                    let pid = self.nodes()[server].pid;
                    let exchange = Exchange { from: server, pid, id, to, deadline: self.now + timeout };
                    self.check_sent(server, &message);
                    let body = Body::new(message);
                    self.push(self.now + latency(server, to), to, Kind::Request(exchange, body));
                    self.push(exchange.deadline, server, Kind::Outcome(exchange, Outcome::TimedOut));
                }
                Some(Action::SyncList { id, .. }) => {
                    // Only version 1 asks for a list where none is configured.
                    let now = self.clock_of(server);
                    if let Some(process) = &mut self.node_mut(server).server.process {
                        process.handle_list_read(now, id, Ok(None));
                    }
                }
                Some(Action::OpenWatch { id, to }) => {
                    let Some(to) = self.find(&to) else { continue };
                    let link = Link { from: server, pid: self.nodes()[server].pid, id, to, process: None };
                    self.links.push(link);
                    self.push(self.now + latency(server, to), to, Kind::WatchConnects(link));
                }
                Some(Action::CloseWatch { id }) => self.remove_links(|it| (it.from, it.id) == (server, id)),
                Some(Action::LookUp { .. } | Action::Identify { .. } | Action::SaveState(_)) => {}
                None => break,
            }
        }
        if has_left {
            let leaving = self.nodes()[server].leaving;
            self.end_process(server, Health::Down);
            if let Leaving::Returns(after) = leaving {
                self.push(self.now + after, server, Kind::Start);
            }
        }
        Ok(())
    }

    fn on_core_event(&mut self, server: usize, event: &CoreEvent) -> Result<(), Violation> {
        match event {
            CoreEvent::Member(event) if event.kind != MemberEventKind::Tags => self.note(|state| {
                let about = state.find(&event.entry.url).map_or_else(|| "?".into(), |it| it.to_string());
                let v2 = event.entry.v2.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("    server {server} lists {about} as {:?}, {} {v2}", event.kind, event.entry.stamp)
            }),
            CoreEvent::DuplicateUrl(_) => {
                let details = format!("server {server} takes another process for one with its base URL");
                return Err(Violation { invariant: "no false duplicate base URL", at: self.now, details });
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, server: usize) -> Result<(), Violation> {
        let now = self.clock_of(server);
        let node = self.node_mut(server);
        node.pid += 1;
        let seed = (server as u64 + 1) << 32 | u64::from(node.pid);
        node.server.start(now, seed);
        let saved = Arc::clone(&node.saved);
        Arc::make_mut(&mut self.invariants).on_start(server);
        self.call(server, |process, now| {
            if let Process::V2(core) = process {
                core.handle_saved_state(now, &saved);
            }
        })?;
        Ok(())
    }

    // A request has arrived at a server's host.
    fn answer(&mut self, exchange: Exchange, body: &Body) -> Result<(), Violation> {
        let (from, to) = (exchange.from, exchange.to);
        let health = self.nodes()[to].server.health;
        if health == Health::Gone {
            return Ok(());
        }
        let message = Arc::clone(&body.message);
        let answer = self.call(to, |process, now| process.handle_gossip(now, &message))?;
        let outcome = answer.map_or(Outcome::Refused, |answer| Outcome::Answered(Body::new(Arc::new(answer))));
        self.end_exchange(exchange, self.now + latency(to, from), outcome);
        Ok(())
    }

    // A process waits no longer for an exchange.
    fn forget_outcomes(&mut self, exchange: Exchange) {
        let is_it = |kind: &Kind| matches!(kind, Kind::Outcome(it, _) if (it.from, it.pid, it.id) == (exchange.from, exchange.pid, exchange.id));
        self.events.retain(|event| !is_it(&event.kind));
    }

    fn check_sent(&mut self, server: usize, message: &Message) {
        if self.nodes()[server].server.version == Version::V1 {
            return;
        }
        let (now, own) = (self.now, self.nodes()[server].server.url().clone());
        let invariants = Arc::make_mut(&mut self.invariants);
        // The length of messages is not checked here: it does not depend on their order.
        invariants.on_sent(server, 0, Direction::Request, now);
        if let Some(own) = message.entries.iter().find(|entry| entry.url == own) {
            invariants.on_own_entry(server, own);
        }
    }

    /// The sender of a request learns how it ended, if it still waits then.
    pub fn end_exchange(&mut self, exchange: Exchange, at: Duration, outcome: Outcome) {
        let sender = &self.nodes()[exchange.from];
        if at <= exchange.deadline && sender.pid == exchange.pid && sender.server.process.is_some() {
            self.push(at, exchange.from, Kind::Outcome(exchange, outcome));
        }
    }

    // The first packet of a watch connection has arrived at a server's host.
    fn connect(&mut self, link: Link) {
        let node = &self.nodes()[link.to];
        let (health, process) = (node.server.health, Some(node.pid));
        let at = self.now + latency(link.to, link.from);
        let Some(known) = self.links.iter_mut().find(|it| **it == link) else { return };
        match health {
            Health::Gone => {
                self.push(self.now + CONNECT_TIMEOUT, link.from, Kind::WatchEnded(link, WatchEnd::NotOpened));
            }
            Health::Down => self.push(at, link.from, Kind::WatchEnded(link, WatchEnd::NotOpened)),
            Health::Up | Health::Late | Health::Blocked | Health::Hung => {
                known.process = process;
                self.push(at, link.from, Kind::WatchOpened(Link { process, ..link }));
            }
        }
    }

    /// Removes watch connections and their events.
    pub fn remove_links(&mut self, is_it: impl Fn(&Link) -> bool) {
        self.links.retain(|link| !is_it(link));
        self.events.retain(|event| event.kind.link().is_none_or(|link| !is_it(&link)));
    }

    /// Ends a process. Its kernel closes its connections, unless the host is gone.
    pub fn end_process(&mut self, server: usize, health: Health) {
        let waiting = self.requests_held_by(server);
        let node = self.node_mut(server);
        let pid = node.pid;
        if let Some(process) = node.server.process.take() {
            let own = node.server.url().clone();
            let others = process.entries().filter(|it| it.state == Listed::Online && it.url != own);
            let others: Vec<_> = others.cloned().collect();
            // What was saved is not replaced by nothing.
            if !others.is_empty() {
                node.saved = Arc::new(Message::new(others));
            }
        }
        (node.server.health, node.busy_until) = (health, Duration::ZERO);
        (node.late_timer, node.leaving) = (None, Leaving::No);
        self.remove_links(|link| link.from == server);
        self.events.retain(|it| it.server != server || matches!(it.kind, Kind::Request(..) | Kind::WatchConnects(_)));
        for event in waiting {
            self.remove(&event);
            if let (Kind::Request(exchange, _), Health::Down) = (&event.kind, health) {
                self.end_exchange(*exchange, self.now + latency(server, exchange.from), Outcome::Reset);
            }
        }
        let watched = self.links.iter().filter(|it| it.to == server && it.process == Some(pid));
        let (end, after) = match health {
            Health::Gone => (WatchEnd::Vanished, VANISHED_AFTER),
            Health::Up | Health::Late | Health::Blocked | Health::Hung | Health::Down => {
                (WatchEnd::Closed, Duration::ZERO)
            }
        };
        for link in watched.copied().collect::<Vec<_>>() {
            let at = self.now + after + latency(server, link.from);
            self.push(at, link.from, Kind::WatchEnded(link, end));
        }
    }

    // The requests that a busy program has not handled yet.
    fn requests_held_by(&self, server: usize) -> Vec<Arc<Event>> {
        let until = self.nodes()[server].busy_until;
        let is_held = |it: &&Arc<Event>| {
            it.server == server && it.at == until && until > self.now && matches!(it.kind, Kind::Request(..))
        };
        self.events.iter().filter(is_held).cloned().collect()
    }

    /// The watch connection from one server to another, if the former knows that it is open.
    pub fn link_between(&self, from: usize, to: usize) -> Option<Link> {
        let is_opening = |link: Link| self.events.iter().any(|event| event.kind.link() == Some(link));
        let is_open = |it: &&Link| (it.from, it.to) == (from, to) && it.process.is_some() && !is_opening(**it);
        self.links.iter().find(is_open).copied()
    }
}

impl Body {
    fn new(message: Arc<Message>) -> Self {
        let hash = hash(format!("{:?}", (&message.entries, &message.envelope)).as_bytes());
        Self { message, hash }
    }
}
