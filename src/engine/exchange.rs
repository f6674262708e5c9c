//! An outgoing exchange: authenticates the message, sends it, and checks the response.

use std::sync::Arc;
use std::time::Duration;

use super::failure::INVALID_ANSWER;
use super::gossip_http::GossipClient;
use super::shared::Shared;
use crate::auth::PeerAuth;
use crate::error::Error;
use crate::message::{Message, Reason};
use crate::protocol::{ExchangeError, Failure};
use crate::server_url::ServerUrl;

/// If the peer's time is unknown, the first attempt fetches it.
const ATTEMPTS: usize = 2;
/// The failure if the peer refuses both attempts as late or repeated.
const STALE: &str =
    "it calls our signed message late or repeated, twice: more than one process answers at its base URL";

/// A serialized message: the `shazbot` field, which is signed, and the body. The header depends on the receiver.
pub struct Written {
    field: Option<String>,
    body: Vec<u8>,
    is_urgent: bool,
}

/// Serializes messages. The core sends an update to all its receivers at once, so caching the last one is enough.
#[derive(Default)]
pub struct Writer(Option<(Arc<Message>, Arc<Written>)>);

impl Writer {
    pub fn write(&mut self, message: Arc<Message>, auth: &PeerAuth) -> Arc<Written> {
        match &self.0 {
            Some((last, written)) if Arc::ptr_eq(last, &message) => Arc::clone(written),
            Some(_) | None => {
                let field = message.to_field().map(|field| auth.with_cluster(field));
                let body = message.to_json_with(field.clone());
                let written = Arc::new(Written { field, body, is_urgent: is_urgent(&message) });
                self.0 = Some((message, Arc::clone(&written)));
                written
            }
        }
    }
}

// Whether a message is part of a suspicion, whose deadlines run, or of a leave.
fn is_urgent(message: &Message) -> bool {
    let is_of_suspicion = message.envelope.as_ref().is_some_and(|it| {
        let tickets = [&it.probe_requests, &it.probe_successes, &it.probe_failures];
        it.suspects_receiver || tickets.iter().any(|it| !it.is_empty())
    });
    let own = message.entries.first().and_then(|own| own.v2.as_ref());
    is_of_suspicion || own.is_some_and(|own| own.reason == Some(Reason::Left))
}

/// Sends a message and returns the response. `new_connection`: do not use the connection pool.
pub async fn exchange(
    shared: &Shared,
    client: &GossipClient,
    to: &ServerUrl,
    message: &Written,
    (timeout, new_connection): (Duration, bool),
) -> Result<Message, ExchangeError> {
    let auth = &shared.config.peer_auth;
    let _permit = client.permit(timeout, message.is_urgent).await?;
    let began = shared.core.clock.now().mono;
    for _ in 0..ATTEMPTS {
        let now = shared.core.clock.now().mono;
        let time = shared.peer_times().estimate(to, now);
        let request =
            auth.request(to, message.field.as_deref(), time).map_err(|why| ExchangeError::Other(why.into()))?;
        shared.stats.sent(message.body.len());
        let left = timeout.saturating_sub(now.saturating_sub(began));
        let body = client.send(to, &request.header, message.body.clone(), left, new_connection).await?;
        shared.stats.received(body.len());
        if let Some(response) = read(shared, to, request.nonce.as_deref(), &body)? {
            auth.check_cluster(response.cluster())
                .map_err(|error| ExchangeError::WrongCluster(format!("its answer: {error}")))?;
            if response.is_v2() {
                shared.check_cluster_name(to, response.cluster());
            }
            return Ok(response);
        }
    }
    Err(ExchangeError::Other(Failure::new("SHAZBOT_DUPLICATE_BASE_URL", STALE)))
}

// None if the peer sent its time but did not handle the request.
fn read(shared: &Shared, from: &ServerUrl, nonce: Option<&str>, body: &[u8]) -> Result<Option<Message>, ExchangeError> {
    let invalid = |text: String| ExchangeError::Other(Failure::new(INVALID_ANSWER, text));
    let other = |error: Error| invalid(error.to_string());
    let now = shared.core.clock.now();
    let validator = shared.validator(now, &|_| None);
    let Some(nonce) = nonce else { return Message::from_json(body, validator).map(Some).map_err(other) };
    let field = Message::field_of(body).map_err(other)?;
    let response = field.as_deref().and_then(|field| shared.config.peer_auth.verify_response(nonce, from, field));
    let unsigned = || invalid("its answer is not signed with our secret".into());
    let response = response.ok_or_else(unsigned)?;
    shared.peer_times().learn(from, response.time, now.mono);
    if response.is_stale {
        return Ok(None);
    }
    Message::from_field(response.field, validator).ok_or_else(unsigned)?.map(Some).map_err(other)
}
