//! Handles messages and responses, merges their entries, and sends requests.

use std::sync::Arc;

use rand::RngExt;

use super::exchange::{Exchange, OnFailure, OnSuccess};
use super::legacy::is_others_statement;
use super::{
    Broadcasts, Change, Content, Core, Entry, Event, ExchangeError, MemberEvent, MemberEventKind, Message, Now,
    Purpose, Repair, Request, RequestId, ServerUrl, State,
};
use crate::membership::{Circumstances, Decision, Source, decide, effective_incarnation, supersedes};
use crate::message::{Envelope, ProbeTicket};

/// Updates of so many servers are broadcast even where a repair brings them: it may have overtaken the broadcast, which the
/// next on the ring waits for.
const FEW: usize = 32;
/// About how many of the servers that are told of a leave or a drain contact the server because of it.
const TELLERS: f64 = 3.0;

/// What the entries of a message have changed.
#[derive(Default)]
struct Learned {
    is_anything_new: bool,
    // More servers were named than are remembered.
    is_full: bool,
    to_broadcast: Vec<ServerUrl>,
}

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
        if let Some(sender) = &sender {
            self.members.on_message(sender, now);
        }
        self.refresh_local(now);
        self.local.on_contact();
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
        let (entries, answer) = self.repair.answer(envelope, &mut self.members, now, &mut self.out);
        others.extend(entries);
        Message::new_v2(self.own().clone(), others, answer)
    }

    // What we hold of a server, or what is reported of it.
    fn held(&self, url: &ServerUrl) -> Option<&Entry> {
        self.verifier.report(url).or_else(|| self.members.get(url).map(|member| &member.entry))
    }

    // A message or a response at our own base URL: from us, or from another process there. It shows neither that others
    // reach us nor that we reach anybody.
    fn on_own_message(&mut self, message: &Message, now: Now) {
        self.take_in(message, None, Source::ThirdParty, false, now);
        self.refresh_local(now);
    }

    /// The outcome of [`super::Action::Gossip`].
    pub fn handle_response(&mut self, now: Now, id: RequestId, response: Result<Message, ExchangeError>) {
        self.check_clocks(now);
        let Some(exchange) = self.exchanges.end(id) else { return };
        match response.and_then(|response| sent_by(&exchange.to, response)) {
            response if exchange.purpose == Purpose::SelfProbe => {
                self.on_own_message(&response.unwrap_or_default(), now);
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
                self.discovery.on_failure(&exchange.to);
                self.members.on_failure(&exchange.to);
                self.out.report(Event::ExchangeFailed(exchange.to.clone(), error.clone()));
                self.on_failure(exchange, &error, now);
            }
        }
        self.discovery.on_exchange_end(id, &mut self.out);
        self.finish_leave_if_told();
    }

    fn on_response(&mut self, exchange: &Exchange, response: &Message, now: Now) {
        let Exchange { to, purpose, .. } = exchange;
        self.out.counters.last_outbound = Some((now.wall, to.clone()));
        self.detector.on_response(now);
        self.repair.on_response(now);
        self.discovery.on_response(to);
        let is_repair = matches!(purpose, Purpose::Repair(_));
        let has_learned = self.take_in(response, Some(to), Source::Reached, is_repair, now);
        let own = response.entries.iter().find(|entry| entry.url == *to && entry.state == State::Online);
        self.members.on_response(to, own.map(|own| own.stamp), now);
        let is_unreadable = response.envelope.as_ref().is_some_and(|envelope| envelope.sender.is_none());
        if own.is_some() || response.ahead > 0 && is_unreadable {
            self.clock_check.on_answer(to, own.map(|own| own.stamp), now, &mut self.out);
        }
        self.detector.on_alive(to);
        if self.verifier.take_report(to).is_some() && own.is_some() {
            self.members.contest(to, now);
        }
        self.refresh_local(now);
        match purpose.policy().on_success {
            OnSuccess::Compare if self.lifecycle.is_working(now) => self.compare(to, response, now),
            OnSuccess::Nothing | OnSuccess::Compare => {}
            OnSuccess::Report(asker, token) => self.report_reached(to, asker, token, now),
            OnSuccess::EndRepair(pair) => {
                let envelope = response.envelope.as_ref();
                let next = self.repair.on_end(pair, to, envelope, has_learned, &self.members, &mut self.out);
                self.send_all(next, now);
            }
        }
    }

    // Goes on where the sender of a response lists something else than we do.
    fn compare(&mut self, sender: &ServerUrl, response: &Message, now: Now) {
        let next = match &response.envelope {
            None => self.legacy.on_answer(sender.clone(), &response.entries, &self.members, now),
            Some(envelope) => {
                let seeds = self.discovery.seed_count();
                let members = &mut self.members;
                let differing = self.repair.on_answer(envelope, seeds, members, &self.exchanges, now, &mut self.out);
                differing.map(|(purpose, content)| Request::with(sender.clone(), purpose, content))
            }
        };
        self.send_all(next, now);
    }

    // Tells the server that asked that we reach another.
    fn report_reached(&mut self, reached: &ServerUrl, asker: &ServerUrl, token: u32, now: Now) {
        let entry = self.members.get(reached).map(|member| member.entry.clone());
        let envelope =
            Envelope { probe_successes: vec![ProbeTicket { token, url: reached.clone() }], ..Envelope::default() };
        let content = Content::Entries(entry.into_iter().collect(), envelope.into());
        self.send(Request::with(asker.clone(), Purpose::ProbeReport, content), now);
    }

    fn on_failure(&mut self, exchange: Exchange, error: &ExchangeError, now: Now) {
        if !self.lifecycle.is_working(now) || self.lifecycle.is_outdated(exchange.started.mono) {
            return;
        }
        let policy = exchange.purpose.policy();
        let (is_retried, on_failure) = (policy.is_retried, policy.on_failure);
        if is_retried && !exchange.new_connection {
            return self.exchanges.retry(exchange, &self.members, now, &mut self.out);
        }
        let Exchange { to, started, message, .. } = exchange;
        match on_failure {
            OnFailure::Nothing => {}
            OnFailure::Suspect => {
                if self.detector.on_probe_failed(&to, started, error, &self.members, now, &mut self.out) {
                    self.out.counters.suspicions += 1;
                    self.report_member(&to, MemberEventKind::Suspect, now);
                    self.retry_suspect(&to, now);
                }
                // Invented servers, which have never answered us, do not keep us from probing real ones.
                if let Some(instead) = self.members.reached_after(&to).cloned() {
                    self.probe(instead, now);
                }
            }
            OnFailure::Confirm => self.detector.on_retry_failed(&to, error),
            OnFailure::BelieveReport => {
                if let Some(report) = self.verifier.take_report(&to)
                    && !self.detector.use_excuse(&to, started, &self.members)
                {
                    let mut learned = Learned::default();
                    self.learn(report, &mut learned, now);
                    self.broadcast_all(learned.to_broadcast, now);
                }
            }
            OnFailure::TellNext(ring_tries) => self.tell_next(to, ring_tries, message, error, now),
        }
    }

    // A server did not take updates. A refused connection is as good as a failed probe; a lost message says nothing.
    fn tell_next(
        &mut self,
        failed: ServerUrl,
        ring_tries: u32,
        message: Arc<Message>,
        error: &ExchangeError,
        now: Now,
    ) {
        let has_answered = self.members.reached_after(&failed).is_none();
        let next = Broadcasts::instead_of(&failed, ring_tries, message, &self.members);
        self.send_all(next, now);
        if has_answered && matches!(error, ExchangeError::Refused(_)) {
            self.probe(failed, now);
        }
    }

    // Takes in what a message says of servers. Returns whether any of it was news. Much that a repair brings is not
    // broadcast: servers that lack it find so by their digests.
    fn take_in(
        &mut self,
        message: &Message,
        sender: Option<&ServerUrl>,
        source: Source,
        is_repair: bool,
        now: Now,
    ) -> bool {
        self.out.report_skipped(&message.skipped);
        let others = if message.is_v2() { Source::ThirdParty } else { Source::Version1 };
        let mut learned = Learned::default();
        for entry in &message.entries {
            let is_sender = sender == Some(&entry.url);
            if is_sender && !message.is_v2() && is_others_statement(entry, message) {
                continue;
            }
            self.take_in_entry(entry, if is_sender { source } else { others }, &mut learned, now);
        }
        if !is_repair || learned.to_broadcast.len() <= FEW {
            self.broadcast_all(learned.to_broadcast, now);
        }
        if learned.is_full {
            self.out.report(Event::Full);
        }
        self.verify_reports(now);
        learned.is_anything_new
    }

    fn take_in_entry(&mut self, entry: &Entry, source: Source, learned: &mut Learned, now: Now) {
        if entry.url == *self.members.local_url() {
            if let Some(own) = self.members.local() {
                self.local.on_entry(own, entry);
            }
            return;
        }
        if self.members.refresh_if_same(entry, now) {
            return;
        }
        let at = Circumstances {
            now,
            interval: self.detector.interval(),
            is_suspected: self.detector.is_suspect(&entry.url),
        };
        match decide(self.members.get(&entry.url), entry, source, at) {
            Decision::Ignore => {}
            Decision::Take | Decision::TakeAndTell if !self.make_room(entry, source, learned) => {
                // There is room for servers that answer.
                if source == Source::Itself {
                    self.call_back(entry, now);
                }
            }
            Decision::Take => self.learn(entry.clone(), learned, now),
            Decision::TakeAndTell => {
                self.learn(entry.clone(), learned, now);
                self.tell_subject(&entry.url, now);
            }
            Decision::TakeRaised => {
                let known = self.members.get(&entry.url).map_or(0, |known| effective_incarnation(&known.entry));
                self.learn(Entry { stamp: known + 1, ..entry.clone() }, learned, now);
            }
            Decision::CallBack => self.call_back(entry, now),
            Decision::Verify => self.verifier.on_report(entry),
        }
    }

    // A server said that it goes offline. It tells up to twenty others and the monitors; a few of them make sure that it was
    // not somebody else who said it: a server that is up refutes that at once.
    fn tell_subject(&mut self, url: &ServerUrl, now: Now) {
        let told = self.members.announcement_size() as f64;
        if self.out.rng.random_bool((TELLERS / told).min(1.0))
            && self.lifecycle.is_working(now)
            && let Some(contact) = self.verifier.contact(url, now)
        {
            self.send(contact, now);
        }
    }

    // Makes sure that a server which is not known can be listed. Returns whether it can.
    fn make_room(&mut self, entry: &Entry, source: Source, learned: &mut Learned) -> bool {
        let is_reached = source == Source::Reached;
        if self.members.get(&entry.url).is_some() || self.members.has_room_for(&entry.url, is_reached) {
            return true;
        }
        learned.is_full = true;
        if entry.state == State::Online {
            self.members.evict_stranger();
        }
        self.members.has_room_for(&entry.url, is_reached)
    }

    // Contacts a server that says it is up before it is listed. Until it answers it is a seed.
    fn call_back(&mut self, entry: &Entry, now: Now) {
        if !self.lifecycle.is_running() {
            return;
        }
        self.discovery.add_candidate(entry, now);
        if !self.exchanges.is_contacting(&entry.url)
            && self.lifecycle.is_awake(now)
            && let Some(contact) = self.verifier.contact(&entry.url, now)
        {
            self.send(contact, now);
        }
        self.schedule_seed_contacts(now);
    }

    // Lists an entry. It is broadcast, unless it only says again that a server is offline for the same reason, or renews an
    // entry more often than once an interval.
    fn learn(&mut self, entry: Entry, learned: &mut Learned, now: Now) {
        let (url, is_online) = (entry.url.clone(), entry.state == State::Online);
        let reason = |core: &Self| core.members.get(&url)?.entry.v2.as_ref()?.reason;
        let before = reason(self);
        let change = self.members.merge(entry, now);
        let is_same_again = change == Change::Renewed && !is_online && reason(self) == before;
        if !self.on_change(&url, change, now) {
            return;
        }
        learned.is_anything_new = true;
        if !is_same_again && (change != Change::Renewed || self.broadcasts.may_renew(&url, now)) {
            learned.to_broadcast.push(url);
        }
    }

    // An entry has changed. Returns whether that is news.
    pub(super) fn on_change(&mut self, url: &ServerUrl, change: Change, now: Now) -> bool {
        if !change.is_news() {
            return false;
        }
        self.legacy.on_change(url);
        match change {
            Change::None | Change::Refreshed | Change::Renewed => {}
            Change::Online => {
                self.detector.on_online(url);
                self.report_member(url, MemberEventKind::Online, now);
            }
            Change::Offline => self.report_member(url, MemberEventKind::Offline, now),
        }
        if self.members.state(url) == Some(State::Online) {
            self.discovery.remove_seed(url);
        }
        true
    }

    fn report_member(&mut self, url: &ServerUrl, kind: MemberEventKind, now: Now) {
        let Some(member) = self.members.get(url) else { return };
        let entry = member.entry.clone();
        // Nothing is known of the clock of a new server but this stamp.
        let is_new = member.first_seen().as_millis() == now.mono.as_millis();
        let clock = if is_new { now.wall } else { member.estimated_clock(now) };
        let known_after = clock.saturating_sub(entry.stamp);
        self.out.report(Event::Member(MemberEvent { kind, entry, at: now.wall, known_after }));
    }

    pub(super) fn broadcast(&mut self, url: ServerUrl, now: Now) {
        if self.lifecycle.is_running() {
            self.broadcasts.add(url, &self.members, now, &mut self.out);
        }
    }

    fn broadcast_all(&mut self, urls: Vec<ServerUrl>, now: Now) {
        for url in urls {
            self.broadcast(url, now);
        }
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
        Some(sender) if sender != to => Err(ExchangeError::Other(format!("another server answers there, {sender}"))),
        Some(_) | None => Ok(response),
    }
}
