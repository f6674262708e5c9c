//! Handles messages and responses, and sends requests. `entries.rs` takes in what they say of servers.

use std::sync::Arc;

use super::entries::Learned;
use super::exchange::{Exchange, OnFailure, OnSuccess, Started};
use super::repair::{fitting, outdoing_leaves};
use super::{
    Broadcasts, Content, Core, Entry, Event, ExchangeError, Message, Now, Purpose, Repair, Request, RequestId,
    ServerUrl, State, Timer,
};
use crate::membership::{Failure, Member, Source, supersedes};
use crate::message::{Envelope, ProbeTicket};

impl Core {
    /// A peer's message, admitted. Returns the answer to it.
    pub fn handle_gossip(&mut self, now: Now, message: &Message) -> Message {
        self.handle_heartbeat(now);
        let sender = message.envelope.as_ref().and_then(|envelope| envelope.sender.clone());
        if sender.as_ref() == Some(self.members.local_url()) {
            self.on_own_message(message, now);
            return Message::new_v2(self.own().clone(), [], Envelope::default());
        }
        self.out.counters.last_inbound = Some((now.wall, sender.clone()));
        let is_repair = message.envelope.as_ref().is_some_and(|it| !it.requested_buckets.is_empty());
        self.take_in(message, sender.as_ref(), Source::Itself, is_repair, now);
        // A message that says that its sender leaves is no sign of life.
        if let Some(sender) = sender.as_ref().filter(|sender| says_online(sender, message)) {
            self.members.on_message(sender, now);
            self.contest_if_offline(sender, now);
            self.note_version(sender, message);
        }
        self.refresh_local(now);
        self.local.on_contact(&mut self.out);
        // A question without a sender may have come by another URL: that of a name in DNS.
        if sender.is_some() || message.envelope.is_none() {
            self.self_probe.on_proof(&mut self.out);
        }
        let Some(envelope) = &message.envelope else {
            return self.legacy.answer(&self.members);
        };
        if let Some(sender) = &sender {
            self.on_words(sender, envelope, now);
        }
        self.answer(sender.as_ref(), message, envelope, now)
    }

    /// Entries of a message that is too long to be handled at once. Its first entries are left for `handle_gossip`.
    pub fn handle_part(&mut self, now: Now, part: &Message) {
        let envelope = part.envelope.as_ref();
        let sender = envelope.and_then(|envelope| envelope.sender.as_ref());
        let is_repair = envelope.is_some_and(|it| !it.requested_buckets.is_empty());
        self.take_in(part, sender, Source::Itself, is_repair, now);
    }

    // What a server of protocol 2 reports and asks for, apart from the lists.
    fn on_words(&mut self, sender: &ServerUrl, envelope: &Envelope, now: Now) {
        self.detector.on_probe_successes(sender, &envelope.probe_successes);
        self.detector.on_probe_failures(sender, &envelope.probe_failures, now);
        if !self.lifecycle.is_working(now) {
            return;
        }
        let probes = self.detector.on_probe_requests(sender, &envelope.probe_requests, &self.members, now);
        self.send_all(probes, now);
        if envelope.suspects_receiver
            && let Some(contact) = self.detector.on_suspected(sender, now)
        {
            self.send(contact, now);
        }
    }

    // Our entry, what we hold of the sender that goes beyond its own entry, and what the repair answers.
    fn answer(&mut self, sender: Option<&ServerUrl>, message: &Message, envelope: &Envelope, now: Now) -> Message {
        let own_entry = message.entries.iter().find(|entry| Some(&entry.url) == sender);
        let held = own_entry.and_then(|own| self.held(&own.url).filter(|held| supersedes(held, own)).cloned());
        let mut others: Vec<_> = held.into_iter().collect();
        let (entries, answer) = self.repair.answer(envelope, &message.entries, &mut self.members, now, &mut self.out);
        others.extend(entries);
        Message::new_v2(self.own().clone(), others, answer)
    }

    fn note_version(&mut self, sender: &ServerUrl, message: &Message) {
        let version = message.envelope.as_ref().and_then(|envelope| envelope.version.as_deref());
        self.members.set_version(sender, version);
    }

    // What we hold of a server, or what is reported of it.
    fn held(&self, url: &ServerUrl) -> Option<&Entry> {
        self.verifier.report(url).or_else(|| self.members.get(url).map(|member| &member.entry))
    }

    // A message or a response at our own base URL: from us, or from another process there. It shows neither that others
    // reach us nor that we reach anybody.
    pub(super) fn on_own_message(&mut self, message: &Message, now: Now) {
        self.take_in(message, None, Source::ThirdParty, false, now);
        self.refresh_local(now);
    }

