//! The environment, parsed once at start; every problem is reported at once.

mod reader;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::auth::{Gate, Keyring, Secret};
use crate::error::Error;
use crate::message::ServerUrl;
use crate::origins::Origins;

use reader::Reader;

/// Environment variables by name.
pub type Environment = HashMap<String, String>;

/// Everything that a start needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the core needs.
    pub settings: Settings,
    /// What gossip is sent with, and what is taken: `SHAZBOT_AUTH`, `SHAZBOT_SECRET`, `SHAZBOT_CLUSTER`.
    pub gate: Gate,
    /// `SHAZBOT_CONTROL_SECRET`, `SHAZBOT_CONTROL_SECRET_ALSO`.
    pub control: Keyring,
    /// `SHAZBOT_LIST_AUTH` is `required`: the list is not for everybody.
    pub list_needs_secret: bool,
    /// Whom we may list: `SHAZBOT_ALLOWED_ORIGINS`.
    pub origins: Arc<Origins>,
    /// `SHAZBOT_MASTER_LIST`, with `SHAZBOT_MASTER_LIST_UPDATE`.
    pub lists: Vec<List>,
    /// `SHAZBOT_MASTER_LIST_AUTH`: the header that a list is read with.
    pub list_auth: Option<Secret>,
    /// `SHAZBOT_MASTER_LIST_UPDATE_AUTH`: the one that it is written with.
    pub list_update_auth: Option<Secret>,
    /// `SHAZBOT_MASTER_LIST_UPDATE_HEADERS`: further ones.
    pub list_update_headers: Vec<(String, Secret)>,
    /// `SHAZBOT_STATE_FILE`.
    pub state_file: Option<PathBuf>,
    /// Node's own variables for TLS and proxies.
    pub network: Network,
    /// What is not wrong but not safe either, a sentence each.
    pub weak: Vec<String>,
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
    /// The master lists, as they are called in what people read.
    pub lists: Vec<String>,
    /// Whether there is a `SHAZBOT_STATE_FILE`.
    pub keeps_state: bool,
}

/// A master list: where it is read and where it is written. A file is both, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// With `GET`.
    pub read: Location,
    /// With `PUT`.
    pub write: Location,
}

/// Where a master list is.
#[derive(Clone, PartialEq, Eq)]
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
            Self::File(path) => write!(f, "file://{}", path.display()),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What Node's `fetch` obeys. The URL of a proxy may hold a password.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// `NODE_EXTRA_CA_CERTS`: a file of further certificates to trust.
    pub extra_ca_certs: Option<PathBuf>,
    /// `NODE_TLS_REJECT_UNAUTHORIZED` is `0`.
    pub accept_any_certificate: bool,
    /// `HTTP_PROXY`, where `NODE_USE_ENV_PROXY` is `1`.
    pub http_proxy: Option<Secret>,
    /// `HTTPS_PROXY`, where `NODE_USE_ENV_PROXY` is `1`.
    pub https_proxy: Option<Secret>,
    /// `NO_PROXY`.
    pub no_proxy: Option<String>,
}

impl Config {
    /// Reads the variables. An empty one counts as missing, but for `SHAZBOT_MASTER_LIST_UPDATE_AUTH`, where it
    /// means that no header is sent.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let mut reader = Reader::new(environment);
        let secrets = reader.keyring("SHAZBOT_SECRET", "SHAZBOT_SECRET_ALSO");
        let control = reader.keyring("SHAZBOT_CONTROL_SECRET", "SHAZBOT_CONTROL_SECRET_ALSO");
        let base_url = reader.base_url();
        let origins = base_url.as_ref().and_then(|url| reader.origins(url));
        let mode = reader.mode();
        let cluster = reader.cluster();
        let list_needs_secret = reader.list_auth();
        let lists = reader.lists();
        let list_auth = reader.optional_header("SHAZBOT_MASTER_LIST_AUTH");
        let list_update_auth = reader.update_auth(lists.as_deref());
        let list_update_headers = reader.update_headers();
        let state_file = reader.state_file(lists.as_deref());
        let interval = reader.seconds("SHAZBOT_GOSSIP_INTERVAL", 30.0, 0.1, 3600.0);
        let announce_minimum = reader.seconds("SHAZBOT_MASTER_ANNOUNCE_MINIMUM", 300.0, 0.0, 86_400.0);
        let announce_interval = reader.seconds("SHAZBOT_MASTER_ANNOUNCE_INTERVAL", 600.0, 0.0, 86_400.0);
        let monitor = reader.boolean("SHAZBOT_MONITOR");
        let update_list_on_shutdown = reader.boolean("SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN");
        match (secrets, control, base_url, origins, lists) {
            (Some(secrets), Some(control), Some(base_url), Some(origins), Some(lists))
                if reader.problems.is_empty() =>
            {
                Ok(Self {
                    weak: weak(&secrets, &control),
                    settings: Settings {
                        base_url,
                        monitor,
                        interval,
                        announce_minimum,
                        announce_interval,
                        update_list_on_shutdown,
                        lists: lists.iter().map(|list| list.read.to_string()).collect(),
                        keeps_state: state_file.is_some(),
                    },
                    gate: Gate { mode, secrets, cluster },
                    control,
                    list_needs_secret,
                    origins: Arc::new(origins),
                    lists,
                    list_auth,
                    list_update_auth,
                    list_update_headers,
                    state_file,
                    network: Network::from_environment(environment),
                })
            }
            _ => Err(Error::InvalidConfig(reader.problems)),
        }
    }
}

