//! The process of a server: the real core or version 1's policy, behind one interface.

use std::borrow::Cow;
use std::time::Duration;

use clustershazbot::clock::Now;
use clustershazbot::config::Settings;
use clustershazbot::message::{Entry, EntryV2, MAX_AHEAD, Message, ServerUrl, State, Tags};
use clustershazbot::protocol::{Action, Core, Event, ExchangeError, Place, RequestId, WatchEnd, WriteError};

use super::v1::V1;

/// What a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Version 1.0.0, in TypeScript.
    V1,
    /// This package.
    V2,
}

/// The process of a server.
#[derive(Clone, Debug)]
pub enum Process {
    /// Version 1's policy.
    V1(Box<V1>),
    /// The real core.
    V2(Box<Core>),
}

impl Process {
    /// A process that starts now.
    pub fn new(version: Version, settings: &Settings, now: Now, seed: u64) -> Self {
        match version {
            Version::V1 => Self::V1(Box::new(V1::new(settings.clone(), now, seed))),
            Version::V2 => Self::V2(Box::new(Core::new(settings, now, seed))),
        }
    }

    /// Begins its random numbers anew.
    pub fn reseed(&mut self, seed: u64) {
        match self {
            Self::V1(v1) => v1.reseed(seed),
            Self::V2(core) => core.reseed(seed),
        }
    }

    /// What it lists about a server.
    pub fn entry(&self, url: &ServerUrl) -> Option<&Entry> {
        match self {
            Self::V1(v1) => v1.entry(url),
            Self::V2(core) => core.members().get(url).map(|member| &member.entry),
        }
    }

    /// The state in which it lists a server. Unknown servers count as offline.
    pub fn state(&self, url: &ServerUrl) -> State {
        self.entry(url).map_or(State::Offline, |entry| entry.state)
    }

    /// All that it lists.
    pub fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_> {
        match self {
            Self::V1(v1) => Box::new(v1.entries()),
            Self::V2(core) => Box::new(core.members().entries()),
        }
    }

    /// The program sets its tags.
    pub fn handle_tags(&mut self, now: Now, tags: Tags) {
        match self {
            // Version 1 has none.
            Self::V1(_) => {}
            Self::V2(core) => core.handle_tags(now, tags),
        }
    }

    /// The program says whether this server may be given work.
    pub fn handle_ready(&mut self, now: Now, is_ready: bool) {
        match self {
            // Version 1 does not have this.
            Self::V1(_) => {}
            Self::V2(core) => core.handle_ready(now, is_ready),
        }
    }

    /// A control request.
    pub fn handle_control(&mut self, now: Now, online: bool) {
        match self {
            Self::V1(v1) => v1.handle_control(now, online),
            Self::V2(core) => core.handle_control(now, online),
        }
    }

    /// The program shuts down.
    pub fn handle_leave(&mut self, now: Now) {
        match self {
            Self::V1(v1) => v1.handle_leave(now),
            Self::V2(core) => core.handle_leave(now),
        }
    }

    /// A peer's message. Returns the answer.
    pub fn handle_gossip(&mut self, now: Now, message: &Message) -> Message {
        match self {
            Self::V1(v1) => v1.handle_gossip(now, &for_v1(Cow::Borrowed(message))),
            Self::V2(core) => core.handle_gossip(now, &accepted(Cow::Borrowed(message), now)),
        }
    }

    pub fn handle_response(&mut self, now: Now, id: RequestId, answer: Result<Message, ExchangeError>) {
        match self {
            Self::V1(v1) => {
                v1.handle_response(now, id, answer.map(|message| for_v1(Cow::Owned(message)).into_owned()));
            }
            Self::V2(core) => {
                let answer = answer.map(|message| accepted(Cow::Owned(message), now).into_owned());
                core.handle_response(now, id, answer);
            }
        }
    }

