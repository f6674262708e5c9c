//! Merges the entries of messages: asks `decide` about each, lists it, and broadcasts or verifies it.

use std::ops::Range;

use rand::RngExt;

use super::legacy::own_online_stamp;
use super::suspicion::Failures;
use super::{
    Change, Core, Entry, Event, ExchangeError, MemberEvent, MemberEventKind, Message, Now, ServerUrl, State, Timer,
};
use crate::membership::{Circumstances, Decision, Source, decide, effective_incarnation};

/// Up to this many updates from a repair are broadcast. The repair may have overtaken their broadcast, which the ring
/// successor still waits for.
const FEW: usize = 32;
/// About how many receivers of a leave or drain contact its subject to check it.
const CHECKERS: f64 = 3.0;

/// The changes made by one message.
#[derive(Default)]
pub(super) struct Learned {
    // The message listed more servers than fit.
    is_full: bool,
    // A server was added to the seed candidates.
    is_called_back: bool,
    pub(super) to_broadcast: Vec<ServerUrl>,
}

impl Core {
    // Merges the entries of a message, except those that `merge_part` has merged.
    pub(super) fn merge_message(
        &mut self,
        message: &Message,
        sender: Option<&ServerUrl>,
        source: Source,
        is_repair: bool,
        now: Now,
    ) {
        if self.out.admit_skipped(&message.skipped, now.mono) {
            self.out.report_skipped(&message.skipped, || match sender {
                Some(sender) => format!("a message from {sender}"),
                None => "a message".into(),
            });
        }
        let left = message.merged..message.entries.len();
        self.merge_entries(message, left, sender, source, is_repair, now);
    }

    // Large repairs are not broadcast: digests show other servers what they lack.
    pub(super) fn merge_entries(
        &mut self,
        message: &Message,
        part: Range<usize>,
        sender: Option<&ServerUrl>,
        source: Source,
        is_repair: bool,
        now: Now,
    ) {
        let others = if message.is_v2() { Source::ThirdParty } else { Source::Version1 };
        let own_stamp = own_online_stamp(message, sender);
        let mut learned = Learned::default();
        for entry in &message.entries[part] {
            let is_sender = sender == Some(&entry.url);
            let is_relayed = entry.state == State::Offline && own_stamp.is_some_and(|own| own < entry.stamp);
            if is_sender && is_relayed {
                continue;
            }
            self.merge_entry(entry, if is_sender { source } else { others }, &mut learned, now);
        }
        if !is_repair || learned.to_broadcast.len() <= FEW {
            self.broadcast_all(learned.to_broadcast, now);
        }
        if learned.is_full {
            self.out.report(Event::Full);
        }
        if learned.is_called_back {
            self.schedule_seed_contacts(now);
        }
        self.verify_reports(now);
    }

    pub(super) fn merge_entry(&mut self, entry: &Entry, source: Source, learned: &mut Learned, now: Now) {
        if entry.url == *self.members.local_url() {
            if let Some(own) = self.members.local() {
                self.local.on_entry(own, entry);
            }
            return;
        }
        if self.members.refresh_if_same(entry, now) || self.members.is_forgotten(entry, now) {
            return;
        }
        if source != Source::Reached && self.members.may_be_forgotten(entry, now) {
            return self.call_back(entry, learned, now);
        }
        if self.members.get(&entry.url).is_some_and(|known| known.is_denied_by(entry)) {
            self.contest_if_offline(&entry.url, now);
        }
        let at = Circumstances {
            now,
            interval: self.detector.interval(),
            is_suspected: self.detector.is_suspect(&entry.url),
        };
        match decide(self.members.get(&entry.url), entry, source, at) {
            // The report loses if the clock of the server stepped, and then nothing else may settle it for long.
            Decision::Ignore if entry.is_failure() && self.has_failed_us(&entry.url) => self.on_hint(&entry.url, now),
            Decision::Ignore => {}
            Decision::Take | Decision::TakeAndNotify if !self.make_room(entry, source, learned) => {
                // A sender that answers its call-back may still be listed.
                if source == Source::Itself {
                    self.call_back(entry, learned, now);
                }
            }
            Decision::Take => self.learn(entry.clone(), learned, now),
            Decision::TakeAndNotify => self.learn_and_notify(entry, learned, now),
            Decision::TakeRaised => {
                let known = self.members.get(&entry.url).map_or(0, |known| effective_incarnation(&known.entry));
                self.learn(Entry { stamp: known + 1, ..entry.clone() }, learned, now);
            }
            Decision::Replace => {
                let change = self.members.replace(entry.clone(), now);
                self.learn_change(&entry.url, change, false, learned, now);
            }
            Decision::CallBack => {
                self.call_back(entry, learned, now);
                if source == Source::Itself {
                    self.discovery.seeds.on_message(&entry.url, now);
                }
            }
            Decision::Verify => self.verify_first(entry),
        }
    }

