//! Who begins with the first steps of new tasks.

use super::processes::Workers;
use crate::dispatch::EagerStart;
use crate::store::{CreationReport, NewTask, Store, StoreError};

/// Where the steps of new tasks run. Cheap to clone.
#[derive(Clone)]
pub(super) enum FirstSteps {
    /// In this process.
    Here(EagerStart),
    /// In the workers of this one.
    Workers(Workers),
    /// In hosts that are told that there is work.
    Elsewhere,
}

impl FirstSteps {
    /// Creates tasks in one commit, and has their first steps begun with.
    pub(super) async fn create(&self, store: &Store, tasks: &[NewTask]) -> Result<CreationReport, StoreError> {
        match self {
            Self::Here(eager_start) => eager_start.create(store, tasks).await,
            Self::Workers(workers) => workers.create(store, tasks).await,
            Self::Elsewhere => {
                let report = store.create_tasks(tasks).await?;
                if report.enqueued > 0 {
                    tell_hosts(store).await;
                }
                Ok(report)
            }
        }
    }
}

/// Tells the hosts that there is work.
pub(super) async fn tell_hosts(store: &Store) {
    if let Err(error) = store.notify_work().await {
        tracing::debug!(%error, "the hosts could not be told of new work: they look by themselves before long");
    }
}
