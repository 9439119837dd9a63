//! From an attempt's report to what is committed: the verdict, and the parts of Tasker's `StepExecutionResult` that only
//! the attempt knows.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::retry::{BackoffDefaults, next_attempt};
use crate::sandbox::{AttemptReport, StepOutcome};
use crate::store::{AttemptRecord, ClaimedStep, Completion, Usage, Verdict};
use crate::template::Retry;

/// A failure as it is stored: the contract's `error` object, and the handler's own code beside it.
#[derive(Serialize)]
struct StoredError<'a> {
    message: &'a str,
    error_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    retryable: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    backtrace: &'a [String],
}

/// Turns the report of `step`'s attempt into the completion that commits it. `host` and `started_at` are stored with it.
///
/// # Errors
///
/// The error could not be written as JSON.
pub fn completion(
    step: &ClaimedStep,
    policy: &Retry,
    defaults: &BackoffDefaults,
    host: &str,
    started_at: DateTime<Utc>,
    report: AttemptReport,
) -> Result<Completion, serde_json::Error> {
    let usage = stored_usage(&report);
    let (outcome, error_type, verdict, metadata) = match report.outcome {
        Ok(StepOutcome::Success(success)) => {
            ("completed", None, Verdict::Complete { result: success.result }, success.metadata)
        }
        Ok(StepOutcome::Failure(failure)) => {
            let error = StoredError {
                message: &failure.message,
                error_type: failure.error_type.as_str(),
                error_code: failure.error_code.as_deref(),
                retryable: failure.retryable,
                backtrace: &failure.backtrace,
            };
            let verdict = failed(step, policy, defaults, &error)?;
            ("failed", Some(error.error_type.to_owned()), verdict, failure.metadata)
        }
        Err(error) => {
            let stored = StoredError {
                message: &error.to_string(),
                error_type: error.error_type(),
                error_code: None,
                retryable: error.retryable(),
                backtrace: &[],
            };
            let verdict = failed(step, policy, defaults, &stored)?;
            ("error", Some(error.error_type().to_owned()), verdict, no_metadata()?)
        }
    };
    let attempt = AttemptRecord {
        outcome: outcome.to_owned(),
        error_type,
        host: host.to_owned(),
        started_at,
        finished_at: Utc::now(),
        usage,
    };
    Ok(Completion { lease: step.lease.clone(), verdict, metadata, attempt })
}

fn failed(
    step: &ClaimedStep,
    policy: &Retry,
    defaults: &BackoffDefaults,
    error: &StoredError<'_>,
) -> Result<Verdict, serde_json::Error> {
    let spent = step.attempts.unsigned_abs();
    let after = next_attempt(policy, defaults, step.lease.step_uuid, spent, error.retryable);
    let error = to_raw_value(error)?;
    Ok(match after {
        Some(after) => Verdict::Retry { after, error },
        None => Verdict::Error { error },
    })
}

fn no_metadata() -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(&serde_json::Map::new())
}

fn stored_usage(report: &AttemptReport) -> Usage {
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Usage {
        fuel: report.usage.fuel,
        peak_memory_bytes: report.usage.peak_memory_bytes,
        instantiate_us: micros(report.usage.instantiate),
        guest_us: micros(report.usage.guest),
        total_us: micros(report.usage.total),
        host_calls: report.usage.host_calls.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::sandbox::{self, AttemptError, ErrorType, Success};
    use crate::store::Lease;

    const DEFAULTS: BackoffDefaults =
        BackoffDefaults { base: Duration::from_secs(1), cap: Duration::from_secs(60), jitter: 0.0 };

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    fn step(attempts: i32) -> ClaimedStep {
        ClaimedStep {
            lease: Lease { namespace: "n".into(), message_id: 1, step_uuid: Uuid::now_v7(), claim: 4 },
            task_uuid: Uuid::now_v7(),
            template_uuid: Uuid::now_v7(),
            correlation_id: Uuid::now_v7(),
            name: "step".into(),
            attempts,
            max_attempts: 3,
            retryable: true,
            task: raw("{}"),
            inputs: raw("{}"),
            dependency_results: raw("{}"),
            enqueued_at: Utc::now(),
            created_at: Utc::now(),
        }
    }

    fn complete(attempts: i32, outcome: Result<StepOutcome, AttemptError>) -> Completion {
        let report = AttemptReport { outcome, usage: sandbox::Usage::default() };
        completion(&step(attempts), &Retry::default(), &DEFAULTS, "host", Utc::now(), report).unwrap()
    }

    fn failure(retryable: bool) -> StepOutcome {
        StepOutcome::Failure(sandbox::Failure {
            message: "no".into(),
            error_type: ErrorType::Other("payment_declined".into()),
            error_code: Some("E7".into()),
            retryable,
            metadata: raw(r#"{"seen":1}"#),
            backtrace: vec!["at pay (src/pay.ts:3:5)".into()],
        })
    }

    #[test]
    fn a_result_passes_through_as_the_handler_wrote_it() {
        let success = Success { result: raw(r#"{"b":1,"a":1e2}"#), metadata: raw("{}") };
        let done = complete(1, Ok(StepOutcome::Success(success)));
        let Verdict::Complete { result } = done.verdict else { panic!("{:?}", done.verdict) };
        assert_eq!(result.get(), r#"{"b":1,"a":1e2}"#);
        assert_eq!((done.lease.claim, done.attempt.outcome.as_str()), (4, "completed"));
    }

    #[test]
    fn a_failure_keeps_type_code_and_trace_and_is_tried_again_while_attempts_are_left() {
        let done = complete(2, Ok(failure(true)));
        let Verdict::Retry { after, error } = done.verdict else { panic!("{:?}", done.verdict) };
        assert_eq!(after, Duration::from_secs(2));
        assert_eq!(
            error.get(),
            r#"{"message":"no","error_type":"payment_declined","error_code":"E7","retryable":true,"backtrace":["at pay (src/pay.ts:3:5)"]}"#
        );
        assert_eq!(done.metadata.get(), r#"{"seen":1}"#);
        assert!(matches!(complete(3, Ok(failure(true))).verdict, Verdict::Error { .. }));
        assert!(matches!(complete(1, Ok(failure(false))).verdict, Verdict::Error { .. }));
    }

    #[test]
    fn a_limit_is_an_error_of_the_system_with_its_own_name() {
        let done = complete(1, Err(AttemptError::FuelExhausted { limit: 7 }));
        assert_eq!(
            (done.attempt.outcome.as_str(), done.attempt.error_type.as_deref()),
            ("error", Some("fuel_exhausted"))
        );
        assert!(matches!(done.verdict, Verdict::Error { .. }));
        let done = complete(1, Err(AttemptError::DeadlineExceeded { limit: Duration::from_secs(1) }));
        assert!(matches!(done.verdict, Verdict::Retry { .. }));
    }
}
