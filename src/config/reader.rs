//! `Reader`: reads environment variables one by one, and collects the problems.

use std::time::Duration;

use super::{Environment, Warning, WarningKind};
use crate::address;
use crate::auth::{Keyring, Mode, SCHEME, Secret};
use crate::message::{Tags, is_cluster_name};
use crate::origins::Origins;
use crate::server_url::ServerUrl;
use crate::url_mistakes::mistake;

/// Reads variables. An empty one counts as missing. A problem never shows a value that may be secret, as a presigned URL
/// is.
// All of this runs once, so functions with many callers are not inlined, to keep the binary small.
pub struct Reader<'a> {
    environment: &'a Environment,
    /// The problems, a sentence each.
    pub problems: Vec<String>,
    /// Valid values that are probably wrong.
    pub warnings: Vec<Warning>,
}

/// An example of each variable that may be missing.
const EXAMPLES: [(&str, &str); 6] = [
    ("SHAZBOT_SECRET", "the output of `openssl rand -base64 32`, the same on all servers"),
    ("SHAZBOT_CONTROL_SECRET", "the output of another `openssl rand -base64 32`, the same on all servers"),
    ("SHAZBOT_BASE_URL", "http://app-1.internal:3000/ or http://{address}:3000/, where other servers reach this one"),
    (
        "SHAZBOT_MASTER_LIST",
        "dns+http://app:3000/ or file:///var/lib/app/servers.json, where this server finds the others",
    ),
    ("SHAZBOT_MASTER_LIST_UPDATE", "the URL in SHAZBOT_MASTER_LIST if it takes PUT requests"),
    ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", "\"Bearer TOKEN\", or an empty value to send no Authorization header"),
];

