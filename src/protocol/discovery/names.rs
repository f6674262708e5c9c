//! `Names`: when to look up DNS names, and at which of the places found to ask for the server's base URL. That server
//! is then contacted like any other seed. DNS itself never lists a server online or offline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;
use rand::seq::IteratorRandom;

use super::failing::Failing;
use super::seeds::{AT_A_TIME, PACE_ALONE, Pace, TIMEOUT_ALONE};
use crate::clock::Now;
use crate::membership::Members;
use crate::message::{ServerUrl, State};
use crate::protocol::action::{Action, ExchangeError, NameIndex, Place, RequestId};
use crate::protocol::counters::ListStatus;
use crate::protocol::event::Event;
use crate::protocol::output::Output;
use crate::protocol::timer::Timer;

/// How often a name is looked up by a server that is alone, and by one that is not.
const LOOK_UP_ALONE: Duration = Duration::from_secs(5);
const LOOK_UP: Duration = Duration::from_secs(60);
/// The timeout of a lookup.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most places used of a name. One server that answers lists all others.
pub const MAX_PLACES: usize = 1_000;
/// How many places a warning shows.
const SHOWN: usize = 3;

/// All names in configuration order, and their places.
#[derive(Clone, Debug)]
pub struct Names {
    lookups: Vec<Name>,
    places: BTreeMap<Place, Known>,
    questions: BTreeMap<RequestId, Place>,
    // When a server that is alone asks the next places.
    next_question: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Name {
    text: String,
    status: ListStatus,
    next: Option<Duration>,
    current: Option<RequestId>,
    is_tried: bool,
    failing: Option<Failing>,
    // The result of the last successful lookup.
    found: BTreeSet<Place>,
}

impl Name {
    fn on_success(&mut self, servers: usize, now: Now, out: &mut Output) {
        if let Some(failing) = self.failing.take() {
            failing.end(&self.text, out);
        }
        (self.status.failing, self.status.read) = (None, Some(now.wall));
        self.status.servers = servers;
    }

    // Returns whether to warn an operator now.
    fn on_failure(&mut self, error: &str, now: Now) -> bool {
        let failing = self.failing.get_or_insert(Failing::new(now));
        let is_unusable = failing.count(now);
        self.status.failed += 1;
        self.status.failing = Some((failing.times, error.to_owned()));
        is_unusable
    }
}

// What is known of a place.
#[derive(Clone, Debug)]
struct Known {
    // The base URL of a server that uses the address as its host.
    expected: Option<ServerUrl>,
    // The last answer: the base URL of the server, or an error.
    answer: Option<Result<ServerUrl, String>>,
    // Whether it was asked in the current pass over all places.
    is_asked: bool,
}

impl Known {
    fn of(place: &Place) -> Self {
        Self { expected: place.base_url(), answer: None, is_asked: false }
    }

    // Whether it leads to this server or to one that is up.
    fn is_known(&self, members: &Members) -> bool {
        let answered = self.answer.as_ref().and_then(|answer| answer.as_ref().ok());
        let is_up = |url: &ServerUrl| members.state(url) == Some(State::Online) || url == members.local_url();
        self.expected.iter().chain(answered).any(is_up)
    }
}

impl Names {
    /// No lookups yet.
    pub fn new(names: &[String]) -> Self {
        let name = |text: &String| Name {
            text: text.clone(),
            status: ListStatus::default(),
            next: None,
            current: None,
            is_tried: false,
            failing: None,
            found: BTreeSet::new(),
        };
        Self {
            lookups: names.iter().map(name).collect(),
            places: BTreeMap::new(),
            questions: BTreeMap::new(),
            next_question: None,
        }
    }

    /// Looks up all names.
    pub fn start(&mut self, out: &mut Output) {
        for index in 0..self.lookups.len() {
            self.look_up(index, out);
        }
    }

    /// The server leaves: stops lookups and questions.
    pub fn leave(&mut self) {
        *self = Self { lookups: std::mem::take(&mut self.lookups), ..Self::new(&[]) };
        self.lookups.iter_mut().for_each(|name| (name.next, name.current) = (None, None));
    }

