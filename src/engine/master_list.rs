//! Carries out the reading and writing of a master list.

use super::Shared;
use super::http::Http;
use super::store::Store;
use crate::error::Error;
use crate::message::MasterList;
use crate::protocol::RequestId;

/// A read of a list, and what may follow.
pub struct Sync {
    pub id: RequestId,
    pub write: bool,
    pub if_changed: bool,
    pub timeout: std::time::Duration,
}

/// Reads a list, lets the core join it with what it knows, and writes that, if it is to be written. Nothing is written
/// that has not been read just before.
pub async fn sync(shared: &Shared, http: &Http, store: &Store, sync: Sync) -> Result<(), Error> {
    let Sync { id, write, if_changed, timeout } = sync;
    let mut foreign = Vec::new();
    let content = store.read(http, write, if_changed, timeout).await;
    let list = content.as_ref().map_err(Clone::clone).and_then(|content| {
        let Some(json) = &content.json else { return Ok(None) };
        let list = MasterList::parse(json, shared.validator(shared.clock.now(), &|_| None));
        let list = list.map_err(|error| store.not_a_list(json, &error))?;
        store.is_list(content);
        foreign = list.foreign;
        Ok(Some(list.message))
    });
    if let (Some(mut joined), Ok(content)) =
        (shared.with_core(|core, now| core.handle_list_read(now, id, list))?, content)
    {
        // Servers that we may not list stay in the list: others may list them.
        joined.entries.extend(foreign);
        let written = store.write(http, joined.to_master_list(), content, timeout).await;
        shared.with_core(|core, now| core.handle_list_written(now, id, written))?;
    }
    Ok(())
}
