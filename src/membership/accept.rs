//! Decides whether to accept a peer's entry about another server, to verify it first, or to ignore it. All rules about
//! trust in a source are here; `precedence.rs` decides which of two entries wins.
//!
//! | Source | Why the rules differ |
//! |---|---|
//! | the server's answer to us (`Reached`) | proves what the server claims |
//! | a message in its name (`Itself`) | any holder of the secret can send it |
//! | another server (`ThirdParty`) | usually true, may be stale or a lie |
//! | a version 1 server (`Version1`) | spreads stale lists |

use std::time::Duration;

use super::{Member, adds_extensions, effective_incarnation, raises_incarnation, supersedes};
use crate::clock::{HOUR, MAX_CLOCK_ERROR, Now};
use crate::message::{Entry, MAX_AHEAD, State};

/// How long a tombstone is kept, ms (24 hours, as in version 1). Until then an entry older than the failure cannot list
/// the server online again.
pub const TOMBSTONE_TTL: u64 = 24 * HOUR;
/// The least time for which a leave is remembered, ms. Digests cover a leave for three hours only: this, less twice the
/// greatest difference of two clocks, less an hour. So a server that has forgotten a leave is not sent it again.
pub const LEAST_LEAVE_TTL: u64 = 6 * HOUR;
/// Online entries older than this are refused, ms. Shorter than [`TOMBSTONE_TTL`] by twice the greatest difference of
/// two clocks: when a tombstone expires, every entry that it blocked is too old.
pub const ONLINE_TTL: u64 = TOMBSTONE_TTL - 4 * MAX_CLOCK_ERROR;

/// How far an entry may be ahead of its server's own clock, ms. A server refutes entries up to this lead; others verify
/// those further ahead. With a greater lead the refutation of a server with a fast clock would exceed [`MAX_AHEAD`]
/// for servers with slow clocks.
pub const MAX_LEAD: u64 = MAX_AHEAD - 2 * MAX_CLOCK_ERROR;

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A message in the server's own name. Any holder of the secret can send one.
    Itself,
    /// The server's answer at its own URL. The only proof of what a server claims about itself.
    Reached,
    /// Another protocol 2 server.
    ThirdParty,
    /// A version 1 server, about itself or another: its messages do not say which.
    Version1,
}

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Not newer than the listed entry, or too old.
    Ignore,
    /// List it.
    Take,
    /// List it, and let some of the servers that list it notify the server: somebody else may have sent the message.
    TakeAndNotify,
    /// List it with a stamp above the listed one: the server went back to version 1 after it left.
    TakeRaised,
    /// List it although it is older: the listed entry is from a time that the server's clock has not reached.
    Replace,
    /// Contact the server before listing it online: its URL may be wrong, or the entry stale.
    CallBack,
    /// Contact the server before listing it offline: there are signs that it is up.
    Verify,
}

/// Inputs of [`decide`] other than the two entries.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The current time.
    pub now: Now,
    /// The gossip interval. A server that contacted us within one counts as up.
    pub interval: Duration,
    /// Whether we suspect the server.
    pub is_suspected: bool,
}

/// Decides what to do with `entry`. `known` is the listed member, if there is one.
pub fn decide(known: Option<&Member>, entry: &Entry, source: Source, at: Circumstances) -> Decision {
    if !is_news(known, entry, at.now) {
        return known.map_or(Decision::Ignore, |known| decide_older(known, entry, source, at));
    }
    match (known, entry.state) {
        (None, State::Online) if source == Source::Itself => Decision::CallBack,
        (None, _) => Decision::Take,
        (Some(_), _) if source == Source::Reached => Decision::Take,
        (Some(known), State::Online) => decide_online(known, entry, source, at),
        (Some(known), State::Offline) => decide_offline(known, entry, source, at),
    }
}

/// Whether an entry is newer than the listed one, and recent enough to list.
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

// An entry that loses to the listed one may still be right, if the listed one is not the server's own:
//
// - A leave is stamped ahead of the clock. A version 1 process that starts in its place has older stamps for a while and
//   no incarnation to raise. Once we reach it, we list it with a newer stamp.
// - A listed entry beyond the lead that its server refutes ([`MAX_LEAD`]) is a lie, or was made while the server's clock
//   was wrong.
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

/// How far ahead of the clock a leave is stamped, ms. Servers that miss the leave declare the server failed within this
/// time, and the leave must win over that.
pub fn leave_lead(interval: Duration) -> u64 {
    10_000 + 2 * interval.as_millis() as u64
}

// A failed server comes back only when we reach it or another protocol 2 server reports it: its own message is no
// proof, and version 1 spreads stale lists. Nor do we take a new process or a raised incarnation from its own message:
// its base URL may lead nowhere, or to another process.
fn decide_online(known: &Member, entry: &Entry, source: Source, at: Circumstances) -> Decision {
    if is_implausible(known, entry, at.now) {
        return Decision::CallBack;
    }
    match source {
        Source::Itself | Source::Version1 if known.entry.is_failure() => Decision::CallBack,
        Source::Itself if entry.instance() != known.entry.instance() => Decision::CallBack,
        // Its own message listed it offline, so perhaps nobody has reached it.
        Source::Itself if known.entry.state == State::Offline && known.last_answered().is_none() => Decision::CallBack,
        Source::Itself if known.entry.state == State::Online && raises_incarnation(entry, &known.entry) => {
            Decision::CallBack
        }
        Source::Itself | Source::Version1 | Source::Reached | Source::ThirdParty => Decision::Take,
    }
}

