//! A server is the authority on itself: its birth, its word against what others say of it, its drain and its leave.

use std::time::Duration;

use rand::RngExt;

use super::exchange::Purpose;
use super::hearing::{News, Voice};
use super::{Core, Event};
use crate::clock::Now;
use crate::membership::{effective_incarnation, join, supersedes};
use crate::message::{Entry, EntryV2, MAX_AHEAD, Message, Reason, ServerUrl, State};

/// For how many intervals after its own death a server may be left alone by all others before it doubts that they can
/// reach it: one that is listed again is probed in each of them. With v1 peers, who choose at random, ten are needed.
const UNHEARD: u32 = 10;
/// For how many intervals another process must take our place before it is called one too many: in a restart without a gap
/// the old process and the new one live side by side for a while.
const OVERLAP: u32 = 5;
/// How old the stamp of a drained server gets, ms: a tombstone lives 24 h.
const DRAINED_STAMP: u64 = 3_600_000;
/// How far ahead of our clock a leave is stamped, ms, besides two intervals: for as long others may find us dead that
/// have not heard of it.
const LEAVE_AHEAD: u64 = 10_000;
/// How far a stamp is raised above our clock to be the newest for v1 peers, ms: two clocks an hour wrong either way.
/// More would be refused by those of ours whose clock is slow.
const MAX_RAISE: u64 = 2 * 3_600_000;

/// Whether others find us at our base URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UrlDoubt {
    None,
    /// They have called us dead, and nobody has spoken to us since.
    Unheard {
        since: Duration,
        by: Option<ServerUrl>,
    },
    Said,
}

/// Whether another process lives under our base URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rival {
    None,
    /// We have answered claims of another process, the first and the last at these times. The dead do not answer, so all but
    /// one of them come of a living one.
    Answered {
        first: Duration,
        last: Duration,
    },
    Said,
}

impl Core {
    /// The first entry of a new process. It begins above what an earlier one can have had: at the wall clock.
    pub(super) fn be_born(&mut self, now: Now) {
        let v2 = EntryV2 { incarnation: now.wall, instance: self.rng.random(), reason: None, author: None };
        let (url, monitor) = (self.settings.base_url.clone(), self.settings.monitor);
        self.put_own(Entry { url, monitor, state: State::Online, stamp: now.wall, v2: Some(v2) }, now);
    }

    /// What we say of ourselves.
    pub(super) fn own(&self) -> &Entry {
        // be_born has put it there, and nothing removes it.
        &self.members.get(&self.settings.base_url).expect("our own entry is always there").entry
    }

    /// Somebody says something of us. What goes beyond our own word is answered when we next vouch for ourselves.
    pub(super) fn hear_of_self(&mut self, claim: Entry) {
        let own = self.own();
        // A v1 peer goes by the stamp alone: another state with a newer stamp wins there.
        if supersedes(&claim, own) || (claim.state != own.state && claim.stamp >= own.stamp) {
            self.claim = Some(match self.claim.take() {
                Some(earlier) => join(earlier, claim),
                None => claim,
            });
        }
    }

    /// Says that we are as we say, now, and answers what others have said. Not while the program hangs: nobody else
    /// can know that it does.
    pub(super) fn vouch(&mut self, now: Now) {
        if !self.is_awake(now) {
            return;
        }
        let mut own = self.own().clone();
        if let Some(claim) = self.claim.take() {
            // The same state with a newer stamp is what v1 peers make of us in their master list.
            if (effective_incarnation(&claim), claim.state) > (effective_incarnation(&own), own.state) {
                self.figures.refutations += 1;
                if is_alive_elsewhere(&claim, &own) {
                    self.meet_rival(now);
                }
                let above = effective_incarnation(&own).max(effective_incarnation(&claim)) + 1;
                if claim.is_failure() && self.url_doubt == UrlDoubt::None {
                    let by = claim.v2.as_ref().and_then(|v2| v2.author.clone());
                    self.url_doubt = UrlDoubt::Unheard { since: now.mono, by };
                }
                set_incarnation(&mut own, above);
            }
            own.stamp = own.stamp.max((claim.stamp + 1).min(now.wall + MAX_RAISE));
        }
        // Of a drained server every stamp is news to others: it is stamped anew only lest it expires.
        if own.state == State::Online || own.stamp + DRAINED_STAMP < now.wall {
            own.stamp = own.stamp.max(now.wall);
        }
        // Our clock was far ahead and has been set right. Nobody whose clock is right has taken what we said
        // meanwhile, and nobody would take what builds on it.
        if own.stamp.max(effective_incarnation(&own)) > now.wall + MAX_AHEAD {
            own.stamp = now.wall;
            let incarnation = own.v2.as_ref().map_or(0, |v2| v2.incarnation);
            set_incarnation(&mut own, if incarnation > now.wall + MAX_AHEAD { now.wall } else { incarnation + 1 });
        }
        self.put_own(own, now);
    }

