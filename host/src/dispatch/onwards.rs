//! Going on: what may run once the ends in a commit are there is claimed in that commit, as far as there are slots.
//!
//! That would pass over whatever waits in the queues, so for a namespace with a backlog it is done for a short while at most:
//! steps of a task follow each other in the slot of the first one, and take no others.
//!
//! An attempt does not wait for the commit that claims its step. Where the host knows beforehand what the step needs
//! (`orchestration::successors`, `batches`), the attempt begins as soon as what it waits for has ended, before that is committed
//! (`foreseen`); elsewhere when the database says so, while the commit is on its way to the disk. Nothing of an attempt is
//! seen outside before its step is claimed for good (`sandbox::OutputCommit`). One that has ended by the time the commit of
//! what it waited for is sent is claimed and ends in that commit: a task of short steps costs two commits and not one for each
//! step, and the server half as much for each.

use std::collections::{BTreeMap, HashSet};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Shared;
use super::backlog;
use super::batches::Batches;
use super::claim::{Claimed, open};
use super::end::Ended;
use super::foreseen::{Follows, Foreseen};
use super::in_flight::InFlight;
use super::results::{Known, Results};
use super::slots::Slot;
use crate::sandbox::{CommitNotice, OutputCommit};
use crate::store::{Acceptance, ClaimedStep, GoOn, Lease, TakeOver};

/// Most steps of a namespace that a commit goes on with.
const BATCH: usize = 100;

