//! Where a server begins, and where it says that it is there: the master lists, the seeds that they name, the first contacts
//! with those, and the state that is saved for the next start.

mod master_list;
mod saved_state;
mod seeds;

use std::collections::BTreeSet;

use super::action::{ListIndex, RequestId, WriteError};
use super::counters::ListStatus;
use super::event::Event;
use super::exchange::{Exchanges, Request};
use super::output::Output;
use super::timer::Timer;
use crate::clock::Now;
use crate::config::Settings;
use crate::membership::{Members, by_url, effective_incarnation, supersedes};
use crate::message::{Entry, Message, ServerUrl, State};

use master_list::{AnnouncePacing, MasterList};
use saved_state::SavedState;
use seeds::{AT_A_TIME, Seeds};

/// The first contact with servers that may be up, which the start waits for.
#[derive(Debug, Default)]
struct Bootstrap {
    contacts: BTreeSet<RequestId>,
    has_answer: bool,
}

/// The master lists, the seeds and the saved state.
#[derive(Debug)]
pub struct Discovery {
    lists: Vec<MasterList>,
    updates_on_leave: bool,
    seeds: Seeds,
    saved_state: SavedState,
    // None once it is over.
    bootstrap: Option<Bootstrap>,
}

impl Discovery {
    /// Nothing is read yet.
    pub fn new(settings: &Settings) -> Self {
        let pacing = AnnouncePacing { minimum: settings.announce_minimum, interval: settings.announce_interval };
        Self {
            lists: settings.lists.iter().map(|name| MasterList::new(name.clone(), pacing)).collect(),
            updates_on_leave: settings.update_list_on_shutdown,
            seeds: Seeds::new(settings.interval),
            saved_state: SavedState::new(settings.keeps_state),
            bootstrap: Some(Bootstrap::default()),
        }
    }

    /// Begins to read all lists.
    pub fn start(&mut self, members: &Members, now: Now, out: &mut Output) {
        for (index, list) in self.lists.iter_mut().enumerate() {
            list.start(index, members, now, out);
        }
        self.saved_state.schedule(now, out);
    }

    /// Begins the last update of all lists, if the configuration asks for it. Returns whether it does.
    pub fn update_on_leave(&mut self, members: &Members, now: Now, out: &mut Output) -> bool {
        if self.updates_on_leave {
            self.update_all(members, now, out);
        }
        self.updates_on_leave
    }

    /// Begins the last update of all lists.
    pub fn update_all(&mut self, members: &Members, now: Now, out: &mut Output) {
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
        self.set_list_timer(out);
    }

    /// Reads the lists soon, because this server is alone.
    pub fn look_if_alone(&mut self, members: &Members, now: Now, out: &mut Output) {
        if members.is_alone() {
            self.lists.iter_mut().for_each(|list| list.look_if_alone(now, out));
            self.set_list_timer(out);
        }
    }

    /// Reads the lists at once: our clock was wrong, and was set.
    pub fn look_now(&mut self, now: Now, out: &mut Output) {
        self.lists.iter_mut().for_each(|list| list.look_now(now));
        self.set_list_timer(out);
    }

    fn set_list_timer(&self, out: &mut Output) {
        if let Some(next) = self.lists.iter().filter_map(MasterList::next).min() {
            out.timers.set(Timer::Lists, next);
        }
    }

    /// The list whose current access this is.
    pub fn find(&self, id: RequestId) -> Option<ListIndex> {
        self.lists.iter().position(|list| list.is_current(id))
    }

    /// A list was read: the servers that it names become seeds, unless they are known to be up.
    pub fn add_seeds(&mut self, index: ListIndex, listed: &[Entry], members: &Members, now: Now) {
        self.seeds.keep_listed(index, &by_url(listed.iter()));
        for entry in listed {
            let known = members.get(&entry.url).map(|member| &member.entry);
            if known.is_none_or(|known| known.state == State::Offline && may_be_back(entry, known)) {
                self.seeds.add_listed(index, entry, now);
            } else {
                self.seeds.remove(&entry.url);
            }
        }
        self.seeds.remove(members.local_url());
    }

    /// What a read of a list gave: the online servers that it names, or None where it has not changed. Returns what is to be
    /// written, if anything is.
    pub fn on_list_read(
        &mut self,
        index: ListIndex,
        result: Result<Option<Vec<Entry>>, String>,
        members: &Members,
        is_running: bool,
        now: Now,
        out: &mut Output,
    ) -> Option<Message> {
        let list = &mut self.lists[index];
        let written = match result {
            Ok(Some(listed)) => list.on_read(&listed, members, &self.seeds, is_running, now, out),
            Ok(None) => {
                list.on_unchanged(members, is_running, now, out);
                None
            }
            Err(error) => {
                list.on_read_failed(error, members, is_running, now, out);
                None
            }
        };
        self.set_list_timer(out);
        self.end_bootstrap_if_over(out);
        written
    }

    /// What was to be written is not, for a reason that has nothing to do with the list.
    pub fn on_write_skipped(
        &mut self,
        index: ListIndex,
        members: &Members,
        is_running: bool,
        now: Now,
        out: &mut Output,
    ) {
        self.lists[index].on_done(members, is_running, now, out);
        self.set_list_timer(out);
    }

