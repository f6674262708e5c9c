//! The environment, parsed once at start; every problem is reported at once.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::auth::Secret;
use crate::error::Error;
use crate::message::ServerUrl;

/// Environment variables by name.
pub type Environment = HashMap<String, String>;

/// Everything that a start needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the core needs.
    pub settings: Settings,
    /// `SHAZBOT_SECRET`.
    pub secret: Secret,
    /// `SHAZBOT_CONTROL_SECRET`.
    pub control_secret: Secret,
    /// `SHAZBOT_MASTER_LIST`.
    pub master_list: Location,
    /// `SHAZBOT_MASTER_LIST_UPDATE`; the same as the list itself where that is a file and this is left out.
    pub master_list_update: Location,
    /// `SHAZBOT_MASTER_LIST_UPDATE_AUTH`; None where it is empty.
    pub master_list_update_auth: Option<Secret>,
    /// Node's own variables for TLS and proxies.
    pub network: Network,
}

/// What decides the core's behaviour.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `SHAZBOT_BASE_URL`.
    pub base_url: ServerUrl,
    /// `SHAZBOT_MONITOR`.
    pub monitor: bool,
    /// `SHAZBOT_GOSSIP_INTERVAL`: shorter finds a dead server sooner, and costs traffic in proportion.
    pub interval: Duration,
    /// `SHAZBOT_MASTER_ANNOUNCE_MINIMUM`.
    pub announce_minimum: Duration,
    /// `SHAZBOT_MASTER_ANNOUNCE_INTERVAL`.
    pub announce_interval: Duration,
    /// `SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN`.
    pub update_list_on_shutdown: bool,
}

/// Where a master list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Over http or https.
    Http(Url),
    /// On this machine, or on a volume that several share.
    File(PathBuf),
}

impl fmt::Display for Location {
    /// For people: without what may be secret in it, user info and query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
            }
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What Node's `fetch` obeys.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// `NODE_EXTRA_CA_CERTS`: a file of further certificates to trust.
    pub extra_ca_certs: Option<PathBuf>,
    /// `NODE_TLS_REJECT_UNAUTHORIZED` is `0`.
    pub accept_any_certificate: bool,
    /// `HTTP_PROXY`, where `NODE_USE_ENV_PROXY` is `1`.
    pub http_proxy: Option<String>,
    /// `HTTPS_PROXY`, where `NODE_USE_ENV_PROXY` is `1`.
    pub https_proxy: Option<String>,
    /// `NO_PROXY`.
    pub no_proxy: Option<String>,
}

impl Config {
    /// Reads the variables. An empty one counts as missing, but for `SHAZBOT_MASTER_LIST_UPDATE_AUTH`, where it
    /// means that no header is sent.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let mut reader = Reader { environment, problems: Vec::new() };
        let secret = reader.secret("SHAZBOT_SECRET");
        let control_secret = reader.secret("SHAZBOT_CONTROL_SECRET");
        let base_url = reader.base_url();
        let master_list = reader.location("SHAZBOT_MASTER_LIST");
        let master_list_update = reader.update_location(master_list.as_ref());
        let master_list_update_auth = reader.update_auth(master_list_update.as_ref());
        let interval = reader.seconds("SHAZBOT_GOSSIP_INTERVAL", 30.0, 0.1, 3600.0);
        let announce_minimum = reader.seconds("SHAZBOT_MASTER_ANNOUNCE_MINIMUM", 300.0, 0.0, 86_400.0);
        let announce_interval = reader.seconds("SHAZBOT_MASTER_ANNOUNCE_INTERVAL", 600.0, 0.0, 86_400.0);
        let monitor = reader.boolean("SHAZBOT_MONITOR");
        let update_list_on_shutdown = reader.boolean("SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN");
        match (secret, control_secret, base_url, master_list, master_list_update) {
            (Some(secret), Some(control_secret), Some(base_url), Some(master_list), Some(master_list_update))
                if reader.problems.is_empty() =>
            {
                Ok(Self {
                    settings: Settings {
                        base_url,
                        monitor,
                        interval,
                        announce_minimum,
                        announce_interval,
                        update_list_on_shutdown,
                    },
                    secret,
                    control_secret,
                    master_list,
                    master_list_update,
                    master_list_update_auth,
                    network: Network::from_environment(environment),
                })
            }
            _ => Err(Error::InvalidConfig(reader.problems)),
        }
    }
}

