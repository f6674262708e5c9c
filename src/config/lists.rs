//! The `SHAZBOT_MASTER_LIST` variables and `SHAZBOT_STATE_FILE`: where the master lists and the state are, and the headers of
//! requests to a store.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;
use url::Url;

use super::reader::Reader;
use crate::address;
use crate::auth::Secret;

/// Most master lists: each is read and written separately.
const MAX_LISTS: usize = 8;
/// Headers that the engine sets on its requests.
const RESERVED_HEADERS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "host",
    "if-match",
    "if-none-match",
    "transfer-encoding",
    "x-goog-if-generation-match",
];

/// The master lists, and the headers of requests for them.
#[derive(Clone, Debug)]
pub struct MasterLists {
    /// `SHAZBOT_MASTER_LIST`, with `SHAZBOT_MASTER_LIST_UPDATE`.
    pub lists: Vec<List>,
    /// `SHAZBOT_MASTER_LIST_AUTH`: the `Authorization` header for reading.
    pub auth: Option<Secret>,
    /// `SHAZBOT_MASTER_LIST_UPDATE_AUTH`: the `Authorization` header for writing.
    pub update_auth: Option<Secret>,
    /// `SHAZBOT_MASTER_LIST_UPDATE_HEADERS`: additional headers for writing.
    pub update_headers: Vec<(String, Secret)>,
}

/// Where a master list is read and written. For a file these are the same, unless configured otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// With `GET`.
    pub read: Location,
    /// With `PUT`.
    pub write: Location,
}

/// Where a list is stored.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// Over http or https.
    Http(Url),
    /// On this machine, or on a shared volume.
    File(PathBuf),
}

impl fmt::Display for Location {
    /// Leaves out user info and query, which may be secret.
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

impl MasterLists {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let lists = lists(reader);
        let auth = reader.optional_header("SHAZBOT_MASTER_LIST_AUTH");
        let update_auth = update_auth(reader, lists.as_deref());
        let update_headers = update_headers(reader);
        Some(Self { lists: lists?, auth, update_auth, update_headers })
    }
}

fn lists(reader: &mut Reader<'_>) -> Option<Vec<List>> {
    let (name, update) = ("SHAZBOT_MASTER_LIST", "SHAZBOT_MASTER_LIST_UPDATE");
    let read = locations(reader, name);
    let are_files = |lists: &[Location]| lists.iter().all(|list| matches!(list, Location::File(_)));
    let is_missing = reader.get(update).is_none();
    let write = match &read {
        Some(read) if is_missing && are_files(read) => read.clone(),
        // The wrong value may be meant as a file, which needs no update variable.
        None if is_missing && reader.get(name).is_some() => return None,
        _ => locations(reader, update)?,
    };
    let read = read?;
    if read.len() != write.len() {
        let plural = if write.len() == 1 { "" } else { "s" };
        let why = format!(
            "it has {} URL{plural}, {name} {}: give one for each list, in the same order. For a file, repeat its URL",
            write.len(),
            read.len()
        );
        reader.problem(update, &why);
        return None;
    }
    if read.iter().enumerate().any(|(index, list)| read[..index].contains(list)) {
        reader.problem(name, "it has the same list twice");
        return None;
    }
    Some(read.into_iter().zip(write).map(|(read, write)| List { read, write }).collect())
}

// One URL, or several separated by white space.
#[inline(never)]
fn locations(reader: &mut Reader<'_>, name: &str) -> Option<Vec<Location>> {
    let urls: Vec<_> = reader.get(name).unwrap_or_default().split_whitespace().collect();
    if urls.is_empty() {
        reader.missing(name);
        return None;
    }
    if urls.len() > MAX_LISTS {
        reader.problem(name, &format!("it has more than {MAX_LISTS} URLs"));
        return None;
    }
    urls.into_iter().map(|url| location(reader, name, url)).collect()
}

