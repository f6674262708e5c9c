//! False statements of a peer that holds the gossip secret: that a living server has left, is drained or has failed, and
//! that a suspect answers.

use std::sync::Arc;

use clustershazbot::message::{Entry, EntryV2, Envelope, MAX_AHEAD, Message, Reason, State};
use rand::RngExt;

use crate::world::World;

/// A liar is asked to probe suspects. It reports at once that they answer, in its own name and in those of all others.
/// Returns the message without these requests.
pub fn testify(world: &mut World, asker: usize, message: Arc<Message>) -> Arc<Message> {
    let mut honest = Message::clone(&message);
    let Some(envelope) = &mut honest.envelope else { return message };
    let requests = std::mem::take(&mut envelope.probe_requests);
    for sender in (0..world.servers().len()).filter(|_| !requests.is_empty()) {
        if let Some(own) = world.server(sender).own_entry().filter(|own| own.v2.is_some()).cloned() {
            let report = Envelope { probe_successes: requests.clone(), ..Envelope::default() };
            let report = Message::new_v2(own, [], report);
            world.call(asker, |process, now| process.handle_gossip(now, &report));
        }
    }
    Arc::new(honest)
}

/// In whose name the liar speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    /// In nobody's: a message of version 1 does not name its sender.
    Version1,
    /// In its own.
    Own,
    /// In that of the server that it lies about.
    Victim,
    /// In that of a random server.
    Another,
}

/// What the liar says about its victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Left,
    Drained,
    Failed,
    /// It is offline: an entry as version 1 makes it, without an incarnation.
    Offline,
}

/// How new the liar's entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newness {
    /// Just above the victim's incarnation.
    Above,
    /// Of this moment, by the victim's clock.
    Now,
    /// As far ahead of its clock as the receiver accepts.
    Ahead,
    /// Of this moment, and of another process than the one that runs.
    AnotherProcess,
}

/// A kind of lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie {
    voice: Voice,
    claim: Claim,
    newness: Newness,
}

impl Lie {
    /// How many kinds there are.
    pub const KINDS: usize = 64;

    /// The kind with this number.
    pub fn nth(number: usize) -> Self {
        let voices = [Voice::Version1, Voice::Own, Voice::Victim, Voice::Another];
        let claims = [Claim::Left, Claim::Drained, Claim::Failed, Claim::Offline];
        let newness = [Newness::Above, Newness::Now, Newness::Ahead, Newness::AnotherProcess];
        Self { voice: voices[number % 4], claim: claims[number / 4 % 4], newness: newness[number / 16 % 4] }
    }

    /// What it says, in words.
    pub fn describe(self) -> String {
        let Self { voice, claim, newness } = self;
        let voice = match voice {
            Voice::Version1 => "a version 1 message",
            Voice::Own => "a message in the liar's name",
            Voice::Victim => "a message in the victim's name",
            Voice::Another => "a message in another's name",
        };
        let newness = match newness {
            Newness::Above => "just above the victim's incarnation",
            Newness::Now => "of now",
            Newness::Ahead => "3 h ahead",
            Newness::AnotherProcess => "of another process",
        };
        format!("{voice} says {claim:?}, {newness}")
    }

    /// Whether each victim needs a message of its own.
    pub fn is_in_victims_name(self) -> bool {
        self.voice == Voice::Victim
    }

    /// The message that tells one server this about others. `more` are further entries, for a message of protocol 2.
    pub fn message(
        self,
        world: &mut World,
        liar: usize,
        victims: &[usize],
        to: usize,
        more: Vec<Entry>,
    ) -> Option<Message> {
        let mut entries: Vec<_> = victims.iter().filter_map(|victim| self.entry(world, liar, *victim, to)).collect();
        let sender = match self.voice {
            Voice::Version1 => return Some(Message::new(entries)),
            Voice::Victim => {
                let own = entries.pop()?;
                return Some(Message::new_v2(own, more, Envelope::default()));
            }
            Voice::Own => liar,
            Voice::Another => world.rng.random_range(0..world.servers().len()),
        };
        let own = world.server(sender).own_entry()?.clone();
        entries.extend(more);
        Some(Message::new_v2(own, entries, Envelope::default()))
    }

    fn entry(self, world: &World, liar: usize, victim: usize, to: usize) -> Option<Entry> {
        let own = world.server(victim).own_entry()?.clone();
        let newest = world.clock_of(to).wall + MAX_AHEAD;
        let now = world.clock_of(victim).wall.max(own.stamp + 1);
        let above = own.v2.as_ref().map_or(own.stamp, |v2| v2.incarnation) + 1;
        let (incarnation, stamp) = match self.newness {
            Newness::Above => (above, above),
            Newness::Now | Newness::AnotherProcess => (now.max(above), now),
            Newness::Ahead => (newest, newest),
        };
        let (incarnation, stamp) = (incarnation.min(newest), stamp.min(newest));
        let reason = match self.claim {
            Claim::Left => Some(Reason::Left),
            Claim::Drained => Some(Reason::Drained),
            Claim::Failed => Some(Reason::Failed),
            Claim::Offline => None,
        };
        let author = if self.claim == Claim::Failed { liar } else { victim };
        let author = world.url(author).clone();
        let v2 = own.v2.zip(reason).map(|(v2, reason)| {
            let is_another = self.newness == Newness::AnotherProcess;
            EntryV2 {
                incarnation,
                instance: v2.instance.wrapping_add(u32::from(is_another)),
                reason: Some(reason),
                author: Some(author),
                extensions: v2.extensions,
            }
        });
        Some(Entry { state: State::Offline, stamp, v2, ..own })
    }
}
