//! Variables, one by one, and what is wrong with them.

use std::time::Duration;

use url::Url;

use super::{Environment, Location};
use crate::auth::{Keyring, Mode, SCHEME, Secret};
use crate::message::{ServerUrl, is_cluster_name};
use crate::origins::Origins;

// Values that are secret, or may hold one (a URL may be presigned), are never repeated in a problem.
pub struct Reader<'a> {
    environment: &'a Environment,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new() }
    }

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
        } else if value.starts_with(SCHEME) {
            self.problem(name, "it begins with \"Shazbot \", as signatures do");
        } else if value.trim() != value {
            self.problem(name, "it begins or ends with white space, which an HTTP header loses");
        } else {
            return Some(Secret::new(value.into()));
        }
        None
    }

    pub fn keyring(&mut self, name: &str, also: &str) -> Option<Keyring> {
        let main = self.required(name).and_then(|value| self.header(name, value));
        let also = self.get(also).and_then(|value| self.header(also, value));
        Some(Keyring { main: main?, also })
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
            // Not repeated, here and below: these names look like places for a secret.
            Some(_) => {
                self.problem("SHAZBOT_AUTH", "it is none of plain, sign and signed");
                Mode::Plain
            }
        }
    }

    pub fn cluster(&mut self) -> Option<String> {
        let name = self.get("SHAZBOT_CLUSTER")?;
        if !is_cluster_name(name) {
            self.problem("SHAZBOT_CLUSTER", "a name has up to 64 letters, digits, dots, dashes and underscores");
        }
        Some(name.into())
    }

    pub fn list_auth(&mut self) -> bool {
        let value = self.get("SHAZBOT_LIST_AUTH");
        if value.is_some_and(|value| value != "required") {
            self.problem("SHAZBOT_LIST_AUTH", "it is neither empty nor the word required");
        }
        value.is_some()
    }

    pub fn base_url(&mut self) -> Option<ServerUrl> {
        let value = self.required("SHAZBOT_BASE_URL")?;
        ServerUrl::parse(value).map_err(|why| self.problem("SHAZBOT_BASE_URL", &why.replace("its URL", "the URL"))).ok()
    }

    pub fn location(&mut self, name: &str) -> Option<Location> {
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

    pub fn update_location(&mut self, list: Option<&Location>) -> Option<Location> {
        match list {
            Some(file @ Location::File(_)) if self.get("SHAZBOT_MASTER_LIST_UPDATE").is_none() => Some(file.clone()),
            _ => self.location("SHAZBOT_MASTER_LIST_UPDATE"),
        }
    }

    pub fn update_auth(&mut self, update: Option<&Location>) -> Option<Secret> {
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

    pub fn boolean(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}
