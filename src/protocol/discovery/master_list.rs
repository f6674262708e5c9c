//! One master list: when it is read and written, and what is done about failures. A sync is a read, a join with what this
//! server knows and, where the two differ, a write. Nothing is written after a read that failed.

use std::time::Duration;

use super::failing::Failing;
use super::seeds::Seeds;
use crate::clock::{HOUR, Now};
use crate::membership::{Members, by_url};
use crate::message::{Entry, Message, State};
use crate::protocol::action::{Action, ListIndex, RequestId, WriteError};
use crate::protocol::counters::ListStatus;
use crate::protocol::event::Event;
use crate::protocol::output::Output;
use crate::protocol::pacing::{backoff, crowd_factor};

/// After how long a read or a write has failed (version 1's number); half of that when the program shuts down.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The least time between two accesses, whatever is configured.
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// How soon, at least, a server that is alone, or doubts its clock, reads the list again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The longest wait after a failure: shorter for a while if this server knows nobody, because a cluster that starts while
/// its store is down waits for nothing else.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
const MAX_BACKOFF_ALONE: Duration = Duration::from_millis(1_500);
const ALONE_FOR: Duration = Duration::from_secs(120);
/// The wait after a write that came too late: doubled each time, up to a limit, since others try too.
const CONFLICT_WAIT: Duration = Duration::from_millis(100);
const MAX_CONFLICT_WAIT: Duration = Duration::from_millis(6_400);
/// How often in a row a write may come too late before that is a failure.
const MAX_CONFLICTS: u32 = 8;
/// When a write is read back: the store may have taken one of a server that had read the list before.
const READ_BACK: Duration = Duration::from_secs(2);
/// How often in a row what was written may be missing before that is a failure: a slower write may overtake ours several
/// times.
const MAX_MISSING: u32 = 3;
/// How old a stamp in the list may become, ms, so that the dead can be told from the living.
const STAMP_AGE: u64 = HOUR;
/// How many servers may find themselves missing from the list without having to wait longer for each other.
const MISSING_AT_A_TIME: usize = 200;

/// How often in an interval all servers together read a list, at least: one that has lost its content, as a store that
/// starts anew, has it back within two intervals, whatever the size of the cluster.
const READS: f64 = 3.0;

/// How often a list is updated, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct AnnouncePacing {
    /// The gossip interval.
    pub gossip: Duration,
    /// Whether the list can be written.
    pub is_written: bool,
    /// The least time between two updates.
    pub minimum: Duration,
    /// A random part of this is added.
    pub interval: Duration,
}

/// What is known of one master list.
#[derive(Debug)]
pub struct MasterList {
    name: String,
    pacing: AnnouncePacing,
    status: ListStatus,
    schedule: Schedule,
    // Whether it has been read, or has failed to be.
    is_tried: bool,
    failing: Option<Failing>,
    conflicts: u32,
    written: Written,
    // The digest of our list when the master list was found to name just our online servers, and when that was.
    found_right: Option<(u64, Duration)>,
}

#[derive(Debug, Default)]
struct Schedule {
    // When it is read next, and whether it may be written then.
    next: Option<Duration>,
    may_write: bool,
    // The access under way whose outcome counts.
    current: Option<RequestId>,
    next_announce: Duration,
    is_leaving: bool,
}

// Our last write.
#[derive(Debug, Default)]
struct Written {
    // How many servers it named.
    servers: usize,
    // How often in a row we were missing from the list after we had written it.
    missing: u32,
    is_read_back: bool,
}

impl MasterList {
    /// One that has not been read.
    pub fn new(name: String, pacing: AnnouncePacing) -> Self {
        Self {
            name,
            pacing,
            status: ListStatus::default(),
            schedule: Schedule::default(),
            is_tried: false,
            failing: None,
            conflicts: 0,
            written: Written { is_read_back: true, ..Written::default() },
            found_right: None,
        }
    }

    /// How it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its condition.
    pub fn status(&self) -> &ListStatus {
        &self.status
    }