impl Network {
    fn from_environment(environment: &Environment) -> Self {
        let get = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        // curl, and so Node, lets the small letters win.
        let proxy = |name: &str| get(&name.to_lowercase()).or_else(|| get(name));
        let proxied = get("NODE_USE_ENV_PROXY").as_deref() == Some("1");
        Self {
            extra_ca_certs: get("NODE_EXTRA_CA_CERTS").map(PathBuf::from),
            accept_any_certificate: get("NODE_TLS_REJECT_UNAUTHORIZED").as_deref() == Some("0"),
            http_proxy: proxy("HTTP_PROXY").filter(|_| proxied),
            https_proxy: proxy("HTTPS_PROXY").filter(|_| proxied),
            no_proxy: proxy("NO_PROXY"),
        }
    }
}

// Values that are secret, or may hold one (a URL may be presigned), are never repeated in a problem.
struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn problem(&mut self, name: &str, why: &str) {
        self.problems.push(format!("{name}: {why}"));
    }

    fn required(&mut self, name: &str) -> Option<&'a str> {
        let value = self.get(name);
        if value.is_none() {
            self.problems.push(format!("Environment variable {name} is required"));
        }
        value
    }

    fn header(&mut self, name: &str, value: &str) -> Option<Secret> {
        if value.chars().any(|c| c.is_control() || c > '\u{ff}') {
            self.problem(name, "it has characters that an HTTP header cannot carry");
        } else if value.trim() != value {
            self.problem(name, "it begins or ends with white space, which an HTTP header loses");
        } else {
            return Some(Secret::new(value.into()));
        }
        None
    }

    fn secret(&mut self, name: &str) -> Option<Secret> {
        let value = self.required(name)?;
        self.header(name, value)
    }

    fn base_url(&mut self) -> Option<ServerUrl> {
        let value = self.required("SHAZBOT_BASE_URL")?;
        ServerUrl::parse(value).map_err(|why| self.problem("SHAZBOT_BASE_URL", &why.replace("its URL", "the URL"))).ok()
    }

    fn location(&mut self, name: &str) -> Option<Location> {
        let value = self.required(name)?;
        let Ok(url) = Url::parse(value) else {
            self.problem(name, "it is not an absolute URL; a file is written as file:///path/to/list.json");
            return None;
        };
        match url.scheme() {
            "http" | "https" => return Some(Location::Http(url)),
            "file" => match url.to_file_path() {
                Ok(path) => return Some(Location::File(path)),
                Err(()) => self.problem(name, "it is no path of this machine: write file:///path/to/list.json"),
            },
            _ => self.problem(name, "its URL is neither http, https nor file"),
        }
        None
    }

    fn update_location(&mut self, list: Option<&Location>) -> Option<Location> {
        match list {
            Some(file @ Location::File(_)) if self.get("SHAZBOT_MASTER_LIST_UPDATE").is_none() => Some(file.clone()),
            _ => self.location("SHAZBOT_MASTER_LIST_UPDATE"),
        }
    }

    fn update_auth(&mut self, update: Option<&Location>) -> Option<Secret> {
        let name = "SHAZBOT_MASTER_LIST_UPDATE_AUTH";
        match self.environment.get(name).map(String::as_str) {
            Some("") => None,
            Some(value) => self.header(name, value),
            None if matches!(update, Some(Location::File(_))) => None,
            None => {
                self.problems.push(format!("Environment variable {name} is required"));
                None
            }
        }
    }

    fn seconds(&mut self, name: &str, default: f64, least: f64, most: f64) -> Duration {
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

    fn boolean(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(changes: &[(&str, Option<&str>)]) -> Environment {
        let mut environment: Environment = [
            ("SHAZBOT_SECRET", "gossip secret"),
            ("SHAZBOT_CONTROL_SECRET", "control secret"),
            ("SHAZBOT_BASE_URL", "http://a:3000"),
            ("SHAZBOT_MASTER_LIST", "https://store/list.json?signature=abc"),
            ("SHAZBOT_MASTER_LIST_UPDATE", "https://store/list.json"),
            ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", "Bearer x"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        for (name, value) in changes {
            environment.remove(*name);
            environment.extend(value.map(|value| ((*name).into(), value.into())));
        }
        environment
    }

    fn read(changes: &[(&str, Option<&str>)]) -> Result<Config, String> {
        Config::from_environment(&environment(changes)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_readme() {
        let config = read(&[]).expect("valid");
        let settings = config.settings;
        assert_eq!(settings.base_url.as_str(), "http://a:3000/");
        let times = [settings.interval, settings.announce_minimum, settings.announce_interval];
        assert_eq!(times.map(|time| time.as_secs()), [30, 300, 600]);
        assert!(!settings.monitor && !settings.update_list_on_shutdown);
    }

    #[test]
    fn one_missing_variable_is_named_in_v1s_words() {
        for name in [
            "SHAZBOT_SECRET",
            "SHAZBOT_CONTROL_SECRET",
            "SHAZBOT_BASE_URL",
            "SHAZBOT_MASTER_LIST",
            "SHAZBOT_MASTER_LIST_UPDATE",
            "SHAZBOT_MASTER_LIST_UPDATE_AUTH",
        ] {
            assert_eq!(read(&[(name, None)]).expect_err(name), format!("Environment variable {name} is required"));
        }
        let error = read(&[("SHAZBOT_SECRET", Some(""))]).expect_err("empty");
        assert_eq!(error, "Environment variable SHAZBOT_SECRET is required");
    }

    #[test]
    fn every_problem_is_reported_at_once_and_no_secret_with_it() {
        let error = read(&[
            ("SHAZBOT_SECRET", Some("hunter2\n")),
            ("SHAZBOT_CONTROL_SECRET", Some(" hunter2")),
            ("SHAZBOT_MASTER_LIST", Some("ftp://hunter2@store/")),
            ("SHAZBOT_BASE_URL", Some("https://hunter2:hunter2@a/")),
            ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", Some("hunter2 ✓")),
            ("SHAZBOT_GOSSIP_INTERVAL", Some("abc")),
            ("SHAZBOT_MASTER_ANNOUNCE_MINIMUM", Some("86401")),
            ("SHAZBOT_MASTER_ANNOUNCE_INTERVAL", Some("inf")),
        ])
        .expect_err("invalid");
        assert_eq!(error.lines().count(), 9, "{error}");
        assert!(error.contains("SHAZBOT_GOSSIP_INTERVAL: \"abc\" is not a number of seconds"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn numbers_are_seconds_within_their_range() {
        let interval = |value| read(&[("SHAZBOT_GOSSIP_INTERVAL", Some(value))]).map(|it| it.settings.interval);
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(interval(" 1e1 "), Ok(Duration::from_secs(10)));
        for wrong in ["0", "0.09", "-1", "3601", "1s", "NaN", "Infinity", "0x10"] {
            assert!(interval(wrong).expect_err(wrong).contains(wrong));
        }
    }

    #[test]
    fn booleans_are_true_in_any_case_and_else_false() {
        let monitor = |value| read(&[("SHAZBOT_MONITOR", Some(value))]).expect(value).settings.monitor;
        assert!(monitor("true") && monitor("TRUE"));
        assert!(!monitor("1") && !monitor("yes") && !monitor(""));
    }

    #[test]
    fn a_list_in_a_file_needs_no_update_variables() {
        let config = read(&[
            ("SHAZBOT_MASTER_LIST", Some("file:///tmp/list.json")),
            ("SHAZBOT_MASTER_LIST_UPDATE", None),
            ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", None),
        ])
        .expect("valid");
        assert_eq!(config.master_list_update, Location::File("/tmp/list.json".into()));
        assert!(
            read(&[("SHAZBOT_MASTER_LIST_UPDATE_AUTH", Some(""))]).expect("valid").master_list_update_auth.is_none()
        );
    }

    #[test]
    fn a_location_in_words_shows_no_signature() {
        let config = read(&[]).expect("valid");
        assert_eq!(config.master_list.to_string(), "https://store/list.json");
    }

    #[test]
    fn proxies_are_used_only_where_node_would() {
        let proxy = ("HTTP_PROXY", Some("http://proxy:3128"));
        assert_eq!(read(&[proxy]).expect("valid").network.http_proxy, None);
        let config = read(&[proxy, ("NODE_USE_ENV_PROXY", Some("1"))]).expect("valid");
        assert_eq!(config.network.http_proxy.as_deref(), Some("http://proxy:3128"));
    }
}
