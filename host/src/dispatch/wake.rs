//! Tells the claim that there may be work. In one process this is a signal; from other processes it arrives as a
//! notification of PostgreSQL, which [`crate::host`] forwards here; a poll is the backstop for both.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// A wake-up that is never lost: one that comes while nobody waits is kept for the next who does.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes the one who waits, or the next one to do so.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Returns at the next wake-up, at the latest after `longest`.
    pub(super) async fn wait(&self, longest: Duration) {
        let _ = tokio::time::timeout(longest, self.0.notified()).await;
    }
}
