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
    checkpoint: Option<&'a RawValue>,
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

/// What the guest is called with. `template_step` is the step of the template that `step` was made from, `definition` what
/// [`definition`] made of it; for a batch worker its name is the pattern's, and the step's own is another.
pub fn context(
    step: &ClaimedStep,
    template_step: &StepDefinition,
    definition: &RawValue,
) -> Result<StepContext, serde_json::Error> {
    // Handlers count the attempts spent before the one that runs.
    let attempts = step.attempts.unsigned_abs().saturating_sub(1);
    let event = serde_json::to_string(&Event {
        event_id: Uuid::now_v7(),
        task_uuid: step.lease.task_uuid,
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
            checkpoint: step.checkpoint.as_deref(),
            created_at: step.created_at,
        },
        step_definition: definition,
        dependency_results: &step.dependency_results,
    })?;
    Ok(StepContext {
        task_uuid: step.lease.task_uuid,
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::store::Lease;

    fn raw(value: &Json) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
    }

    fn event_of(checkpoint: Option<Json>) -> Json {
        let pattern = json!({"name": "work", "type": "batch_worker", "handler": {"callable": "Work", "method": "run"}});
        let pattern: StepDefinition = serde_json::from_value(pattern).unwrap();
        let step = ClaimedStep {
            lease: Lease {
                namespace: "n".into(),
                message_id: 1.into(),
                task_uuid: Uuid::now_v7(),
                step_uuid: Uuid::now_v7(),
                claim: 1,
                guarded: false,
                planned: None,
            },
            template_uuid: Uuid::now_v7(),
            correlation_id: Uuid::now_v7(),
            name: "work_001".into(),
            template_step: Some("work".into()),
            attempts: 2,
            max_attempts: 3,
            lapses: 0,
            retryable: true,
            task: raw(&json!({"context": {"order": 7}})),
            inputs: raw(&json!({"cursor": {"batch_id": "001"}})),
            checkpoint: checkpoint.as_ref().map(raw),
            dependency_results: raw(&json!({})),
            created_at: chrono::Utc::now(),
        };
        let context = context(&step, &pattern, &definition(&pattern).unwrap()).unwrap();
        assert_eq!((context.handler.callable.as_str(), context.attempts), ("Work", 1));
        serde_json::from_str(&context.event).unwrap()
    }

    #[test]
    fn a_batch_worker_goes_by_its_own_name_and_its_definition_by_the_pattern_s() {
        let event = event_of(None);
        assert_eq!(
            (&event["workflowStep"]["name"], &event["stepDefinition"]["name"]),
            (&json!("work_001"), &json!("work"))
        );
        assert_eq!(event["workflowStep"]["inputs"]["cursor"]["batch_id"], "001");
        assert_eq!(event["workflowStep"]["attempts"], 1, "attempts before this one");
        assert_eq!(event["workflowStep"].get("checkpoint"), Some(&Json::Null));
    }

    #[test]
    fn a_checkpoint_is_handed_on_as_it_was_stored() {
        let checkpoint = json!({"cursor": [7, null], "items_processed": 40, "accumulated_results": {"sum": 1.5}});
        assert_eq!(event_of(Some(checkpoint.clone()))["workflowStep"]["checkpoint"], checkpoint);
    }
}
