//! `Watches`: idle connections to the ring successors, so that we notice the end of a process at once: its kernel
//! closes them. A close is a reason to probe, never a verdict, because proxies and idle timeouts close connections too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::{Action, RequestId, WatchEnd};
use super::output::Output;
use super::pacing::backoff;
use super::timer::Timer;
use crate::clock::Now;
use crate::membership::{Members, WATCHERS};
use crate::message::ServerUrl;

/// TCP keep-alive gives up a connection at least this long after the last acknowledgement of the host.
pub const VANISHED_AFTER: Duration = Duration::from_secs(6);
const SUCCESSORS: usize = WATCHERS;
/// Most watched version 1 servers. They watch nobody, so few of our servers may have to watch many of them.
const MAX_VERSION_1: usize = 16;
/// How long a watch is kept before a new one replaces it. Node closes an idle connection after 60 s (`headersTimeout`),
/// and `server.close()` without a leave waits for it this long.
const RENEWAL: Duration = Duration::from_secs(15);
/// The factor by which the next watch is shorter if something closed the last one while the server was up.
const SHORTER: f64 = 0.8;
/// A watch that lived for less than this is useless.
const SHORTEST: Duration = Duration::from_secs(3);
/// After how many useless watches a server is not watched, and for how long. An older close is forgotten as well: the
/// cause may be gone.
const MAX_SHORT: u32 = 3;
const PAUSE: Duration = Duration::from_secs(3_600);
/// The delay between the end of a watch and the next one. By then the probe has shown whether the server is up.
const REOPENING: Duration = Duration::from_secs(1);
/// The delay after a failed attempt to open a watch. Doubles with each failure, up to [`PAUSE`].
const RETRY: Duration = Duration::from_secs(5);

/// One watched server.
#[derive(Clone, Debug)]
struct Watch {
    // The open connection, and since when.
    open: Option<(RequestId, Duration)>,
    // The connection that will replace it. Opened before the old one is closed, so that there is no gap.
    opening: Option<RequestId>,
    // When to open the next one.
    due: Duration,
    // How long to keep a connection.
    lifetime: Duration,
    // When the lifetime was last shortened.
    shortened: Duration,
    // How many in a row were closed early, and how many could not be opened.
    short: u32,
    not_opened: u32,
    // The instance of the watched process. None for version 1.
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

    // After a restart, a close is explained by the end of the old process.
    fn on_instance(&mut self, instance: Option<u32>, now: Duration) {
        if self.instance.is_some_and(|before| Some(before) != instance) {
            (self.lifetime, self.short, self.not_opened) = (RENEWAL, 0, 0);
            if self.open.is_none() {
                self.due = now;
            }
        }
        self.instance = instance;
    }

    // Something closed it after `lived`.
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

/// The watches of this server.
#[derive(Clone, Debug, Default)]
pub struct Watches {
    by_url: BTreeMap<ServerUrl, Watch>,
}

impl Watches {
    /// Opens and closes connections to match the current targets. Call it when members change and at [`Timer::Watch`].
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

    /// A connection is open. Closes the one before it.
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

    /// A connection ended or could not be opened. Returns the server if it should be probed.
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
            // A shortage of resources does not lengthen the backoff.
            watch.not_opened += u32::from(end != WatchEnd::Local);
        }
        out.timers.set_earlier(Timer::Watch, watch.due);
        out.counters.watches.on_end(end);
        match end {
            WatchEnd::Closed | WatchEnd::Vanished | WatchEnd::NotOpened => Some(url.clone()),
            WatchEnd::Local | WatchEnd::Unsupported => None,
        }
    }

    /// Closes all watches.
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
