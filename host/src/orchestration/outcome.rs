//! From an attempt's report to what is committed: the verdict, and the parts of Tasker's `StepExecutionResult` that only
//! the attempt knows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::hint;
use super::retry::{BackoffDefaults, next_attempt};
use crate::sandbox::{AttemptReport, StepOutcome};
use crate::store::{AttemptRecord, ClaimedStep, Completion, Usage, Verdict};
use crate::template::{Retry, Schema};

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

impl<'a> StoredError<'a> {
    /// One of the host's own that no further attempt can mend.
    fn for_good(error_type: &'a str, message: &'a str) -> Self {
        Self { message, error_type, error_code: None, retryable: false, backtrace: &[] }
    }
}

/// What an attempt is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The step's retry policy.
    pub policy: &'a Retry,
    /// What the settings say where the policy says nothing.
    pub defaults: &'a BackoffDefaults,
    /// The step's `result_schema`.
    pub result_schema: Option<&'a Schema>,
    /// The host it ran on, stored with it.
    pub host: &'a str,
}

/// Turns the report of `step`'s attempt into the completion that commits it, without growth and events.
///
/// Whoever ran the attempt has let it go on from each checkpoint it yielded; one that ends with a checkpoint made no
/// progress.
///
/// # Errors
///
/// The error could not be written as JSON.
pub fn completion(
    step: &ClaimedStep,
    terms: &Terms<'_>,
    started_at: DateTime<Utc>,
    report: AttemptReport,
) -> Result<Completion, serde_json::Error> {
    let usage = stored_usage(&report);
    let log = if report.log.is_empty() { None } else { Some(to_raw_value(&report.log)?) };
    let finished_at = Utc::now();
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
            let requested = hint::requested_wait(&failure.metadata, finished_at);
            let verdict = failed(step, terms, requested, &error)?;
            ("failed", Some(error.error_type.to_owned()), verdict, failure.metadata)
        }
        Ok(StepOutcome::Checkpoint(checkpoint)) => {
            let message = format!(
                "the handler yielded a checkpoint that is no progress: the cursor is the one already stored, and \
                 items_processed is not greater ({}); yield with a new cursor, or return the result",
                checkpoint.items_processed
            );
            let error = StoredError::for_good("checkpoint_without_progress", &message);
            ("failed", Some(error.error_type.to_owned()), failed(step, terms, None, &error)?, no_metadata()?)
        }
        Err(error) => {
            let stored = StoredError {
                message: &error.to_string(),
                error_type: error.error_type(),
                error_code: None,
                retryable: error.retryable(),
                backtrace: &[],
            };
            let verdict = failed(step, terms, None, &stored)?;
            ("error", Some(error.error_type().to_owned()), verdict, no_metadata()?)
        }
    };
    let attempt = AttemptRecord {
        outcome: outcome.to_owned(),
        error_type,
        host: terms.host.to_owned(),
        started_at,
        finished_at,
        usage,
        log,
    };
    let done = Completion { lease: step.lease.clone(), verdict, metadata, attempt, growth: None, events: None };
    match misfit(&done.verdict, terms.result_schema) {
        Some(violations) => {
            let name = step.template_step.as_deref().unwrap_or(&step.name);
            let message = format!(
                "the result does not fit the `result_schema` of step `{name}`: {violations}; return what the schema \
                 describes, or correct the schema in the template"
            );
            Ok(refused(done, "result_schema_violation", &message))
        }
        None => Ok(done),
    }
}

/// The same attempt, failed for good because the host refuses what the handler returned.
pub fn refused(done: Completion, error_type: &str, message: &str) -> Completion {
    let error = to_raw_value(&StoredError::for_good(error_type, message)).expect("text in memory is JSON");
    Completion {
        verdict: Verdict::Error { error },
        attempt: AttemptRecord {
            outcome: "failed".to_owned(),
            error_type: Some(error_type.to_owned()),
            ..done.attempt
        },
        growth: None,
        events: None,
        ..done
    }
}

/// The end of a step that is not run again, because its leases ran out so often that it is taken to bring its hosts down.
///
/// # Errors
///
/// The error could not be written as JSON.
pub fn worker_unavailable(step: &ClaimedStep, host: &str) -> Result<Completion, serde_json::Error> {
    const ERROR_TYPE: &str = "worker_unavailable";
    let message = format!(
        "{} hosts in a row were lost while they ran this step, so it is not run again by itself; find out what brings \
         them down, then reset the step",
        step.lapses
    );
    let now = Utc::now();
    Ok(Completion {
        lease: step.lease.clone(),
        verdict: Verdict::Error { error: to_raw_value(&StoredError::for_good(ERROR_TYPE, &message))? },
        metadata: no_metadata()?,
        attempt: AttemptRecord {
            outcome: "error".to_owned(),
            error_type: Some(ERROR_TYPE.to_owned()),
            host: host.to_owned(),
            started_at: now,
            finished_at: now,
            usage: Usage::default(),
            log: None,
        },
        growth: None,
        events: None,
    })
}

fn misfit(verdict: &Verdict, schema: Option<&Schema>) -> Option<String> {
    match verdict {
        Verdict::Complete { result } => schema?.check(result).err(),
        Verdict::Retry { .. } | Verdict::Error { .. } => None,
    }
}

