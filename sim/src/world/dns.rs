//! A name that leads to the addresses of servers, and the question which server is at an address.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use clustershazbot::message::ServerUrl;
use clustershazbot::protocol::{ExchangeError, Place, RequestId};
use rand::RngExt;

use super::event::SimEvent;
use super::network::{Direction, Packet, Passage};
use super::{Health, World};

/// How long a lookup takes, in ms.
const LATENCY: std::ops::RangeInclusive<u64> = 1..=50;
/// The addresses of servers begin here.
const NETWORK: u32 = 0x0a00_0000;

/// What the name leads to.
#[derive(Debug, Default)]
pub struct Dns {
    /// The servers whose addresses are its records.
    pub records: Vec<usize>,
    /// Whether the resolver fails.
    pub fails: bool,
}

impl Dns {
    fn look_up(&self) -> Result<Vec<Place>, String> {
        if self.fails {
            return Err("the resolver fails".into());
        }
        let url = ServerUrl::parse("http://app:3000/")?;
        let address = |server: &usize| IpAddr::from(Ipv4Addr::from(NETWORK + *server as u32));
        Ok(self.records.iter().map(|it| Place { url: url.clone(), address: Some(address(it)) }).collect())
    }
}

fn server_at(place: &Place) -> Option<usize> {
    match place.address? {
        IpAddr::V4(address) => Some((u32::from(address) - NETWORK) as usize),
        IpAddr::V6(_) => None,
    }
}

impl World {
    /// Looks the name up on behalf of a server.
    pub(super) fn look_up(&mut self, server: usize, id: RequestId) {
        let (pid, found) = (self.servers[server].pid, self.dns.look_up());
        let latency = Duration::from_millis(self.rng.random_range(LATENCY));
        self.queue.push(self.now + latency, SimEvent::LookedUp { server, pid, id, found });
    }

    /// Asks on behalf of a server which one is at a place. Who is up there is decided at once.
    pub(super) fn identify(&mut self, server: usize, id: RequestId, place: &Place, timeout: Duration) {
        self.traffic.count_exchange(server, self.now);
        let (pid, to) = (self.servers[server].pid, server_at(place).filter(|it| *it < self.servers.len()));
        let target = to.unwrap_or(server);
        let there = self.network.passage(Packet { from: server, to: target, direction: Direction::Request });
        let back = self.network.passage(Packet { from: target, to: server, direction: Direction::Response });
        let is_silent = matches!(self.servers[target].health, Health::Gone | Health::Hung | Health::Blocked);
        let (latency, answer) = match (there, back) {
            (Passage::After(there), Passage::After(back)) if !is_silent => (there + back, self.answer_at(to)),
            _ => (timeout, Err(ExchangeError::TimedOut)),
        };
        self.queue.push(self.now + latency, SimEvent::Identified { server, pid, id, answer });
    }

    fn answer_at(&self, server: Option<usize>) -> Result<ServerUrl, ExchangeError> {
        let server = server.map(|server| &self.servers[server]).filter(|it| it.is_up() && it.listens);
        server.map(|it| it.url().clone()).ok_or_else(|| ExchangeError::Refused("connection refused".into()))
    }
}
