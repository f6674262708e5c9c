//! `MasterLists`: all master lists. They share one timer and the last update of a leave.

use super::master_list::{AnnouncePacing, MasterList};
use super::seeds::Seeds;
use crate::clock::Now;
use crate::config::{DISCOVER, ListSettings, Settings};
use crate::membership::{ByUrl, Members};
use crate::message::Message;
use crate::protocol::action::{ListIndex, RequestId, WriteError};
use crate::protocol::counters::ListStatus;
use crate::protocol::output::Output;
use crate::protocol::timer::Timer;

/// The master lists, in configuration order.
#[derive(Clone, Debug)]
pub struct MasterLists {
    lists: Vec<MasterList>,
    updates_on_leave: bool,
}

impl MasterLists {
    /// No list read yet.
    pub fn new(settings: &Settings) -> Self {
        let pacing = |list: &ListSettings| AnnouncePacing {
            gossip: settings.interval,
            is_written: list.is_written,
            minimum: settings.announce_minimum,
            interval: settings.announce_interval,
        };
        Self {
            lists: settings.lists.iter().map(|list| MasterList::new(list.name.clone(), pacing(list))).collect(),
            updates_on_leave: settings.update_list_on_shutdown,
        }
    }

    /// Begins to read all lists.
    pub fn start(&mut self, members: &Members, now: Now, out: &mut Output) {
        for (index, list) in self.lists.iter_mut().enumerate() {
            list.start(index, members, now, out);
        }
    }

    /// The server leaves: schedules no more reads. Returns whether the configuration asks for a last update.
    pub fn leave(&mut self) -> bool {
        self.lists.iter_mut().for_each(MasterList::leave);
        self.updates_on_leave
    }

    /// Begins the last update of all lists, if the configuration asks for it.
    pub fn update_on_leave(&mut self, members: &Members, now: Now, out: &mut Output) {
        if self.updates_on_leave {
            self.update_last(members, now, out);
        }
    }

    /// Begins the last update of all lists.
    pub fn update_last(&mut self, members: &Members, now: Now, out: &mut Output) {
        for (index, list) in self.lists.iter_mut().enumerate() {
            list.update_last(index, members, now, out);
        }
    }

    /// Begins to read the lists that are due.
    pub fn sync_due(&mut self, members: &Members, now: Now, out: &mut Output) {
        for (index, list) in self.lists.iter_mut().enumerate() {
            if list.next().is_some_and(|at| at <= now.mono) {
                list.sync_next(index, members, now, out);
            }
        }
        self.set_timer(out);
    }

    /// Reads the lists soon if this server is alone.
    pub fn read_if_alone(&mut self, members: &Members, now: Now, out: &mut Output) {
        if members.is_alone() {
            self.lists.iter_mut().for_each(|list| list.read_soon(now, out));
            self.set_timer(out);
        }
    }

    /// Reads the lists at once, because our clock was corrected.
    pub fn read_now(&mut self, now: Now, out: &mut Output) {
        self.lists.iter_mut().for_each(|list| list.read_now(now));
        self.set_timer(out);
    }

    fn set_timer(&self, out: &mut Output) {
        if let Some(next) = self.lists.iter().filter_map(MasterList::next).min() {
            out.timers.set(Timer::Lists, next);
        }
    }

    /// The list whose current access has this id.
    pub fn find(&self, id: RequestId) -> Option<ListIndex> {
        self.lists.iter().position(|list| list.is_current(id))
    }

    /// A list was read: the online servers in it, or None if it has not changed. Returns the list to write, if it needs
    /// an update.
    pub fn on_read(
        &mut self,
        index: ListIndex,
        result: Result<Option<&ByUrl<'_>>, String>,
        members: &Members,
        seeds: &Seeds,
        now: Now,
        out: &mut Output,
    ) -> Option<Message> {
        let list = &mut self.lists[index];
        let written = match result {
            Ok(Some(listed)) => list.on_read(listed, members, seeds, now, out),
            Ok(None) => {
                list.on_unchanged(members, now, out);
                None
            }
            Err(error) => {
                list.on_read_failed(error, members, now, out);
                None
            }
        };
        self.set_timer(out);
        written
    }

    /// A smaller update, or none, replaces what [`Self::on_read`] returned, for a reason outside of the list.
    pub fn on_write_limited(
        &mut self,
        index: ListIndex,
        written: Option<&Message>,
        members: &Members,
        now: Now,
        out: &mut Output,
    ) {
        let list = &mut self.lists[index];
        if let Some(message) = written {
            list.expect_written(message);
        } else {
            list.on_done(members, now, out);
            list.read_soon(now, out);
        }
        self.set_timer(out);
    }

    /// The write of a list ended.
    pub fn on_written(
        &mut self,
        index: ListIndex,
        result: Result<bool, WriteError>,
        members: &Members,
        now: Now,
        out: &mut Output,
    ) {
        self.lists[index].on_written(result, members, now, out);
        self.set_timer(out);
    }

    /// Drops accesses under way. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn abandon(&mut self) {
        self.lists.iter_mut().for_each(MasterList::abandon);
    }

    /// Whether any list is being accessed, or will be.
    pub fn is_pending(&self) -> bool {
        self.lists.iter().any(MasterList::is_pending)
    }

    /// Whether every list was read or has failed.
    pub fn are_tried(&self) -> bool {
        self.lists.iter().all(MasterList::is_tried)
    }

    /// The name of a list.
    pub fn name(&self, index: ListIndex) -> &str {
        self.lists.get(index).map_or(DISCOVER, MasterList::name)
    }

    /// The name and status of each list.
    pub fn statuses(&self) -> impl Iterator<Item = (&str, &ListStatus)> {
        self.lists.iter().map(|list| (list.name(), list.status()))
    }

    /// Whether each list is also written.
    pub fn are_written(&self) -> impl Iterator<Item = bool> {
        self.lists.iter().map(MasterList::is_written)
    }
}
