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
mod tests;
