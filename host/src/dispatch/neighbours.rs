//! Tells the other hosts of work that this one has no room for or does not serve.
//!
//! Ready steps that it serves are this host's own affair while it has free slots. Of others the hosts are told: by a notification
//! that no completing commit carries, and that many commits share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Shared;

/// Shortest time between two notifications. Others that are busy find the work by themselves, and those that are idle
/// poll; this only decides how soon.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks for the other hosts to be told.
#[derive(Clone, Default)]
pub(super) struct Neighbours(Arc<Notify>);

impl Neighbours {
    pub(super) fn tell(&self) {
        self.0.notify_one();
    }
}

pub(super) async fn run(shared: Arc<Shared>) {
    while shared.finished.run_until_cancelled(shared.neighbours.0.notified()).await.is_some() {
        if let Err(error) = shared.store.notify_work().await {
            tracing::debug!(%error, "can't tell other hosts of work: they find it when they poll");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
