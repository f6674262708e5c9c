//! `Inbound`: handles requests from other servers. Checks their authorisation and passes messages to the core.

use std::sync::Arc;

use super::Engine;
use super::core_lock::PAUSE;
use super::shared::Shared;
use crate::clock::Now;
use crate::config::Config;
use crate::error::Error;
use crate::message::{Entry, GossipBody, Message, RawEntry, State, Validator};
use crate::protocol::Core;

/// Longer messages are parsed without the core's lock, bytes, because the event loop may wait for that lock. As
/// `MAX_SYNC_BYTES` in `lib/requests.js`.
const LONG: usize = 96 << 10;

/// Handles requests.
pub struct Inbound {
    shared: Arc<Shared>,
    // The event loop must not pause.
    is_on_event_loop: bool,
    is_at_other_port: bool,
}

impl Engine {
    /// The handler of requests from others, for calls on the program's event loop.
    pub fn inbound(&self) -> Inbound {
        Inbound { shared: Arc::clone(&self.shared), is_on_event_loop: true, is_at_other_port: false }
    }
}

impl Inbound {
    /// The same for another thread, which merges a long message in parts, because the event loop may wait for the core.
    #[must_use]
    pub fn for_thread(self) -> Self {
        Self { is_on_event_loop: false, ..self }
    }

    /// The same for a request with this `Host` header.
    #[must_use]
    pub fn at(self, host: Option<&str>) -> Self {
        let is_at_other_port = host.is_some_and(|host| self.shared.config.settings.base_url.has_other_port(host));
        Self { is_at_other_port, ..self }
    }

    /// Checks the `Authorization` header of an unsigned gossip request.
    pub fn authorize_gossip(&self, header: &str) -> Result<(), Error> {
        let Config { peer_auth, settings, .. } = &self.shared.config;
        peer_auth.check_request(header, None, &settings.base_url).map(drop)
    }

    /// Checks the `Authorization` header of a control request.
    pub fn authorize_control(&self, header: &str) -> Result<(), Error> {
        if self.shared.config.control.matches(header) {
            Ok(())
        } else {
            Err(Error::Unauthorized("SHAZBOT_CONTROL_SECRET"))
        }
    }

    /// Checks the `Authorization` header of a list request. Returns whether the response includes offline servers.
    pub fn authorize_list(&self, header: &str) -> Result<bool, Error> {
        let Config { control, peer_auth, list_needs_secret, .. } = &self.shared.config;
        let is_control = control.matches(header);
        if is_control || !list_needs_secret || peer_auth.secrets.matches(header) {
            Ok(is_control)
        } else {
            Err(Error::Unauthorized("SHAZBOT_SECRET or SHAZBOT_CONTROL_SECRET"))
        }
    }

    /// Handles the body of a gossip request and its `Authorization` header. Returns the body of the response.
    pub fn answer(&self, header: &str, body: &[u8]) -> Result<String, Error> {
        let parsed = GossipBody::parse(body);
        if let Ok(message) = &parsed
            && let Some(field) = message.field()
            && let Some(answer) = self.exchange(header, &field)?
        {
            return Ok(Message::json_of_field(&answer));
        }
        // Authorise before reporting an error: only a caller with the secret may learn of it.
        self.authorize_gossip(header)?;
        let message = parsed?;
        let message = self.read(body.len(), Core::admit_v1, |validator| message.read(validator))?;
        Ok(Message::new(self.handle(message)?.entries).to_json_text())
    }

    /// Handles the lists of an authorised version 1 peer. Returns the lists of the response.
    pub fn gossip<'a>(&self, entries: impl Iterator<Item = (State, RawEntry<'a>)>) -> Result<Vec<Entry>, Error> {
        let message = self.read(0, Core::admit_v1, |validator| Message::from_raw(entries, validator))?;
        Ok(self.handle(message)?.entries)
    }

    /// Handles the `shazbot` field of a protocol 2 message and its `Authorization` header. Returns the field of the
    /// response, or None for an unknown protocol.
    pub fn exchange(&self, header: &str, field: &str) -> Result<Option<String>, Error> {
        let Config { peer_auth, settings, .. } = &self.shared.config;
        let own = &settings.base_url;
        let proof = peer_auth.check_request(header, Some(field), own)?;
        let now = self.shared.core.clock.now().mono;
        let mut guard = self.shared.replay_guard();
        if let Some(answer) = proof.answer_question(own, guard.time(now)) {
            return Ok(Some(answer));
        }
        // Before admission: a repeated message must not use up its sender's share.
        if let Some(refusal) = proof.refuse_stale(&mut guard, own, now) {
            return Ok(Some(refusal));
        }
        let time = guard.time(now);
        drop(guard);
        let admit = |core: &mut Core, now| core.admit_v2(Message::sender_of(field), now);
        let read = |validator: Validator<'_>| Message::from_field(field, validator).transpose();
        let Some(message) = self.read(field.len(), admit, read)? else { return Ok(None) };
        peer_auth.check_cluster(message.cluster())?;
        if let Some(sender) = message.sender() {
            self.shared.check_cluster_name(sender, message.cluster());
        }
        let response = self.handle(message)?.to_field();
        Ok(response.map(|field| proof.sign_response(own, time, peer_auth.with_cluster(field))))
    }

    /// Handles an authorised control request.
    pub fn control(&self, online: bool) -> Result<(), Error> {
        self.shared.core.with(|core, now| core.handle_control(now, online))
    }

    /// Admits a message of a given length, and parses it.
    fn read<T>(
        &self,
        length: usize,
        admit: impl FnOnce(&mut Core, Now) -> Result<(), Error>,
        read: impl FnOnce(Validator<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.shared.core.is_stopped() {
            return Err(Error::NotStarted);
        }
        self.shared.core.admit_events()?;
        if length > LONG {
            let now = self.shared.core.with(|core, now| admit(core, now).map(|()| now))??;
            return read(self.shared.validator(now, &|_| None));
        }
        self.shared.core.with(|core, now| {
            admit(core, now)?;
            // Saves the checks of most URLs.
            let known = |text: &str| core.members().known(text);
            read(self.shared.validator(now, &known))
        })?
    }

    /// Passes a message to the core. Returns the response.
    fn handle(&self, mut message: Message) -> Result<Message, Error> {
        message.is_at_other_port = self.is_at_other_port;
        while !self.is_on_event_loop && self.shared.core.with(|core, now| core.merge_part(now, &mut message, None))? {
            std::thread::sleep(PAUSE);
        }
        let handle = if self.is_on_event_loop { Core::handle_gossip } else { Core::handle_gossip_on_thread };
        self.shared.core.with(|core, now| handle(core, now, &message))
    }
}
