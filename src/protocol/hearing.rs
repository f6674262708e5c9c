//! What is made of others' words: taken, or looked into first.

use rand::seq::IteratorRandom;

use super::exchange::Purpose;
use super::timer::Timer;
use super::{Core, Notice};
use crate::clock::Now;
use crate::membership::{Change, Member, supersedes};
use crate::message::{Entry, Message, Ours, ServerUrl, State};

/// News of so many servers at most is told on even where it comes from a repair: a rumour may have been overtaken by it,
/// and whoever follows on the ring waits for that.
const FEW: usize = 32;

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

/// What to do with a word that is news to us.
enum Verdict {
    Take,
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
        let rest = if message.is_ours() { Voice::Hearsay } else { Voice::Legacy };
        let mut news = Vec::new();
        for entry in &message.entries {
            let voice = if sender == Some(&entry.url) { voice } else { rest };
            if self.hear(entry, voice, now) {
                news.push(entry.url.clone());
            }
        }
        let learned = !news.is_empty();
        if !is_repair || news.len() <= FEW {
            for url in news {
                self.spread(url, now);
            }
        }
        learned
    }

    // Returns whether it was news: more than a stamp.
    fn hear(&mut self, entry: &Entry, voice: Voice, now: Now) -> bool {
        if entry.url == self.settings.base_url {
            self.hear_of_self(entry.clone());
            return false;
        }
        if !self.members.would_take(entry, now) {
            return false;
        }
        let verdict = match (self.members.get(&entry.url), entry.state) {
            (None, _) => Verdict::Take,
            (Some(known), State::Online) => judge_life(known, entry, voice),
            (Some(known), State::Offline) => self.judge_death(known, entry, voice, now),
        };
        match verdict {
            Verdict::Take => self.take(entry.clone(), now),
            Verdict::CallBack => {
                self.call_back(entry, now);
                false
            }
            Verdict::Check => {
                let claim = self.claims.entry(entry.url.clone()).or_insert_with(|| entry.clone());
                if supersedes(entry, claim) {
                    *claim = entry.clone();
                }
                self.check_claims(now);
                false
            }
        }
    }

    // Takes a word as it is.
    fn take(&mut self, entry: Entry, now: Now) -> bool {
        let (url, is_online) = (entry.url.clone(), entry.state == State::Online);
        let change = self.members.merge(entry, now);
        if is_online && change != Change::None {
            self.learned_age(url.key());
        }
        self.note(&url, change)
    }

    /// Says what has changed. Returns whether it is worth telling others.
    pub(super) fn note(&mut self, url: &ServerUrl, change: Change) -> bool {
        match change {
            Change::None | Change::Refreshed => return false,
            Change::Renewed => {}
            Change::Online => self.notices.push_back(Notice::Online(url.clone())),
            Change::Offline => {
                let life = self.members.get(url).and_then(|member| member.entry.life.as_ref());
                let reason = life.and_then(|life| life.reason);
                let author = life.and_then(|life| life.author.clone());
                self.notices.push_back(Notice::Offline { url: url.clone(), reason, author });
            }
        }
        if self.members.get(url).is_some_and(|member| member.entry.state == State::Online) {
            self.list.seed_answered(url);
        }
        true
    }

    // A death is taken at once where the server says so itself, by leaving or by being drained, and where we find the same.
    // Else we look first, if it has spoken to us within the last interval, or has stamped itself after the death: a
    // partition that ends would otherwise begin with the living being called dead on their own side. v1 servers call
    // others dead too lightly for that to be taken at once.
    fn judge_death(&self, known: &Member, entry: &Entry, voice: Voice, now: Now) -> Verdict {
        let is_own_word = match voice {
            Voice::Itself | Voice::Reached => true,
            Voice::Hearsay => !entry.is_death(),
            Voice::Legacy => entry.life.is_some() && !entry.is_death(),
        };
        if known.entry.state == State::Offline || is_own_word || self.suspicions.contains_key(&entry.url) {
            return Verdict::Take;
        }
        let heard = known.heard().is_some_and(|at| now.mono < at + self.settings.interval);
        if heard || known.entry.stamp > entry.stamp || voice == Voice::Legacy { Verdict::Check } else { Verdict::Take }
    }

    /// Tries servers that somebody calls dead, as many at a time as the bound on messages allows. Each is told what is
    /// said of it, so that one try of one server makes it answer to all.
    pub(super) fn check_claims(&mut self, now: Now) {
        let members = &self.members;
        self.claims.retain(|_, claim| members.would_take(claim, now));
        while self.is_working(now) {
            let waiting: Vec<_> = self.claims.keys().filter(|url| !self.is_checking(url)).cloned().collect();
            let Some(url) = waiting.into_iter().choose(&mut self.rng) else { return };
            if let Err(later) = self.checks.take(1, now.mono) {
                return self.timers.set(Timer::Checks, later);
            }
            let claim = self.claims.get(&url).cloned();
            self.tell(url, Purpose::Check, claim.into_iter().collect(), Ours::default(), now);
        }
    }

    /// A server that somebody calls dead does not answer us either.
    pub(super) fn believe(&mut self, url: &ServerUrl, now: Now) {
        if let Some(claim) = self.claims.remove(url)
            && self.take(claim, now)
        {
            self.spread(url.clone(), now);
        }
    }

    // Until it answers it is no member, as a seed is none.
    fn call_back(&mut self, entry: &Entry, now: Now) {
        self.list.add_candidate(entry, now);
        if !self.is_contacting(&entry.url) && self.is_awake(now) && self.checks.take(1, now.mono).is_ok() {
            self.send(entry.url.clone(), Purpose::Contact, now);
        }
        self.expect_seeds(now);
    }

    fn is_checking(&self, url: &ServerUrl) -> bool {
        self.exchanges.values().any(|exchange| exchange.to == *url && exchange.purpose == Purpose::Check)
    }
}

fn judge_life(known: &Member, entry: &Entry, voice: Voice) -> Verdict {
    let same_process = match (&known.entry.life, &entry.life) {
        (Some(before), Some(after)) => before.instance == after.instance && before.incarnation < after.incarnation,
        (None, _) | (_, None) => false,
    };
    match voice {
        Voice::Itself | Voice::Legacy if known.entry.is_death() => Verdict::CallBack,
        Voice::Itself if same_process && known.entry.state == State::Online => Verdict::CallBack,
        Voice::Itself | Voice::Legacy | Voice::Reached | Voice::Hearsay => Verdict::Take,
    }
}
