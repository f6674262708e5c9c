//! The text of each event of the core, for log records and warnings. The codes are listed in docs/errors.md.

use super::failure::certificate_remedy;
use super::gossip_http::TOO_MANY;
use super::self_probe_text;
use crate::membership::{MAX_SERVERS, MAX_UNREACHED};
use crate::message::{Reason, Skipped};
use crate::protocol::{Event, ExchangeError, Failure, MemberEvent, MemberEventKind, Resolved};
use crate::server_url::ServerUrl;

pub struct Text {
    pub code: &'static str,
    pub message: String,
    pub warning: Warn,
}

/// Whether an event is a warning.
pub enum Warn {
    No,
    /// A warning, unless one is active for its subject; then a log record with the code `repeated`, or nothing.
    Once {
        subject: String,
        repeated: Option<&'static str>,
    },
}

/// The texts to report for an event. None for events that only the engine uses.
pub fn texts(event: Event) -> Vec<Text> {
    vec![match event {
        Event::Started | Event::Left | Event::Resolved(_) => return Vec::new(),
        Event::EntriesSkipped { entries, place } => {
            return entries.into_iter().map(|entry| skipped(entry, &place)).collect();
        }
        Event::Member(event) => return member(event),
        Event::ExchangeFailed(url, error) => exchange_failed(&url, &error),
        Event::ListWritten { list, servers, on_condition } => {
            let how = if on_condition { "on condition that nobody else had written it" } else { "without a condition" };
            log("LIST_WRITTEN", format!("the master list {list} was written, {how}; it names {servers} servers"))
        }
        Event::ListFailed(error) => log("LIST_FAILED", format!("the master list {error}")),
        Event::ListUnusable { list, error } => {
            let message = format!(
                "the master list {error}. While no list works, new servers do not find the others. Correct \
                 what it says; docs/master-list.md has what each store needs"
            );
            warning_once("SHAZBOT_LIST_UNUSABLE", list, None, message)
        }
        Event::PlaceFailed(place, ExchangeError::SecretRejected) => secret_rejected(&place.to_string(), "PLACE_FAILED"),
        Event::PlaceFailed(place, error) => {
            log("PLACE_FAILED", format!("no server of this cluster at {place}: {error}"))
        }
        Event::Alone(tried) => {
            let tried = tried.join("; ");
            let message = format!(
                "this server has known no other server for ten intervals. It keeps trying: {tried}. If it is meant to be alone, \
                 ignore this. If not, docs/master-list.md says what each of these means; all servers must begin with the \
                 same list or name"
            );
            warning_once("SHAZBOT_ALONE", String::new(), Some("ALONE"), message)
        }
        Event::Isolated => {
            let message = "no other server answers this one any more, so the network of this server is probably cut. It keeps \
                           its list for a while (75 s at an interval of 30 s), while the others list it offline; then it \
                           lists them offline. Check the network of this machine, its firewall and its DNS";
            warning_once("SHAZBOT_ISOLATED", String::new(), Some("ISOLATED"), message.into())
        }
        Event::StateNotSaved(error) => {
            let message = format!(
                "the state file {error}. At its next start this server will not remember the servers that it knows now. \
                 Correct SHAZBOT_STATE_FILE, or create the folder with the right to write there"
            );
            warning_once("SHAZBOT_STATE_UNUSABLE", String::new(), Some("STATE_FAILED"), message)
        }
        Event::Unreachable { url, by } => {
            let by = by.map(|by| format!(", says {by}")).unwrap_or_default();
            let message = format!(
                "other servers cannot reach this one at its SHAZBOT_BASE_URL, {url}{by}. Set it to a URL at which every other \
                 server reaches this process"
            );
            warning_once("SHAZBOT_UNREACHABLE", String::new(), None, message)
        }
        Event::SelfProbeFailed(url, error) => {
            let message = self_probe_text::message(&url, &error);
            warning_once("SHAZBOT_SELF_PROBE", String::new(), Some("SELF_PROBE"), message)
        }
        Event::DuplicateUrl(url) => {
            let message = format!(
                "another process has the same SHAZBOT_BASE_URL, {url}: other servers take both for one server, and each \
                 message reaches only one of the two. Was this configuration copied from another machine? Give each process \
                 a base URL of its own; docs/production.md shows how with node:cluster and PM2"
            );
            warning_once("SHAZBOT_DUPLICATE_BASE_URL", String::new(), None, message)
        }
        Event::LoopbackUrl { url, other } => {
            let message = format!(
                "SHAZBOT_BASE_URL is {url}, a loopback address, and {other} is in the cluster too. Servers on other \
                 machines cannot reach this one. Set SHAZBOT_BASE_URL to an address or a name of this machine, for \
                 example http://{{address}}:3000/. If {other} is on this machine, ignore this"
            );
            warning_once("SHAZBOT_DOUBTFUL_CONFIG", String::new(), None, message)
        }
        Event::ClockWrong => {
            let message = "the clock of this machine is more than three hours off those of most other servers. They refuse \
                           what this server says, and it refuses what they say. Set the clock, for example by NTP. Until \
                           then this server changes nothing in a master list but its own entry, and writes no state file";
            warning_once("SHAZBOT_CLOCK", String::new(), None, message.into())
        }
        Event::Full => {
            let message = format!(
                "peers name too many servers: this one lists at most {MAX_SERVERS}, and at most {MAX_UNREACHED} that have \
                 never answered it. Find out who names them: base URLs that change at each start, or a server that invents some"
            );
            warning_once("SHAZBOT_TOO_MANY_SERVERS", String::new(), None, message)
        }
    }]
}

