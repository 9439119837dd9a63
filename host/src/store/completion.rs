//! How an attempt ended, and as the database takes it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::columns::composite;
use super::{Growth, Lease, StoreError};

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The claim it was made under.
    pub lease: Lease,
    /// What becomes of the step.
    pub verdict: Verdict,
    /// What the handler tells of its execution, a JSON object.
    pub metadata: Box<RawValue>,
    /// What the attempt was and used.
    pub attempt: AttemptRecord,
    /// What the task gains by it.
    pub growth: Option<Growth>,
    /// The events that leave with it: `{"durable": [...], "dead": [...]}`, messages of the namespace's event queue and of
    /// the queue for those that cannot be published.
    pub events: Option<Box<RawValue>>,
}

/// What becomes of a step. An `error` is a JSON object: `message`, `error_type`, `error_code`, `retryable`, `backtrace`.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is complete.
    Complete {
        /// Its result, any JSON value.
        result: Box<RawValue>,
    },
    /// It is tried again.
    Retry {
        /// Not before this long from now.
        after: Duration,
        /// Why.
        error: Box<RawValue>,
    },
    /// It failed for good.
    Error {
        /// Why.
        error: Box<RawValue>,
    },
}

/// One finished attempt, as it is kept.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The outcome's name.
    pub outcome: String,
    /// The failure's type; none for a success.
    pub error_type: Option<String>,
    /// Where it ran.
    pub host: String,
    /// When its execution began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// What it used.
    pub usage: Usage,
    /// The end of its log, a JSON object: `{records: [{at, level, message, fields}], dropped}`.
    pub log: Option<Box<RawValue>>,
}

/// What an attempt used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Usage {
    /// Units of fuel.
    pub fuel: u64,
    /// The most linear memory it had at once, in bytes.
    pub peak_memory_bytes: u64,
    /// Microseconds to make its instance.
    pub instantiate_us: u64,
    /// Microseconds inside the guest.
    pub guest_us: u64,
    /// Microseconds from beginning to end.
    pub total_us: u64,
    /// Calls of host functions.
    pub host_calls: u64,
}

impl Completion {
    /// Its task, where the commit changes that as well.
    pub(super) fn touched_task(&self) -> Option<Uuid> {
        (self.lease.guarded || matches!(self.verdict, Verdict::Error { .. })).then_some(self.lease.task_uuid)
    }

    /// Its task, where its steps may not be written yet.
    pub(super) fn planned_task(&self) -> Option<Uuid> {
        self.lease.planned.as_ref().map(|_| self.lease.task_uuid)
    }

    /// The same attempt, failed because what it brought cannot be stored.
    pub(super) fn unstorable(&self, reason: &StoreError) -> Self {
        const ERROR_TYPE: &str = "unstorable_result";
        let raw = |value: serde_json::Value| to_raw_value(&value).expect("a value in memory is JSON");
        let error = serde_json::json!({
            "message": format!("what the handler returned cannot be stored: {reason}"),
            "error_type": ERROR_TYPE,
            "retryable": false,
            "backtrace": [],
        });
        Self {
            lease: self.lease.clone(),
            verdict: Verdict::Error { error: raw(error) },
            metadata: raw(serde_json::json!({})),
            attempt: AttemptRecord {
                outcome: "failure".into(),
                error_type: Some(ERROR_TYPE.into()),
                log: None,
                ..self.attempt.clone()
            },
            growth: None,
            events: None,
        }
    }
}

/// A [`Completion`] as the database takes it.
#[derive(sqlx::Encode)]
pub(super) struct CompletionRow<'a> {
    step_uuid: Uuid,
    claim: i32,
    namespace: &'a str,
    message: Option<i64>,
    verdict: &'static str,
    delay_ms: Option<i64>,
    result: Option<&'a str>,
    metadata: &'a str,
    error: Option<&'a str>,
    growth: Option<String>,
    events: Option<&'a str>,
    outcome: &'a str,
    error_type: Option<&'a str>,
    host: &'a str,
    log: Option<&'a str>,
    fuel: i64,
    peak_memory_bytes: i64,
    instantiate_us: i64,
    guest_us: i64,
    total_us: i64,
    host_calls: i64,
    started_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
}

composite!(CompletionRow<'a>, "tasker.completion");

impl<'a> From<&'a Completion> for CompletionRow<'a> {
    fn from(done: &'a Completion) -> Self {
        let Completion { lease, verdict, metadata, attempt, growth, events } = done;
        Self {
            step_uuid: lease.step_uuid,
            claim: lease.claim,
            namespace: &lease.namespace,
            message: lease.message_id.get(),
            verdict: verdict.name(),
            delay_ms: verdict.delay_ms(),
            result: verdict.result(),
            metadata: metadata.get(),
            error: verdict.error(),
            growth: growth.as_ref().map(Growth::to_json),
            events: events.as_ref().map(|events| events.get()),
            outcome: &attempt.outcome,
            error_type: attempt.error_type.as_deref(),
            host: &attempt.host,
            log: attempt.log.as_ref().map(|log| log.get()),
            fuel: bigint(attempt.usage.fuel),
            peak_memory_bytes: bigint(attempt.usage.peak_memory_bytes),
            instantiate_us: bigint(attempt.usage.instantiate_us),
            guest_us: bigint(attempt.usage.guest_us),
            total_us: bigint(attempt.usage.total_us),
            host_calls: bigint(attempt.usage.host_calls),
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
        }
    }
}

impl Verdict {
    fn name(&self) -> &'static str {
        match self {
            Self::Complete { .. } => "complete",
            Self::Retry { .. } => "retry",
            Self::Error { .. } => "error",
        }
    }

    fn result(&self) -> Option<&str> {
        match self {
            Self::Complete { result } => Some(result.get()),
            Self::Retry { .. } | Self::Error { .. } => None,
        }
    }

    fn error(&self) -> Option<&str> {
        match self {
            Self::Retry { error, .. } | Self::Error { error } => Some(error.get()),
            Self::Complete { .. } => None,
        }
    }

    fn delay_ms(&self) -> Option<i64> {
        match self {
            Self::Retry { after, .. } => Some(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
            Self::Complete { .. } | Self::Error { .. } => None,
        }
    }
}

/// PostgreSQL has no unsigned numbers; a count this large is one that overflowed.
fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
