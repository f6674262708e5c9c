//! What may happen instead of the usual course: at each event, and to the server at which it is.
//!
//! A surprise happens at the moment of an event of the same server, just before it. To the server itself other moments make no
//! difference, since it does nothing between its events. Others learn of a kill, a leave or a drain a little later than they
//! might.

use std::fmt;
use std::time::Duration;

use clustershazbot::message::State as Listed;
use clustershazbot::protocol::WatchEnd;

use super::event::{Event, Kind, Outcome, USUAL};
use super::state::{Leaving, State};
use super::step::latency;
use crate::world::{Health, Process, Version, Violation};

/// How long a program is blocked or a process suspended: longer than the core takes for a stalled event loop, and so long that
/// others list it as failed.
const BUSY: Duration = Duration::from_secs(8);
/// How long the engine's thread gets no turn: shorter than what the core takes for a stall of it.
const PAUSE: Duration = Duration::from_millis(950);
/// How soon a process is started again: before others notice, and after they have.
const SOON: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_secs(3);
/// How late a timer may be.
const MAX_LATE_TIMER: Duration = Duration::from_secs(1);
/// By how much a clock steps, ms.
const HOUR: i64 = 3_600_000;

/// Something unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surprise {
    /// The event comes after the next one of its server.
    Postpone,
    /// The message is lost, or the watch cannot be opened.
    Lose,
    /// The connection for the request is refused.
    Refuse,
    /// The process is killed.
    Kill,
    /// Its host vanishes.
    Vanish,
    /// It is killed and starts again soon.
    Restart,
    /// It is killed and starts again after others have noticed.
    RestartLate,
    /// A control request drains it, or ends its drain.
    Drain,
    /// Its program shuts down.
    Leave,
    /// Its program shuts down and is started again.
    Redeploy,
    /// Its event loop is blocked for a while.
    Block,
    /// Its process is suspended for a while.
    Suspend,
    /// Its engine's thread gets no turn for a while: its timer comes before the answers that wait.
    Pause,
    /// Its clock steps forward by an hour.
    Forward,
    /// Its clock steps back by an hour.
    Back,
    /// The watch connection to this server closes.
    Close(usize),
    /// Its timer draws other random numbers.
    Luck,
    /// Nothing unusual follows, and all lists must become right.
    Calm,
}

use Surprise::{
    Back, Block, Calm, Close, Drain, Forward, Kill, Leave, Lose, Luck, Pause, Postpone, Redeploy, Refuse, Restart,
    RestartLate, Suspend, Vanish,
};

impl Surprise {
    const NAMES: [(Self, &str); 17] = [
        (Postpone, "postpone"),
        (Lose, "lose"),
        (Refuse, "refuse"),
        (Kill, "kill"),
        (Vanish, "vanish"),
        (Restart, "restart"),
        (RestartLate, "restart-late"),
        (Drain, "drain"),
        (Leave, "leave"),
        (Redeploy, "redeploy"),
        (Block, "block"),
        (Suspend, "suspend"),
        (Pause, "pause"),
        (Forward, "forward"),
        (Back, "back"),
        (Luck, "luck"),
        (Calm, "calm"),
    ];

    /// Reads its name.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(server) = text.strip_prefix("close-") {
            return server.parse().ok().map(Close);
        }
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(it, _)| *it)
    }
}

impl fmt::Display for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Close(server) => write!(f, "close-{server}"),
            it => f.write_str(Self::NAMES.iter().find(|(known, _)| known == it).map_or("", |(_, name)| name)),
        }
    }
}

impl State {
    /// All surprises that are possible at the next event.
    pub fn surprises(&self, event: &Event) -> Vec<Surprise> {
        let node = &self.nodes()[event.server];
        let mut found = Vec::new();
        if self.postponed(event).is_some() {
            found.push(Postpone);
        }
        match &event.kind {
            Kind::Request(..) => found.extend([Lose, Refuse]),
            Kind::Outcome(_, Outcome::Answered(_)) | Kind::WatchOpened(_) => found.push(Lose),
            Kind::Timer => found.push(Luck),
            _ => {}
        }
        if node.server.process.is_none() {
            return found;
        }
        match node.server.health {
            Health::Up => {}
            Health::Blocked | Health::Hung => {
                found.extend([Kill, Restart]);
                return found;
            }
            Health::Late | Health::Gone | Health::Down => return found,
        }
        // Version 1 runs on the event loop alone.
        let is_v2 = node.server.version == Version::V2;
        found.extend([Kill, Vanish, Restart, RestartLate]);
        if node.leaving == Leaving::No {
            found.extend([Drain, Leave, Redeploy]);
        }
        found.push(Suspend);
        if is_v2 {
            found.extend([Block, Pause]);
        }
        match node.server.clock_skew {
            0 => found.extend([Forward, Back]),
            1.. => found.push(Back),
            _ => found.push(Forward),
        }
        let others = (0..self.nodes().len()).filter(|other| self.link_between(event.server, *other).is_some());
        found.extend(others.map(Close));
        found
    }

