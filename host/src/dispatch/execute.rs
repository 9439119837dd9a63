//! Runs claimed steps, each as a task of its own and each attempt in a sandbox store of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::Shared;
use super::attempt::attempt;
use super::claim::Claimed;
use super::end::{End, Finished};
use super::in_flight::Signals;
use crate::store::ClaimedStep;

pub(super) async fn run(shared: Arc<Shared>, mut claimed: mpsc::Receiver<Claimed>, finished: mpsc::Sender<Finished>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            next = claimed.recv() => match next {
                Some(next) => {
                    let span = tracing::info_span!(
                        "step",
                        task_uuid = %next.step.lease.task_uuid,
                        step_uuid = %next.step.lease.step_uuid,
                        step = %next.step.name,
                        attempt = next.step.attempts,
                        correlation_id = %next.step.correlation_id,
                    );
                    // In a box, because the runtime moves what it is given more than once, and this is large.
                    running.spawn(Box::pin(execute(shared.clone(), next, finished.clone())).instrument(span));
                }
                None => break,
            },
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// Runs one step and hands its end to the completion channel, with the slot where a step may follow in it. Otherwise the slot
/// is free as soon as the channel has taken the end.
async fn execute(shared: Arc<Shared>, claimed: Claimed, finished: mpsc::Sender<Finished>) {
    let Claimed { step, slot, signals } = claimed;
    let mut slot = Some(slot);
    let mut end = tokio::select! {
        end = end_of(&shared, step, &signals) => end,
        // There is nobody to tell: the step is not this host's, or will be by another claim.
        () = signals.output.failed() => return,
    };
    if let Some(ended) = end.attempt()
        && ended.origin.is_some()
        && !ended.is_last()
    {
        ended.slot = slot.take();
    }
    if finished.send(Finished { end, output: signals.output }).await.is_err() {
        tracing::error!("the completion channel is closed: the step runs again when its lease has lapsed");
    }
    drop(slot);
}

/// Makes the attempt, unless something comes between.
async fn end_of(shared: &Shared, step: ClaimedStep, signals: &Signals) -> End {
    let lease = step.lease.clone();
    let attempt = AssertUnwindSafe(attempt(shared, step, signals)).catch_unwind();
    tokio::select! {
        ended = attempt => match ended {
            Ok(Ok(end)) => end,
            Ok(Err(reason)) => End::put_back(&lease, &reason),
            Err(_) => End::put_back(&lease, "the host panicked while it ran the step"),
        },
        () = signals.lost.cancelled() => End::Lost(lease),
        () = shared.aborting.cancelled() => End::put_back(&lease, "the host is shutting down"),
    }
}
