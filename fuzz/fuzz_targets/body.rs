//! The body of a gossip request, up to 8 MiB, from a small input: each line is `<count> <text>`, a text that is repeated.
//! Bodies over 128 KiB are slow, so only inputs that begin with a line `large` make them.

#![no_main]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use clustershazbot::clock::Now;
use clustershazbot::config::Settings;
use clustershazbot::error::Error;
use clustershazbot::message::{GossipBody, Message};
use clustershazbot::protocol::Core;
use clustershazbot_fuzz::{Bounds, WALL, own, validator, within};
use libfuzzer_sys::fuzz_target;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 8 << 20;
/// The largest that is answered on the event loop. src/engine/inbound.rs has this number and the next one.
const ON_EVENT_LOOP: usize = 128 << 10;
/// Most entries that the core takes in one go, while the event loop waits for it.
const PART: usize = 1_500;
/// The longest time that the event loop may stand still. Fuzzing builds are slower, and still take less.
const STANDSTILL: Duration = Duration::from_millis(20);
/// How long another thread may need for a body of 8 MiB, and how much memory besides the body.
const LARGEST: Bounds = Bounds { time: Duration::from_secs(1), held: 40 << 20 };

fuzz_target!(|text: &str| {
    let body = body(text);
    let bounds = if body.len() <= ON_EVENT_LOOP { Bounds { time: STANDSTILL, ..Bounds::of(&body) } } else { LARGEST };
    within(bounds, || {
        let began = Instant::now();
        drop(read(&body));
        began.elapsed()
    });
    if let Ok(message) = read(&body) {
        within(Bounds { time: STANDSTILL, held: LARGEST.held }, || longest_part(&message));
    }
});

fn body(text: &str) -> Vec<u8> {
    let (most, text) = text.strip_prefix("large\n").map_or((ON_EVENT_LOOP, text), |rest| (MAX_BODY, rest));
    let mut body = String::new();
    for line in text.split('\n') {
        let (count, part) = line.split_once(' ').unwrap_or(("1", line));
        let room = most.saturating_sub(body.len()) / part.len().max(1);
        for number in 0..count.parse().unwrap_or(1).min(room) {
            // `#` is another number each time, so that entries differ.
            match part.split_once('#') {
                Some((before, after)) => write!(body, "{before}{number}{after}").expect("a string"),
                None => body.push_str(part),
            }
        }
    }
    body.truncate(body.floor_char_boundary(most));
    body.into_bytes()
}

// As `Inbound::answer` in src/engine/inbound.rs does.
fn read(body: &[u8]) -> Result<Message, Error> {
    let parsed = GossipBody::parse(body)?;
    match parsed.field().and_then(|field| Message::from_field(&field, validator())) {
        Some(message) => message,
        None => parsed.read(validator()),
    }
}

// As `Inbound::handle` does. Returns how long the core took for the part that took longest.
fn longest_part(message: &Message) -> Duration {
    let now = Now { mono: Duration::ZERO, wall: WALL };
    let mut core = Core::new(&Settings::new(own().clone()), now, 7);
    let mut longest = Duration::ZERO;
    for entries in message.entries.rchunks(PART) {
        let part = Message { entries: entries.to_vec(), envelope: message.envelope.clone(), ..Message::default() };
        let began = Instant::now();
        core.handle_part(now, &part);
        longest = longest.max(began.elapsed());
    }
    longest
}
