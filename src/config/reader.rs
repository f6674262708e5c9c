//! Variables, one by one, and what is wrong with them.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::{Environment, List, Location};
use crate::auth::{Keyring, Mode, SCHEME, Secret};
use crate::message::{ServerUrl, is_cluster_name};
use crate::origins::Origins;

/// More master lists than anybody needs: each is read and written by itself.
const MAX_LISTS: usize = 8;
/// What a request sets by itself.
const OUR_HEADERS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "host",
    "if-match",
    "if-none-match",
    "transfer-encoding",
    "x-goog-if-generation-match",
];

// Once a start: the functions that are called often are kept apart, or each would be there many times.
//
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

    #[inline(never)]
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

    #[inline(never)]
    fn header(&mut self, name: &str, value: &str) -> Option<Secret> {
        if value.chars().any(|c| c.is_control() || c > '\u{ff}') {
            self.problem(name, "it has characters that an HTTP header cannot carry, as a line break is one");
        } else if value.starts_with(SCHEME) {
            self.problem(name, "it begins with \"Shazbot \", as signatures do");
        } else if value.trim() != value {
            self.problem(name, "it begins or ends with white space, which an HTTP header loses");
        } else {
            return Some(Secret::new(value.into()));
        }
        None
    }

    #[inline(never)]
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

    #[inline(never)]
    fn location(&mut self, name: &str, value: &str) -> Option<Location> {
        let Ok(url) = Url::parse(value) else {
            self.problem(name, "it is not an absolute URL; a file is written as file:///path/to/list.json");
            return None;
        };
        if value.contains(",http") || value.contains(",file:") {
            self.problem(name, "it has a comma: between several URLs there is white space");
            return None;
        }
        match url.scheme() {
            "http" | "https" => return Some(Location::Http(url)),
            // Else it would be a file in the root folder.
            "file" if !value.to_ascii_lowercase().starts_with("file:///") => {
                self.problem(name, "a file is written with its whole path: file:///path/to/list.json");
            }
            "file" => match url.to_file_path() {
                Ok(path) => return Some(Location::File(path)),
                Err(()) => self.problem(name, "it is no path of this machine: write file:///path/to/list.json"),
            },
            _ => self.problem(name, "its URL is neither http, https nor file"),
        }
        None
    }

    // A variable that has one URL, or several with white space between them.
    #[inline(never)]
    fn locations(&mut self, name: &str) -> Option<Vec<Location>> {
        let urls: Vec<_> = self.get(name).unwrap_or_default().split_whitespace().collect();
        if urls.is_empty() {
            self.problems.push(format!("Environment variable {name} is required"));
            return None;
        }
        if urls.len() > MAX_LISTS {
            self.problem(name, &format!("it has more than {MAX_LISTS} URLs"));
            return None;
        }
        urls.into_iter().map(|url| self.location(name, url)).collect()
    }

    pub fn lists(&mut self) -> Option<Vec<List>> {
        let (name, update) = ("SHAZBOT_MASTER_LIST", "SHAZBOT_MASTER_LIST_UPDATE");
        let read = self.locations(name);
        let are_files = |lists: &[Location]| lists.iter().all(|list| matches!(list, Location::File(_)));
        let is_missing = self.get(update).is_none();
        let write = match &read {
            Some(read) if is_missing && are_files(read) => read.clone(),
            // What is wrong with it may be that it is no file.
            None if is_missing && self.get(name).is_some() => return None,
            _ => self.locations(update)?,
        };
        let read = read?;
        if read.len() != write.len() {
            let count = format!(
                "it has {} URL{}, {name} {}: give one for each, in the same order; a file's is the same again",
                write.len(),
                if write.len() == 1 { "" } else { "s" },
                read.len()
            );
            self.problem(update, &count);
            return None;
        }
        if read.iter().enumerate().any(|(place, list)| read[..place].contains(list)) {
            self.problem(name, "it has the same list twice");
            return None;
        }
        Some(read.into_iter().zip(write).map(|(read, write)| List { read, write }).collect())
    }

    pub fn optional_header(&mut self, name: &str) -> Option<Secret> {
        self.get(name).and_then(|value| self.header(name, value))
    }

    pub fn update_auth(&mut self, lists: Option<&[List]>) -> Option<Secret> {
        let name = "SHAZBOT_MASTER_LIST_UPDATE_AUTH";
        let needs_one = |lists: &[List]| lists.iter().any(|list| matches!(list.write, Location::Http(_)));
        match self.environment.get(name).map(String::as_str) {
            Some("") => None,
            Some(value) => self.header(name, value),
            None if lists.is_some_and(|lists| !needs_one(lists)) => None,
            None if lists.is_none() && self.get("SHAZBOT_MASTER_LIST").is_some() => None,
            None => {
                self.problems.push(format!("Environment variable {name} is required"));
                None
            }
        }
    }

    pub fn update_headers(&mut self) -> Vec<(String, Secret)> {
        let name = "SHAZBOT_MASTER_LIST_UPDATE_HEADERS";
        let Some(value) = self.get(name) else { return Vec::new() };
        let Ok(Value::Object(headers)) = serde_json::from_str(value) else {
            self.problem(name, r#"it is no JSON object, as {"x-ms-blob-type":"BlockBlob"} is one"#);
            return Vec::new();
        };
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let mut kept = Vec::new();
        for (header, value) in headers {
            let header = header.to_ascii_lowercase();
            let Value::String(value) = value else {
                self.problem(name, "one of its values is no string");
                continue;
            };
            if header.is_empty() || !header.chars().all(is_of_a_name) {
                self.problem(name, "one of its names is not that of an HTTP header");
            } else if header == "authorization" {
                self.problem(name, "authorization is given by SHAZBOT_MASTER_LIST_UPDATE_AUTH");
            } else if OUR_HEADERS.contains(&header.as_str()) {
                self.problem(name, &format!("{header} is not for you to set"));
            } else if let Some(value) = self.header(name, &value) {
                kept.push((header, value));
            }
        }
        kept
    }

    pub fn state_file(&mut self, lists: Option<&[List]>) -> Option<PathBuf> {
        let name = "SHAZBOT_STATE_FILE";
        let value = self.get(name)?;
        let file = if value.contains("://") { self.location(name, value)? } else { Location::File(value.into()) };
        let is_shared = |list: &List| list.read == file || list.write == file;
        match file {
            Location::Http(_) => self.problem(name, "it is neither a path nor the file: URL of one"),
            Location::File(_) if lists.is_some_and(|lists| lists.iter().any(is_shared)) => {
                self.problem(name, "it is a master list: the state is a file of this server alone");
            }
            Location::File(path) => return Some(path),
        }
        None
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

    pub fn boolean(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}
