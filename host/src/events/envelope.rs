//! The shapes an event has: one for queues, one for subscribers in this process, one for publishers.
//!
//! Queues carry the contract's envelope in snake case. Guests see camel case, as in everything they are given. Payloads
//! and results are copied in as text.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::store::{ClaimedStep, StepExecutionResult};

/// Version of the envelope.
const VERSION: &str = "1.0";

/// An event as it is delivered in this process.
#[derive(Debug, Clone)]
pub struct DomainEvent {
    /// Its key, a UUIDv7.
    pub event_id: Uuid,
    /// Its name, such as `order.paid`.
    pub event_name: String,
    /// What it says: any JSON.
    pub payload: Box<RawValue>,
    /// Where it comes from.
    pub metadata: EventMetadata,
    /// How the attempt ended, a JSON object: `success`, `status`, `result`, `metadata`, and `error` of a failure. `null` when it
    /// was published while the attempt ran.
    pub execution_result: Box<RawValue>,
}

/// Where an event comes from.
#[derive(Debug, Clone, Serialize)]
pub struct EventMetadata {
    /// The task.
    pub task_uuid: Uuid,
    /// The step.
    pub step_uuid: Uuid,
    /// The step's name.
    pub step_name: String,
    /// The namespace, which is the tenant.
    pub namespace: String,
    /// Correlation of the task.
    pub correlation_id: Uuid,
    /// When the event was made: once the attempt had ended, or while it ran.
    pub fired_at: DateTime<Utc>,
    /// The publisher; `default` when the step's result speaks for itself, `handler:` and its callable when a handler
    /// published by itself.
    pub fired_by: String,
    /// What the publisher added, a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Box<RawValue>>,
}

impl EventMetadata {
    pub(super) fn of(step: &ClaimedStep, fired_at: DateTime<Utc>, fired_by: &str) -> Self {
        Self {
            task_uuid: step.lease.task_uuid,
            step_uuid: step.lease.step_uuid,
            step_name: step.name.clone(),
            namespace: step.lease.namespace.clone(),
            correlation_id: step.correlation_id,
            fired_at,
            fired_by: fired_by.to_owned(),
            custom: None,
        }
    }
}

/// A message of the event queue, or with an `error` of the queue of dead events.
#[derive(Serialize)]
struct Message<'a> {
    event_id: Uuid,
    event_name: &'a str,
    event_version: &'static str,
    payload: MessagePayload<'a>,
    metadata: &'a EventMetadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct MessagePayload<'a> {
    task_sequence_step: &'a RawValue,
    execution_result: Option<&'a StepExecutionResult>,
    payload: &'a RawValue,
}

/// What every message of a step carries.
pub(super) struct Step<'a> {
    pub(super) event: &'a RawValue,
    /// How it ended; none while it runs.
    pub(super) result: Option<&'a StepExecutionResult>,
}

/// An event as a queue holds it.
pub(super) fn message(
    event: &DomainEvent,
    step: &Step<'_>,
    error: Option<&str>,
) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(&Message {
        event_id: event.event_id,
        event_name: &event.event_name,
        event_version: VERSION,
        payload: MessagePayload {
            task_sequence_step: step.event,
            execution_result: step.result,
            payload: &event.payload,
        },
        metadata: &event.metadata,
        error,
    })
}

/// How an attempt ended, as guests see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestResult<'a> {
    success: bool,
    status: &'a str,
    result: &'a RawValue,
    metadata: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

/// The result of an attempt for guests.
pub(super) fn guest_result(result: &StepExecutionResult) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(&GuestResult {
        success: result.success,
        status: result.status.as_str(),
        result: &result.result,
        metadata: &result.metadata.custom,
        error: result.error.as_deref(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestEvent<'a> {
    event_id: Uuid,
    event_name: &'a str,
    event_version: &'static str,
    payload: &'a RawValue,
    metadata: GuestMetadata<'a>,
    execution_result: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestMetadata<'a> {
    task_uuid: Uuid,
    step_uuid: Uuid,
    step_name: &'a str,
    namespace: &'a str,
    correlation_id: Uuid,
    fired_at: DateTime<Utc>,
    fired_by: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<&'a RawValue>,
}

/// An event as a subscriber sees it.
pub(super) fn guest_event(event: &DomainEvent) -> Result<String, serde_json::Error> {
    let metadata = &event.metadata;
    serde_json::to_string(&GuestEvent {
        event_id: event.event_id,
        event_name: &event.event_name,
        event_version: VERSION,
        payload: &event.payload,
        metadata: GuestMetadata {
            task_uuid: metadata.task_uuid,
            step_uuid: metadata.step_uuid,
            step_name: &metadata.step_name,
            namespace: &metadata.namespace,
            correlation_id: metadata.correlation_id,
            fired_at: metadata.fired_at,
            fired_by: &metadata.fired_by,
            custom: metadata.custom.as_deref(),
        },
        execution_result: &event.execution_result,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublishContext<'a> {
    declaration: &'a RawValue,
    step_result: &'a RawValue,
    step_context: StepContext<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepContext<'a> {
    task_uuid: Uuid,
    step_uuid: Uuid,
    step_name: &'a str,
    namespace: &'a str,
    correlation_id: Uuid,
    metadata: serde_json::Map<String, serde_json::Value>,
}

/// What a publisher gets to know: the declaration, how the attempt ended, and of which step.
pub(super) fn publish_context(
    declaration: &RawValue,
    step_result: &RawValue,
    step: &ClaimedStep,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&PublishContext {
        declaration,
        step_result,
        step_context: StepContext {
            task_uuid: step.lease.task_uuid,
            step_uuid: step.lease.step_uuid,
            step_name: &step.name,
            namespace: &step.lease.namespace,
            correlation_id: step.correlation_id,
            metadata: serde_json::Map::new(),
        },
    })
}
