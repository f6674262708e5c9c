//! Merges a long message in parts. The program's event loop waits for the core, so the engine releases the core between
//! two parts.

use super::{Core, Message, Now, Purpose, RequestId, ServerUrl};
use crate::membership::Source;

/// Most entries that are merged at once.
pub const PART: usize = 500;

impl Core {
    /// Merges one part of a long message, and returns whether there was one. Call it until it returns false, then
    /// [`Core::handle_gossip`] or [`Core::handle_response`], which merge the last part and handle the whole message.
    /// `response_to`: the message is the response to this request.
    pub fn merge_part(&mut self, now: Now, message: &mut Message, response_to: Option<RequestId>) -> bool {
        let part = message.merged..message.merged + PART;
        if part.end >= message.entries.len() {
            return false;
        }
        let (sender, source, is_repair) = if let Some(id) = response_to {
            let exchange = self.exchanges.get(id).filter(|it| it.purpose != Purpose::SelfProbe);
            // Another server may answer there: `handle_response` refuses such a response.
            let is_sender = |to: &ServerUrl| message.sender().is_none_or(|sender| sender == to);
            let Some(exchange) = exchange.filter(|it| is_sender(&it.to)) else { return false };
            let is_repair = matches!(exchange.purpose, Purpose::Repair(_));
            (Some(exchange.to.clone()), Source::Reached, is_repair)
        } else {
            (message.sender().cloned(), Source::Itself, message.is_repair())
        };
        if let Some(sender) = sender.as_ref().filter(|_| source == Source::Reached) {
            // It must not be declared failed before the last part is merged.
            self.detector.on_alive(sender);
        }
        self.merge_entries(message, part, sender.as_ref(), source, is_repair, now);
        message.merged += PART;
        true
    }
}
