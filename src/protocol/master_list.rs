//! The master lists: where a new server begins, and where each says that it is there. Each is read and written by itself;
//! one that works is enough.

use std::time::Duration;

use super::event::{Action, Event, Id, ListIndex, WriteError};
use super::timer::Timer;
use super::{Core, ListStatus, Phase, by_url};
use crate::clock::Now;
use crate::membership::{effective_incarnation, supersedes};
use crate::message::{Entry, Message, State};

/// After how long reading or writing the list has failed (v1's number); half of it when the program shuts down.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// After how long without success, and how many failures, somebody must look at the list.
const UNUSABLE: (Duration, u32) = (Duration::from_secs(30), 3);
/// Least time between two accesses to the list, whatever is configured.
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// How soon a server that is alone looks at the list again, at least.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Where the waiting between tries of a list that cannot be read ends. Sooner for one that knows nobody, for a while: a
/// cluster that starts while its store does not answer waits for nothing else.
const MAX_BACK_OFF: Duration = Duration::from_secs(60);
const MAX_BACK_OFF_ALONE: Duration = Duration::from_millis(1_500);
const ALONE_FOR: Duration = Duration::from_secs(120);
/// How soon a write that came too late is tried again; twice as long each time, up to a limit, since others try too.
const CONFLICT_WAIT: Duration = Duration::from_millis(100);
const MAX_DOUBLINGS: u32 = 6;
/// How often in a row a write may come too late before that is a failure.
const MAX_CONFLICTS: u32 = 8;
/// When a write is read back: a store may have taken that of another, which had read the list before.
const READ_BACK: Duration = Duration::from_secs(2);
/// How often in a row what was written may not be there, before it is looked for in vain: one that was slower may have been
/// overtaken time and again.
const MAX_UNSEEN: u32 = 3;
/// How old a stamp in the list may become, ms, so that those of the dead can be told from the others'.
const STAMP_LIFE: u64 = 3_600_000;
/// How many servers may find themselves missing from the list without waiting longer for each other.
const MISSING_AT_A_TIME: usize = 200;

/// What is known of one of the master lists.
#[derive(Debug, Default)]
pub struct MasterList {
    pub figures: ListStatus,
    // When it is read next, and whether it may be written then.
    next: Option<Duration>,
    write_next: bool,
    // The access under way whose outcome counts.
    current: Option<Id>,
    // Whether it has been read, or has failed to be.
    pub is_tried: bool,
    failing: Option<Failing>,
    conflicts: u32,
    // How many servers it names once it is written.
    size: usize,
    // How often it did not have us when we had written it.
    unseen: u32,
    is_written: bool,
    next_announce: Duration,
    // Whom we listed online when the list was found to name just them, and when.
    right: Option<(u64, Duration)>,
}

// That it can be neither read nor written.
#[derive(Debug)]
struct Failing {
    since: Duration,
    times: u32,
    is_said: bool,
}

impl MasterList {
    /// Whether it is being read or written, or will be.
    pub fn is_pending(&self) -> bool {
        self.current.is_some() || self.next.is_some()
    }

    /// Waits no longer for anything.
    pub fn abandon(&mut self) {
        (self.current, self.next) = (None, None);
    }
}

impl Core {
    pub(super) fn read_lists_first(&mut self, now: Now) {
        for place in 0..self.lists.len() {
            self.schedule_announce(place, now);
            self.sync_list(place, now);
        }
    }

    pub(super) fn update_lists_last(&mut self, now: Now) {
        for place in 0..self.lists.len() {
            self.lists[place].write_next = true;
            self.sync_list(place, now);
        }
    }

    pub(super) fn sync_lists_due(&mut self, now: Now) {
        for place in 0..self.lists.len() {
            if self.lists[place].next.is_some_and(|at| at <= now.mono) {
                self.sync_list(place, now);
            }
        }
        self.set_list_timer();
    }

    fn sync_list(&mut self, place: ListIndex, now: Now) {
        let timeout = if self.phase == Phase::Leaving { LIST_TIMEOUT / 2 } else { LIST_TIMEOUT };
        let hash = self.members.digest(u64::MAX).hash;
        self.next_id += 1;
        let (id, list) = (self.next_id, &mut self.lists[place]);
        (list.current, list.next) = (Some(id), None);
        let write = list.write_next;
        let v2 = Duration::from_millis(STAMP_LIFE);
        let if_changed = list.right.is_some_and(|(then, at)| then == hash && now.mono < at + v2);
        self.actions.push_back(Action::SyncList { id, place, write, if_changed, timeout });
    }

    /// What reading a list for [`Action::SyncList`] gave; None where it has not changed. Returns what is to be written, if
    /// anything is.
    pub fn handle_list_read(&mut self, now: Now, id: Id, list: Result<Option<Message>, String>) -> Option<Message> {
        let place = self.lists.iter().position(|list| list.current == Some(id))?;
        self.lists[place].is_tried = true;
        let written = match list {
            Ok(Some(list)) => self.read(place, list, now),
            Ok(None) => {
                self.lists[place].figures.read = Some(now.wall);
                self.list_done(place, now);
                None
            }
            Err(error) => {
                self.list_failed(place, error, MAX_BACK_OFF_ALONE, now);
                None
            }
        };
        self.end_bootstrap_if_over();
        written
    }

