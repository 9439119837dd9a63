//! The sandbox against hand-written components: what it must survive, and what it must say.

mod checkpoints;
mod events;
mod files;
mod granted;
mod imports;
mod raw;

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::*;

pub(crate) use crate::doctor::guest::{FLOOR, guest, handling};

/// A guest that succeeds with this text as its result.
fn returning(result: &str) -> String {
    let length = result.len();
    guest(&format!(
        r#"{}
           (func $handle (export "handle") (param $context i32) (result i32)
             (i32.store (i32.const 272) (i32.const 8192))
             (i32.store (i32.const 276) (i32.const {length}))
             (i32.const 256))"#,
        data(8192, result),
    ))
}

/// A data segment that holds this text.
fn data(at: u32, text: &str) -> String {
    let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(r#"(data (i32.const {at}) "{bytes}")"#)
}

/// The floor guest with publishers and subscribers; `events.wat` says what they do.
pub(crate) fn with_events() -> String {
    let export = r#"  (export "tasker:handler/handlers@0.1.0" (instance $handlers)))"#;
    let (before, after) = FLOOR.split_once(export).unwrap();
    assert!(after.trim().is_empty());
    format!("{before}{}{export}", include_str!("events.wat"))
}

const SPIN: &str = "(loop $again (br $again)) unreachable";

pub(crate) struct Bench {
    directory: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_slots(4)
    }

    pub(crate) fn with_slots(max_concurrent: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache_dir = directory.path().join("cache");
        let http = HttpSettings::default();
        let settings =
            SandboxSettings { cache_dir, max_concurrent, max_memory_bytes: 64 << 20, max_computing: 1, http };
        Self { sandbox: Sandbox::new(&settings).unwrap(), directory }
    }

    pub(crate) fn package(&self, bytes: &[u8]) -> Package {
        let path = self.directory.path().join("guest.wasm");
        std::fs::write(&path, bytes).unwrap();
        Package::load(&path).unwrap()
    }

    pub(crate) async fn prepare(&self, wat: &str) -> Result<Arc<Prepared>, ComponentError> {
        let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"));
        self.sandbox.prepare(&self.package(&bytes), Granted::default()).await
    }

    async fn attempt(&self, wat: &str, limits: Limits) -> AttemptReport {
        let prepared = self.prepare(wat).await.unwrap();
        self.sandbox.invoke(&prepared, invocation(limits)).await.unwrap()
    }

    async fn error(&self, wat: &str, limits: Limits) -> AttemptError {
        self.attempt(wat, limits).await.outcome.unwrap_err()
    }

    async fn component_error(&self, wat: &str) -> ComponentError {
        self.prepare(wat).await.unwrap_err()
    }
}

fn invocation(limits: Limits) -> Invocation {
    let handler = HandlerRef { callable: "floor".into(), method: None, resolver: None };
    let context = StepContext {
        task_uuid: Uuid::from_u128(1),
        step_uuid: Uuid::from_u128(2),
        correlation_id: Uuid::from_u128(3),
        handler,
        attempts: 0,
        max_attempts: 3,
        event: "{}".into(),
    };
    Invocation::new(context, limits)
}

#[tokio::test]
async fn a_guest_that_succeeds_is_measured() {
    let report = Bench::new().attempt(FLOOR, Limits::default()).await;

    let Ok(StepOutcome::Success(success)) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((success.result.get(), success.metadata.get()), ("{}", "{}"));
    let usage = report.usage;
    assert!((1..1_000).contains(&usage.fuel), "{usage:?}");
    assert_eq!(usage.peak_memory_bytes, 65_536);
    assert!(usage.total >= usage.instantiate + usage.guest, "{usage:?}");
}

#[tokio::test]
async fn equal_attempts_use_equal_fuel() {
    let bench = Bench::new();
    let prepared = bench.prepare(FLOOR).await.unwrap();

    let mut fuel = Vec::new();
    for _ in 0..3 {
        fuel.push(bench.sandbox.invoke(&prepared, invocation(Limits::default())).await.unwrap().usage.fuel);
    }

    assert_eq!(fuel, [fuel[0]; 3]);
}

#[tokio::test]
async fn a_component_describes_itself() {
    let bench = Bench::new();
    let prepared = bench.prepare(FLOOR).await.unwrap();

    let info = bench.sandbox.describe(&prepared).await.unwrap();

    assert_eq!((info.sdk.name.as_str(), info.sdk.language.as_str()), ("floor", "wat"));
    assert_eq!(info.handlers[0].methods, ["call"]);
}

