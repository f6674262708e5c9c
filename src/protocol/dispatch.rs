//! Routes messages: handles gossip and responses, applies the policy of each exchange, sends requests. `entries.rs`
//! merges their entries.

use std::sync::Arc;

use super::entries::Learned;
use super::exchange::{Exchange, OnFailure, OnSuccess, Started};
use super::local::is_of_running_process;
use super::repair::{fitting, winning_leaves};
use super::{
    Broadcasts, Content, Core, Entry, Event, ExchangeError, Message, Now, Purpose, Repair, Request, RequestId,
    ServerUrl, State, Timer,
};
use crate::membership::{Failure, Member, Source, supersedes};
use crate::message::{Envelope, ProbeTicket};

impl Core {
    /// Handles an admitted message of a peer on the program's event loop, and returns the answer.
    pub fn handle_gossip(&mut self, now: Now, message: &Message) -> Message {
        self.handle_heartbeat(now);
        self.handle_gossip_on_thread(now, message)
    }

    /// Handles an admitted message of a peer on another thread, which does not prove that the event loop turns.
    pub fn handle_gossip_on_thread(&mut self, now: Now, message: &Message) -> Message {
        self.check_clocks(now);
        let sender = message.sender().cloned();
        if sender.as_ref() == Some(self.members.local_url()) {
            self.on_own_message(message, now);
            return Message::new_v2(self.own().clone(), [], Envelope::default());
        }
        self.out.counters.last_inbound = Some((now.wall, sender.clone()));
        self.merge_message(message, sender.as_ref(), Source::Itself, message.is_repair(), now);
        // A message in which the sender leaves is no sign that it is up.
        if let Some(sender) = sender.as_ref().filter(|sender| claims_online(sender, message)) {
            if !self.is_of_unlisted_process(sender, message) {
                self.members.on_message(sender, now);
            }
            self.contest_if_offline(sender, now);
            self.note_version(sender, message);
        }
        self.refresh_local(now);
        self.local.on_contact(&mut self.out);
        // An identity question has no sender. It may have come by a DNS name, so it does not prove that our base URL
        // works. Nor does a message at another port: others may still use the base URL of the process that this one has
        // replaced.
        if (sender.is_some() || message.envelope.is_none()) && !message.is_at_other_port {
            self.self_probe.on_proof(&mut self.out);
        }
        let Some(envelope) = &message.envelope else {
            return self.legacy.answer(&self.members);
        };
        if let Some(sender) = &sender {
            self.on_envelope(sender, envelope, now);
        }
        self.answer(sender.as_ref(), message, envelope, now)
    }

