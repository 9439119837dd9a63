//! Eager start: first steps of new tasks are claimed in the commit that creates them, as far as there are slots. So nobody
//! has to look for them, which costs the server half as much as the creation, and their attempts run while that commit is
//! made (`foreseen`).
//!
//! Like going on (`onwards`) that would pass over whatever waits in the queues, so it is not done for a namespace with a
//! backlog.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::claim::{Claimed, open};
use super::complete;
use super::foreseen::{Follows, Foreseen};
use super::wake::Work;
use super::{Dispatch, Shared};
use crate::orchestration::successors::is_light;
use crate::sandbox::OutputCommit;
use crate::store::{ClaimedStep, CreationReport, EagerClaim, NewTask, Store, StoreError};

/// Most steps that one creation claims.
const BATCH: usize = 100;

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
        let mut foreseen = self.begin(tasks).await;
        let report = if foreseen.is_empty() {
            store.create_tasks(tasks).await?
        } else {
            let (host, lease) = (shared.settings.worker_id.clone(), shared.settings.lease);
            let planned =
                foreseen.leases().filter(|lease| lease.planned.is_some()).map(|lease| lease.task_uuid).collect();
            let claim = EagerClaim { host, steps: foreseen.steps().collect(), planned, lease };
            let (report, claimed) = store.create_and_claim(tasks, &claim).await?;
            for (step, message) in claimed {
                foreseen.claimed(step, Some(message));
            }
            foreseen.settle();
            report
        };
        if report.enqueued > 0 {
            shared.work_is_there(Work::of(tasks.iter().map(|task| task.namespace.as_str())));
        }
        Ok(report)
    }

    /// Begins with first steps of tasks that are all of one namespace, as far as there is room.
    async fn begin(&self, tasks: &[NewTask]) -> Foreseen<'_> {
        let shared = &*self.shared;
        let mut foreseen = Foreseen::new(shared);
        let (Some(claimed), Some(namespace)) = (self.open(), NewTask::common_namespace(tasks)) else { return foreseen };
        if !shared.serves(namespace) || shared.backlog.holds(namespace) || shared.distrust.holds(namespace) {
            return foreseen;
        }
        let first = tasks.iter().flat_map(|task| &task.steps).filter(|step| step.parents.is_empty()).count();
        let mut slots = shared.slots.take_ahead(namespace, first.min(BATCH)).into_iter();
        for task in tasks.iter().filter(|task| is_light(task.context.get().len())) {
            if slots.len() == 0 {
                break;
            }
            match ClaimedStep::first_of(task) {
                Ok(mut steps) => {
                    if steps.len() <= slots.len() {
                        let planned = task.planned(&shared.settings.worker_id);
                        steps.iter_mut().for_each(|step| step.lease.planned = planned.clone());
                    }
                    for (step, slot) in steps.into_iter().zip(&mut slots) {
                        foreseen.begin(step, Follows::Creation, slot, &claimed).await;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "can't tell what a task's first steps need before they are claimed")
                }
            }
        }
        foreseen
    }

    fn open(&self) -> Option<mpsc::Sender<Claimed>> {
        open(&self.shared, &self.claimed)
    }

    /// Runs a step that was claimed for this host by another process of it. Says whether more of them are welcome: one
    /// that finds no slot is put back.
    pub async fn run(&self, step: ClaimedStep) -> bool {
        let shared = &*self.shared;
        let namespace = step.lease.namespace.clone();
        let (Some(claimed), Some(slot)) = (self.open(), shared.slots.take_ahead(&namespace, 1).pop()) else {
            complete::release(shared, &[step.lease]).await;
            return false;
        };
        if claimed.send(Claimed::new(shared, step, slot, OutputCommit::done())).await.is_err() {
            tracing::error!("nothing runs steps any more: the step runs again when its lease has lapsed");
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