#[tokio::test]
async fn no_attempt_sees_what_another_left_behind() {
    let counting = guest(
        r#"(global $calls (mut i32) (i32.const 0))
           (func $handle (export "handle") (param $context i32) (result i32)
             (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (i32.store8 (i32.const 300) (i32.add (i32.load8_u (i32.const 300)) (i32.const 1)))
             (if (i32.ne (i32.add (global.get $calls) (i32.load8_u (i32.const 300))) (i32.const 2)) (then unreachable))
             (i32.const 256))"#,
    );
    let bench = Bench::with_slots(1);
    let prepared = bench.prepare(&counting).await.unwrap();

    for _ in 0..5 {
        let report = bench.sandbox.invoke(&prepared, invocation(Limits::default())).await.unwrap();
        assert!(report.outcome.is_ok(), "{:?}", report.outcome);
    }
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_fuel() {
    let limits = Limits { fuel: 5_000_000, ..Limits::default() };
    let report = Bench::new().attempt(&handling(SPIN), limits).await;

    assert_eq!(report.usage.fuel, 5_000_000);
    let error = report.outcome.unwrap_err();
    assert_eq!(error, AttemptError::FuelExhausted { limit: 5_000_000 });
    assert_eq!((error.error_type(), error.retryable()), ("fuel_exhausted", false));
}

#[tokio::test]
async fn an_endless_loop_with_fuel_left_meets_the_deadline_and_does_not_hold_the_thread_of_its_host() {
    let limits = Limits { fuel: u64::MAX, deadline: Duration::from_millis(500), ..Limits::default() };
    let bench = Bench::new();
    let prepared = bench.prepare(&handling(SPIN)).await.unwrap();
    // The test has one thread, which the guest must not take.
    let heartbeat = tokio::spawn(async {
        let mut beats = 0_u32;
        loop {
            tokio::task::yield_now().await;
            beats += 1;
            if beats == 10 {
                return;
            }
        }
    });

    let report = bench.sandbox.invoke(&prepared, invocation(limits)).await.unwrap();

    assert!(heartbeat.is_finished());
    let error = report.outcome.unwrap_err();
    assert_eq!((error.error_type(), error.retryable()), ("timeout", true));
    assert!(report.usage.fuel > 0 && report.usage.guest >= Duration::from_millis(400), "{:?}", report.usage);
}

#[tokio::test]
async fn endless_allocation_meets_the_memory_limit() {
    let growing =
        handling("(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable");
    let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let report = Bench::new().attempt(&growing, limits).await;

    let error = report.outcome.unwrap_err();
    assert_eq!((error.error_type(), error.retryable()), ("memory_limit_exceeded", false));
    assert!(error.to_string().contains("its 8 MiB of memory"), "{error}");
    assert!((7 << 20..=8 << 20).contains(&report.usage.peak_memory_bytes), "{:?}", report.usage);
}

#[tokio::test]
async fn a_memory_limit_above_the_slot_size_is_the_slot_size() {
    let growing =
        handling("(loop $again (br_if $again (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable");
    let limits = Limits { memory_bytes: usize::MAX, ..Limits::default() };

    let error = Bench::new().error(&growing, limits).await;

    assert!(matches!(error, AttemptError::MemoryLimitExceeded { limit, .. } if limit == 64 << 20), "{error:?}");
}

#[tokio::test]
async fn a_component_that_starts_beyond_the_memory_limit_says_so() {
    let limits = Limits { memory_bytes: 1_000, ..Limits::default() };

    let error = Bench::new().error(FLOOR, limits).await;

    assert_eq!(error.error_type(), "memory_limit_exceeded");
}

#[tokio::test]
async fn endless_recursion_overflows_the_stack() {
    let error = Bench::new().error(&handling("(call $handle (local.get $context))"), Limits::default()).await;

    assert_eq!((error.error_type(), error.retryable()), ("stack_overflow", false));
}

#[tokio::test]
async fn a_trap_is_named() {
    let error = Bench::new().error(&handling("unreachable"), Limits::default()).await;

    assert_eq!((error.error_type(), error.retryable()), ("guest_trap", true));
    assert!(error.to_string().contains("unreachable"), "{error}");
}

#[tokio::test]
async fn a_result_that_is_not_json_is_refused() {
    let error = Bench::new().error(&returning("{oops"), Limits::default()).await;

    assert_eq!((error.error_type(), error.retryable()), ("invalid_result", false));
    assert!(error.to_string().contains("the handler's result is not JSON"), "{error}");
}

#[tokio::test]
async fn a_result_beyond_its_limit_is_refused() {
    let limits = Limits { result_bytes: 10, ..Limits::default() };
    let error = Bench::new().error(&returning(r#""0123456789""#), limits).await;

    assert_eq!(error.error_type(), "result_too_large");
    assert!(error.to_string().contains("12 bytes of result and may hand over 10"), "{error}");
}

#[tokio::test]
async fn a_result_of_megabytes_is_not_even_copied() {
    let huge = handling(
        "(drop (memory.grow (i32.const 128)))
         (i32.store (i32.const 276) (i32.const 8000000))
         (i32.const 256)",
    );

    let error = Bench::new().error(&huge, Limits::default()).await;

    assert!(matches!(error, AttemptError::ResultTooLarge { what: "data in one call", .. }), "{error:?}");
}

#[tokio::test]
async fn a_result_outside_the_guests_memory_is_a_crash() {
    let error = Bench::new().error(&handling("(i32.const 1000000)"), Limits::default()).await;

    assert_eq!(error.error_type(), "guest_trap");
}

#[tokio::test]
async fn a_callable_the_component_does_not_know_is_a_dispatch_error() {
    // err(handler-not-found("floor"))
    let refusing = guest(
        r#"(data (i32.const 512) "\01\00\00\00\00\00\00\00\00\00\00\00\10\00\00\00\05\00\00\00")
           (func $handle (export "handle") (param $context i32) (result i32) (i32.const 512))"#,
    );

    let error = Bench::new().error(&refusing, Limits::default()).await;

    assert_eq!((error.error_type(), error.retryable()), ("handler_not_found", false));
}

#[tokio::test]
async fn the_host_outlives_every_failure_and_loses_no_slot() {
    let bench = Bench::with_slots(2);
    let limits =
        Limits { fuel: 2_000_000, memory_bytes: 4 << 20, deadline: Duration::from_millis(500), ..Limits::default() };
    let hostile = [
        handling(SPIN),
        handling("(call $handle (local.get $context))"),
        handling("(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"),
        handling("unreachable"),
    ];
    for guest in &hostile {
        let prepared = bench.prepare(guest).await.unwrap();
        for _ in 0..10 {
            let report = bench.sandbox.invoke(&prepared, invocation(limits.clone())).await.unwrap();
            assert!(report.outcome.is_err());
        }
    }

    assert!(bench.attempt(FLOOR, limits).await.outcome.is_ok());
}

#[tokio::test]
async fn an_attempt_without_a_slot_is_a_failure_of_the_host() {
    let bench = Bench::with_slots(1);
    let spinning = bench.prepare(&handling(SPIN)).await.unwrap();
    let limits = Limits { fuel: u64::MAX, ..Limits::default() };
    let first = tokio::spawn({
        let (sandbox, spinning, limits) = (bench.sandbox.clone(), spinning.clone(), limits.clone());
        async move { sandbox.invoke(&spinning, invocation(limits)).await }
    });
    // Until the first attempt holds the slot, this one gets it.
    let brief = Limits { fuel: 1_000, ..Limits::default() };
    let failure = loop {
        match bench.sandbox.invoke(&spinning, invocation(brief.clone())).await {
            Err(failure) => break failure,
            Ok(_) => tokio::task::yield_now().await,
        }
    };
    assert!(matches!(failure, HostFailure::NoSlot { .. }), "{failure:?}");

    // Stopping the first attempt frees the slot as soon as it yields.
    first.abort();
    let floor = bench.prepare(FLOOR).await.unwrap();
    let start = std::time::Instant::now();
    while bench.sandbox.invoke(&floor, invocation(limits.clone())).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "the slot was never freed");
    }
}

#[tokio::test]
async fn a_cancelled_attempt_does_not_begin() {
    let bench = Bench::new();
    let prepared = bench.prepare(FLOOR).await.unwrap();
    let invocation = invocation(Limits::default());
    invocation.cancellation.cancel();

    let failure = bench.sandbox.invoke(&prepared, invocation).await.unwrap_err();

    assert_eq!(failure, HostFailure::Cancelled);
}

#[tokio::test]
async fn a_component_of_another_world_is_refused_by_the_name_of_what_it_lacks() {
    let error = Bench::new().component_error("(component)").await.to_string();
    assert!(error.contains("does not export `tasker:handler/handlers@0.1.0`, it exports nothing"), "{error}");

    let newer = FLOOR.replace("handlers@0.1.0", "handlers@0.9.0");
    let error = Bench::new().component_error(&newer).await.to_string();
    assert!(error.contains("it exports `tasker:handler/handlers@0.9.0`"), "{error}");
}

#[tokio::test]
async fn an_export_that_lacks_a_function_is_refused() {
    let other = r#"(component (instance $handlers) (export "tasker:handler/handlers@0.1.0" (instance $handlers)))"#;

    let error = Bench::new().component_error(other).await;

    assert!(matches!(error, ComponentError::ExportMismatch { .. }), "{error}");
}

#[tokio::test]
async fn an_export_of_another_shape_cannot_describe_itself() {
    let other = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $handlers (export "handle" (func $f)) (export "describe" (func $f)))
        (export "tasker:handler/handlers@0.1.0" (instance $handlers)))"#;
    let bench = Bench::new();
    let prepared = bench.prepare(other).await.unwrap();

    let error = bench.sandbox.describe(&prepared).await.unwrap_err().to_string();

    assert!(error.contains("type mismatch") && error.contains("this host's wit/"), "{error}");
}

