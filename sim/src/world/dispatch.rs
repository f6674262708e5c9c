//! Carries out events, and what the servers want done after them.

use std::time::Duration;

use clustershazbot::message::ServerUrl;
use clustershazbot::protocol::{Action, Event, MemberEvent, MemberEventKind};
use rand::RngExt;

use super::event::{ListRead, SimEvent};
use super::server::HEARTBEAT_INTERVAL;
use super::{Health, ListChange, Process, World};

impl World {
    /// Adds an event to the trace and carries it out.
    pub(super) fn handle_event(&mut self, event: SimEvent) {
        if let Some(trace) = &mut self.trace {
            trace.add_event(self.now, &event.trace_text());
        }
        self.deliver(event);
    }

    /// Carries out an event. A suspended process receives it later, and a process that has ended never does.
    pub(super) fn deliver(&mut self, mut event: SimEvent) {
        if let Some((server, pid)) = event.recipient() {
            let server = &mut self.servers[server];
            if !server.is_running(pid) {
                return;
            }
            if let (Health::Late, SimEvent::Response { exchange, .. }) = (server.health, &mut event) {
                // It finds what has arrived, although its timeout has passed meanwhile.
                exchange.deadline = Duration::MAX;
            }
            if matches!(server.health, Health::Hung | Health::Late) {
                server.deferred.push(event);
                return;
            }
        }
        match event {
            SimEvent::Wake { server, pid } => self.wake(server, pid),
            SimEvent::Request(exchange) => self.deliver_request(exchange),
            SimEvent::Response { exchange, end } => self.deliver_response(exchange, end),
            SimEvent::TimeoutInBacklog { to, from, pid, id } => self.time_out_in_backlog(to, (from, pid, id)),
            SimEvent::ListRead { server, read, succeeds, .. } => self.deliver_list(server, read, succeeds),
            SimEvent::LookedUp { server, id, found, .. } => {
                self.call(server, |process, now| process.handle_looked_up(now, id, found));
            }
            SimEvent::Identified { server, id, answer, .. } => {
                self.call(server, |process, now| process.handle_identified(now, id, answer));
            }
            SimEvent::ListStored { server, pid, id, entries, if_revision, answered_at } => {
                let result = self.store.write(entries, if_revision).map(|()| if_revision.is_some());
                // The client of a slow store was told before that its write failed.
                if answered_at >= self.now {
                    self.queue.push(answered_at, SimEvent::ListWritten { server, pid, id, result });
                }
            }
            SimEvent::ListWritten { server, id, result, .. } => {
                self.call(server, |process, now| process.handle_list_written(now, id, result));
            }
            SimEvent::WatchConnects { watch } => self.connect_watch(watch),
            SimEvent::WatchArrives { watch } => self.accept_watch(watch),
            SimEvent::WatchOpened { watch } => self.deliver_watch_opened(watch),
            SimEvent::KeepAlive { watch, unanswered } => self.keep_watch_alive(watch, unanswered),
            SimEvent::WatchEnded { watch, end } => self.deliver_watch_ended(watch, end),
        }
    }

    fn wake(&mut self, server: usize, pid: u32) {
        let it = &mut self.servers[server];
        if !it.is_running(pid) || it.wake_at != Some(self.now) {
            return;
        }
        if matches!(it.health, Health::Hung | Health::Late) {
            it.deferred.push(SimEvent::Wake { server, pid });
            return;
        }
        it.wake_at = None;
        let now = self.now;
        let is_due = it.process.as_ref().and_then(Process::poll_timeout).is_some_and(|at| at <= now);
        if is_due {
            if let Some(invariants) = &mut self.invariants {
                invariants.on_wake(server, now);
            }
            self.call(server, Process::handle_timeout);
        } else {
            self.flush_output(server);
        }
    }

    /// Continues a suspended process. The engine's thread and the event loop race for the first turn.
    pub(super) fn resume_process(&mut self, server: usize) {
        let it = &mut self.servers[server];
        let (deferred, backlog) = (std::mem::take(&mut it.deferred), std::mem::take(&mut it.backlog));
        it.restart_heartbeats(self.now);
        if deferred.iter().any(|event| matches!(event, SimEvent::Wake { .. })) {
            it.wake_at = Some(self.now);
        }
        if self.rng.random_bool(0.5) {
            self.servers[server].health = Health::Blocked;
            for event in deferred {
                self.handle_event(event);
            }
            // A deferred event may have ended the process.
            if self.servers[server].process.is_some() {
                self.servers[server].health = Health::Up;
            }
            self.call(server, Process::handle_heartbeat);
        } else {
            self.call(server, Process::handle_heartbeat);
            for event in deferred {
                self.handle_event(event);
            }
        }
        for exchange in backlog {
            self.answer_request(exchange);
        }
    }

