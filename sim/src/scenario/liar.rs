//! The scenario liar: a peer that holds the secret lies. Measures which lies servers accept, for how long, and at what
//! cost. Each seed is another form of the lie.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use clustershazbot::message::{Entry, EntryV2, Extensions, ServerUrl, State};
use rand::RngExt;

use super::experiment::{Experiment, Outcome};
use crate::lie::Lie;
use crate::world::{Health, Process, Version, World};

/// For how many intervals it lies.
const INTERVALS: u32 = 10;
/// How many servers it invents in a message, and in one of the messages.
const INVENTED: u32 = 50;
const INVENTED_ONCE: u32 = 1_000;
/// How many forms there are.
pub const FORMS: u64 = (Lie::KINDS * Pace::ALL.len() * 4) as u64;

/// How often the liar lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Twice an interval, at random times. Then it also invents servers, if it lies to one server.
    TwiceAnInterval,
    /// Every 5 s.
    Slow,
    /// Every 100 ms.
    Fast,
    /// A hundred times a second, which is the limit for one sender.
    Limit,
}

impl Pace {
    const ALL: [Self; 4] = [Self::TwiceAnInterval, Self::Slow, Self::Fast, Self::Limit];

    fn wait(self, world: &mut World, interval: Duration) -> Duration {
        match self {
            Self::TwiceAnInterval => interval.mul_f64(world.rng.random_range(0.0..1.0)),
            Self::Slow => Duration::from_secs(5),
            Self::Fast => Duration::from_millis(100),
            Self::Limit => Duration::from_millis(10),
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::TwiceAnInterval => "twice an interval",
            Self::Slow => "every 5 s",
            Self::Fast => "every 100 ms",
            Self::Limit => "every 10 ms",
        }
    }
}

/// A form of lying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    lie: Lie,
    pace: Pace,
    is_about_all: bool,
    is_told_to_all: bool,
}

