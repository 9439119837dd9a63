//! One handler, how it ends, and what is true of every attempt however it ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tasker_wasm_host::sandbox::{AttemptReport, Limits, StepOutcome};
use tasker_wasm_tests::Guest;

/// What the host may take, beyond the deadline, to end an attempt.
const GRACE: Duration = Duration::from_millis(50);
/// A busy machine may make one run late; it does not make three.
const TRIES: u32 = 3;
/// Bytes of a failure's message with what the host adds to it, and of a name.
const MESSAGE: usize = 13_000;
const NAME: usize = 520;

/// A handler and how it ends.
pub struct Case {
    /// Without the package's prefix.
    pub handler: &'static str,
    pub ends: Ends,
}

/// What all cases of a table share.
struct Run<'a> {
    guest: &'a Guest,
    prefix: &'a str,
    input: &'a Value,
}

/// How an attempt ends.
pub enum Ends {
    /// Without a verdict of the handler: with one of these named errors. More than one where the order in which limits are
    /// met is the engine's affair.
    Error(&'static [&'static str]),
    /// It computes without end: `fuel_exhausted`, and `timeout` when it has all the fuel it wants.
    Computing,
    /// The handler, or the SDK for it, says that it failed: how the type begins, and a part of the message.
    Failure(&'static str, &'static str),
    /// The handler succeeds, with a result of which this is true.
    Success(fn(&Value) -> bool),
    /// The handler stores progress and is called again.
    Checkpoint,
}

/// Little of what is used up without computing.
fn small() -> Limits {
    Limits {
        memory_bytes: 64 << 20,
        deadline: Duration::from_millis(2_000),
        log_lines: 100,
        log_bytes: 64 << 10,
        http_requests: 20,
        http_request_bytes: 4 << 20,
        http_response_bytes: 4 << 20,
        fs_write_bytes: 1 << 20,
        ..Limits::default()
    }
}

/// Little computing, and time enough for it.
fn little_fuel() -> Limits {
    Limits { fuel: 300_000_000, ..small() }
}

/// Time is all that ends a computing handler.
fn endless_fuel() -> Limits {
    Limits { fuel: u64::MAX, deadline: Duration::from_millis(200), ..small() }
}

/// Runs every case and the well-behaved handler after each; panics with all that went wrong.
pub async fn run_all(guest: &Guest, prefix: &str, cases: &[Case], input: &Value) {
    let run = Run { guest, prefix, input };
    let mut wrong = Vec::new();
    for case in cases {
        if matches!(case.ends, Ends::Computing) {
            wrong.extend(check(&run, case, &case.ends, &little_fuel()).await);
            wrong.extend(check(&run, case, &Ends::Error(&["timeout"]), &endless_fuel()).await);
        } else {
            wrong.extend(check(&run, case, &case.ends, &small()).await);
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is wrong with a case, the best of several runs.
async fn check(run: &Run<'_>, case: &Case, ends: &Ends, limits: &Limits) -> Option<String> {
    let Run { guest, prefix, input } = *run;
    let callable = format!("{prefix}.{}", case.handler);
    let mut wrong = None;
    for _ in 0..TRIES {
        let start = Instant::now();
        let report = guest.run(&callable, input.clone(), limits.clone()).await;
        let took = start.elapsed();
        let late = took > limits.deadline + GRACE;
        let found = if late { Err(format!("took {took:?}")) } else { judge(ends, &report) };
        let found = found.and_then(|()| is_bounded(&report, limits));
        still_well(guest, prefix).await;
        match found {
            Ok(()) => return None,
            Err(found) => {
                wrong = Some(format!("{callable}: {found}"));
                // Only time differs from one run to the next.
                if !late && !timed_out(&report) {
                    break;
                }
            }
        }
    }
    wrong
}

fn timed_out(report: &AttemptReport) -> bool {
    report.outcome.as_ref().is_err_and(|error| error.error_type() == "timeout")
}

/// The well-behaved handler gets its own input and finds nothing of anybody else's.
async fn still_well(guest: &Guest, prefix: &str) {
    let input = json!({"list": [1, 2, 3], "text": "ä€😀"});
    let report = guest.run(&format!("{prefix}.echo"), input.clone(), Limits::default()).await;
    match report.outcome {
        Ok(StepOutcome::Success(success)) => {
            let result: Value = serde_json::from_str(success.result.get()).unwrap();
            assert_eq!(result, json!({"input": input, "attempt": 0}));
        }
        other => panic!("the well-behaved handler failed: {other:?}"),
    }
}

fn judge(ends: &Ends, report: &AttemptReport) -> Result<(), String> {
    let as_expected = match (ends, &report.outcome) {
        (Ends::Error(names), Err(error)) => names.contains(&error.error_type()),
        (Ends::Computing, Err(error)) => error.error_type() == "fuel_exhausted",
        (Ends::Failure(error_type, part), Ok(StepOutcome::Failure(failure))) => {
            failure.error_type.as_str().starts_with(error_type) && failure.message.contains(part)
        }
        (Ends::Success(holds), Ok(StepOutcome::Success(success))) => {
            holds(&serde_json::from_str(success.result.get()).map_err(|error| error.to_string())?)
        }
        (Ends::Checkpoint, Ok(StepOutcome::Checkpoint(_))) => true,
        _ => false,
    };
    if as_expected { Ok(()) } else { Err(format!("ended with {}", shown(report))) }
}

fn shown(report: &AttemptReport) -> String {
    let text = match &report.outcome {
        Err(error) => format!("{}: {error}", error.error_type()),
        Ok(outcome) => format!("{outcome:?}"),
    };
    format!("{} ({:?})", text.chars().take(600).collect::<String>(), report.usage)
}

/// What holds of every attempt: it had no more than it may have, and what it says can be shown and stored.
fn is_bounded(report: &AttemptReport, limits: &Limits) -> Result<(), String> {
    if report.usage.fuel > limits.fuel || report.usage.peak_memory_bytes > limits.memory_bytes as u64 {
        return Err(format!("used more than it may: {:?}", report.usage));
    }
    let mut texts = Vec::new();
    match &report.outcome {
        Err(error) => texts.push((error.to_string(), MESSAGE)),
        Ok(StepOutcome::Failure(failure)) => {
            if failure.backtrace.len() > 50 {
                return Err(format!("{} frames", failure.backtrace.len()));
            }
            texts.push((failure.message.clone(), MESSAGE));
            texts.push((failure.error_type.as_str().to_owned(), NAME));
            texts.extend(failure.error_code.iter().map(|code| (code.clone(), NAME)));
            texts.extend(failure.backtrace.iter().map(|frame| (frame.clone(), 2 * NAME)));
        }
        Ok(StepOutcome::Success(success)) => {
            let bytes = success.result.get().len().max(success.metadata.get().len());
            if bytes > limits.result_bytes {
                return Err(format!("handed over {bytes} bytes"));
            }
        }
        Ok(StepOutcome::Checkpoint(progress)) => {
            if progress.cursor.get().len() > limits.checkpoint_bytes {
                return Err(format!("handed over a cursor of {} bytes", progress.cursor.get().len()));
            }
        }
    }
    for (text, most) in texts {
        if text.len() > most {
            return Err(format!("a text of {} bytes: {}", text.len(), text.chars().take(100).collect::<String>()));
        }
        if let Some(dirty) = text.chars().find(|char| char.is_control() || ('\u{202A}'..='\u{202E}').contains(char)) {
            return Err(format!("{dirty:?} in {text:?}"));
        }
    }
    Ok(())
}
