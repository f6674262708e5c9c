//! Exchanges: a message to a server and its response. One table, [`Purpose::policy`], holds the timeout, the retry and the
//! consequences of each kind. `dispatch.rs` treats self-probes, repairs and retries of suspects separately where they differ
//! in more than that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::action::{Action, RequestId};
use super::output::Output;
use crate::clock::Now;
use crate::membership::Members;
use crate::message::{Entry, Envelope, Message, ServerUrl, State};

/// The longest time in which an exchange must be answered (version 1's number); a shorter interval makes it shorter.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time of each of two tries: a connection whose first packet is lost opens after a second.
const TRY_TIMEOUT: Duration = Duration::from_millis(1_500);
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// After how long an exchange has failed.
pub fn exchange_timeout(interval: Duration) -> Duration {
    interval.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
}

/// The same for one whose outcome others wait for.
pub fn short_timeout(interval: Duration) -> Duration {
    exchange_timeout(interval) * 4 / 5
}

/// What an exchange is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Compares lists with a server; a failure has no consequence.
    Contact,
    /// To find out whether a member is up.
    Probe,
    /// To try a suspect again.
    SuspectRetry,
    /// To find out whether a member is up that others report as failed.
    Verification,
    /// To find out for another server, which asked, whether a member is up.
    IndirectProbe {
        /// The server that asked.
        asker: ServerUrl,
        /// The token of its request.
        token: u32,
    },
    /// Tells the asker of an indirect probe whether the member answered.
    ProbeReport,
    /// To tell updates. If the receiver fails, the next on the ring is told, for so many tries more.
    Update {
        /// How many.
        ring_tries: u32,
    },
    /// To send each other the entries of the buckets that differ.
    Repair(DigestPair),
    /// To find out who answers at our own base URL.
    SelfProbe,
}

/// The hashes of our list and of another, as they were before a repair.
pub type DigestPair = (u64, u64);

/// How an exchange of one kind is made, and what follows from its outcome.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Its timeout.
    pub timeout: Timeout,
    /// Whether it is tried once more on a new connection, unless that was refused: where nothing else makes up for a lost
    /// exchange, or for an idle connection that the other side has closed.
    pub is_retried: bool,
    /// What follows an answer.
    pub on_success: OnSuccess<'a>,
    /// What follows a failure.
    pub on_failure: OnFailure,
}

/// Which timeout an exchange has.
#[derive(Clone, Copy, Debug)]
pub enum Timeout {
    /// [`exchange_timeout`].
    Full,
    /// [`short_timeout`].
    Short,
    /// [`TRY_TIMEOUT`]: the exchange is tried twice, and others wait for the outcome of both tries.
    Try,
}

/// What follows an answer, after its entries are taken in.
#[derive(Clone, Copy, Debug)]
pub enum OnSuccess<'a> {
    /// Nothing.
    Nothing,
    /// The lists are compared by their digests.
    Compare,
    /// The server that asked is told.
    Report(&'a ServerUrl, u32),
    /// The repair ends.
    EndRepair(DigestPair),
}

/// What follows a failure.
#[derive(Clone, Copy, Debug)]
pub enum OnFailure {
    /// Nothing.
    Nothing,
    /// The server is suspected.
    Suspect,
    /// The suspicion notes how it failed.
    Confirm,
    /// The reported failure is believed.
    BelieveReport,
    /// Another server is told.
    TellNext(u32),
    /// The server that asked is told.
    Report,
}

impl Purpose {
    /// The policy of each kind of exchange.
    pub fn policy(&self) -> Policy<'_> {
        use OnSuccess::{Compare, EndRepair, Nothing, Report};
        use Timeout::{Full, Short, Try};
        let (timeout, is_retried, on_success, on_failure) = match self {
            Self::Contact => (Full, false, Compare, OnFailure::Nothing),
            Self::Probe => (Full, false, Compare, OnFailure::Suspect),
            Self::SuspectRetry => (Short, false, Compare, OnFailure::Confirm),
            Self::Verification => (Try, true, Compare, OnFailure::BelieveReport),
            Self::IndirectProbe { asker, token } => (Try, true, Report(asker, *token), OnFailure::Report),
            Self::ProbeReport => (Short, true, Nothing, OnFailure::Nothing),
            Self::Update { ring_tries } => (Full, false, Nothing, OnFailure::TellNext(*ring_tries)),
            Self::Repair(pair) => (Full, false, EndRepair(*pair), OnFailure::Nothing),
            Self::SelfProbe => (Full, false, Nothing, OnFailure::Nothing),
        };
        Policy { timeout, is_retried, on_success, on_failure }
    }
}

/// An exchange that a part of the protocol asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The receiver.
    pub to: ServerUrl,
    /// What it is for.
    pub purpose: Purpose,
    /// What is sent.
    pub content: Content,
    /// Whether it needs a new connection.
    pub new_connection: bool,
    /// A shorter timeout than its purpose has.
    pub timeout: Option<Duration>,
}

