//! A message and the answer to it, and what they are for.

use std::sync::Arc;
use std::time::Duration;

use super::event::{Action, ExchangeError, Id};
use super::hearing::Voice;
use super::rumours::MAX_TRIES;
use super::{Core, Event};
use crate::clock::Now;
use crate::message::{Entry, Envelope, Message, ServerUrl, State};

/// After how long one of many seeds has failed.
const MEET_TIMEOUT: Duration = Duration::from_secs(1);

/// A message on its way and its answer on its way back.
#[derive(Debug)]
pub struct Exchange {
    pub to: ServerUrl,
    pub purpose: Purpose,
    pub began: Began,
    message: Arc<Message>,
    // Whether it has a connection of its own.
    fresh: bool,
}

/// When an exchange began, by our clock and by that of the server it is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    pub mono: Duration,
    pub own_clock: u64,
}

/// What follows from the outcome of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing but what is learned: a seed, a dead server that is tried, somebody who is told something.
    Contact,
    /// The same with one of many that may be there, none of which is waited for long.
    Meet,
    /// A failure is a suspicion.
    Probe,
    /// One of several tries while there is a suspicion, which has its own end.
    Confirm,
    /// Somebody calls the server dead; a failure makes it so.
    Check,
    /// Somebody has asked whether we reach the server.
    Favour(ServerUrl),
    /// The answer to such a question.
    Report,
    /// Rumours for the next on the ring; where it fails, the one after is told. The number of tries.
    Ring(u32),
    /// Rumours for anybody.
    Push,
    /// What differs between our list and the other; the hashes of both.
    Repair(u64, u64),
    /// Whether it is we who answer at our base URL.
    Mirror,
}

impl Purpose {
    // Where nothing else makes up for an exchange that is lost, or for an idle connection that was closed meanwhile.
    fn is_worth_a_second_try(&self) -> bool {
        match self {
            Self::Check | Self::Favour(_) | Self::Report => true,
            Self::Contact
            | Self::Meet
            | Self::Probe
            | Self::Confirm
            | Self::Ring(_)
            | Self::Push
            | Self::Repair(..)
            | Self::Mirror => false,
        }
    }
}

impl Core {
    /// The outcome of [`Action::Gossip`].
    pub fn handle_response(&mut self, now: Now, id: Id, answer: Result<Message, ExchangeError>) {
        self.look_at_clocks(now);
        let Some(exchange) = self.exchanges.remove(&id) else {
            return;
        };
        match answer.and_then(|answer| sent_by(&exchange.to, answer)) {
            answer if exchange.purpose == Purpose::Mirror => self.hear_mirror(&answer.unwrap_or_default(), now),
            Ok(answer) => self.answered(exchange, answer, now),
            Err(error) => {
                self.seeds.failed(&exchange.to);
                self.members.failed(&exchange.to);
                self.notices.push_back(Event::ExchangeFailed(exchange.to.clone(), error.clone()));
                self.failed(exchange, &error, now);
            }
        }
        self.end_bootstrap_exchange(id);
        self.finish_leave_if_told();
    }

