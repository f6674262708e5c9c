//! Decides what to do with a peer's entry of another server: take it, verify it first, or ignore it. This is the one place
//! that answers "who is believed"; which of two entries wins is decided in `precedence.rs`.

use std::time::Duration;

use super::{Member, supersedes};
use crate::clock::Now;
use crate::message::{Entry, State};

/// How long an offline server is remembered, ms (24 hours, from version 1's README). Until then no entry that is older
/// than the failure lists it online again.
pub const TOMBSTONE_TTL: u64 = 24 * 3_600_000;
/// The oldest online entry that is taken, ms. It is shorter than [`TOMBSTONE_TTL`] by more than two clocks may differ, so
/// that an entry which a tombstone kept out is too old by the time the tombstone is forgotten.
pub const ONLINE_TTL: u64 = 20 * 3_600_000;

/// How an entry reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The server itself sent it to us.
    Itself,
    /// We contacted the server, and it answered so.
    Reached,
    /// Another server of protocol 2 told us.
    ThirdParty,
    /// A version 1 server told us: about itself or about another, its messages do not say which.
    Version1,
}

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is not newer than what is known, or too old.
    Ignore,
    /// List it.
    Take,
    /// List it, and tell the server: it may be up, and may not have said this itself.
    TakeAndTell,
    /// Contact the server before it is listed online: it may not be reachable at its URL, or the entry may be stale.
    CallBack,
    /// Contact the server before it is listed offline: there is reason to believe that it is up.
    Verify,
}

/// What the decision depends on, besides the entry and what is listed.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The time.
    pub now: Now,
    /// The gossip interval: how long a server counts as up after it last spoke to us.
    pub interval: Duration,
    /// Whether we suspect the server ourselves.
    pub is_suspected: bool,
}

/// Decides what to do with an entry. `known` is what is listed of its server, if anything is.
pub fn decide(known: Option<&Member>, entry: &Entry, source: Source, at: Circumstances) -> Decision {
    if !is_news(known, entry, at.now) {
        return Decision::Ignore;
    }
    match (known, entry.state) {
        (None, _) => Decision::Take,
        (Some(known), State::Online) => decide_online(known, entry, source),
        (Some(known), State::Offline) => decide_offline(known, entry, source, at),
    }
}

/// Whether an entry is newer than what is listed of its server, and not too old to be listed.
pub fn is_news(known: Option<&Member>, entry: &Entry, now: Now) -> bool {
    let ttl = match entry.state {
        State::Online => ONLINE_TTL,
        State::Offline => TOMBSTONE_TTL,
    };
    entry.stamp + ttl >= now.wall && known.is_none_or(|known| supersedes(entry, &known.entry))
}

// A failed server is not revived by its own entry alone, nor by version 1, which spreads stale lists: it must be reached.
// The same holds for a raised incarnation that a listed server tells us itself: its base URL may be wrong.
fn decide_online(known: &Member, entry: &Entry, source: Source) -> Decision {
    let is_raised = match (&known.entry.v2, &entry.v2) {
        (Some(before), Some(after)) => before.instance == after.instance && before.incarnation < after.incarnation,
        (None, _) | (_, None) => false,
    };
    match source {
        Source::Itself | Source::Version1 if known.entry.is_failure() => Decision::CallBack,
        Source::Itself if is_raised && known.entry.state == State::Online => Decision::CallBack,
        Source::Itself | Source::Version1 | Source::Reached | Source::ThirdParty => Decision::Take,
    }
}