    // When an event would come if it comes after the next one of its server: before its sender gives up.
    fn postponed(&self, event: &Event) -> Option<Event> {
        let next = self.event_after(event)?;
        let most = match &event.kind {
            Kind::Request(it, _) | Kind::Outcome(it, Outcome::Answered(_) | Outcome::Refused | Outcome::Reset) => {
                it.deadline
            }
            Kind::Timer | Kind::WatchConnects(_) | Kind::WatchOpened(_) | Kind::WatchEnded(..) | Kind::Resume => {
                event.at + MAX_LATE_TIMER
            }
            Kind::Outcome(_, Outcome::TimedOut) | Kind::Start => return None,
        };
        (next.at < most).then(|| Event { at: next.at, rank: next.rank.max(USUAL) + 1, ..event.clone() })
    }

    /// Lets something unusual happen at an event. Returns false if that is not possible.
    pub fn surprise(&mut self, event: &Event, surprise: Surprise) -> Result<bool, Violation> {
        let server = event.server;
        self.now = event.at;
        self.note(|_| format!("server {server}: {surprise}, when {}", event.kind));
        match (surprise, &event.kind) {
            (Postpone, kind) => {
                let Some(postponed) = self.postponed(event) else { return Ok(false) };
                if matches!(kind, Kind::Timer) {
                    self.node_mut(server).late_timer = Some((postponed.at, postponed.rank));
                } else {
                    self.remove(event);
                    self.events.push(postponed.into());
                }
            }
            (Lose, Kind::Request(..) | Kind::Outcome(..)) => {
                self.losses += 1;
                self.remove(event);
            }
            (Lose, Kind::WatchOpened(link)) => {
                self.remove(event);
                self.push(self.now, server, Kind::WatchEnded(*link, WatchEnd::NotOpened));
            }
            (Refuse, Kind::Request(exchange, _)) => {
                self.losses += 1;
                self.remove(event);
                let at = self.now + latency(exchange.to, exchange.from);
                self.end_exchange(*exchange, at, Outcome::Refused);
            }
            (Lose | Refuse | Calm, _) => return Ok(false),
            (Close(to), _) => {
                let Some(link) = self.link_between(server, to) else { return Ok(false) };
                self.push(self.now, server, Kind::WatchEnded(link, WatchEnd::Closed));
            }
            (Luck, _) => self.node_mut(server).has_other_seed = true,
            // Others must not notice.
            (Pause, _) => self.keep_busy(server, Health::Late, PAUSE),
            (it, _) => {
                let node = self.node_mut(server);
                // These do not stop it. Version 1 does not say why a server is offline, and follows its clock.
                let goes_on = matches!(it, Drain | Forward | Back) && node.server.version == Version::V2;
                node.is_disturbed |= !goes_on;
                self.disturb(server, it)?;
            }
        }
        Ok(true)
    }

    // Does something to the process or the machine of a server.
    fn disturb(&mut self, server: usize, surprise: Surprise) -> Result<(), Violation> {
        let (now, node) = (self.now, self.node_mut(server));
        match surprise {
            Kill => self.end_process(server, Health::Down),
            Vanish => self.end_process(server, Health::Gone),
            Restart | RestartLate => {
                self.end_process(server, Health::Down);
                let after = if surprise == Restart { SOON } else { LATE };
                self.push(now + after, server, Kind::Start);
            }
            Drain => {
                let is_online = node.server.intended == Listed::Offline;
                node.server.intended = if is_online { Listed::Online } else { Listed::Offline };
                self.call(server, |process, now| process.handle_control(now, is_online))?;
            }
            Leave | Redeploy => {
                node.leaving = if surprise == Redeploy { Leaving::Returns(SOON) } else { Leaving::ForGood };
                node.server.intended = Listed::Offline;
                self.call(server, Process::handle_leave)?;
            }
            Block | Suspend => {
                self.keep_busy(server, if surprise == Block { Health::Blocked } else { Health::Hung }, BUSY);
            }
            Forward | Back => {
                node.has_stepped = true;
                let step = if surprise == Forward { HOUR } else { -HOUR };
                node.server.set_clock(node.server.clock_skew + step, now);
            }
            Postpone | Lose | Refuse | Close(_) | Luck | Pause | Calm => {}
        }
        Ok(())
    }

    fn keep_busy(&mut self, server: usize, health: Health, time: Duration) {
        let until = self.now + time;
        let node = self.node_mut(server);
        (node.server.health, node.busy_until) = (health, until);
        self.push(until, server, Kind::Resume);
    }
}
