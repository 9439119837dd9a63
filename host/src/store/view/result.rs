//! A step's result as the contract words it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::AttemptView;
use crate::store::{Completion, ResultStatus, StepState, Verdict};

/// The result of a step as the contract words it, put together from the step's row and its latest attempt. One that a
/// person gave by hand has no attempt behind it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepExecutionResult {
    /// The step.
    pub step_uuid: Uuid,
    /// Whether it succeeded.
    pub success: bool,
    /// What the handler returned; `{}` for a failure.
    #[schema(value_type = serde_json::Value)]
    pub result: Box<RawValue>,
    /// What is known of the execution.
    pub metadata: ResultMetadata,
    /// `completed`, `failed` by the handler's verdict, or `error` where the handler came to none.
    pub status: ResultStatus,
    /// The failure, a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub error: Option<Box<RawValue>>,
}

/// The `metadata` of a [`StepExecutionResult`].
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResultMetadata {
    /// Milliseconds from beginning to end; 0 for a result given by hand.
    pub execution_time_ms: u64,
    /// Whether the failure may be tried again.
    pub retryable: bool,
    /// When the attempt ended, or the result was given.
    pub completed_at: DateTime<Utc>,
    /// Where it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// When its execution began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// What the handler told of its execution.
    #[schema(value_type = Object)]
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

impl ErrorHead {
    /// An error of another shape is still shown as it is.
    fn of(error: Option<&RawValue>) -> Self {
        error.and_then(|error| serde_json::from_str(error.get()).ok()).unwrap_or_default()
    }
}

impl StepExecutionResult {
    /// The result of an attempt that is about to be committed.
    #[must_use]
    pub fn of(completion: &Completion) -> Self {
        let (result, error) = match &completion.verdict {
            Verdict::Complete { result } => (result.clone(), None),
            Verdict::Retry { error, .. } | Verdict::Error { error } => (empty_object(), Some(error.clone())),
        };
        let (attempt, head) = (&completion.attempt, ErrorHead::of(error.as_deref()));
        Self {
            step_uuid: completion.lease.step_uuid,
            success: error.is_none(),
            result,
            metadata: ResultMetadata {
                execution_time_ms: attempt.usage.total_us / 1000,
                retryable: head.retryable,
                completed_at: attempt.finished_at,
                worker_id: Some(attempt.host.clone()),
                started_at: Some(attempt.started_at),
                custom: completion.metadata.clone(),
                error_code: head.error_code,
                error_type: attempt.error_type.clone(),
            },
            status: status(error.is_none(), Some(&attempt.outcome)),
            error,
        }
    }

    pub(super) fn read(
        row: &PgRow,
        state: StepState,
        changed_at: DateTime<Utc>,
        latest: Option<&AttemptView>,
    ) -> Result<Option<Self>, sqlx::Error> {
        let result: Option<Box<RawValue>> = row.try_get("result")?;
        let error: Option<Box<RawValue>> = row.try_get("error")?;
        let success = error.is_none() && state.satisfies_dependents();
        // An attempt that failed did not bring the result that a person gave after it.
        let attempt = latest.filter(|attempt| !success || attempt.error_type.is_none());
        if attempt.is_none() && result.is_none() {
            return Ok(None);
        }
        let head = ErrorHead::of(error.as_deref());
        Ok(Some(Self {
            step_uuid: row.try_get("step_uuid")?,
            success,
            result: result.unwrap_or_else(empty_object),
            metadata: ResultMetadata {
                execution_time_ms: attempt.map_or(0, |attempt| attempt.usage.total_us / 1000),
                retryable: head.retryable,
                completed_at: attempt.map_or(changed_at, |attempt| attempt.finished_at),
                worker_id: attempt.map(|attempt| attempt.host.clone()),
                started_at: attempt.map(|attempt| attempt.started_at),
                custom: row.try_get::<Option<_>, _>("metadata")?.unwrap_or_else(empty_object),
                error_code: head.error_code,
                error_type: attempt.and_then(|attempt| attempt.error_type.clone()),
            },
            status: status(success, attempt.map(|attempt| attempt.outcome.as_str())),
            error,
        }))
    }
}

fn status(success: bool, outcome: Option<&str>) -> ResultStatus {
    match (success, outcome) {
        (true, _) => ResultStatus::Completed,
        (false, Some("error")) => ResultStatus::Error,
        (false, _) => ResultStatus::Failed,
    }
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}
