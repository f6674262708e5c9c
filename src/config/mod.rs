//! The configuration: environment variables, parsed once at the start. All problems are reported together.

mod lists;
mod network;
mod reader;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Keyring, PeerAuth};
use crate::error::Error;
use crate::message::Tags;
use crate::origins::Origins;
use crate::server_url::ServerUrl;
use crate::url_mistakes::is_template;

pub use lists::{DISCOVER, DnsName, List, Location, MasterLists};
pub use network::{ClientCertificate, Network, Pem, ProxyVariable};
use reader::Reader;

/// Environment variables by name.
pub type Environment = HashMap<String, String>;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The settings of the core.
    pub settings: Settings,
    /// How peers authenticate: `SHAZBOT_AUTH`, `SHAZBOT_SECRET`, `SHAZBOT_CLUSTER`.
    pub peer_auth: PeerAuth,
    /// `SHAZBOT_CONTROL_SECRET`, `SHAZBOT_CONTROL_SECRET_ALSO`.
    pub control: Keyring,
    /// Whether the list route requires a secret: `SHAZBOT_LIST_AUTH` is `required`.
    pub list_needs_secret: bool,
    /// Which servers may be listed: `SHAZBOT_ALLOWED_ORIGINS`.
    pub origins: Arc<Origins>,
    /// The variables that begin with `SHAZBOT_MASTER_LIST`.
    pub master_lists: MasterLists,
    /// `SHAZBOT_STATE_FILE`.
    pub state_file: Option<PathBuf>,
    /// How connections are made.
    pub network: Network,
    /// Values that are valid but unsafe or probably wrong.
    pub warnings: Vec<Warning>,
}

/// A valid value that an operator should check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The kind of problem.
    pub kind: WarningKind,
    /// For people, without secrets.
    pub message: String,
}

/// The kind of problem of a [`Warning`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A secret that can be guessed.
    WeakSecret,
    /// A value that is probably wrong.
    Doubtful,
}

/// The settings of the core.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is an environment variable")]
pub struct Settings {
    /// `SHAZBOT_BASE_URL`.
    pub base_url: ServerUrl,
    /// `SHAZBOT_MONITOR`.
    pub monitor: bool,
    /// `SHAZBOT_TAGS`.
    pub tags: Tags,
    /// Whether this server may be given work from the start: `SHAZBOT_READY` is not `manual`.
    pub is_ready: bool,
    /// `SHAZBOT_GOSSIP_INTERVAL`. A shorter one detects failures sooner and causes proportionally more traffic.
    pub interval: Duration,
    /// `SHAZBOT_MASTER_ANNOUNCE_MINIMUM`.
    pub announce_minimum: Duration,
    /// `SHAZBOT_MASTER_ANNOUNCE_INTERVAL`.
    pub announce_interval: Duration,
    /// `SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN`.
    pub update_list_on_shutdown: bool,
    /// `SHAZBOT_FORGET_AFTER`: how long a leave is remembered. A shorter time saves memory and traffic if each
    /// deployment brings new base URLs. But a server that was cut off for longer may then report a departed server as
    /// failed.
    pub forget_after: Duration,
    /// The master lists.
    pub lists: Vec<ListSettings>,
    /// The DNS names as shown in logs and the status; the program's `discover` comes last.
    pub names: Vec<String>,
    /// Whether `SHAZBOT_STATE_FILE` is set.
    pub keeps_state: bool,
}

/// The settings of one list.
#[derive(Clone, Debug)]
pub struct ListSettings {
    /// Its name in logs and the status.
    pub name: String,
    /// Whether it can be written.
    pub is_written: bool,
}

