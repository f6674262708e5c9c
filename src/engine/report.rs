//! `Reporter`: hands log records and warnings to the program, without secrets, each warning once.

use super::event_text::{Text, Warn, texts};
use super::redact::{Redactor, printable};
use crate::config::{Warning, WarningKind};
use crate::error::Error;
use crate::protocol::Event;

/// Most subjects for which a warning with the same code is given. A peer may invent servers and entries.
const MAX_SUBJECTS: usize = 1_000;
/// Most warnings of one event, for example of one message with bad entries: each takes the event loop about 15 µs. Later
/// messages with these entries bring the other warnings.
const MAX_AT_ONCE: usize = 20;

/// Called on the engine's thread with each log record and warning.
pub type Observer = Box<dyn Fn(Report) + Send>;

/// A log record or a warning. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Whether an operator has to act.
    pub is_warning: bool,
}

impl Report {
    /// A warning.
    pub fn warning(code: &'static str, message: String) -> Self {
        Self { code, message, is_warning: true }
    }

    /// A warning about the configuration.
    pub fn of_config(Warning { kind, message }: &Warning) -> Self {
        let message = message.clone();
        match kind {
            WarningKind::WeakSecret => Self::warning("SHAZBOT_WEAK_SECRET", message),
            WarningKind::Doubtful => Self::warning("SHAZBOT_DOUBTFUL_CONFIG", message),
        }
    }

    fn log(code: &'static str, message: String) -> Self {
        Self { code, message, is_warning: false }
    }
}

/// Turns events into reports.
pub struct Reporter<'a> {
    observer: Observer,
    redactor: &'a Redactor,
    // The codes and subjects of the warnings so far. A set would be faster, and 8 kB larger in the binary.
    warned: Vec<(&'static str, String)>,
}

impl<'a> Reporter<'a> {
    pub fn new(observer: Observer, redactor: &'a Redactor) -> Self {
        Self { observer, redactor, warned: Vec::new() }
    }

    /// Hands on warnings without redacting them. They contain only our own words: a secret that is one of those words would
    /// make them unreadable.
    pub fn warn(&self, warnings: Vec<Report>) {
        for warning in warnings {
            (self.observer)(Report { message: printable(&warning.message), ..warning });
        }
    }

    /// The engine has failed.
    pub fn failed(&self, error: &Error) {
        let cause = error.cause().map(|(cause, _)| format!(" ({cause})")).unwrap_or_default();
        self.send(Report::warning(error.code(), format!("{error}{cause}")));
    }

    /// Reports an event of the core. A warning that repeats for the same subject becomes a log record, or nothing.
    pub fn report(&mut self, event: Event) {
        let mut given = 0;
        for Text { code, message, warning } in texts(event) {
            let report = match warning {
                Warn::No => Report::log(code, message),
                Warn::Always => Report::warning(code, message),
                Warn::Once { .. } if given == MAX_AT_ONCE => return,
                Warn::Once { ref subject, .. } if self.is_first(code, subject) => {
                    given += 1;
                    Report::warning(code, message)
                }
                Warn::Once { repeated: Some(code), .. } => Report::log(code, message),
                Warn::Once { repeated: None, .. } => continue,
            };
            self.send(report);
        }
    }

    fn is_first(&mut self, code: &'static str, subject: &str) -> bool {
        let mut subjects = self.warned.iter().filter(|(warned, _)| *warned == code);
        if subjects.clone().count() >= MAX_SUBJECTS || subjects.any(|(_, warned)| warned == subject) {
            return false;
        }
        self.warned.push((code, subject.to_owned()));
        true
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
    use crate::message::Skipped;
    use crate::protocol::ExchangeError;
    use crate::server_url::ServerUrl;

    // The codes that are reported, with a ! for a warning.
    fn codes(events: impl IntoIterator<Item = Event>) -> Vec<String> {
        let environment: Environment = [
            ("SHAZBOT_SECRET", "a gossip secret"),
            ("SHAZBOT_CONTROL_SECRET", "a control secret"),
            ("SHAZBOT_BASE_URL", "http://own/"),
            ("SHAZBOT_MASTER_LIST", "file:///list.json"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        let redactor = Redactor::new(&Config::from_environment(&environment).expect("valid"));
        let (sender, receiver) = mpsc::channel();
        let observer = Box::new(move |report: Report| {
            assert!(!report.message.contains("a gossip secret"), "{}", report.message);
            sender.send(format!("{}{}", report.code, if report.is_warning { "!" } else { "" })).expect("a receiver");
        });
        let mut reporter = Reporter::new(observer, &redactor);
        events.into_iter().for_each(|event| reporter.report(event));
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
    fn a_message_causes_a_few_warnings_of_bad_entries_and_its_repetition_the_next() {
        let skipped = |number: usize| Skipped { name: number.to_string(), reason: "wrong" };
        let message =
            || Event::EntriesSkipped { entries: (0..MAX_AT_ONCE + 5).map(skipped).collect(), place: String::new() };
        assert_eq!(codes([message()]).len(), MAX_AT_ONCE);
        assert_eq!(codes([message(), message(), message()]).len(), MAX_AT_ONCE + 5);
    }

    #[test]
    fn invented_entries_cause_a_limited_number_of_warnings() {
        let skipped = |number: usize| Skipped { name: number.to_string(), reason: "wrong" };
        let message =
            || Event::EntriesSkipped { entries: (0..2 * MAX_SUBJECTS).map(skipped).collect(), place: String::new() };
        assert_eq!(codes((0..2 * MAX_SUBJECTS / MAX_AT_ONCE).map(|_| message())).len(), MAX_SUBJECTS);
    }
}
