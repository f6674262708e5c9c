//! Shared by all HTTP clients of the engine: bounded bodies, secret headers, and the causes of errors.

use std::error::Error;

use reqwest::Response;
use reqwest::header::HeaderValue;

use super::certificate_error::{certificate_error, explain};
use crate::auth::Secret;

/// The largest response body or list, bytes: what a version 1 server sends that knows 50 000 protocol 2 servers.
pub const MAX_RESPONSE: usize = 8 << 20;

/// Reads the body up to `most` bytes. Returns whether it was complete; if not, one chunk beyond the limit was read.
pub async fn read_up_to(response: &mut Response, body: &mut Vec<u8>, most: usize) -> Result<bool, reqwest::Error> {
    if response.content_length().is_some_and(|length| length > MAX_RESPONSE as u64) {
        return Ok(false);
    }
    while body.len() <= most {
        let Some(chunk) = response.chunk().await? else { return Ok(true) };
        body.extend_from_slice(&chunk);
    }
    Ok(false)
}

pub fn header_value(secret: &Secret) -> HeaderValue {
    // Latin-1, as Node sends and reads headers. The configuration has rejected all other characters.
    let bytes: Vec<u8> = secret.expose().chars().map(|c| c as u8).collect();
    let mut value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The innermost cause of an error; the outer ones only say that a request failed. Never contains the URL, which may be
/// presigned.
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    if let Some(error) = certificate_error(error) {
        return explain(error);
    }
    let mut innermost = error.source();
    while let Some(source) = innermost.and_then(Error::source) {
        innermost = Some(source);
    }
    innermost.map_or_else(|| "the request failed".into(), ToString::to_string)
}