// A leave or a drain is taken at once, and so is a failure of a server that we suspect ourselves. Any other failure is
// verified first if the server has spoken to us within the last interval, or has stamped itself after the failure:
// otherwise a partition that ends would begin with the living being listed offline on their own side. Version 1 servers
// declare others failed too lightly to be believed.
fn decide_offline(known: &Member, entry: &Entry, source: Source, at: Circumstances) -> Decision {
    let is_own_statement = match source {
        Source::Itself | Source::Reached => true,
        Source::ThirdParty => !entry.is_failure(),
        Source::Version1 => entry.v2.is_some() && !entry.is_failure(),
    };
    let is_online = known.entry.state == State::Online;
    let was_heard = known.last_heard().is_some_and(|heard| at.now.mono < heard + at.interval);
    if is_online && is_own_statement && was_heard && source == Source::ThirdParty {
        return Decision::TakeAndTell;
    }
    if !is_online || is_own_statement || at.is_suspected {
        return Decision::Take;
    }
    if was_heard || known.entry.stamp > entry.stamp || source == Source::Version1 {
        Decision::Verify
    } else {
        Decision::Take
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::tests::{WALL, at, entry};
    use crate::message::{EntryV2, Reason};

    const ONLINE: State = State::Online;
    const OFFLINE: State = State::Offline;
    const SOURCES: [Source; 4] = [Source::Itself, Source::Reached, Source::ThirdParty, Source::Version1];

    fn with_reason(entry: Entry, reason: Reason) -> Entry {
        Entry { v2: entry.v2.map(|v2| EntryV2 { reason: Some(reason), ..v2 }), ..entry }
    }

    fn failed(stamp: u64) -> Entry {
        with_reason(entry("b", OFFLINE, stamp, Some(5)), Reason::Failed)
    }

    fn left(stamp: u64) -> Entry {
        with_reason(entry("b", OFFLINE, stamp, Some(5)), Reason::Left)
    }

    /// The decision for each source, in the order of `SOURCES`.
    fn decisions(known: &Member, entry: &Entry, is_suspected: bool) -> [Decision; 4] {
        let at = Circumstances { now: at(100), interval: Duration::from_secs(30), is_suspected };
        SOURCES.map(|source| decide(Some(known), entry, source, at))
    }

    /// A member that has never spoken to us.
    fn silent(entry: Entry) -> Member {
        Member::new(entry, at(0))
    }

    /// A member that spoke to us 10 s ago, which is within the last interval.
    fn recent(entry: Entry) -> Member {
        let mut member = silent(entry);
        member.hear(at(90));
        member
    }

    #[test]
    fn the_decision_depends_on_the_listed_entry_the_new_entry_and_its_source() {
        use Decision::{CallBack, Ignore, Take, TakeAndTell, Verify};
        let online = || entry("b", ONLINE, WALL, Some(5));
        let raised = entry("b", ONLINE, WALL + 9, Some(WALL + 9));
        let restarted = Entry { v2: raised.v2.clone().map(|v2| EntryV2 { instance: 2, ..v2 }), ..raised.clone() };
        let cases = [
            ("an entry that is not newer", recent(online()), entry("b", ONLINE, WALL - 1, Some(5)), false, [Ignore; 4]),
            ("an online entry past its TTL", recent(failed(1)), entry("b", ONLINE, 2, Some(7)), false, [Ignore; 4]),
            ("a failure of a silent server", silent(online()), failed(WALL + 1), false, [Take, Take, Take, Verify]),
            (
                "a failure of a server that spoke",
                recent(online()),
                failed(WALL + 1),
                false,
                [Take, Take, Verify, Verify],
            ),
            ("the same of a suspect", recent(online()), failed(WALL + 1), true, [Take; 4]),
            (
                "a failure older than its last stamp",
                silent(online()),
                failed(WALL - 9),
                false,
                [Take, Take, Verify, Verify],
            ),
            ("a leave", silent(online()), left(WALL + 1), false, [Take; 4]),
            (
                "a leave of a server that spoke",
                recent(online()),
                left(WALL + 1),
                false,
                [Take, Take, TakeAndTell, Take],
            ),
            ("a leave after a failure", recent(failed(WALL)), left(WALL + 1), false, [Take; 4]),
            ("a failed server is back", silent(failed(WALL)), raised.clone(), false, [CallBack, Take, Take, CallBack]),
            ("a server that left is back", silent(left(WALL)), raised.clone(), false, [Take; 4]),
            ("a raised incarnation", recent(online()), raised, false, [CallBack, Take, Take, Take]),
            ("a restart", recent(online()), restarted, false, [Take; 4]),
        ];
        for (case, known, entry, is_suspected, expected) in cases {
            assert_eq!(decisions(&known, &entry, is_suspected), expected, "{case}");
        }
    }

    #[test]
    fn an_unknown_server_is_listed_unless_its_entry_is_too_old() {
        let at = Circumstances { now: at(0), interval: Duration::from_secs(30), is_suspected: false };
        for source in SOURCES {
            let decision = |entry: &Entry| decide(None, entry, source, at);
            assert_eq!(decision(&entry("b", ONLINE, WALL - ONLINE_TTL, None)), Decision::Take);
            assert_eq!(decision(&entry("b", ONLINE, WALL - ONLINE_TTL - 1, None)), Decision::Ignore);
            assert_eq!(decision(&entry("b", OFFLINE, WALL - TOMBSTONE_TTL, None)), Decision::Take);
            assert_eq!(decision(&entry("b", OFFLINE, WALL - TOMBSTONE_TTL - 1, None)), Decision::Ignore);
        }
    }
}
