//! The leave of this server: who is told, and for how long it waits for their answers.

use std::time::Duration;

use super::{Core, Event, Now, Phase, Reason, State, Timer};

/// The time limit of a leave. `shazbotShutDown` promises 6 s, or 12 s with an update of the master list; the rest is
/// for carrying it out.
const LEAVE_LIMIT: Duration = Duration::from_millis(5_800);
const LEAVE_LIMIT_WITH_LIST: Duration = Duration::from_millis(11_800);

impl Core {
    /// The program shuts down: announces the leave, and reports [`Event::Left`] when it is done. If this process was
    /// never found at its base URL, it asks there first: another process may run there, which must not be listed
    /// offline.
    pub fn handle_leave(&mut self, now: Now) {
        if !self.lifecycle.is_running() {
            return;
        }
        self.handle_heartbeat(now);
        self.lifecycle.leave();
        self.out.timers.clear();
        self.detector.clear_suspicions();
        self.verifier.clear();
        self.watches.close_all(&mut self.out);
        self.broadcasts.clear();
        self.exchanges.clear();
        self.discovery.bootstrap.end(&mut self.out);
        self.discovery.names.leave();
        let limit = if self.discovery.lists.leave() { LEAVE_LIMIT_WITH_LIST } else { LEAVE_LIMIT };
        self.out.timers.set(Timer::Leave, now.mono + limit);
        if self.self_probe.is_found() {
            self.announce_leave(now);
        } else {
            self.ask_before_leave(now);
        }
    }

    // The self-probe before a leave has ended.
    pub(super) fn on_asked_before_leave(&mut self, is_other: bool, now: Now) {
        if is_other {
            self.out.report(Event::DuplicateUrl(self.members.local_url().clone()));
            self.finish_leave();
        } else {
            self.announce_leave(now);
        }
    }

    pub(super) fn announce_leave(&mut self, now: Now) {
        self.declare_local(State::Offline, Some(Reason::Left), now);
        self.discovery.lists.update_on_leave(&self.members, now, &mut self.out);
        self.finish_leave_if_delivered();
    }

    pub(super) fn finish_leave_if_delivered(&mut self) {
        let is_leaving = self.lifecycle.phase() == Phase::Leaving;
        if is_leaving && self.exchanges.is_empty() && !self.discovery.lists.is_pending() {
            self.finish_leave();
        }
    }

    pub(super) fn finish_leave(&mut self) {
        self.lifecycle.finish_leave();
        self.out.timers.clear();
        self.exchanges.clear();
        self.out.report(Event::Left);
    }
}
