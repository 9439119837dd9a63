//! Tells the other hosts of work that this one has no room for or does not serve.
//!
//! Ready steps that it serves are this host's own affair while it has free slots. Of others the hosts are told: by a notification
//! that no commit of steps or tasks carries, and that many commits share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// Shortest time between two notifications. Others that are busy find the work by themselves, and those that are idle
/// poll; this only decides how soon.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks for the other hosts to be told. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Neighbours(Arc<Notify>);

impl Neighbours {
    /// There is work for them. Returns at once.
    pub fn tell(&self) {
        self.0.notify_one();
    }

    /// Tells them, whenever that is asked for, until `finished`.
    pub async fn run(&self, store: &Store, finished: &CancellationToken) {
        while finished.run_until_cancelled(self.0.notified()).await.is_some() {
            if let Err(error) = store.notify_work().await {
                tracing::debug!(%error, "can't tell other hosts of work: they find it when they poll");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
