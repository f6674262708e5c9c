//! `ListClient`: reads and writes master lists over HTTP, conditionally if the store supports it.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use super::http::{
    ClientFactory, MAX_RESPONSE, Proxies, Resolver, cause, header_value, read_up_to, to_lists, within_origin,
};
use crate::auth::Secret;
use crate::clock;
use crate::config::MasterLists;

pub struct ListClient {
    get: Client,
    put: Client,
    proxies: Arc<Proxies>,
    auth: Option<Secret>,
    update_headers: HeaderMap,
}

/// The version of a document in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// The document does not exist.
    Absent,
    /// A strong `ETag`.
    Tag(String),
    /// A generation number of Google Cloud Storage.
    Generation(String),
}

/// A list as read from a store.
pub struct Document {
    /// Empty if it does not exist.
    pub body: Vec<u8>,
    /// Its `ETag`, weak or strong, if there is one.
    pub tag: Option<String>,
    /// The version for a conditional write.
    pub version: Option<Version>,
    /// Its URL after redirects.
    pub url: Url,
}

/// Why a list was not written.
pub enum PutError {
    /// The list no longer has the version of the conditional write.
    Conflict(String),
    /// The store does not support the request, perhaps because of its condition.
    Unsupported(String),
    /// Any other failure.
    Failed(String),
}

impl ListClient {
    pub fn new(factory: &ClientFactory<'_>, config: &MasterLists) -> Result<Self, String> {
        let mut update_headers = HeaderMap::new();
        update_headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &config.update_headers {
            // The names were validated with the configuration.
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                update_headers.insert(name, header_value(value));
            }
        }
        if let Some(auth) = &config.update_auth {
            update_headers.insert(AUTHORIZATION, header_value(auth));
        }
        let resolver = Resolver::for_lists(&config.lists, factory.names, &factory.proxies);
        Ok(Self {
            get: factory.build(to_lists(), &resolver, usize::MAX)?,
            put: factory.build(within_origin(), &resolver, usize::MAX)?,
            proxies: Arc::clone(&factory.proxies),
            auth: config.auth.clone(),
            update_headers,
        })
    }

    /// Reads a list. None if it still has the tag `seen`.
    pub async fn get(&self, url: &Url, seen: Option<&str>, timeout: Duration) -> Result<Option<Document>, String> {
        // Caches must not answer. Proxies must not compress, because some change the tag, and then every conditional
        // write fails.
        let mut request = self
            .get
            .get(url.clone())
            .header(CACHE_CONTROL, "no-cache")
            .header(ACCEPT_ENCODING, "identity")
            .timeout(clock::real(timeout));
        if let Some(auth) = &self.auth {
            request = request.header(AUTHORIZATION, header_value(auth));
        }
        if let Some(seen) = seen {
            request = request.header(IF_NONE_MATCH, seen);
        }
        let response = request.send().await.map_err(|error| self.explain(&error))?;
        match response.status() {
            StatusCode::NOT_MODIFIED if seen.is_some() => Ok(None),
            StatusCode::NOT_FOUND => {
                let url = response.url().clone();
                Ok(Some(Document { body: Vec::new(), tag: None, version: Some(Version::Absent), url }))
            }
            status if status.is_success() => self.body(response).await.map(Some),
            status => Err(self.proxies.explain(Some(response.url()), refused(status, "SHAZBOT_MASTER_LIST_AUTH"))),
        }
    }

    /// Writes a list. With a `version`: only if the list still has it.
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
        let request = self.put.put(url.clone()).headers(headers).timeout(clock::real(timeout)).body(body);
        let response = request.send().await.map_err(|error| PutError::Failed(self.explain(&error)))?;
        let status = response.status();
        let explain = |why| self.proxies.explain(Some(response.url()), why);
        let answered = |hint: &str| explain(format!("the store answered {status}{hint}"));
        match status {
            status if status.is_success() => Ok(()),
            // S3 answers 409 during a concurrent write and 412 after one. WebDAV answers 409 if the folder is missing.
            StatusCode::CONFLICT => Err(PutError::Conflict(answered(": does the folder exist?"))),
            StatusCode::PRECONDITION_FAILED => Err(PutError::Conflict(answered(""))),
            // Stores without conditional writes may answer either.
            StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED => Err(PutError::Unsupported(answered(""))),
            StatusCode::METHOD_NOT_ALLOWED => Err(PutError::Failed(answered(": it does not accept PUT there"))),
            status => Err(PutError::Failed(explain(refused(status, "SHAZBOT_MASTER_LIST_UPDATE_AUTH")))),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Document, String> {
        let url = response.url().clone();
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (tag, generation, encoding) = (header("etag"), header("x-goog-generation"), header("content-encoding"));
        let is_gzip = encoding.is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("gzip"));
        let mut body = Vec::new();
        if !read_up_to(&mut response, &mut body, MAX_RESPONSE).await.map_err(|error| self.explain(&error))? {
            return Err(too_large());
        }
        if is_gzip && !body.is_empty() {
            body = unzip(&body)?;
        }
        let strong = tag.clone().filter(|tag| tag.starts_with('"'));
        let version = generation.map(Version::Generation).or_else(|| strong.map(Version::Tag));
        Ok(Document { body, tag, version, url })
    }

    fn explain(&self, error: &reqwest::Error) -> String {
        self.proxies.explain(error.url(), cause(error))
    }
}

fn refused(status: StatusCode, auth: &str) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!("the store answered {status}: is {auth} right?"),
        status => format!("the store answered {status}"),
    }
}

// The value came from the store in a header, so it is valid in one.
fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

// Some stores keep a document compressed and return it compressed. The limit protects against gzip bombs.
fn unzip(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(body).take(MAX_RESPONSE as u64 + 1).read_to_end(&mut content);
    read.map_err(|error| format!("it cannot be decompressed: {error}"))?;
    if content.len() > MAX_RESPONSE { Err(too_large()) } else { Ok(content) }
}

fn too_large() -> String {
    format!("it is over {} MiB", MAX_RESPONSE >> 20)
}
