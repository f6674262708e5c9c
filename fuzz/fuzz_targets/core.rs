//! Whole messages in a row, a line each, and what else happens to a server between them:
//!
//! | line | |
//! |---|---|
//! | `{…`, `2 …` | a message, as JSON or as its field |
//! | `a{…`, `a2 …` | the same as the answer to the oldest request of ours |
//! | `f<n>` | that fails, in one of several ways |
//! | `l…` | the master list |
//! | `t<ms>`, `s<ms>` | time passes, with the event loop turning or not |
//! | `w<ms>` | the wall clock is set |
//! | `c0`, `c1`, `x` | drained, back, leaving |

#![no_main]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clustershazbot::clock::Now;
use clustershazbot::config::Settings;
use clustershazbot::message::{Message, Validator};
use clustershazbot::protocol::{Action, Core, ExchangeError, RequestId, WriteError};
use clustershazbot_fuzz::{WALL, bounded_calls, own, validator};
use libfuzzer_sys::fuzz_target;

/// Most bytes of a message, by the invariants.
const MAX_MESSAGE: usize = 90_000;
/// Most times that one moment may wake it.
const MAX_WAKES: usize = 20;
/// Most steps in which time passes: no more is learned from the thousandth round.
const MAX_STEPS: usize = 50;

fuzz_target!(|text: &str| {
    bounded_calls(text.as_bytes(), || {
        let mut server = Server::new();
        text.split('\n').for_each(|line| server.happens(line));
        server.longest
    });
});

struct Server {
    core: Core,
    now: Now,
    requests: VecDeque<(RequestId, Duration)>,
    lists: VecDeque<RequestId>,
    // Entries that it was told.
    told: usize,
    longest: Duration,
}

impl Server {
    fn new() -> Self {
        let settings = Settings {
            base_url: own().clone(),
            monitor: false,
            interval: Duration::from_secs(2),
            announce_minimum: Duration::from_secs(5),
            announce_interval: Duration::from_secs(20),
            update_list_on_shutdown: true,
            lists: vec!["the list".into()],
            keeps_state: true,
        };
        let now = Now { mono: Duration::ZERO, wall: WALL };
        let core = Core::new(&settings, now, 7);
        let longest = Duration::ZERO;
        let mut server = Self { core, now, requests: VecDeque::new(), lists: VecDeque::new(), told: 0, longest };
        server.call(|_, _| ());
        server
    }

    fn happens(&mut self, line: &str) {
        let (head, rest) = line.split_at_checked(1).unwrap_or_default();
        let number = rest.parse::<u64>().unwrap_or_default();
        match head {
            "{" | "2" => {
                let Ok(message) = self.read(line) else { return };
                let admitted = self.call(|core, now| core.admit(now).and_then(|()| core.admit_from(&message, now)).is_ok());
                if admitted {
                    let answer = self.call(|core, now| core.handle_gossip(now, &message));
                    assert!(size(&answer) <= MAX_MESSAGE);
                }
            }
            "a" => {
                let answer = self.read(rest).map_err(|why| ExchangeError::Other(why.to_string()));
                self.settle(answer);
            }
            "f" => self.settle(Err(match number {
                0 => ExchangeError::TimedOut,
                1 => ExchangeError::Refused(String::new()),
                2 => ExchangeError::SecretRejected,
                _ => ExchangeError::Unreachable(String::new()),
            })),
            "l" => {
                let Some(id) = self.lists.pop_front() else { return };
                let list = Message::from_master_list(rest.as_bytes(), Validator { wall: self.now.wall, ..validator() });
                self.told += list.as_ref().map_or(0, |list| list.entries.len());
                // Nothing where the list has not changed.
                let list =
                    list.map(|list| (!list.entries.is_empty()).then_some(list)).map_err(|error| error.to_string());
                if self.call(|core, now| core.handle_list_read(now, id, list)).is_some() {
                    let written = if id % 3 == 0 { Err(WriteError::Conflict) } else { Ok(true) };
                    self.call(|core, now| core.handle_list_written(now, id, written));
                }
            }
            "t" => self.pass(number, true),
            "s" => self.pass(number, false),
            // Stamps are below 2^53, and so are clocks.
            "w" => self.now.wall = number % (1 << 53),
            "c" => self.call(|core, now| core.handle_control(now, number != 0)),
            "x" => self.call(Core::handle_leave),
            _ => {}
        }
    }

    fn read(&mut self, line: &str) -> Result<Message, clustershazbot::error::Error> {
        let core = &self.core;
        let validator = Validator { wall: self.now.wall, known: &|text| core.members().known(text), ..validator() };
        let message = match Message::from_field(line, validator) {
            Some(message) => message,
            None => Message::from_json(line.as_bytes(), validator),
        };
        self.told += message.as_ref().map_or(0, |message| message.entries.len());
        message
    }

    fn settle(&mut self, answer: Result<Message, ExchangeError>) {
        if let Some((id, _)) = self.requests.pop_front() {
            self.call(|core, now| core.handle_response(now, id, answer));
        }
    }

    fn pass(&mut self, ms: u64, beats: bool) {
        let until = self.now.mono + Duration::from_millis(ms.min(100_000_000));
        for step in 1..=MAX_STEPS {
            let next = self.core.poll_timeout().map_or(until, |next| next.clamp(self.now.mono, until));
            let next = if step == MAX_STEPS { until } else { next };
            self.now.wall += (next - self.now.mono).as_millis() as u64;
            self.now.mono = next;
            if beats {
                self.call(Core::handle_heartbeat);
            }
            let mut wakes = 0;
            while self.core.poll_timeout().is_some_and(|at| at <= next) {
                self.call(Core::handle_timeout);
                wakes += 1;
                assert!(wakes < MAX_WAKES, "it does not come to rest");
            }
            while self.requests.front().is_some_and(|(_, deadline)| *deadline <= next) {
                self.settle(Err(ExchangeError::TimedOut));
            }
            if next == until {
                break;
            }
        }
    }

    fn call<R>(&mut self, call: impl FnOnce(&mut Core, Now) -> R) -> R {
        let began = Instant::now();
        let result = call(&mut self.core, self.now);
        self.longest = self.longest.max(began.elapsed());
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Gossip { id, message, timeout, .. } => {
                    assert!(size(&message) <= MAX_MESSAGE);
                    self.requests.push_back((id, self.now.mono + timeout));
                }
                Action::SyncList { id, .. } => self.lists.push_back(id),
                Action::SaveState(state) => assert!(state.entries.len() <= 1_000),
            }
        }
        while self.core.poll_event().is_some() {}
        let known = self.core.members().entries().count();
        assert!(known <= 1 + self.told, "it lists {known}, and was told of {}", self.told);
        result
    }
}

fn size(message: &Message) -> usize {
    message.to_field().map_or_else(|| message.to_json().len(), |text| text.len())
}
