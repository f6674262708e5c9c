//! Keeps stamps of online servers fresh: servers with equal lists send each other some stamps, by ring position.

use rand::RngExt;

use super::output::Output;
use crate::clock::Now;
use crate::membership::Members;
use crate::message::{Freshness, MAX_AHEAD, MAX_FRESHNESS_STAMPS};

/// The stamps to send: a stretch of the ring with a random start. Those that we know best, or learned last, are a worse
/// choice, because most others know them already.
pub fn sample(members: &Members, out: &mut Output) -> Freshness {
    let first = out.rng.random_range(0..members.online());
    Freshness { first, stamps: members.stamps_from(first).take(MAX_FRESHNESS_STAMPS).map(Some).collect() }
}

/// Merges the stamps of a server whose list equals ours.
pub fn apply(freshness: &Freshness, members: &mut Members, now: Now) {
    let online = members.online();
    let local = members.local_place();
    for (stamp, place) in freshness.stamps.iter().zip(freshness.first % online..) {
        let place = place % online;
        if let Some(stamp) = stamp.filter(|stamp| *stamp <= now.wall + MAX_AHEAD && Some(place) != local) {
            members.refresh(place, stamp, now);
        }
    }
}
