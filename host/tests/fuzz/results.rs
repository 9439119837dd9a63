//! What a guest hands over: any bytes as the outcome, its discriminants, pointers and lengths. The host takes what it can
//! store, refuses the rest by name, and makes sense of neither more nor less than what it took.

use std::panic::AssertUnwindSafe;

use chrono::Utc;
use serde_json::value::RawValue;
use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::orchestration::grow::directive;
use tasker_wasm_host::orchestration::hint;
use tasker_wasm_host::registry::Package;
use tasker_wasm_host::sandbox::{
    HandlerRef, HttpSettings, Invocation, Limits, Sandbox, SandboxSettings, StepContext, StepOutcome, unstorable,
};
use tasker_wasm_host::template;
use uuid::Uuid;

use crate::edit::edited;
use crate::target;

const FLOOR: &str = include_str!("../../src/doctor/floor.wat");

/// Where the guest puts the outcome.
const IMAGE: u32 = 40_960;

/// `handle` takes the event for bytes, each written as two letters from `a` to `p`, and returns those bytes.
const RETURNS_ITS_EVENT: &str = r#"
    (func $handle (export "handle") (param $context i32) (result i32)
      (local $from i32) (local $end i32) (local $to i32)
      (local.set $from (i32.load offset=68 (local.get $context)))
      (local.set $end (i32.add (local.get $from) (i32.load offset=72 (local.get $context))))
      (local.set $to (i32.const 40960))
      (block $done
        (loop $next
          (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
          (i32.store8 (local.get $to)
            (i32.or
              (i32.shl (i32.sub (i32.load8_u (local.get $from)) (i32.const 97)) (i32.const 4))
              (i32.sub (i32.load8_u offset=1 (local.get $from)) (i32.const 97))))
          (local.set $from (i32.add (local.get $from) (i32.const 2)))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))
          (br $next)))
      (i32.const 40960))"#;

/// A sandbox, and a thread to wait on.
pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache_dir = directory.path().join("cache");
        let settings = SandboxSettings {
            cache_dir,
            max_concurrent: 2,
            max_memory_bytes: 64 << 20,
            max_computing: 1,
            http: HttpSettings::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { directory, sandbox: Sandbox::new(&settings).unwrap(), runtime }
    }
}

pub(crate) fn invocation(event: String, limits: Limits) -> Invocation {
    let handler = HandlerRef { callable: "floor".into(), method: None, resolver: None };
    let context = StepContext {
        task_uuid: Uuid::nil(),
        step_uuid: Uuid::nil(),
        correlation_id: Uuid::nil(),
        handler,
        attempts: 0,
        max_attempts: 3,
        event,
    };
    Invocation::new(context, limits)
}

/// A valid outcome as it lies in memory.
struct Image(Vec<u8>);

impl Image {
    /// `ok` of the variant's case; the fields follow.
    fn of(case: u8) -> Self {
        let mut bytes = vec![0; 96];
        bytes[8] = case;
        Self(bytes)
    }

    /// A string, and where its pointer and length go.
    fn text(mut self, at: usize, text: &str) -> Self {
        // Where a list of strings could begin too.
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let start = IMAGE + u32::try_from(self.0.len()).unwrap();
        self.0[at..at + 4].copy_from_slice(&start.to_le_bytes());
        self.0[at + 4..at + 8].copy_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        self.0.extend(text.bytes());
        self
    }

    fn byte(mut self, at: usize, byte: u8) -> Self {
        self.0[at] = byte;
        self
    }
}

const DECISION: &str = r#"{"decision_point_outcome":{"type":"create_steps","step_names":["a","b"]}}"#;
const BATCHES: &str = r#"{"batch_processing_outcome":{"type":"create_batches","worker_template_name":"w","worker_count":1,
    "cursor_configs":[{"batch_id":"1","start_cursor":0,"end_cursor":[10],"batch_size":10}],"total_items":10}}"#;
const HINTS: &str = r#"{"orchestration_metadata":{"headers":{"retry-after":"Fri, 31 Dec 2100 23:59:59 GMT"},
    "backoff_hint":{"delay_seconds":3}},"retry_after_seconds":1e3}"#;

