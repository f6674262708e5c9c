//! What the fuzz targets share: the validator that everything comes in by, and bounds on what a call may take.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clustershazbot::message::{Entry, Freshness, Message, ServerUrl, Validator};
use clustershazbot::origins::Origins;

/// The wall clock of the server under test.
pub const WALL: u64 = 1_800_000_000_000;
/// Most that one call may take. Unoptimised checks and counters of coverage are in that.
const LIMIT: Duration = Duration::from_millis(10);
/// Other work on the machine may take the processor away, hardly so many times.
const TRIES: usize = 10;
/// Most bytes that a call may hold at a time, for each that it is given and besides: a list of reasons of two bytes each
/// entry, the state of a core.
const BYTES_PER_BYTE: usize = 256;
const BYTES_BESIDES: usize = 1 << 20;

/// Own base URL, which nothing but itself may stand for.
pub fn own() -> &'static ServerUrl {
    static OWN: LazyLock<ServerUrl> = LazyLock::new(|| ServerUrl::parse("http://own/").expect("valid"));
    &OWN
}

/// A server that may list any but loopback addresses, and knows nobody.
pub fn validator() -> Validator<'static> {
    static ORIGINS: LazyLock<Origins> = LazyLock::new(|| Origins::new(own(), None).expect("valid"));
    Validator { wall: WALL, origins: Some(&ORIGINS), known: &|_| None }
}

/// Runs what does the same each time. It may neither take long, nor hold much, nor keep anything.
pub fn bounded(input: &[u8], mut call: impl FnMut()) {
    bounded_calls(input, || {
        let began = Instant::now();
        call();
        began.elapsed()
    });
}

/// The same of what calls several times, and says how long the longest of them took.
pub fn bounded_calls(input: &[u8], mut calls: impl FnMut() -> Duration) {
    let most = BYTES_BESIDES + BYTES_PER_BYTE * input.len();
    let mut kept = 0;
    let mut longest = Duration::MAX;
    for _ in 0..TRIES {
        let before = LIVE.load(Relaxed);
        PEAK.store(before, Relaxed);
        longest = longest.min(calls());
        let held = PEAK.load(Relaxed) - before;
        assert!(held <= most, "it holds {held} bytes, for {}", input.len());
        // What is made once, at the first call of all, is no leak.
        kept = LIVE.load(Relaxed).saturating_sub(before);
        if longest < LIMIT && kept == 0 {
            return;
        }
    }
    assert!(longest < LIMIT, "a call takes {longest:?}");
    assert!(kept == 0, "each time {kept} bytes are kept");
}

/// Whatever is sent on must be read as what it was.
pub fn survives(message: &Message) {
    let read = match field(message) {
        Some(text) => Message::from_field(&text, validator()).expect("protocol 2").expect("our own words"),
        None => Message::from_json(&message.to_json(), validator()).expect("our own message"),
    };
    assert_eq!(read, expected(message.clone()));
    assert_eq!(Message::from_json(&message.to_json_with(field(message)), validator()), Ok(read));
    message.entries.iter().for_each(is_as_large_as_it_says);
}

// The field with the cluster's name, which whoever sends a message puts there.
fn field(message: &Message) -> Option<String> {
    let name = message.cluster().map(|name| format!(" c{name}")).unwrap_or_default();
    message.to_field().map(|text| text + &name)
}

fn expected(mut message: Message) -> Message {
    message.skipped.clear();
    match &mut message.envelope {
        // Stamps that are too old to be told are not told.
        Some(envelope) if envelope.freshness.stamps.iter().all(Option::is_none) => {
            envelope.freshness = Freshness::default()
        }
        Some(_) => {}
        // In the order of the lists that they are sent in.
        None => message.entries.sort_by_key(|entry| entry.state),
    }
    message
}

// What bounds the size of messages is reckoned from it.
fn is_as_large_as_it_says(entry: &Entry) {
    let json = serde_json::to_string(entry).expect("JSON");
    assert!(json.len() < entry.size(), "{json} is longer than {}", entry.size());
    assert_eq!(ServerUrl::parse(entry.url.as_str()).as_ref(), Ok(&entry.url));
}

struct Counted;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counted = Counted;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}
