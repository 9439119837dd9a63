//! One attempt of a claimed step, from its template to its verdict.
//!
//! A handler that yields a checkpoint is called again from there, under the same claim and as the same attempt: the
//! progress is on disk before the next call, so a crash, a retry or another host goes on from it.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::Shared;
use super::end::{End, Ended, Origin};
use super::growth;
use super::in_flight::Signals;
use super::templates::TemplateStep;
use crate::client::Caller;
use crate::events::Outbox;
use crate::orchestration::outcome::{self, Terms};
use crate::orchestration::{checkpoint, event};
use crate::sandbox::{
    AttemptError, AttemptReport, CheckpointSink, Invocation, LogRecords, Prepared, StepOutcome, Usage,
};
use crate::store::{Checkpoint, ClaimedStep, Lease, Store};

/// Pause before a checkpoint is stored again while the database is away.
const SAVE_AGAIN: Duration = Duration::from_millis(200);

/// Makes the attempt. The error says why the host could not: the step is put back then, and no attempt is spent.
pub(super) async fn attempt(shared: &Shared, mut step: ClaimedStep, signals: &Signals) -> Result<End, String> {
    let started_at = Utc::now();
    let settings = &shared.settings;
    if step.lapses >= settings.max_lapses {
        tracing::error!(lapses = step.lapses, "the step brings down the hosts that run it: it is failed");
        let completion = outcome::worker_unavailable(&step, &settings.worker_id).map_err(|error| error.to_string())?;
        return Ok(Ended::new(completion, Outbox::default()).into());
    }
    let known = shared.templates.get(step.template_uuid).await.map_err(|error| error.to_string())?;
    let template_step = known.step(step.template_step()).map_err(|error| error.to_string())?;
    let callable = &template_step.definition.handler.callable;

    let report = match shared.components.find(&step.lease.namespace, callable) {
        Ok(prepared) => match run(shared, &mut step, &template_step, prepared, signals).await? {
            Some(report) => report,
            None => return Ok(End::Lost(step.lease)),
        },
        Err(unknown) => AttemptReport {
            outcome: Err(AttemptError::NoComponent(unknown.to_string())),
            usage: Usage::default(),
            log: LogRecords::default(),
        },
    };
    if let Err(error) = &report.outcome {
        tracing::warn!(error_type = error.error_type(), %error, "the attempt failed");
    }
    let terms = Terms {
        policy: &template_step.definition.retry,
        defaults: &settings.backoff,
        result_schema: template_step.result_schema,
        host: &settings.worker_id,
    };
    let completion = outcome::completion(&step, &terms, started_at, report)
        .map_err(|error| format!("its result can't be written: {error}"))?;
    let (mut completion, deciding) =
        growth::grow(shared, &known, &step, template_step.definition, completion, &signals.output)
            .await
            .map_err(|error| format!("what it adds to its task can't be planned: {error}"))?;
    if !template_step.declarations.is_empty() {
        // Its publishers may do something that others see.
        signals.output.wait().await;
    }
    let announced = shared.events.announce(&step, template_step.declarations, &completion).await;
    completion.events = announced.stored;
    let successors = known.successors.as_ref().and_then(|successors| successors.after(&step));
    let origin = Origin::of(step, known);
    Ok(Ended { deciding, origin, successors, ..Ended::new(completion, announced.outbox) }.into())
}

/// Calls the handler until it has a verdict; none if the lease was lost on the way.
async fn run(
    shared: &Shared,
    step: &mut ClaimedStep,
    template_step: &TemplateStep<'_>,
    prepared: &Arc<Prepared>,
    signals: &Signals,
) -> Result<Option<AttemptReport>, String> {
    let (mut usage, mut log) = (Usage::default(), LogRecords::default());
    let callable = &template_step.definition.handler.callable;
    let client = prepared.granted().client.then(|| {
        let (namespace, correlation_id) = (step.lease.namespace.clone(), step.correlation_id);
        shared.client.handle(Caller { namespace, callable: callable.clone(), correlation_id })
    });
    loop {
        let invocation = Invocation {
            context: event::context(step, template_step.definition, template_step.event_part)
                .map_err(|error| format!("its event can't be written: {error}"))?,
            limits: template_step.limits.clone(),
            cancellation: signals.wind_down.clone(),
            output: signals.output.clone(),
            checkpoints: Some(sink(&shared.store, &step.lease)),
            client: client.clone(),
            // Made anew for each call: a message shows the checkpoint that the step has by then.
            events: (prepared.granted().events)
                .then(|| shared.events.direct(&shared.store, step, template_step.declarations, callable)),
        };
        let mut report = shared.sandbox.invoke(prepared, invocation).await.map_err(|failure| failure.to_string())?;
        usage += report.usage;
        log += std::mem::take(&mut report.log);
        match &report.outcome {
            Ok(StepOutcome::Checkpoint(progress)) if checkpoint::advances(step.checkpoint.as_deref(), progress) => {
                signals.output.wait().await;
                let saved = shared.store.save_checkpoint(&step.lease, progress).await;
                step.checkpoint = saved.map_err(|error| format!("its checkpoint can't be stored: {error}"))?;
                if step.checkpoint.is_none() {
                    return Ok(None);
                }
            }
            _ => {
                (report.usage, report.log) = (usage, log);
                return Ok(Some(report));
            }
        }
        if signals.wind_down.is_cancelled() {
            return Err("it goes on from its checkpoint elsewhere: the host is shutting down".to_owned());
        }
    }
}

/// Where the handler stores progress while it runs. It waits for a database that is away, up to its deadline or the loss
/// of its lease: that is no failure of the step. What it reads of any other failure names nothing of the host.
fn sink(store: &Store, lease: &Lease) -> CheckpointSink {
    let (store, lease) = (store.clone(), lease.clone());
    CheckpointSink::new(move |progress: Checkpoint| {
        let (store, lease) = (store.clone(), lease.clone());
        async move {
            loop {
                match store.save_checkpoint(&lease, &progress).await {
                    Ok(Some(_)) => return Ok(()),
                    Ok(None) => {
                        return Err("the step is no longer this attempt's: stop, what it brings is refused".to_owned());
                    }
                    Err(error) if error.is_transient() => {
                        tracing::warn!(%error, "a checkpoint can't be stored: trying again");
                        tokio::time::sleep(SAVE_AGAIN).await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a checkpoint can't be stored");
                        return Err("the checkpoint could not be stored".to_owned());
                    }
                }
            }
        }
    })
}
