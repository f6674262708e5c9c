//! Exchanges: a request to a server and its response. The table in [`Purpose::policy`] sets the timeout, the retry and
//! the consequences for each kind. `dispatch.rs` has the special cases of self-probes, repairs and suspect retries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::action::{Action, RequestId};
use super::output::Output;
use crate::clock::Now;
use crate::membership::Members;
use crate::message::{Entry, Envelope, Message, ServerUrl, State};

/// The longest timeout of an exchange (as in version 1). Shorter intervals have shorter timeouts.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest timeout of each of two tries. A connection whose first packet is lost takes a second to open.
const TRY_TIMEOUT: Duration = Duration::from_millis(1_500);
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The timeout of an exchange.
pub fn exchange_timeout(interval: Duration) -> Duration {
    interval.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
}

/// The timeout of an exchange if another server waits for its outcome.
pub fn short_timeout(interval: Duration) -> Duration {
    exchange_timeout(interval) * 4 / 5
}

/// Why an exchange is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Compares lists. A failure has no consequence.
    Contact,
    /// Tests whether a member answers.
    Probe,
    /// Retries a suspect.
    SuspectRetry,
    /// Verifies a failure that others reported.
    Verification,
    /// Probes a member for another server.
    IndirectProbe {
        /// The server that asked.
        asker: ServerUrl,
        /// The token of its request.
        token: u32,
    },
    /// Reports the result of an indirect probe.
    ProbeReport,
    /// Sends updates. If the receiver fails, the next on the ring gets them.
    Update {
        /// How many further receivers may be tried.
        ring_tries: u32,
    },
    /// Exchanges the entries of the buckets that differ.
    Repair(DigestPair),
    /// Asks which process answers at our own base URL.
    SelfProbe,
}

/// The hashes of our list and the peer's, before a repair.
pub type DigestPair = (u64, u64);

/// How one kind of exchange is made, and what follows its outcome.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Which timeout it has.
    pub timeout: Timeout,
    /// Whether a failure is retried once on a new connection, unless the connection was refused. For exchanges whose
    /// loss, also on an idle connection that the peer closed, nothing else repairs.
    pub is_retried: bool,
    /// What follows an answer.
    pub on_success: OnSuccess<'a>,
    /// What follows a failure.
    pub on_failure: OnFailure,
}

/// The timeout of an exchange.
#[derive(Clone, Copy, Debug)]
pub enum Timeout {
    /// [`exchange_timeout`].
    Full,
    /// [`short_timeout`].
    Short,
    /// [`TRY_TIMEOUT`], twice at most: another server waits for the outcome of both tries.
    Try,
}

/// What follows an answer, after its entries are merged.
#[derive(Clone, Copy, Debug)]
pub enum OnSuccess<'a> {
    /// Only merge its entries.
    Nothing,
    /// Compare the digests of both lists.
    Compare,
    /// Report to the server that asked for an indirect probe.
    Report(&'a ServerUrl, u32),
    /// End the repair.
    EndRepair(DigestPair),
}

/// What follows a failure.
#[derive(Clone, Copy, Debug)]
pub enum OnFailure {
    /// Only record it.
    Nothing,
    /// Suspect the server.
    Suspect,
    /// Record the failure in the suspicion.
    Confirm,
    /// Accept the reported failure.
    AcceptReport,
    /// Send the updates to the next server on the ring.
    SendToNext(u32),
    /// Report to the server that asked for an indirect probe.
    Report,
}

impl Purpose {
    /// The policy of this kind of exchange.
    pub fn policy(&self) -> Policy<'_> {
        use OnSuccess::{Compare, EndRepair, Nothing, Report};
        use Timeout::{Full, Short, Try};
        let (timeout, is_retried, on_success, on_failure) = match self {
            Self::Contact => (Full, false, Compare, OnFailure::Nothing),
            Self::Probe => (Full, false, Compare, OnFailure::Suspect),
            Self::SuspectRetry => (Short, false, Compare, OnFailure::Confirm),
            Self::Verification => (Try, true, Compare, OnFailure::AcceptReport),
            Self::IndirectProbe { asker, token } => (Try, true, Report(asker, *token), OnFailure::Report),
            Self::ProbeReport => (Short, true, Nothing, OnFailure::Nothing),
            Self::Update { ring_tries } => (Full, false, Nothing, OnFailure::SendToNext(*ring_tries)),
            Self::Repair(pair) => (Full, false, EndRepair(*pair), OnFailure::Nothing),
            Self::SelfProbe => (Full, false, Nothing, OnFailure::Nothing),
        };
        Policy { timeout, is_retried, on_success, on_failure }
    }
}