impl Form {
    /// The form of a run. A few seeds in a row give forms that differ in everything.
    pub fn of(seed: u64) -> Self {
        let number = (seed * 389 % FORMS) as usize;
        let rest = number / Lie::KINDS;
        Self {
            lie: Lie::nth(number),
            pace: Pace::ALL[rest % 4],
            is_about_all: rest / 4 % 2 == 1,
            is_told_to_all: rest / 8 % 2 == 1,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.is_about_all { "all others" } else { "one server" };
        let to = if self.is_told_to_all { "all others" } else { "one server" };
        write!(f, "{}, about {about}, to {to}, {}", self.lie.describe(), self.pace.describe())
    }
}

/// The servers that take part.
struct Roles {
    liar: usize,
    victims: Vec<usize>,
    receivers: Vec<usize>,
}

impl Roles {
    fn new(experiment: &mut Experiment, form: Form) -> Self {
        let liar = experiment.target;
        let victim = experiment.pick_except(&[liar]);
        let receiver = experiment.pick_except(&[liar, victim]);
        let others = |except: &[usize]| {
            let others = experiment.initial.iter().filter(|server| !except.contains(server));
            others.copied().collect::<Vec<_>>()
        };
        let victims = if form.is_about_all { others(&[liar]) } else { vec![victim] };
        let receivers = if form.is_told_to_all { others(&[liar]) } else { vec![receiver] };
        Self { liar, victims, receivers }
    }
}

pub fn run(experiment: &mut Experiment) -> Outcome {
    let form = Form::of(experiment.seed);
    experiment.settle();
    let roles = Roles::new(experiment, form);
    experiment.start_measuring();
    let began = experiment.world.now();
    let longest_list = lie(experiment, form, &roles);
    let ended = experiment.world.now();
    let slander = Slander::measure(experiment, &roles, began, ended);
    // The liar stops to lie, or is killed.
    if experiment.world.rng.random_bool(0.5) {
        experiment.world.set_health(roles.liar, Health::Down);
    }
    experiment.expect_actual_states();
    let mut outcome = experiment.measure(ended);
    let traffic = &experiment.world.traffic;
    let peak = traffic.exchanges_by_server.iter().map(|rate| rate.peak).max().unwrap_or_default();
    let is_invented = |entry: &Entry| entry.state == State::Online && experiment.world.find(&entry.url).is_none();
    outcome.extra = vec![
        ("slandered_p50", quantile(&slander.times, 0.5)),
        ("slandered_p99", quantile(&slander.times, 0.99)),
        ("slandered_max", quantile(&slander.times, 1.0)),
        ("slandered_share", slander.share),
        ("slandered_share_v1", slander.share_v1),
        ("known", longest_list as f64),
        ("still_online", max_in_any_list(experiment, is_invented) as f64),
        ("begun", f64::from(peak)),
        ("largest_body", traffic.largest_body as f64),
    ];
    outcome
}

// Sends all lies. Returns the length of the longest list meanwhile.
fn lie(experiment: &mut Experiment, form: Form, roles: &Roles) -> usize {
    let interval = experiment.setup.interval;
    let end = experiment.world.now() + interval * INTERVALS;
    let invents = form.pace == Pace::TwiceAnInterval && !form.is_told_to_all;
    let (mut invented, mut longest) = (0, 0);
    for turn in 0.. {
        let wait = form.pace.wait(&mut experiment.world, interval);
        experiment.world.run_until((experiment.world.now() + wait).min(end));
        if experiment.world.now() >= end {
            break;
        }
        // At the limit, each message goes to another server: the limit is for all that the liar sends.
        let receivers = match form.pace {
            Pace::Limit => std::slice::from_ref(&roles.receivers[turn as usize % roles.receivers.len()]),
            Pace::TwiceAnInterval | Pace::Slow | Pace::Fast => &roles.receivers,
        };
        for to in receivers {
            let count = match turn {
                _ if !invents => 0,
                INTERVALS => INVENTED_ONCE,
                _ => INVENTED,
            };
            tell(&mut experiment.world, form, roles, *to, invented..invented + count);
            invented += count;
        }
        if invents {
            longest = longest.max(max_in_any_list(experiment, |_| true));
        }
    }
    longest
}

// Lies to one server.
fn tell(world: &mut World, form: Form, roles: &Roles, to: usize, invented: std::ops::Range<u32>) {
    let mut victims: Vec<_> = roles.victims.iter().copied().filter(|victim| *victim != to).collect();
    if form.lie.is_in_victims_name() && !victims.is_empty() {
        let chosen = world.rng.random_range(0..victims.len());
        victims = vec![victims[chosen]];
    }
    let wall = world.clock_of(to).wall;
    let more = invented.filter_map(|number| {
        let v2 = EntryV2 {
            incarnation: wall,
            instance: number,
            reason: None,
            author: None,
            extensions: Extensions::default(),
        };
        let url = ServerUrl::parse(&format!("http://invented-{number:06}:3000/")).ok()?;
        Some(Entry { url, monitor: false, state: State::Online, stamp: wall, v2: Some(v2) })
    });
    if let Some(message) = form.lie.message(world, roles.liar, &victims, to, more.collect()) {
        world.call(to, |process, now| process.handle_gossip(now, &message));
    }
}

// The most entries of some kind that any list has.
fn max_in_any_list(experiment: &Experiment, counts: impl Fn(&Entry) -> bool) -> usize {
    let processes = experiment.world.servers().iter().filter_map(|server| server.process.as_ref());
    let count = |process: &Process| process.entries().filter(|entry| counts(entry)).count();
    processes.map(count).max().unwrap_or_default()
}

/// For how long lists of protocol 2 servers, except the liar's, had victims offline.
struct Slander {
    /// How long each time, in seconds, ascending.
    times: Vec<f64>,
    /// The share of the time, averaged over the lists, for the victim of protocol 2 that had the largest.
    share: f64,
    /// The same for those of version 1.
    share_v1: f64,
}

impl Slander {
    fn measure(experiment: &Experiment, roles: &Roles, began: Duration, ended: Duration) -> Self {
        let (mut since, mut times, mut totals) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut add = |subject: usize, from: Duration, until: Duration| {
            let seconds = until.saturating_sub(from).as_secs_f64();
            times.push(seconds);
            *totals.entry(subject).or_insert(0.0) += seconds;
        };
        let counts = |observer: usize| observer != roles.liar && experiment.counts(observer);
        for change in experiment.changes().filter(|it| roles.victims.contains(&it.subject) && counts(it.observer)) {
            let pair = (change.observer, change.subject);
            if !change.online {
                since.entry(pair).or_insert(change.at);
            } else if let Some(from) = since.remove(&pair) {
                add(change.subject, from, change.at);
            }
        }
        for ((_, subject), from) in since {
            add(subject, from, ended);
        }
        times.sort_by(f64::total_cmp);
        let lists = |subject: usize| experiment.initial.iter().filter(|it| **it != subject && counts(**it)).count();
        let share = |(subject, seconds): (&usize, &f64)| {
            seconds / (lists(*subject).max(1) as f64 * ended.saturating_sub(began).as_secs_f64())
        };
        let worst_of = |version: Version| {
            let of_version = totals.iter().filter(|(subject, _)| experiment.world.server(**subject).version == version);
            of_version.map(share).fold(0.0, f64::max)
        };
        Self { share: worst_of(Version::V2), share_v1: worst_of(Version::V1), times }
    }
}

fn quantile(ascending: &[f64], share: f64) -> f64 {
    let last = ascending.len().saturating_sub(1);
    ascending.get(((ascending.len() as f64 * share) as usize).min(last)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_is_another_form() {
        let forms: std::collections::BTreeSet<_> = (0..FORMS).map(|seed| Form::of(seed).to_string()).collect();
        assert_eq!(forms.len() as u64, FORMS);
    }
}
