//! What this host owns: every step between its claim and its commit. Leases are renewed from this list, and a step whose
//! lease turns out to be lost is aborted through it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::sandbox::OutputCommit;
use crate::store::{Lease, Planned};

#[derive(Default)]
pub(super) struct InFlight {
    owned: Mutex<HashMap<Uuid, Owned>>,
    some_planned: Notify,
    put_back: AtomicUsize,
    refused: AtomicUsize,
}

struct Owned {
    lease: Lease,
    signals: Signals,
}

/// A task that this host has begun with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) namespace: String,
    /// When it did.
    pub(super) since: Instant,
    /// Whether the task is created by now.
    pub(super) is_created: bool,
}

/// What a running attempt can be told.
#[derive(Clone)]
pub(super) struct Signals {
    /// The lease is lost: nothing the attempt brings will count.
    pub(super) lost: CancellationToken,
    /// It should wind down: its task was cancelled, or the host is draining.
    pub(super) wind_down: CancellationToken,
    /// What its claim rests on is durable, or came to nothing.
    pub(super) output: OutputCommit,
}

impl InFlight {
    /// Owns a step whose claim rests on `output`. Its attempt winds down when `draining` is set, too.
    pub(super) fn insert(&self, lease: &Lease, draining: &CancellationToken, output: OutputCommit) -> Signals {
        let signals = Signals { lost: CancellationToken::new(), wind_down: draining.child_token(), output };
        let owned = Owned { lease: lease.clone(), signals: signals.clone() };
        self.lock().insert(lease.step_uuid, owned);
        if lease.planned.is_some() {
            self.some_planned.notify_one();
        }
        signals
    }

    /// Returns when steps came of a task that is planned.
    pub(super) async fn some_planned(&self) {
        self.some_planned.notified().await;
    }

    /// The tasks that are or will be planned.
    pub(super) fn planned(&self) -> HashMap<Uuid, Begun> {
        let mut tasks = HashMap::new();
        for Owned { lease, signals } in self.lock().values() {
            if let Some(Planned { since, .. }) = lease.planned {
                let begun = || Begun { namespace: lease.namespace.clone(), since, is_created: false };
                let begun = tasks.entry(lease.task_uuid).or_insert_with(begun);
                begun.is_created |= signals.output.is_done();
            }
        }
        tasks
    }

    /// Has each step counted of those of these tasks that are planned.
    pub(super) fn count_planned<Task>(&self, tasks: &mut HashMap<Uuid, Task>, count: impl Fn(&mut Task)) {
        for owned in self.lock().values().filter(|owned| owned.lease.planned.is_some()) {
            tasks.get_mut(&owned.lease.task_uuid).into_iter().for_each(&count);
        }
    }

    /// Ends the ownership that `lease` stood for, unless a newer claim of the same step has replaced it.
    pub(super) fn remove(&self, lease: &Lease) {
        let mut owned = self.lock();
        if owned.get(&lease.step_uuid).is_some_and(|current| current.lease.claim == lease.claim) {
            owned.remove(&lease.step_uuid);
        }
    }

    /// The same of a lease that came to nothing: another claim that has the same number keeps the step.
    pub(super) fn forget(&self, lease: &Lease) {
        let mut owned = self.lock();
        if owned.get(&lease.step_uuid).is_some_and(|current| current.lease.message_id.get().is_none()) {
            owned.remove(&lease.step_uuid);
        }
    }

    /// Aborts the attempt that `lease` stood for, if it still runs.
    pub(super) fn abort(&self, lease: &Lease) {
        if let Some(current) = self.lock().get(&lease.step_uuid)
            && current.lease.claim == lease.claim
        {
            tracing::warn!(step_uuid = %lease.step_uuid, "the lease was lost: aborting the attempt");
            current.signals.lost.cancel();
        }
    }

    /// Tells the attempts of a cancelled task to wind down.
    pub(super) fn wind_down(&self, task_uuid: Uuid) {
        for owned in self.lock().values().filter(|owned| owned.lease.task_uuid == task_uuid) {
            tracing::info!(%task_uuid, step_uuid = %owned.lease.step_uuid, "the task was cancelled: telling its handler");
            owned.signals.wind_down.cancel();
        }
    }

