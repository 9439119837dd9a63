//! Takes steps from the queues: never more than there are free slots, so that a step another host could run does not
//! wait here, and never more of one namespace than it may hold of them.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Shared;
use super::backlog;
use super::in_flight::Signals;
use super::slots::{Room, Slot};
use super::wake::Work;
use crate::sandbox::OutputCommit;
use crate::store::{ClaimRequest, ClaimedStep};

/// A step this host owns, with the slot it runs in.
pub(super) struct Claimed {
    pub(super) step: ClaimedStep,
    pub(super) slot: Slot,
    pub(super) signals: Signals,
}

impl Claimed {
    /// The step is this host's from now on, or will be once what its claim rests on is durable.
    pub(super) fn new(shared: &Shared, step: ClaimedStep, slot: Slot, output: OutputCommit) -> Self {
        let signals = shared.in_flight.insert(&step.lease, &shared.draining, output);
        Self { step, slot, signals }
    }
}

/// Where steps go that are to run; nowhere while the host drains.
pub(super) fn open(shared: &Shared, claimed: &mpsc::WeakSender<Claimed>) -> Option<mpsc::Sender<Claimed>> {
    claimed.upgrade().filter(|_| !shared.draining.is_cancelled())
}

pub(super) async fn run(shared: Arc<Shared>, claimed: mpsc::Sender<Claimed>) {
    let draining = shared.draining.clone();
    let served: Vec<String> = shared.components.table().namespaces().map(str::to_owned).collect();
    if served.is_empty() {
        tracing::warn!("no component is loaded, so there is no namespace to claim steps for");
        return draining.cancelled().await;
    }
    let (mut work, mut steps_wait) = (Work::Anywhere, false);
    while !draining.is_cancelled() {
        if steps_wait {
            tokio::select! {
                () = shared.slots.some_free() => {}
                _ = shared.wake.wait(backlog::CLAIM) => {}
            }
            work = Work::Anywhere;
        }
        let room = shared.slots.room(&work.among(&served), steps_wait);
        if room.together > 0 {
            // Not cancelled half-way: a claim that was sent may have taken steps.
            let found = claim(&shared, &room).await;
            steps_wait = shared.backlog.learn(&room, &found);
            let found: Vec<_> =
                found.into_iter().map(|step| (shared.slots.take(&step.lease.namespace), step)).collect();
            shared.slots.settle();
            for (slot, step) in found {
                if claimed.send(Claimed::new(&shared, step, slot, OutputCommit::done())).await.is_err() {
                    return;
                }
            }
            if steps_wait {
                continue;
            }
        }
        match draining.run_until_cancelled(shared.wake.wait(shared.settings.poll_interval)).await {
            Some(said) => work = said,
            None => return,
        }
    }
}

/// Claims, or says why it could not and claims nothing: the next poll tries again.
async fn claim(shared: &Shared, room: &Room) -> Vec<ClaimedStep> {
    let (namespaces, places) = room.namespaces.iter().map(|(name, room)| (name.clone(), *room as u32)).unzip();
    let request = ClaimRequest {
        namespaces,
        places,
        limit: room.together as u32,
        host: shared.settings.worker_id.clone(),
        lease: shared.settings.lease,
    };
    match shared.claims.claim_steps(&request).await {
        Ok(steps) => steps,
        Err(error) => {
            tracing::error!(%error, "can't claim steps: trying again at the next poll");
            Vec::new()
        }
    }
}
