//! `MasterList`: schedules the syncs of one master list, and handles their failures. A sync is a read, a merge with the
//! members and, if the two differ, a write; nothing is written after a failed read.
//!
//! ```text
//! next read ──> on_read ──> equal, or may not write yet ──────────────> on_done: next read
//!                  └──────> write ──> on_written ──> Ok ──────────────> read back, after READ_BACK
//!                                         ├────────> Conflict ────────> read and write again, after CONFLICT_WAIT
//!                                         └────────> Failed ──────────> on_failure: next read, with backoff
//! ```

use std::time::Duration;

use super::failing::Failing;
use super::seeds::Seeds;
use crate::clock::{HOUR, Now};
use crate::membership::{ByUrl, Members};
use crate::message::{Entry, Message, State};
use crate::protocol::action::{Action, ListIndex, RequestId, WriteError};
use crate::protocol::counters::ListStatus;
use crate::protocol::event::Event;
use crate::protocol::output::Output;
use crate::protocol::pacing::{backoff, crowd_factor};

/// The timeout of a read and of a write (as in version 1). Half of it at shutdown.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The least time between two accesses, regardless of the configuration.
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// How soon a server that is alone, or has a doubtful clock, reads the list again.
const REREAD: Duration = Duration::from_secs(30);
/// The longest backoff after a failure. Shorter for a while if this server is alone, because a cluster that starts
/// while its store is down has no other way to form.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
const MAX_BACKOFF_ALONE: Duration = Duration::from_millis(1_500);
const ALONE_FOR: Duration = Duration::from_secs(120);
/// The delay after a write conflict. Doubles each time, up to a limit, since others retry too.
const CONFLICT_WAIT: Duration = Duration::from_millis(100);
const MAX_CONFLICT_WAIT: Duration = Duration::from_millis(6_400);
/// After how many write conflicts in a row a write has failed.
const MAX_CONFLICTS: u32 = 8;
/// When a write is read back. Another server that read the list before may have overwritten it.
const READ_BACK: Duration = Duration::from_secs(2);
/// How often in a row our entry may be missing after a write before that is a failure. Slower writers may overwrite
/// ours several times.
const MAX_MISSING: u32 = 3;
/// When a listed stamp is renewed, ms. Older stamps belong to dead servers.
const STAMP_AGE: u64 = HOUR;
/// How many servers may find themselves missing from the list before they wait longer, to write in turns.
const MISSING_AT_A_TIME: usize = 200;

/// The least number of reads an interval, of all servers together. If a store loses its content, for example in a
/// restart, it is restored within two intervals, regardless of the cluster's size.
const READS: f64 = 3.0;

/// The configured pacing of updates.
#[derive(Clone, Copy, Debug)]
pub struct AnnouncePacing {
    pub gossip: Duration,
    pub is_written: bool,
    /// The least time between two updates.
    pub minimum: Duration,
    /// A random part of this is added.
    pub interval: Duration,
}
#[derive(Clone, Debug)]
pub struct MasterList {
    name: String,
    pacing: AnnouncePacing,
    status: ListStatus,
    schedule: Schedule,
    // Whether it was read or a read has failed.
    is_tried: bool,
    failing: Option<Failing>,
    conflicts: u32,
    written: Written,
    // When the list last matched our online servers exactly, and our digest then.
    found_right: Option<(u64, Duration)>,
}

#[derive(Clone, Debug, Default)]
struct Schedule {
    // When it is read next, and whether it may be written then.
    next: Option<Duration>,
    may_write: bool,
    // The current access. Outcomes of others are ignored.
    current: Option<RequestId>,
    next_announce: Duration,
    is_leaving: bool,
}
#[derive(Clone, Debug, Default)]
struct Written {
    // How many servers it listed.
    servers: usize,
    // How often in a row our entry was missing after our write.
    missing: u32,
    is_read_back: bool,
}

impl MasterList {
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
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn status(&self) -> &ListStatus {
        &self.status
    }
    pub fn is_tried(&self) -> bool {
        self.is_tried
    }

    /// Whether this server also writes it.
    pub fn is_written(&self) -> bool {
        self.pacing.is_written
    }

    /// Whether it is being accessed, or will be.
    pub fn is_pending(&self) -> bool {
        self.schedule.current.is_some() || self.schedule.next.is_some()
    }
    pub fn is_current(&self, id: RequestId) -> bool {
        self.schedule.current == Some(id)
    }
    pub fn next(&self) -> Option<Duration> {
        self.schedule.next
    }

    /// The server leaves: at most one last update follows.
    pub fn leave(&mut self) {
        self.schedule.is_leaving = true;
        self.abandon();
    }

    /// Drops the current access and the schedule.
    pub fn abandon(&mut self) {
        (self.schedule.current, self.schedule.next) = (None, None);
    }
    pub fn start(&mut self, index: ListIndex, members: &Members, now: Now, out: &mut Output) {
        self.schedule_announce(now, out);
        self.sync(index, TIMEOUT, members, now, out);
    }

    /// Begins the last update, before a leave.
    pub fn update_last(&mut self, index: ListIndex, members: &Members, now: Now, out: &mut Output) {
        self.schedule.may_write = self.pacing.is_written;
        if self.schedule.may_write {
            self.sync(index, TIMEOUT / 2, members, now, out);
        }
    }
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

