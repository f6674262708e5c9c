//! How a server finds others at its start, and announces itself: the master lists, the seeds that they name, the first
//! contacts with those, and the state that is saved for the next start. `Core` routes between them here.

mod bootstrap;
mod master_list;
mod master_lists;
mod saved_state;
mod seeds;

use super::exchange::{Purpose, Request};
use super::{Core, Entry, Event, ListIndex, Message, Now, RequestId, State, WriteError};
use crate::config::Settings;

use bootstrap::Bootstrap;
use master_lists::MasterLists;
use saved_state::SavedState;
use seeds::Seeds;

/// The parts by which a server finds others. `Core` uses them directly.
#[derive(Debug)]
pub struct Discovery {
    pub lists: MasterLists,
    pub seeds: Seeds,
    pub bootstrap: Bootstrap,
    pub saved_state: SavedState,
}

impl Discovery {
    /// Nothing is read yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            lists: MasterLists::new(settings),
            seeds: Seeds::new(settings.interval),
            bootstrap: Bootstrap::default(),
            saved_state: SavedState::new(settings.keeps_state),
        }
    }
}

impl Core {
    /// What reading a list for [`Action::SyncList`](super::Action::SyncList) gave; None if it has not changed. Returns what
    /// is to be written, if anything is.
    pub fn handle_list_read(
        &mut self,
        now: Now,
        id: RequestId,
        list: Result<Option<Message>, String>,
    ) -> Option<Message> {
        let index = self.discovery.lists.find(id)?;
        let listed = list.map(|list| list.map(|list| self.take_seeds(index, list, now)));
        let Discovery { lists, seeds, bootstrap, .. } = &mut self.discovery;
        let mut written = lists.on_read(index, listed, &self.members, seeds, now, &mut self.out);
        bootstrap.on_list_read(lists.are_tried(), &mut self.out);
        // What a server with a wrong clock knows is not what the others do: the list stays as it is.
        if written.is_some() && self.clock_check.is_wrong() {
            lists.on_write_skipped(index, &self.members, now, &mut self.out);
            written = None;
        }
        self.finish_leave_if_told();
        written
    }

    // Returns the servers that a list names as online.
    fn take_seeds(&mut self, index: ListIndex, list: Message, now: Now) -> Vec<Entry> {
        self.out.report_skipped(&list.skipped);
        let listed: Vec<_> = list.entries.into_iter().filter(|entry| entry.state == State::Online).collect();
        let others = listed.iter().filter(|entry| entry.stamp > 0 && entry.url != *self.members.local_url()).count();
        self.clock_check.on_list(list.ahead, others, &mut self.out);
        self.discovery.seeds.on_list(index, &listed, &self.members, now);
        if self.lifecycle.is_running() {
            self.send_first_contacts(now);
            self.schedule_seed_contacts(now);
        }
        listed
    }

    /// What writing a list for [`Action::SyncList`](super::Action::SyncList) gave: whether the store made sure that nobody
    /// else had written meanwhile.
    pub fn handle_list_written(&mut self, now: Now, id: RequestId, result: Result<bool, WriteError>) {
        let Some(index) = self.discovery.lists.find(id) else { return };
        self.discovery.lists.on_written(index, result, &self.members, now, &mut self.out);
        self.finish_leave_if_told();
    }

    /// What an earlier process saved. To be called before anything else, if at all.
    pub fn handle_saved_state(&mut self, now: Now, state: &Message) {
        self.out.report_skipped(&state.skipped);
        for entry in state.entries.iter().filter(|entry| entry.url != *self.members.local_url()) {
            self.discovery.seeds.add_candidate(entry, now);
        }
        self.send_first_contacts(now);
        self.schedule_seed_contacts(now);
    }

    /// The outcome of [`Action::SaveState`](super::Action::SaveState).
    pub fn handle_state_saved(&mut self, saved: Result<(), String>) {
        if let Err(error) = saved {
            self.discovery.saved_state.on_failed();
            self.out.report(Event::StateNotSaved(error));
        }
    }

    pub(super) fn save_state(&mut self, now: Now) {
        let saved_state = &mut self.discovery.saved_state;
        saved_state.schedule(now, &mut self.out);
        if !self.clock_check.is_wrong() {
            saved_state.save(&self.members, &mut self.out);
        }
    }

    pub(super) fn send_seed_contacts(&mut self, now: Now) {
        if self.lifecycle.is_awake(now) {
            let contacts = self.discovery.seeds.next_contacts(&self.members, &self.exchanges, now, &mut self.out);
            self.send_all(contacts, now);
        } else {
            self.discovery.seeds.skip_contacts();
        }
        self.discovery.seeds.schedule(&self.members, &self.exchanges, now, &mut self.out);
    }

    fn send_first_contacts(&mut self, now: Now) {
        let Discovery { seeds, bootstrap, .. } = &self.discovery;
        let Some(most) = bootstrap.free_contacts() else { return };
        for to in seeds.first_contacts(most, &self.exchanges, &mut self.out) {
            let id = self.send(Request::new(to, Purpose::Contact), now);
            self.discovery.bootstrap.add_contact(id);
        }
    }

    pub(super) fn schedule_seed_contacts(&mut self, now: Now) {
        if self.lifecycle.is_running() {
            self.discovery.seeds.expect(&self.members, &self.exchanges, now, &mut self.out);
        }
    }
}