#[tokio::test]
async fn an_import_that_is_not_granted_is_refused_by_name() {
    let importing = |name: &str| {
        FLOOR.replacen("(component\n", &format!(r#"(component (import "{name}" (instance (export "x" (func))))"#), 1)
    };
    for (import, part) in [
        ("wasi:sockets/instance-network@0.2.0", "no component gets sockets: nobody can grant them"),
        ("tasker:handler/client@0.1.0", "build it again:\n\n[grants]\nclient = true"),
        ("tasker:handler/events@0.1.0", "build it again:\n\n[grants]\nevents = true"),
        ("wasi:other/thing@0.2.0", "what this host does not provide"),
    ] {
        let error = Bench::new().component_error(&importing(import)).await.to_string();
        assert!(error.contains(import) && error.contains(part), "{error}");
    }
    let bench = Bench::new();
    let mut package = bench.package(&wat::parse_str(importing("tasker:handler/client@0.1.0")).unwrap());
    package.asks.client = true;
    let error = bench.sandbox.prepare(&package, Granted::default()).await.unwrap_err().to_string();
    assert!(error.ends_with("its namespace is not allowed `client`"), "{error}");
}

#[tokio::test]
async fn what_is_not_a_component_is_told_apart() {
    let bench = Bench::new();
    for (bytes, expected) in [
        (wat::parse_str("(module)").unwrap(), "is a core WebAssembly module"),
        (b"(component)".to_vec(), "starts with \"(compone\""),
        (b"\x7fELF....".to_vec(), "is not a WebAssembly component"),
        (Vec::new(), "is not a WebAssembly component"),
        (b"\0asm\x0d\0\x01\0broken".to_vec(), "does not compile"),
    ] {
        let error = bench.sandbox.prepare(&bench.package(&bytes), Granted::default()).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("guest.wasm"), "{error}");
    }
}

#[tokio::test]
async fn a_component_that_changed_since_it_was_registered_is_refused() {
    let bench = Bench::new();
    let package = bench.package(&wat::parse_str(FLOOR).unwrap());
    std::fs::write(&package.path, b"rebuilt").unwrap();

    let error = bench.sandbox.prepare(&package, Granted::default()).await.unwrap_err();

    assert!(matches!(error, ComponentError::Changed { .. }), "{error}");
}

#[test]
fn a_sandbox_that_does_not_fit_says_what_to_lower() {
    let directory = tempfile::tempdir().unwrap();
    let cache_dir: PathBuf = directory.path().join("cache");
    let http = HttpSettings::default();
    let settings =
        SandboxSettings { cache_dir, max_concurrent: 100_000, max_memory_bytes: 256 << 20, max_computing: 1, http };

    let error = Sandbox::new(&settings).unwrap_err().to_string();

    assert!(error.contains("lower max_concurrent"), "{error}");
}