    fn look_up(&mut self, index: NameIndex, out: &mut Output) {
        let id = out.new_id();
        let name = &mut self.lookups[index];
        (name.current, name.next) = (Some(id), None);
        out.act(Action::LookUp { id, name: index, timeout: TIMEOUT });
    }

    /// A lookup ended. Returns whether to ask places now.
    pub fn on_looked_up(
        &mut self,
        id: RequestId,
        result: Result<Vec<Place>, String>,
        members: &Members,
        now: Now,
        out: &mut Output,
    ) -> bool {
        let Some(name) = self.end_lookup(id, members, now, out) else { return false };
        match result {
            Ok(found) => {
                name.found = found.into_iter().take(MAX_PLACES).collect();
                name.on_success(name.found.len(), now, out);
                self.on_found();
            }
            Err(why) => {
                let error = format!("{} cannot be looked up: {why}", name.text);
                if name.on_failure(&error, now) {
                    out.report(Event::ListUnusable { list: name.text.clone(), error: error.clone() });
                }
                out.report(Event::ListFailed(error));
            }
        }
        self.ask_again(members);
        self.set_timer(out);
        true
    }

    /// The program's `discover` returned this many servers, or failed, which the program reports itself. Returns
    /// whether to contact the servers now.
    pub fn on_discovered(
        &mut self,
        id: RequestId,
        result: Result<usize, &str>,
        members: &Members,
        now: Now,
        out: &mut Output,
    ) -> bool {
        let Some(name) = self.end_lookup(id, members, now, out) else { return false };
        match result {
            Ok(servers) => name.on_success(servers, now, out),
            Err(why) => drop(name.on_failure(&format!("{} failed: {why}", name.text), now)),
        }
        self.set_timer(out);
        true
    }

    fn end_lookup(&mut self, id: RequestId, members: &Members, now: Now, out: &mut Output) -> Option<&mut Name> {
        let name = self.lookups.iter_mut().find(|name| name.current == Some(id))?;
        (name.current, name.is_tried) = (None, true);
        let wait = if members.is_alone() { LOOK_UP_ALONE } else { LOOK_UP };
        name.next = Some(now.mono + wait.mul_f64(out.jitter(0.9..1.1)));
        Some(name)
    }

    fn on_found(&mut self) {
        let found: BTreeSet<_> = self.lookups.iter().flat_map(|name| &name.found).collect();
        self.places.retain(|place, _| found.contains(place));
        for place in found {
            self.places.entry(place.clone()).or_insert_with(|| Known::of(place));
        }
    }

    // Begins the next pass when all unknown places were asked: servers may have started there since.
    fn ask_again(&mut self, members: &Members) {
        if self.places.values().all(|known| known.is_asked || known.is_known(members)) {
            self.places.values_mut().for_each(|known| known.is_asked = false);
        }
    }

    /// Looks up the names that are due. Returns whether to ask places now.
    pub fn on_timer(&mut self, now: Now, out: &mut Output) -> bool {
        for index in 0..self.lookups.len() {
            if self.lookups[index].next.is_some_and(|at| at <= now.mono) {
                self.look_up(index, out);
            }
        }
        let is_due = self.next_question.take_if(|at| *at <= now.mono).is_some();
        self.set_timer(out);
        is_due
    }

    /// Looks up the names soon if this server is alone now and was not at the last lookup.
    pub fn look_up_if_alone(&mut self, members: &Members, now: Now, out: &mut Output) {
        if members.is_alone() {
            let soon = now.mono + LOOK_UP_ALONE.mul_f64(out.jitter(0.1..1.0));
            let waits_long = |next: &&mut Duration| **next > now.mono + LOOK_UP_ALONE.mul_f64(1.1);
            self.lookups
                .iter_mut()
                .filter_map(|name| name.next.as_mut())
                .filter(waits_long)
                .for_each(|next| *next = soon);
            self.set_timer(out);
        }
    }

