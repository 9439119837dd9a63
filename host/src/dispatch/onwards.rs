//! Going on: what may run once the ends in a commit are there is claimed in that commit, as far as there are slots.
//!
//! That would pass over whatever waits in the queues, so it is not done for a namespace with a backlog.
//!
//! An attempt does not wait for the commit that claims its step. Where the host knows beforehand what the step needs
//! (`orchestration::successors`), the attempt runs while the commit is made (`foreseen`); elsewhere from when the database
//! says so, while the commit is on its way to the disk. So of a commit and the attempt after it a chain of steps takes the
//! time of the longer one. Nothing of an attempt is seen outside, and it does not end, before the commit is durable
//! (`sandbox::OutputCommit`).

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Shared;
use super::claim::Claimed;
use super::complete::{Ended, Origin};
use super::foreseen::Foreseen;
use super::slots::Slot;
use crate::orchestration::successors::Done;
use crate::sandbox::{CommitNotice, OutputCommit};
use crate::store::{ClaimedStep, GoOn, Lease, TakeOver, Verdict};

/// Most steps of a namespace that a commit goes on with.
const BATCH: usize = 100;

/// Slots for what may run once others are complete, and where those go that get one.
pub(super) struct Onwards<'a> {
    shared: &'a Shared,
    go_on: GoOn,
    slots: Vec<Slot>,
    /// Nobody where nothing goes on.
    claimed: Option<mpsc::Sender<Claimed>>,
    foreseen: Foreseen<'a>,
    taken: Vec<Lease>,
    /// Steps that were claimed and found no slot.
    left: Vec<Lease>,
    notice: CommitNotice,
    output: OutputCommit,
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
        let (foreseen, taken, left) = (Foreseen::new(shared), Vec::new(), Vec::new());
        Self { shared, go_on, slots, claimed, foreseen, taken, left, notice, output }
    }

    /// What the commit is asked to claim.
    pub(super) fn go_on(&self) -> GoOn {
        GoOn { foresees: !self.foreseen.is_empty(), ..self.go_on.clone() }
    }

    /// Begins with the successors of these attempts that are known already.
    pub(super) async fn begin(&mut self, attempts: &[Ended]) {
        let Some(claimed) = self.claimed.clone() else { return };
        for step in following(self.shared, attempts, self.slots.len()) {
            if let Some(slot) = self.slot(&step) {
                self.foreseen.begin(step, slot, false, &claimed).await;
            }
        }
    }

    fn slot(&mut self, step: &ClaimedStep) -> Option<Slot> {
        let place = self.slots.iter().position(|slot| slot.namespace() == step.lease.namespace)?;
        Some(self.slots.swap_remove(place))
    }

    /// The steps are this host's. Answers those that it can't run.
    pub(super) fn committed(self) -> Vec<Lease> {
        self.notice.durable();
        self.foreseen.settle();
        self.left
    }

    /// They are not, as far as it knows: their attempts end, and nothing came of them.
    pub(super) fn failed(self) {
        self.taken.iter().for_each(|lease| self.shared.in_flight.remove(lease));
    }
}

/// At most so many of the steps that follow these attempts and are known already.
fn following(shared: &Shared, attempts: &[Ended], most: usize) -> Vec<ClaimedStep> {
    let mut tasks: BTreeMap<Uuid, (&Origin, Vec<Done<'_>>)> = BTreeMap::new();
    for ended in attempts {
        if let (Some(origin), Verdict::Complete { result }) = (&ended.origin, &ended.completion.verdict) {
            let (_, done) = tasks.entry(origin.step.lease.task_uuid).or_insert_with(|| (origin, Vec::new()));
            done.push(Done { step: &origin.step, result });
        }
    }
    let mut following = Vec::new();
    for (origin, done) in tasks.into_values() {
        let Some(successors) = &origin.template.successors else { continue };
        if shared.distrust.holds(&origin.step.lease.namespace) {
            continue;
        }
        match successors.foresee(&done, most - following.len()) {
            Ok(steps) => following.extend(steps),
            Err(error) => tracing::error!(%error, "can't tell what a step's successors need before they are claimed"),
        }
    }
    following
}

impl TakeOver for Onwards<'_> {
    fn has_begun(&mut self, step: Uuid, message: i64) -> bool {
        self.foreseen.claimed(step, message).is_some()
    }

    async fn take(&mut self, step: ClaimedStep) {
        let (Some(slot), Some(claimed)) = (self.slot(&step), &self.claimed) else {
            return self.left.push(step.lease);
        };
        self.taken.push(step.lease.clone());
        if claimed.send(Claimed::new(self.shared, step, slot, self.output.clone())).await.is_err() {
            tracing::error!("nothing runs steps any more: the step runs again when its lease has lapsed");
        }
    }
}
