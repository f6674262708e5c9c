//! Discovery: how a server finds others and announces itself. Sources of seeds are master lists, DNS names, the
//! program's `discover` and the state saved by an earlier process. Seeds become members when they answer. `Core` routes
//! between the parts here.

mod bootstrap;
mod failing;
mod lonely;
mod master_list;
mod master_lists;
mod names;
mod saved_state;
mod seeds;

use super::action::ExchangeError;
use super::exchange::{Purpose, Request};
use super::{
    Core, Entry, Event, ListIndex, ListStatus, Message, Now, Place, RequestId, Resolved, ServerUrl, State, WriteError,
};
use crate::config::Settings;
use crate::membership::ByUrl;

use bootstrap::Bootstrap;
use lonely::Lonely;
use master_list::add_own;
use master_lists::MasterLists;
#[cfg(test)]
pub use names::MAX_PLACES;
use names::Names;
use saved_state::SavedState;
use seeds::Seeds;

/// The list index of servers that the program's `discover` returns.
const DISCOVERED: ListIndex = ListIndex::MAX;

/// The parts of discovery. `Core` accesses them directly.
#[derive(Clone, Debug)]
pub struct Discovery {
    pub lists: MasterLists,
    pub names: Names,
    pub seeds: Seeds,
    pub bootstrap: Bootstrap,
    pub saved_state: SavedState,
    pub lonely: Lonely,
}

impl Discovery {
    /// Nothing read yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            lists: MasterLists::new(settings),
            names: Names::new(&settings.names),
            seeds: Seeds::new(settings.interval),
            bootstrap: Bootstrap::default(),
            saved_state: SavedState::new(settings.keeps_state),
            lonely: Lonely::default(),
        }
    }

    // What was tried to find others, and the results, for people.
    fn tried(&self) -> Vec<String> {
        let says = |name: &str, status: &ListStatus, one: &str, many: &str| match (&status.failing, status.servers) {
            (Some((_, error)), _) => error.clone(),
            (None, 1) => format!("{name} has 1 {one}"),
            (None, count) => format!("{name} has {count} {many}"),
        };
        let mut tried = Vec::new();
        for ((name, status), is_written) in self.lists.statuses().zip(self.lists.are_written()) {
            let note = if is_written { "" } else { " (only read: SHAZBOT_MASTER_LIST_UPDATE is not set)" };
            tried.push(says(name, status, "server", "servers") + note);
        }
        tried.extend(self.names.statuses().map(|(name, status)| says(name, status, "address", "addresses")));
        tried.extend(self.names.answers());
        tried.extend(self.seeds.last_failure().map(str::to_owned));
        tried
    }

    // Whether every list and name was tried.
    fn is_tried(&self) -> bool {
        self.lists.are_tried() && self.names.are_tried()
    }
}

impl Core {
    /// The read of [`Action::SyncList`](super::Action::SyncList) ended. `Ok(None)`: not changed. Returns the list to
    /// write, if it needs an update.
    pub fn handle_list_read(
        &mut self,
        now: Now,
        id: RequestId,
        list: Result<Option<Message>, String>,
    ) -> Option<Message> {
        let index = self.discovery.lists.find(id)?;
        let entries = list.map(|list| list.map(|list| self.online_entries(index, list, now)));
        let listed = entries.as_ref().map(|entries| entries.as_ref().map(ByUrl::new)).map_err(String::clone);
        if let Ok(Some(listed)) = &listed {
            self.take_seeds(index, listed, now);
        }
        // With a wrong clock our view differs from the others', so the list stays as it is. After a while the server
        // adds its own entry only: if the others' clocks are wrong, servers with right clocks can find each other only
        // this way.
        let with_own = match &listed {
            Ok(Some(listed)) if self.clock_check.is_wrong_for_long(now) => {
                self.members.local().map(|own| add_own(listed, own))
            }
            Ok(_) | Err(_) => None,
        };
        let Discovery { lists, seeds, .. } = &mut self.discovery;
        let listed = listed.as_ref().map(Option::as_ref).map_err(String::clone);
        let mut written = lists.on_read(index, listed, &self.members, seeds, now, &mut self.out);
        if written.is_some() && self.clock_check.is_wrong() {
            written = with_own.flatten();
            lists.on_write_limited(index, written.as_ref(), &self.members, now, &mut self.out);
        }
        let is_tried = self.discovery.is_tried();
        self.discovery.bootstrap.on_list_read(is_tried, &mut self.out);
        self.finish_leave_if_delivered();
        written
    }

    // The servers that a list names as online.
    fn online_entries(&mut self, index: ListIndex, list: Message, now: Now) -> Vec<Entry> {
        let lists = &self.discovery.lists;
        self.out.report_skipped(&list.skipped, || format!("the master list {}", lists.name(index)));
        let listed: Vec<_> = list.entries.into_iter().filter(|entry| entry.state == State::Online).collect();
        let others = listed.iter().filter(|entry| entry.stamp > 0 && entry.url != *self.members.local_url()).count();
        self.clock_check.on_list(list.ahead, others, now, &mut self.out);
        listed
    }