    /// Whether it has been read, or has failed to be.
    pub fn is_tried(&self) -> bool {
        self.is_tried
    }

    /// Whether this server writes it, too.
    pub fn is_written(&self) -> bool {
        self.pacing.is_written
    }

    /// Whether it is being read or written, or will be.
    pub fn is_pending(&self) -> bool {
        self.schedule.current.is_some() || self.schedule.next.is_some()
    }

    /// Whether this is the access whose outcome counts.
    pub fn is_current(&self, id: RequestId) -> bool {
        self.schedule.current == Some(id)
    }

    /// When it is read next.
    pub fn next(&self) -> Option<Duration> {
        self.schedule.next
    }

    /// The server leaves: the list is not read again, except for a last update.
    pub fn leave(&mut self) {
        self.schedule.is_leaving = true;
        self.abandon();
    }

    /// Forgets the access under way, and schedules none.
    pub fn abandon(&mut self) {
        (self.schedule.current, self.schedule.next) = (None, None);
    }

    /// Begins the first read.
    pub fn start(&mut self, index: ListIndex, members: &Members, now: Now, out: &mut Output) {
        self.schedule_announce(now, out);
        self.sync(index, TIMEOUT, members, now, out);
    }

    /// Begins the update of a leave.
    pub fn update_last(&mut self, index: ListIndex, members: &Members, now: Now, out: &mut Output) {
        self.schedule.may_write = self.pacing.is_written;
        if self.schedule.may_write {
            self.sync(index, TIMEOUT / 2, members, now, out);
        }
    }

    /// Begins the next read.
    pub fn sync_next(&mut self, index: ListIndex, members: &Members, now: Now, out: &mut Output) {
        self.sync(index, TIMEOUT, members, now, out);
    }

    fn sync(&mut self, list: ListIndex, timeout: Duration, members: &Members, now: Now, out: &mut Output) {
        let id = out.new_id();
        (self.schedule.current, self.schedule.next) = (Some(id), None);
        let write = self.schedule.may_write;
        let hash = members.online_hash();
        let is_recent = |at| now.mono < at + Duration::from_millis(STAMP_AGE);
        let if_changed = self.found_right.is_some_and(|(then, at)| then == hash && is_recent(at));
        out.act(Action::SyncList { id, list, write, if_changed, timeout });
    }

    /// It was read, and names these servers as online. Returns what is to be written, if anything is.
    pub fn on_read(
        &mut self,
        listed: &[Entry],
        members: &Members,
        seeds: &Seeds,
        now: Now,
        out: &mut Output,
    ) -> Option<Message> {
        self.is_tried = true;
        (self.status.read, self.status.servers) = (Some(now.wall), listed.len());
        let is_missing = listed.iter().all(|entry| entry.url != *members.local_url());
        if !self.pacing.is_written {
            self.on_done(members, now, out);
            return None;
        }
        let was_written = !std::mem::replace(&mut self.written.is_read_back, true);
        self.written.missing = if is_missing { self.written.missing + u32::from(was_written) } else { 0 };
        let (wanted, strangers) = wanted(listed, members, seeds, now);
        let is_right = is_right(listed, &wanted);
        let hash = members.online_hash();
        // Strangers may have to leave the list, although nothing else changes.
        self.found_right = (is_right && strangers == 0).then_some((hash, now.mono));
        if self.schedule.may_write && !is_right {
            self.written.servers = wanted.len();
            return Some(Message::new(wanted));
        }
        let is_online = members.local().is_some_and(|own| own.state == State::Online);
        if !is_missing || !is_online {
            self.on_done(members, now, out);
        } else if self.written.missing < MAX_MISSING {
            // Where there are many, one of them will have written the others too.
            let factor = crowd_factor(members.online(), MISSING_AT_A_TIME);
            let wait = Duration::from_secs(1).mul_f64(out.jitter(0.25..1.0) * factor);
            self.on_success(out);
            self.set_next(wait, true, now);
        } else {
            self.schedule.may_write = true;
            let why =
                "does not have what is written to it: do both its URLs lead to the same document, past any cache?";
            self.on_failure(format!("{} {why}", self.name), MAX_BACKOFF, members, now, out);
        }
        None
    }

