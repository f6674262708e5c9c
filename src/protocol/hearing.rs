//! What is made of others' words: taken, or looked into first.

use rand::seq::SliceRandom;

use super::exchange::{Began, Purpose};
use super::timer::Timer;
use super::{Core, Event, MemberEvent, MemberEventKind, Phase, urls};
use crate::clock::Now;
use crate::membership::{Change, Member, supersedes};
use crate::message::{Entry, Envelope, Message, ServerUrl, State};

/// News of so many servers at most is told on even where it comes from a repair: a rumour may have been overtaken by it,
/// and whoever follows on the ring waits for that.
const FEW: usize = 32;
/// Servers of which it is remembered that news of them was told on, beyond which it is not.
const MAX_RENEWED: usize = 1_000;

/// How somebody's word on a server came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// It came to us and said so itself.
    Itself,
    /// We reached it, and it answered so.
    Reached,
    /// Another server of ours says so.
    Hearsay,
    /// A version 1 server says so: of itself or of another, which its messages do not tell apart.
    Legacy,
}

/// What a word on a server is to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing new, or a stamp.
    None,
    /// New to us; digests will find who lacks it.
    Quiet,
    /// To be told on.
    Rumour,
}

/// What to do with a word that is news to us.
enum Verdict {
    Take,
    // The server may live, and not have said so itself.
    TakeAndTell,
    // Whoever talks may still not be reachable where it says it is, or may be dead and spoken of by an old list.
    CallBack,
    // We have reason to believe that the server lives.
    Check,
}

impl Core {
    /// Takes in what a message says of servers; `sender` is who spoke. Returns whether any of it was news. Much that comes
    /// from a repair is told no further: whoever else lacks it finds so by its digest.
    pub(super) fn hear_all(
        &mut self,
        message: &Message,
        sender: Option<&ServerUrl>,
        voice: Voice,
        is_repair: bool,
        now: Now,
    ) -> bool {
        self.report_skipped(&message.skipped);
        let rest = if message.is_v2() { Voice::Hearsay } else { Voice::Legacy };
        let (mut learned, mut rumours) = (false, Vec::new());
        for entry in &message.entries {
            let is_sender = sender == Some(&entry.url);
            if is_sender && !message.is_v2() && is_others_word(entry, message) {
                continue;
            }
            let news = self.hear(entry, if is_sender { voice } else { rest }, now);
            learned |= news != News::None;
            if news == News::Rumour {
                rumours.push(entry.url.clone());
            }
        }
        if !is_repair || rumours.len() <= FEW {
            for url in rumours {
                self.spread(url, now);
            }
        }
        self.check_claims(now);
        learned
    }

    fn hear(&mut self, entry: &Entry, voice: Voice, now: Now) -> News {
        if entry.url == self.settings.base_url {
            self.hear_of_self(entry.clone());
            return News::None;
        }
        if self.members.refresh_if_same(entry, now) {
            return News::None;
        }
        if self.members.get(&entry.url).is_none() && !self.has_room_for(entry, voice) {
            // There is room for those that answer.
            if voice == Voice::Itself {
                self.call_back(entry, now);
            }
            return News::None;
        }
        if !self.members.would_take(entry, now) {
            return News::None;
        }
        let verdict = match (self.members.get(&entry.url), entry.state) {
            (None, _) => Verdict::Take,
            (Some(known), State::Online) => judge_life(known, entry, voice),
            (Some(known), State::Offline) => self.judge_death(known, entry, voice, now),
        };
        match verdict {
            Verdict::Take => self.take(entry.clone(), now),
            Verdict::TakeAndTell => {
                let news = self.take(entry.clone(), now);
                if self.is_working(now) && self.checks.take(1, now.mono).is_ok() {
                    self.send(entry.url.clone(), Purpose::Contact, now);
                }
                news
            }
            Verdict::CallBack => {
                self.call_back(entry, now);
                News::None
            }
            Verdict::Check => {
                let claim = self.claims.entry(entry.url.clone()).or_insert_with(|| entry.clone());
                if supersedes(entry, claim) {
                    *claim = entry.clone();
                }
                News::None
            }
        }
    }

    fn has_room_for(&mut self, entry: &Entry, voice: Voice) -> bool {
        let reached = voice == Voice::Reached;
        if self.members.has_room(reached) {
            return true;
        }
        self.say_full();
        if entry.state == State::Online {
            self.members.make_room(&self.settings.base_url);
        }
        self.members.has_room(reached)
    }

    // Takes a word as it is.
    fn take(&mut self, entry: Entry, now: Now) -> News {
        let (url, is_online) = (entry.url.clone(), entry.state == State::Online);
        let reason = |core: &Self| core.members.get(&url)?.entry.v2.as_ref()?.reason;
        let before = reason(self);
        let change = self.members.merge(entry, now);
        let is_another_death = change == Change::Renewed && !is_online && reason(self) == before;
        match self.note(&url, change, now) {
            News::Rumour if is_another_death || (change == Change::Renewed && !self.may_renew(&url, now)) => {
                News::Quiet
            }
            news => news,
        }
    }

    // Two processes with one base URL contradict each other for ever: nobody passes that on more than once an interval.
    fn may_renew(&mut self, url: &ServerUrl, now: Now) -> bool {
        let last = self.renewed.get(url).copied();
        let may = last.is_none_or(|at| now.mono >= at + self.settings.interval) && self.renewed.len() < MAX_RENEWED;
        if may {
            self.renewed.insert(url.clone(), now.mono);
        }
        may
    }

