//! `Reporter`: passes log records and warnings to the program, redacted, and tracks active warnings.

use std::sync::Arc;
use std::time::Duration;

use super::active_warnings::{ActiveWarnings, Code};
use super::event_text::{Text, Warn, ended, texts};
use super::redact::{Redactor, printable};
use crate::config::{Warning, WarningKind};
use crate::error::Error;
use crate::protocol::Event;
use crate::server_url::ServerUrl;

/// Called with each log record and warning, on the engine's thread or the caller's.
pub type Observer = Box<dyn Fn(Report) + Send>;

/// A log record or a warning. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
    /// Whether an operator must act.
    pub is_warning: bool,
}

impl Report {
    /// A warning.
    pub fn warning(code: impl Into<Code>, message: String) -> Self {
        Self { code: code.into(), message, is_warning: true }
    }

    /// A warning about the configuration.
    pub fn of_config(Warning { kind, message }: &Warning) -> Self {
        let message = message.clone();
        match kind {
            WarningKind::WeakSecret => Self::warning("SHAZBOT_WEAK_SECRET", message),
            WarningKind::Doubtful => Self::warning("SHAZBOT_DOUBTFUL_CONFIG", message),
        }
    }

    fn log(code: impl Into<Code>, message: String) -> Self {
        Self { code: code.into(), message, is_warning: false }
    }
}

/// Turns events into reports. `now` is always monotonic time.
pub struct Reporter {
    observer: Observer,
    redactor: Arc<Redactor>,
    warnings: ActiveWarnings,
}

impl Reporter {
    pub fn new(observer: Observer, redactor: Arc<Redactor>) -> Self {
        Self { observer, redactor, warnings: ActiveWarnings::default() }
    }

    /// The active warnings.
    pub fn warnings(&self) -> &ActiveWarnings {
        &self.warnings
    }

    /// Reports warnings without redaction, because they contain only our own text. A secret that equals one of its
    /// words would make them unreadable.
    pub fn warn(&mut self, warnings: Vec<Report>, now: Duration) {
        for Report { code, message, .. } in warnings {
            // The message is the subject: there may be several weak secrets.
            if let Some(message) = self.warnings.add(code.clone(), &message, || printable(&message), now) {
                (self.observer)(Report::warning(code, message.to_owned()));
            }
        }
    }

    /// Reports a warning, unless one is active for this subject.
    pub fn warn_of(&mut self, code: Code, subject: &str, message: &str, now: Duration) {
        if let Some(message) = self.warnings.add(code.clone(), subject, || self.redactor.redact(message), now) {
            (self.observer)(Report::warning(code, message.to_owned()));
        }
    }

    /// Ends a warning, because its cause is gone.
    pub fn end_warning(&mut self, code: &str, subject: &str) {
        self.warnings.end(code, subject);
    }

    /// A server answered an exchange.
    pub fn on_answer(&mut self, from: &ServerUrl, now: Duration) {
        self.warnings.on_answer(from.as_str(), now);
    }

    /// The engine failed.
    pub fn failed(&self, error: &Error) {
        let cause = error.cause().map(|(cause, _)| format!(" ({cause})")).unwrap_or_default();
        self.send(Report::warning(error.code(), format!("{error}{cause}")));
    }

    /// Too many events waited to be reported.
    pub fn dropped(&self, count: u64) {
        self.send(Report::log("RECORDS_DROPPED", format!("{count} log records were dropped: too many at once")));
    }

    /// Reports an event of the core. An active warning becomes a log record, or nothing.
    pub fn report(&mut self, event: Event, now: Duration) {
        if let Event::Resolved(resolved) = &event {
            let (code, subject) = ended(resolved);
            return self.warnings.end(code, subject);
        }
        for Text { code, message, warning } in texts(event) {
            match warning {
                Warn::No => self.send(Report::log(code, message)),
                Warn::Once { subject, repeated } => {
                    let redacted = || self.redactor.redact(&message);
                    if let Some(message) = self.warnings.add(code.into(), &subject, redacted, now) {
                        (self.observer)(Report::warning(code, message.to_owned()));
                    } else if let Some(code) = repeated {
                        self.send(Report::log(code, message));
                    }
                }
            }
        }
    }

