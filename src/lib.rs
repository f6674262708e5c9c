//! The engine of the npm package `clustershazbot`: gossip membership over HTTP.
//!
//! A pure core decides everything and does no I/O; the layers around it carry out what it decides. Imports go one way:
//!
//! `binding` → `engine` → `protocol` → `membership` → `config` → `auth` → `message` → `origins` → `server_url` →
//! `address`; `error` and `clock` may be imported by all.
//!
//! - [`membership`]: who is known, the merge, the ring, digests, tombstones. Pure.
//! - [`protocol`]: probes and suspicion, rumours, repair, the master list, timers. Pure: inputs are `handle_*`, outputs
//!   `poll_*`.
//! - `engine`: the core behind one lock, and the task that carries out its actions over HTTP and files.
//! - `binding`: what Node sees.

pub mod address;
pub mod auth;
pub mod clock;
pub mod config;
pub mod error;
pub mod membership;
pub mod message;
pub mod origins;
pub mod protocol;
pub mod server_url;

#[cfg(feature = "engine")]
pub mod engine;

#[cfg(feature = "addon")]
mod binding;

#[cfg(test)]
mod document_test;
