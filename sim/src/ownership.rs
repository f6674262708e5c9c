//! How often a job that the owner of a key runs is missed or run twice, while servers come, go and lose each other.

use std::fmt::Write as _;
use std::time::Duration;

use clustershazbot::message::State;
use clustershazbot::ownership::owners;
use rand::RngExt;

use crate::cluster::settle;
use crate::output::print_line;
use crate::world::network::{RuleId, partition};
use crate::world::{Health, Server, Version, World, settings};

const INTERVAL: Duration = Duration::from_secs(30);
/// Servers that run from the start, and the majority of them.
const SERVERS: usize = 5;
const MAJORITY: usize = SERVERS / 2 + 1;
/// A job runs once a minute, and something happens at a random moment of every tenth minute.
const TICK: Duration = Duration::from_secs(60);
const TICKS_PER_FAULT: u64 = 10;
/// For how many intervals after a change the owner is not settled: as in lib/owner.js.
const SETTLING: Duration = Duration::from_secs(60);
/// After how long a new process that has found nobody joins alone.
const ALONE: Duration = Duration::from_secs(5);
/// Which servers a partition cuts off.
const MINORITY: usize = SERVERS - MAJORITY;

const FAULTS: [(&str, Fault); 7] = [
    ("nothing", Fault::None),
    ("join: a sixth server starts, and leaves after 4 min", Fault::Join),
    ("kill: a process is killed, and starts again after 30 s", Fault::Kill),
    ("host gone: its packets are lost for 2 min", Fault::Gone),
    ("drain: a server is drained for 2 min", Fault::Drain),
    ("rolling restart: all five leave in turn, and start again after 5 s", Fault::Rolling),
    ("partition: two of the five are cut off for 2 min", Fault::Partition),
];

/// Which servers run the job: the owner; only while it is settled; only with a majority online; both.
const RULES: [(&str, bool, usize); 4] =
    [("owner", false, 0), ("settled", true, 0), ("minOnline: 3", false, MAJORITY), ("both", true, MAJORITY)];

#[derive(Clone, Copy)]
enum Fault {
    None,
    Join,
    Kill,
    Gone,
    Drain,
    Rolling,
    Partition,
}

#[derive(Clone, Copy)]
enum Step {
    Start(usize),
    Leave(usize),
    Health(usize, Health),
    Control(usize, bool),
    Cut,
    Heal,
}

struct Run {
    world: World,
    steps: Vec<(Duration, Step)>,
    cut: Option<RuleId>,
    // When each server last saw a change, by index.
    changed: Vec<Duration>,
    started: Vec<Duration>,
    read: usize,
}