    fn send(&self, mut report: Report) {
        report.message = self.redactor.redact(&report.message);
        (self.observer)(report);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::config::{Config, Environment};
    use crate::protocol::ExchangeError;
    use crate::server_url::ServerUrl;

    fn environment() -> Environment {
        [
            ("SHAZBOT_SECRET", "a gossip secret"),
            ("SHAZBOT_CONTROL_SECRET", "a control secret"),
            ("SHAZBOT_BASE_URL", "http://own/"),
            ("SHAZBOT_MASTER_LIST", "file:///list.json"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
    }

    // The reported codes, with a ! for a warning.
    fn codes(events: impl IntoIterator<Item = Event>) -> Vec<String> {
        let redactor = Arc::new(Redactor::new(&Config::from_environment(&environment()).expect("valid")));
        let (sender, receiver) = mpsc::channel();
        let observer = Box::new(move |report: Report| {
            assert!(!report.message.contains("a gossip secret"), "{}", report.message);
            sender.send(format!("{}{}", report.code, if report.is_warning { "!" } else { "" })).expect("a receiver");
        });
        let mut reporter = Reporter::new(observer, redactor);
        events.into_iter().for_each(|event| reporter.report(event, Duration::from_secs(1)));
        drop(reporter);
        receiver.iter().collect()
    }

    fn url(text: &str) -> ServerUrl {
        ServerUrl::parse(text).expect(text)
    }

    #[test]
    fn a_warning_that_repeats_for_the_same_subject_is_given_once() {
        let rejected = |peer| Event::ExchangeFailed(url(peer), ExchangeError::SecretRejected);
        let events = [rejected("http://a/"), rejected("http://a/"), rejected("http://b/"), Event::Full, Event::Full];
        let expected = [
            "SHAZBOT_PEER_REFUSED_SECRET!",
            "EXCHANGE_FAILED",
            "SHAZBOT_PEER_REFUSED_SECRET!",
            "SHAZBOT_TOO_MANY_SERVERS!",
        ];
        assert_eq!(codes(events), expected);
        let duplicate = || Event::DuplicateUrl(url("http://own/"));
        assert_eq!(codes([duplicate(), duplicate()]), ["SHAZBOT_DUPLICATE_BASE_URL!"]);
        let unsaved = || Event::StateNotSaved("/state.json cannot be written: a gossip secret".into());
        assert_eq!(codes([unsaved(), unsaved()]), ["SHAZBOT_STATE_UNUSABLE!", "STATE_FAILED"]);
    }

    #[test]
    fn a_warning_is_given_again_after_its_cause_was_gone_for_a_while() {
        let rejected = || Event::ExchangeFailed(url("http://a/"), ExchangeError::SecretRejected);
        let redactor = Redactor::new(&Config::from_environment(&environment()).expect("valid"));
        let (sender, receiver) = mpsc::channel();
        let observer = Box::new(move |report: Report| sender.send(report.is_warning).expect("a receiver"));
        let mut reporter = Reporter::new(observer, Arc::new(redactor));
        reporter.report(rejected(), Duration::from_secs(1));
        reporter.on_answer(&url("http://a/"), Duration::from_secs(2));
        assert_eq!(reporter.warnings().shown(Duration::from_secs(2)).0.len(), 0);
        for seconds in [3, 4, 70] {
            reporter.report(rejected(), Duration::from_secs(seconds));
            if seconds == 4 {
                reporter.on_answer(&url("http://a/"), Duration::from_secs(5));
            }
        }
        drop(reporter);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [true, false, false, true]);
    }
}