    /// The outcome of [`super::Action::Gossip`].
    pub fn handle_response(&mut self, now: Now, id: RequestId, response: Result<Message, ExchangeError>) {
        self.check_clocks(now);
        let Some(exchange) = self.exchanges.end(id) else { return };
        match response.and_then(|response| sent_by(&exchange.to, response)) {
            response if exchange.purpose == Purpose::SelfProbe => {
                self.on_self_probe(exchange.started, response, now);
            }
            Ok(response) => self.on_response(&exchange, &response, now),
            // It is up, although it says nothing of its list.
            Err(ExchangeError::Busy) => self.detector.on_alive(&exchange.to),
            // It says nothing of the peer.
            Err(error @ ExchangeError::Local(_)) => {
                if exchange.purpose == Purpose::SuspectRetry {
                    self.detector.on_retry_impossible(&exchange.to);
                }
                self.out.report(Event::ExchangeFailed(exchange.to, error));
            }
            Err(error) => {
                self.discovery.seeds.on_failure(&exchange.to, &error);
                self.members.on_failure(&exchange.to, error.failure(), now);
                self.out.report(Event::ExchangeFailed(exchange.to.clone(), error.clone()));
                self.on_failure(exchange, &error, now);
            }
        }
        self.end_first_contact(id);
        self.finish_leave_if_told();
    }

    fn on_response(&mut self, exchange: &Exchange, response: &Message, now: Now) {
        let Exchange { to, purpose, .. } = exchange;
        self.out.counters.last_outbound = Some((now.wall, to.clone()));
        self.detector.on_response(now);
        self.repair.on_response(now);
        self.discovery.seeds.remove(to);
        self.discovery.bootstrap.on_response();
        let is_repair = matches!(purpose, Purpose::Repair(_));
        let has_learned = self.take_in(response, Some(to), Source::Reached, is_repair, now);
        let own = response.entries.iter().find(|entry| entry.url == *to && entry.state == State::Online);
        if !self.members.is_reached(to) {
            // Only servers that have answered are watched.
            self.out.timers.set_earlier(Timer::Watch, now.mono);
        }
        self.members.on_response(to, own.map(|own| own.stamp), now);
        self.note_version(to, response);
        let is_unreadable = response.envelope.as_ref().is_some_and(|envelope| envelope.sender.is_none());
        if own.is_some() || response.ahead > 0 && is_unreadable {
            self.clock_check.on_answer(to, own.map(|own| own.stamp), now, &mut self.out);
        }
        self.detector.on_alive(to);
        let was_reported = self.verifier.take_report(to).is_some();
        if own.is_some() {
            if was_reported {
                self.members.contest(to, now);
            }
            // What we have been told meanwhile goes beyond its answer, so it does not know of it.
            self.contest_if_offline(to, now);
        }
        self.refresh_local(now);
        match purpose.policy().on_success {
            OnSuccess::Compare if self.lifecycle.is_working(now) => self.compare(to, response, now),
            OnSuccess::Nothing | OnSuccess::Compare => {}
            OnSuccess::Report(asker, token) => self.report_probe(to, true, asker, token, now),
            OnSuccess::EndRepair(pair) => {
                let (leaves, _) = fitting(outdoing_leaves(&response.entries, &self.members));
                if !leaves.is_empty() {
                    let content = Content::Entries(leaves, Box::default());
                    self.send(Request::with(to.clone(), Purpose::Update { ring_tries: 0 }, content), now);
                }
                let envelope = response.envelope.as_ref();
                let next = self.repair.on_end(pair, to, envelope, has_learned, &self.members, &mut self.out);
                self.send_all(next, now);
            }
        }
    }

    // A server is up and listed offline, and what it says of itself is older. It is told, and nothing newer is taken in the
    // place of its answer: the rate of lies must not win.
    pub(super) fn contest_if_offline(&mut self, url: &ServerUrl, now: Now) {
        let is_due = |member: &Member| member.entry.state == State::Offline && !member.is_contested(now);
        if self.members.get(url).is_some_and(is_due) {
            self.members.contest(url, now);
            if self.lifecycle.is_working(now)
                && let Some(contact) = self.verifier.contact(url, now)
            {
                self.send(contact, now);
            }
        }
    }

    // Goes on where the sender of a response lists something else than we do.
    fn compare(&mut self, sender: &ServerUrl, response: &Message, now: Now) {
        let next = match &response.envelope {
            None => self.legacy.on_answer(sender.clone(), &response.entries, &self.members, now),
            Some(envelope) => {
                let seeds = self.discovery.seeds.count();
                let members = &mut self.members;
                let differing = self.repair.on_answer(envelope, seeds, members, &self.exchanges, now, &mut self.out);
                differing.map(|(purpose, content)| Request::with(sender.clone(), purpose, content))
            }
        };
        self.send_all(next, now);
    }

    // Tells the server that asked whether we reach another.
    fn report_probe(&mut self, probed: &ServerUrl, is_reached: bool, asker: &ServerUrl, token: u32, now: Now) {
        let entry = self.members.get(probed).filter(|_| is_reached).map(|member| member.entry.clone());
        let mut envelope = Envelope::default();
        let outcomes = if is_reached { &mut envelope.probe_successes } else { &mut envelope.probe_failures };
        outcomes.push(ProbeTicket { token, url: probed.clone() });
        let content = Content::Entries(entry.into_iter().collect(), envelope.into());
        self.send(Request::with(asker.clone(), Purpose::ProbeReport, content), now);
    }