/// An exchange to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The receiver.
    pub to: ServerUrl,
    /// Its purpose.
    pub purpose: Purpose,
    /// What to send.
    pub content: Content,
    /// Whether to open a new connection.
    pub new_connection: bool,
    /// Overrides the timeout of the policy.
    pub timeout: Option<Duration>,
}

/// What a request sends, in addition to the local member's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Our digest, and what we list of the receiver if it may want to refute that.
    Gossip,
    /// These entries and envelope fields.
    Entries(Vec<Entry>, Box<Envelope>),
    /// This complete message.
    Message(Arc<Message>),
}

impl Request {
    /// A request with the usual content.
    pub fn new(to: ServerUrl, purpose: Purpose) -> Self {
        Self::with(to, purpose, Content::Gossip)
    }

    /// A request with the given content.
    pub fn with(to: ServerUrl, purpose: Purpose, content: Content) -> Self {
        Self { to, purpose, content, new_connection: false, timeout: None }
    }

    /// Opens a new connection for it.
    pub fn on_new_connection(self) -> Self {
        Self { new_connection: true, ..self }
    }

    /// Sets a shorter timeout.
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
}

/// An exchange under way.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The receiver.
    pub to: ServerUrl,
    /// Its purpose.
    pub purpose: Purpose,
    /// When it began; for a retry, when the first try began.
    pub started: Started,
    /// What was sent.
    pub message: Arc<Message>,
    /// Whether it has a new connection.
    pub new_connection: bool,
}

/// When an exchange began, by our clock and by the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Monotonic.
    pub mono: Duration,
    /// The peer's estimated wall clock, ms.
    pub peer_clock: u64,
}

/// The exchanges under way.
#[derive(Clone, Debug)]
pub struct Exchanges {
    interval: Duration,
    under_way: BTreeMap<RequestId, Exchange>,
}

impl Exchanges {
    /// None.
    pub fn new(interval: Duration) -> Self {
        Self { interval, under_way: BTreeMap::new() }
    }

    /// Begins an exchange with a complete message.
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
        // A server that left is about to exit, and its program waits for kept connections.
        let new_connection = new_connection || member.is_some_and(|member| member.entry.state == State::Offline);
        let own_timeout = match purpose.policy().timeout {
            Timeout::Full => exchange_timeout(self.interval),
            Timeout::Short => short_timeout(self.interval),
            Timeout::Try => short_timeout(self.interval).min(TRY_TIMEOUT),
        };
        let timeout = timeout.map_or(own_timeout, |timeout| timeout.min(own_timeout));
        // `max`: its clock may have been set back since it made the listed stamp.
        let peer_clock = member.map_or(0, |member| member.estimated_clock(now).max(member.entry.stamp));
        let started = Started { mono: now.mono, peer_clock };
        let id = out.new_id();
        out.act(Action::Gossip { id, to: to.clone(), message: Arc::clone(&message), timeout, new_connection });
        self.under_way.insert(id, Exchange { to, purpose, started, message, new_connection });
        id
    }

    /// Retries a failed exchange on a new connection. Keeps the start time of the first try.
    pub fn retry(&mut self, exchange: Exchange, members: &Members, now: Now, out: &mut Output) {
        let Exchange { to, purpose, started, message, .. } = exchange;
        let request = Request::with(to, purpose, Content::Message(Arc::clone(&message))).on_new_connection();
        let id = self.begin(request, message, members, now, out);
        if let Some(exchange) = self.under_way.get_mut(&id) {
            exchange.started = started;
        }
    }

    /// An exchange under way. None if it was dropped.
    pub fn get(&self, id: RequestId) -> Option<&Exchange> {
        self.under_way.get(&id)
    }

    /// Ends an exchange. None if it was dropped.
    pub fn end(&mut self, id: RequestId) -> Option<Exchange> {
        self.under_way.remove(&id)
    }

    /// Drops all exchanges.
    pub fn clear(&mut self) {
        self.under_way.clear();
    }

    /// Whether no exchange is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// How many exchanges of a kind are under way.
    pub fn count(&self, is_kind: impl Fn(&Purpose) -> bool) -> usize {
        self.under_way.values().filter(|exchange| is_kind(&exchange.purpose)).count()
    }

    /// Whether any exchange with a server is under way.
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
        // `collect` sorts first, which adds 8 kB of code for each type.
        let mut receivers = BTreeSet::new();
        receivers.extend(self.under_way.values().filter(|it| is_kind(&it.purpose)).map(|it| &it.to));
        receivers
    }
}
