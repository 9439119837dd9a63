//! How a host function ends the attempt that called it.
//!
//! A guest can catch an error and go on, and much of what it exceeds is noticed while it waits for something else (a body
//! that arrives, a write that is under way). So the first violation is kept here and ends the attempt from outside.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use super::failure::{AttemptError, Exceeded};

/// The first violation of one attempt. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Violations(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    first: OnceLock<AttemptError>,
    changed: Notify,
}

impl Violations {
    /// The attempt ends with this, unless it has a violation already.
    pub(super) fn exceed(&self, exceeded: Exceeded, limit: u64, used: u64) {
        let _ = self.0.first.set(AttemptError::LimitExceeded { exceeded, limit, used });
        self.0.changed.notify_one();
    }

    /// As [`Violations::exceed`], for a function the guest waits for: it never comes back to a guest that might go on.
    pub(super) async fn end<Never>(&self, exceeded: Exceeded, limit: u64, used: u64) -> Never {
        self.exceed(exceeded, limit, used);
        std::future::pending().await
    }

    /// The violation, if there is one.
    pub(super) fn first(&self) -> Option<AttemptError> {
        self.0.first.get().cloned()
    }

    /// Waits for a violation.
    pub(super) async fn wait(&self) -> AttemptError {
        loop {
            if let Some(error) = self.first() {
                return error;
            }
            self.0.changed.notified().await;
        }
    }
}
