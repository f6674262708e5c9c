//! Decides which of two entries of the same server wins: the greater one in a total order. So merging is commutative,
//! associative and idempotent, and the order of arrival does not matter. Trust in sources is not considered here, see
//! `accept.rs`.

use crate::message::{Entry, State};

/// The incarnation for comparisons. Incarnations begin at the wall clock, so they can be compared with stamps:
///
/// | entry | counts as |
/// |---|---|
/// | version 1 | its stamp |
/// | online | its incarnation |
/// | offline | the greater of its incarnation and its stamp |
///
/// So an upgraded server wins over its version 1 entry at once, and one that was rolled back wins as soon as it stamps
/// itself. An offline entry counts its stamp because a tool may strip the incarnation from an old online entry, which
/// must still lose to the failure.
pub fn effective_incarnation(entry: &Entry) -> u64 {
    match (&entry.v2, entry.state) {
        (None, _) => entry.stamp,
        (Some(v2), State::Online) => v2.incarnation,
        (Some(v2), State::Offline) => v2.incarnation.max(entry.stamp),
    }
}

/// Whether `new` wins over `old`; both are entries of the same server.
pub fn supersedes(new: &Entry, old: &Entry) -> bool {
    rank(new) > rank(old)
}

/// Whether `new` is from the same process as `old` and has a higher incarnation. Only the server itself raises it: to
/// refute a report, to drain or to leave.
pub fn raises_incarnation(new: &Entry, old: &Entry) -> bool {
    match (&new.v2, &old.v2) {
        (Some(new), Some(old)) => new.instance == old.instance && new.incarnation > old.incarnation,
        (None, _) | (_, None) => false,
    }
}

/// Returns the winner. If its extensions were left out, fills them in from the other entry.
pub fn join(a: Entry, b: Entry) -> Entry {
    let (mut winner, other) = if supersedes(&b, &a) { (b, a) } else { (a, b) };
    if adds_extensions(&other, &winner)
        && let (Some(winner), Some(other)) = (&mut winner.v2, other.v2)
    {
        winner.extensions = other.extensions;
    }
    winner
}

/// Whether `new` has extensions that `old` lost on its way through a version 1 server.
pub fn adds_extensions(new: &Entry, old: &Entry) -> bool {
    match (&new.v2, &old.v2) {
        (Some(new), Some(old)) => {
            new.has_extensions_of(old) && old.extensions.is_left_out() && !new.extensions.is_left_out()
        }
        (None, _) | (_, None) => false,
    }
}

// Incarnation first, then offline wins, then the newer stamp. The other fields only break ties between entries that
// should not both exist, the same way on every server.
fn rank(entry: &Entry) -> impl Ord {
    let v2 = entry.v2.as_ref();
    let author = v2.map(|v2| (v2.incarnation, v2.instance, v2.reason, &v2.author));
    (effective_incarnation(entry), entry.state, entry.stamp, author, entry.monitor, v2.map(|v2| &v2.extensions))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::{EntryV2, Reason, ServerUrl};

    fn any_entry() -> impl Strategy<Value = Entry> {
        // Few different values, so that ties are frequent.
        let reason = prop::option::of(prop::sample::select(vec![Reason::Failed, Reason::Drained, Reason::Left]));
        let author = prop::option::of(prop::sample::select(vec!["http://a/", "http://b/"]));
        // Extensions depend on process and incarnation only, or were left out.
        let extensions = |incarnation: u64, instance: u32, is_left_out: bool| {
            let known = ["1.1", "1.1>a", "1.1>b"][(incarnation as usize + instance as usize) % 3];
            EntryV2::parse(if is_left_out { "1.1>?" } else { known }).expect("valid").extensions
        };
        let v2 = prop::option::of((0u64..4, 0u32..3, reason, author, any::<bool>()));
        (any::<bool>(), any::<bool>(), 0u64..4, v2).prop_map(move |(monitor, online, stamp, v2)| Entry {
            url: ServerUrl::parse("http://x/").expect("valid"),
            monitor,
            state: if online { State::Online } else { State::Offline },
            stamp,
            v2: v2.map(|(incarnation, instance, reason, author, is_left_out)| EntryV2 {
                incarnation,
                instance,
                reason,
                author: author.map(|author| ServerUrl::parse(author).expect("valid")),
                extensions: extensions(incarnation, instance, is_left_out),
            }),
        })
    }

    // Whether left-out extensions are filled in depends on the order of arrival: an entry in between may have replaced
    // the one that had them. Digests show the difference and repair fills it in.
    fn without_left_out(mut a: Entry, b: &Entry) -> Entry {
        let is_left_out = |entry: &Entry| entry.v2.as_ref().is_some_and(|v2| v2.extensions.is_left_out());
        if is_left_out(&a) != is_left_out(b)
            && let (Some(v2), Some(theirs)) = (&mut a.v2, &b.v2)
        {
            v2.extensions = theirs.extensions.clone();
        }
        a
    }

    proptest! {
        // PROPTEST_CASES sets the number of cases.
        #[test]
        fn merging_is_commutative_associative_and_idempotent(a in any_entry(), b in any_entry(), c in any_entry()) {
            let ab = join(a.clone(), b.clone());
            prop_assert_eq!(&ab, &join(b.clone(), a.clone()));
            let (left, right) = (join(ab.clone(), c.clone()), join(a.clone(), join(b.clone(), c.clone())));
            prop_assert_eq!(without_left_out(left, &right), right);
            prop_assert_eq!(&join(ab.clone(), b), &ab);
            prop_assert_eq!(&join(ab.clone(), a), &ab);
        }
    }

    #[test]
    fn the_higher_incarnation_wins_and_offline_wins_a_tie() {
        let entry = |state, stamp, incarnation| crate::membership::tests::entry("x", state, stamp, incarnation);
        let (online, offline) = (State::Online, State::Offline);
        assert!(supersedes(&entry(online, 1, Some(6)), &entry(online, 9, Some(5))));
        assert!(supersedes(&entry(offline, 1, Some(5)), &entry(online, 9, Some(5))));
        assert!(supersedes(&entry(online, 10, Some(10)), &entry(offline, 9, Some(5))));
        // Version 1: the newest stamp wins, and offline wins a tie.
        assert!(supersedes(&entry(online, 9, None), &entry(offline, 8, None)));
        assert!(supersedes(&entry(offline, 9, None), &entry(online, 9, None)));
        // The server was upgraded from version 1, and rolled back.
        assert!(supersedes(&entry(online, 10, Some(10)), &entry(online, 9, None)));
        assert!(supersedes(&entry(online, 20, None), &entry(offline, 19, Some(11))));
        // An entry from which a tool removed the incarnation is as old as its stamp.
        assert!(!supersedes(&entry(online, 18, None), &entry(offline, 19, Some(11))));
    }
}