    fn read(&mut self, place: ListIndex, list: Message, now: Now) -> Option<Message> {
        self.report_skipped(&list.skipped);
        let listed: Vec<_> = list.entries.into_iter().filter(|entry| entry.state == State::Online).collect();
        self.add_seeds(place, &listed, now);
        if self.phase == Phase::Running {
            self.meet_seeds(now);
            self.expect_seeds(now);
        }
        let figures = &mut self.lists[place].figures;
        (figures.read, figures.servers) = (Some(now.wall), listed.len());
        let is_missing = listed.iter().all(|entry| entry.url != self.settings.base_url);
        let list = &mut self.lists[place];
        list.unseen = if is_missing { list.unseen + u32::from(list.is_written) } else { 0 };
        list.is_written = false;
        let (wanted, strangers) = self.wanted(&listed, now);
        let is_right = is_right(&listed, &wanted);
        let hash = self.members.digest(u64::MAX).hash;
        // Strangers may have to leave it, however little else changes.
        self.lists[place].right = (is_right && strangers == 0).then_some((hash, now.mono));
        if self.lists[place].write_next && !is_right {
            self.lists[place].size = wanted.len();
            return Some(Message::new(wanted));
        }
        if !is_missing || self.own().state == State::Offline || self.phase != Phase::Running {
            self.list_done(place, now);
        } else if self.lists[place].unseen < MAX_UNSEEN {
            // Where there are many, one of them will have written the others too.
            let crowd = 1.0 + self.members.live() as f64 / MISSING_AT_A_TIME as f64;
            let wait = Duration::from_secs(1).mul_f64(self.random_factor(0.25..1.0) * crowd);
            self.list_works(place);
            self.schedule_list(place, wait, true, now);
        } else {
            self.lists[place].write_next = true;
            let name = &self.settings.lists[place];
            let why =
                "does not have what is written to it: do both its URLs lead to the same document, past any cache?";
            self.list_failed(place, format!("{name} {why}"), MAX_BACK_OFF, now);
        }
        None
    }

    /// What writing a list for [`Action::SyncList`] gave: whether on condition that nobody else had.
    pub fn handle_list_written(&mut self, now: Now, id: Id, result: Result<bool, WriteError>) {
        let Some(place) = self.lists.iter().position(|list| list.current == Some(id)) else { return };
        match result {
            Ok(on_condition) => {
                let list = &mut self.lists[place];
                let servers = list.size;
                (list.conflicts, list.is_written) = (0, true);
                (list.figures.written, list.figures.servers) = (Some(now.wall), servers);
                if list.unseen < MAX_UNSEEN {
                    self.list_works(place);
                } else {
                    list.current = None;
                }
                let list = self.settings.lists[place].clone();
                self.notices.push_back(Event::ListWritten { list, servers, on_condition });
                self.schedule_announce(place, now);
                let wait = READ_BACK.mul_f64(self.random_factor(0.5..1.5));
                let announce = self.lists[place].next_announce.saturating_sub(now.mono);
                self.schedule_list(place, wait.min(announce), announce <= wait, now);
            }
            Err(WriteError::Conflict) => {
                let list = &mut self.lists[place];
                list.conflicts += 1;
                if list.conflicts >= MAX_CONFLICTS {
                    let name = &self.settings.lists[place];
                    let error = format!("{name} cannot be written: somebody else always has, says its store");
                    return self.list_failed(place, error, MAX_BACK_OFF, now);
                }
                list.current = None;
                let wait = CONFLICT_WAIT * (1 << list.conflicts.min(MAX_DOUBLINGS));
                let wait = wait.mul_f64(self.random_factor(0.25..0.75));
                self.set_next(place, wait, true, now);
            }
            // What is refused is refused the next time too, and may have the account locked.
            Err(WriteError::Failed(error)) => self.list_failed(place, error, MAX_BACK_OFF, now),
        }
    }

    fn add_seeds(&mut self, place: ListIndex, listed: &[Entry], now: Now) {
        self.seeds.keep_listed(place, &by_url(listed.iter()));
        for entry in listed {
            let known = self.members.get(&entry.url).map(|member| &member.entry);
            if known.is_none_or(|known| known.state == State::Offline && may_live_again(entry, known)) {
                self.seeds.add_listed(place, entry, now);
            } else {
                self.seeds.remove(&entry.url);
            }
        }
        self.seeds.remove(&self.settings.base_url);
    }

    // The list as it should be: whoever is online to our knowledge, and strangers, whom the list names and we do not know
    // and have not tried in vain. The dead leave it by that. Returns with it how many strangers there are.
    fn wanted(&self, listed: &[Entry], now: Now) -> (Vec<Entry>, usize) {
        let mut entries: Vec<_> = self.members.entries().filter(|it| it.state == State::Online).cloned().collect();
        let strangers = listed.iter().filter(|entry| !self.seeds.is_given_up(&entry.url, now));
        let strangers = by_url(strangers);
        entries.extend(strangers.values().map(|entry| (*entry).clone()));
        (entries, strangers.len())
    }

