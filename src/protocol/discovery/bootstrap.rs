//! `Bootstrap`: the first contacts with seeds, which `shazbotStart` waits for.

use std::collections::BTreeSet;

use super::seeds::AT_A_TIME;
use crate::protocol::action::RequestId;
use crate::protocol::event::Event;
use crate::protocol::output::Output;

/// The first contacts. The bootstrap is over when all have ended and a server has answered, or all lists were tried.
#[derive(Clone, Debug, Default)]
pub struct Bootstrap {
    contacts: BTreeSet<RequestId>,
    has_answer: bool,
    is_over: bool,
}

impl Bootstrap {
    /// How many more servers may be contacted now. None once the bootstrap is over.
    pub fn free_contacts(&self) -> Option<usize> {
        (!self.is_over).then(|| AT_A_TIME.saturating_sub(self.contacts.len()))
    }

    /// A first contact began.
    pub fn add_contact(&mut self, id: RequestId) {
        self.contacts.insert(id);
    }

    /// A server answered us.
    pub fn on_response(&mut self) {
        self.has_answer = true;
    }

    /// An exchange ended. `lists_are_tried`: every list was read or has failed.
    pub fn on_exchange_end(&mut self, id: RequestId, lists_are_tried: bool, out: &mut Output) {
        if self.contacts.remove(&id) {
            self.end_if_over(lists_are_tried, out);
        }
    }

    /// A list was read or has failed.
    pub fn on_list_read(&mut self, lists_are_tried: bool, out: &mut Output) {
        self.end_if_over(lists_are_tried, out);
    }

    fn end_if_over(&mut self, lists_are_tried: bool, out: &mut Output) {
        if self.contacts.is_empty() && (self.has_answer || lists_are_tried) {
            self.end(out);
        }
    }

    /// Ends the bootstrap unconditionally.
    pub fn end(&mut self, out: &mut Output) {
        if !std::mem::replace(&mut self.is_over, true) {
            out.report(Event::Started);
        }
    }
}
