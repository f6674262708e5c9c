//! HTTP exchanges between servers: the request's way there, the backlog of a busy server, and the response's way back.

use std::sync::Arc;
use std::time::Duration;

use clustershazbot::message::{Message, ServerUrl};
use clustershazbot::protocol::{ExchangeError, RequestId};

use super::event::{ExchangeEnd, HttpExchange, SimEvent};
use super::network::{Direction, Packet, Passage};
use super::{Health, Version, World, v1};
use crate::lie;

/// How many connections wait for a process that accepts none: Node's default backlog.
const BACKLOG: usize = 511;

impl World {
    /// Sends a request on behalf of a server.
    pub(super) fn send_request(
        &mut self,
        from: usize,
        id: RequestId,
        to: &ServerUrl,
        message: Arc<Message>,
        timeout: Duration,
    ) {
        let (pid, deadline) = (self.servers[from].pid, self.now + timeout);
        let bytes = self.count_sent(from, &message, Direction::Request);
        self.traffic.count_exchange(from, self.now);
        let found = self.find(to);
        let to = found.unwrap_or(from);
        if self.invariants.is_some() && self.servers[from].version == Version::V2 {
            self.last_request = Some((to, Arc::clone(&message)));
        }
        let exchange = HttpExchange { from, pid, id, to, message, bytes, deadline, timed_out: false };
        match self.network.passage(Packet { from, to, direction: Direction::Request }) {
            // No server has this base URL.
            Passage::After(latency) if found.is_none() => {
                self.end_exchange(self.now + latency, exchange, ExchangeEnd::Refused);
            }
            Passage::After(latency) => self.queue.push(self.now + latency, SimEvent::Request(exchange)),
            Passage::Lost => self.end_exchange(deadline, exchange, ExchangeEnd::TimedOut),
        }
    }

    /// A request arrives at a server's host.
    pub(super) fn deliver_request(&mut self, exchange: HttpExchange) {
        let server = &mut self.servers[exchange.to];
        match server.health {
            Health::Gone => self.end_exchange(exchange.deadline, exchange, ExchangeEnd::TimedOut),
            Health::Down => self.send_response(exchange, ExchangeEnd::Refused),
            Health::Up | Health::Late | Health::Blocked | Health::Hung if !server.listens => {
                self.send_response(exchange, ExchangeEnd::Refused);
            }
            Health::Up | Health::Late => self.answer_request(exchange),
            Health::Blocked | Health::Hung if server.backlog.len() < BACKLOG => {
                let HttpExchange { from, pid, id, to, deadline, .. } = exchange;
                server.backlog.push(exchange);
                self.queue.push(deadline, SimEvent::TimeoutInBacklog { to, from, pid, id });
            }
            Health::Blocked | Health::Hung => {
                self.end_exchange(exchange.deadline, exchange, ExchangeEnd::TimedOut);
            }
        }
    }

    /// The sender of a request stops waiting. The request stays in the backlog: its bytes have arrived already.
    pub(super) fn time_out_in_backlog(&mut self, to: usize, sender: (usize, u32, RequestId)) {
        let is_it = |it: &&mut HttpExchange| (it.from, it.pid, it.id) == sender;
        if let Some(waiting) = self.servers[to].backlog.iter_mut().find(is_it) {
            waiting.timed_out = true;
            let exchange = HttpExchange { message: Arc::default(), ..*waiting };
            self.deliver(SimEvent::Response { exchange, end: ExchangeEnd::TimedOut });
        }
    }

    /// The program handles a request, even if its sender has stopped waiting.
    pub(super) fn answer_request(&mut self, mut exchange: HttpExchange) {
        let to = exchange.to;
        self.traffic.count_received(exchange.bytes, Direction::Request);
        let message = std::mem::take(&mut exchange.message);
        let message = if self.false_witness == Some(to) { lie::testify(self, exchange.from, message) } else { message };
        let Some(answer) = self.call(to, |process, now| process.handle_gossip(now, &message)) else {
            return self.send_response(exchange, ExchangeEnd::Reset);
        };
        if !exchange.timed_out {
            exchange.bytes = self.count_sent(to, &answer, Direction::Response);
            exchange.message = Arc::new(answer);
            self.send_response(exchange, ExchangeEnd::Answered);
        }
    }

    fn send_response(&mut self, exchange: HttpExchange, end: ExchangeEnd) {
        let packet = Packet { from: exchange.to, to: exchange.from, direction: Direction::Response };
        match self.network.passage(packet) {
            Passage::After(latency) if self.now + latency <= exchange.deadline => {
                self.end_exchange(self.now + latency, exchange, end);
            }
            Passage::After(_) | Passage::Lost => {
                self.end_exchange(exchange.deadline.max(self.now), exchange, ExchangeEnd::TimedOut);
            }
        }
    }

    fn end_exchange(&mut self, at: Duration, exchange: HttpExchange, end: ExchangeEnd) {
        self.queue.push(at, SimEvent::Response { exchange, end });
    }

    /// The process that sent a request learns how the exchange ended.
    pub(super) fn deliver_response(&mut self, exchange: HttpExchange, end: ExchangeEnd) {
        // A process that was suspended finds that its timeout has passed before it finds the response.
        let end = if self.now > exchange.deadline { ExchangeEnd::TimedOut } else { end };
        let answer = match end {
            ExchangeEnd::Answered => {
                self.traffic.count_received(exchange.bytes, Direction::Response);
                Ok(Arc::unwrap_or_clone(exchange.message))
            }
            ExchangeEnd::Refused => Err(ExchangeError::Refused("refused".into())),
            ExchangeEnd::Reset => Err(ExchangeError::Other("connection reset".into())),
            ExchangeEnd::TimedOut => Err(ExchangeError::TimedOut),
        };
        self.call(exchange.from, |process, now| process.handle_response(now, exchange.id, answer));
    }

    /// Ends the process of a server. Clients in its backlog see a connection reset, or nothing if the host is gone.
    pub(super) fn stop_process(&mut self, server: usize, health: Health) {
        self.close_watches_of_process(server, health);
        let it = &mut self.servers[server];
        it.process = None;
        it.deferred.clear();
        for exchange in std::mem::take(&mut it.backlog).into_iter().filter(|exchange| !exchange.timed_out) {
            if health == Health::Gone {
                self.end_exchange(exchange.deadline, exchange, ExchangeEnd::TimedOut);
            } else {
                self.send_response(exchange, ExchangeEnd::Reset);
            }
        }
    }

    // Returns the length of the body.
    fn count_sent(&mut self, server: usize, message: &Message, direction: Direction) -> u64 {
        if let Some(trace) = &mut self.trace {
            trace.add_body(&message.to_json());
        }
        let version = self.servers[server].version;
        let bytes = match version {
            Version::V2 => message.to_json().len() as u64,
            Version::V1 => v1::json_length(message),
        };
        self.traffic.count_sent(server, bytes, direction, self.now);
        if let (Version::V2, Some(invariants)) = (version, &mut self.invariants) {
            invariants.on_sent(server, bytes, direction, self.now);
            if let Some(own) = message.entries.iter().find(|entry| entry.url == *self.servers[server].url()) {
                invariants.on_own_entry(server, own);
            }
        }
        bytes
    }
}
