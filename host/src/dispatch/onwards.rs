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
use super::in_flight::InFlight;
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
    taken: Taken<'a>,
    /// Steps that were claimed and found no slot.
    left: Vec<Lease>,
    notice: CommitNotice,
    output: OutputCommit,
    /// Whether what begins is told about by another channel than the one that commits its end.
    end_waits: bool,
}

impl<'a> Onwards<'a> {
    /// For what follows these attempts.
    pub(super) fn after(shared: &'a Shared, attempts: &[Ended], claimed: &mpsc::WeakSender<Claimed>) -> Self {
        let leading = attempts.iter().filter(|ended| !ended.is_last);
        let mut namespaces: Vec<_> = leading.map(|ended| &*ended.completion.lease.namespace).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        Self::new(shared, &namespaces, BATCH, claimed)
    }

    /// For so many first steps of tasks that are created.
    pub(super) fn of_new(
        shared: &'a Shared,
        namespace: &str,
        most: usize,
        claimed: &mpsc::WeakSender<Claimed>,
    ) -> Self {
        Self { end_waits: true, ..Self::new(shared, &[namespace], most.min(BATCH), claimed) }
    }

    /// Nothing goes on where other steps wait for slots, or while the host drains.
    fn new(shared: &'a Shared, namespaces: &[&str], most: usize, claimed: &mpsc::WeakSender<Claimed>) -> Self {
        let claimed = claimed.upgrade().filter(|_| !shared.draining.is_cancelled());
        let open = namespaces.iter().filter(|name| claimed.is_some() && !shared.backlog.holds(name));
        let slots: Vec<Slot> = open.flat_map(|name| shared.slots.take_ahead(name, most)).collect();
        let mut go_on = GoOn { lease: shared.settings.lease, ..GoOn::default() };
        for slots in slots.chunk_by(|a, b| a.namespace() == b.namespace()) {
            go_on.namespaces.push(slots[0].namespace().to_owned());
            go_on.places.push(slots.len() as u32);
        }
        let (notice, output) = OutputCommit::under_way();
        let (foreseen, left) = (Foreseen::new(shared), Vec::new());
        let taken = Taken { in_flight: &shared.in_flight, leases: Vec::new() };
        Self { shared, go_on, slots, claimed, foreseen, taken, left, notice, output, end_waits: false }
    }

    /// What the commit is asked to claim.
    pub(super) fn go_on(&self) -> GoOn {
        GoOn { foresees: !self.foreseen.is_empty(), ..self.go_on.clone() }
    }

    /// How many steps there is room for.
    pub(super) fn room(&self) -> usize {
        self.slots.len()
    }

    /// Begins with the successors of these attempts that are known already.
    pub(super) async fn begin(&mut self, attempts: &[Ended]) {
        let Some(claimed) = self.claimed.clone() else { return };
        for step in following(self.shared, attempts, self.slots.len()) {
            if let Some(slot) = self.slot(&step) {
                self.foreseen.begin(step, slot, &claimed).await;
            }
        }
    }

    fn slot(&mut self, step: &ClaimedStep) -> Option<Slot> {
        let place = self.slots.iter().position(|slot| slot.namespace() == step.lease.namespace)?;
        Some(self.slots.swap_remove(place))
    }

    /// The steps are this host's. Answers those that it can't run.
    pub(super) fn committed(mut self) -> Vec<Lease> {
        self.taken.leases.clear();
        self.notice.durable();
        self.foreseen.settle();
        self.left
    }
}

/// Steps that are this host's if the commit is made. Dropped before that is known they are not, and nothing comes of their
/// attempts.
struct Taken<'a> {
    in_flight: &'a InFlight,
    leases: Vec<Lease>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.leases.iter().for_each(|lease| self.in_flight.remove(lease));
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
        self.foreseen.claimed(step, message)
    }

    async fn take(&mut self, step: ClaimedStep) {
        let (Some(slot), Some(claimed)) = (self.slot(&step), &self.claimed) else {
            return self.left.push(step.lease);
        };
        self.taken.leases.push(step.lease.clone());
        let step = Claimed { end_waits: self.end_waits, ..Claimed::new(self.shared, step, slot, self.output.clone()) };
        if claimed.send(step).await.is_err() {
            tracing::error!("nothing runs steps any more: the step runs again when its lease has lapsed");
        }
    }
}