    /// Continues the engine's thread. Its timers come first, and then the answers that wait.
    pub(super) fn resume_thread(&mut self, server: usize) {
        let it = &mut self.servers[server];
        let (timers, answers): (Vec<_>, Vec<_>) =
            std::mem::take(&mut it.deferred).into_iter().partition(|event| matches!(event, SimEvent::Wake { .. }));
        if !timers.is_empty() {
            it.wake_at = Some(self.now);
        }
        for event in timers.into_iter().chain(answers) {
            self.handle_event(event);
        }
        self.flush_output(server);
    }

    /// Carries out what a server wants done, then compares its list and checks the invariants.
    pub(super) fn flush_output(&mut self, server: usize) {
        let has_left = self.carry_out_actions(server);
        self.schedule_wake(server);
        self.convergence.compare_few_wrong(server, &self.servers);
        if let Some(invariants) = &mut self.invariants {
            invariants.check(&self.servers, self.now, server);
        }
        if has_left {
            self.set_health(server, Health::Down);
        }
    }

    // Returns whether the server has finished to leave.
    fn carry_out_actions(&mut self, server: usize) -> bool {
        let mut has_left = false;
        if self.servers[server].health == Health::Late {
            return false;
        }
        while let Some(process) = &mut self.servers[server].process {
            if let Some(event) = process.poll_event() {
                has_left |= event == Event::Left;
                self.on_core_event(server, event);
                continue;
            }
            match process.poll_action() {
                Some(Action::Gossip { id, to, message, timeout, .. }) => {
                    self.send_request(server, id, &to, message, timeout);
                }
                Some(Action::SyncList { id, write, if_changed, timeout, .. }) => {
                    self.read_list(server, ListRead { id, write, if_changed, timeout });
                }
                Some(Action::OpenWatch { id, to }) => self.open_watch(server, id, &to),
                Some(Action::CloseWatch { id }) => self.close_watch(server, id),
                Some(Action::LookUp { id, .. }) => self.look_up(server, id),
                Some(Action::Identify { id, place, timeout }) => self.identify(server, id, &place, timeout),
                // Simulated servers do not save their state.
                Some(Action::SaveState(_)) => {}
                None => break,
            }
        }
        has_left
    }

    fn schedule_wake(&mut self, server: usize) {
        let it = &mut self.servers[server];
        let Some(mut at) = it.process.as_ref().and_then(Process::poll_timeout).map(|at| at.max(self.now)) else {
            return;
        };
        if it.wake_at.is_none_or(|scheduled| at < scheduled) {
            if self.invariants.as_ref().is_some_and(|invariants| invariants.spins(server)) {
                at = self.now + HEARTBEAT_INTERVAL;
            }
            it.wake_at = Some(at);
            self.queue.push(at, SimEvent::Wake { server, pid: it.pid });
        }
    }

    fn on_core_event(&mut self, server: usize, event: Event) {
        match event {
            Event::Member(event) => match event.kind {
                MemberEventKind::Online | MemberEventKind::Offline | MemberEventKind::Tombstone => {
                    self.on_list_change(server, &event);
                }
                MemberEventKind::Suspect | MemberEventKind::Tags | MemberEventKind::Ready => {}
            },
            Event::DuplicateUrl(url) => {
                let details = format!("server {server} takes another process for one with its base URL, {url}");
                self.report_violation("no false duplicate base URL", details);
            }
            Event::Started
            | Event::Left
            | Event::ExchangeFailed(..)
            | Event::PlaceFailed(..)
            | Event::Alone(_)
            | Event::Isolated
            | Event::ListWritten { .. }
            | Event::ListFailed(_)
            | Event::ListUnusable { .. }
            | Event::StateNotSaved(_)
            | Event::Unreachable { .. }
            | Event::SelfProbeFailed(..)
            | Event::Resolved(_)
            | Event::ClockWrong
            | Event::Full
            | Event::EntriesSkipped { .. }
            | Event::LoopbackUrl { .. } => {}
        }
    }

    fn on_list_change(&mut self, observer: usize, event: &MemberEvent) {
        let url = &event.entry.url;
        let Some(subject) = self.find(url) else { return };
        self.convergence.compare_entry(observer, subject, &self.servers);
        if subject != observer {
            self.record_list_change(observer, subject, url, event.kind == MemberEventKind::Online);
        }
    }

    fn record_list_change(&mut self, observer: usize, subject: usize, url: &ServerUrl, online: bool) {
        let Some(changes) = &mut self.list_changes else { return };
        let entry = self.servers[observer].entry(url);
        let incarnation = entry.map_or(0, |entry| entry.v2.as_ref().map_or(entry.stamp, |v2| v2.incarnation));
        let subject_available = self.servers[subject].is_available();
        changes.push(ListChange { at: self.now, observer, subject, online, incarnation, subject_available });
    }
}
