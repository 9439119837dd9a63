//! The event a handler sees: one JSON document in the shape handlers of Tasker's TypeScript worker expect.
//!
//! The parts that come from the database arrive as JSON text and are copied in, never parsed: a step that carries a
//! megabyte of dependency results costs the host one copy of it. The part that comes from the template is the same for
//! every attempt of a step and is serialized once ([`definition`]).

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::sandbox::{HandlerRef, StepContext};
use crate::store::ClaimedStep;
use crate::template::StepDefinition;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    event_id: Uuid,
    task_uuid: Uuid,
    step_uuid: Uuid,
    correlation_id: Uuid,
    task: &'a RawValue,
    workflow_step: WorkflowStep<'a>,
    step_definition: &'a RawValue,
    dependency_results: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkflowStep<'a> {
    workflow_step_uuid: Uuid,
    name: &'a str,
    retryable: bool,
    attempts: u32,
    max_attempts: u32,
    inputs: &'a RawValue,
    created_at: chrono::DateTime<chrono::Utc>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Definition<'a> {
    name: &'a str,
    description: Option<&'a str>,
    dependencies: &'a [String],
    timeout_seconds: Option<u64>,
    handler_callable: &'a str,
    handler_method: Option<&'a str>,
    handler_resolver: Option<&'a str>,
    handler_initialization: &'a serde_json::Map<String, serde_json::Value>,
    retryable: bool,
    max_attempts: u32,
    backoff: crate::template::Backoff,
    backoff_base_ms: Option<u64>,
    max_backoff_ms: Option<u64>,
}

/// The template's part of every event of this step.
pub fn definition(step: &StepDefinition) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::value::to_raw_value(&Definition {
        name: &step.name,
        description: step.description.as_deref(),
        dependencies: &step.dependencies,
        timeout_seconds: step.timeout_seconds,
        handler_callable: &step.handler.callable,
        handler_method: step.handler.method.as_deref(),
        handler_resolver: step.handler.resolver.as_deref(),
        handler_initialization: &step.handler.initialization,
        retryable: step.retry.retryable,
        max_attempts: step.retry.max_attempts,
        backoff: step.retry.backoff,
        backoff_base_ms: step.retry.backoff_base_ms,
        max_backoff_ms: step.retry.max_backoff_ms,
    })
}

/// What the guest is called with.
pub fn context(
    step: &ClaimedStep,
    template_step: &StepDefinition,
    definition: &RawValue,
) -> Result<StepContext, serde_json::Error> {
    // Handlers count the attempts spent before the one that runs.
    let attempts = step.attempts.unsigned_abs().saturating_sub(1);
    let event = serde_json::to_string(&Event {
        event_id: Uuid::now_v7(),
        task_uuid: step.task_uuid,
        step_uuid: step.lease.step_uuid,
        correlation_id: step.correlation_id,
        task: &step.task,
        workflow_step: WorkflowStep {
            workflow_step_uuid: step.lease.step_uuid,
            name: &step.name,
            retryable: template_step.retry.retryable,
            attempts,
            max_attempts: step.max_attempts.unsigned_abs(),
            inputs: &step.inputs,
            created_at: step.created_at,
        },
        step_definition: definition,
        dependency_results: &step.dependency_results,
    })?;
    Ok(StepContext {
        task_uuid: step.task_uuid,
        step_uuid: step.lease.step_uuid,
        correlation_id: step.correlation_id,
        handler: HandlerRef {
            callable: template_step.handler.callable.clone(),
            method: template_step.handler.method.clone(),
            resolver: template_step.handler.resolver.clone(),
        },
        attempts,
        max_attempts: step.max_attempts.unsigned_abs(),
        event,
    })
}
