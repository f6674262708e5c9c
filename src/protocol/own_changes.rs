//! Changes that the program makes to its own entry while it runs: tags and readiness.

use super::{Core, Now, Tags, Timer};

impl Core {
    /// Sets the tags of this server. Broadcast at once, or an interval after the last change.
    pub fn handle_tags(&mut self, now: Now, tags: Tags) {
        if self.lifecycle.is_running()
            && let Some(due) = self.local.set_tags(tags, now)
        {
            self.out.timers.set(Timer::OwnChanges, due);
        }
    }

    /// Sets whether this server may be given work. Broadcast at once, or a second after the last change.
    pub fn handle_ready(&mut self, now: Now, is_ready: bool) {
        if self.lifecycle.is_running()
            && let Some(due) = self.local.set_ready(is_ready, now)
        {
            self.out.timers.set(Timer::OwnChanges, due);
        }
    }

    pub(super) fn send_own_changes(&mut self, now: Now) {
        self.refresh_local(now);
        if let Some(own) = self.local.take_changes(self.own().clone(), now) {
            let before = self.own().clone();
            let url = own.url.clone();
            self.put_local(own, now);
            self.report_extensions(&url, &before, now);
        }
    }
}
