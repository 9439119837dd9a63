//! Attempts that begin before their steps are claimed.
//!
//! The host asks for the claim at the same time, and where the answer confirms it the attempt counts as any other. One
//! whose step is not claimed is dropped, and nothing is left of it (`sandbox::OutputCommit`). That should be rare: in a
//! namespace where it happens to all of them (it may be paused, have a bound, or be served by others as well) nothing
//! more is foreseen for a while.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Shared;
use super::claim::Claimed;
use super::slots::Slot;
use crate::sandbox::{CommitNotice, OutputCommit};
use crate::store::{ClaimedStep, Lease};

/// How long nothing is foreseen in a namespace where it came to nothing.
const DISTRUST: Duration = Duration::from_secs(1);

/// The namespaces in which nothing is foreseen, and until when.
#[derive(Default)]
pub(super) struct Distrust(Mutex<HashMap<String, Instant>>);

impl Distrust {
    pub(super) fn holds(&self, namespace: &str) -> bool {
        let mut until = self.lock();
        let holds = until.get(namespace).is_some_and(|until| Instant::now() < *until);
        if !holds {
            until.remove(namespace);
        }
        holds
    }

    fn begin(&self, namespace: &str) {
        self.lock().insert(namespace.to_owned(), Instant::now() + DISTRUST);
    }

    /// No code panics while it holds the lock, so a poisoned map is still whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The attempts that one answer decides about. Dropped before it, they come to nothing.
pub(super) struct Foreseen<'a> {
    shared: &'a Shared,
    begun: HashMap<Uuid, Begun>,
    /// The namespaces in which some step was claimed.
    right: HashSet<String>,
}

struct Begun {
    lease: Lease,
    follows: Follows,
    notice: CommitNotice,
}

/// What the claim of a step rests on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Follows {
    /// The creation of its task.
    Creation,
    /// Ends that it waits for. It may end in the same commit, after so many others at the least.
    Ends(usize),
    /// The end of this worker, in whose place it runs. It may end in a later commit.
    Worker(Uuid),
}

impl<'a> Foreseen<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self { shared, begun: HashMap::new(), right: HashSet::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }

    /// The steps that have begun.
    pub(super) fn steps(&self) -> impl Iterator<Item = Uuid> {
        self.begun.keys().copied()
    }

    /// What is claimed of them.
    pub(super) fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.begun.values().map(|begun| &begun.lease)
    }

    /// Whether a step has begun.
    pub(super) fn has(&self, step: Uuid) -> bool {
        self.begun.contains_key(&step)
    }

    /// Whether a step of this task waits for the commit that claims it.
    pub(super) fn is_wanted(&self, task: Uuid) -> bool {
        self.begun.values().any(|begun| begun.lease.task_uuid == task && begun.notice.is_wanted())
    }

    /// Takes in what another answer was to decide about.
    pub(super) fn take_in(&mut self, mut other: Self) {
        self.begun.extend(std::mem::take(&mut other.begun));
    }

    /// In which turn of the commit that claims it a step could end, if it has begun.
    pub(super) fn turn(&self, step: Uuid) -> Option<usize> {
        match self.begun.get(&step)?.follows {
            Follows::Ends(turn) => Some(turn),
            Follows::Creation | Follows::Worker(_) => None,
        }
    }

    /// Begins with a step.
    pub(super) async fn begin(
        &mut self,
        step: ClaimedStep,
        follows: Follows,
        slot: Slot,
        claimed: &mpsc::Sender<Claimed>,
    ) {
        let (notice, output) = OutputCommit::to_be_made(self.shared.commit_wanted.clone());
        let lease = step.lease.clone();
        if claimed.send(Claimed::new(self.shared, step, slot, output)).await.is_ok() {
            self.begun.insert(lease.step_uuid, Begun { lease, follows, notice });
        }
    }

    /// The step is claimed, and this is its message: none where its end is committed already. Says whether its attempt has
    /// begun.
    pub(super) fn claimed(&mut self, step: Uuid, message: Option<i64>) -> bool {
        let Some(Begun { lease, notice, .. }) = self.begun.remove(&step) else { return false };
        message.into_iter().for_each(|message| lease.message_id.learn(message));
        notice.durable();
        self.right.insert(lease.namespace);
        true
    }

    /// Gives away some, about which another answer decides.
    pub(super) fn split_off(&mut self, which: impl Fn(&Lease, Follows) -> bool) -> Self {
        let begun = self.begun.extract_if(|_, begun| which(&begun.lease, begun.follows)).collect();
        Self { shared: self.shared, begun, right: HashSet::new() }
    }

    /// The answer is there: the steps it did not name are not claimed. Answers their tasks.
    pub(super) fn settle(self) -> Vec<Uuid> {
        let wrong = self.begun.values().map(|begun| &begun.lease.namespace);
        wrong
            .filter(|namespace| !self.right.contains(*namespace))
            .for_each(|namespace| self.shared.distrust.begin(namespace));
        self.begun.values().map(|begun| begun.lease.task_uuid).collect()
    }
}

impl Drop for Foreseen<'_> {
    fn drop(&mut self) {
        self.begun.values().for_each(|step| self.shared.in_flight.forget(&step.lease));
    }
}
