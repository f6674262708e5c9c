//! What lies between two servers: a latency, and faults that compose.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// How long a message takes, ms.
const LATENCY: std::ops::RangeInclusive<u64> = 1..=50;

/// Which half of an exchange is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From who asks to who answers.
    Request,
    /// Back.
    Answer,
}

/// What is on its way from one server to another.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// The sender of this half.
    pub from: usize,
    /// Its receiver.
    pub to: usize,
    /// Which half.
    pub direction: Direction,
}

/// What a rule says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Pass,
    /// It takes so much longer.
    Delay(Duration),
    /// It is lost.
    Drop,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It arrives after this time.
    After(Duration),
    /// It does not arrive, and nobody is told.
    Lost,
}

/// A fault.
pub type Rule = Box<dyn Fn(Packet, &mut SmallRng) -> Verdict>;

/// A network.
pub struct Network {
    rules: Vec<(u32, Rule)>,
    added: u32,
    rng: SmallRng,
}

impl Network {
    /// A network without faults: 1 to 50 ms from anywhere to anywhere.
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), added: 0, rng: SmallRng::seed_from_u64(seed) }
    }

    /// Adds a fault to those that there are; returns its number.
    pub fn add(&mut self, rule: Rule) -> u32 {
        self.added += 1;
        self.rules.push((self.added, rule));
        self.added
    }

    /// Takes a fault away.
    pub fn remove(&mut self, number: u32) {
        self.rules.retain(|(it, _)| *it != number);
    }

    /// Takes all faults away.
    pub fn heal(&mut self) {
        self.rules.clear();
    }

    /// What becomes of a packet that is sent now.
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

/// Nothing gets from one side to the other.
pub fn partition(side: impl Fn(usize) -> bool + 'static) -> Rule {
    Box::new(move |packet, _| if side(packet.from) == side(packet.to) { Verdict::Pass } else { Verdict::Drop })
}

/// Nothing gets from `from` to `to`, be it a request or an answer; all gets back.
pub fn one_way(from: usize, to: usize) -> Rule {
    Box::new(move |packet, _| if (packet.from, packet.to) == (from, to) { Verdict::Drop } else { Verdict::Pass })
}

/// Nobody's request gets to this server; its own are answered.
pub fn deaf(server: usize) -> Rule {
    let is_lost = move |packet: Packet| packet.direction == Direction::Request && packet.to == server;
    Box::new(move |packet, _| if is_lost(packet) { Verdict::Drop } else { Verdict::Pass })
}

/// An exchange is lost with this probability: as often its request as its answer.
pub fn loss(probability: f64) -> Rule {
    let request = probability / 2.0;
    let answer = request / (1.0 - request);
    Box::new(move |packet, rng| {
        let probability = if packet.direction == Direction::Request { request } else { answer };
        if rng.random_bool(probability) { Verdict::Drop } else { Verdict::Pass }
    })
}

/// Everything that one server sends or gets takes up to so much longer.
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

    fn lost(network: &mut Network, from: usize, to: usize, direction: Direction) -> bool {
        network.passage(Packet { from, to, direction }) == Passage::Lost
    }

    #[test]
    fn an_exchange_is_lost_as_often_as_was_said_and_half_of_it_on_the_way_back() {
        let mut network = Network::new(1);
        network.add(loss(0.2));
        let (mut requests, mut answers) = (0, 0);
        for _ in 0..100_000 {
            if lost(&mut network, 0, 1, Direction::Request) {
                requests += 1;
            } else if lost(&mut network, 1, 0, Direction::Answer) {
                answers += 1;
            }
        }
        assert!((9_500..10_500).contains(&requests), "{requests}");
        assert!((9_500..10_500).contains(&answers), "{answers}");
    }

    #[test]
    fn faults_add_up_and_each_can_be_taken_away() {
        let mut network = Network::new(1);
        let cut = network.add(partition(|server| server < 2));
        network.add(one_way(0, 1));
        assert!(lost(&mut network, 1, 2, Direction::Request));
        assert!(lost(&mut network, 0, 1, Direction::Answer));
        assert!(!lost(&mut network, 1, 0, Direction::Request));
        network.remove(cut);
        assert!(!lost(&mut network, 1, 2, Direction::Request));
        assert!(lost(&mut network, 0, 1, Direction::Request));
    }
}
