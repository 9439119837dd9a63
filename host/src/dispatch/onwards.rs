//! Going on: what may run once the ends in a commit are there is claimed in that commit, as far as there are slots.
//!
//! That would pass over whatever waits in the queues, so it is not done for a namespace with a backlog.
//!
//! An attempt does not wait for the commit that claims its step. Where the host knows beforehand what the step needs
//! (`orchestration::successors`), the attempt runs while the commit is made; elsewhere from when the database says so, while
//! the commit is on its way to the disk. So of a commit and the attempt after it a chain of steps takes the time of the
//! longer one. Nothing of an attempt is seen outside, and it does not end, before the commit is durable
//! (`sandbox::OutputCommit`); of one whose step the commit did not claim nothing is left.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Shared;
use super::claim::Claimed;
use super::complete::{Ended, Origin};
use super::slots::Slot;
use crate::orchestration::successors::Done;
use crate::sandbox::{CommitNotice, OutputCommit};
use crate::store::{ClaimedStep, GoOn, Lease, TakeOver, Verdict};

/// Most steps of a namespace that a commit goes on with.
const BATCH: usize = 100;
/// How long nothing is foreseen in a namespace where it came to nothing: it may be paused, or have a bound.
const DISTRUST: Duration = Duration::from_secs(1);

/// The namespaces in which nothing is foreseen, and until when.
#[derive(Default)]
pub(super) struct Distrust(Mutex<HashMap<String, Instant>>);

impl Distrust {
    fn holds(&self, namespace: &str) -> bool {
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

/// Slots for what may run once others are complete, and where those go that get one.
pub(super) struct Onwards<'a> {
    shared: &'a Shared,
    go_on: GoOn,
    slots: Vec<Slot>,
    /// Nobody where nothing goes on.
    claimed: Option<mpsc::Sender<Claimed>>,
    /// Attempts that began before the database was asked.
    foreseen: HashMap<Uuid, Foreseen>,
    /// Namespaces with such attempts, and whether one of them was right.
    right: HashMap<String, bool>,
    taken: Vec<Lease>,
    /// Steps that were claimed and found no slot.
    left: Vec<Lease>,
    notice: CommitNotice,
    output: OutputCommit,
}

struct Foreseen {
    lease: Lease,
    notice: CommitNotice,
}

impl<'a> Onwards<'a> {
    /// Nothing goes on where other steps wait for slots, or while the host drains.
    pub(super) fn new(shared: &'a Shared, attempts: &[Ended], claimed: &mpsc::WeakSender<Claimed>) -> Self {
        let claimed = claimed.upgrade().filter(|_| !shared.draining.is_cancelled());
        let of = |ended: &Ended| ended.completion.lease.namespace.clone();
        let all = attempts.iter().filter(|_| claimed.is_some()).map(of);
        let mut namespaces: Vec<String> = all.filter(|name| !shared.backlog.holds(name)).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let slots: Vec<Slot> = namespaces.iter().flat_map(|name| shared.slots.take_ahead(name, BATCH)).collect();
        let mut go_on = GoOn { lease: shared.settings.lease, ..GoOn::default() };
        for slots in slots.chunk_by(|a, b| a.namespace() == b.namespace()) {
            go_on.namespaces.push(slots[0].namespace().to_owned());
            go_on.places.push(slots.len() as u32);
        }
        let (notice, output) = OutputCommit::under_way();
        let (foreseen, right) = Default::default();
        Self { shared, go_on, slots, claimed, foreseen, right, taken: Vec::new(), left: Vec::new(), notice, output }
    }

    /// What the commit is asked to claim.
    pub(super) fn go_on(&self) -> GoOn {
        GoOn { foresees: !self.foreseen.is_empty(), ..self.go_on.clone() }
    }

    /// Begins with the successors of these attempts that are known already.
    pub(super) async fn begin(&mut self, attempts: &[Ended]) {
        let mut done: HashMap<Uuid, (&Origin, Vec<Done<'_>>)> = HashMap::new();
        for ended in attempts {
            if let (Some(origin), Verdict::Complete { result }) = (&ended.origin, &ended.completion.verdict) {
                let of_task = done.entry(origin.step.lease.task_uuid).or_insert_with(|| (origin, Vec::new()));
                of_task.1.push(Done { step: &origin.step, result });
            }
        }
        let mut following = Vec::new();
        for (origin, done) in done.into_values() {
            let Some(successors) = &origin.template.successors else { continue };
            if self.shared.distrust.holds(&origin.step.lease.namespace) {
                continue;
            }
            match successors.foresee(&done) {
                Ok(steps) => following.extend(steps),
                Err(error) => {
                    tracing::error!(%error, "can't tell what a step's successors need before they are claimed")
                }
            }
        }
        // The order in which the commit gives places away.
        following.sort_unstable_by_key(|step| step.lease.step_uuid);
        for step in following {
            self.begin_with(step).await;
        }
    }

    async fn begin_with(&mut self, step: ClaimedStep) {
        let (notice, output) = OutputCommit::under_way();
        let lease = step.lease.clone();
        if self.send(step, output).await {
            self.right.entry(lease.namespace.clone()).or_default();
            self.foreseen.insert(lease.step_uuid, Foreseen { lease, notice });
        }
    }

    /// Whether there was a slot for it.
    async fn send(&mut self, step: ClaimedStep, output: OutputCommit) -> bool {
        let place = self.slots.iter().position(|slot| slot.namespace() == step.lease.namespace);
        let (Some(place), Some(claimed)) = (place, &self.claimed) else { return false };
        let step = Claimed::new(self.shared, step, self.slots.swap_remove(place), output);
        if claimed.send(step).await.is_err() {
            tracing::error!("nothing runs steps any more: the step runs again when its lease has lapsed");
        }
        true
    }

    /// The steps are this host's. Answers those that it can't run.
    pub(super) fn committed(self) -> Vec<Lease> {
        self.notice.durable();
        self.foreseen.values().for_each(|step| self.shared.in_flight.remove(&step.lease));
        for (namespace, _) in self.right.iter().filter(|(_, right)| !**right) {
            self.shared.distrust.begin(namespace);
        }
        self.left
    }

    /// They are not, as far as it knows: their attempts end, and nothing came of them.
    pub(super) fn failed(self) {
        let foreseen = self.foreseen.values().map(|step| &step.lease);
        self.taken.iter().chain(foreseen).for_each(|lease| self.shared.in_flight.remove(lease));
    }
}

impl TakeOver for Onwards<'_> {
    fn has_begun(&mut self, step: Uuid, message: i64) -> bool {
        let Some(step) = self.foreseen.remove(&step) else { return false };
        self.right.insert(step.lease.namespace.clone(), true);
        step.lease.message_id.learn(message);
        step.notice.durable();
        true
    }

    async fn take(&mut self, step: ClaimedStep) {
        let lease = step.lease.clone();
        match self.send(step, self.output.clone()).await {
            true => self.taken.push(lease),
            false => self.left.push(lease),
        }
    }
}
