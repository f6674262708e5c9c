//! The engine of the npm package `clustershazbot`: gossip membership over HTTP.
//!
//! A pure core makes all decisions and does no I/O. The layers around it carry them out. Imports go one way:
//!
//! `binding` → `engine` → `protocol` → `membership` → `config` → `auth` → `message` → `origins` → `server_url` →
//! `address`. All may import `error`, `clock` and `url_mistakes`.
//!
//! - [`membership`]: the known servers, merging, the ring, digests, tombstones. Pure.
//! - [`protocol`]: failure detection, broadcasts, repair, discovery, timers. Pure: inputs are `handle_*`, outputs `poll_*`.
//! - [`ownership`]: which server owns a key. Pure.
//! - `engine`: holds the core behind a lock, and carries out its actions over HTTP and files.
//! - `binding`: the functions for Node.

pub mod address;
pub mod auth;
pub mod clock;
pub mod config;
pub mod error;
pub mod membership;
pub mod message;
pub mod origins;
pub mod ownership;
pub mod protocol;
pub mod server_url;
pub mod url_mistakes;

#[cfg(feature = "engine")]
pub mod engine;

#[cfg(feature = "addon")]
mod binding;

#[cfg(test)]
mod document_test;
