//! Eager start: first steps of new tasks are claimed in the commit that creates them, as far as there are slots. So nobody
//! has to look for them, which costs the server half as much as the creation, and their attempts run while that commit is on
//! its way to the disk (`sandbox::OutputCommit`).
//!
//! Like going on (`onwards`) that would pass over whatever waits in the queues, so it is not done for a namespace with a
//! backlog.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::claim::Claimed;
use super::complete;
use super::onwards::Onwards;
use super::wake::Work;
use super::{Dispatch, Shared};
use crate::sandbox::OutputCommit;
use crate::store::{ClaimedStep, CreationReport, EagerClaim, Lease, NewTask, Store, StoreError};

/// Creates tasks whose first steps begin here. Cheap to clone.
#[derive(Clone)]
pub struct EagerStart {
    shared: Arc<Shared>,
    claimed: mpsc::WeakSender<Claimed>,
}

impl EagerStart {
    pub(super) fn new(shared: Arc<Shared>, claimed: mpsc::WeakSender<Claimed>) -> Self {
        Self { shared, claimed }
    }

    /// Creates tasks over the connections of `store`, in one commit, and begins with the steps that may run. Those that
    /// there is no room for are in their queues, and the claim knows.
    ///
    /// # Errors
    /// As [`Store::create_tasks`].
    pub async fn create(&self, store: &Store, tasks: &[NewTask]) -> Result<CreationReport, StoreError> {
        let shared = &*self.shared;
        let report = match self.room(tasks) {
            Some(mut onwards) => {
                let (host, lease) = (shared.settings.worker_id.clone(), shared.settings.lease);
                let claim = EagerClaim { host, most: onwards.room(), lease };
                let report = store.create_and_claim(tasks, &claim, &mut onwards).await?;
                put_back(shared, &onwards.committed()).await;
                report
            }
            None => store.create_tasks(tasks).await?,
        };
        if report.enqueued > 0 {
            shared.wake.wake(Work::of(tasks.iter().map(|task| task.namespace.as_str())));
        }
        Ok(report)
    }

    /// Room for the first steps of tasks that are all of one namespace.
    fn room(&self, tasks: &[NewTask]) -> Option<Onwards<'_>> {
        let namespace = &tasks.first()?.namespace;
        if !self.serves(namespace) || tasks.iter().any(|task| task.namespace != *namespace) {
            return None;
        }
        let first = tasks.iter().flat_map(|task| &task.steps).filter(|step| step.parents.is_empty()).count();
        Some(Onwards::of_new(&self.shared, namespace, first, &self.claimed)).filter(|onwards| onwards.room() > 0)
    }

    fn serves(&self, namespace: &str) -> bool {
        self.shared.components.table().namespaces().any(|served| served == namespace)
    }

    /// Runs a step that was claimed for this host by another process of it. Says whether more of them are welcome: one
    /// that finds no slot is put back.
    pub async fn run(&self, step: ClaimedStep) -> bool {
        let shared = &*self.shared;
        let namespace = step.lease.namespace.clone();
        let claimed = self.claimed.upgrade().filter(|_| !shared.draining.is_cancelled());
        let (Some(claimed), Some(slot)) = (claimed, shared.slots.take_ahead(&namespace, 1).pop()) else {
            put_back(shared, &[step.lease]).await;
            return false;
        };
        let lease = step.lease.clone();
        if claimed.send(Claimed::new(shared, step, slot, OutputCommit::done())).await.is_err() {
            shared.in_flight.remove(&lease);
        }
        !shared.backlog.holds(&namespace)
    }
}

impl Dispatch {
    /// Where tasks are created whose first steps begin here.
    pub fn eager_start(&self) -> EagerStart {
        self.eager_start.clone()
    }
}

async fn put_back(shared: &Shared, leases: &[Lease]) {
    if !leases.is_empty() {
        complete::release(shared, leases).await;
    }
}
