//! Everything that happens to a server, one event per line:
//!
//! | line | event |
//! |---|---|
//! | `{…`, `2 …` | a message, as JSON or as its field |
//! | `a{…`, `a2 …` | a message that answers the server's oldest request |
//! | `f<n>` | the oldest request fails, in one of several ways |
//! | `l…` | the master list |
//! | `t<ms>`, `s<ms>` | time passes while the event loop turns (`t`) or is blocked (`s`) |
//! | `w<ms>` | the wall clock is set |
//! | `c0`, `c1`, `x` | the server is drained, goes online, leaves |
//! | `g…` | the program sets these tags, if they are valid |

#![no_main]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clustershazbot::clock::Now;
use clustershazbot::config::{ListSettings, Settings};
use clustershazbot::message::{Message, Tags, Validator};
use clustershazbot::protocol::{Action, Core, ExchangeError, RequestId, WriteError};
use clustershazbot_fuzz::{Bounds, WALL, own, validator, within};
use libfuzzer_sys::fuzz_target;

/// The largest message that the server may send, in bytes.
const MAX_MESSAGE: usize = 90_000;
/// How often the server may be woken at one moment.
const MAX_WAKES: usize = 20;
/// In how many steps time passes at most: the thousandth round finds nothing new.
const MAX_STEPS: usize = 50;

fuzz_target!(|text: &str| {
    within(Bounds::of(text.as_bytes()), || {
        let mut server = Server::new();
        text.split('\n').for_each(|line| server.handle_line(line));
        server.longest_call
    });
});

struct Server {
    core: Core,
    now: Now,
    requests: VecDeque<(RequestId, Duration)>,
    lists: VecDeque<RequestId>,
    // How many entries it has received.
    received: usize,
    longest_call: Duration,
}

impl Server {
    fn new() -> Self {
        let settings = Settings {
            interval: Duration::from_secs(2),
            announce_minimum: Duration::from_secs(5),
            announce_interval: Duration::from_secs(20),
            update_list_on_shutdown: true,
            lists: vec![ListSettings { name: "the list".into(), is_written: true }],
            keeps_state: true,
            ..Settings::new(own().clone())
        };
        let now = Now { mono: Duration::ZERO, wall: WALL };
        let core = Core::new(&settings, now, 7);
        let mut server = Self {
            core,
            now,
            requests: VecDeque::new(),
            lists: VecDeque::new(),
            received: 0,
            longest_call: Duration::ZERO,
        };
        server.call(|_, _| ());
        server
    }

    fn handle_line(&mut self, line: &str) {
        let (head, rest) = line.split_at_checked(1).unwrap_or_default();
        let number = rest.parse::<u64>().unwrap_or_default();
        match head {
            "{" | "2" => {
                let admitted = self.call(|core, now| match head {
                    "2" => core.admit_v2(Message::sender_of(line), now).is_ok(),
                    _ => core.admit_v1(now).is_ok(),
                });
                let Ok(message) = self.read(line) else { return };
                if admitted {
                    let answer = self.call(|core, now| core.handle_gossip(now, &message));
                    assert!(size(&answer) <= MAX_MESSAGE);
                }
            }
            "a" => {
                let answer = self.read(rest).map_err(|why| ExchangeError::Other(why.to_string().into()));
                self.respond(answer);
            }
            "f" => self.respond(Err(match number {
                0 => ExchangeError::TimedOut,
                1 => ExchangeError::Refused(String::new()),
                2 => ExchangeError::SecretRejected,
                _ => ExchangeError::Unreachable("".into()),
            })),
            "l" => {
                let Some(id) = self.lists.pop_front() else { return };
                let list = Message::from_master_list(rest.as_bytes(), Validator { wall: self.now.wall, ..validator() });
                self.received += list.as_ref().map_or(0, |list| list.entries.len());
                // An empty list stands for one that has not changed.
                let list =
                    list.map(|list| (!list.entries.is_empty()).then_some(list)).map_err(|error| error.to_string());
                if self.call(|core, now| core.handle_list_read(now, id, list)).is_some() {
                    let written = if id % 3 == 0 { Err(WriteError::Conflict) } else { Ok(true) };
                    self.call(|core, now| core.handle_list_written(now, id, written));
                }
            }
            "t" => self.advance(number, true),
            "s" => self.advance(number, false),
            // Stamps are below 2^53, and so are clocks.
            "w" => self.now.wall = number % (1 << 53),
            "c" => self.call(|core, now| core.handle_control(now, number != 0)),
            "x" => self.call(Core::handle_leave),
            "g" => {
                if let Ok(tags) = Tags::parse(rest) {
                    self.call(|core, now| core.handle_tags(now, tags));
                }
            }
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
        self.received += message.as_ref().map_or(0, |message| message.entries.len());
        message
    }

    fn respond(&mut self, answer: Result<Message, ExchangeError>) {
        if let Some((id, _)) = self.requests.pop_front() {
            self.call(|core, now| core.handle_response(now, id, answer));
        }
    }

    fn advance(&mut self, ms: u64, event_loop_turns: bool) {
        let until = self.now.mono + Duration::from_millis(ms.min(100_000_000));
        for step in 1..=MAX_STEPS {
            let next = self.core.poll_timeout().map_or(until, |next| next.clamp(self.now.mono, until));
            let next = if step == MAX_STEPS { until } else { next };
            self.now.wall += (next - self.now.mono).as_millis() as u64;
            self.now.mono = next;
            if event_loop_turns {
                self.call(Core::handle_heartbeat);
            }
            let mut wakes = 0;
            while self.core.poll_timeout().is_some_and(|at| at <= next) {
                self.call(Core::handle_timeout);
                wakes += 1;
                assert!(wakes < MAX_WAKES, "it asks to be woken all the time");
            }
            while self.requests.front().is_some_and(|(_, deadline)| *deadline <= next) {
                self.respond(Err(ExchangeError::TimedOut));
            }
            if next == until {
                break;
            }
        }
    }

    fn call<R>(&mut self, call: impl FnOnce(&mut Core, Now) -> R) -> R {
        let began = Instant::now();
        let result = call(&mut self.core, self.now);
        self.longest_call = self.longest_call.max(began.elapsed());
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Gossip { id, message, timeout, .. } => {
                    assert!(size(&message) <= MAX_MESSAGE);
                    self.requests.push_back((id, self.now.mono + timeout));
                }
                Action::SyncList { id, .. } => self.lists.push_back(id),
                Action::OpenWatch { .. } | Action::CloseWatch { .. } => {}
                Action::LookUp { .. } | Action::Identify { .. } => unreachable!("there are no names"),
                Action::SaveState(state) => assert!(state.entries.len() <= 1_000),
            }
        }
        while self.core.poll_event().is_some() {}
        let known = self.core.members().entries().count();
        assert!(known <= 1 + self.received, "it lists {known} and has received {}", self.received);
        result
    }
}

fn size(message: &Message) -> usize {
    message.to_field().map_or_else(|| message.to_json().len(), |text| text.len())
}