    /// The list was read and contains `listed` as online servers. Returns the list to write, if it needs an update.
    pub fn on_read(
        &mut self,
        listed: &ByUrl<'_>,
        members: &Members,
        seeds: &Seeds,
        now: Now,
        out: &mut Output,
    ) -> Option<Message> {
        self.is_tried = true;
        (self.status.read, self.status.servers) = (Some(now.wall), listed.count());
        let is_missing = listed.get(members.local_url()).is_none();
        if !self.pacing.is_written {
            self.on_done(members, now, out);
            return None;
        }
        let was_written = !std::mem::replace(&mut self.written.is_read_back, true);
        self.written.missing = if is_missing { self.written.missing + u32::from(was_written) } else { 0 };
        let (wanted, strangers) = wanted(listed, members, seeds, now);
        let is_right = is_right(listed, &wanted);
        let hash = members.online_hash();
        // Strangers may have to be removed from the list later, although nothing else changes.
        self.found_right = (is_right && strangers == 0).then_some((hash, now.mono));
        if self.schedule.may_write && !is_right {
            self.written.servers = wanted.len();
            return Some(Message::new(wanted));
        }
        let is_online = members.local().is_some_and(|own| own.state == State::Online);
        if !is_missing || !is_online {
            self.on_done(members, now, out);
        } else if self.written.missing < MAX_MISSING {
            // If many are missing, one of them will have added the others too.
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

    /// `message` is written instead of what [`Self::on_read`] returned.
    pub fn expect_written(&mut self, message: &Message) {
        self.written.servers = message.entries.len();
    }
    pub fn on_unchanged(&mut self, members: &Members, now: Now, out: &mut Output) {
        self.is_tried = true;
        self.status.read = Some(now.wall);
        self.on_done(members, now, out);
    }
    pub fn on_read_failed(&mut self, error: String, members: &Members, now: Now, out: &mut Output) {
        self.is_tried = true;
        self.on_failure(error, MAX_BACKOFF_ALONE, members, now, out);
    }

    /// The write ended. Ok(true): the store ensured that nobody else had written in between.
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
            // With backoff, even if alone: a rejected write will be rejected again, and retries may lock the account.
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

    /// The sync is done: schedules the next one.
    pub fn on_done(&mut self, members: &Members, now: Now, out: &mut Output) {
        self.on_success(out);
        self.conflicts = 0;
        if self.schedule.may_write {
            self.schedule_announce(now, out);
        }
        let announce = self.schedule.next_announce.saturating_sub(now.mono);
        // Two servers that started with an empty list may have missed each other.
        let reread = if members.is_alone() {
            REREAD.mul_f64(out.jitter(1.0..2.0))
        } else {
            self.pacing.gossip.mul_f64(members.online() as f64 / READS * out.jitter(0.5..1.5))
        };
        let (wait, may_write) = if reread < announce { (reread, false) } else { (announce, true) };
        self.set_next(wait, may_write, now);
    }

    // Retries with backoff, limited to `most_alone` if this server is alone.
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

    /// Reads the list soon, because this server is alone or has a doubtful clock.
    pub fn read_soon(&mut self, now: Now, out: &mut Output) {
        let wait = REREAD.mul_f64(out.jitter(0.0..1.0)).max(LEAST_WAIT);
        // A failing list keeps its backoff.
        let is_later = self.schedule.next.is_none_or(|at| now.mono + wait < at);
        if self.schedule.current.is_none() && self.failing.is_none() && is_later {
            self.set_next(wait, false, now);
        }
    }

    /// Reads the list at once, unless a read is under way.
    pub fn read_now(&mut self, now: Now) {
        if self.schedule.current.is_none() {
            self.set_next(LEAST_WAIT, true, now);
        }
    }

    fn schedule_announce(&mut self, now: Now, out: &mut Output) {
        let more = self.pacing.interval.mul_f64(out.jitter(0.0..1.0));
        self.schedule.next_announce = now.mono + self.pacing.minimum + more;
    }

    // A leaving server reads no more, except to retry its last update after a conflict.
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

// The list as it should be: all online members, and strangers. A stranger is a listed server that is not a member and
// that we have not yet failed to contact. So servers that ended disappear from the list. Also returns the number of
// strangers.
fn wanted(listed: &ByUrl<'_>, members: &Members, seeds: &Seeds, now: Now) -> (Vec<Entry>, usize) {
    let mut entries: Vec<_> = members.entries().filter(|it| it.state == State::Online).cloned().collect();
    let online = entries.len();
    entries.extend(listed.unique().filter(|entry| seeds.may_be_online(&entry.url, now)).cloned());
    let strangers = entries.len() - online;
    (entries, strangers)
}

/// The list with only our own entry changed. None if that is correct already.
pub fn add_own(listed: &ByUrl<'_>, own: &Entry) -> Option<Message> {
    let others = listed.unique().filter(|entry| entry.url != own.url);
    let own = Some(own).filter(|own| own.state == State::Online);
    let wanted: Vec<_> = others.chain(own).cloned().collect();
    (!is_right(listed, &wanted)).then(|| Message::new(wanted))
}

// Whether a list needs no update. A newer stamp alone does not cause one until the listed stamp is old.
fn is_right(listed: &ByUrl<'_>, wanted: &[Entry]) -> bool {
    let incarnation = |entry: &Entry| entry.v2.as_ref().map(|v2| v2.incarnation);
    let is_there = |entry: &Entry| {
        listed.get(&entry.url).is_some_and(|it| {
            it.monitor == entry.monitor
                && incarnation(it) == incarnation(entry)
                && it.stamp.saturating_add(STAMP_AGE) >= entry.stamp
        })
    };
    listed.count() == wanted.len() && wanted.iter().all(is_there)
}