/// Prints how many of so many jobs are missed and run more than once, for each fault and rule.
pub fn run(ticks: u64) {
    let head: Vec<_> = RULES.iter().map(|(name, ..)| *name).collect();
    let mut text = format!("| missed / more than once, of {ticks} | {} |\n|---|---|---|---|---|\n", head.join(" | "));
    for (seed, (name, fault)) in FAULTS.iter().enumerate() {
        let counts = Run::new(seed as u64).count(*fault, ticks);
        let cells: Vec<_> = counts.iter().map(|(missed, twice)| format!("{missed} / {twice}")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    print_line(text.trim_end());
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        for server in 0..=SERVERS {
            if let Some(settings) = settings(server, INTERVAL) {
                world.add(settings, Version::V2, 0);
            }
        }
        let initial: Vec<_> = (0..SERVERS).collect();
        settle(&mut world, &initial, INTERVAL);
        world.store.admit(SERVERS);
        world.record_list_changes();
        let now = world.now();
        let times = vec![now; SERVERS + 1];
        Self { world, steps: Vec::new(), cut: None, changed: times.clone(), started: times, read: 0 }
    }

    fn count(mut self, fault: Fault, ticks: u64) -> [(u64, u64); RULES.len()] {
        let mut counts = [(0, 0); RULES.len()];
        let began = self.world.now() + TICK;
        for tick in 0..ticks {
            let at = began + TICK * tick as u32;
            if tick % TICKS_PER_FAULT == 0 {
                self.plan(fault, at);
            }
            self.advance(at);
            let key = format!("nightly:{tick}");
            for (counts, (_, settled, min_online)) in counts.iter_mut().zip(RULES) {
                let runs = (0..=SERVERS).filter(|server| self.runs(*server, &key, settled, min_online)).count();
                counts.0 += u64::from(runs == 0);
                counts.1 += u64::from(runs > 1);
            }
        }
        counts
    }

    fn plan(&mut self, fault: Fault, from: Duration) {
        let at = from + Duration::from_secs_f64(self.world.rng.random_range(0.0..60.0));
        let server = self.world.rng.random_range(0..SERVERS);
        let seconds = Duration::from_secs;
        let steps = match fault {
            Fault::None => vec![],
            Fault::Join => vec![(at, Step::Start(SERVERS)), (at + seconds(240), Step::Leave(SERVERS))],
            Fault::Kill => vec![(at, Step::Health(server, Health::Down)), (at + seconds(30), Step::Start(server))],
            Fault::Gone => vec![(at, Step::Health(server, Health::Gone)), (at + seconds(120), Step::Start(server))],
            Fault::Drain => vec![(at, Step::Control(server, false)), (at + seconds(120), Step::Control(server, true))],
            Fault::Rolling => (0..SERVERS)
                .flat_map(|server| {
                    let at = at + seconds(20) * server as u32;
                    [(at, Step::Leave(server)), (at + seconds(5), Step::Start(server))]
                })
                .collect(),
            Fault::Partition => vec![(at, Step::Cut), (at + seconds(120), Step::Heal)],
        };
        self.steps.extend(steps);
        self.steps.sort_by_key(|(at, _)| *at);
    }

    // Carries out the steps until a moment.
    fn advance(&mut self, until: Duration) {
        while let Some((at, step)) = self.steps.first().copied().filter(|(at, _)| *at <= until) {
            self.steps.remove(0);
            self.world.run_until(at);
            match step {
                Step::Start(server) => {
                    self.world.start(server);
                    (self.started[server], self.changed[server]) = (at, at);
                }
                Step::Leave(server) => self.world.leave(server),
                Step::Health(server, health) => self.world.set_health(server, health),
                Step::Control(server, online) => self.world.control(server, online),
                Step::Cut => self.cut = Some(self.world.network.add(partition(|server| server < MINORITY))),
                Step::Heal => self.cut.take().into_iter().for_each(|rule| self.world.network.remove(rule)),
            }
        }
        self.world.run_until(until);
        for change in &self.world.list_changes()[self.read..] {
            self.changed[change.observer] = self.changed[change.observer].max(change.at);
        }
        self.read = self.world.list_changes().len();
    }

    // Whether a server runs the job: lib/one-server.js and lib/owner.js.
    fn runs(&self, index: usize, key: &str, settled: bool, min_online: usize) -> bool {
        let server: &Server = self.world.server(index);
        let Some(core) = server.core().filter(|_| server.is_up()) else { return false };
        let online: Vec<_> = core.members().entries().filter(|entry| entry.state == State::Online).collect();
        let now = self.world.now();
        let has_joined = online.len() > 1 || now > self.started[index] + ALONE;
        let is_settled = now > self.changed[index] + SETTLING && core.suspects().next().is_none();
        if !has_joined || (settled && !is_settled) || online.len() < min_online {
            return false;
        }
        let ready: Vec<_> = online.into_iter().filter(|entry| entry.is_ready()).collect();
        let hashes: Vec<_> = ready.iter().map(|entry| entry.url.key()).collect();
        owners(key, &hashes, 1).first().is_some_and(|place| ready[*place].url == *server.url())
    }
}