/// Slots for what may run once others are complete, and where those go that get one.
pub(super) struct Onwards<'a> {
    shared: &'a Shared,
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
        self.slots.extend(self.shared.slots.take_ahead(namespace, BATCH));
    }

    /// What the commit of these attempts, which are in the order of their turns, is asked to claim: the steps that have begun, and
    /// others that may follow, as far as there are slots.
    pub(super) fn go_on(&mut self, attempts: &[Ended]) -> GoOn {
        let ends: HashSet<_> = attempts.iter().map(|ended| ended.completion.lease.step_uuid).collect();
        // Where something else may follow than what has begun.
        let mut leading = HashSet::new();
        for ended in attempts {
            let has_begun = |step: &Uuid| ends.contains(step) || self.foreseen.has(*step);
            if !ended.successors.as_ref().is_some_and(|steps| steps.iter().all(has_begun)) {
                leading.insert(ended.completion.lease.namespace.as_str());
            }
        }
        leading.iter().for_each(|namespace| self.make_room(namespace));
        let mut places: BTreeMap<String, u32> = BTreeMap::new();
        for slot in self.slots.iter().filter(|slot| leading.contains(slot.namespace())) {
            *places.entry(slot.namespace().to_owned()).or_default() += 1;
        }
        let mut begun = Vec::new();
        for lease in self.foreseen.leases().filter(|lease| !ends.contains(&lease.step_uuid)) {
            places.entry(lease.namespace.clone()).or_default();
            begun.push(lease.step_uuid);
        }
        let (namespaces, places) = places.into_iter().unzip();
        let unclaimed = attempts.iter().filter(|ended| ended.turn > 0).count() as u32;
        GoOn { namespaces, places, begun, lease: self.shared.settings.lease, unclaimed }
    }

    /// Begins with the steps that follow those of these attempts that are new, as far as they are known.
    pub(super) async fn begin(
        &mut self,
        attempts: impl Iterator<Item = &mut Ended>,
        results: &mut Results,
        batches: &mut Batches,
    ) {
        let Some(claimed) = self.claimed.clone() else { return };
        let mut new: Vec<_> = attempts.filter_map(Known::of).collect();
        for known in &mut new {
            self.make_room(known.namespace());
            let slot = known.leave_slot().and_then(|slot| self.open(slot));
            self.slots.extend(slot);
        }
        for (step, follows) in self.following(&new, results, batches) {
            if let Some(slot) = self.slot(&step) {
                self.foreseen.begin(step, follows, slot, &claimed).await;
            }
        }
        self.slots.retain(|slot| !self.shared.backlog.holds(slot.namespace()));
        results.keep(new);
    }

    /// This slot of a step that has ended, if the next one of its task may have it. Where others wait for slots it may for a while.
    fn open(&self, mut slot: Slot) -> Option<Slot> {
        (slot.age() < backlog::SLICE || !self.shared.backlog.holds(slot.namespace())).then_some(slot)
    }

    /// Leaves what follows other ends than these to another commit. None where nothing does.
    pub(super) fn split_off(&mut self, ends: &[Lease], room: impl Fn() -> Self) -> Option<Self> {
        let (tasks, steps): (HashSet<_>, HashSet<_>) = ends.iter().map(|end| (end.task_uuid, end.step_uuid)).unzip();
        let foreseen = self.foreseen.split_off(|lease, follows| match follows {
            Follows::Worker(worker) => !steps.contains(&worker),
            Follows::Creation | Follows::Ends(_) => !tasks.contains(&lease.task_uuid),
        });
        if foreseen.is_empty() {
            return None;
        }
        Some(Self { foreseen, ..room() })
    }

    /// Drops what follows the ends of a task.
    pub(super) fn forget(&mut self, task: Uuid) {
        drop(self.foreseen.split_off(|lease, _| lease.task_uuid == task));
    }

    /// Leaves the steps of these tasks to a commit that claims nothing else.
    pub(super) fn split_off_tasks(&mut self, tasks: &HashSet<Uuid>) -> Foreseen<'a> {
        self.foreseen.split_off(|lease, _| tasks.contains(&lease.task_uuid))
    }

    /// Takes back what such a commit did not decide about.
    pub(super) fn take_back(&mut self, foreseen: Foreseen<'a>) {
        self.foreseen.take_in(foreseen);
    }

    /// Whether a step of this task waits for the commit of what ended before it.
    pub(super) fn is_wanted(&self, task: Uuid) -> bool {
        self.foreseen.is_wanted(task)
    }

    /// In which turn of the commit a step ends that has begun and will be claimed in it.
    pub(super) fn turn(&self, step: Uuid) -> Option<usize> {
        self.foreseen.turn(step)
    }

    /// Whether a step has begun.
    pub(super) fn has(&self, step: Uuid) -> bool {
        self.foreseen.has(step)
    }

    /// The steps that follow these ends and are known, as many as there are slots.
    fn following(&self, new: &[Known], results: &Results, batches: &mut Batches) -> Vec<(ClaimedStep, Follows)> {
        let mut tasks: BTreeMap<Uuid, Vec<&Known>> = BTreeMap::new();
        for known in new.iter().filter(|known| !self.shared.distrust.holds(known.namespace())) {
            tasks.entry(known.task()).or_default().push(known);
        }
        let mut following = Vec::new();
        for (task, new) in tasks {
            let Some(successors) = new[0].successors() else {
                if self.slots.len() < following.len() + new.len() {
                    batches.forget(task);
                }
                following.extend(
                    new.iter().filter_map(|worker| {
                        Some((batches.next_after(worker.claim())?, Follows::Worker(worker.step())))
                    }),
                );
                continue;
            };
            let before = results.of(task);
            let turn = |known: &Known| self.turn(known.step()).unwrap_or(0) + 1;
            let turn = new.iter().copied().chain(before).map(turn).max().unwrap_or(0);
            let (new, before) =
                (Vec::from_iter(new.into_iter().map(Known::done)), Vec::from_iter(before.iter().map(Known::done)));
            match successors.foresee(&new, &before, self.slots.len() - following.len()) {
                Ok(steps) => following.extend(steps.into_iter().map(|step| (step, Follows::Ends(turn)))),
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

    /// The steps are this host's, and of these attempts it is known what became of them. Answers the steps that it can't run, and
    /// the tasks of which something else was expected.
    pub(super) fn committed(mut self, outcomes: &[(Ended, Acceptance)]) -> (Vec<Lease>, Vec<Uuid>) {
        for (ended, acceptance) in outcomes {
            if *acceptance == Acceptance::Accepted {
                self.foreseen.claimed(ended.completion.lease.step_uuid, None);
            }
        }
        self.taken.leases.clear();
        self.notice.durable();
        (self.left, self.foreseen.settle())
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