    // A server announced that it goes offline, to up to twenty servers. A few of these contact it, in case somebody
    // else sent the message; it refutes a lie at once. Over the rate limit, the report is verified before it is listed.
    pub(super) fn learn_and_notify(&mut self, entry: &Entry, learned: &mut Learned, now: Now) {
        let receivers = self.members.announcement_size() as f64;
        if self.out.rng.random_bool((CHECKERS / receivers).min(1.0)) && self.lifecycle.is_working(now) {
            let Some(contact) = self.verifier.contact(&entry.url, now) else {
                return self.verify_first(entry);
            };
            self.learn(entry.clone(), learned, now);
            self.send(contact, now);
        } else {
            self.learn(entry.clone(), learned, now);
        }
    }

    fn verify_first(&mut self, report: &Entry) {
        self.verifier.on_report(report, self.members.is_reached(&report.url));
    }

    // Makes room for an unknown server. Returns whether it can be listed.
    pub(super) fn make_room(&mut self, entry: &Entry, source: Source, learned: &mut Learned) -> bool {
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

    // Contacts a server before it is listed online. Until it answers it is a seed candidate.
    pub(super) fn call_back(&mut self, entry: &Entry, learned: &mut Learned, now: Now) {
        if !self.lifecycle.is_running() {
            return;
        }
        self.discovery.seeds.add_candidate(entry, now);
        learned.is_called_back = true;
        if !self.exchanges.is_contacting(&entry.url)
            && self.lifecycle.is_awake(now)
            && let Some(contact) = self.verifier.contact(&entry.url, now)
        {
            self.send(contact, now);
        }
    }

    // Whether the last exchange with a server that we list online failed.
    fn has_failed_us(&self, url: &ServerUrl) -> bool {
        self.members.get(url).is_some_and(|it| it.entry.state == State::Online && it.failures() > 0)
    }

    // A new server speaks to us, and nobody has reached it. Lists it as failed, so that every server shows why.
    pub(super) fn list_unreachable(&mut self, url: &ServerUrl, error: &ExchangeError, now: Now) {
        let Some((entry, since)) = self.discovery.seeds.unreachable(url, error, now) else { return };
        // If nothing comes back, our own network may be the cause.
        let is_in_doubt = Failures::of(error).silent && self.detector.last_response() < since;
        if is_in_doubt || self.members.get(url).is_some() {
            return;
        }
        let mut learned = Learned::default();
        let failed = entry.clone().failed_by(self.members.local_url());
        if self.make_room(&failed, Source::Itself, &mut learned) {
            self.learn(failed, &mut learned, now);
            self.members.on_failure(url, error.failure(), now);
            self.broadcast_all(learned.to_broadcast, now);
        }
    }

    // Lists an entry and broadcasts it, except for a repetition of the same offline state and reason, and for renewals
    // more often than once an interval.
    pub(super) fn learn(&mut self, entry: Entry, learned: &mut Learned, now: Now) {
        let (url, is_online) = (entry.url.clone(), entry.state == State::Online);
        let before = self.members.get(&url).map(|member| member.entry.clone());
        let change = self.members.merge(entry, now);
        let Some(before) = before.filter(|_| change == Change::Renewed) else {
            return self.learn_change(&url, change, false, learned, now);
        };
        let is_urgent = self.report_extensions(&url, &before, now);
        let content = |entry: &Entry| entry.v2.as_ref().map(|v2| (v2.reason, v2.extensions.clone()));
        let is_same_again = !is_online && self.members.get(&url).map(|it| content(&it.entry)) == Some(content(&before));
        self.learn_change(&url, change, is_same_again, learned, now);
        if is_urgent && learned.to_broadcast.last() != Some(&url) {
            learned.to_broadcast.push(url);
        }
    }

    // Reports changed tags and readiness as events. Returns whether the readiness changed, which is urgent.
    pub(super) fn report_extensions(&mut self, url: &ServerUrl, before: &Entry, now: Now) -> bool {
        let Some(after) = self.members.get(url).map(|member| &member.entry) else { return false };
        let (tags_differ, ready_differs) = (after.tags() != before.tags(), after.is_ready() != before.is_ready());
        if tags_differ {
            self.report_member(url, MemberEventKind::Tags, now);
        }
        if ready_differs {
            self.report_member(url, MemberEventKind::Ready, now);
        }
        ready_differs
    }

    pub(super) fn learn_change(
        &mut self,
        url: &ServerUrl,
        change: Change,
        is_same_again: bool,
        learned: &mut Learned,
        now: Now,
    ) {
        if !self.on_change(url, change, now) {
            return;
        }
        if !is_same_again && (change != Change::Renewed || self.broadcasts.may_renew(url, now)) {
            learned.to_broadcast.push(url.clone());
        }
    }

    // An entry changed. Returns whether that must be broadcast.
    pub(super) fn on_change(&mut self, url: &ServerUrl, change: Change, now: Now) -> bool {
        if !change.is_news() {
            return false;
        }
        self.legacy.on_change(url);
        self.out.timers.set_earlier(Timer::Watch, now.mono);
        match change {
            Change::None | Change::Refreshed | Change::Renewed => {}
            Change::Online => {
                self.detector.on_online(url);
                self.report_member(url, MemberEventKind::Online, now);
                self.local.on_online(self.members.local_url(), url, &mut self.out);
            }
            Change::Offline => self.report_member(url, MemberEventKind::Offline, now),
            Change::Tombstone => self.report_member(url, MemberEventKind::Tombstone, now),
        }
        if self.members.state(url) == Some(State::Online) {
            self.discovery.seeds.remove(url);
        }
        true
    }

    pub(super) fn report_member(&mut self, url: &ServerUrl, kind: MemberEventKind, now: Now) {
        let Some(member) = self.members.get(url) else { return };
        let entry = member.entry.clone();
        let is_of_online = matches!(kind, MemberEventKind::Tags | MemberEventKind::Ready);
        if is_of_online && entry.state == State::Offline {
            return;
        }
        // This stamp is all that we know of a new server's clock.
        let is_new = member.first_seen().as_millis() == now.mono.as_millis();
        let clock = if is_new { now.wall } else { member.estimated_clock(now) };
        let known_after = clock.saturating_sub(entry.stamp);
        let is_cause = match kind {
            MemberEventKind::Suspect => true,
            MemberEventKind::Offline => entry.is_failure(),
            MemberEventKind::Online | MemberEventKind::Tombstone | MemberEventKind::Tags | MemberEventKind::Ready => {
                false
            }
        };
        let failure = member.last_failure().filter(|_| is_cause).map(|last| last.failure.clone());
        self.out.report(Event::Member(MemberEvent { kind, entry, failure, at: now.wall, known_after }));
    }

    pub(super) fn broadcast(&mut self, url: ServerUrl, now: Now) {
        if self.lifecycle.is_running() {
            self.broadcasts.add(url, &self.members, now, &mut self.out);
        }
    }

    pub(super) fn broadcast_all(&mut self, urls: Vec<ServerUrl>, now: Now) {
        for url in urls {
            self.broadcast(url, now);
        }
    }
}
