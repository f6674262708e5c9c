//! The one rule by which two words on a server become one. It takes the greater in a total order, which makes merging
//! commutative, associative and idempotent, whatever comes in whatever order.

use crate::message::{Entry, EntryV2, State};

/// The version of a server's life and death that an entry speaks of: the incarnation, which only the server itself
/// raises, and always above what it was told. Incarnations begin at the wall clock, so they compare with stamps:
/// - v1 servers have none, and their newest stamp counts. A server that was upgraded from v1 is above its old self, and
///   one that went back to v1 is above its last incarnation as soon as it stamps itself.
/// - A death counts at least as its stamp. Otherwise an entry that lost its incarnation on the way, and looks like one
///   of v1, would be above a death that came after it.
pub fn effective_incarnation(entry: &Entry) -> u64 {
    match (&entry.v2, entry.state) {
        (None, _) => entry.stamp,
        (Some(v2), State::Online) => v2.incarnation,
        (Some(v2), State::Offline) => v2.incarnation.max(entry.stamp),
    }
}

/// Whether an entry says something newer of the same server than another.
pub fn supersedes(new: &Entry, old: &Entry) -> bool {
    rank(new) > rank(old)
}

/// What is known when both entries are.
pub fn join(a: Entry, b: Entry) -> Entry {
    if supersedes(&b, &a) { b } else { a }
}

// At the same number offline wins; at the same state the newest stamp. What follows only decides between entries that
// should not both exist, the same way everywhere.
fn rank(entry: &Entry) -> (u64, State, u64, Option<&EntryV2>, bool) {
    (effective_incarnation(entry), entry.state, entry.stamp, entry.v2.as_ref(), entry.monitor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Reason, ServerUrl};

    fn any_entry() -> impl Strategy<Value = Entry> {
        // Few values each, so that ties are common.
        let reason = prop::option::of(prop::sample::select(vec![Reason::Failed, Reason::Drained, Reason::Left]));
        let author = prop::option::of(prop::sample::select(vec!["http://a/", "http://b/"]));
        let v2 = prop::option::of((0u64..4, 0u32..3, reason, author));
        (any::<bool>(), any::<bool>(), 0u64..4, v2).prop_map(|(monitor, online, stamp, v2)| Entry {
            url: ServerUrl::parse("http://x/").expect("valid"),
            monitor,
            state: if online { State::Online } else { State::Offline },
            stamp,
            v2: v2.map(|(incarnation, instance, reason, author)| EntryV2 {
                incarnation,
                instance,
                reason,
                author: author.map(|author| ServerUrl::parse(author).expect("valid")),
            }),
        })
    }

    proptest! {
        // PROPTEST_CASES sets the number of cases.
        #[test]
        fn merging_is_commutative_associative_and_idempotent(a in any_entry(), b in any_entry(), c in any_entry()) {
            let ab = join(a.clone(), b.clone());
            prop_assert_eq!(&ab, &join(b.clone(), a.clone()));
            prop_assert_eq!(join(ab.clone(), c.clone()), join(a.clone(), join(b.clone(), c.clone())));
            prop_assert_eq!(&join(ab.clone(), b), &ab);
            prop_assert_eq!(&join(ab.clone(), a), &ab);
        }
    }

    #[test]
    fn the_higher_number_wins_and_offline_where_it_is_the_same() {
        let entry = |state, stamp, incarnation| crate::membership::tests::entry("x", state, stamp, incarnation);
        let (online, offline) = (State::Online, State::Offline);
        assert!(supersedes(&entry(online, 1, Some(6)), &entry(online, 9, Some(5))));
        assert!(supersedes(&entry(offline, 1, Some(5)), &entry(online, 9, Some(5))));
        assert!(supersedes(&entry(online, 10, Some(10)), &entry(offline, 9, Some(5))));
        // v1: the newest stamp, and a tie goes to offline.
        assert!(supersedes(&entry(online, 9, None), &entry(offline, 8, None)));
        assert!(supersedes(&entry(offline, 9, None), &entry(online, 9, None)));
        // Upgraded from v1, and back again.
        assert!(supersedes(&entry(online, 10, Some(10)), &entry(online, 9, None)));
        assert!(supersedes(&entry(online, 20, None), &entry(offline, 19, Some(11))));
        // An entry that lost its incarnation is no younger than its stamp.
        assert!(!supersedes(&entry(online, 18, None), &entry(offline, 19, Some(11))));
    }
}
