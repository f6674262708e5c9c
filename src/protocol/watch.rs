//! Watch connections: silent connections to the servers that follow on the ring. When a server's process ends, its kernel
//! closes them at once. A close is a reason to probe, never a verdict: proxies and idle timeouts close connections too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::{Action, RequestId, WatchEnd};
use super::output::Output;
use super::pacing::backoff;
use super::timer::Timer;
use crate::clock::Now;
use crate::membership::{Members, WATCHERS};
use crate::message::ServerUrl;

/// For how long a host has acknowledged nothing when keep-alive gives it up.
pub const VANISHED_AFTER: Duration = Duration::from_secs(6);
const SUCCESSORS: usize = WATCHERS;
/// How many version 1 servers are watched at most: they watch nobody, so a few servers of ours may have to watch many.
const MAX_VERSION_1: usize = 16;
/// After how long a watch is replaced by a new one. Node cuts a silent connection off after 60 s (`headersTimeout`), and
/// `server.close()` waits for it, so a program that closes its server without a leave waits for this long at most.
const RENEWAL: Duration = Duration::from_secs(15);
/// How much shorter than the last one lived the next watch is kept, if something closed it while the server was up.
const SHORTER: f64 = 0.8;
/// A watch that lived for less than this is of no use.
const SHORTEST: Duration = Duration::from_secs(3);
/// After how many of these a server is not watched for a while, and for how long. After that time an earlier close is
/// forgotten too: whatever closed the connections may be gone.
const MAX_SHORT: u32 = 3;
const PAUSE: Duration = Duration::from_secs(3_600);
/// How long after a watch has ended the next one is opened. The probe has shown by then whether the server is up.
const REOPENING: Duration = Duration::from_secs(1);
/// How long after a failed attempt to open a watch the next one is made, if the server is still listed online. It doubles
/// with each failure, up to [`PAUSE`].
const RETRY: Duration = Duration::from_secs(5);

/// One watched server.
#[derive(Debug)]
struct Watch {
    // The connection that is open, and since when.
    open: Option<(RequestId, Duration)>,
    // The one that is being opened: before the other is closed, so that there always is one.
    opening: Option<RequestId>,
    // When the next one is to be opened.
    due: Duration,
    // How long one is kept.
    lifetime: Duration,
    // When the lifetime was shortened last.
    shortened: Duration,
    // How many in a row were closed at once, and how many could not be opened.
    short: u32,
    not_opened: u32,
    // The process that it leads to, if that is known: version 1 has no instances.
    instance: Option<u32>,
}

impl Watch {
    fn new(due: Duration) -> Self {
        Self {
            open: None,
            opening: None,
            due,
            lifetime: RENEWAL,
            shortened: Duration::ZERO,
            short: 0,
            not_opened: 0,
            instance: None,
        }
    }

    // Another process may run there now: the end of the one before does not mean that something closes connections.
    fn on_instance(&mut self, instance: Option<u32>, now: Duration) {
        if self.instance.is_some_and(|before| Some(before) != instance) {
            (self.lifetime, self.short, self.not_opened) = (RENEWAL, 0, 0);
            if self.open.is_none() {
                self.due = now;
            }
        }
        self.instance = instance;
    }

    // Something closed it after so long.
    fn on_closed(&mut self, lived: Duration, now: Duration) {
        if lived < SHORTEST {
            self.short += 1;
            if self.short >= MAX_SHORT {
                (self.due, self.short) = (now + PAUSE, 0);
            }
        } else {
            self.short = 0;
            self.lifetime = self.lifetime.min(lived.mul_f64(SHORTER)).max(SHORTEST);
            self.shortened = now;
        }
    }
}

/// The watch connections of this server.
#[derive(Debug, Default)]
pub struct Watches {
    by_url: BTreeMap<ServerUrl, Watch>,
}

impl Watches {
    /// Opens and closes connections, so that those are watched who should be. To be called when the members have changed,
    /// and at [`Timer::Watch`].
    pub fn update(&mut self, members: &Members, now: Now, out: &mut Output) {
        let targets = members.watch_targets(SUCCESSORS, MAX_VERSION_1);
        let gone: Vec<_> = self.by_url.keys().filter(|url| !targets.contains(url)).cloned().collect();
        for url in gone {
            self.close(&url, out);
        }
        for url in targets {
            let watch = self.by_url.entry(url.clone()).or_insert_with(|| Watch::new(now.mono));
            let instance = members.get(&url).and_then(|member| Some(member.entry.v2.as_ref()?.instance));
            watch.on_instance(instance, now.mono);
            if watch.opening.is_none() && watch.due <= now.mono {
                let id = out.new_id();
                watch.opening = Some(id);
                out.act(Action::OpenWatch { id, to: url });
            }
        }
        let waiting = self.by_url.values().filter(|watch| watch.opening.is_none());
        if let Some(due) = waiting.map(|watch| watch.due).min() {
            out.timers.set(Timer::Watch, due);
        }
    }

    /// A connection is open. The one before it is closed.
    pub fn on_opened(&mut self, id: RequestId, now: Now, out: &mut Output) {
        let Some(watch) = self.by_url.values_mut().find(|watch| watch.opening == Some(id)) else { return };
        (watch.opening, watch.not_opened) = (None, 0);
        if let Some((before, _)) = watch.open.replace((id, now.mono)) {
            out.act(Action::CloseWatch { id: before });
        }
        if now.mono > watch.shortened + PAUSE {
            watch.lifetime = RENEWAL;
        }
        watch.due = now.mono + watch.lifetime.mul_f64(out.jitter(0.9..1.0));
        out.timers.set_earlier(Timer::Watch, watch.due);
    }

    /// A connection has ended, or could not be opened. Returns the server if that is a reason to probe it.
    pub fn on_end(&mut self, id: RequestId, end: WatchEnd, now: Now, out: &mut Output) -> Option<ServerUrl> {
        let is_it = |watch: &Watch| watch.opening == Some(id) || watch.open.is_some_and(|(open, _)| open == id);
        let (url, watch) = self.by_url.iter_mut().find(|(_, watch)| is_it(watch))?;
        let opened = watch.open.filter(|(open, _)| *open == id).map(|(_, at)| at);
        if let Some(at) = opened {
            watch.open = None;
            watch.due = now.mono + REOPENING;
            if end == WatchEnd::Closed {
                watch.on_closed(now.mono.saturating_sub(at), now.mono);
            }
        } else {
            watch.opening = None;
            let retry = backoff(RETRY, watch.not_opened, PAUSE);
            watch.due = now.mono + if end == WatchEnd::Unsupported { PAUSE } else { retry };
            // Once this machine has what it lacks, the watch is opened soon.
            watch.not_opened += u32::from(end != WatchEnd::Local);
        }
        out.timers.set_earlier(Timer::Watch, watch.due);
        out.counters.watches.on_end(end);
        match end {
            WatchEnd::Closed | WatchEnd::Vanished | WatchEnd::NotOpened => Some(url.clone()),
            WatchEnd::Local | WatchEnd::Unsupported => None,
        }
    }

    /// Closes all.
    pub fn close_all(&mut self, out: &mut Output) {
        let all: Vec<_> = self.by_url.keys().cloned().collect();
        for url in all {
            self.close(&url, out);
        }
    }

    fn close(&mut self, url: &ServerUrl, out: &mut Output) {
        if let Some(watch) = self.by_url.remove(url) {
            for id in watch.opening.into_iter().chain(watch.open.map(|(id, _)| id)) {
                out.act(Action::CloseWatch { id });
            }
        }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.by_url.values().filter(|watch| watch.open.is_some()).count()
    }
}
