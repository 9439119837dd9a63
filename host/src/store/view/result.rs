//! A step's result as the contract words it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::AttemptView;
use crate::store::StepState;

/// The result of a step as the contract words it, put together from the step's row and its latest attempt.
#[derive(Debug, Clone, Serialize)]
pub struct StepExecutionResult {
    /// The step.
    pub step_uuid: Uuid,
    /// Whether it succeeded.
    pub success: bool,
    /// What the handler returned; `{}` for a failure.
    pub result: Box<RawValue>,
    /// What is known of the execution.
    pub metadata: ResultMetadata,
    /// `completed` or `failed`.
    pub status: &'static str,
    /// The failure, a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<RawValue>>,
}

/// The `metadata` of a [`StepExecutionResult`].
#[derive(Debug, Clone, Serialize)]
pub struct ResultMetadata {
    /// Milliseconds from beginning to end.
    pub execution_time_ms: u64,
    /// Whether the failure may be tried again.
    pub retryable: bool,
    /// When the attempt ended.
    pub completed_at: DateTime<Utc>,
    /// Where it ran.
    pub worker_id: String,
    /// When its execution began.
    pub started_at: DateTime<Utc>,
    /// What the handler told of its execution.
    pub custom: Box<RawValue>,
    /// The handler's own code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The failure's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
}

/// What the metadata repeats of an error.
#[derive(Default, Deserialize)]
struct ErrorHead {
    #[serde(default)]
    retryable: bool,
    #[serde(default)]
    error_code: Option<String>,
}

impl StepExecutionResult {
    pub(super) fn read(row: &PgRow, state: StepState, attempt: &AttemptView) -> Result<Self, sqlx::Error> {
        let error: Option<Box<RawValue>> = row.try_get("error")?;
        let success = error.is_none() && state.satisfies_dependents();
        // An error of another shape is still shown as it is.
        let head: ErrorHead =
            error.as_ref().and_then(|error| serde_json::from_str(error.get()).ok()).unwrap_or_default();
        Ok(Self {
            step_uuid: row.try_get("step_uuid")?,
            success,
            result: row.try_get::<Option<_>, _>("result")?.unwrap_or_else(empty_object),
            metadata: ResultMetadata {
                execution_time_ms: attempt.usage.total_us / 1000,
                retryable: head.retryable,
                completed_at: attempt.finished_at,
                worker_id: attempt.host.clone(),
                started_at: attempt.started_at,
                custom: row.try_get::<Option<_>, _>("metadata")?.unwrap_or_else(empty_object),
                error_code: head.error_code,
                error_type: attempt.error_type.clone(),
            },
            status: if success { "completed" } else { "failed" },
            error,
        })
    }
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}
