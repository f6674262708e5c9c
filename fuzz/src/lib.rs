//! Shared by the fuzz targets: the validator of all inputs, and bounds on the time and memory of a call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clustershazbot::message::{Entry, Freshness, Message, OWN_VERSION, ServerUrl, Validator, add_cluster_name};
use clustershazbot::origins::Origins;

/// The wall clock of the server under test.
pub const WALL: u64 = 1_800_000_000_000;
/// The longest time that one call may take, including the checks and coverage counters of fuzzing builds.
const LIMIT: Duration = Duration::from_millis(10);
/// How often a call is tried: other work on the machine can slow down some tries, but not this many.
const TRIES: usize = 10;
/// The most memory that a call may hold: this many bytes per byte of input, for example for entries of two bytes, and
/// this many in any case, for the state of a core.
const HELD_PER_INPUT_BYTE: usize = 256;
const HELD_ALWAYS: usize = 1 << 20;

/// The base URL of the server under test.
pub fn own() -> &'static ServerUrl {
    static OWN: LazyLock<ServerUrl> = LazyLock::new(|| ServerUrl::parse("http://own/").expect("valid"));
    &OWN
}

/// The validator of a server that accepts all origins except loopback addresses, and knows no other server.
pub fn validator() -> Validator<'static> {
    static ORIGINS: LazyLock<Origins> = LazyLock::new(|| Origins::new(own(), None).expect("valid"));
    Validator { wall: WALL, origins: &ORIGINS, known: &|_| None }
}

/// What a call may cost.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// The longest time.
    pub time: Duration,
    /// The most memory that it holds at a time, in bytes.
    pub held: usize,
}

impl Bounds {
    /// For small inputs.
    pub fn of(input: &[u8]) -> Self {
        Self { time: LIMIT, held: HELD_ALWAYS + HELD_PER_INPUT_BYTE * input.len() }
    }
}

/// Runs a call that does the same each time, and panics if it takes too long, holds too much memory or leaks.
pub fn bounded(input: &[u8], mut call: impl FnMut()) {
    within(Bounds::of(input), || {
        let began = Instant::now();
        call();
        began.elapsed()
    });
}

/// The same for a function that makes several calls and returns the time of the longest.
pub fn within(bounds: Bounds, mut calls: impl FnMut() -> Duration) {
    let mut leaked = 0;
    let mut longest = Duration::MAX;
    for _ in 0..TRIES {
        let before = IN_USE.load(Relaxed);
        PEAK.store(before, Relaxed);
        longest = longest.min(calls());
        let held = PEAK.load(Relaxed) - before;
        assert!(held <= bounds.held, "it holds {held} bytes and may hold {}", bounds.held);
        // Memory that only the first call allocates, for statics, is not a leak.
        leaked = IN_USE.load(Relaxed).saturating_sub(before);
        if longest < bounds.time && leaked == 0 {
            return;
        }
    }
    assert!(longest < bounds.time, "a call takes {longest:?}");
    assert!(leaked == 0, "each call leaks {leaked} bytes");
}

/// Panics if a message changes when it is written and read again.
pub fn assert_round_trip(message: &Message) {
    let read = match field(message) {
        Some(text) => Message::from_field(&text, validator()).expect("protocol 2").expect("written by us"),
        None => Message::from_json(&message.to_json(), validator()).expect("written by us"),
    };
    assert_eq!(read, expected(message.clone()));
    assert_eq!(Message::from_json(&message.to_json_with(field(message)), validator()), Ok(read));
    message.entries.iter().for_each(assert_size_is_enough);
}

// The field with the name of the cluster, as the engine sends it.
fn field(message: &Message) -> Option<String> {
    let mut text = message.to_field()?;
    if let Some(name) = message.cluster() {
        add_cluster_name(&mut text, name);
    }
    Some(text)
}

fn expected(mut message: Message) -> Message {
    // Entries that the validator left out are not written.
    message.skipped.clear();
    message.ahead = 0;
    if let Some(envelope) = &mut message.envelope {
        envelope.version = Some(OWN_VERSION.into());
    }
    match &mut message.envelope {
        // Stamps that are too old are not written.
        Some(envelope) if envelope.freshness.stamps.iter().all(Option::is_none) => {
            envelope.freshness = Freshness::default()
        }
        Some(_) => {}
        // Online and offline entries are written as two lists.
        None => message.entries.sort_by_key(|entry| entry.state),
    }
    message
}

// The bound on the size of messages is computed from `Entry::size`.
fn assert_size_is_enough(entry: &Entry) {
    let json = serde_json::to_string(entry).expect("JSON");
    assert!(json.len() < entry.size(), "{json} is longer than {}", entry.size());
    assert_eq!(ServerUrl::parse(entry.url.as_str()).as_ref(), Ok(&entry.url));
}

/// The system's allocator, with a count of the bytes in use.
struct CountingAllocator;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

// SAFETY: all calls are passed on to the system's allocator.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(IN_USE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}