    /// The leases that can be renewed: the database knows nothing of a claim that is not committed.
    pub(super) fn leases(&self) -> Vec<Lease> {
        self.lock().values().filter(|owned| owned.signals.output.is_done()).map(|owned| owned.lease.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn count_put_back(&self, steps: usize) {
        self.put_back.fetch_add(steps, Ordering::Relaxed);
    }

    /// Counts results that came after their lease was lost.
    pub(super) fn count_refused(&self, results: usize) {
        self.refused.fetch_add(results, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn put_back(&self) -> usize {
        self.put_back.load(Ordering::Relaxed)
    }

    /// No code panics while it holds the lock, so a poisoned map is still whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Owned>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;
    use crate::store::MessageId;

    fn lease(step_uuid: Uuid, claim: i32) -> Lease {
        lease_of(Uuid::nil(), step_uuid, claim)
    }

    fn lease_of(task_uuid: Uuid, step_uuid: Uuid, claim: i32) -> Lease {
        Lease {
            namespace: "n".into(),
            message_id: 1.into(),
            task_uuid,
            step_uuid,
            claim,
            guarded: false,
            planned: None,
        }
    }

    #[test]
    fn a_claim_that_was_not_made_takes_no_other_of_the_same_number_along() {
        let (in_flight, step) = (InFlight::default(), Uuid::now_v7());
        let foreseen = Lease { message_id: MessageId::default(), ..lease(step, 1) };
        let insert = |lease: &Lease| in_flight.insert(lease, &CancellationToken::new(), OutputCommit::done());
        insert(&foreseen);
        in_flight.forget(&foreseen);
        assert_eq!(in_flight.len(), 0);
        insert(&foreseen);
        insert(&lease(step, 1));
        in_flight.forget(&foreseen);
        assert_eq!(in_flight.len(), 1);
    }

    #[test]
    fn the_end_of_a_lapsed_claim_does_not_end_the_newer_one_of_the_same_step() {
        let in_flight = InFlight::default();
        let (step, draining) = (Uuid::now_v7(), CancellationToken::new());
        let first = in_flight.insert(&lease(step, 1), &draining, OutputCommit::done()).lost;
        let second = in_flight.insert(&lease(step, 2), &draining, OutputCommit::done()).lost;
        in_flight.remove(&lease(step, 1));
        in_flight.abort(&lease(step, 1));
        assert_eq!(in_flight.leases(), [lease(step, 2)]);
        assert!(!first.is_cancelled() && !second.is_cancelled());
        in_flight.abort(&lease(step, 2));
        assert!(second.is_cancelled());
        in_flight.remove(&lease(step, 2));
        assert_eq!(in_flight.len(), 0);
    }

    #[test]
    fn a_planned_task_is_known_before_it_is_created() {
        let in_flight = InFlight::default();
        let since = Instant::now();
        let of_two = Planned { steps: NonZero::new(2).unwrap(), host: "h".into(), since };
        let planned = |step| Lease { planned: Some(of_two.clone()), ..lease(step, 1) };
        let (notice, output) = OutputCommit::under_way();
        in_flight.insert(&lease_of(Uuid::now_v7(), Uuid::now_v7(), 1), &CancellationToken::new(), OutputCommit::done());
        assert!(in_flight.planned().is_empty());
        let begun = |is_created| Begun { namespace: "n".into(), since, is_created };
        in_flight.insert(&planned(Uuid::now_v7()), &CancellationToken::new(), output);
        assert_eq!(in_flight.planned(), HashMap::from([(Uuid::nil(), begun(false))]));
        notice.durable();
        // What follows its first step rests on another commit.
        in_flight.insert(&planned(Uuid::now_v7()), &CancellationToken::new(), OutputCommit::under_way().1);
        assert_eq!(in_flight.planned(), HashMap::from([(Uuid::nil(), begun(true))]));
    }

    #[test]
    fn a_lease_is_renewed_once_its_claim_is_committed() {
        let in_flight = InFlight::default();
        let (notice, output) = OutputCommit::under_way();
        in_flight.insert(&lease(Uuid::now_v7(), 1), &CancellationToken::new(), output);
        assert_eq!((in_flight.leases().len(), in_flight.len()), (0, 1));
        notice.durable();
        assert_eq!(in_flight.leases().len(), 1);
    }

    #[test]
    fn only_the_attempts_of_a_cancelled_task_are_told_and_all_when_the_host_drains() {
        let in_flight = InFlight::default();
        let draining = CancellationToken::new();
        let (cancelled, other) = (Uuid::now_v7(), Uuid::now_v7());
        let told = in_flight.insert(&lease_of(cancelled, Uuid::now_v7(), 1), &draining, OutputCommit::done());
        let left = in_flight.insert(&lease_of(other, Uuid::now_v7(), 1), &draining, OutputCommit::done());
        in_flight.wind_down(cancelled);
        assert!(told.wind_down.is_cancelled() && !told.lost.is_cancelled());
        assert!(!left.wind_down.is_cancelled() && !draining.is_cancelled());
        draining.cancel();
        assert!(left.wind_down.is_cancelled());
    }
}
