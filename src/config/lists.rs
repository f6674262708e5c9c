//! The `SHAZBOT_MASTER_LIST` variables and `SHAZBOT_STATE_FILE`: the locations of master lists and state, and the
//! headers of requests to a store.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;
use url::Url;

use super::reader::Reader;
use crate::address;
use crate::auth::Secret;
use crate::server_url::ServerUrl;

/// The item of `SHAZBOT_MASTER_LIST` for the program's `discover` function. JavaScript adds it.
pub const DISCOVER: &str = "discover()";
/// Most master lists. Each is read and written separately.
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

/// The master lists, and the headers of requests to them.
#[derive(Clone, Debug)]
pub struct MasterLists {
    /// The lists in `SHAZBOT_MASTER_LIST`, with their `SHAZBOT_MASTER_LIST_UPDATE`.
    pub lists: Vec<List>,
    /// The DNS names in `SHAZBOT_MASTER_LIST`.
    pub names: Vec<DnsName>,
    /// Whether the program has a `discover` function.
    pub discovers: bool,
    /// `SHAZBOT_MASTER_LIST_AUTH`: the `Authorization` header for reading.
    pub auth: Option<Secret>,
    /// `SHAZBOT_MASTER_LIST_UPDATE_AUTH`: the `Authorization` header for writing.
    pub update_auth: Option<Secret>,
    /// `SHAZBOT_MASTER_LIST_UPDATE_HEADERS`: additional headers for writing.
    pub update_headers: Vec<(String, Secret)>,
}

/// Where a master list is read and written. The same for a file, unless configured otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// With `GET`.
    pub read: Location,
    /// With `PUT`. None if the list is read-only, such as the list route of a server.
    pub write: Option<Location>,
}

/// A DNS name that leads to servers. It says where to ask, never which servers are up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsName {
    /// The URL to ask at: scheme, name, port, and the path of the base URLs.
    pub url: ServerUrl,
    /// The name to look up.
    pub name: String,
    /// Whether to look up SRV records (hosts and ports) instead of A and AAAA records (addresses).
    pub is_srv: bool,
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", if self.is_srv { "srv" } else { "dns" }, self.url)
    }
}

/// Where a list is stored.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// Over HTTP or HTTPS.
    Http(Url),
    /// On this machine or a shared volume.
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