    /// This is written instead of what [`Self::on_read`] returned.
    pub fn expect_written(&mut self, message: &Message) {
        self.written.servers = message.entries.len();
    }

    /// It has not changed since it was read last.
    pub fn on_unchanged(&mut self, members: &Members, now: Now, out: &mut Output) {
        self.is_tried = true;
        self.status.read = Some(now.wall);
        self.on_done(members, now, out);
    }

    /// It could not be read.
    pub fn on_read_failed(&mut self, error: String, members: &Members, now: Now, out: &mut Output) {
        self.is_tried = true;
        self.on_failure(error, MAX_BACKOFF_ALONE, members, now, out);
    }

    /// A write has ended: the result is whether the store made sure that nobody else had written meanwhile.
    pub fn on_written(&mut self, result: Result<bool, WriteError>, members: &Members, now: Now, out: &mut Output) {
        match result {
            Ok(on_condition) => self.on_write_done(on_condition, now, out),
            Err(WriteError::Conflict) => {
                self.conflicts += 1;
                if self.conflicts >= MAX_CONFLICTS {
                    let error = format!("{} cannot be written: somebody else always has, says its store", self.name);
                    return self.on_failure(error, MAX_BACKOFF, members, now, out);
                }
                self.schedule.current = None;
                let wait = backoff(CONFLICT_WAIT, self.conflicts, MAX_CONFLICT_WAIT);
                let wait = wait.mul_f64(out.jitter(0.25..0.75));
                self.schedule.set(wait, true, now);
            }
            // What is refused now is refused the next time too, and may get the account locked.
            Err(WriteError::Failed(error)) => {
                self.on_failure(error, MAX_BACKOFF, members, now, out);
            }
            Err(WriteError::NoFolder(error)) => {
                if self.failing.get_or_insert(Failing::new(now)).report() {
                    out.report(Event::ListUnusable { list: self.name.clone(), error: error.clone() });
                }
                self.on_failure(error, MAX_BACKOFF, members, now, out);
            }
        }
    }

    fn on_write_done(&mut self, on_condition: bool, now: Now, out: &mut Output) {
        let servers = self.written.servers;
        self.conflicts = 0;
        self.written.is_read_back = false;
        (self.status.written, self.status.servers) = (Some(now.wall), servers);
        if self.written.missing < MAX_MISSING {
            self.on_success(out);
        } else {
            self.schedule.current = None;
        }
        out.report(Event::ListWritten { list: self.name.clone(), servers, on_condition });
        self.schedule_announce(now, out);
        let wait = READ_BACK.mul_f64(out.jitter(0.5..1.5));
        let announce = self.schedule.next_announce.saturating_sub(now.mono);
        self.set_next(wait.min(announce), announce <= wait, now);
    }

    fn on_success(&mut self, out: &mut Output) {
        (self.schedule.current, self.status.failing) = (None, None);
        if let Some(failing) = self.failing.take() {
            failing.end(&self.name, out);
        }
    }

    /// It is as it should be, or can wait.
    pub fn on_done(&mut self, members: &Members, now: Now, out: &mut Output) {
        self.on_success(out);
        self.conflicts = 0;
        if self.schedule.may_write {
            self.schedule_announce(now, out);
        }
        let announce = self.schedule.next_announce.saturating_sub(now.mono);
        // Two servers that started with an empty list may have missed each other.
        let look_again = if members.is_alone() {
            LOOK_AGAIN.mul_f64(out.jitter(1.0..2.0))
        } else {
            self.pacing.gossip.mul_f64(members.online() as f64 / READS * out.jitter(0.5..1.5))
        };
        let (wait, may_write) = if look_again < announce { (look_again, false) } else { (announce, true) };
        self.set_next(wait, may_write, now);
    }