fn failed(
    step: &ClaimedStep,
    terms: &Terms<'_>,
    requested: Option<Duration>,
    error: &StoredError<'_>,
) -> Result<Verdict, serde_json::Error> {
    let spent = step.attempts.unsigned_abs();
    let after = next_attempt(terms.policy, terms.defaults, step.lease.step_uuid, spent, error.retryable, requested);
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
            lease: Lease {
                namespace: "n".into(),
                message_id: 1.into(),
                task_uuid: Uuid::now_v7(),
                step_uuid: Uuid::now_v7(),
                claim: 4,
                guarded: false,
                planned: None,
            },
            template_uuid: Uuid::now_v7(),
            correlation_id: Uuid::now_v7(),
            name: "step_001".into(),
            template_step: Some("step".into()),
            attempts,
            max_attempts: 3,
            lapses: 0,
            retryable: true,
            task: raw("{}"),
            inputs: raw("{}"),
            checkpoint: None,
            dependency_results: raw("{}"),
            created_at: Utc::now(),
        }
    }

    fn complete(attempts: i32, outcome: Result<StepOutcome, AttemptError>) -> Completion {
        complete_with(attempts, outcome, None)
    }

    fn complete_with(
        attempts: i32,
        outcome: Result<StepOutcome, AttemptError>,
        result_schema: Option<&Schema>,
    ) -> Completion {
        let report = AttemptReport { outcome, usage: sandbox::Usage::default(), log: sandbox::LogRecords::default() };
        let terms = Terms { policy: &Retry::default(), defaults: &DEFAULTS, result_schema, host: "host" };
        completion(&step(attempts), &terms, Utc::now(), report).unwrap()
    }

    fn error_of(done: &Completion) -> serde_json::Value {
        let Verdict::Error { error } = &done.verdict else { panic!("{:?}", done.verdict) };
        serde_json::from_str(error.get()).unwrap()
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

    #[test]
    fn a_handler_that_says_when_to_come_back_is_believed_up_to_the_cap() {
        let waits = |metadata: &str| {
            let StepOutcome::Failure(failure) = failure(true) else { unreachable!() };
            let outcome = StepOutcome::Failure(sandbox::Failure { metadata: raw(metadata), ..failure });
            match complete(1, Ok(outcome)).verdict {
                Verdict::Retry { after, .. } => after.as_secs(),
                verdict => panic!("{verdict:?}"),
            }
        };
        assert_eq!(waits(r#"{"orchestration_metadata":{"headers":{"Retry-After":"9"}}}"#), 9);
        assert_eq!(waits(r#"{"retry_after_seconds":3600}"#), 60);
        assert_eq!(waits(r#"{"retry_after_seconds":"soon"}"#), 1);
    }

    #[test]
    fn a_result_that_does_not_fit_its_schema_fails_the_step_for_good() {
        let schema = Schema::compile(&serde_json::json!({"properties": {"total": {"type": "number"}}})).unwrap();
        let returns = |result| {
            let success = Success { result: raw(result), metadata: raw(r#"{"seen":1}"#) };
            complete_with(1, Ok(StepOutcome::Success(success)), Some(&schema))
        };
        assert!(matches!(returns(r#"{"total":1}"#).verdict, Verdict::Complete { .. }));
        let done = returns(r#"{"total":"1"}"#);
        assert_eq!(
            error_of(&done),
            serde_json::json!({
                "message": "the result does not fit the `result_schema` of step `step`: at `/total`: the value is not of \
                            type \"number\"; return what the schema describes, or correct the schema in the template",
                "error_type": "result_schema_violation",
                "retryable": false,
            })
        );
        assert_eq!(
            (done.attempt.outcome.as_str(), done.attempt.error_type.as_deref(), done.metadata.get()),
            ("failed", Some("result_schema_violation"), r#"{"seen":1}"#)
        );
        assert!(matches!(complete_with(1, Ok(failure(true)), Some(&schema)).verdict, Verdict::Retry { .. }));
    }

    #[test]
    fn a_checkpoint_that_ends_an_attempt_made_no_progress() {
        let checkpoint = crate::store::Checkpoint { cursor: raw("7"), items_processed: 40, accumulated_results: None };
        let error = error_of(&complete(1, Ok(StepOutcome::Checkpoint(checkpoint))));
        assert_eq!(error["error_type"], "checkpoint_without_progress");
        assert!(error["message"].as_str().unwrap().contains("items_processed is not greater (40)"), "{error}");
    }

    #[test]
    fn a_step_that_loses_its_hosts_ends_without_an_attempt_to_run_it() {
        let done = worker_unavailable(&ClaimedStep { lapses: 5, ..step(1) }, "host").unwrap();
        let error = error_of(&done);
        assert_eq!((&error["error_type"], &error["retryable"]), (&"worker_unavailable".into(), &false.into()));
        assert!(error["message"].as_str().unwrap().starts_with("5 hosts in a row"), "{error}");
        assert_eq!((done.attempt.outcome.as_str(), done.lease.claim), ("error", 4));
    }
}