    fn on_failure(&mut self, exchange: Exchange, error: &ExchangeError, now: Now) {
        if !self.lifecycle.is_working(now) || self.lifecycle.is_outdated(exchange.started.mono) {
            return;
        }
        let policy = exchange.purpose.policy();
        let (is_retried, on_failure) = (policy.is_retried, policy.on_failure);
        // A refused connection is as good as the close of a watch; a lost message says nothing. Where others are asked, or
        // have asked, somebody probes it already.
        let is_hint = matches!(on_failure, OnFailure::Nothing | OnFailure::TellNext(_));
        let is_refused = matches!(error, ExchangeError::Refused(_));
        if is_hint && is_refused {
            self.on_hint(&exchange.to, now);
        }
        if is_retried && !exchange.new_connection && !is_refused {
            return self.exchanges.retry(exchange, &self.members, now, &mut self.out);
        }
        let Exchange { to, purpose, started, message, .. } = exchange;
        match on_failure {
            OnFailure::Nothing => {}
            OnFailure::Suspect => {
                self.on_probe_failed(&to, started, error, now);
                // Invented servers, which have never answered us, do not keep us from probing real ones.
                if let Some(instead) = self.members.reached_after(&to).cloned() {
                    self.probe(instead, now);
                }
            }
            OnFailure::Confirm => self.detector.on_retry_failed(&to, error, now),
            OnFailure::Report => {
                if let Purpose::IndirectProbe { asker, token } = purpose {
                    self.report_probe(&to, false, &asker, token, now);
                }
            }
            OnFailure::BelieveReport => self.on_verification_failed(&to, started, now),
            OnFailure::TellNext(ring_tries) => self.tell_next(&to, ring_tries, message, now),
        }
    }

    fn on_verification_failed(&mut self, url: &ServerUrl, started: Started, now: Now) {
        let is_excused = self.detector.use_excuse(url, started, &self.members);
        if is_excused && self.members.state(url) == Some(State::Online) {
            let due = now.mono + self.detector.interval() / 4;
            self.verifier.postpone(url, due);
        } else if is_excused {
            self.verifier.take_report(url);
        } else {
            self.believe_report(url, now);
        }
    }

    // Lists what is reported of a server that does not answer. Returns whether it is offline by that.
    pub(super) fn believe_report(&mut self, url: &ServerUrl, now: Now) -> bool {
        let Some(report) = self.verifier.take_report(url) else { return false };
        let mut learned = Learned::default();
        self.learn(report, &mut learned, now);
        self.broadcast_all(learned.to_broadcast, now);
        self.members.state(url) == Some(State::Offline)
    }

    // A server did not take updates.
    fn tell_next(&mut self, failed: &ServerUrl, ring_tries: u32, message: Arc<Message>, now: Now) {
        let next = Broadcasts::instead_of(failed, ring_tries, message, &self.members);
        self.send_all(next, now);
    }

    pub(super) fn send_all(&mut self, requests: impl IntoIterator<Item = Request>, now: Now) {
        for request in requests {
            self.send(request, now);
        }
    }

    pub(super) fn send(&mut self, mut request: Request, now: Now) -> RequestId {
        let content = std::mem::replace(&mut request.content, Content::Gossip);
        let message = match content {
            Content::Gossip => {
                let suspects_receiver = request.purpose == Purpose::SuspectRetry;
                Arc::new(self.gossip_message(&request.to, suspects_receiver, now))
            }
            Content::Entries(others, envelope) => Arc::new(Message::new_v2(self.own().clone(), others, *envelope)),
            Content::Message(message) => message,
        };
        self.exchanges.begin(request, message, &self.members, now, &mut self.out)
    }

    // Our entry, our digest, some stamps, and what we hold of the receiver that it may want to correct.
    fn gossip_message(&mut self, to: &ServerUrl, suspects_receiver: bool, now: Now) -> Message {
        let held = self.held(to).filter(|held| held.state == State::Offline);
        let others: Vec<_> = held.cloned().into_iter().collect();
        let words = Repair::digest_and_stamps(&self.members, now, &mut self.out);
        Message::new_v2(self.own().clone(), others, Envelope { suspects_receiver, ..words })
    }
}

// If another process answers at a server's URL, such as a load balancer, that does not show that the server is up.
fn sent_by(to: &ServerUrl, response: Message) -> Result<Message, ExchangeError> {
    match response.envelope.as_ref().and_then(|envelope| envelope.sender.as_ref()) {
        Some(sender) if sender != to => {
            let text = format!("another server answers there, {sender}");
            Err(ExchangeError::Other(Failure::new("SHAZBOT_ANOTHER_SERVER", text)))
        }
        Some(_) | None => Ok(response),
    }
}

fn says_online(server: &ServerUrl, message: &Message) -> bool {
    message.entries.iter().any(|entry| entry.url == *server && entry.state == State::Online)
}
