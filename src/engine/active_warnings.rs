//! `ActiveWarnings`: the warnings whose cause persists. The status shows them; each is reported once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// The code of a warning: a literal, or a string from JavaScript.
pub type Code = Cow<'static, str>;

/// Most subjects that are remembered for one code. A peer may invent servers and entries.
const MAX_SUBJECTS: usize = 1_000;
/// How many warnings are shown: in all, and with the same code, so that one code does not hide others.
const MAX_SHOWN: usize = 50;
const MAX_SHOWN_OF_CODE: usize = 8;
/// How long after a warning another one with the same code may be reported, if its cause comes back.
const PAUSE: Duration = Duration::from_secs(60);
/// How long a warning stays active after its cause was last seen, if nothing shows that the cause is gone.
const HOUR: Duration = Duration::from_secs(3_600);
const TEN_MINUTES: Duration = Duration::from_secs(600);

// How long a warning stays active. None: until an event of the core ends it, or the engine ends.
fn lifetime(code: &str) -> Option<Duration> {
    match code {
        // A failed exchange is repeated at least once an hour while the other server is listed.
        "SHAZBOT_ENTRY_SKIPPED"
        | "SHAZBOT_TOO_MANY_SERVERS"
        | "SHAZBOT_CERTIFICATE"
        | "SHAZBOT_CLIENT_CERTIFICATE"
        | "SHAZBOT_PEER_REFUSED_SECRET"
        | "SHAZBOT_WRONG_CLUSTER" => Some(HOUR),
        "SHAZBOT_CLUSTER_NAME" | "SHAZBOT_NO_RESOURCES" => Some(TEN_MINUTES),
        _ => None,
    }
}

/// A warning that is or was active.
#[derive(Debug)]
pub struct Warning {
    pub code: Code,
    subject: String,
    pub message: String,
    /// When its cause appeared, monotonic.
    pub since: Duration,
    last: Duration,
    has_ended: bool,
}

impl Warning {
    fn new(code: Code, subject: &str, now: Duration) -> Self {
        Self { code, subject: subject.to_owned(), message: String::new(), since: now, last: now, has_ended: false }
    }

    /// Its subject, unless its code has only one. Some have their message as the subject.
    pub fn subject(&self) -> Option<&str> {
        Some(self.subject.as_str()).filter(|subject| !subject.is_empty() && *subject != self.message)
    }

    fn holds(&self, now: Duration) -> bool {
        !self.has_ended && lifetime(&self.code).is_none_or(|lifetime| now.saturating_sub(self.last) < lifetime)
    }
}

/// All warnings so far, by code and subject.
#[derive(Debug, Default)]
pub struct ActiveWarnings(BTreeMap<Code, OfCode>);

/// The warnings with one code.
#[derive(Debug, Default)]
struct OfCode {
    warnings: BTreeMap<String, Warning>,
    // When one was last reported.
    told: Duration,
    // When those that had ended were last removed to make room.
    cleaned: Duration,
}

impl ActiveWarnings {
    /// Records that the cause was seen at `now`. Returns the message if it must be reported now. Calls `message` only
    /// if the warning is not active.
    pub fn add(&mut self, code: Code, subject: &str, message: impl FnOnce() -> String, now: Duration) -> Option<&str> {
        let OfCode { warnings, told, cleaned } = self.0.entry(code.clone()).or_default();
        let is_known = warnings.contains_key(subject);
        if !is_known && warnings.len() >= MAX_SUBJECTS {
            // Not for each: a peer that invents subjects must not cause a search with each.
            if now < *cleaned + PAUSE {
                return None;
            }
            *cleaned = now;
            warnings.retain(|_, warning| warning.holds(now));
            if warnings.len() >= MAX_SUBJECTS {
                return None;
            }
        }
        let warning = warnings.entry(subject.to_owned()).or_insert_with(|| Warning::new(code, subject, now));
        if is_known && warning.holds(now) {
            warning.last = now;
            return None;
        }
        (warning.message, warning.since, warning.last, warning.has_ended) = (message(), now, now, false);
        if is_known && now < *told + PAUSE {
            return None;
        }
        *told = now;
        Some(&warning.message)
    }

    /// Ends a warning, because its cause is gone.
    pub fn end(&mut self, code: &str, subject: &str) {
        if let Some(warning) = self.find(code, subject) {
            warning.has_ended = true;
        }
    }

    /// A server answered an exchange at `now`.
    pub fn on_answer(&mut self, from: &str, now: Duration) {
        for code in ["SHAZBOT_CERTIFICATE", "SHAZBOT_PEER_REFUSED_SECRET", "SHAZBOT_WRONG_CLUSTER"] {
            self.end(code, from);
        }
        // During a shortage, some exchanges can still succeed.
        if let Some(shortage) = self.find("SHAZBOT_NO_RESOURCES", "") {
            shortage.has_ended |= now >= shortage.last + PAUSE;
        }
    }

    fn find(&mut self, code: &str, subject: &str) -> Option<&mut Warning> {
        self.0.get_mut(code)?.warnings.get_mut(subject)
    }

    fn active(&self, now: Duration) -> impl Iterator<Item = &Warning> {
        self.0.values().flat_map(|of_code| of_code.warnings.values()).filter(move |it| it.holds(now))
    }