    // Handles the requests and reports in a protocol 2 message, all but its entries.
    fn on_envelope(&mut self, sender: &ServerUrl, envelope: &Envelope, now: Now) {
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

    // Builds the answer: our entry, what we list of the sender if that wins over its own entry or is of another process
    // (which answers where the sender claims to be), and the repair's answer.
    fn answer(&mut self, sender: Option<&ServerUrl>, message: &Message, envelope: &Envelope, now: Now) -> Message {
        let own_entry = message.entries.iter().find(|entry| Some(&entry.url) == sender);
        let is_told = |it: &&Entry, own| supersedes(it, own) || is_of_running_process(it, own);
        let listed = own_entry.and_then(|own| self.listed_or_reported(&own.url).filter(|it| is_told(it, own)).cloned());
        let mut others: Vec<_> = listed.into_iter().collect();
        let (entries, answer) = self.repair.answer(envelope, &message.entries, &mut self.members, now, &mut self.out);
        others.extend(entries);
        Message::new_v2(self.own().clone(), others, answer)
    }

    // Whether a message comes from another process than the listed one. It does not show that the listed one is up.
    fn is_of_unlisted_process(&self, sender: &ServerUrl, message: &Message) -> bool {
        let own = message.entries.iter().find(|entry| entry.url == *sender);
        own.zip(self.members.get(sender)).is_some_and(|(own, listed)| own.instance() != listed.entry.instance())
    }

    fn note_version(&mut self, sender: &ServerUrl, message: &Message) {
        let version = message.envelope.as_ref().and_then(|envelope| envelope.version.as_deref());
        self.members.set_version(sender, version);
    }

    // The listed or reported entry of a server.
    fn listed_or_reported(&self, url: &ServerUrl) -> Option<&Entry> {
        self.verifier.report(url).or_else(|| self.members.get(url).map(|member| &member.entry))
    }

    // A message or response at our own base URL, from us or from another process there. It does not prove that others
    // reach us, or that we reach anybody.
    pub(super) fn on_own_message(&mut self, message: &Message, now: Now) {
        self.merge_message(message, None, Source::ThirdParty, false, now);
        self.note_told(message, now);
        self.refresh_local(now);
    }

    // A peer may list another process at our base URL, or one may answer there.
    fn note_told(&mut self, message: &Message, now: Now) {
        let own = self.own().clone();
        if let Some(told) = message.entries.iter().find(|entry| entry.url == own.url) {
            self.local.on_told(&own, told, now, &mut self.out);
        }
    }

    /// The outcome of [`super::Action::Gossip`].
    pub fn handle_response(&mut self, now: Now, id: RequestId, response: Result<Message, ExchangeError>) {
        self.check_clocks(now);
        self.check_pause(now);
        let Some(exchange) = self.exchanges.end(id) else { return };
        match response.and_then(|response| check_sender(&exchange.to, response)) {
            response if exchange.purpose == Purpose::SelfProbe => {
                self.on_self_probe(exchange.started, response, now);
            }
            Ok(response) => self.on_response(&exchange, &response, now),
            // It is up, but sent no entries.
            Err(ExchangeError::Busy) => {
                self.detector.on_alive(&exchange.to);
                if let OnSuccess::Report(asker, token) = exchange.purpose.policy().on_success {
                    self.report_probe(&exchange.to, true, asker, token, now);
                }
            }
            // Says nothing about the peer.
            Err(error @ ExchangeError::Local(_)) => {
                if exchange.purpose == Purpose::SuspectRetry {
                    self.detector.on_retry_impossible(&exchange.to);
                }
                for ticket in exchange.message.envelope.iter().flat_map(|it| &it.probe_requests) {
                    self.detector.on_retry_impossible(&ticket.url);
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
        self.finish_leave_if_delivered();
    }

    fn on_response(&mut self, exchange: &Exchange, response: &Message, now: Now) {
        let Exchange { to, purpose, .. } = exchange;
        self.out.counters.last_outbound = Some((now.wall, to.clone()));
        self.detector.on_response(now, &mut self.out);
        self.repair.on_response(now);
        self.discovery.seeds.remove(to);
        self.discovery.bootstrap.on_response();
        let is_repair = matches!(purpose, Purpose::Repair(_));
        self.merge_message(response, Some(to), Source::Reached, is_repair, now);
        self.note_told(response, now);
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
            // An entry arrived meanwhile that wins over the answer, so the server does not know of it.
            self.contest_if_offline(to, now);
        }
        self.refresh_local(now);
        match purpose.policy().on_success {
            OnSuccess::Compare if self.lifecycle.is_working(now) => self.compare(to, response, now),
            OnSuccess::Nothing | OnSuccess::Compare => {}
            OnSuccess::Report(asker, token) => self.report_probe(to, true, asker, token, now),
            OnSuccess::EndRepair(pair) => {
                let (leaves, _) = fitting(winning_leaves(&response.entries, &self.members));
                if !leaves.is_empty() {
                    let content = Content::Entries(leaves, Box::default());
                    self.send(Request::with(to.clone(), Purpose::Update { ring_tries: 0 }, content), now);
                }
                let envelope = response.envelope.as_ref();
                let next = self.repair.on_end(pair, to, envelope, &self.members, &mut self.out);
                self.send_all(next, now);
            }
        }
    }

    // A server is up, but listed offline by an entry newer than its own. Sends it that entry to refute, and marks it as
    // contested, so that no further lie is accepted before it answers.
    pub(super) fn contest_if_offline(&mut self, url: &ServerUrl, now: Now) {
        let is_due = |member: &Member| member.entry.state == State::Offline && !member.is_contested(now);
        if self.members.get(url).is_some_and(is_due) {
            // Also if the rate limit then refuses the contact: a liar who uses it up must not win.
            self.members.contest(url, now);
            if self.lifecycle.is_working(now)
                && let Some(contact) = self.verifier.contact(url, now)
            {
                self.send(contact, now);
            }
        }
    }

    // Continues with a repair if the sender of a response has a different list.
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

    // Reports the result of an indirect probe to the server that asked for it.
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
        self.list_unreachable(&exchange.to, error, now);
        let policy = exchange.purpose.policy();
        let (is_retried, on_failure) = (policy.is_retried, policy.on_failure);
        // A refused connection is a hint, like a closed watch; a lost message is not. If helpers are involved, the
        // server is being probed already.
        let is_hint = matches!(on_failure, OnFailure::Nothing | OnFailure::SendToNext(_));
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
                // Invented servers, which have never answered us, must not displace real probe targets.
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
            OnFailure::AcceptReport => self.on_verification_failed(&to, started, now),
            OnFailure::SendToNext(ring_tries) => self.send_to_next(&to, ring_tries, message, now),
        }
    }

    fn on_verification_failed(&mut self, url: &ServerUrl, started: Started, now: Now) {
        let Some(known) = self.members.get(url) else {
            self.verifier.take_report(url);
            return;
        };
        let is_offline = known.entry.state == State::Offline;
        if is_offline && known.last_answered().is_some_and(|at| at > started.mono) {
            self.verifier.take_report(url);
        } else if is_offline || !self.detector.use_excuse(url, started, &self.members) {
            // Also if it is offline already: a drained server that leaves has left.
            self.accept_report(url, now);
        } else {
            let due = now.mono + self.detector.interval() / 4;
            self.verifier.postpone(url, due);
        }
    }

    // Lists a reported failure, after the server did not answer. Returns whether the server is offline now.
    pub(super) fn accept_report(&mut self, url: &ServerUrl, now: Now) -> bool {
        let Some(report) = self.verifier.take_report(url) else { return false };
        let mut learned = Learned::default();
        self.learn(report, &mut learned, now);
        self.broadcast_all(learned.to_broadcast, now);
        self.members.state(url) == Some(State::Offline)
    }

    // Sends updates to the next server on the ring, after one did not respond.
    fn send_to_next(&mut self, failed: &ServerUrl, ring_tries: u32, message: Arc<Message>, now: Now) {
        let next = Broadcasts::fallback_for(failed, ring_tries, message, &self.members);
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

    // The usual message: our entry, our digest, some stamps, and the receiver's entry if we list it offline, so that it
    // can refute that.
    fn gossip_message(&mut self, to: &ServerUrl, suspects_receiver: bool, now: Now) -> Message {
        let listed = self.listed_or_reported(to).filter(|listed| listed.state == State::Offline);
        let others: Vec<_> = listed.cloned().into_iter().collect();
        let words = Repair::digest_and_stamps(&self.members, now, &mut self.out);
        Message::new_v2(self.own().clone(), others, Envelope { suspects_receiver, ..words })
    }
}

// If another process answers at the URL, for example behind a load balancer, the server may still be down.
fn check_sender(to: &ServerUrl, response: Message) -> Result<Message, ExchangeError> {
    match response.sender() {
        Some(sender) if sender != to => {
            let text = format!("another server answers there, {sender}");
            Err(ExchangeError::Other(Failure::new("SHAZBOT_ANOTHER_SERVER", text)))
        }
        Some(_) | None => Ok(response),
    }
}

fn claims_online(server: &ServerUrl, message: &Message) -> bool {
    message.entries.iter().any(|entry| entry.url == *server && entry.state == State::Online)
}