impl Location {
    fn is_http(&self) -> bool {
        matches!(self, Self::Http(_))
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl MasterLists {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (names, documents, discovers) = read_locations(reader);
        let lists = lists(reader, documents);
        let auth = reader.optional_header("SHAZBOT_MASTER_LIST_AUTH");
        let update_auth = update_auth(reader, lists.as_deref());
        let update_headers = update_headers(reader);
        Some(Self { lists: lists?, names: names?, discovers, auth, update_auth, update_headers })
    }
}

impl MasterLists {
    /// The DNS names as shown in logs and the status, then the program's `discover`.
    pub fn names_to_look_up(&self) -> Vec<String> {
        let names = self.names.iter().map(ToString::to_string);
        names.chain(self.discovers.then(|| DISCOVER.into())).collect()
    }
}

// The DNS names and lists in `SHAZBOT_MASTER_LIST`, each None if one is invalid; and whether `discover` is there.
fn read_locations(reader: &mut Reader<'_>) -> (Option<Vec<DnsName>>, Option<Vec<Location>>, bool) {
    let name = "SHAZBOT_MASTER_LIST";
    let is_name =
        |url: &&str| ["dns+", "srv+"].iter().any(|it| url.get(..4).is_some_and(|kind| kind.eq_ignore_ascii_case(it)));
    let (discover, urls): (Vec<_>, Vec<_>) = urls(reader, name).into_iter().partition(|url| *url == DISCOVER);
    let (names, documents): (Vec<_>, Vec<_>) = urls.into_iter().partition(is_name);
    let discovers = !discover.is_empty();
    let are_documents_needed = names.is_empty() && !discovers;
    if names.len() > MAX_LISTS {
        reader.problem(name, &format!("it has more than {MAX_LISTS} names"));
        return (None, None, discovers);
    }
    let names: Option<Vec<_>> = names.into_iter().map(|url| dns_name(reader, name, url)).collect();
    let documents = if documents.is_empty() && !are_documents_needed {
        Some(Vec::new())
    } else {
        locations(reader, name, documents)
    };
    (names, documents, discovers)
}

fn dns_name(reader: &mut Reader<'_>, variable: &str, value: &str) -> Option<DnsName> {
    if reader.is_mistake(variable, value) {
        return None;
    }
    let is_srv = value[..4].eq_ignore_ascii_case("srv+");
    let (url, parsed) = match ServerUrl::parse_with_url(&value[4..]) {
        Ok(parsed) => parsed,
        Err(why) => {
            reader.problem(
                variable,
                &format!("{why}; write a name as dns+http://name:3000/ or srv+http://_http._tcp.name/"),
            );
            return None;
        }
    };
    let Some(name) = parsed.domain().map(|it| it.trim_end_matches('.')).filter(|it| !it.is_empty()) else {
        reader.problem(variable, "dns+ and srv+ stand before a name, not before an address");
        return None;
    };
    if is_srv && parsed.port().is_some() {
        reader.problem(variable, "srv+ stands before a name without a port: SRV records have the ports");
        return None;
    }
    Some(DnsName { name: name.to_owned(), url, is_srv })
}

fn lists(reader: &mut Reader<'_>, read: Option<Vec<Location>>) -> Option<Vec<List>> {
    let (name, update) = ("SHAZBOT_MASTER_LIST", "SHAZBOT_MASTER_LIST_UPDATE");
    let is_missing = reader.get(update).is_none();
    // An authorisation for writes shows that the operator wants writes.
    let means_to_write = reader.get("SHAZBOT_MASTER_LIST_UPDATE_AUTH").is_some();
    let write = match &read {
        // A file is written where it is read. Other lists without an update variable are read-only.
        Some(read) if is_missing && !(means_to_write && read.iter().any(Location::is_http)) => {
            read.iter().map(|it| Some(it.clone()).filter(|it| !it.is_http())).collect()
        }
        // The invalid value may be meant as a file, which needs no update variable.
        None if is_missing => return None,
        Some(_) | None => {
            let urls = urls(reader, update);
            locations(reader, update, urls)?.into_iter().map(Some).collect::<Vec<_>>()
        }
    };
    let read = read?;
    if read.len() != write.len() {
        let plural = if write.len() == 1 { "" } else { "s" };
        let why = format!(
            "it has {} URL{plural}, {name} {}: give one for each list but dns+ and srv+, in the same order. For a file, \
             repeat its URL",
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

// URLs separated by white space.
fn urls<'a>(reader: &Reader<'a>, name: &str) -> Vec<&'a str> {
    reader.get(name).unwrap_or_default().split_whitespace().collect()
}

#[inline(never)]
fn locations(reader: &mut Reader<'_>, name: &str, urls: Vec<&str>) -> Option<Vec<Location>> {
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
    if reader.is_mistake(name, value) {
        return None;
    }
    let Ok(url) = Url::parse(value) else {
        reader.problem(
            name,
            "it is not an absolute URL such as https://store/servers.json; write a file as file:///path/to/list.json",
        );
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
        "http" | "https" => {
            if address::of_url(&url).is_some_and(address::is_unspecified) {
                reader.doubt(name, "0.0.0.0 and [::] are addresses at which a store listens: write one to connect to");
            }
            return Some(Location::Http(url));
        }
        // `Url::parse` would take a relative path as a file in the root folder.
        "file" if !value.to_ascii_lowercase().starts_with("file:///") => {
            reader.problem(name, "a file needs its absolute path: file:///path/to/list.json");
        }
        "file" => match url.to_file_path() {
            Ok(path) => return Some(Location::File(path)),
            Err(()) => reader.problem(name, "it is not a path on this machine: write file:///path/to/list.json"),
        },
        _ => reader.problem(name, "its URL does not begin with http:, https:, file:, dns+http(s): or srv+http(s):"),
    }
    None
}

fn update_auth(reader: &mut Reader<'_>, lists: Option<&[List]>) -> Option<Secret> {
    let name = "SHAZBOT_MASTER_LIST_UPDATE_AUTH";
    let needs_one = |lists: &[List]| lists.iter().any(|list| list.write.as_ref().is_some_and(Location::is_http));
    match reader.raw(name) {
        // Empty on purpose: send no header.
        Some("") => None,
        Some(value) => reader.header(name, value),
        // Invalid or missing lists are reported elsewhere.
        None if lists.is_none_or(|lists| !needs_one(lists)) => None,
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

/// `SHAZBOT_STATE_FILE`: a path or a `file:` URL.
pub(super) fn state_file(reader: &mut Reader<'_>, lists: Option<&[List]>) -> Option<PathBuf> {
    let name = "SHAZBOT_STATE_FILE";
    let value = reader.get(name)?;
    let file = if value.contains("://") { location(reader, name, value)? } else { Location::File(value.into()) };
    let is_shared = |list: &List| list.read == file || list.write.as_ref() == Some(&file);
    match file {
        Location::Http(_) => reader.problem(name, "it is neither a path nor a file: URL"),
        Location::File(_) if lists.is_some_and(|lists| lists.iter().any(is_shared)) => {
            reader.problem(name, "it is a master list: each server needs a state file of its own");
        }
        Location::File(path) => return Some(path),
    }
    None
}
