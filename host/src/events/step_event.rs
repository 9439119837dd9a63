//! The step as a message shows it: `task_sequence_step`, the step event in the contract's snake case.
//!
//! A message is read long after and far away, by programs that know nothing of this host's tables, so it carries what the
//! handler saw. The parts arrive from the database as JSON text in the handlers' camel case; only the names of the host's
//! own fields are changed, and no value is looked into. A part that a queue cannot hold, or that would make every message
//! a burden, is left out (`null`): the rest of the event is worth more than it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::sandbox;
use crate::store::ClaimedStep;

/// Bytes of one part of a step event that go into the message of a declared event.
pub(super) const MAX_PART: usize = 1 << 20;

#[derive(Serialize)]
struct TaskSequenceStep<'a> {
    task: Option<BTreeMap<String, &'a RawValue>>,
    workflow_step: WorkflowStep<'a>,
    dependency_results: Option<BTreeMap<String, BTreeMap<String, &'a RawValue>>>,
    step_definition: &'a RawValue,
}

#[derive(Serialize)]
struct WorkflowStep<'a> {
    workflow_step_uuid: Uuid,
    task_uuid: Uuid,
    name: &'a str,
    template_step_name: &'a str,
    retryable: bool,
    max_attempts: i32,
    attempts: i32,
    inputs: Option<&'a RawValue>,
    checkpoint: Option<&'a RawValue>,
    created_at: DateTime<Utc>,
}

/// The step event of a claimed step, without the parts that have more than `max_part` bytes.
pub(super) fn step_event(
    step: &ClaimedStep,
    step_definition: &RawValue,
    max_part: usize,
) -> Result<Box<RawValue>, serde_json::Error> {
    let task: Option<BTreeMap<String, &RawValue>> = sendable("task", &step.task, max_part).map(parse).transpose()?;
    let results: Option<BTreeMap<String, BTreeMap<String, &RawValue>>> =
        sendable("dependency_results", &step.dependency_results, max_part).map(parse).transpose()?;
    to_raw_value(&TaskSequenceStep {
        task: task.map(renamed),
        workflow_step: WorkflowStep {
            workflow_step_uuid: step.lease.step_uuid,
            task_uuid: step.lease.task_uuid,
            name: &step.name,
            template_step_name: step.template_step(),
            retryable: step.retryable,
            max_attempts: step.max_attempts,
            attempts: step.attempts,
            inputs: sendable("inputs", &step.inputs, max_part),
            checkpoint: step.checkpoint.as_deref().and_then(|checkpoint| sendable("checkpoint", checkpoint, max_part)),
            created_at: step.created_at,
        },
        dependency_results: results
            .map(|results| results.into_iter().map(|(name, result)| (name, renamed(result))).collect()),
        step_definition,
    })
}

fn parse<'a, T: serde::Deserialize<'a>>(part: &'a RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_str(part.get())
}

/// The part, if it may go into a message. The database keeps it as text, so it may hold what a queue's `jsonb` does not.
fn sendable<'a>(name: &str, part: &'a RawValue, max_part: usize) -> Option<&'a RawValue> {
    let reason = if part.get().len() > max_part {
        Some(format!("has {} bytes, more than {max_part}", part.get().len()))
    } else {
        sandbox::unstorable(part)
    };
    let Some(reason) = reason else { return Some(part) };
    tracing::warn!(part = name, reason, "left out of the step's durable events");
    None
}

fn renamed(fields: BTreeMap<String, &RawValue>) -> BTreeMap<String, &RawValue> {
    fields.into_iter().map(|(name, value)| (snake_case(&name), value)).collect()
}

fn snake_case(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for char in camel.chars() {
        if char.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}
