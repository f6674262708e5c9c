//! An exchange that this server starts: authenticates the message, sends it, and checks the response.

use std::time::Duration;

use super::gossip_http::GossipClient;
use super::shared::Shared;
use crate::error::Error;
use crate::message::Message;
use crate::protocol::ExchangeError;
use crate::server_url::ServerUrl;

/// Sends a message and returns the response. `new_connection` requires one that is not in the pool.
pub async fn exchange(
    shared: &Shared,
    client: &GossipClient,
    to: &ServerUrl,
    message: &Message,
    (timeout, new_connection): (Duration, bool),
) -> Result<Message, ExchangeError> {
    let auth = &shared.config.peer_auth;
    let field = message.to_field().map(|field| auth.with_cluster(field));
    let request = auth.request(to, field.as_deref()).map_err(|why| ExchangeError::Other(why.into()))?;
    let body = message.to_json_with(field);
    shared.stats.sent(body.len());
    let body = client.send(to, &request.header, body, timeout, new_connection).await?;
    shared.stats.received(body.len());
    let response = read(shared, to, request.nonce.as_deref(), &body)?;
    auth.check_cluster(response.cluster())
        .map_err(|error| ExchangeError::WrongCluster(format!("its answer: {error}")))?;
    Ok(response)
}

fn read(shared: &Shared, from: &ServerUrl, nonce: Option<&str>, body: &[u8]) -> Result<Message, ExchangeError> {
    let other = |error: Error| ExchangeError::Other(error.to_string());
    let validator = shared.validator(shared.core.clock.now(), &|_| None);
    let Some(nonce) = nonce else { return Message::from_json(body, validator).map_err(other) };
    let field = Message::field_of(body).map_err(other)?;
    let field = field.as_deref().and_then(|field| shared.config.peer_auth.verify_response(nonce, from, field));
    let response = field.and_then(|field| Message::from_field(field, validator));
    response.ok_or_else(|| ExchangeError::Other("its answer is not signed with our secret".into()))?.map_err(other)
}
