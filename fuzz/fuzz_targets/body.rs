//! The body of a gossip request, up to 8 MiB, from a small input: each line is `<count> <text>`, a text that is repeated.
//! Bodies over 96 KiB are slow, so only inputs that begin with a line `large` make them.

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
/// The largest that is answered on the event loop, as in src/engine/inbound.rs.
const ON_EVENT_LOOP: usize = 96 << 10;
/// The longest time that the event loop may stand still. Fuzzing builds are slower, and still take less.
const STANDSTILL: Duration = Duration::from_millis(20);
/// How long another thread may need for a body of 8 MiB, and how much memory besides the body.
const LARGEST: Bounds = Bounds { time: Duration::from_secs(1), held: 40 << 20 };

fuzz_target!(|text: &str| {
    let body = body(text);
    let is_on_event_loop = body.len() <= ON_EVENT_LOOP;
    let bounds = if is_on_event_loop { Bounds { time: STANDSTILL, ..Bounds::of(&body) } } else { LARGEST };
    within(bounds, || {
        let began = Instant::now();
        drop(read(&body));
        began.elapsed()
    });
    if let Ok(message) = read(&body) {
        within(Bounds { time: STANDSTILL, held: LARGEST.held }, || longest_part(message.clone(), is_on_event_loop));
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

// As the engine does: at once on the event loop, in parts on another thread. Returns the longest time for which the event
// loop may wait.
fn longest_part(mut message: Message, is_on_event_loop: bool) -> Duration {
    let now = Now { mono: Duration::ZERO, wall: WALL };
    let mut core = Core::new(&Settings::new(own().clone()), now, 7);
    let mut longest = Duration::ZERO;
    loop {
        let began = Instant::now();
        let is_part = !is_on_event_loop && core.merge_part(now, &mut message, None);
        if !is_part {
            drop(core.handle_gossip(now, &message));
        }
        longest = longest.max(began.elapsed());
        if !is_part {
            return longest;
        }
    }
}
