//! `ListUpdate`: reads a master list, lets the core merge it, and writes the result.

use std::time::Duration;

use super::list_http::ListClient;
use super::list_store::{Content, ListStore};
use super::shared::Shared;
use crate::error::Error;
use crate::message::{Entry, MasterList, Message};
use crate::protocol::RequestId;

/// The action [`SyncList`](crate::protocol::Action::SyncList).
pub struct ListUpdate {
    pub id: RequestId,
    /// Whether the list may be written.
    pub write: bool,
    /// Whether to skip an unchanged list.
    pub if_changed: bool,
    /// For the read and for the write.
    pub timeout: Duration,
}

impl ListUpdate {
    /// Carries it out. A write always follows a read.
    pub async fn run(self, shared: &Shared, client: &ListClient, store: &ListStore) -> Result<(), Error> {
        let mut kept = Vec::new();
        let content = store.read(client, self.write, self.if_changed, self.timeout).await;
        let list = content.as_ref().map_err(Clone::clone).and_then(|content| parse(shared, store, content, &mut kept));
        let merged = shared.core.with(|core, now| core.handle_list_read(now, self.id, list))?;
        if let (Some(mut merged), Ok(content)) = (merged, content) {
            // Keeps servers that we must not list: others may list them.
            let own = &shared.config.settings.base_url;
            merged.entries.extend(kept.into_iter().filter(|entry| entry.url != *own));
            let written = store.write(client, merged.to_master_list(), content, self.timeout).await;
            shared.core.with(|core, now| core.handle_list_written(now, self.id, written))?;
        }
        Ok(())
    }
}

fn parse(
    shared: &Shared,
    store: &ListStore,
    content: &Content,
    kept: &mut Vec<Entry>,
) -> Result<Option<Message>, String> {
    let Some(json) = &content.json else { return Ok(None) };
    let list = MasterList::parse(json, shared.validator(shared.core.clock.now(), &|_| None));
    let list = list.map_err(|error| store.not_a_list(content, &error))?;
    store.accept(content);
    *kept = list.kept;
    Ok(Some(list.message))
}
