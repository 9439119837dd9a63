//! Going on: what may run once the ends in a commit are there is claimed in that commit, as far as there are slots.
//!
//! That would pass over whatever waits in the queues, so it is not done for a namespace with a backlog.
//!
//! An attempt does not wait for the commit that claims its step. Where the host knows beforehand what the step needs
//! (`orchestration::successors`), the attempt begins as soon as what it waits for has ended, before that is committed
//! (`foreseen`); elsewhere when the database says so, while the commit is on its way to the disk. Nothing of an attempt is
//! seen outside before its step is claimed for good (`sandbox::OutputCommit`). One that has ended by the time the commit of
//! what it waited for is sent ends in that commit, a turn later: the chain of short steps that a task often is costs two
//! commits and not one for each step.

use std::collections::{BTreeMap, HashSet};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Shared;
use super::claim::{Claimed, open};
use super::end::{Ended, Origin};
use super::foreseen::Foreseen;
use super::in_flight::InFlight;
use super::slots::Slot;
use crate::orchestration::successors::Done;
use crate::sandbox::{CommitNotice, OutputCommit};
use crate::store::{Acceptance, ClaimedStep, GoOn, Lease, TakeOver, Verdict};

/// Most steps of a namespace that a commit goes on with.
const BATCH: usize = 100;

/// Slots for what may run once others are complete, and where those go that get one.
pub(super) struct Onwards<'a> {
    shared: &'a Shared,
    go_on: GoOn,
    /// The namespaces that slots were taken for, as far as there were some.
    roomed: HashSet<String>,
    slots: Vec<Slot>,
    /// Nobody where nothing goes on.
    claimed: Option<mpsc::Sender<Claimed>>,
    foreseen: Foreseen<'a>,
    taken: Taken<'a>,
    /// Steps that were claimed and found no slot.
    left: Vec<Lease>,
    notice: CommitNotice,
    output: OutputCommit,
}

impl<'a> Onwards<'a> {
    /// Nothing goes on while the host drains.
    pub(super) fn new(shared: &'a Shared, claimed: &mpsc::WeakSender<Claimed>) -> Self {
        let (notice, output) = OutputCommit::under_way();
        Self {
            shared,
            go_on: GoOn { lease: shared.settings.lease, ..GoOn::default() },
            roomed: HashSet::new(),
            slots: Vec::new(),
            claimed: open(shared, claimed),
            foreseen: Foreseen::new(shared),
            taken: Taken { in_flight: &shared.in_flight, leases: Vec::new() },
            left: Vec::new(),
            notice,
            output,
        }
    }

    /// Takes slots for a namespace that has none yet, where no other steps of it wait for them.
    fn make_room(&mut self, namespace: &str) {
        if self.claimed.is_none() || self.roomed.contains(namespace) || self.shared.backlog.holds(namespace) {
            return;
        }
        self.roomed.insert(namespace.to_owned());
        let slots = self.shared.slots.take_ahead(namespace, BATCH);
        *self.places(namespace) += slots.len() as u32;
        self.slots.extend(slots);
    }

    /// How many steps of a namespace the commit may claim.
    fn places(&mut self, namespace: &str) -> &mut u32 {
        let place = self.go_on.namespaces.iter().position(|name| name == namespace);
        let place = place.unwrap_or_else(|| {
            self.go_on.namespaces.push(namespace.to_owned());
            self.go_on.places.push(0);
            self.go_on.places.len() - 1
        });
        &mut self.go_on.places[place]
    }

