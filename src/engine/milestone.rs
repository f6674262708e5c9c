//! `Milestone`: something that happens once, such as the end of the start, and the callbacks that wait for it.

use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Called once, when a start or a leave is over.
pub type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// The callbacks that wait. None once it has happened.
pub struct Milestone(Mutex<Option<Vec<Done>>>);

impl Milestone {
    pub fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// Calls `done` when it happens, or at once if it has.
    pub fn wait(&self, done: Done) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = waiting.as_mut() {
            waiting.push(done);
        } else {
            drop(waiting);
            done(Ok(()));
        }
    }

    /// It has happened. Does nothing the second time.
    pub fn reach(&self, result: &Result<(), Error>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        for done in waiting.into_iter().flatten() {
            done(result.clone());
        }
    }
}