// Any holder of the secret can report that a living server failed, left or was drained. So a report is verified first
// if there is a sign that the server is up. Meanwhile the server stays online. The signs:
//
// - It was reported offline a short time ago, but was up ([`Member::is_contested`]).
// - It contacted us within the last interval, or its stamp is later than the failure. Without this rule, both sides would
//   list living servers offline when a partition ends.
// - It cannot refute the report, which is too far ahead or about a version 1 server. Version 1 servers also declare
//   failures too easily.
//
// Other reports are taken: most are true, and each server would otherwise contact every one that leaves or fails.
fn decide_offline(known: &Member, entry: &Entry, source: Source, at: Circumstances) -> Decision {
    if at.is_suspected {
        return Decision::Take;
    }
    // Also if it is still listed offline: a lie that arrives before the server's answer must not win over the answer.
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
    let was_just_seen = known.last_seen().is_some_and(|seen| at.now.mono < seen + at.interval);
    match source {
        Source::Itself => Decision::TakeAndNotify,
        Source::Version1 if is_failure => Decision::Verify,
        Source::ThirdParty | Source::Version1 if was_just_seen || is_failure && known.entry.stamp > entry.stamp => {
            Decision::Verify
        }
        Source::Reached | Source::ThirdParty | Source::Version1 => Decision::Take,
    }
}

// Whether an entry is further ahead than the clock of its server allows.
fn is_implausible(known: &Member, entry: &Entry, now: Now) -> bool {
    newest_time(entry) > known.estimated_clock(now) + MAX_LEAD
}

// The latest time in an entry. Precedence ignores the stamp of an online entry, but a stamp hours ahead makes it
// unreadable to its server, which then cannot refute it.
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
        member.on_message(at(90));
        member
    }

    /// A member that has answered us.
    fn answered(entry: Entry) -> Member {
        let mut member = silent(entry);
        member.on_response(None, at(1));
        member
    }

    /// A member that refuted an offline entry a short time ago.
    fn contested(entry: Entry) -> Member {
        let mut member = silent(entry);
        member.contest(at(90));
        member
    }

    #[test]
    fn an_offline_entry_is_verified_if_the_server_may_be_up() {
        use Decision::{Take, TakeAndNotify, Verify};
        let online = || entry("b", ONLINE, WALL, Some(5));
        let ahead = || left(WALL + 100_000 + MAX_LEAD + 1);
        let of_v1 = || entry("b", ONLINE, WALL, None);
        let cases = [
            ("a failure of a silent server", silent(online()), failed(WALL + 1), [TakeAndNotify, Take, Take, Verify]),
            ("a failure of one that spoke", recent(online()), failed(WALL + 1), [TakeAndNotify, Take, Verify, Verify]),
            ("a failure before its stamp", silent(online()), failed(WALL - 9), [TakeAndNotify, Take, Verify, Verify]),
            ("a leave", silent(online()), left(WALL + 1), [TakeAndNotify, Take, Take, Take]),
            ("a leave of one that spoke", recent(online()), left(WALL + 1), [TakeAndNotify, Take, Verify, Verify]),
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
    fn an_online_entry_causes_a_call_back_if_only_an_answer_can_prove_it() {
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
            ("a server that left is back", answered(left(WALL)), raised(), [Take; 4]),
            ("one that nobody has reached is back", silent(left(WALL)), raised(), [CallBack, Take, Take, Take]),
            ("a raised incarnation", recent(online()), raised(), [CallBack, Take, Take, Take]),
            (
                "one too far ahead",
                recent(online()),
                entry("b", ONLINE, ahead, Some(ahead)),
                [CallBack, Take, CallBack, CallBack],
            ),
            ("a restart", recent(online()), restarted.clone(), [CallBack, Take, Take, Take]),
            ("a restart after a leave", silent(left(WALL)), restarted, [CallBack, Take, Take, Take]),
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
    fn an_unknown_server_is_listed_once_anybody_has_reached_it_unless_its_entry_is_too_old() {
        let at = Circumstances { now: at(0), interval: Duration::from_secs(30), is_suspected: false };
        for source in SOURCES {
            let decision = |entry: &Entry| decide(None, entry, source, at);
            let expected = if source == Source::Itself { Decision::CallBack } else { Decision::Take };
            assert_eq!(decision(&entry("b", ONLINE, WALL - ONLINE_TTL, None)), expected);
            assert_eq!(decision(&entry("b", ONLINE, WALL - ONLINE_TTL - 1, None)), Decision::Ignore);
            assert_eq!(decision(&entry("b", OFFLINE, WALL - TOMBSTONE_TTL, None)), Decision::Take);
            assert_eq!(decision(&entry("b", OFFLINE, WALL - TOMBSTONE_TTL - 1, None)), Decision::Ignore);
        }
    }
}