    // Waits for `most_alone` at most if this server knows nobody else.
    fn on_failure(&mut self, error: String, most_alone: Duration, members: &Members, now: Now, out: &mut Output) {
        (self.schedule.current, self.found_right) = (None, None);
        let failing = self.failing.get_or_insert(Failing::new(now));
        let is_unusable = failing.count(now);
        let (since, times) = (failing.lasted(now), failing.times);
        self.status.failed += 1;
        self.status.failing = Some((times, error.clone()));
        if is_unusable {
            out.report(Event::ListUnusable { list: self.name.clone(), error: error.clone() });
        }
        out.report(Event::ListFailed(error));
        let most = if members.is_alone() && since < ALONE_FOR { most_alone } else { MAX_BACKOFF };
        let wait = backoff(Duration::from_secs(1), times, most).mul_f64(out.jitter(0.5..1.0));
        self.set_next(wait, self.schedule.may_write, now);
    }

    /// Reads the list soon, and does not wait for the next update: this server is alone, or doubts its clock.
    pub fn look_soon(&mut self, now: Now, out: &mut Output) {
        let wait = LOOK_AGAIN.mul_f64(out.jitter(0.0..1.0)).max(LEAST_WAIT);
        // A list that fails has its own wait.
        let is_later = self.schedule.next.is_none_or(|at| now.mono + wait < at);
        if self.schedule.current.is_none() && self.failing.is_none() && is_later {
            self.set_next(wait, false, now);
        }
    }

    /// Reads the list at once, unless it is being read.
    pub fn look_now(&mut self, now: Now) {
        if self.schedule.current.is_none() {
            self.set_next(LEAST_WAIT, true, now);
        }
    }

    fn schedule_announce(&mut self, now: Now, out: &mut Output) {
        let more = self.pacing.interval.mul_f64(out.jitter(0.0..1.0));
        self.schedule.next_announce = now.mono + self.pacing.minimum + more;
    }

    // A server that leaves updates the list once more: it only repeats a write that came too late.
    fn set_next(&mut self, wait: Duration, may_write: bool, now: Now) {
        if !self.schedule.is_leaving {
            self.schedule.set(wait, may_write, now);
        }
    }
}

impl Schedule {
    fn set(&mut self, wait: Duration, may_write: bool, now: Now) {
        (self.next, self.may_write) = (Some(now.mono + wait.max(LEAST_WAIT)), may_write);
    }
}

// The list as it should be: the servers that are online as far as we know, and strangers, which the list names and which we
// neither know nor have tried in vain: servers that ended leave the list this way. Returns with it how many strangers there are.
fn wanted(listed: &[Entry], members: &Members, seeds: &Seeds, now: Now) -> (Vec<Entry>, usize) {
    let mut entries: Vec<_> = members.entries().filter(|it| it.state == State::Online).cloned().collect();
    let strangers = by_url(listed.iter().filter(|entry| seeds.may_be_online(&entry.url, now)));
    entries.extend(strangers.values().map(|entry| (*entry).clone()));
    (entries, strangers.len())
}

/// The list with nothing changed but our own entry. None if that is right as it is.
pub fn add_own(listed: &[Entry], own: &Entry) -> Option<Message> {
    let others = by_url(listed.iter().filter(|entry| entry.url != own.url));
    let own = Some(own).filter(|own| own.state == State::Online);
    let wanted: Vec<_> = others.into_values().chain(own).cloned().collect();
    (!is_right(listed, &wanted)).then(|| Message::new(wanted))
}

// Whether a list needs no update. A newer stamp alone is no reason for one until the listed stamp is old.
fn is_right(listed: &[Entry], wanted: &[Entry]) -> bool {
    let by_url = by_url(listed.iter());
    let incarnation = |entry: &Entry| entry.v2.as_ref().map(|v2| v2.incarnation);
    let is_there = |entry: &Entry| {
        by_url.get(&entry.url).is_some_and(|it| {
            it.monitor == entry.monitor
                && incarnation(it) == incarnation(entry)
                && it.stamp.saturating_add(STAMP_AGE) >= entry.stamp
        })
    };
    listed.len() == wanted.len() && wanted.iter().all(is_there)
}
