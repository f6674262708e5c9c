//! `Milestone`: an event that happens once, such as the end of the start, and its waiting callbacks.

use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Called once, when a start or a leave is over.
pub type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

pub struct Milestone(Mutex<Progress>);

enum Progress {
    /// The waiting callbacks.
    Ahead(Vec<Done>),
    /// It has happened, with this result.
    Reached(Result<(), Error>),
}

impl Milestone {
    pub fn new() -> Self {
        Self(Mutex::new(Progress::Ahead(Vec::new())))
    }

    /// Calls `done` when it happens, or at once if it already has.
    pub fn wait(&self, done: Done) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *progress {
            Progress::Ahead(waiting) => waiting.push(done),
            Progress::Reached(result) => {
                let result = result.clone();
                drop(progress);
                done(result);
            }
        }
    }

    /// Whether it has happened.
    pub fn is_reached(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Progress::Reached(_))
    }

    /// It happens. Does nothing the second time.
    pub fn reach(&self, result: &Result<(), Error>) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Progress::Ahead(waiting) = &mut *progress else { return };
        let waiting = std::mem::take(waiting);
        *progress = Progress::Reached(result.clone());
        drop(progress);
        for done in waiting {
            done(result.clone());
        }
    }
}
