//! The first contacts with servers that may be up, which `shazbotStart` waits for.

use std::collections::BTreeSet;

use super::seeds::AT_A_TIME;
use crate::protocol::action::RequestId;
use crate::protocol::event::Event;
use crate::protocol::output::Output;

/// The first contacts. They are over when all have ended, and a server has answered or all lists have been tried.
#[derive(Debug, Default)]
pub struct Bootstrap {
    contacts: BTreeSet<RequestId>,
    has_answer: bool,
    is_over: bool,
}

impl Bootstrap {
    /// How many more servers may be contacted now. None once the start is over.
    pub fn free_contacts(&self) -> Option<usize> {
        (!self.is_over).then(|| AT_A_TIME.saturating_sub(self.contacts.len()))
    }

    /// A first contact has begun.
    pub fn add_contact(&mut self, id: RequestId) {
        self.contacts.insert(id);
    }

    /// A server has answered us.
    pub fn on_response(&mut self) {
        self.has_answer = true;
    }

    /// An exchange has ended. `lists_are_tried` is whether all lists have been read, or have failed.
    pub fn on_exchange_end(&mut self, id: RequestId, lists_are_tried: bool, out: &mut Output) {
        if self.contacts.remove(&id) {
            self.end_if_over(lists_are_tried, out);
        }
    }

    /// A list has been read, or has failed.
    pub fn on_list_read(&mut self, lists_are_tried: bool, out: &mut Output) {
        self.end_if_over(lists_are_tried, out);
    }

    fn end_if_over(&mut self, lists_are_tried: bool, out: &mut Output) {
        if self.contacts.is_empty() && (self.has_answer || lists_are_tried) {
            self.end(out);
        }
    }

    /// The start is over, whatever has answered.
    pub fn end(&mut self, out: &mut Output) {
        if !std::mem::replace(&mut self.is_over, true) {
            out.report(Event::Started);
        }
    }
}