#[inline(never)]
fn location(reader: &mut Reader<'_>, name: &str, value: &str) -> Option<Location> {
    let Ok(url) = Url::parse(value) else {
        reader.problem(name, "it is not an absolute URL; write a file as file:///path/to/list.json");
        return None;
    };
    if value.contains(",http") || value.contains(",file:") {
        reader.problem(name, "it has a comma: separate several URLs by white space");
        return None;
    }
    match url.scheme() {
        "http" | "https" if address::of_url(&url).is_some_and(address::is_forbidden) => {
            reader.problem(name, "its address is link-local, multicast or a cloud's metadata service");
        }
        "http" | "https" => return Some(Location::Http(url)),
        // Url::parse would take a relative path as a file in the root folder.
        "file" if !value.to_ascii_lowercase().starts_with("file:///") => {
            reader.problem(name, "a file needs its absolute path: file:///path/to/list.json");
        }
        "file" => match url.to_file_path() {
            Ok(path) => return Some(Location::File(path)),
            Err(()) => reader.problem(name, "it is not a path on this machine: write file:///path/to/list.json"),
        },
        _ => reader.problem(name, "its URL is neither http, https nor file"),
    }
    None
}

fn update_auth(reader: &mut Reader<'_>, lists: Option<&[List]>) -> Option<Secret> {
    let name = "SHAZBOT_MASTER_LIST_UPDATE_AUTH";
    let needs_one = |lists: &[List]| lists.iter().any(|list| matches!(list.write, Location::Http(_)));
    match reader.raw(name) {
        // Empty on purpose: no header is sent.
        Some("") => None,
        Some(value) => reader.header(name, value),
        None if lists.is_some_and(|lists| !needs_one(lists)) => None,
        None if lists.is_none() && reader.get("SHAZBOT_MASTER_LIST").is_some() => None,
        None => {
            reader.missing(name);
            None
        }
    }
}

fn update_headers(reader: &mut Reader<'_>) -> Vec<(String, Secret)> {
    let name = "SHAZBOT_MASTER_LIST_UPDATE_HEADERS";
    let Some(value) = reader.get(name) else { return Vec::new() };
    let Ok(Value::Object(headers)) = serde_json::from_str(value) else {
        reader.problem(name, r#"it is not a JSON object such as {"x-ms-blob-type":"BlockBlob"}"#);
        return Vec::new();
    };
    let is_name_character = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let mut accepted = Vec::new();
    for (header, value) in headers {
        let header = header.to_ascii_lowercase();
        let Value::String(value) = value else {
            reader.problem(name, "one of its values is not a string");
            continue;
        };
        if header.is_empty() || !header.chars().all(is_name_character) {
            reader.problem(name, "one of its names is not a valid HTTP header name");
        } else if header == "authorization" {
            reader.problem(name, "set authorization with SHAZBOT_MASTER_LIST_UPDATE_AUTH");
        } else if RESERVED_HEADERS.contains(&header.as_str()) {
            reader.problem(name, &format!("{header} cannot be set here: clustershazbot sets it"));
        } else if let Some(value) = reader.header(name, &value) {
            accepted.push((header, value));
        }
    }
    accepted
}

/// `SHAZBOT_STATE_FILE`: a path, or the `file:` URL of one.
pub(super) fn state_file(reader: &mut Reader<'_>, lists: Option<&[List]>) -> Option<PathBuf> {
    let name = "SHAZBOT_STATE_FILE";
    let value = reader.get(name)?;
    let file = if value.contains("://") { location(reader, name, value)? } else { Location::File(value.into()) };
    let is_shared = |list: &List| list.read == file || list.write == file;
    match file {
        Location::Http(_) => reader.problem(name, "it is neither a path nor a file: URL"),
        Location::File(_) if lists.is_some_and(|lists| lists.iter().any(is_shared)) => {
            reader.problem(name, "it is a master list: each server needs a state file of its own");
        }
        Location::File(path) => return Some(path),
    }
    None
}