    /// Goes online or offline by our own will.
    pub(super) fn declare_self(&mut self, state: State, reason: Option<Reason>, now: Now) {
        self.vouch(now);
        let mut own = self.own().clone();
        let above = effective_incarnation(&own) + 1;
        own.state = state;
        own.stamp = (own.stamp + 1).max(now.wall);
        if reason == Some(Reason::Left) {
            // Whoever has not heard of it yet finds us dead, and stamps that by our clock: the leave is the later word.
            own.stamp += LEAVE_AHEAD + 2 * self.settings.interval.as_millis() as u64;
        }
        set_incarnation(&mut own, above);
        if let Some(v2) = &mut own.v2 {
            v2.reason = reason;
            v2.author = reason.map(|_| own.url.clone());
        }
        self.put_own(own, now);
    }

    /// Others call us dead, and do not change their mind although we speak to them and are answered: they find nobody
    /// at our base URL. Whoever is listed again hears of the others soon, which ends the doubt.
    pub(super) fn doubt_our_url(&mut self, now: Now) {
        let patience = UNHEARD * self.settings.interval;
        let is_answered = now.mono < self.last_answer + 2 * self.settings.interval;
        // To a drained server nobody speaks.
        let is_listed = self.own().state == State::Online;
        if let UrlDoubt::Unheard { since, by } = &self.url_doubt
            && is_listed
            && is_answered
            && now.mono >= *since + patience
        {
            self.notices.push_back(Event::Unreachable { url: self.settings.base_url.clone(), by: by.clone() });
            self.url_doubt = UrlDoubt::Said;
        }
    }

    /// Asks at our own base URL who answers: where nobody of ours is known, nobody else would tell of another process there. On
    /// a connection of its own: whoever hands them out among processes would hand one that is kept to the same.
    pub(super) fn look_into_mirror(&mut self, now: Now) {
        let own = self.settings.base_url.clone();
        if !self.is_contacting(&own) {
            self.send_on(own, Purpose::Mirror, true, now);
        }
    }

    /// Somebody at our own base URL speaks, or answers there: we, or another process. That is nobody who has reached us, and
    /// nobody whom we have reached.
    pub(super) fn hear_mirror(&mut self, message: &Message, now: Now) {
        self.hear_all(message, None, Voice::Hearsay, false, now);
        self.vouch(now);
    }

    fn meet_rival(&mut self, now: Now) {
        let overlap = OVERLAP * self.settings.interval;
        self.rival = match self.rival {
            Rival::Said => return,
            // After a silence it is another one, that replaces us or is replaced.
            Rival::Answered { first, last } if now.mono < last + overlap => {
                if now.mono >= first + overlap {
                    self.notices.push_back(Event::Rival(self.settings.base_url.clone()));
                    Rival::Said
                } else {
                    Rival::Answered { first, last: now.mono }
                }
            }
            Rival::None | Rival::Answered { .. } => Rival::Answered { first: now.mono, last: now.mono },
        };
    }

    fn put_own(&mut self, own: Entry, now: Now) {
        let (url, change) = (own.url.clone(), self.members.put(own, now));
        if self.note(&url, change, now) == News::Rumour {
            self.spread(url, now);
        }
    }
}

fn is_alive_elsewhere(claim: &Entry, own: &Entry) -> bool {
    claim.state == State::Online && claim.v2.is_some() && claim.instance() != own.instance()
}

fn set_incarnation(own: &mut Entry, incarnation: u64) {
    if let Some(v2) = &mut own.v2 {
        v2.incarnation = incarnation;
    }
}