impl<'a> Reader<'a> {
    pub fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new(), warnings: Vec::new() }
    }

    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.environment.get(name).map(String::as_str)
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    #[inline(never)]
    pub fn problem(&mut self, name: &str, why: &str) {
        self.problems.push(format!("{name}: {why}"));
    }

    /// Reports a valid value that is probably wrong.
    #[inline(never)]
    pub fn doubt(&mut self, name: &str, why: &str) {
        self.warnings.push(Warning { kind: WarningKind::Doubtful, message: format!("{name}: {why}") });
    }

    // Begins as in version 1.
    pub fn missing(&mut self, name: &str) {
        let example = EXAMPLES.iter().find(|(variable, _)| *variable == name);
        let example = example.map(|(_, example)| format!(", for example {example}")).unwrap_or_default();
        self.problems.push(format!("Environment variable {name} is required{example}"));
    }

    /// Reports a URL that cannot work. Returns whether it is one.
    pub fn is_mistake(&mut self, name: &str, url: &str) -> bool {
        let found = mistake(url);
        if let Some(why) = &found {
            self.problem(name, why);
        }
        found.is_some()
    }

    fn required(&mut self, name: &str) -> Option<&'a str> {
        let value = self.get(name);
        if value.is_none() {
            self.missing(name);
        }
        value
    }

    #[inline(never)]
    pub fn header(&mut self, name: &str, value: &str) -> Option<Secret> {
        if value.chars().any(|c| c.is_control() || c > '\u{ff}') {
            self.problem(name, "it has characters that an HTTP header cannot carry, such as a line break");
        } else if value.starts_with(SCHEME) {
            self.problem(name, "it begins with \"Shazbot \", which is reserved for signatures");
        } else if value.trim() != value {
            self.problem(name, "it begins or ends with white space, which HTTP removes from a header");
        } else {
            return Some(Secret::new(value.into()));
        }
        None
    }

    pub fn optional_header(&mut self, name: &str) -> Option<Secret> {
        self.get(name).and_then(|value| self.header(name, value))
    }

    #[inline(never)]
    pub fn keyring(&mut self, name: &str, also: &str) -> Option<Keyring> {
        let main = self.required(name).and_then(|value| self.header(name, value));
        let also = self.optional_header(also);
        Some(Keyring::new(main?, also))
    }

    pub fn origins(&mut self, own: &ServerUrl) -> Option<Origins> {
        let name = "SHAZBOT_ALLOWED_ORIGINS";
        Origins::new(own, self.get(name)).map_err(|why| self.problem(name, &why)).ok()
    }

    pub fn mode(&mut self) -> Mode {
        match self.get("SHAZBOT_AUTH") {
            None | Some("plain") => Mode::Plain,
            Some("sign") => Mode::Sign,
            Some("signed") => Mode::Signed,
            // Does not show the value: somebody may have put a secret here.
            Some(_) => {
                self.problem("SHAZBOT_AUTH", "it must be plain, sign or signed");
                Mode::Plain
            }
        }
    }

    pub fn cluster(&mut self) -> Option<String> {
        let name = self.get("SHAZBOT_CLUSTER")?;
        if !is_cluster_name(name) {
            self.problem("SHAZBOT_CLUSTER", "it must be 1 to 64 letters, digits, dots, dashes and underscores");
        }
        Some(name.into())
    }

    pub fn list_needs_secret(&mut self) -> bool {
        let value = self.get("SHAZBOT_LIST_AUTH");
        if value.is_some_and(|value| value != "required") {
            self.problem("SHAZBOT_LIST_AUTH", "it must be empty or required");
        }
        value.is_some()
    }

    pub fn is_ready(&mut self) -> bool {
        let value = self.get("SHAZBOT_READY");
        if value.is_some_and(|value| value != "manual") {
            self.problem("SHAZBOT_READY", "it must be empty or manual");
        }
        value.is_none()
    }

    pub fn base_url(&mut self) -> Option<ServerUrl> {
        let name = "SHAZBOT_BASE_URL";
        let value = self.required(name)?;
        if self.is_mistake(name, value) {
            return None;
        }
        let parsed = ServerUrl::parse_with_url(value);
        let explain =
            |why: &str| format!("{}: write it as http://app-1.internal:3000/", why.replace("its URL", "the URL"));
        let (server, url) = parsed.map_err(|why| self.problem(name, &explain(why))).ok()?;
        if address::of_url(&url).is_some_and(address::is_unspecified) {
            let why = "0.0.0.0 and [::] are addresses at which a server listens: write one at which the others reach this \
                       server, or {address}";
            self.problem(name, why);
            return None;
        }
        if url.host_str().is_some_and(|host| host.contains('*')) {
            self.problem(
                name,
                "its host contains a star (*): write the address or the name of this server, or {address}",
            );
            return None;
        }
        Some(server)
    }

    #[inline(never)]
    pub fn seconds(&mut self, name: &str, default: f64, least: f64, most: f64) -> Duration {
        let mut seconds = default;
        if let Some(value) = self.get(name) {
            match value.trim().parse::<f64>() {
                Ok(number) if !number.is_finite() => self.problem(name, &format!("{value:?} is not finite")),
                Ok(number) if number < least => self.problem(name, &format!("{value:?} is below {least} seconds")),
                Ok(number) if number > most => self.problem(name, &format!("{value:?} is above {most} seconds")),
                Ok(number) => seconds = number,
                Err(_) => self.problem(name, &format!("{value:?} is not a number of seconds")),
            }
        }
        Duration::from_secs_f64(seconds)
    }

    pub fn tags(&mut self) -> Tags {
        let tags = Tags::parse(self.get("SHAZBOT_TAGS").unwrap_or_default());
        tags.unwrap_or_else(|why| {
            self.problems.push(format!("SHAZBOT_TAGS: {why}"));
            Tags::default()
        })
    }

    /// `true` in any case is true, everything else is false, as in version 1.
    pub fn boolean(&mut self, name: &str) -> bool {
        let value = self.get(name).unwrap_or("false");
        let is = |word| value.eq_ignore_ascii_case(word);
        if !is("true") && !is("false") {
            // Does not show a long value: somebody may have put a secret here.
            let shown = if value.len() <= 8 { format!("{value:?}") } else { "its value".into() };
            self.doubt(name, &format!("{shown} is neither true nor false, and counts as false"));
        }
        is("true")
    }
}
