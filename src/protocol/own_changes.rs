//! What the program says of this server while it runs: its tags, and whether it may be given work.

use super::{Core, Now, Tags, Timer};

impl Core {
    /// The program sets the tags of this server. Others are told at once, or an interval after they were last.
    pub fn handle_tags(&mut self, now: Now, tags: Tags) {
        if self.lifecycle.is_running()
            && let Some(due) = self.local.set_tags(tags, now)
        {
            self.out.timers.set(Timer::OwnChanges, due);
        }
    }

    /// The program says whether this server may be given work. Others are told at once, or a second after they were last.
    pub fn handle_ready(&mut self, now: Now, is_ready: bool) {
        if self.lifecycle.is_running()
            && let Some(due) = self.local.set_ready(is_ready, now)
        {
            self.out.timers.set(Timer::OwnChanges, due);
        }
    }

    pub(super) fn tell_changes(&mut self, now: Now) {
        self.refresh_local(now);
        if let Some(own) = self.local.take_changes(self.own().clone(), now) {
            let before = self.own().clone();
            let url = own.url.clone();
            self.put_local(own, now);
            self.report_extensions(&url, &before, now);
        }
    }
}