    pub fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::V1(v1) => v1.handle_timeout(now),
            Self::V2(core) => core.handle_timeout(now),
        }
    }

    pub fn handle_heartbeat(&mut self, now: Now) {
        match self {
            Self::V1(_) => {}
            Self::V2(core) => core.handle_heartbeat(now),
        }
    }

    pub fn handle_list_read(
        &mut self,
        now: Now,
        id: RequestId,
        list: Result<Option<Message>, String>,
    ) -> Option<Message> {
        match self {
            // Version 1 sends no conditional requests, so it always receives a list.
            Self::V1(v1) => v1.handle_list_read(now, list.map(Option::unwrap_or_default)),
            Self::V2(core) => {
                let read = list.as_ref().ok().and_then(Option::as_ref);
                let refused = |entry: &&Entry| !is_acceptable(entry, now);
                let refused: Vec<_> =
                    read.iter().flat_map(|list| list.entries.iter().filter(refused)).cloned().collect();
                let list = list.map(|list| list.map(|list| accepted(Cow::Owned(list), now).into_owned()));
                let mut written = core.handle_list_read(now, id, list)?;
                // What is only refused stays in the list.
                written.entries.extend(refused.into_iter().filter(|entry| entry.url != *core.members().local_url()));
                Some(for_v1(Cow::Owned(written)).into_owned())
            }
        }
    }

    pub fn handle_list_written(&mut self, now: Now, id: RequestId, result: Result<bool, WriteError>) {
        match self {
            // Version 1 only logs a failure.
            Self::V1(_) => {}
            Self::V2(core) => core.handle_list_written(now, id, result),
        }
    }

    pub fn handle_watch_opened(&mut self, now: Now, id: RequestId) {
        match self {
            // Version 1 watches nobody.
            Self::V1(_) => {}
            Self::V2(core) => core.handle_watch_opened(now, id),
        }
    }

    pub fn handle_watch_ended(&mut self, now: Now, id: RequestId, end: WatchEnd) {
        match self {
            Self::V1(_) => {}
            Self::V2(core) => core.handle_watch_ended(now, id, end),
        }
    }

    // Version 1 looks up no names.
    pub fn handle_looked_up(&mut self, now: Now, id: RequestId, found: Result<Vec<Place>, String>) {
        if let Self::V2(core) = self {
            core.handle_looked_up(now, id, found);
        }
    }

    pub fn handle_identified(&mut self, now: Now, id: RequestId, answer: Result<ServerUrl, ExchangeError>) {
        if let Self::V2(core) = self {
            core.handle_identified(now, id, answer);
        }
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        match self {
            Self::V1(v1) => v1.poll_action(),
            Self::V2(core) => core.poll_action(),
        }
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        match self {
            Self::V1(v1) => v1.poll_event(),
            Self::V2(core) => core.poll_event(),
        }
    }

    pub fn poll_timeout(&self) -> Option<Duration> {
        match self {
            Self::V1(v1) => v1.poll_timeout(),
            Self::V2(core) => core.poll_timeout(),
        }
    }
}

// What stands in a message or a list that a version 1 server may read: long extensions are left out.
fn for_v1(message: Cow<'_, Message>) -> Cow<'_, Message> {
    let is_short = |entry: &Entry| entry.v2.as_ref().is_none_or(|v2| v2.for_v1() == *v2);
    if message.entries.iter().all(is_short) {
        return message;
    }
    let mut message = message.into_owned();
    for entry in &mut message.entries {
        entry.v2 = entry.v2.as_ref().map(EntryV2::for_v1);
    }
    Cow::Owned(message)
}

// What the parser of protocol 2 accepts of a message: it skips entries that are stamped too far ahead of its clock.
fn accepted(message: Cow<'_, Message>, now: Now) -> Cow<'_, Message> {
    if message.entries.iter().all(|entry| is_acceptable(entry, now)) {
        return message;
    }
    let mut message = message.into_owned();
    if let Some(envelope) = &mut message.envelope
        && !message.entries.first().is_some_and(|entry| is_acceptable(entry, now))
    {
        envelope.sender = None;
    }
    let is_refused = |entry: &&Entry| entry.state == State::Online && !is_acceptable(entry, now);
    message.ahead = message.entries.iter().filter(is_refused).count();
    message.entries.retain(|entry| is_acceptable(entry, now));
    Cow::Owned(message)
}

fn is_acceptable(entry: &Entry, now: Now) -> bool {
    entry.v2.as_ref().map_or(entry.stamp, |v2| v2.incarnation.max(entry.stamp)) <= now.wall + MAX_AHEAD
}
