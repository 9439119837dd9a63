//! Takes steps from the queues: never more than there are free slots, so that a step another host could run does not
//! wait here.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Shared;
use super::in_flight::Signals;
use crate::store::{ClaimRequest, ClaimedStep};

/// Most steps one claim asks for. Larger batches lose to latency and cache misses.
const BATCH: usize = 100;

/// A step this host owns, with the slot it runs in.
pub(super) struct Claimed {
    pub(super) step: ClaimedStep,
    pub(super) slot: OwnedSemaphorePermit,
    pub(super) signals: Signals,
}

pub(super) async fn run(shared: Arc<Shared>, claimed: mpsc::Sender<Claimed>) {
    let draining = shared.draining.clone();
    let mut request = ClaimRequest {
        namespaces: shared.components.table().namespaces().map(str::to_owned).collect(),
        limit: 0,
        host: shared.settings.worker_id.clone(),
        lease: shared.settings.lease,
    };
    if request.namespaces.is_empty() {
        tracing::warn!("no component is loaded, so there is no namespace to claim steps for");
        return draining.cancelled().await;
    }
    while let Some(Some(first)) = draining.run_until_cancelled(free_slot(&shared)).await {
        let mut slots = vec![first];
        while slots.len() < BATCH
            && let Ok(slot) = shared.slots.clone().try_acquire_owned()
        {
            slots.push(slot);
        }
        // Not cancelled half-way: a claim that was sent may have taken steps.
        request.limit = slots.len() as u32;
        let found = claim(&shared, &request).await;
        let more = found.len() == slots.len();
        for (step, slot) in found.into_iter().zip(slots) {
            let signals = shared.in_flight.insert(step.task_uuid, &step.lease, &shared.draining);
            if claimed.send(Claimed { step, slot, signals }).await.is_err() {
                return;
            }
        }
        if !more {
            draining.run_until_cancelled(shared.wake.wait(shared.settings.poll_interval)).await;
        }
    }
}

async fn free_slot(shared: &Shared) -> Option<OwnedSemaphorePermit> {
    shared.slots.clone().acquire_owned().await.ok()
}

/// Claims, or says why it could not and claims nothing: the next poll tries again.
async fn claim(shared: &Shared, request: &ClaimRequest) -> Vec<ClaimedStep> {
    match shared.store.claim_steps(request).await {
        Ok(steps) => steps,
        Err(error) => {
            tracing::error!(%error, "can't claim steps: trying again at the next poll");
            Vec::new()
        }
    }
}