    /// The active warnings, oldest first, and how many are not shown.
    pub fn shown(&self, now: Duration) -> (Vec<&Warning>, usize) {
        let mut holding: Vec<_> = self.active(now).collect();
        let count = holding.len();
        holding.sort_by_key(|it| it.since);
        let mut shown: Vec<&Warning> = Vec::new();
        for warning in holding {
            let same = shown.iter().filter(|it| it.code == warning.code).count();
            if same < MAX_SHOWN_OF_CODE && shown.len() < MAX_SHOWN {
                shown.push(warning);
            }
        }
        let more = count - shown.len();
        (shown, more)
    }

    /// How many warnings are active, by code.
    pub fn counts(&self, now: Duration) -> Vec<(&str, u64)> {
        let count = |it: &OfCode| it.warnings.values().filter(|warning| warning.holds(now)).count() as u64;
        self.0.iter().map(|(code, it)| (&**code, count(it))).filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "SHAZBOT_X";

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn add(warnings: &mut ActiveWarnings, code: &'static str, subject: &str, seconds: u64) -> bool {
        warnings.add(code.into(), subject, || format!("since {seconds}"), at(seconds)).is_some()
    }

    fn messages(warnings: &ActiveWarnings, seconds: u64) -> Vec<&str> {
        warnings.shown(at(seconds)).0.iter().map(|it| it.message.as_str()).collect()
    }

    #[test]
    fn a_warning_is_reported_once_and_is_active_until_its_cause_is_gone() {
        let mut warnings = ActiveWarnings::default();
        assert!(add(&mut warnings, CODE, "a", 1));
        assert!(!add(&mut warnings, CODE, "a", 100));
        assert!(add(&mut warnings, CODE, "b", 101));
        assert_eq!(messages(&warnings, 1_000_000), ["since 1", "since 101"]);
        warnings.end(CODE, "a");
        assert_eq!(messages(&warnings, 102), ["since 101"]);
        assert_eq!(warnings.counts(at(102)), [(CODE, 1)]);
    }

    #[test]
    fn a_cause_that_comes_back_is_shown_at_once_and_reported_at_most_once_a_minute() {
        let mut warnings = ActiveWarnings::default();
        let mut told = Vec::new();
        for seconds in (0..200).step_by(10) {
            if add(&mut warnings, CODE, "", seconds) {
                told.push(seconds);
            }
            assert_eq!(messages(&warnings, seconds), [format!("since {seconds}")]);
            warnings.end(CODE, "");
        }
        assert_eq!(told, [0, 60, 120, 180]);
    }

    #[test]
    fn a_warning_without_an_end_is_forgotten_some_time_after_its_cause_was_last_seen() {
        for (code, seconds) in [("SHAZBOT_ENTRY_SKIPPED", 3_600), ("SHAZBOT_CLUSTER_NAME", 600)] {
            let mut warnings = ActiveWarnings::default();
            add(&mut warnings, code, "", 0);
            add(&mut warnings, code, "", 100);
            assert_eq!(messages(&warnings, 99 + seconds), ["since 0"]);
            assert_eq!(messages(&warnings, 100 + seconds).len(), 0);
            assert!(add(&mut warnings, code, "", 200 + seconds), "it is told again");
        }
    }

    #[test]
    fn an_answer_ends_the_warnings_about_that_server() {
        let mut warnings = ActiveWarnings::default();
        for subject in ["a", "b"] {
            add(&mut warnings, "SHAZBOT_PEER_REFUSED_SECRET", subject, 1);
        }
        add(&mut warnings, "SHAZBOT_NO_RESOURCES", "", 2);
        warnings.on_answer("a", at(3));
        assert_eq!(messages(&warnings, 3), ["since 1", "since 2"]);
        warnings.on_answer("a", at(70));
        assert_eq!(messages(&warnings, 70), ["since 1"]);
    }

    #[test]
    fn a_flood_of_subjects_causes_one_search_for_room_a_minute() {
        let mut warnings = ActiveWarnings::default();
        let mut searches = Vec::new();
        for seconds in 100..300 {
            for n in 0..2_000 {
                add(&mut warnings, CODE, &n.to_string(), seconds);
            }
            searches.push(warnings.0[CODE].cleaned.as_secs());
        }
        searches.dedup();
        assert_eq!(searches, [100, 160, 220, 280]);
    }

    #[test]
    fn many_warnings_of_one_code_do_not_hide_others_and_are_counted() {
        let mut warnings = ActiveWarnings::default();
        let told = (0..2_000).filter(|n| add(&mut warnings, "SHAZBOT_ENTRY_SKIPPED", &n.to_string(), *n)).count();
        assert_eq!(told, MAX_SUBJECTS);
        assert!(add(&mut warnings, CODE, "", 2_000));
        let (shown, more) = warnings.shown(at(2_000));
        assert_eq!((shown.len(), more), (MAX_SHOWN_OF_CODE + 1, MAX_SUBJECTS - MAX_SHOWN_OF_CODE));
        assert_eq!(warnings.counts(at(2_000)), [("SHAZBOT_ENTRY_SKIPPED", 1_000), (CODE, 1)]);
        assert!(add(&mut warnings, "SHAZBOT_ENTRY_SKIPPED", "new", 10_000), "those that are over make room");
    }
}
