//! Progress: returned as an outcome, or stored while the call goes on.

use std::sync::{Arc, Mutex};

use super::*;
use crate::store::Checkpoint;

/// A guest that answers a checkpoint: this cursor, 7 items, and this text as accumulated results if there is one.
fn yielding(cursor: &str, accumulated: Option<&str>) -> String {
    let (first, second) = (cursor.len(), accumulated.unwrap_or_default().len());
    let given = i32::from(accumulated.is_some());
    guest(&format!(
        r#"{}{}
           (func $handle (export "handle") (param $context i32) (result i32)
             (i32.store8 (i32.const 520) (i32.const 2))
             (i32.store (i32.const 528) (i32.const 8192)) (i32.store (i32.const 532) (i32.const {first}))
             (i64.store (i32.const 536) (i64.const 7))
             (i32.store8 (i32.const 544) (i32.const {given}))
             (i32.store (i32.const 548) (i32.const 16384)) (i32.store (i32.const 552) (i32.const {second}))
             (i32.const 512))"#,
        data(8192, cursor),
        data(16384, accumulated.unwrap_or_default()),
    ))
}

/// The floor guest, which stores progress: cursor `41`, 7 items, nothing accumulated. Its body of `handle` may call
/// `$save`, which answers 0 when the progress was stored and 1 when it was not.
///
/// The import needs the memory before the guest has one, so it moves into a module of its own.
fn saving(body: &str) -> String {
    handling(body)
        .replacen(
            "  (core module $guest\n    (memory (export \"memory\") 1)\n",
            r#"  (import "tasker:handler/execution@0.1.0" (instance $execution
                 (alias outer 1 $checkpoint-yield (type $progress))
                 (export "checkpoint-yield" (type $checkpoint-yield (eq $progress)))
                 (export "save-checkpoint" (func
                   (param "progress" $checkpoint-yield) (result (result (error string)))))))
               (core module $libc
                 (memory (export "memory") 1)
                 (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32768)))
               (core instance $libc (instantiate $libc))
               (core func $save (canon lower (func $execution "save-checkpoint")
                 (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
               (core module $guest
                 (import "libc" "memory" (memory 1))
                 (import "host" "save" (func $import (param i32 i32 i64 i32 i32 i32 i32)))
                 (data (i32.const 600) "41")
                 (func $save (result i32)
                   (call $import (i32.const 600) (i32.const 2) (i64.const 7) (i32.const 0) (i32.const 0) (i32.const 0)
                     (i32.const 640))
                   (i32.load8_u (i32.const 640)))
            "#,
            1,
        )
        .replacen(
            "(instantiate $guest))\n  (alias core export $guest \"memory\"",
            "(instantiate $guest (with \"libc\" (instance $libc)) (with \"host\" (instance (export \"save\" (func $save))))))
             (alias core export $libc \"memory\"",
            1,
        )
}

/// Remembers the cursors it is given, and answers this.
fn sink(answer: Result<(), String>) -> (CheckpointSink, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    let sink = CheckpointSink::new(move |checkpoint: Checkpoint| {
        into.lock().unwrap().push(format!("{} after {}", checkpoint.cursor, checkpoint.items_processed));
        let answer = answer.clone();
        async move {
            tokio::task::yield_now().await;
            answer
        }
    });
    (sink, seen)
}

async fn run(wat: &str, checkpoints: Option<CheckpointSink>, limits: Limits) -> AttemptReport {
    let bench = Bench::new();
    let prepared = bench.prepare(wat).await.unwrap();
    bench.sandbox.invoke(&prepared, Invocation { checkpoints, ..invocation(limits) }).await.unwrap()
}

const SUCCEED_IF_SAVED: &str = "(if (call $save) (then unreachable)) (i32.const 256)";

#[tokio::test]
async fn no_progress_is_stored_before_the_commit_is_durable() {
    let bench = Bench::new();
    let prepared = bench.prepare(&saving(SUCCEED_IF_SAVED)).await.unwrap();
    let (_notice, output) = OutputCommit::under_way();
    let (checkpoints, seen) = sink(Ok(()));
    let limits = Limits { deadline: Duration::from_millis(50), ..Limits::default() };
    let invocation = Invocation { checkpoints: Some(checkpoints), output, ..invocation(limits) };

    let report = bench.sandbox.invoke(&prepared, invocation).await.unwrap();

    assert_eq!(report.outcome.unwrap_err().error_type(), "timeout");
    assert_eq!(seen.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_checkpoint_is_an_outcome_of_its_own() {
    let report = Bench::new().attempt(&yielding(r#"{"row":41}"#, Some(r#"{"sum":1}"#)), Limits::default()).await;

    let Ok(StepOutcome::Checkpoint(checkpoint)) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((checkpoint.cursor.get(), checkpoint.items_processed), (r#"{"row":41}"#, 7));
    assert_eq!(checkpoint.accumulated_results.unwrap().get(), r#"{"sum":1}"#);
    let report = Bench::new().attempt(&yielding("null", None), Limits::default()).await;
    let Ok(StepOutcome::Checkpoint(checkpoint)) = report.outcome else { panic!("{:?}", report.outcome) };
    assert!(checkpoint.accumulated_results.is_none());
}

#[tokio::test]
async fn a_checkpoint_is_checked_and_bounded_like_a_result() {
    let limits = Limits { checkpoint_bytes: 10, ..Limits::default() };
    for (cursor, accumulated, error_type, message) in [
        ("{oops", None, "invalid_result", "the handler's cursor is not JSON"),
        (r#""\u0000""#, None, "invalid_result", "cursor contains \\u0000"),
        ("1", Some("[]"), "invalid_result", "accumulated results is not a JSON object"),
        (
            r#""0123456789""#,
            None,
            "checkpoint_bytes_exceeded",
            "may have 10 bytes in one part of a checkpoint and went on to 12",
        ),
        ("1", Some(r#"{"a":"0123"}"#), "checkpoint_bytes_exceeded", "went on to 12"),
    ] {
        let error = Bench::new().error(&yielding(cursor, accumulated), limits.clone()).await;
        assert_eq!((error.error_type(), error.retryable()), (error_type, false));
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn progress_is_stored_while_the_call_goes_on() {
    let (sink, seen) = sink(Ok(()));

    let report = run(&saving(SUCCEED_IF_SAVED), Some(sink), Limits::default()).await;

    assert!(matches!(report.outcome, Ok(StepOutcome::Success(_))), "{:?}", report.outcome);
    assert_eq!(*seen.lock().unwrap(), ["41 after 7"]);
    assert_eq!(report.usage.host_calls, 1);
}

#[tokio::test]
async fn a_guest_is_told_when_its_progress_was_not_stored() {
    let refused = saving("(if (i32.eqz (call $save)) (then unreachable)) (i32.const 256)");

    let (sink, seen) = sink(Err("the database is away".into()));
    assert!(run(&refused, Some(sink), Limits::default()).await.outcome.is_ok());
    assert_eq!(seen.lock().unwrap().len(), 1);
    // No sink at all.
    assert!(run(&refused, None, Limits::default()).await.outcome.is_ok());
}

#[tokio::test]
async fn progress_beyond_its_limit_ends_the_attempt_whatever_the_guest_makes_of_it() {
    let (sink, seen) = sink(Ok(()));
    let limits = Limits { checkpoint_bytes: 1, ..Limits::default() };

    let report = run(&saving("(drop (call $save)) (i32.const 256)"), Some(sink), limits).await;

    let error = report.outcome.unwrap_err();
    assert_eq!(error, AttemptError::LimitExceeded { exceeded: Exceeded::CheckpointBytes, limit: 1, used: 2 });
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn time_spent_storing_counts_against_the_deadline() {
    let stuck = CheckpointSink::new(|_| std::future::pending());
    let limits = Limits { deadline: Duration::from_millis(50), ..Limits::default() };

    let report = run(&saving(SUCCEED_IF_SAVED), Some(stuck), limits).await;

    assert_eq!(report.outcome.unwrap_err().error_type(), "timeout");
}

#[tokio::test]
async fn a_call_that_stores_without_end_is_refused_after_a_thousand() {
    let (sink, seen) = sink(Ok(()));

    let endless = saving("(loop $again (br_if $again (i32.eqz (call $save)))) (i32.const 256)");
    let report = run(&endless, Some(sink), Limits::default()).await;

    assert!(report.outcome.is_ok());
    assert_eq!(seen.lock().unwrap().len(), 1_000);
}
