//! The network between the servers: a random latency, and faults that combine.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// How long a packet takes, in ms.
const LATENCY: std::ops::RangeInclusive<u64> = 1..=50;

/// Which half of an exchange is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server back to the client.
    Response,
}

/// One half of an exchange, on its way from one server to another.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// The sender of this half.
    pub from: usize,
    /// The receiver of this half.
    pub to: usize,
    /// Which half it is.
    pub direction: Direction,
}

/// What a fault does to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Pass,
    /// Delays it by this much, in addition to the latency.
    Delay(Duration),
    /// Drops it.
    Drop,
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It arrives after this time.
    After(Duration),
    /// It does not arrive, and the sender is not notified.
    Lost,
}

/// A fault of the network.
pub type Rule = Box<dyn Fn(Packet, &mut SmallRng) -> Verdict>;

/// Identifies a rule, so that it can be removed.
pub type RuleId = u32;

/// A network with the faults that are active.
pub struct Network {
    rules: Vec<(RuleId, Rule)>,
    last_id: RuleId,
    rng: SmallRng,
}

impl Network {
    /// A network without faults: each packet takes 1 to 50 ms.
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), last_id: 0, rng: SmallRng::seed_from_u64(seed) }
    }

    /// Adds a fault to those that are active.
    pub fn add(&mut self, rule: Rule) -> RuleId {
        self.last_id += 1;
        self.rules.push((self.last_id, rule));
        self.last_id
    }

    /// Removes one fault.
    pub fn remove(&mut self, id: RuleId) {
        self.rules.retain(|(it, _)| *it != id);
    }

    /// Removes all faults.
    pub fn heal(&mut self) {
        self.rules.clear();
    }

    /// Decides what happens to a packet that is sent now.
    pub fn passage(&mut self, packet: Packet) -> Passage {
        let mut latency = Duration::from_millis(self.rng.random_range(LATENCY));
        for (_, rule) in &self.rules {
            match rule(packet, &mut self.rng) {
                Verdict::Pass => {}
                Verdict::Delay(more) => latency += more,
                Verdict::Drop => return Passage::Lost,
            }
        }
        Passage::After(latency)
    }
}

/// Drops all packets between two groups of servers.
pub fn partition(side: impl Fn(usize) -> bool + 'static) -> Rule {
    Box::new(move |packet, _| if side(packet.from) == side(packet.to) { Verdict::Pass } else { Verdict::Drop })
}

/// Drops all packets from one server to another, requests and responses. The other direction works.
pub fn one_way(from: usize, to: usize) -> Rule {
    Box::new(move |packet, _| if (packet.from, packet.to) == (from, to) { Verdict::Drop } else { Verdict::Pass })
}

/// Drops all requests to a server. Its own requests are answered.
pub fn no_inbound(server: usize) -> Rule {
    let is_lost = move |packet: Packet| packet.direction == Direction::Request && packet.to == server;
    Box::new(move |packet, _| if is_lost(packet) { Verdict::Drop } else { Verdict::Pass })
}

/// Loses exchanges with this probability, half of them on the way there and half on the way back.
pub fn loss(probability: f64) -> Rule {
    let request = probability / 2.0;
    let response = request / (1.0 - request);
    Box::new(move |packet, rng| {
        let probability = if packet.direction == Direction::Request { request } else { response };
        if rng.random_bool(probability) { Verdict::Drop } else { Verdict::Pass }
    })
}

/// Delays each packet that a server sends or receives by a random time up to `most`.
pub fn slow(server: usize, most: Duration) -> Rule {
    Box::new(move |packet, rng| {
        if packet.from == server || packet.to == server {
            Verdict::Delay(most.mul_f64(rng.random_range(0.0..1.0)))
        } else {
            Verdict::Pass
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_lost(network: &mut Network, from: usize, to: usize, direction: Direction) -> bool {
        network.passage(Packet { from, to, direction }) == Passage::Lost
    }

    #[test]
    fn loss_drops_as_many_requests_as_responses_and_the_given_share_in_total() {
        let mut network = Network::new(1);
        network.add(loss(0.2));
        let (mut requests, mut responses) = (0, 0);
        for _ in 0..100_000 {
            if is_lost(&mut network, 0, 1, Direction::Request) {
                requests += 1;
            } else if is_lost(&mut network, 1, 0, Direction::Response) {
                responses += 1;
            }
        }
        assert!((9_500..10_500).contains(&requests), "{requests}");
        assert!((9_500..10_500).contains(&responses), "{responses}");
    }

    #[test]
    fn faults_combine_and_each_can_be_removed() {
        let mut network = Network::new(1);
        let cut = network.add(partition(|server| server < 2));
        network.add(one_way(0, 1));
        assert!(is_lost(&mut network, 1, 2, Direction::Request));
        assert!(is_lost(&mut network, 0, 1, Direction::Response));
        assert!(!is_lost(&mut network, 1, 0, Direction::Request));
        network.remove(cut);
        assert!(!is_lost(&mut network, 1, 2, Direction::Request));
        assert!(is_lost(&mut network, 0, 1, Direction::Request));
    }
}
