//! A handler called by itself: in the sandbox, under the limits and with the grants it has in this host, but without a
//! database, a task and a template. It is for authors who try a component, and for tests of one.
//!
//! It is judged as an attempt of a step is, and goes on from each checkpoint it yields. What it asks of the orchestration
//! client and what it publishes by itself is refused, because there is nobody to answer.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::config::Config;
use crate::config::limits::LimitSet;
use crate::orchestration::outcome::{self, Terms};
use crate::orchestration::{checkpoint, event};
use crate::registry::Handler;
use crate::sandbox::{
    CheckpointSink, HostFailure, Invocation, Limits, LogRecords, Prepared, Sandbox, StepOutcome, Usage,
};
use crate::store::{Checkpoint, ClaimedStep, Completion, Lease, MessageId};
use crate::template::{self, StepDefinition};

/// What a handler is called with, as if a task had brought it.
#[derive(Debug)]
pub struct Trial {
    /// What a template says of the handler.
    pub handler: template::Handler,
    /// The task's context.
    pub context: Box<RawValue>,
    /// The results of the steps it depends on, by their names.
    pub dependencies: Map<String, Json>,
    /// The step's inputs, such as a batch worker's cursor.
    pub inputs: Box<RawValue>,
    /// The progress an earlier call left: `{cursor, items_processed, accumulated_results}`.
    pub checkpoint: Option<Box<RawValue>>,
    /// Which attempt it is: 1 for the first.
    pub attempt: u32,
    /// Limits over those that it asks for, as a step of a template may set them.
    pub limits: LimitSet,
}

/// What came of a trial.
#[derive(Debug)]
pub struct Tried {
    /// What would be committed.
    pub completion: Completion,
    /// The progress it saved and yielded, in order.
    pub checkpoints: Vec<Checkpoint>,
    /// What it was allowed to use.
    pub limits: Limits,
}

/// Why a handler could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The host could not make the attempt.
    #[error(transparent)]
    Host(#[from] HostFailure),
    /// What it is called with, or what it said, can't be written as JSON.
    #[error("can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Calls `handler`, whose component is `prepared`, until it has a verdict.
///
/// # Errors
///
/// [`TrialError`]. A handler that fails is no error.
pub async fn try_handler(
    sandbox: &Sandbox,
    config: &Config,
    handler: &Handler,
    prepared: &Arc<Prepared>,
    trial: Trial,
) -> Result<Tried, TrialError> {
    let started_at = Utc::now();
    let limits = config.worker.limit_policy().effective(handler.namespace(), &trial.limits.or(&handler.limits()));
    let limits = Limits::from(&limits);
    let definition = definition(&trial)?;
    let event_part = event::definition(&definition)?;
    let mut step = step(handler.namespace(), &definition, trial)?;
    let checkpoints = Arc::new(Mutex::new(Vec::new()));
    let (mut usage, mut log) = (Usage::default(), LogRecords::default());
    let report = loop {
        let context = event::context(&step, &definition, &event_part)?;
        let invocation =
            Invocation { checkpoints: Some(sink(&checkpoints)), ..Invocation::new(context, limits.clone()) };
        let mut report = sandbox.invoke(prepared, invocation).await?;
        usage += report.usage;
        log += std::mem::take(&mut report.log);
        match &report.outcome {
            Ok(StepOutcome::Checkpoint(progress)) if checkpoint::advances(step.checkpoint.as_deref(), progress) => {
                step.checkpoint = Some(stored(progress)?);
                keep(&checkpoints, progress.clone());
            }
            _ => {
                (report.usage, report.log) = (usage, log);
                break report;
            }
        }
    };
    let terms = Terms {
        policy: &definition.retry,
        defaults: &super::settings::backoff_defaults(config),
        result_schema: None,
        host: &config.worker.worker_id,
    };
    let completion = outcome::completion(&step, &terms, started_at, report)?;
    let checkpoints = std::mem::take(&mut *checkpoints.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Tried { completion, checkpoints, limits })
}

/// The step as a template would define it.
fn definition(trial: &Trial) -> Result<StepDefinition, serde_json::Error> {
    serde_json::from_value(json!({
        "name": "trial",
        "handler": trial.handler,
        "dependencies": trial.dependencies.keys().collect::<Vec<_>>(),
    }))
}

/// The step as it would be claimed.
fn step(namespace: &str, definition: &StepDefinition, trial: Trial) -> Result<ClaimedStep, serde_json::Error> {
    let (now, task_uuid, correlation_id) = (Utc::now(), Uuid::now_v7(), Uuid::now_v7());
    let task = to_raw_value(&json!({
        "taskUuid": task_uuid, "name": "trial", "namespace": namespace, "version": "1.0.0", "context": trial.context,
        "correlationId": correlation_id, "priority": 0, "initiator": "trial", "sourceSystem": "tasker-wasm-host",
        "reason": "a trial", "tags": [], "createdAt": now,
    }))?;
    let result =
        |result: Json| json!({"stepUuid": Uuid::now_v7(), "success": true, "status": "completed", "result": result});
    let results: Map<_, _> = trial.dependencies.into_iter().map(|(name, value)| (name, result(value))).collect();
    Ok(ClaimedStep {
        lease: Lease {
            namespace: namespace.to_owned(),
            message_id: MessageId::default(),
            task_uuid,
            step_uuid: Uuid::now_v7(),
            claim: 1,
            guarded: false,
            planned: None,
        },
        template_uuid: Uuid::nil(),
        correlation_id,
        name: definition.name.clone(),
        template_step: None,
        attempts: trial.attempt.try_into().unwrap_or(i32::MAX),
        max_attempts: definition.retry.max_attempts.try_into().unwrap_or(i32::MAX),
        lapses: 0,
        retryable: definition.retry.retryable,
        task,
        inputs: trial.inputs,
        checkpoint: trial.checkpoint,
        dependency_results: to_raw_value(&results)?,
        created_at: now,
    })
}

fn sink(checkpoints: &Arc<Mutex<Vec<Checkpoint>>>) -> CheckpointSink {
    let checkpoints = Arc::clone(checkpoints);
    CheckpointSink::new(move |progress| {
        keep(&checkpoints, progress);
        async { Ok(()) }
    })
}

fn keep(checkpoints: &Mutex<Vec<Checkpoint>>, progress: Checkpoint) {
    checkpoints.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
}

/// A checkpoint as the next call sees it.
fn stored(progress: &Checkpoint) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(&json!({
        "cursor": progress.cursor,
        "items_processed": progress.items_processed,
        "timestamp": Utc::now(),
        "accumulated_results": progress.accumulated_results,
    }))
}
