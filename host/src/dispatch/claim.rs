//! Takes steps from the queues: never more than there are free slots, so that a step another host could run does not
//! wait here, and never more of one namespace than it may hold of them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::foreseen::Foreseen;
use super::in_flight::Signals;
use super::slots::{Room, Slot};
use super::wake::Work;
use super::{Shared, backlog, complete};
use crate::sandbox::OutputCommit;
use crate::store::{ClaimRequest, ClaimedStep, StoreError, TakeOver};

/// A step this host owns, with the slot it runs in.
pub(super) struct Claimed {
    pub(super) step: ClaimedStep,
    pub(super) slot: Slot,
    pub(super) signals: Signals,
    /// Whether its end must wait for what its claim rests on: the completion channel knows how its own commits ended, and
    /// does not wait for claims.
    pub(super) end_waits: bool,
}

impl Claimed {
    /// The step is this host's from now on, or will be once what its claim rests on is durable.
    pub(super) fn new(shared: &Shared, step: ClaimedStep, slot: Slot, output: OutputCommit) -> Self {
        let signals = shared.in_flight.insert(&step.lease, &shared.draining, output);
        Self { step, slot, signals, end_waits: false }
    }
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
        // What is not begun with now is claimed like any other step.
        let queued = shared.wake.foreseen();
        if room.together > 0 {
            let mut claims = Claims::new(&shared, &claimed);
            claims.begin(&room, queued).await;
            // Not cancelled half-way: a claim that was sent may have taken steps.
            claims.claim(&room).await;
            steps_wait = claims.settle(&room).await;
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

/// One claim, and what comes of it.
struct Claims<'a> {
    shared: &'a Shared,
    claimed: &'a mpsc::Sender<Claimed>,
    foreseen: Foreseen<'a>,
    /// The namespaces of the steps that were claimed, each as often as it has one.
    found: Vec<String>,
    /// Those of them that have not begun.
    others: Vec<ClaimedStep>,
}

impl<'a> Claims<'a> {
    fn new(shared: &'a Shared, claimed: &'a mpsc::Sender<Claimed>) -> Self {
        Self { shared, claimed, foreseen: Foreseen::new(shared), found: Vec::new(), others: Vec::new() }
    }

    /// Begins with steps that were just queued, where none waited before them.
    async fn begin(&mut self, room: &Room, queued: Vec<ClaimedStep>) {
        if queued.is_empty() {
            return;
        }
        let mut places: HashMap<&str, usize> =
            room.namespaces.iter().map(|(name, room)| (name.as_str(), *room)).collect();
        for step in queued {
            let namespace = &step.lease.namespace;
            let Some(place) = places.get_mut(namespace.as_str()).filter(|places| **places > 0) else { continue };
            let found_before = self.shared.in_flight.owns(step.lease.step_uuid);
            if found_before || self.shared.backlog.holds(namespace) || self.shared.distrust.holds(namespace) {
                continue;
            }
            let Some(slot) = self.shared.slots.take(namespace) else { return };
            *place -= 1;
            self.foreseen.begin(step, slot, true, self.claimed).await;
        }
    }

    /// Claims, or says why it could not and claims nothing: the next poll tries again.
    async fn claim(&mut self, room: &Room) {
        let (namespaces, places) = room.namespaces.iter().map(|(name, room)| (name.clone(), *room as u32)).unzip();
        let request = ClaimRequest {
            namespaces,
            places,
            limit: room.together as u32,
            host: self.shared.settings.worker_id.clone(),
            lease: self.shared.settings.lease,
        };
        let claimed = match self.foreseen.is_empty() {
            true => self.claim_all(&request).await,
            false => self.shared.claims.claim_and_go_on(&request, self).await,
        };
        if let Err(error) = claimed {
            tracing::error!(%error, "can't claim steps: trying again at the next poll");
        }
    }

    async fn claim_all(&mut self, request: &ClaimRequest) -> Result<(), StoreError> {
        for step in self.shared.claims.claim_steps(request).await? {
            self.take(step).await;
        }
        Ok(())
    }

    /// Runs what was claimed and has not begun; what has begun and was not claimed is not run. Says whether steps wait.
    async fn settle(self, room: &Room) -> bool {
        let Self { shared, claimed, foreseen, found, others } = self;
        foreseen.settle();
        let steps_wait = shared.backlog.learn(room, &found);
        let others: Vec<_> = others.into_iter().map(|step| (shared.slots.take(&step.lease.namespace), step)).collect();
        shared.slots.settle();
        let mut left = Vec::new();
        for (slot, step) in others {
            let Some(slot) = slot else {
                left.push(step.lease);
                continue;
            };
            if claimed.send(Claimed::new(shared, step, slot, OutputCommit::done())).await.is_err() {
                tracing::error!("nothing runs steps any more: the step runs again when its lease has lapsed");
            }
        }
        if !left.is_empty() {
            complete::release(shared, &left).await;
        }
        steps_wait || !left.is_empty()
    }
}

impl TakeOver for Claims<'_> {
    fn has_begun(&mut self, step: Uuid, message: i64) -> bool {
        let namespace = self.foreseen.claimed(step, message);
        let has_begun = namespace.is_some();
        self.found.extend(namespace);
        has_begun
    }

    async fn take(&mut self, step: ClaimedStep) {
        self.found.push(step.lease.namespace.clone());
        self.others.push(step);
    }
}
