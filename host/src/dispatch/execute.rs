//! Runs claimed steps, each as a task of its own and each attempt in a sandbox store of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::Shared;
use super::claim::Claimed;
use super::complete::Finished;
use crate::orchestration::{event, outcome};
use crate::sandbox::{AttemptError, AttemptReport, Invocation, Limits, Usage};
use crate::store::{ClaimedStep, Completion};

pub(super) async fn run(shared: Arc<Shared>, mut claimed: mpsc::Receiver<Claimed>, finished: mpsc::Sender<Finished>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            next = claimed.recv() => match next {
                Some(next) => {
                    let span = tracing::info_span!(
                        "step",
                        task_uuid = %next.step.task_uuid,
                        step_uuid = %next.step.lease.step_uuid,
                        step = %next.step.name,
                        attempt = next.step.attempts,
                        correlation_id = %next.step.correlation_id,
                    );
                    running.spawn(execute(shared.clone(), next, finished.clone()).instrument(span));
                }
                None => break,
            },
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// Runs one step and hands its end to the completion channel. The slot is free as soon as the channel has taken it.
async fn execute(shared: Arc<Shared>, claimed: Claimed, finished: mpsc::Sender<Finished>) {
    let Claimed { step, slot, lost } = claimed;
    let attempt = AssertUnwindSafe(attempt(&shared, &step)).catch_unwind();
    let end = tokio::select! {
        ended = attempt => match ended {
            Ok(Ok(completion)) => Finished::Attempt(Box::new(completion)),
            Ok(Err(reason)) => Finished::put_back(&step, &reason),
            Err(_) => Finished::put_back(&step, "the host panicked while it ran the step"),
        },
        () = lost.cancelled() => Finished::Lost(step.lease.clone()),
        () = shared.aborting.cancelled() => Finished::put_back(&step, "the host is shutting down"),
    };
    if finished.send(end).await.is_err() {
        tracing::error!("the completion channel is closed: the step runs again when its lease has lapsed");
    }
    drop(slot);
}

/// The attempt's completion, or why the host could not run it.
async fn attempt(shared: &Shared, step: &ClaimedStep) -> Result<Completion, String> {
    let started_at = chrono::Utc::now();
    let settings = &shared.settings;
    let template_step =
        shared.templates.step(step.template_uuid, &step.name).await.map_err(|error| error.to_string())?;
    let definition = &template_step.definition;

    let report = match shared.components.find(&step.lease.namespace, &definition.handler.callable) {
        Err(unknown) => {
            let outcome = Err(AttemptError::NoComponent(unknown.to_string()));
            AttemptReport { outcome, usage: Usage::default() }
        }
        Ok(prepared) => {
            let invocation = Invocation {
                context: event::context(step, definition, &template_step.event_part)
                    .map_err(|error| format!("its event can't be written: {error}"))?,
                limits: Limits {
                    deadline: definition.timeout().unwrap_or(settings.limits.deadline),
                    ..settings.limits.clone()
                },
                cancellation: shared.draining.clone(),
            };
            shared.sandbox.invoke(prepared, invocation).await.map_err(|failure| failure.to_string())?
        }
    };
    if let Err(error) = &report.outcome {
        tracing::warn!(error_type = error.error_type(), %error, "the attempt failed");
    }
    outcome::completion(step, &definition.retry, &settings.backoff, &settings.worker_id, started_at, report)
        .map_err(|error| format!("its result can't be written: {error}"))
}
