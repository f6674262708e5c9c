//! Reads and writes of the master list.

use clustershazbot::message::Message;
use clustershazbot::protocol::WriteError;

use super::event::{ListRead, SimEvent};
use super::{Version, World};

impl World {
    /// Begins to read the master list on behalf of a server.
    pub(super) fn read_list(&mut self, server: usize, read: ListRead) {
        let pid = self.servers[server].pid;
        let access = self.store.access(server, self.now, read.timeout, &mut self.rng);
        let event = SimEvent::ListRead { server, pid, read, succeeds: access.succeeds };
        self.queue.push(access.answered_at, event);
    }

    /// Gives a server the master list, and begins to write what the server returns.
    pub(super) fn deliver_list(&mut self, server: usize, read: ListRead, succeeds: bool) {
        let ListRead { id, write, if_changed, timeout } = read;
        let revision = self.store.revision();
        let it = &mut self.servers[server];
        let list = if !succeeds {
            Err("the store fails".to_owned())
        } else if if_changed && it.list_revision == Some(revision) {
            Ok(None)
        } else {
            it.list_revision = Some(revision);
            Ok(Some(Message::new(self.store.read())))
        };
        let merged = self.call(server, |process, now| process.handle_list_read(now, id, list)).flatten();
        let it = &self.servers[server];
        // The server may have left in the meantime.
        let (Some(merged), Some(_)) = (merged, &it.process) else { return };
        let pid = it.pid;
        let if_revision = (write && it.version == Version::V2).then_some(revision);
        let access = self.store.access(server, self.now, timeout, &mut self.rng);
        let answered_at = access.answered_at;
        if let Some(at) = access.applied_at {
            let entries = merged.entries;
            self.queue.push(at, SimEvent::ListStored { server, pid, id, entries, if_revision, answered_at });
        }
        if !access.succeeds {
            let result = Err(WriteError::Failed("the store fails".to_owned()));
            self.queue.push(answered_at, SimEvent::ListWritten { server, pid, id, result });
        }
    }
}
