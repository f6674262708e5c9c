//! Carries out the reading and writing of the master list.

use std::future::Future;
use std::io;
use std::time::Duration;

use super::http::{Http, MAX_BODY};
use super::{Shared, file};
use crate::config::Location;
use crate::error::Error;
use crate::message::{Edge, Message, ServerUrl};
use crate::protocol::Id;

/// Reads the list, lets the core join it with what it knows, and writes that, if it is to be written. Nothing is
/// written that has not been read just before.
pub async fn sync(shared: &Shared, http: &Http, (id, write, timeout): (Id, bool, Duration)) -> Result<(), Error> {
    let config = &shared.config;
    let mut lock = None;
    let mut list = Ok(Vec::new());
    if write && let Location::File(path) = &config.master_list_update {
        match within(timeout, file::lock(path)).await {
            Ok(held) => lock = Some(held),
            Err(error) => list = Err(error),
        }
    }
    if list.is_ok() {
        list = match &config.master_list {
            Location::Http(url) => http.get_list(url, timeout).await,
            Location::File(path) => within(timeout, file::read(path, MAX_BODY)).await,
        };
    }
    let mut of_others = Vec::new();
    let list = list.and_then(|json| {
        let edge = shared.edge(shared.clock.now(), &|_| None);
        // Whom we may not list others may: they stay in the list.
        let all =
            Message::from_master_list(&json, Edge { origins: None, ..edge }).map_err(|error| error.to_string())?;
        of_others = all.entries;
        of_others.retain(|entry| ServerUrl::parse_allowed(entry.url.as_str(), &config.origins).is_err());
        Message::from_master_list(&json, edge).map_err(|error| error.to_string())
    });
    let list = list.map_err(|error| format!("{} cannot be read: {error}", config.master_list));
    if let Some(mut joined) = shared.with_core(|core, now| core.handle_list(now, id, list))? {
        joined.entries.extend(of_others);
        let json = joined.to_master_list();
        let written = match (&config.master_list_update, lock) {
            (Location::File(path), Some(lock)) => within(timeout, file::write(path, json, lock)).await,
            (Location::File(_), None) => Err("its lock is not held".into()),
            (Location::Http(url), _) => {
                http.put_list(url, config.master_list_update_auth.as_ref(), json, timeout).await
            }
        };
        let written = written.map_err(|error| format!("{} cannot be written: {error}", config.master_list_update));
        shared.with_core(|core, now| core.handle_list_written(now, id, written))?;
    }
    Ok(())
}

async fn within<T>(timeout: Duration, access: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(timeout, access).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the file did not answer in time".into()),
    }
}