    /// Says what has changed, and whether others are to be told.
    pub(super) fn note(&mut self, url: &ServerUrl, change: Change, now: Now) -> News {
        if matches!(change, Change::None | Change::Refreshed) {
            return News::None;
        }
        self.changed(url);
        match change {
            Change::None | Change::Refreshed | Change::Renewed => {}
            Change::Online => {
                self.spared.remove(url);
                self.became(url, MemberEventKind::Online, now);
            }
            Change::Offline => self.became(url, MemberEventKind::Offline, now),
        }
        if self.members.get(url).is_some_and(|member| member.entry.state == State::Online) {
            self.seeds.remove(url);
        }
        News::Rumour
    }

    /// Says what a server has become.
    pub(super) fn became(&mut self, url: &ServerUrl, kind: MemberEventKind, now: Now) {
        let Some(member) = self.members.get(url) else { return };
        let entry = member.entry.clone();
        // Of whoever is new nothing is known but this stamp.
        let is_new = member.first_seen().as_millis() == now.mono.as_millis();
        let clock = if is_new { now.wall } else { member.estimated_clock(now) };
        let known_after = clock.saturating_sub(entry.stamp);
        self.notices.push_back(Event::Member(MemberEvent { kind, entry, at: now.wall, known_after }));
    }

    // A death is taken at once where the server says so itself, by leaving or by being drained, and where we find the same.
    // Else we look first, if it has spoken to us within the last interval, or has stamped itself after the death: a
    // partition that ends would otherwise begin with the living being called dead on their own side. v1 servers call
    // others dead too lightly for that to be taken at once.
    fn judge_death(&self, known: &Member, entry: &Entry, voice: Voice, now: Now) -> Verdict {
        let is_own_word = match voice {
            Voice::Itself | Voice::Reached => true,
            Voice::Hearsay => !entry.is_failure(),
            Voice::Legacy => entry.v2.is_some() && !entry.is_failure(),
        };
        let heard = known.last_heard().is_some_and(|at| now.mono < at + self.settings.interval);
        if known.entry.state == State::Online && is_own_word && heard && voice == Voice::Hearsay {
            return Verdict::TakeAndTell;
        }
        if known.entry.state == State::Offline || is_own_word || self.suspicions.contains_key(&entry.url) {
            return Verdict::Take;
        }
        if heard || known.entry.stamp > entry.stamp || voice == Voice::Legacy { Verdict::Check } else { Verdict::Take }
    }

    /// Tries servers that somebody calls dead, as many at a time as the bound on messages allows. Each is told what is
    /// said of it, so that one try of one server makes it answer to all.
    pub(super) fn check_claims(&mut self, now: Now) {
        if self.claims.is_empty() || !self.is_working(now) {
            return;
        }
        let members = &self.members;
        self.claims.retain(|_, claim| members.would_take(claim, now));
        let checks = self.exchanges.values().filter(|exchange| exchange.purpose == Purpose::Check);
        let under_way = urls(checks.map(|exchange| &exchange.to));
        let mut waiting: Vec<_> = self.claims.keys().filter(|url| !under_way.contains(url)).cloned().collect();
        waiting.shuffle(&mut self.rng);
        for url in waiting {
            if let Err(later) = self.checks.take(1, now.mono) {
                return self.timers.set(Timer::Checks, later);
            }
            let claim = self.claims.get(&url).cloned();
            self.tell(url, Purpose::Check, claim.into_iter().collect(), Envelope::default(), now);
        }
    }

    /// A server that somebody calls dead does not answer us either, since `began`.
    pub(super) fn believe(&mut self, url: &ServerUrl, began: Began, now: Now) {
        let Some(claim) = self.claims.remove(url) else { return };
        if !self.is_excused(url, began) && self.take(claim, now) == News::Rumour {
            self.spread(url.clone(), now);
        }
    }

    // Until it answers it is no member, as a seed is none.
    fn call_back(&mut self, entry: &Entry, now: Now) {
        if self.phase != Phase::Running {
            return;
        }
        self.seeds.add_candidate(entry, now);
        if !self.is_contacting(&entry.url) && self.is_awake(now) && self.checks.take(1, now.mono).is_ok() {
            self.send(entry.url.clone(), Purpose::Contact, now);
        }
        self.expect_seeds(now);
    }
}

// A v1 server that was drained stands in both its lists with one stamp. With a later one it only passes on what others
// say of it.
fn is_others_word(entry: &Entry, message: &Message) -> bool {
    let own = message.entries.iter().find(|it| it.url == entry.url && it.state == State::Online);
    entry.state == State::Offline && own.is_some_and(|own| own.stamp < entry.stamp)
}

fn judge_life(known: &Member, entry: &Entry, voice: Voice) -> Verdict {
    let same_process = match (&known.entry.v2, &entry.v2) {
        (Some(before), Some(after)) => before.instance == after.instance && before.incarnation < after.incarnation,
        (None, _) | (_, None) => false,
    };
    match voice {
        Voice::Itself | Voice::Legacy if known.entry.is_failure() => Verdict::CallBack,
        Voice::Itself if same_process && known.entry.state == State::Online => Verdict::CallBack,
        Voice::Itself | Voice::Legacy | Voice::Reached | Voice::Hearsay => Verdict::Take,
    }
}
