//! Master lists over HTTP.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use url::Url;

use super::http::{MAX_BODY, cause, header_value, read_up_to};
use super::store::Version;
use crate::auth::Secret;
use crate::config::MasterLists;

/// How many redirects are followed to the master list (the number of Node's `fetch`).
const MAX_REDIRECTS: usize = 20;

/// The clients for master lists, and the headers of their requests.
pub struct ListHttp {
    get: Client,
    put: Client,
    auth: Option<Secret>,
    update_headers: HeaderMap,
}

impl ListHttp {
    /// `client` makes one that follows redirects as it is told.
    pub fn new(config: &MasterLists, client: impl Fn(Policy) -> Result<Client, String>) -> Result<Self, String> {
        let mut update_headers = HeaderMap::new();
        update_headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &config.update_headers {
            // The configuration has checked the names.
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                update_headers.insert(name, header_value(value));
            }
        }
        if let Some(auth) = &config.update_auth {
            update_headers.insert(AUTHORIZATION, header_value(auth));
        }
        Ok(Self {
            get: client(Policy::limited(MAX_REDIRECTS))?,
            put: client(within_origin())?,
            auth: config.auth.clone(),
            update_headers,
        })
    }

    /// Reads a master list; one that is not there is empty. None where it still has the tag that was seen.
    pub async fn get(&self, url: &Url, seen: Option<&str>, timeout: Duration) -> Result<Option<Got>, String> {
        // A proxy that answers what it has kept, or changes the tag of what it compresses, would have us write in vain.
        let mut request = self
            .get
            .get(url.clone())
            .header(CACHE_CONTROL, "no-cache")
            .header(ACCEPT_ENCODING, "identity")
            .timeout(timeout);
        if let Some(auth) = &self.auth {
            request = request.header(AUTHORIZATION, header_value(auth));
        }
        if let Some(seen) = seen {
            request = request.header(IF_NONE_MATCH, seen);
        }
        let mut response = request.send().await.map_err(|error| cause(&error))?;
        let at = response.url().clone();
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (tag, generation, encoding) = (header("etag"), header("x-goog-generation"), header("content-encoding"));
        let is_gzip = encoding.is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("gzip"));
        match response.status() {
            StatusCode::NOT_MODIFIED if seen.is_some() => return Ok(None),
            StatusCode::NOT_FOUND => {
                return Ok(Some(Got { body: Vec::new(), tag: None, version: Some(Version::Absent), at }));
            }
            status if status.is_success() => {}
            status => return Err(refused(status, "SHAZBOT_MASTER_LIST_AUTH")),
        }
        let mut body = Vec::new();
        if !read_up_to(&mut response, &mut body, MAX_BODY).await.map_err(|error| error.to_string())? {
            return Err(format!("it is over {} MiB", MAX_BODY >> 20));
        }
        if is_gzip && !body.is_empty() {
            body = unzipped(&body)?;
        }
        let strong = tag.clone().filter(|tag| tag.starts_with('"'));
        let version = generation.map(Version::Generation).or_else(|| strong.map(Version::Tag));
        Ok(Some(Got { body, tag, version, at }))
    }

    /// Writes a master list: one of a version, if it is still that.
    pub async fn put(
        &self,
        url: &Url,
        version: Option<&Version>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(), PutError> {
        let mut headers = self.update_headers.clone();
        match version {
            None => {}
            Some(Version::Absent) => insert(&mut headers, "if-none-match", "*"),
            Some(Version::Tag(tag)) => insert(&mut headers, "if-match", tag),
            Some(Version::Generation(number)) => insert(&mut headers, "x-goog-if-generation-match", number),
        }
        let request = self.put.put(url.clone()).headers(headers).timeout(timeout).body(body);
        let status = request.send().await.map_err(|error| PutError::Failed(cause(&error)))?.status();
        let answered = |what: &str| format!("the store answered {status}{what}");
        match status {
            status if status.is_success() => Ok(()),
            // S3 answers the one where somebody writes at the same time, the other where somebody has written. To WebDAV
            // the one also says that the folder does not exist: without a condition it does.
            StatusCode::CONFLICT => Err(PutError::Conflict(answered(": is the folder there?"))),
            StatusCode::PRECONDITION_FAILED => Err(PutError::Conflict(answered(""))),
            // Stores that know no conditions may say so, or take them for a mistake.
            StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED => Err(PutError::Unsupported(answered(""))),
            StatusCode::METHOD_NOT_ALLOWED => Err(PutError::Failed(answered(": it takes no PUT there"))),
            status => Err(PutError::Failed(refused(status, "SHAZBOT_MASTER_LIST_UPDATE_AUTH"))),
        }
    }
}

/// A list that was read over HTTP.
pub struct Got {
    /// Empty where it is not there.
    pub body: Vec<u8>,
    /// Its tag, if it has any.
    pub tag: Option<String>,
    /// By which a write can tell whether it has changed.
    pub version: Option<Version>,
    /// Where it was in the end.
    pub at: Url,
}

/// Why a list was not written, in words.
pub enum PutError {
    /// It is of another version, if it was to be of one.
    Conflict(String),
    /// The request is none that the store takes: it may be for its condition.
    Unsupported(String),
    /// Anything else.
    Failed(String),
}

// A redirect to another origin would take the header, or the list, to somebody else.
fn within_origin() -> Policy {
    Policy::custom(|attempt| {
        let first = attempt.previous().first().map(Url::origin);
        if first.is_some_and(|origin| origin != attempt.url().origin()) {
            attempt.error("the store redirects to another origin")
        } else if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("too many redirects")
        } else {
            attempt.follow()
        }
    })
}

fn refused(status: StatusCode, auth: &str) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!("the store answered {status}: is {auth} right?"),
        status => format!("the store answered {status}"),
    }
}

// What a store has sent itself is a header that can be sent.
fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

// Some stores keep what was put there compressed, and give it so to everybody. A bomb is cut off.
fn unzipped(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(body).take(MAX_BODY as u64 + 1).read_to_end(&mut content);
    read.map_err(|error| format!("it cannot be unpacked: {error}"))?;
    if content.len() > MAX_BODY { Err(format!("it is over {} MiB", MAX_BODY >> 20)) } else { Ok(content) }
}