    fn answered(&mut self, exchange: Exchange, answer: Message, now: Now) {
        let Exchange { to, purpose, .. } = exchange;
        self.last_answer = now.mono;
        self.figures.last_out = Some((now.wall, to.clone()));
        self.met.get_or_insert(now.mono);
        self.seeds.remove(&to);
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.has_answer = true;
        }
        let is_repair = matches!(purpose, Purpose::Repair(..));
        let learned = self.hear_all(&answer, Some(&to), Voice::Reached, is_repair, now);
        self.members.answered(&to, now);
        self.suspicions.remove(&to);
        self.spared.remove(&to);
        if purpose == Purpose::Check {
            self.claims.remove(&to);
        }
        self.vouch(now);
        match purpose {
            Purpose::Favour(asker) => self.report(&to, asker, now),
            Purpose::Repair(mine, theirs) => self.end_repair((mine, theirs), &to, &answer, learned, now),
            Purpose::Contact | Purpose::Meet | Purpose::Probe | Purpose::Confirm | Purpose::Check
                if self.is_working(now) =>
            {
                self.compare(to, answer, now);
            }
            Purpose::Contact
            | Purpose::Meet
            | Purpose::Probe
            | Purpose::Confirm
            | Purpose::Check
            | Purpose::Report
            | Purpose::Ring(_)
            | Purpose::Push
            | Purpose::Mirror => {}
        }
    }

    fn failed(&mut self, exchange: Exchange, error: &ExchangeError, now: Now) {
        let Exchange { to, purpose, began, message, fresh } = exchange;
        // What began before we stood still says nothing about others.
        if !self.is_working(now) || began.mono < self.awake_since {
            return;
        }
        if purpose.is_worth_a_second_try() && !fresh {
            let again = self.send_this(to, purpose, message, true, now);
            if let Some(exchange) = self.exchanges.get_mut(&again) {
                exchange.began = began;
            }
            return;
        }
        match purpose {
            Purpose::Probe => {
                self.suspect(&to, began, error, now);
                if let Some(instead) = self.in_place_of(&to) {
                    self.probe(instead, now);
                }
            }
            Purpose::Confirm => self.confirm(&to, error),
            Purpose::Check => self.believe(&to, began, now),
            Purpose::Ring(tries) => self.pass_on(to, tries, message, error, now),
            Purpose::Push => self.pass_on(to, MAX_TRIES, message, error, now),
            Purpose::Contact
            | Purpose::Meet
            | Purpose::Favour(_)
            | Purpose::Report
            | Purpose::Repair(..)
            | Purpose::Mirror => {}
        }
    }

    /// Who gets what a server did not take that has never answered us: those that somebody has invented keep nothing from
    /// those that there are.
    pub(super) fn in_place_of(&self, failed: &ServerUrl) -> Option<ServerUrl> {
        self.members.next_reached(failed, &self.settings.base_url).cloned()
    }

    /// Sends the usual message: our entry, what we hold of the receiver that it may want to correct, our digest.
    pub(super) fn send(&mut self, to: ServerUrl, purpose: Purpose, now: Now) -> Id {
        self.send_on(to, purpose, false, now)
    }

    /// The same, on a connection of its own if `fresh`.
    pub(super) fn send_on(&mut self, to: ServerUrl, purpose: Purpose, fresh: bool, now: Now) -> Id {
        let mut message = self.usual_message(&to, now);
        if let Some(envelope) = &mut message.envelope {
            envelope.suspects_receiver = purpose == Purpose::Confirm;
        }
        self.send_this(to, purpose, Arc::new(message), fresh, now)
    }

    /// Sends our entry and some others.
    pub(super) fn tell(
        &mut self,
        to: ServerUrl,
        purpose: Purpose,
        others: Vec<Entry>,
        envelope: Envelope,
        now: Now,
    ) -> Id {
        let message = Message::new_v2(self.own().clone(), others, envelope);
        self.send_this(to, purpose, Arc::new(message), false, now)
    }

    pub(super) fn send_this(
        &mut self,
        to: ServerUrl,
        purpose: Purpose,
        message: Arc<Message>,
        fresh: bool,
        now: Now,
    ) -> Id {
        // A server that has left is about to end, and its program waits for connections that are kept.
        let fresh = fresh || self.members.get(&to).is_some_and(|member| member.entry.state == State::Offline);
        self.next_id += 1;
        let id = self.next_id;
        let timeout = match purpose {
            Purpose::Probe
            | Purpose::Contact
            | Purpose::Repair(..)
            | Purpose::Ring(_)
            | Purpose::Push
            | Purpose::Mirror => self.exchange_timeout(),
            Purpose::Meet => MEET_TIMEOUT.min(self.exchange_timeout()),
            // Others wait for the outcome.
            Purpose::Confirm | Purpose::Check | Purpose::Favour(_) | Purpose::Report => self.short_timeout(),
        };
        self.actions.push_back(Action::Gossip { id, to: to.clone(), message: Arc::clone(&message), timeout, fresh });
        let own_clock = self.members.get(&to).map_or(0, |member| member.estimated_clock(now));
        let began = Began { mono: now.mono, own_clock };
        self.exchanges.insert(id, Exchange { to, purpose, began, message, fresh });
        id
    }

    /// Whether a message to a server is on its way.
    pub(super) fn is_contacting(&self, url: &ServerUrl) -> bool {
        self.exchanges.values().any(|exchange| exchange.to == *url)
    }
}

// Whoever answers in the place of a server does not show that the server lives: a load balancer, another process.
fn sent_by(to: &ServerUrl, answer: Message) -> Result<Message, ExchangeError> {
    match answer.envelope.as_ref().and_then(|envelope| envelope.sender.as_ref()) {
        Some(from) if from != to => Err(ExchangeError::Other(format!("another server answers there, {from}"))),
        Some(_) | None => Ok(answer),
    }
}
