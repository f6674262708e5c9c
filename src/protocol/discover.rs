//! Routes between the core and its master lists, seeds and saved state.

use super::exchange::{Purpose, Request};
use super::{Core, Entry, ListIndex, Message, Now, RequestId, State, WriteError};

impl Core {
    /// What reading a list for [`Action::SyncList`] gave; None if it has not changed. Returns what is to be written, if
    /// anything is.
    pub fn handle_list_read(
        &mut self,
        now: Now,
        id: RequestId,
        list: Result<Option<Message>, String>,
    ) -> Option<Message> {
        let index = self.discovery.find(id)?;
        let is_running = self.lifecycle.is_running();
        let listed = list.map(|list| list.map(|list| self.take_seeds(index, list, now)));
        let mut written = self.discovery.on_list_read(index, listed, &self.members, is_running, now, &mut self.out);
        // What a server with a wrong clock knows is not what the others do: the list stays as it is.
        if written.is_some() && self.clock_check.is_wrong() {
            self.discovery.on_write_skipped(index, &self.members, is_running, now, &mut self.out);
            written = None;
        }
        self.finish_leave_if_told();
        written
    }

    // Returns the servers that a list names as online.
    pub(super) fn take_seeds(&mut self, index: ListIndex, list: Message, now: Now) -> Vec<Entry> {
        self.out.report_skipped(&list.skipped);
        let listed: Vec<_> = list.entries.into_iter().filter(|entry| entry.state == State::Online).collect();
        let others = listed.iter().filter(|entry| entry.stamp > 0 && entry.url != *self.members.local_url()).count();
        self.clock_check.on_list(list.ahead, others, &mut self.out);
        self.discovery.add_seeds(index, &listed, &self.members, now);
        if self.lifecycle.is_running() {
            self.send_first_contacts(now);
            self.schedule_seed_contacts(now);
        }
        listed
    }

    /// What writing a list for [`Action::SyncList`] gave: whether the store made sure that nobody else had written
    /// meanwhile.
    pub fn handle_list_written(&mut self, now: Now, id: RequestId, result: Result<bool, WriteError>) {
        let Some(index) = self.discovery.find(id) else { return };
        let is_running = self.lifecycle.is_running();
        self.discovery.on_list_written(index, result, &self.members, is_running, now, &mut self.out);
        self.finish_leave_if_told();
    }

    /// What an earlier process saved. To be called before anything else, if at all.
    pub fn handle_saved_state(&mut self, now: Now, state: &Message) {
        self.out.report_skipped(&state.skipped);
        for entry in state.entries.iter().filter(|entry| entry.url != *self.members.local_url()) {
            self.discovery.add_candidate(entry, now);
        }
        self.send_first_contacts(now);
        self.schedule_seed_contacts(now);
    }

    /// The outcome of [`Action::SaveState`].
    pub fn handle_state_saved(&mut self, saved: Result<(), String>) {
        if let Err(error) = saved {
            self.discovery.on_save_failed(error, &mut self.out);
        }
    }

    pub(super) fn send_seed_contacts(&mut self, now: Now) {
        if self.lifecycle.is_awake(now) {
            let contacts = self.discovery.next_seed_contacts(&self.members, &self.exchanges, now, &mut self.out);
            self.send_all(contacts, now);
        } else {
            self.discovery.skip_seed_contacts();
        }
        self.discovery.schedule_seeds(&self.members, &self.exchanges, now, &mut self.out);
    }

    pub(super) fn send_first_contacts(&mut self, now: Now) {
        for to in self.discovery.first_contacts(&self.exchanges, &mut self.out) {
            let id = self.send(Request::new(to, Purpose::Contact), now);
            self.discovery.add_first_contact(id);
        }
    }

    pub(super) fn schedule_seed_contacts(&mut self, now: Now) {
        if self.lifecycle.is_running() {
            self.discovery.expect_seeds(&self.members, &self.exchanges, now, &mut self.out);
        }
    }
}