    fn list_works(&mut self, place: ListIndex) {
        let list = &mut self.lists[place];
        (list.current, list.failing, list.figures.failing) = (None, None, None);
    }

    // It is as it should be, or can wait.
    fn list_done(&mut self, place: ListIndex, now: Now) {
        self.list_works(place);
        let list = &mut self.lists[place];
        list.conflicts = 0;
        if list.write_next {
            self.schedule_announce(place, now);
        }
        let announce = self.lists[place].next_announce.saturating_sub(now.mono);
        // Two that started with an empty list may have missed each other.
        let look_again = LOOK_AGAIN.mul_f64(self.random_factor(1.0..2.0));
        if self.members.is_alone(&self.settings.base_url) && look_again < announce {
            self.schedule_list(place, look_again, false, now);
        } else {
            self.schedule_list(place, announce, true, now);
        }
    }

    /// Whoever finds itself alone looks whether the lists name anybody by now, and does not wait for their next update.
    pub(super) fn look_at_lists_if_alone(&mut self, now: Now) {
        if !self.members.is_alone(&self.settings.base_url) || self.phase != Phase::Running {
            return;
        }
        for place in 0..self.lists.len() {
            let wait = LOOK_AGAIN.mul_f64(self.random_factor(0.0..1.0)).max(LEAST_WAIT);
            let list = &self.lists[place];
            // One that fails has its own wait.
            if list.current.is_none() && list.failing.is_none() && list.next.is_none_or(|at| now.mono + wait < at) {
                self.set_next(place, wait, false, now);
            }
        }
    }

    fn schedule_announce(&mut self, place: ListIndex, now: Now) {
        let more = self.settings.announce_interval.mul_f64(self.random_factor(0.0..1.0));
        self.lists[place].next_announce = now.mono + self.settings.announce_minimum + more;
    }

    // Waits for so long at most where nobody else is known.
    fn list_failed(&mut self, place: ListIndex, error: String, alone: Duration, now: Now) {
        let is_alone = self.members.is_alone(&self.settings.base_url);
        let list = &mut self.lists[place];
        (list.current, list.right) = (None, None);
        let failing = list.failing.get_or_insert(Failing { since: now.mono, times: 0, is_said: false });
        failing.times += 1;
        let (since, times) = (now.mono.saturating_sub(failing.since), failing.times);
        list.figures.failed += 1;
        list.figures.failing = Some((times, error.clone()));
        if !failing.is_said && since >= UNUSABLE.0 && times >= UNUSABLE.1 {
            failing.is_said = true;
            self.notices.push_back(Event::ListUnusable(error.clone()));
        }
        let most = if is_alone && since < ALONE_FOR { alone } else { MAX_BACK_OFF };
        let wait = Duration::from_secs(1 << times.min(12)).min(most);
        let write = list.write_next;
        self.notices.push_back(Event::ListFailed(error));
        let wait = wait.mul_f64(self.random_factor(0.5..1.0));
        self.schedule_list(place, wait, write, now);
    }

    fn schedule_list(&mut self, place: ListIndex, wait: Duration, write: bool, now: Now) {
        match self.phase {
            Phase::Running => self.set_next(place, wait, write, now),
            Phase::Leaving | Phase::Left => self.finish_leave_if_told(),
        }
    }

    fn set_next(&mut self, place: ListIndex, wait: Duration, write: bool, now: Now) {
        let list = &mut self.lists[place];
        (list.next, list.write_next) = (Some(now.mono + wait.max(LEAST_WAIT)), write);
        self.set_list_timer();
    }

    fn set_list_timer(&mut self) {
        if let Some(next) = self.lists.iter().filter_map(|list| list.next).min() {
            self.timers.set(Timer::List, next);
        }
    }
}

// Whether a list speaks of a later life than the one that we know the end of. Its number may be below that end all the
// same: it started again right after it left, which it stamped ahead, or with another clock, and nobody has told it.
fn may_live_again(listed: &Entry, known: &Entry) -> bool {
    supersedes(listed, known) || listed.stamp > effective_incarnation(known) || listed.instance() != known.instance()
}

// Whether a list needs no update. Stamps alone make none, while they are not old.
fn is_right(listed: &[Entry], wanted: &[Entry]) -> bool {
    let by_url = by_url(listed.iter());
    let incarnation = |entry: &Entry| entry.v2.as_ref().map(|v2| v2.incarnation);
    let is_there = |entry: &Entry| {
        by_url.get(&entry.url).is_some_and(|it| {
            it.monitor == entry.monitor
                && incarnation(it) == incarnation(entry)
                && it.stamp.saturating_add(STAMP_LIFE) >= entry.stamp
        })
    };
    listed.len() == wanted.len() && wanted.iter().all(is_there)
}