    // Merges the seeds of a list.
    fn take_seeds(&mut self, index: ListIndex, listed: &ByUrl<'_>, now: Now) {
        self.discovery.seeds.on_list(index, listed, &self.members, now);
        if self.lifecycle.is_running() {
            self.send_first_contacts(now);
            self.schedule_seed_contacts(now);
        }
    }

    /// The write of [`Action::SyncList`](super::Action::SyncList) ended. Ok(true): the store ensured that nobody else
    /// had written in between.
    pub fn handle_list_written(&mut self, now: Now, id: RequestId, result: Result<bool, WriteError>) {
        let Some(index) = self.discovery.lists.find(id) else { return };
        self.discovery.lists.on_written(index, result, &self.members, now, &mut self.out);
        self.finish_leave_if_delivered();
    }

    /// The lookup of [`Action::LookUp`](super::Action::LookUp) ended. Places after the first thousand are ignored.
    pub fn handle_looked_up(&mut self, now: Now, id: RequestId, found: Result<Vec<Place>, String>) {
        if self.discovery.names.on_looked_up(id, found, &self.members, now, &mut self.out) {
            self.ask_places(now);
            let is_tried = self.discovery.is_tried();
            self.discovery.bootstrap.on_list_read(is_tried, &mut self.out);
        }
    }

    /// The program's `discover` returned for [`Action::LookUp`](super::Action::LookUp): servers, as in a master list.
    pub fn handle_discovered(&mut self, now: Now, id: RequestId, found: Result<Message, String>) {
        let count = found.as_ref().map(|found| found.entries.len()).map_err(String::as_str);
        if self.discovery.names.on_discovered(id, count, &self.members, now, &mut self.out) {
            if let Ok(found) = found {
                let entries = self.online_entries(DISCOVERED, found, now);
                self.take_seeds(DISCOVERED, &ByUrl::new(&entries), now);
            }
            let is_tried = self.discovery.is_tried();
            self.discovery.bootstrap.on_list_read(is_tried, &mut self.out);
        }
    }

    /// The question of [`Action::Identify`](super::Action::Identify) ended: the base URL of the server there, or an
    /// error. The URL is only a hint: the server is contacted there, and listed if it answers.
    pub fn handle_identified(&mut self, now: Now, id: RequestId, answer: Result<ServerUrl, ExchangeError>) {
        if let Some(url) = self.discovery.names.on_answer(id, answer, &self.members, &mut self.out)
            && self.lifecycle.is_running()
        {
            let entry = Entry { url: url.clone(), monitor: false, state: State::Online, stamp: 0, v2: None };
            self.discovery.seeds.add_candidate(&entry, now);
            if self.lifecycle.is_awake(now) && !self.exchanges.is_contacting(&url) {
                let contact = self.send(Request::new(url, Purpose::Contact), now);
                self.discovery.bootstrap.add_contact(contact);
            }
            self.schedule_seed_contacts(now);
        }
        self.end_first_contact(id);
    }

    // An exchange ended; if it was a first contact, the bootstrap may be over.
    pub(super) fn end_first_contact(&mut self, id: RequestId) {
        let is_tried = self.discovery.is_tried();
        self.discovery.bootstrap.on_exchange_end(id, is_tried, &mut self.out);
    }

    pub(super) fn look_up_names(&mut self, now: Now) {
        if self.discovery.names.on_timer(now, &mut self.out) {
            self.ask_places(now);
        }
    }

    fn ask_places(&mut self, now: Now) {
        if self.lifecycle.is_running() && self.lifecycle.is_awake(now) {
            for id in self.discovery.names.ask(&self.members, now, &mut self.out) {
                self.discovery.bootstrap.add_contact(id);
            }
        }
    }

    // A server that is alone looks for others sooner, and warns after a while.
    pub(super) fn seek_if_alone(&mut self, now: Now) {
        let Discovery { names, lonely, .. } = &mut self.discovery;
        names.look_up_if_alone(&self.members, now, &mut self.out);
        if lonely.on_round(self.members.is_alone(), self.detector.interval(), now, &mut self.out) {
            let tried = self.discovery.tried();
            self.out.report(Event::Alone(tried));
            self.detector.end_isolation(&mut self.out);
        }
    }

    /// Loads the state saved by an earlier process. Call it before all others, if at all.
    pub fn handle_saved_state(&mut self, now: Now, state: &Message) {
        self.out.report_skipped(&state.skipped, || "the state file".into());
        for entry in state.entries.iter().filter(|entry| entry.url != *self.members.local_url()) {
            self.discovery.seeds.add_candidate(entry, now);
        }
        self.send_first_contacts(now);
        self.schedule_seed_contacts(now);
    }

    /// The outcome of [`Action::SaveState`](super::Action::SaveState).
    pub fn handle_state_saved(&mut self, saved: Result<(), String>) {
        match saved {
            Ok(()) => self.out.report(Event::Resolved(Resolved::State)),
            Err(error) => {
                self.discovery.saved_state.on_failed();
                self.out.report(Event::StateNotSaved(error));
            }
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