    fn make_room_after<'e>(&mut self, attempts: impl IntoIterator<Item = &'e Ended>) {
        for ended in attempts.into_iter().filter(|ended| !ended.is_last) {
            self.make_room(&ended.completion.lease.namespace);
        }
    }

    /// What the commit of these attempts, which are in the order of their turns, is asked to claim.
    pub(super) fn go_on(&mut self, attempts: &[Ended]) -> GoOn {
        self.make_room_after(attempts);
        let mut go_on = GoOn { foresees: !self.foreseen.is_empty(), ..self.go_on.clone() };
        if go_on.places.iter().all(|places| *places == 0) {
            (go_on.namespaces, go_on.places) = Default::default();
        }
        if attempts.iter().any(|ended| ended.turn > 0) {
            let of_all = &attempts[0].completion.lease.namespace;
            let place = go_on.namespaces.iter().position(|name| name == of_all);
            (go_on.namespaces, go_on.places) =
                place.map(|place| (of_all.clone(), go_on.places[place])).into_iter().unzip();
            for turn in attempts.chunk_by(|a, b| a.turn == b.turn) {
                go_on.turns.push(go_on.turns.last().copied().unwrap_or(0) + turn.len() as u32);
            }
        }
        go_on
    }

    /// Begins with the steps that follow these attempts and are known already.
    pub(super) async fn begin(&mut self, attempts: impl Iterator<Item = &mut Ended>) {
        let Some(claimed) = self.claimed.clone() else { return };
        let mut attempts: Vec<_> = attempts.filter(|ended| !ended.is_last).collect();
        let task = |ended: &Ended| ended.completion.lease.task_uuid;
        let changed: HashSet<_> =
            attempts.iter().filter(|ended| !ended.looked_ahead).map(|ended| task(ended)).collect();
        attempts.retain(|ended| changed.contains(&task(ended)));
        self.make_room_after(attempts.iter().map(|ended| &**ended));
        for (step, turn) in self.following(&attempts) {
            if let Some(slot) = self.slot(&step) {
                self.foreseen.begin(step, turn, slot, &claimed).await;
            }
        }
        attempts.iter_mut().for_each(|ended| ended.looked_ahead = true);
    }

    /// Leaves what follows the ends of other tasks than these to another commit. None where nothing does.
    pub(super) fn split_off(&mut self, leases: &[Lease], room: impl Fn() -> Self) -> Option<Self> {
        let tasks: HashSet<_> = leases.iter().map(|lease| lease.task_uuid).collect();
        let foreseen = self.foreseen.split_off(|task| !tasks.contains(&task));
        if foreseen.is_empty() {
            return None;
        }
        // Each has a slot, which goes along.
        let mut other = room();
        for namespace in foreseen.namespaces() {
            *self.places(namespace) -= 1;
            *other.places(namespace) += 1;
        }
        Some(Self { foreseen, ..other })
    }

    /// Drops what follows the ends of a task.
    pub(super) fn forget(&mut self, task: Uuid) {
        drop(self.foreseen.split_off(|of| of == task));
    }

    /// In which turn of the commit a step ends that has begun and will be claimed in it.
    pub(super) fn turn(&self, step: Uuid) -> Option<usize> {
        self.foreseen.turn(step)
    }

    /// The steps that follow these attempts, are known, and have not begun, each with its turn. As many as there are slots.
    fn following(&self, attempts: &[&mut Ended]) -> Vec<(ClaimedStep, usize)> {
        let mut tasks: BTreeMap<Uuid, (&Origin, Vec<Done<'_>>, usize)> = BTreeMap::new();
        for ended in attempts {
            if let (Some(origin), Verdict::Complete { result }) = (&ended.origin, &ended.completion.verdict) {
                let lease = &origin.step.lease;
                let (_, done, turn) = tasks.entry(lease.task_uuid).or_insert_with(|| (origin, Vec::new(), 0));
                done.push(Done { step: &origin.step, result });
                *turn = self.turn(lease.step_uuid).unwrap_or(0).max(*turn);
            }
        }
        let mut following = Vec::new();
        for (origin, done, turn) in tasks.into_values() {
            let Some(successors) = &origin.template.successors else { continue };
            if self.shared.distrust.holds(&origin.step.lease.namespace) {
                continue;
            }
            match successors.foresee(&done, self.slots.len() - following.len()) {
                Ok(steps) => {
                    let new = steps.into_iter().filter(|step| self.turn(step.lease.step_uuid).is_none());
                    following.extend(new.map(|step| (step, turn + 1)));
                }
                Err(error) => {
                    tracing::error!(%error, "can't tell what a step's successors need before they are claimed")
                }
            }
        }
        following
    }

    fn slot(&mut self, step: &ClaimedStep) -> Option<Slot> {
        let place = self.slots.iter().position(|slot| slot.namespace() == step.lease.namespace)?;
        Some(self.slots.swap_remove(place))
    }

    /// The steps are this host's, and of these attempts it is known what became of them. Answers the steps that it can't run.
    pub(super) fn committed(mut self, outcomes: &[(Ended, Acceptance)]) -> Vec<Lease> {
        for (ended, acceptance) in outcomes {
            if *acceptance == Acceptance::Accepted {
                self.foreseen.claimed(ended.completion.lease.step_uuid, None);
            }
        }
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

impl TakeOver for Onwards<'_> {
    fn has_begun(&mut self, step: Uuid, message: i64) -> bool {
        self.foreseen.claimed(step, Some(message))
    }

    async fn take(&mut self, step: ClaimedStep) {
        let (Some(slot), Some(claimed)) = (self.slot(&step), &self.claimed) else {
            return self.left.push(step.lease);
        };
        self.taken.leases.push(step.lease.clone());
        if claimed.send(Claimed::new(self.shared, step, slot, self.output.clone())).await.is_err() {
            tracing::error!("nothing runs steps any more: the step runs again when its lease has lapsed");
        }
    }
}
