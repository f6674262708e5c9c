//! Decides what to do with a peer's entry of another server: take it, verify it first, or ignore it. This is the one place
//! that answers "who is believed"; which of two entries wins is decided in `precedence.rs`.

use std::time::Duration;

use super::{Member, adds_extensions, effective_incarnation, raises_incarnation, supersedes};
use crate::clock::{HOUR, MAX_CLOCK_ERROR, Now};
use crate::message::{Entry, MAX_AHEAD, State};

/// How long an offline server is remembered, ms (24 hours, from version 1's README). Until then no entry that is older
/// than the failure lists it online again.
pub const TOMBSTONE_TTL: u64 = 24 * HOUR;
/// How long, at least, a server that left in order is remembered, ms. A leave is in digests for as long as this less twice
/// as much as two clocks may differ and an hour, so that servers which forget it need not be told of it again.
pub const LEAST_LEAVE_TTL: u64 = 6 * HOUR;
/// We refuse online entries that are older than this, ms. It is shorter than [`TOMBSTONE_TTL`] by twice as much as two
/// clocks may differ: if a tombstone blocked an entry, that entry is too old when we forget the tombstone.
pub const ONLINE_TTL: u64 = TOMBSTONE_TTL - 4 * MAX_CLOCK_ERROR;

/// How far the version of an entry may be ahead of its server's own clock, ms. A server refutes what is no further ahead,
/// and nobody believes what is: a server with a fast clock that answered more would be refused by those with slow clocks,
/// which take nothing that is more than [`MAX_AHEAD`] ahead of theirs.
pub const MAX_LEAD: u64 = MAX_AHEAD - 2 * MAX_CLOCK_ERROR;

/// How an entry reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The message claims to come from the server itself. Any holder of the secret can claim this.
    Itself,
    /// We contacted the server, and it answered so. Only this proves what a server says of itself.
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
    /// List it, and let some of those who do so tell the server: the message may not be from it.
    TakeAndTell,
    /// List it with a stamp that is newer than what is known: the server went back to version 1 after it left.
    TakeRaised,
    /// List it although it is older: what is known is of a later time than the server's clock shows.
    Replace,
    /// Contact the server before it is listed online: it may not be reachable at its URL, or the entry may be stale.
    CallBack,
    /// Contact the server before it is listed offline: there is reason to believe that it is up.
    Verify,
}

/// Facts for the decision, other than the entry and the listed member.
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
        return known.map_or(Decision::Ignore, |known| decide_older(known, entry, source, at));
    }
    match (known, entry.state) {
        (None, _) => Decision::Take,
        // What a server answers is the truth about it.
        (Some(_), _) if source == Source::Reached => Decision::Take,
        (Some(known), State::Online) => decide_online(known, entry, source, at),
        (Some(known), State::Offline) => decide_offline(known, entry, source, at),
    }
}

/// Whether an entry is newer than what is listed of its server, and not too old to be listed.
pub fn is_news(known: Option<&Member>, entry: &Entry, now: Now) -> bool {
    is_recent(entry, now)
        && known.is_none_or(|known| supersedes(entry, &known.entry) || adds_extensions(entry, &known.entry))
}

fn is_recent(entry: &Entry, now: Now) -> bool {
    let ttl = match entry.state {
        State::Online => ONLINE_TTL,
        State::Offline => TOMBSTONE_TTL,
    };
    entry.stamp + ttl >= now.wall
}

// What is listed may be newer than what the server says, and not be from it. What it answers is the truth then.
//
// - A leave is stamped ahead, so the stamps of a version 1 process that is started in its place are older for a while. Once
//   that process is reached, it is listed with a newer stamp; version 1 has no incarnation that only the server may raise.
// - What is further ahead of a server's clock than it ever refutes is a lie, or from a time when its clock was wrong.
fn decide_older(known: &Member, entry: &Entry, source: Source, at: Circumstances) -> Decision {
    if entry.state == State::Offline && source != Source::Reached || !is_recent(entry, at.now) {
        return Decision::Ignore;
    }
    let newest = newest_time(&known.entry);
    let is_ahead = newest > entry.stamp.saturating_add(MAX_LEAD);
    let is_departed = known.entry.state == State::Offline && known.entry.v2.is_some() && !known.entry.is_failure();
    let is_rollback = is_departed
        && (entry.state, &entry.v2) == (State::Online, &None)
        && entry.stamp.saturating_add(leave_lead(at.interval)) >= known.entry.stamp;
    let is_new = entry.stamp.saturating_add(MAX_AHEAD) >= at.now.wall;
    match source {
        Source::Reached if is_rollback => Decision::TakeRaised,
        Source::Reached if is_ahead => Decision::Replace,
        Source::Itself | Source::ThirdParty | Source::Version1 if is_rollback || is_ahead && is_new => {
            Decision::CallBack
        }
        Source::Reached | Source::Itself | Source::ThirdParty | Source::Version1 => Decision::Ignore,
    }
}