    /// What a write of a list gave.
    pub fn on_list_written(
        &mut self,
        index: ListIndex,
        result: Result<bool, WriteError>,
        members: &Members,
        is_running: bool,
        now: Now,
        out: &mut Output,
    ) {
        self.lists[index].on_written(result, members, is_running, now, out);
        self.set_list_timer(out);
    }

    /// Waits for no list any more.
    pub fn abandon_lists(&mut self) {
        self.lists.iter_mut().for_each(MasterList::abandon);
    }

    /// Whether any list is being read or written, or will be.
    pub fn is_pending(&self) -> bool {
        self.lists.iter().any(MasterList::is_pending)
    }

    /// The lists by their names, and their condition.
    pub fn list_statuses(&self) -> impl Iterator<Item = (&str, &ListStatus)> {
        self.lists.iter().map(|list| (list.name(), list.status()))
    }

    /// A server says that it is up, or was up once.
    pub fn add_candidate(&mut self, entry: &Entry, now: Now) {
        self.seeds.add_candidate(entry, now);
    }

    /// A server is a member now, or known better than its seed.
    pub fn remove_seed(&mut self, url: &ServerUrl) {
        self.seeds.remove(url);
    }

    /// How many seeds there are.
    pub fn seed_count(&self) -> usize {
        self.seeds.count()
    }

    /// Whether a seed was tried in vain, or is not known.
    #[cfg(test)]
    pub fn is_given_up(&self, url: &ServerUrl, now: Now) -> bool {
        self.seeds.is_given_up(url, now)
    }

    /// An exchange with a server failed.
    pub fn on_failure(&mut self, url: &ServerUrl) {
        self.seeds.on_failure(url);
    }

    /// A server has answered us.
    pub fn on_response(&mut self, url: &ServerUrl) {
        self.seeds.remove(url);
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.has_answer = true;
        }
    }

    /// Forgets seeds and reads, and ends the start. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn reset(&mut self, out: &mut Output) {
        self.seeds.clear();
        self.abandon_lists();
        self.end_bootstrap(out);
    }

    /// Has the seeds contacted soon.
    pub fn expect_seeds(&self, members: &Members, exchanges: &Exchanges, now: Now, out: &mut Output) {
        self.seeds.expect(members, exchanges, now, out);
    }

    /// The seeds to contact now.
    pub fn next_seed_contacts(
        &mut self,
        members: &Members,
        exchanges: &Exchanges,
        now: Now,
        out: &mut Output,
    ) -> Vec<Request> {
        self.seeds.next_contacts(members, exchanges, now, out)
    }

    /// The program is stalled: no seed is contacted this time.
    pub fn skip_seed_contacts(&mut self) {
        self.seeds.skip_contacts();
    }

    /// Schedules the next contacts with seeds.
    pub fn schedule_seeds(&self, members: &Members, exchanges: &Exchanges, now: Now, out: &mut Output) {
        self.seeds.schedule(members, exchanges, now, out);
    }

    /// Now and then a seed that was given up.
    pub fn lost_seed(&self, members: &Members, exchanges: &Exchanges, now: Now, out: &mut Output) -> Option<ServerUrl> {
        self.seeds.lost_contact(members, exchanges, now, out)
    }

    /// The seeds that a new server contacts first, while its start waits for an answer.
    pub fn first_contacts(&self, exchanges: &Exchanges, out: &mut Output) -> Vec<ServerUrl> {
        let Some(bootstrap) = &self.bootstrap else { return Vec::new() };
        let most = AT_A_TIME.saturating_sub(bootstrap.contacts.len());
        self.seeds.first_contacts(most, exchanges, out)
    }

    /// A first contact has begun.
    pub fn add_first_contact(&mut self, id: RequestId) {
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.contacts.insert(id);
        }
    }

    /// An exchange has ended: the start may be over.
    pub fn on_exchange_end(&mut self, id: RequestId, out: &mut Output) {
        if self.bootstrap.as_mut().is_some_and(|bootstrap| bootstrap.contacts.remove(&id)) {
            self.end_bootstrap_if_over(out);
        }
    }

    fn end_bootstrap_if_over(&mut self, out: &mut Output) {
        let are_all_tried = self.lists.iter().all(MasterList::is_tried);
        let is_over = |it: &Bootstrap| it.contacts.is_empty() && (it.has_answer || are_all_tried);
        if self.bootstrap.as_ref().is_some_and(is_over) {
            self.end_bootstrap(out);
        }
    }

    /// The start is over.
    pub fn end_bootstrap(&mut self, out: &mut Output) {
        if self.bootstrap.take().is_some() {
            out.report(Event::Started);
        }
    }

    /// Saves the state if it has changed, and schedules the next look.
    pub fn save_state(&mut self, members: &Members, is_clock_right: bool, now: Now, out: &mut Output) {
        self.saved_state.schedule(now, out);
        if is_clock_right {
            self.saved_state.save(members, out);
        }
    }

    /// The last save failed.
    pub fn on_save_failed(&mut self, error: String, out: &mut Output) {
        self.saved_state.on_failed();
        out.report(Event::StateNotSaved(error));
    }
}

// Whether a list speaks of a later process than the one that we know to be offline. Its incarnation may be lower all the
// same: it restarted right after its leave, which is stamped ahead, or with another clock, and nobody has told it.
fn may_be_back(listed: &Entry, known: &Entry) -> bool {
    supersedes(listed, known) || listed.stamp > effective_incarnation(known) || listed.instance() != known.instance()
}