/// The code and subject of a warning whose cause is gone.
pub fn ended(resolved: &Resolved) -> (&'static str, &str) {
    match resolved {
        Resolved::Alone => ("SHAZBOT_ALONE", ""),
        Resolved::Isolated => ("SHAZBOT_ISOLATED", ""),
        Resolved::List(list) => ("SHAZBOT_LIST_UNUSABLE", list),
        Resolved::State => ("SHAZBOT_STATE_UNUSABLE", ""),
        Resolved::Unreachable => ("SHAZBOT_UNREACHABLE", ""),
        Resolved::SelfProbe => ("SHAZBOT_SELF_PROBE", ""),
        Resolved::DuplicateUrl => ("SHAZBOT_DUPLICATE_BASE_URL", ""),
        Resolved::Clock => ("SHAZBOT_CLOCK", ""),
    }
}

fn log(code: &'static str, message: String) -> Text {
    Text { code, message, warning: Warn::No }
}

fn warning_once(code: &'static str, subject: String, repeated: Option<&'static str>, message: String) -> Text {
    Text { code, message, warning: Warn::Once { subject, repeated } }
}

fn skipped(Skipped { name, reason }: Skipped, place: &str) -> Text {
    let shown = if name.is_empty() { "without a URL" } else { &name };
    let message = format!(
        "an entry in {place} is ignored, {shown}: {reason}. Find out who wrote it there; the other entries are read"
    );
    warning_once("SHAZBOT_ENTRY_SKIPPED", format!("{name} {reason}"), None, message)
}

fn member(MemberEvent { kind, entry, failure, .. }: MemberEvent) -> Vec<Text> {
    let url = entry.url.clone();
    let failure = failure.map(|Failure { code, text }| format!(" ({code}: {text})")).unwrap_or_default();
    vec![match kind {
        // Not a change for the program.
        MemberEventKind::Tombstone => return Vec::new(),
        MemberEventKind::Online => log("MEMBER_ONLINE", format!("{url} is online")),
        MemberEventKind::Tags => log("MEMBER_TAGS", format!("{url} has other tags")),
        MemberEventKind::Ready if entry.is_ready() => log("MEMBER_READY", format!("{url} is ready")),
        MemberEventKind::Ready => log("MEMBER_NOT_READY", format!("{url} is not ready")),
        MemberEventKind::Suspect => {
            let message = format!("{url} does not answer{failure}: asking other servers whether they reach it");
            log("MEMBER_SUSPECT", message)
        }
        MemberEventKind::Offline => {
            let (reason, author) = entry.v2.map_or((None, None), |v2| (v2.reason, v2.author));
            let reason = match reason {
                Some(Reason::Failed) => ": exchanges with it fail",
                Some(Reason::Drained) => ": it was drained",
                Some(Reason::Left) => ": it left",
                Some(Reason::Other(_)) | None => "",
            };
            let author = author.map(|author| format!(", says {author}")).unwrap_or_default();
            log("MEMBER_OFFLINE", format!("{url} is offline{reason}{failure}{author}"))
        }
    }]
}

fn secret_rejected(server: &str, repeated: &'static str) -> Text {
    let message = format!(
        "{server} rejects our SHAZBOT_SECRET: it must be the same on every server. Or it accepts only signed messages: \
         then set SHAZBOT_AUTH=sign here"
    );
    warning_once("SHAZBOT_PEER_REFUSED_SECRET", server.to_owned(), Some(repeated), message)
}

fn exchange_failed(url: &ServerUrl, error: &ExchangeError) -> Text {
    let repeated = Some("EXCHANGE_FAILED");
    match error {
        ExchangeError::SecretRejected => secret_rejected(url.as_str(), "EXCHANGE_FAILED"),
        ExchangeError::WrongCluster(why) => {
            let message = format!("{url} belongs to another cluster. {why}");
            warning_once("SHAZBOT_WRONG_CLUSTER", url.to_string(), repeated, message)
        }
        ExchangeError::Local(why) if why == TOO_MANY => {
            log("EXCHANGE_FAILED", format!("no gossip with {url} now: {why}"))
        }
        ExchangeError::Local(why) => {
            let message = format!(
                "gossip with {url} is not possible, this process or machine lacks resources: {why}. It is tried again. If \
                 it lasts, raise the limits (ulimit -n, ulimit -u, the container's), or find out what uses them up"
            );
            warning_once("SHAZBOT_NO_RESOURCES", String::new(), repeated, message)
        }
        ExchangeError::Refused(_)
        | ExchangeError::NotReady(_)
        | ExchangeError::Unreachable(_)
        | ExchangeError::Busy
        | ExchangeError::TimedOut
        | ExchangeError::NoAnswer(_)
        | ExchangeError::Other(_) => {
            let failure = error.failure();
            let Failure { code, text } = &failure;
            let Some(remedy) = certificate_remedy(&failure) else {
                return log("EXCHANGE_FAILED", format!("gossip with {url} failed: {code}: {text}"));
            };
            let message = format!("gossip with {url} fails because of a TLS certificate: {text} ({code}). {remedy}");
            warning_once("SHAZBOT_CERTIFICATE", url.to_string(), repeated, message)
        }
    }
}