/// How far ahead of the clock a leave is stamped, ms. Servers that have not heard of the leave may declare the server
/// failed for as long; the leave must be the newer entry.
pub fn leave_lead(interval: Duration) -> u64 {
    10_000 + 2 * interval.as_millis() as u64
}

// A failed server is not revived by its own entry alone, nor by version 1, which spreads stale lists: it must be reached.
// The same holds for a raised incarnation that a listed server tells us itself: its base URL may be wrong.
fn decide_online(known: &Member, entry: &Entry, source: Source, at: Circumstances) -> Decision {
    if is_implausible(known, entry, at.now) {
        return Decision::CallBack;
    }
    match source {
        Source::Itself | Source::Version1 if known.entry.is_failure() => Decision::CallBack,
        Source::Itself if known.entry.state == State::Online && raises_incarnation(entry, &known.entry) => {
            Decision::CallBack
        }
        Source::Itself | Source::Version1 | Source::Reached | Source::ThirdParty => Decision::Take,
    }
}

// Anybody who has the secret can say of a living server, in any name, that it failed, left or was drained. So an offline
// entry is verified first where there is a sign that the server is up, and the rate of such entries buys nothing: they
// wait, and the server stays online.
//
// - The server was called offline a short time ago, and was not ([`Member::is_contested`]).
// - It has spoken to us within the last interval, or has stamped itself after the failure: otherwise a partition that ends
//   would begin with the living being listed offline on their own side.
// - It cannot refute the entry: its version is too far ahead, or the server is of version 1. Version 1 servers also declare
//   others failed too lightly to be believed.
//
// Else it is taken: most entries are true, and each server would have to contact each other that leaves or fails.
fn decide_offline(known: &Member, entry: &Entry, source: Source, at: Circumstances) -> Decision {
    if at.is_suspected {
        return Decision::Take;
    }
    // It may be listed offline still: a lie that comes before its answer must not outdo the answer.
    if known.is_contested(at.now) {
        return Decision::Verify;
    }
    if known.entry.state == State::Offline {
        return Decision::Take;
    }
    let is_failure = entry.is_failure();
    let is_refutable = known.entry.v2.is_some() && !is_implausible(known, entry, at.now);
    if !is_refutable {
        return Decision::Verify;
    }
    let was_heard = known.last_heard().is_some_and(|heard| at.now.mono < heard + at.interval);
    match source {
        Source::Itself => Decision::TakeAndTell,
        Source::Version1 if is_failure => Decision::Verify,
        Source::ThirdParty | Source::Version1 if was_heard || is_failure && known.entry.stamp > entry.stamp => {
            Decision::Verify
        }
        Source::Reached | Source::ThirdParty | Source::Version1 => Decision::Take,
    }
}

// Whether an entry claims to be of a later time than its server's clock can show.
fn is_implausible(known: &Member, entry: &Entry, now: Now) -> bool {
    newest_time(entry) > known.estimated_clock(now) + MAX_LEAD
}