    /// Asks some places for their server's base URL. Returns the ids of the questions.
    ///
    /// A server that is alone asks all places, as fast as it contacts seeds. One that is not asks as rarely as it
    /// contacts failed servers: in the whole cluster and each interval, about as many places as lead to unknown
    /// servers. This heals partitions even after both sides have forgotten each other.
    pub fn ask(&mut self, members: &Members, now: Now, out: &mut Output) -> Vec<RequestId> {
        let under_way: BTreeSet<_> = self.questions.values().cloned().collect();
        let is_own = |known: &Known| known.expected.as_ref() == Some(members.local_url());
        let is_free = |place: &Place, known: &Known| !known.is_asked && !under_way.contains(place) && !is_own(known);
        let (count, is_alone) = if members.is_alone() {
            let Pace { steps, least, most, .. } = PACE_ALONE;
            ((self.places.len() / steps).clamp(least, most).min(most.saturating_sub(under_way.len())), true)
        } else {
            let unknown = self.places.values().filter(|known| !known.is_known(members)).count();
            let chance = (unknown as f64 / members.online() as f64).min(1.0);
            (if out.rng.random_bool(chance) { AT_A_TIME } else { 0 }, false)
        };
        let free = self.places.iter().filter(|(place, known)| is_free(place, known));
        let wanted = free.filter(|(_, known)| is_alone || !known.is_known(members));
        let chosen: Vec<_> = wanted.map(|(place, _)| place.clone()).sample(&mut out.rng, count);
        if is_alone && self.places.iter().any(|(place, known)| is_free(place, known)) {
            self.next_question = Some(now.mono + PACE_ALONE.wait.mul_f64(out.jitter(0.9..1.1)));
        }
        let ids = chosen.into_iter().map(|place| self.question(place, is_alone, out)).collect();
        self.set_timer(out);
        ids
    }

    fn question(&mut self, place: Place, is_alone: bool, out: &mut Output) -> RequestId {
        if let Some(known) = self.places.get_mut(&place) {
            known.is_asked = true;
        }
        let id = out.new_id();
        let timeout = if is_alone { TIMEOUT_ALONE } else { TIMEOUT / 2 };
        out.act(Action::Identify { id, place: place.clone(), timeout });
        self.questions.insert(id, place);
        id
    }

    /// A question ended. Returns the base URL if that server is not known to be up.
    pub fn on_answer(
        &mut self,
        id: RequestId,
        answer: Result<ServerUrl, ExchangeError>,
        members: &Members,
        out: &mut Output,
    ) -> Option<ServerUrl> {
        let place = self.questions.remove(&id)?;
        if let Err(error) = &answer {
            out.report(Event::PlaceFailed(place.clone(), error.clone()));
        }
        let known = self.places.get_mut(&place)?;
        let url = known.answer.insert(answer.map_err(|error| error.to_string())).as_ref().ok()?.clone();
        let is_known = url == *members.local_url() || members.state(&url) == Some(State::Online);
        (!is_known).then_some(url)
    }

    fn set_timer(&self, out: &mut Output) {
        let next = self.lookups.iter().filter_map(|name| name.next);
        if let Some(next) = next.chain(self.next_question).min() {
            out.timers.set(Timer::Names, next);
        }
    }

    /// Whether every name was looked up, or a lookup has failed.
    pub fn are_tried(&self) -> bool {
        self.lookups.iter().all(|name| name.is_tried)
    }

    /// The name and status of each name.
    pub fn statuses(&self) -> impl Iterator<Item = (&str, &ListStatus)> {
        self.lookups.iter().map(|name| (name.text.as_str(), &name.status))
    }

    /// The answers of some places, for people.
    pub fn answers(&self) -> impl Iterator<Item = String> {
        let answered = self.places.iter().filter_map(|(place, known)| Some((place, known.answer.as_ref()?)));
        answered.take(SHOWN).map(|(place, answer)| match answer {
            Ok(url) => format!("{place} is {url}"),
            Err(why) => format!("{place}: {why}"),
        })
    }
}
