//! Which server owns a key: rendezvous hashing, specified in docs/ownership.md. Never change it: all servers, versions
//! and languages must compute the same owner.

use crate::server_url::stable_hash;

/// The indexes in `servers` of the first `count` owners of a key. `servers` are distinct hashes of base URLs, in any
/// order.
pub fn owners(key: &str, servers: &[u64], count: usize) -> Vec<usize> {
    let key = stable_hash(key.as_bytes());
    let score = |place: &usize| mix(key ^ servers[*place]);
    if count == 1 {
        return (0..servers.len()).max_by_key(score).into_iter().collect();
    }
    let mut places: Vec<_> = (0..servers.len()).collect();
    places.sort_by_cached_key(|place| std::cmp::Reverse(score(place)));
    places.truncate(count);
    places
}

/// The 64-bit finalizer of `MurmurHash3`: a bijection in which each bit of the input changes half of the output bits.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::server_url::ServerUrl;

    #[derive(Deserialize)]
    struct Vectors {
        hashes: Vec<(String, String)>,
        owners: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        key: String,
        servers: Vec<String>,
        order: Vec<String>,
    }

    fn hash(url: &str) -> u64 {
        ServerUrl::parse(url).expect(url).key()
    }

    fn servers(count: usize) -> Vec<u64> {
        (0..count).map(|i| hash(&format!("http://10.0.{}.{}:3000/", i / 250, i % 250))).collect()
    }

    fn owner(key: usize, servers: &[u64]) -> usize {
        owners(&format!("key-{key}"), servers, 1)[0]
    }

    #[test]
    fn owners_are_those_of_the_published_test_vectors() {
        let vectors: Vectors = serde_json::from_str(include_str!("../docs/ownership-vectors.json")).expect("JSON");
        assert!(vectors.hashes.len() >= 5 && vectors.owners.len() >= 20);
        for (text, expected) in &vectors.hashes {
            assert_eq!(format!("{:016x}", stable_hash(text.as_bytes())), *expected, "{text}");
        }
        for Case { key, servers, order } in &vectors.owners {
            let hashes: Vec<_> = servers.iter().map(|url| hash(url)).collect();
            let found = |count| owners(key, &hashes, count).into_iter().map(|place| servers[place].clone());
            assert_eq!(found(servers.len()).collect::<Vec<_>>(), *order, "{key}");
            assert_eq!(found(1).next(), order.first().cloned(), "{key}");
        }
    }

    #[test]
    fn no_server_owns_anything_where_there_is_none() {
        assert!(owners("key", &[], 1).is_empty());
        assert!(owners("key", &[], 3).is_empty());
        assert!(owners("key", &servers(2), 0).is_empty());
    }

    #[test]
    fn a_server_that_joins_takes_its_share_of_the_keys_and_no_other_key_moves() {
        for count in [3, 10, 100, 1_000] {
            let after = servers(count);
            let before = &after[..count - 1];
            // So many that the share varies by chance by 3.5 % (one standard deviation).
            let keys = 800 * count;
            let moved = (0..keys).filter(|key| owner(*key, &after) == count - 1).count();
            let share = (moved * count) as f64 / keys as f64;
            assert!((0.9..1.1).contains(&share), "{count} servers: {share} of a fair share");
            for key in 0..1_000 {
                let (old, new) = (owner(key, before), owner(key, &after));
                assert!(old == new || new == count - 1, "only to the one that joined");
            }
        }
    }

    #[test]
    fn each_server_owns_as_many_keys_as_the_others() {
        let servers = servers(100);
        let mut owned = vec![0_u32; servers.len()];
        for key in 0..200_000 {
            owned[owner(key, &servers)] += 1;
        }
        // 2 000 each; a standard deviation is 44.5.
        let chi_squared: f64 = owned.iter().map(|count| (f64::from(*count) - 2_000.0).powi(2) / 2_000.0).sum();
        assert!((60.0..150.0).contains(&chi_squared), "99 are expected: {chi_squared}");
    }
}