/// What a request sends. The local member's entry is always part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// What we list of the receiver where it may want to correct that, and our digest.
    Gossip,
    /// Some entries and words.
    Entries(Vec<Entry>, Box<Envelope>),
    /// A message that is made already.
    Message(Arc<Message>),
}

impl Request {
    /// A request with the usual content.
    pub fn new(to: ServerUrl, purpose: Purpose) -> Self {
        Self::with(to, purpose, Content::Gossip)
    }

    /// A request with other content.
    pub fn with(to: ServerUrl, purpose: Purpose, content: Content) -> Self {
        Self { to, purpose, content, new_connection: false, timeout: None }
    }

    /// The same on a connection of its own.
    pub fn on_new_connection(self) -> Self {
        Self { new_connection: true, ..self }
    }

    /// The same with a shorter timeout.
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
}

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange {
    /// The receiver.
    pub to: ServerUrl,
    /// What it is for.
    pub purpose: Purpose,
    /// When it began.
    pub started: Started,
    /// What was sent.
    pub message: Arc<Message>,
    /// Whether it has a connection of its own.
    pub new_connection: bool,
}

/// When an exchange began: by our clock, and by the clock of the server it is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Monotonic time.
    pub mono: Duration,
    /// Wall time, ms, as far as we know that server's clock.
    pub peer_clock: u64,
}

/// The exchanges under way.
#[derive(Debug)]
pub struct Exchanges {
    interval: Duration,
    under_way: BTreeMap<RequestId, Exchange>,
}

impl Exchanges {
    /// None yet.
    pub fn new(interval: Duration) -> Self {
        Self { interval, under_way: BTreeMap::new() }
    }

    /// Begins an exchange whose message is made.
    pub fn begin(
        &mut self,
        request: Request,
        message: Arc<Message>,
        members: &Members,
        now: Now,
        out: &mut Output,
    ) -> RequestId {
        let Request { to, purpose, new_connection, timeout, .. } = request;
        let member = members.get(&to);
        // A server that has left is about to end, and its program waits for connections that are kept.
        let new_connection = new_connection || member.is_some_and(|member| member.entry.state == State::Offline);
        let own_timeout = match purpose.policy().timeout {
            Timeout::Full => exchange_timeout(self.interval),
            Timeout::Short => short_timeout(self.interval),
            Timeout::Try => short_timeout(self.interval).min(TRY_TIMEOUT),
        };
        let timeout = timeout.map_or(own_timeout, |timeout| timeout.min(own_timeout));
        // Its clock may have been set back since it made the stamp that is listed.
        let peer_clock = member.map_or(0, |member| member.estimated_clock(now).max(member.entry.stamp));
        let started = Started { mono: now.mono, peer_clock };
        let id = out.new_id();
        out.act(Action::Gossip { id, to: to.clone(), message: Arc::clone(&message), timeout, new_connection });
        self.under_way.insert(id, Exchange { to, purpose, started, message, new_connection });
        id
    }

    /// Begins an exchange that has failed once more, on a new connection. It counts as begun when it first was.
    pub fn retry(&mut self, exchange: Exchange, members: &Members, now: Now, out: &mut Output) {
        let Exchange { to, purpose, started, message, .. } = exchange;
        let request = Request::with(to, purpose, Content::Message(Arc::clone(&message))).on_new_connection();
        let id = self.begin(request, message, members, now, out);
        if let Some(exchange) = self.under_way.get_mut(&id) {
            exchange.started = started;
        }
    }

    /// Ends an exchange. None if nobody waits for it any more.
    pub fn end(&mut self, id: RequestId) -> Option<Exchange> {
        self.under_way.remove(&id)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.under_way.clear();
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// How many of a kind are under way.
    pub fn count(&self, is_kind: impl Fn(&Purpose) -> bool) -> usize {
        self.under_way.values().filter(|exchange| is_kind(&exchange.purpose)).count()
    }

    /// Whether an exchange with a server is under way.
    pub fn is_contacting(&self, url: &ServerUrl) -> bool {
        self.under_way.values().any(|exchange| exchange.to == *url)
    }

    /// Whether a probe of a server is under way.
    pub fn is_probing(&self, url: &ServerUrl) -> bool {
        let is_probe = |purpose: &Purpose| matches!(purpose, Purpose::Probe | Purpose::SuspectRetry);
        self.under_way.values().any(|exchange| exchange.to == *url && is_probe(&exchange.purpose))
    }

    /// The receivers of all exchanges of a kind.
    pub fn receivers(&self, is_kind: impl Fn(&Purpose) -> bool) -> BTreeSet<&ServerUrl> {
        // Not collected: that would sort first, which is 8 kB of code for each type.
        let mut receivers = BTreeSet::new();
        receivers.extend(self.under_way.values().filter(|it| is_kind(&it.purpose)).map(|it| &it.to));
        receivers
    }
}