impl Config {
    /// Reads the variables. Empty ones count as missing, except `SHAZBOT_MASTER_LIST_UPDATE_AUTH`, where empty means to
    /// send no header.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let mut reader = Reader::new(environment);
        let secrets = reader.keyring("SHAZBOT_SECRET", "SHAZBOT_SECRET_ALSO");
        let control = reader.keyring("SHAZBOT_CONTROL_SECRET", "SHAZBOT_CONTROL_SECRET_ALSO");
        let base_url = reader.base_url();
        let origins = base_url.as_ref().and_then(|url| reader.origins(url));
        let mode = reader.mode();
        let cluster = reader.cluster();
        let list_needs_secret = reader.list_needs_secret();
        let master_lists = MasterLists::read(&mut reader);
        let lists = master_lists.as_ref().map(|it| it.lists.as_slice());
        let state_file = lists::state_file(&mut reader, lists);
        let client_certificate = ClientCertificate::read(&mut reader);
        let settings = Settings::read(&mut reader, base_url, master_lists.as_ref(), state_file.is_some());
        match (secrets, control, settings, origins, master_lists) {
            (Some(secrets), Some(control), Some(settings), Some(origins), Some(master_lists))
                if reader.problems.is_empty() =>
            {
                Ok(Self {
                    warnings: weak(&secrets, &control).into_iter().chain(reader.warnings).collect(),
                    settings,
                    peer_auth: PeerAuth { mode, secrets, cluster },
                    control,
                    list_needs_secret,
                    origins: Arc::new(origins),
                    master_lists,
                    state_file,
                    network: Network { client_certificate, ..Network::from_environment(environment) },
                })
            }
            _ => Err(Error::InvalidConfig(reader.problems)),
        }
    }
}

impl Settings {
    /// The defaults, for a server without lists.
    #[allow(clippy::missing_panics_doc, reason = "only the base URL has no default")]
    pub fn new(base_url: ServerUrl) -> Self {
        let settings = Self::read(&mut Reader::new(&Environment::default()), Some(base_url), None, false);
        settings.expect("it has a base URL")
    }

    // Reads all variables even without a base URL, so that all problems are reported.
    fn read(
        reader: &mut Reader<'_>,
        base_url: Option<ServerUrl>,
        lists: Option<&MasterLists>,
        keeps_state: bool,
    ) -> Option<Self> {
        let interval = reader.seconds("SHAZBOT_GOSSIP_INTERVAL", 30.0, 0.1, 3600.0);
        let forget_after = reader.seconds("SHAZBOT_FORGET_AFTER", 21_600.0, 21_600.0, 86_400.0);
        let announce_minimum = reader.seconds("SHAZBOT_MASTER_ANNOUNCE_MINIMUM", 300.0, 0.0, 86_400.0);
        let announce_interval = reader.seconds("SHAZBOT_MASTER_ANNOUNCE_INTERVAL", 600.0, 0.0, 86_400.0);
        Some(Self {
            base_url: base_url?,
            monitor: reader.boolean("SHAZBOT_MONITOR"),
            tags: reader.tags(),
            is_ready: reader.is_ready(),
            interval,
            announce_minimum,
            announce_interval,
            forget_after,
            update_list_on_shutdown: reader.boolean("SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN"),
            lists: lists.into_iter().flat_map(|it| &it.lists).map(ListSettings::of).collect(),
            names: lists.map(MasterLists::names_to_look_up).unwrap_or_default(),
            keeps_state,
        })
    }
}

impl ListSettings {
    fn of(list: &List) -> Self {
        Self { name: list.read.to_string(), is_written: list.write.is_some() }
    }
}

fn weak(gossip: &Keyring, control: &Keyring) -> Vec<Warning> {
    let mut weak = Vec::new();
    for (name, keyring) in [("SHAZBOT_SECRET", gossip), ("SHAZBOT_CONTROL_SECRET", control)] {
        for (secret, also) in keyring.all().zip(["", "_ALSO"]) {
            if is_template(secret.expose()) {
                weak.push(format!(
                    "the value of {name}{also} is a placeholder such as $(NAME) that nothing has replaced"
                ));
            } else if secret.is_short() {
                weak.push(format!("{name}{also} has fewer than 16 bytes and can be guessed"));
            }
        }
        if keyring.also() == Some(keyring.main()) {
            weak.push(format!("{name}_ALSO is the same as {name}"));
        }
    }
    if gossip.all().any(|secret| control.all().any(|other| secret == other)) {
        weak.push("a control secret is also a gossip secret: every server can drain every other".into());
    }
    let remedy = "Make a secret with `openssl rand -base64 32`";
    weak.into_iter().map(|why| Warning { kind: WarningKind::WeakSecret, message: format!("{why}. {remedy}") }).collect()
}

#[cfg(test)]
mod tests;
