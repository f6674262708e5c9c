//! Replay protection: receivers refuse repeated and late signed requests; senders estimate the receiver's time.
//!
//! Wall clocks may be an hour wrong, so they are not used. Each engine has a random boot number and counts the
//! milliseconds since its start. Every signed response has both; a signed request has the receiver's estimated count on
//! arrival:
//!
//! ```text
//! A                                                      B
//! |-- request, time 0.0 (B is unknown) ---------------->|
//! |<---- not handled; my time is 5eed.70000 ------------|   changes nothing and shows nothing of the list
//! |-- the same request, time 5eed.70000, new nonce ---->|   handled; its nonce is remembered
//! |<---- response, my time is 5eed.70002 ---------------|
//! ```
//!
//! So a first contact, and one after a restart, needs one more round trip.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::mem;
use std::time::Duration;

use crate::server_url::ServerUrl;

/// How late a request may arrive, ms: six times the longest timeout of an exchange.
const MAX_LATE: u64 = 30_000;
/// How far ahead of our time a request may be, ms. Estimates lag by the travel time, so only drift puts one ahead.
const MAX_EARLY: u64 = 2_000;
/// The longest age of a generation of nonces.
const GENERATION: Duration = Duration::from_millis(MAX_LATE + MAX_EARLY);
/// Most nonces of a generation: over 1 000 requests a second. Two generations take at most 2.3 MB.
const MAX_NONCES: usize = 1 << 15;
/// Most peers whose time is remembered, 32 bytes each: as many as servers can be known.
const MAX_PEERS: usize = 50_000;

/// A random number that identifies a request.
pub type Nonce = u128;

/// A server's own time: the random number of its engine's start, and the milliseconds since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerTime {
    boot: u64,
    ms: u64,
}

impl ServerTime {
    /// Parses `<boot>.<ms>`: a hexadecimal and a decimal number.
    pub fn parse(text: &str) -> Option<Self> {
        let (boot, ms) = text.split_once('.')?;
        Some(Self { boot: u64::from_str_radix(boot, 16).ok()?, ms: ms.parse().ok()? })
    }
}

impl fmt::Display for ServerTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.boot, self.ms)
    }
}

/// The receiver's side: accepts each signed request once.
///
/// Remembers nonces in two generations. When it forgets the older one, it refuses all requests up to that time from
/// then on. So a flood of new requests shortens the allowed delay, but never makes a repeated request acceptable.
#[derive(Debug)]
pub struct ReplayGuard {
    boot: u64,
    newer: Generation,
    older: Generation,
    // Requests up to this time are refused, ms.
    horizon: Option<u64>,
}

#[derive(Debug, Default)]
struct Generation {
    nonces: HashSet<Nonce>,
    // The latest time of a request in it, ms.
    latest: Option<u64>,
    began: Duration,
}

impl ReplayGuard {
    /// `boot` is a random number.
    pub fn new(boot: u64) -> Self {
        Self { boot, newer: Generation::default(), older: Generation::default(), horizon: None }
    }

    /// Our time, for peers. `now` is monotonic.
    pub fn time(&self, now: Duration) -> ServerTime {
        ServerTime { boot: self.boot, ms: now.as_millis() as u64 }
    }

    /// Whether a request is for this engine, in time, and new. If so, remembers it. Only for requests with a valid
    /// signature, so that nobody else can use up the memory.
    pub fn accept(&mut self, nonce: Nonce, time: ServerTime, now: Duration) -> bool {
        let own = self.time(now);
        let is_in_time = time.boot == own.boot
            && time.ms.saturating_add(MAX_LATE) >= own.ms
            && time.ms <= own.ms.saturating_add(MAX_EARLY)
            && self.horizon.is_none_or(|horizon| time.ms > horizon);
        if !is_in_time || self.newer.nonces.contains(&nonce) || self.older.nonces.contains(&nonce) {
            return false;
        }
        if self.newer.nonces.len() >= MAX_NONCES || now.saturating_sub(self.newer.began) >= GENERATION {
            let newer = Generation { began: now, ..Generation::default() };
            let forgotten = mem::replace(&mut self.older, mem::replace(&mut self.newer, newer));
            self.horizon = self.horizon.max(forgotten.latest);
        }
        self.newer.nonces.insert(nonce);
        self.newer.latest = self.newer.latest.max(Some(time.ms));
        true
    }
}

/// The sender's side: the last time that each peer sent, and when.
#[derive(Debug, Default)]
pub struct PeerTimes(HashMap<ServerUrl, (ServerTime, Duration)>);

impl PeerTimes {
    /// A peer sent its time just now.
    pub fn learn(&mut self, peer: &ServerUrl, time: ServerTime, now: Duration) {
        if self.0.len() >= MAX_PEERS && !self.0.contains_key(peer) {
            // Costs one more round trip with each peer.
            self.0.clear();
        }
        self.0.insert(peer.clone(), (time, now));
    }

