//! Carries out the reading and writing of the master list.

use std::sync::Arc;
use std::time::Duration;

use super::http::Http;
use super::{Shared, file};
use crate::config::{Config, Location};
use crate::error::Error;
use crate::message::Message;

/// Reads the list, lets the core join it with what it knows, and writes that, if it is to be written. Nothing is
/// written that has not been read just before.
pub async fn sync(
    shared: &Arc<Shared>,
    http: &Http,
    config: &Config,
    write: bool,
    timeout: Duration,
) -> Result<(), Error> {
    let mut lock = None;
    let mut read = Ok(Vec::new());
    if write && let Location::File(path) = &config.master_list_update {
        match tokio::time::timeout(timeout, file::lock(path)).await {
            Ok(Ok(held)) => lock = Some(held),
            Ok(Err(error)) => read = Err(error.to_string()),
            Err(_) => read = Err("its lock was not to be had in time".into()),
        }
    }
    if read.is_ok() {
        read = match &config.master_list {
            Location::Http(url) => http.get_list(url, timeout).await,
            Location::File(path) => file::read(path).map_err(|error| error.to_string()),
        };
    }
    let wall = shared.clock.now().wall;
    let list = read.and_then(|json| Message::from_master_list(&json, wall).map_err(|error| error.to_string()));
    let list = list.map_err(|error| format!("cannot be read: {error}"));
    if let Some(joined) = shared.with_core(|core, now| core.handle_list(now, write, list))? {
        let json = joined.to_master_list();
        let written = match &config.master_list_update {
            Location::Http(url) => http.put_list(url, config.master_list_update_auth.as_ref(), json, timeout).await,
            Location::File(path) => file::write(path, &json).map_err(|error| error.to_string()),
        };
        drop(lock);
        let written = written.map_err(|error| format!("cannot be written: {error}"));
        shared.with_core(|core, now| core.handle_list_written(now, written))?;
    }
    Ok(())
}