fn images() -> Vec<Image> {
    vec![
        Image::of(0).text(16, r#"{"a":[1,"\ud83d\ude00",null]}"#).text(24, "{}"),
        Image::of(0).text(16, DECISION).text(24, "{}"),
        Image::of(0).text(16, BATCHES).text(24, r#"{"n":1e300}"#),
        Image::of(1)
            .text(16, "it failed")
            .byte(24, 5)
            .text(28, "Odd")
            .byte(36, 1)
            .text(40, "E1")
            .text(52, HINTS)
            .text(60, ""),
        Image::of(2).text(16, r#"{"at":7}"#).byte(24, 7).byte(32, 1).text(36, r#"{"sum":1}"#),
    ]
}

const WORDS: &[&str] = &[
    r"\u0000",
    r"\ud800",
    r"\udc00",
    "1e999",
    "1e400000",
    "-0",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"a\":",
    "}",
    "null",
    "\"",
    "99999999999999999999999999",
    "\u{202e}",
    "\x1b[31m",
    "create_steps",
    "no_branches",
    "retry-after",
    "cursor_configs",
];

fn checked(what: &str, value: &RawValue, limit: usize) {
    assert!(value.get().len() <= limit, "{what} has {} bytes", value.get().len());
    assert_eq!(unstorable(value), None, "{what}: {value}");
    serde_json::from_str::<serde_json::Value>(value.get()).unwrap();
}

#[test]
fn results() {
    let bench = AssertUnwindSafe(Bench::new());
    let (before, rest) = FLOOR.split_once(";; begin handle").unwrap();
    let (_, after) = rest.split_once(";; end handle").unwrap();
    let path = bench.directory.path().join("echo.wasm");
    std::fs::write(&path, wat::parse_str(format!("{before}{RETURNS_ITS_EVENT}{after}")).unwrap()).unwrap();
    let package = Package::load(&path).unwrap();
    let prepared =
        AssertUnwindSafe(bench.runtime.block_on(bench.sandbox.prepare(&package, Granted::default())).unwrap());
    let steps = ["standard", "decision", "batchable"].map(|kind| {
        let step = serde_json::json!({"name": "s", "type": kind, "handler": {"callable": "H"}, "dependencies": []});
        serde_json::from_value::<template::StepDefinition>(step).unwrap()
    });
    let steps = AssertUnwindSafe(steps);
    let (bench, prepared, steps) = (&bench, &prepared, &steps);
    let images = images();
    target!(move |input: &[u8]| {
        let Some((which, edits)) = input.split_first() else { return };
        let image = edited(&images[usize::from(*which) % images.len()].0, edits, WORDS);
        let event = image.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(b'a' + half)).collect();
        let (bench, prepared): (&Bench, &std::sync::Arc<_>) = (bench, prepared);
        let limits = Limits { result_bytes: 300, checkpoint_bytes: 100, ..Limits::default() };
        let report = bench.runtime.block_on(bench.sandbox.invoke(prepared, invocation(event, limits))).unwrap();
        match report.outcome {
            Ok(StepOutcome::Success(success)) => {
                checked("result", &success.result, 300);
                checked("metadata", &success.metadata, 300);
                for step in &steps[..] {
                    let _ = directive(step, &success.result);
                }
            }
            Ok(StepOutcome::Failure(failure)) => {
                checked("metadata", &failure.metadata, 300);
                let _ = hint::requested_wait(&failure.metadata, Utc::now());
                let texts = failure.backtrace.iter().chain([&failure.message]).chain(&failure.error_code);
                for text in texts {
                    assert!(!text.contains(char::is_control), "{text:?}");
                }
                assert!(failure.backtrace.len() <= 50);
            }
            Ok(StepOutcome::Checkpoint(checkpoint)) => {
                checked("cursor", &checkpoint.cursor, 100);
                checkpoint.accumulated_results.iter().for_each(|results| checked("results", results, 100));
            }
            Err(error) => {
                let known = [
                    "guest_trap",
                    "invalid_result",
                    "result_too_large",
                    "checkpoint_bytes_exceeded",
                    "memory_limit_exceeded",
                    "handler_not_found",
                    "resolver_not_found",
                    "method_not_found",
                    "handler_init_failed",
                    "invalid_context",
                ];
                assert!(known.contains(&error.error_type()), "{error:?}");
                assert!(!error.to_string().is_empty());
            }
        }
    });
}

/// The images are what the comments say, or the target would only try crashes.
#[test]
fn unedited_outcomes_are_taken() {
    let bench = Bench::new();
    let (before, rest) = FLOOR.split_once(";; begin handle").unwrap();
    let (_, after) = rest.split_once(";; end handle").unwrap();
    let path = bench.directory.path().join("echo.wasm");
    std::fs::write(&path, wat::parse_str(format!("{before}{RETURNS_ITS_EVENT}{after}")).unwrap()).unwrap();
    let package = Package::load(&path).unwrap();
    let prepared = bench.runtime.block_on(bench.sandbox.prepare(&package, Granted::default())).unwrap();
    for (n, image) in images().into_iter().enumerate() {
        let event =
            image.0.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(b'a' + half)).collect();
        let report =
            bench.runtime.block_on(bench.sandbox.invoke(&prepared, invocation(event, Limits::default()))).unwrap();
        let expected = match n {
            0..=2 => matches!(report.outcome, Ok(StepOutcome::Success(_))),
            3 => matches!(report.outcome, Ok(StepOutcome::Failure(_))),
            _ => matches!(report.outcome, Ok(StepOutcome::Checkpoint(_))),
        };
        assert!(expected, "{n}: {:?}", report.outcome);
    }
}
