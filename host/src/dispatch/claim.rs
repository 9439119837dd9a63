//! Takes steps from the queues: never more than there are free slots, so that a step another host could run does not
//! wait here, and never more of one namespace than it may hold of them.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Shared;
use super::in_flight::Signals;
use super::slots::{Room, Slot};
use crate::store::{ClaimRequest, ClaimedStep};

/// Most steps one claim asks for. Larger batches lose to latency and cache misses.
const BATCH: usize = 100;

/// A step this host owns, with the slot it runs in.
pub(super) struct Claimed {
    pub(super) step: ClaimedStep,
    pub(super) slot: Slot,
    pub(super) signals: Signals,
}

pub(super) async fn run(shared: Arc<Shared>, claimed: mpsc::Sender<Claimed>) {
    let draining = shared.draining.clone();
    let served: Vec<String> = shared.components.table().namespaces().map(str::to_owned).collect();
    if served.is_empty() {
        tracing::warn!("no component is loaded, so there is no namespace to claim steps for");
        return draining.cancelled().await;
    }
    while !draining.is_cancelled() {
        let room = shared.slots.room(&served);
        let asked = room.together.min(BATCH);
        // Not cancelled half-way: a claim that was sent may have taken steps.
        let found = if asked > 0 { claim(&shared, room, asked).await } else { Vec::new() };
        let more = asked > 0 && found.len() == asked;
        for step in found {
            let slot = shared.slots.take(&step.lease.namespace);
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

/// Claims, or says why it could not and claims nothing: the next poll tries again.
async fn claim(shared: &Shared, room: Room, limit: usize) -> Vec<ClaimedStep> {
    let (namespaces, places) = room.namespaces.into_iter().map(|(name, room)| (name, room as u32)).unzip();
    let request = ClaimRequest {
        namespaces,
        places,
        limit: limit as u32,
        host: shared.settings.worker_id.clone(),
        lease: shared.settings.lease,
    };
    match shared.store.claim_steps(&request).await {
        Ok(steps) => steps,
        Err(error) => {
            tracing::error!(%error, "can't claim steps: trying again at the next poll");
            Vec::new()
        }
    }
}