    /// The estimated current time of a peer. If unknown, a time that every server refuses.
    pub fn estimate(&self, peer: &ServerUrl, now: Duration) -> ServerTime {
        let Some((time, at)) = self.0.get(peer) else { return ServerTime::default() };
        ServerTime { boot: time.boot, ms: time.ms.saturating_add(now.saturating_sub(*at).as_millis() as u64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn time(text: &str) -> ServerTime {
        ServerTime::parse(text).expect(text)
    }

    fn url(name: &str) -> ServerUrl {
        ServerUrl::parse(&format!("http://{name}/")).expect(name)
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for text in ["0.0", "5eed.70000", "ffffffffffffffff.18446744073709551615"] {
            assert_eq!(time(text).to_string(), text);
        }
        for text in
            ["", ".", "5", "5.", ".5", "x.5", "5.a", "5.-1", "10000000000000000.1", "1.18446744073709551616", "1.2.3"]
        {
            assert_eq!(ServerTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_request_is_accepted_once_in_its_time_by_the_engine_that_it_is_for() {
        let now = at(100_000);
        for (text, accepted) in [
            ("5eed.100000", true),
            ("5eed.70000", true),
            ("5eed.69999", false),
            ("5eed.102000", true),
            ("5eed.102001", false),
            ("5eed.18446744073709551615", false),
            ("5eee.100000", false),
            ("0.0", false),
            ("0.100000", false),
        ] {
            let mut guard = ReplayGuard::new(0x5eed);
            assert_eq!(guard.accept(1, time(text), now), accepted, "{text}");
            assert!(!guard.accept(1, time(text), now), "{text} repeated");
            assert!(
                guard.accept(1, time("5eed.100000"), now) != accepted,
                "{text}: only an accepted nonce is remembered"
            );
            assert!(guard.accept(2, time("5eed.100000"), now));
        }
        let mut at_start = ReplayGuard::new(0x5eed);
        assert!(at_start.accept(1, at_start.time(at(0)), at(0)));
    }

    #[test]
    fn a_repeated_request_is_never_accepted_at_any_rate_of_requests() {
        for step in [1, 7, 50, 900, 31_000] {
            let mut guard = ReplayGuard::new(1);
            let captured: Vec<_> = [0, 28_000, 30_000, 32_000].map(|ms| ServerTime { boot: 1, ms }).into();
            for (nonce, time) in captured.iter().enumerate() {
                assert!(guard.accept(nonce as Nonce, *time, at(30_000)));
            }
            for i in 0..70_000 {
                let now = at(30_000 + i * step);
                assert!(guard.accept(Nonce::from(100 + i), guard.time(now), now), "{step} {i}");
                assert!(!guard.accept(Nonce::from(i % 4), captured[i as usize % 4], now), "{step} {i}");
                assert!(guard.newer.nonces.len() <= MAX_NONCES && guard.older.nonces.len() <= MAX_NONCES);
                if i * step > 200_000 {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_flood_shortens_the_allowed_delay_until_it_ends() {
        let mut guard = ReplayGuard::new(1);
        let late = |guard: &ReplayGuard, now: u64, by: u64| guard.time(at(now - by));
        // Ten requests a millisecond for ten seconds, all with the latest accepted time.
        for i in 0..100_000 {
            let now = 100_000 + i / 10;
            assert!(guard.accept(Nonce::from(i), guard.time(at(now + MAX_EARLY)), at(now)));
        }
        let (now, nonce) = (110_000, Nonce::from(200_000u64));
        assert!(!guard.accept(nonce, late(&guard, now, 5_000), at(now)));
        assert!(guard.accept(nonce, late(&guard, now, 500), at(now)));
        let now = now + 2 * MAX_LATE;
        assert!(guard.accept(nonce + 1, late(&guard, now, MAX_LATE), at(now)));
    }

    #[test]
    fn the_memory_of_a_busy_second_is_freed() {
        let mut guard = ReplayGuard::new(1);
        for i in 0..MAX_NONCES as u64 {
            guard.accept(Nonce::from(i), guard.time(at(0)), at(0));
        }
        for ms in [32_000, 64_000] {
            guard.accept(Nonce::MAX - Nonce::from(ms), guard.time(at(ms)), at(ms));
        }
        assert_eq!(guard.newer.nonces.capacity() + guard.older.nonces.capacity(), 6);
    }

    #[test]
    fn a_peers_time_is_estimated_by_our_own_clock() {
        let mut times = PeerTimes::default();
        assert_eq!(times.estimate(&url("b"), at(5)), time("0.0"));
        times.learn(&url("b"), time("5eed.70000"), at(1_000));
        assert_eq!(times.estimate(&url("b"), at(1_000)), time("5eed.70000"));
        assert_eq!(times.estimate(&url("b"), at(31_500)), time("5eed.100500"));
        assert_eq!(times.estimate(&url("c"), at(31_500)), time("0.0"));
        times.learn(&url("b"), time("1.7"), at(40_000));
        assert_eq!(times.estimate(&url("b"), at(40_001)), time("1.8"));
    }

    #[test]
    fn the_number_of_remembered_peer_times_is_bounded() {
        let mut times = PeerTimes::default();
        for i in 0..=MAX_PEERS {
            times.learn(&url(&format!("s{i}")), time("1.1"), at(0));
            assert!(times.0.len() <= MAX_PEERS);
        }
        assert_eq!(times.estimate(&url(&format!("s{MAX_PEERS}")), at(0)), time("1.1"));
    }
}
