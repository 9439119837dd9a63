//! What this host owns: every step between its claim and its commit. Leases are renewed from this list, and a step whose
//! lease turns out to be lost is aborted through it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::Lease;

#[derive(Default)]
pub(super) struct InFlight {
    owned: Mutex<HashMap<Uuid, (Lease, CancellationToken)>>,
    put_back: AtomicUsize,
}

impl InFlight {
    /// Owns a step. The token returned is set when its lease is lost.
    pub(super) fn insert(&self, lease: &Lease) -> CancellationToken {
        let lost = CancellationToken::new();
        self.lock().insert(lease.step_uuid, (lease.clone(), lost.clone()));
        lost
    }

    /// Ends the ownership that `lease` stood for, unless a newer claim of the same step has replaced it.
    pub(super) fn remove(&self, lease: &Lease) {
        let mut owned = self.lock();
        if owned.get(&lease.step_uuid).is_some_and(|(current, _)| current.claim == lease.claim) {
            owned.remove(&lease.step_uuid);
        }
    }

    /// Aborts the attempt that `lease` stood for, if it still runs.
    pub(super) fn abort(&self, lease: &Lease) {
        if let Some((current, lost)) = self.lock().get(&lease.step_uuid)
            && current.claim == lease.claim
        {
            tracing::warn!(step_uuid = %lease.step_uuid, "the lease was lost: aborting the attempt");
            lost.cancel();
        }
    }

    pub(super) fn leases(&self) -> Vec<Lease> {
        self.lock().values().map(|(lease, _)| lease.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn count_put_back(&self, steps: usize) {
        self.put_back.fetch_add(steps, Ordering::Relaxed);
    }

    pub(super) fn put_back(&self) -> usize {
        self.put_back.load(Ordering::Relaxed)
    }

    /// No code panics while it holds the lock, so a poisoned map is still whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, (Lease, CancellationToken)>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(step_uuid: Uuid, claim: i32) -> Lease {
        Lease { namespace: "n".into(), message_id: 1, step_uuid, claim }
    }

    #[test]
    fn the_end_of_a_lapsed_claim_does_not_end_the_newer_one_of_the_same_step() {
        let in_flight = InFlight::default();
        let step = Uuid::now_v7();
        let first = in_flight.insert(&lease(step, 1));
        let second = in_flight.insert(&lease(step, 2));
        in_flight.remove(&lease(step, 1));
        in_flight.abort(&lease(step, 1));
        assert_eq!(in_flight.leases(), [lease(step, 2)]);
        assert!(!first.is_cancelled() && !second.is_cancelled());
        in_flight.abort(&lease(step, 2));
        assert!(second.is_cancelled());
        in_flight.remove(&lease(step, 2));
        assert_eq!(in_flight.len(), 0);
    }
}