// The latest time that an entry names. An online entry counts as its incarnation, but where its stamp is hours ahead, its
// server cannot even read it, and so cannot refute it.
fn newest_time(entry: &Entry) -> u64 {
    effective_incarnation(entry).max(entry.stamp)
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

    /// A member that refuted an offline entry a short time ago.
    fn contested(entry: Entry) -> Member {
        let mut member = silent(entry);
        member.contest(at(90));
        member
    }

    #[test]
    fn an_offline_entry_is_verified_where_the_server_may_be_up() {
        use Decision::{Take, TakeAndTell, Verify};
        let online = || entry("b", ONLINE, WALL, Some(5));
        let ahead = || left(WALL + 100_000 + MAX_LEAD + 1);
        let of_v1 = || entry("b", ONLINE, WALL, None);
        let cases = [
            ("a failure of a silent server", silent(online()), failed(WALL + 1), [TakeAndTell, Take, Take, Verify]),
            ("a failure of one that spoke", recent(online()), failed(WALL + 1), [TakeAndTell, Take, Verify, Verify]),
            ("a failure before its stamp", silent(online()), failed(WALL - 9), [TakeAndTell, Take, Verify, Verify]),
            ("a leave", silent(online()), left(WALL + 1), [TakeAndTell, Take, Take, Take]),
            ("a leave of one that spoke", recent(online()), left(WALL + 1), [TakeAndTell, Take, Verify, Verify]),
            ("a leave of a contested server", contested(online()), left(WALL + 1), [Verify, Take, Verify, Verify]),
            ("a leave too far ahead", silent(online()), ahead(), [Verify, Take, Verify, Verify]),
            (
                "a failure of version 1",
                silent(of_v1()),
                entry("b", OFFLINE, WALL + 1, None),
                [Verify, Take, Verify, Verify],
            ),
            ("a leave after a failure", recent(failed(WALL)), left(WALL + 1), [Take; 4]),
            ("a newer lie before its answer", contested(left(WALL)), left(WALL + 1), [Verify, Take, Verify, Verify]),
        ];
        for (case, known, entry, expected) in cases {
            assert_eq!(decisions(&known, &entry, false), expected, "{case}");
            assert_eq!(decisions(&known, &entry, true), [Take; 4], "{case}, suspected by us");
        }
    }

    #[test]
    fn an_online_entry_leads_to_a_call_back_where_only_an_answer_shows_that_it_is_true() {
        use Decision::{CallBack, Ignore, Replace, Take, TakeRaised};
        let online = || entry("b", ONLINE, WALL, Some(5));
        let raised = || entry("b", ONLINE, WALL + 9, Some(WALL + 9));
        let restarted = Entry { v2: raised().v2.map(|v2| EntryV2 { instance: 2, ..v2 }), ..raised() };
        let ahead = WALL + 100_000 + MAX_LEAD + 1;
        let of_v1 = || entry("b", ONLINE, WALL + 90_000, None);
        let cases = [
            ("one that is not newer", recent(online()), entry("b", ONLINE, WALL - 1, Some(5)), [Ignore; 4]),
            ("one past its TTL", recent(failed(1)), entry("b", ONLINE, 2, Some(7)), [Ignore; 4]),
            ("a failed server is back", silent(failed(WALL)), raised(), [CallBack, Take, Take, CallBack]),
            ("a server that left is back", silent(left(WALL)), raised(), [Take; 4]),
            ("a raised incarnation", recent(online()), raised(), [CallBack, Take, Take, Take]),
            (
                "one too far ahead",
                recent(online()),
                entry("b", ONLINE, ahead, Some(ahead)),
                [CallBack, Take, CallBack, CallBack],
            ),
            ("a restart", recent(online()), restarted, [Take; 4]),
            (
                "a roll-back to version 1",
                silent(left(WALL + 99_000)),
                of_v1(),
                [CallBack, TakeRaised, CallBack, CallBack],
            ),
            ("version 1 before the leave", silent(left(WALL + 500_000)), of_v1(), [Ignore; 4]),
            ("version 1 before the failure", silent(failed(WALL + 99_000)), of_v1(), [Ignore; 4]),
            (
                "one that what is listed outdoes by more than its clock shows",
                silent(failed(WALL + 9 + MAX_LEAD + 1)),
                raised(),
                [CallBack, Replace, CallBack, CallBack],
            ),
            (
                "one that what is listed outdoes by its stamp alone",
                silent(entry("b", ONLINE, WALL + 9 + MAX_LEAD + 1, Some(WALL + 99))),
                raised(),
                [CallBack, Replace, CallBack, CallBack],
            ),
            ("the same by less", silent(failed(WALL + 9 + MAX_LEAD)), raised(), [Ignore; 4]),
        ];
        for (case, known, entry, expected) in cases {
            assert_eq!(decisions(&known, &entry, false), expected, "{case}");
        }
    }

    #[test]
    fn a_server_that_is_back_or_raises_its_incarnation_is_contested_for_five_minutes() {
        let later = |seconds: u64| at(50 + seconds);
        for (before, after) in [
            (left(WALL), entry("b", ONLINE, WALL + 9, Some(WALL + 9))),
            (entry("b", ONLINE, WALL, Some(5)), entry("b", ONLINE, WALL, Some(6))),
        ] {
            let mut member = silent(before);
            assert!(!member.is_contested(later(0)));
            member.update(after, later(0));
            assert!(member.is_contested(later(299)) && !member.is_contested(later(300)));
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