fn weak(gossip: &Keyring, control: &Keyring) -> Vec<String> {
    let mut weak = Vec::new();
    for (name, keyring) in [("SHAZBOT_SECRET", gossip), ("SHAZBOT_CONTROL_SECRET", control)] {
        for (secret, also) in keyring.all().zip(["", "_ALSO"]) {
            if secret.is_short() {
                weak.push(format!("{name}{also} has fewer than 16 bytes, and can be guessed"));
            }
        }
        if keyring.also.as_ref() == Some(&keyring.main) {
            weak.push(format!("{name}_ALSO is the same as {name}"));
        }
    }
    if gossip.all().any(|secret| control.all().any(|other| secret == other)) {
        weak.push("a control secret is also a gossip secret: every server can drain every other".into());
    }
    weak
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
            http_proxy: proxy("HTTP_PROXY").filter(|_| proxied).map(Secret::new),
            https_proxy: proxy("HTTPS_PROXY").filter(|_| proxied).map(Secret::new),
            no_proxy: proxy("NO_PROXY"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Mode;

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
        let file = Location::File("/tmp/list.json".into());
        assert_eq!(config.lists, [List { read: file.clone(), write: file }]);
        assert!(read(&[("SHAZBOT_MASTER_LIST_UPDATE_AUTH", Some(""))]).expect("valid").list_update_auth.is_none());
    }

    #[test]
    fn a_location_in_words_shows_no_signature() {
        let config = read(&[]).expect("valid");
        assert_eq!(config.lists[0].read.to_string(), "https://store/list.json");
        assert!(!format!("{config:?}").contains("abc"));
    }

    #[test]
    fn there_may_be_several_lists_each_with_a_place_to_write_it() {
        let config = read(&[
            ("SHAZBOT_MASTER_LIST", Some("https://store/list.json?a  file:///tmp/list.json")),
            ("SHAZBOT_MASTER_LIST_UPDATE", Some("https://store/list.json?b\nfile:///tmp/list.json")),
        ]);
        let lists = config.expect("valid").lists;
        assert_eq!(lists.len(), 2);
        assert_ne!(lists[0].read, lists[0].write);
        assert_eq!(lists[1].read, lists[1].write);
        let error = read(&[("SHAZBOT_MASTER_LIST", Some("https://a/list.json https://b/list.json"))]);
        assert!(error.expect_err("one place to write").contains("has 1 URL, SHAZBOT_MASTER_LIST 2"));
        let many = "https://a/ ".repeat(9);
        assert!(read(&[("SHAZBOT_MASTER_LIST", Some(&many))]).expect_err("too many").contains("more than 8"));
        assert!(read(&[("SHAZBOT_MASTER_LIST", Some(" "))]).expect_err("none").contains("is required"));
        let twice = "https://a/list.json https://a/list.json";
        let both = [("SHAZBOT_MASTER_LIST", Some(twice)), ("SHAZBOT_MASTER_LIST_UPDATE", Some(twice))];
        assert!(read(&both).expect_err("the same").contains("twice"));
        let commas = read(&[("SHAZBOT_MASTER_LIST", Some("https://a/list.json,https://b/list.json"))]);
        assert!(commas.expect_err("commas").contains("white space"));
    }

    #[test]
    fn a_list_that_is_wrong_is_the_one_thing_that_is_said_of_it() {
        let list = |value| {
            let changes = [
                ("SHAZBOT_MASTER_LIST", Some(value)),
                ("SHAZBOT_MASTER_LIST_UPDATE", None),
                ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", None),
            ];
            read(&changes).expect_err(value)
        };
        for value in ["/tmp/servers.json", "file:servers.json", "file://servers.json"] {
            assert_eq!(list(value).lines().count(), 1, "{}", list(value));
            assert!(list(value).contains("file:///"), "{}", list(value));
        }
    }

    #[test]
    fn headers_of_an_update_are_an_object_of_strings() {
        let headers = |json: &str| read(&[("SHAZBOT_MASTER_LIST_UPDATE_HEADERS", Some(json))]);
        let config = headers(r#"{"x-ms-blob-type":"BlockBlob","X-Token":"hunter2"}"#).expect("valid");
        assert_eq!(config.list_update_headers.len(), 2);
        assert!(!format!("{config:?}").contains("hunter2"));
        for wrong in [
            "hunter2",
            r#"["hunter2"]"#,
            r#"{"hunter2":7}"#,
            r#"{"two words":"hunter2"}"#,
            r#"{"x":"hunter2 \n"}"#,
            r#"{"Authorization":"hunter2"}"#,
            r#"{"if-match":"hunter2"}"#,
            r#"{"Content-Encoding":"hunter2"}"#,
        ] {
            let error = headers(wrong).expect_err(wrong);
            assert!(error.starts_with("SHAZBOT_MASTER_LIST_UPDATE_HEADERS") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_state_file_is_a_path_or_the_url_of_one() {
        for value in ["/var/lib/app/cluster.json", "file:///var/lib/app/cluster.json"] {
            let config = read(&[("SHAZBOT_STATE_FILE", Some(value))]).expect("valid");
            assert_eq!(config.state_file, Some("/var/lib/app/cluster.json".into()));
            assert!(config.settings.keeps_state);
        }
        assert!(read(&[("SHAZBOT_STATE_FILE", Some("https://a/"))]).is_err());
        let list = [("SHAZBOT_MASTER_LIST", Some("file:///a")), ("SHAZBOT_MASTER_LIST_UPDATE", Some("file:///a"))];
        let shared = read(&[list[0], list[1], ("SHAZBOT_STATE_FILE", Some("/a"))]);
        assert!(shared.expect_err("shared").contains("a master list"));
    }

    #[test]
    fn what_says_who_may_speak_is_read() {
        let config = read(&[
            ("SHAZBOT_AUTH", Some("sign")),
            ("SHAZBOT_CLUSTER", Some("blue-1")),
            ("SHAZBOT_LIST_AUTH", Some("required")),
            ("SHAZBOT_SECRET_ALSO", Some("another gossip secret")),
            ("SHAZBOT_ALLOWED_ORIGINS", Some("http://a:3000,10.0.0.0/8")),
        ])
        .expect("valid");
        assert_eq!((config.gate.mode, config.gate.cluster.as_deref()), (Mode::Sign, Some("blue-1")));
        assert!(config.list_needs_secret && config.gate.secrets.matches("another gossip secret"));
        assert!(!config.control.matches("another gossip secret"));
        for (name, value) in [
            ("SHAZBOT_AUTH", "Signed"),
            ("SHAZBOT_CLUSTER", "two words"),
            ("SHAZBOT_LIST_AUTH", "true"),
            ("SHAZBOT_SECRET", "Shazbot and more"),
            ("SHAZBOT_ALLOWED_ORIGINS", "http://b"),
        ] {
            let error = read(&[(name, Some(value))]).expect_err(name);
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn weak_secrets_are_named_and_not_shown() {
        let weak = |gossip, control| {
            let secrets = [("SHAZBOT_SECRET", Some(gossip)), ("SHAZBOT_CONTROL_SECRET", Some(control))];
            read(&secrets).expect("valid").weak
        };
        assert!(weak("sixteen bytes or more", "and this one as well").is_empty());
        assert_eq!(weak("hunter2", "hunter2").len(), 3);
        assert!(weak("hunter2", "hunter2").iter().all(|sentence| !sentence.contains("hunter2")));
    }

    #[test]
    fn proxies_are_used_only_where_node_would() {
        let proxy = ("HTTP_PROXY", Some("http://proxy:3128"));
        assert_eq!(read(&[proxy]).expect("valid").network.http_proxy, None);
        let config = read(&[proxy, ("NODE_USE_ENV_PROXY", Some("1"))]).expect("valid");
        assert_eq!(config.network.http_proxy.as_ref().map(Secret::expose), Some("http://proxy:3128"));
    }
}
