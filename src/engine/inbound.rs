//! Requests from others, passed on by JavaScript: checks their authorisation and gives the messages to the core.

use super::Engine;
use crate::config::Config;
use crate::error::Error;
use crate::message::{Entry, Message, RawEntry, State};

impl Engine {
    /// Checks the `Authorization` header of a gossip request that is not signed.
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

    /// Checks the `Authorization` header of a list request. Returns whether the response includes the offline servers.
    pub fn authorize_list(&self, header: &str) -> Result<bool, Error> {
        let Config { control, peer_auth, list_needs_secret, .. } = &self.shared.config;
        let is_control = control.matches(header);
        if is_control || !list_needs_secret || peer_auth.secrets.matches(header) {
            Ok(is_control)
        } else {
            Err(Error::Unauthorized("SHAZBOT_SECRET or SHAZBOT_CONTROL_SECRET"))
        }
    }

    /// Handles the lists of a version 1 peer, which is authorised already. Returns the lists of the response.
    pub fn gossip<'a>(&self, entries: impl Iterator<Item = (State, RawEntry<'a>)>) -> Result<Vec<Entry>, Error> {
        self.shared.core.with(|core, now| {
            core.admit_v1(now)?;
            let known = |text: &str| core.members().known(text);
            let message = Message::from_raw(entries, self.shared.validator(now, &known))?;
            Ok(core.handle_gossip(now, &message).entries)
        })?
    }

    /// Handles the `shazbot` field of a version 2 message and its `Authorization` header. Returns the field of the response,
    /// or None for a protocol that we do not know.
    pub fn exchange(&self, header: &str, field: &str) -> Result<Option<String>, Error> {
        let Config { peer_auth, settings, .. } = &self.shared.config;
        let own = &settings.base_url;
        let proof = peer_auth.check_request(header, Some(field), own)?;
        let response = self.shared.core.with(|core, now| {
            core.admit_v2(Message::sender_of(field), now)?;
            let known = |text: &str| core.members().known(text);
            let Some(message) = Message::from_field(field, self.shared.validator(now, &known)).transpose()? else {
                return Ok(None);
            };
            peer_auth.check_cluster(message.cluster())?;
            Ok(core.handle_gossip(now, &message).to_field())
        })??;
        Ok(response.map(|field| peer_auth.sign_response(&proof, own, peer_auth.with_cluster(field))))
    }

    /// Handles a control request, which is authorised already.
    pub fn control(&self, online: bool) -> Result<(), Error> {
        self.shared.core.with(|core, now| core.handle_control(now, online))
    }
}
