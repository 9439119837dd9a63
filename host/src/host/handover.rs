//! The way of first steps to worker processes. The first process claims them for a worker, in the commit that creates their
//! tasks, and tells it in a line what they need: as in a process that does both (`dispatch::eager`), nobody looks for them.
//!
//! What room a worker has only it knows. One that has none for a step puts that back and says so, and then nothing is claimed
//! for it for a while.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::store::{ClaimedStep, CreationReport, EagerClaim, NewTask, Store, StoreError};

/// What a worker says that has no room for more steps.
pub const FULL: &str = "full";

/// How long nothing is claimed for a worker that has no room.
const PAUSE: Duration = Duration::from_secs(1);
/// Most steps on their way to a worker.
const ON_THE_WAY: usize = 64;
/// The longest context of a task whose steps are told in a line, in bytes: a pipe holds 64 KiB.
const LONGEST_CONTEXT: usize = 16 << 10;

/// The first process's end of the way to one worker. Cheap to clone.
#[derive(Clone)]
pub(super) struct Handover {
    /// The worker's name in leases.
    host: String,
    lease: Duration,
    /// Most steps that are claimed for it at once.
    most: usize,
    steps: mpsc::Sender<ClaimedStep>,
    /// From when on steps are claimed for it; never while it does not run.
    open: Arc<Mutex<Option<Instant>>>,
}

impl Handover {
    /// The way to a worker that does not run yet, and where the steps arrive.
    pub(super) fn new(host: String, lease: Duration, most: usize) -> (Self, mpsc::Receiver<ClaimedStep>) {
        let (steps, arriving) = mpsc::channel(ON_THE_WAY);
        (Self { host, lease, most: most.min(ON_THE_WAY), steps, open: Arc::default() }, arriving)
    }

    /// The worker claims steps.
    pub(super) fn open(&self) {
        *self.since() = Some(Instant::now());
    }

    /// It has no room.
    pub(super) fn full(&self) {
        *self.since() = Some(Instant::now() + PAUSE);
    }

    /// It has ended.
    pub(super) fn close(&self) {
        *self.since() = None;
    }

    /// Creates tasks of one namespace, and claims first steps for the worker. None where it may have no room, or a step's
    /// line would be long: nothing was created then.
    pub(super) async fn create(&self, store: &Store, tasks: &[NewTask]) -> Option<Result<CreationReport, StoreError>> {
        if !self.is_open() || tasks.iter().any(|task| task.context.get().len() > LONGEST_CONTEXT) {
            return None;
        }
        let mut first = HashMap::new();
        let mut planned = HashSet::new();
        for task in tasks {
            let steps = ClaimedStep::first_of(task).unwrap_or_default();
            let plan = task.planned(&self.host).filter(|_| steps.len() <= self.most - first.len());
            planned.extend(plan.as_ref().map(|_| task.task_uuid));
            for mut step in steps.into_iter().take(self.most - first.len()) {
                step.lease.planned = plan.clone();
                first.insert(step.lease.step_uuid, step);
            }
        }
        let places = self.steps.try_reserve_many(first.len()).ok()?;
        let claim =
            EagerClaim { host: self.host.clone(), steps: first.keys().copied().collect(), planned, lease: self.lease };
        let created = store.create_and_claim(tasks, &claim).await;
        Some(created.map(|(report, claimed)| {
            for (place, (step, message)) in places.zip(claimed) {
                if let Some(step) = first.remove(&step) {
                    step.lease.message_id.learn(message);
                    place.send(step);
                }
            }
            report
        }))
    }

    fn is_open(&self) -> bool {
        self.since().is_some_and(|since| since <= Instant::now())
    }

    /// No code panics while it holds the lock, so a poisoned time is still whole.
    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line that tells a worker to run a step. JSON has line ends only where they mean nothing.
pub(super) fn line(step: &ClaimedStep) -> Result<String, serde_json::Error> {
    Ok(format!("run {}\n", serde_json::to_string(step)?.replace(['\n', '\r'], " ")))
}
