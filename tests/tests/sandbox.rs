//! TypeScript components in the sandbox: the example, and handlers that misbehave in every way we could think of.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tasker_wasm_host::grants::{Allowed, Asks, Granted, HttpAllowed, HttpAsk};
use tasker_wasm_host::sandbox::{AttemptError, AttemptReport, Failure, Limits, StepOutcome};
use tasker_wasm_tests::{Guest, built_package};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the small step used when the SDK was last changed, with the one record it logs; equal for equal inputs.
const LINEAR_STEP_FUEL: u64 = 827_000;

async fn ungranted(package: &str) -> Guest {
    Guest::prepare(package, Granted::default()).await
}

async fn hostile(handler: &str, limits: Limits) -> AttemptReport {
    ungranted("hostile").await.run(&format!("hostile.{handler}"), json!({}), limits).await
}

async fn error(handler: &str, limits: Limits) -> AttemptError {
    let report = hostile(handler, limits).await;
    report.outcome.expect_err("the attempt should have failed without a verdict of the handler")
}

async fn failure(handler: &str) -> Failure {
    match hostile(handler, Limits::default()).await.outcome {
        Ok(StepOutcome::Failure(failure)) => failure,
        other => panic!("the handler should have said that it failed: {other:?}"),
    }
}

async fn success(handler: &str) -> Value {
    result(hostile(handler, Limits::default()).await)
}

fn result(report: AttemptReport) -> Value {
    match report.outcome {
        Ok(StepOutcome::Success(success)) => serde_json::from_str(success.result.get()).unwrap(),
        other => panic!("the handler should have succeeded: {other:?}"),
    }
}

#[tokio::test]
async fn a_typescript_step_computes_and_is_measured() {
    let linear = ungranted("linear").await;

    let report = linear
        .run("LinearWorkflow.StepHandlers.LinearStep1Handler", json!({"even_number": 6}), Limits::default())
        .await;

    let usage = report.usage.clone();
    assert_eq!(result(report)["result"], 36);
    // What the SDK costs a small step. A greater change than this is one to know the reason of: a snapshot that was not
    // pre-warmed is above 3 million.
    let of_recorded = usage.fuel as f64 / LINEAR_STEP_FUEL as f64;
    assert!((0.95..1.05).contains(&of_recorded), "{} units of fuel instead of {LINEAR_STEP_FUEL}", usage.fuel);
    assert!((8 << 20..64 << 20).contains(&usage.peak_memory_bytes), "{usage:?}");
}

#[tokio::test]
async fn a_component_describes_the_handlers_its_manifest_lists() {
    let info = ungranted("linear").await.describe().await;

    assert_eq!(info.sdk.language, "typescript");
    assert_eq!(info.handlers, built_package("linear").manifest.unwrap().handlers);
}

#[tokio::test]
async fn a_component_of_plain_jco_serves_the_default_namespace() {
    assert_eq!(built_package("hello-jco").namespace, "default");
    let hello = ungranted("hello-jco").await;
    let callable = hello.describe().await.handlers[0].name.clone();

    let report = hello.run(&callable, json!({"name": "Ada"}), Limits::default()).await;
    assert_eq!(result(report), json!({"greeting": "Hello, Ada!"}));

    let report = hello.run("No.Such", json!({}), Limits::default()).await;
    assert_eq!(report.outcome.unwrap_err().error_type(), "handler_not_found");
}

#[tokio::test]
async fn every_attempt_has_an_instance_of_its_own() {
    for _ in 0..3 {
        assert_eq!(success("count_calls").await, json!({"calls": 1, "shared": 1}));
    }
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_fuel() {
    let limits = Limits { fuel: 100_000_000, ..Limits::default() };

    assert_eq!(error("spin", limits.clone()).await.error_type(), "fuel_exhausted");
    assert_eq!(error("spin_microtasks", limits).await.error_type(), "fuel_exhausted");
}

#[tokio::test]
async fn an_endless_loop_meets_the_deadline_while_fuel_lasts() {
    let limits = Limits { fuel: u64::MAX, deadline: Duration::from_millis(300), ..Limits::default() };
    let start = Instant::now();

    let error = error("spin", limits).await;

    assert_eq!((error.error_type(), error.retryable()), ("timeout", true));
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn waiting_meets_the_deadline_and_costs_no_fuel() {
    let limits = Limits { deadline: Duration::from_millis(300), ..Limits::default() };

    let report = hostile("sleep_forever", limits).await;

    assert!(report.usage.fuel < 10_000_000, "{:?}", report.usage);
    assert_eq!(report.outcome.unwrap_err().error_type(), "timeout");
}

#[tokio::test]
async fn endless_allocation_meets_the_memory_limit() {
    let limits = Limits { memory_bytes: 64 << 20, ..Limits::default() };

    let report = hostile("allocate", limits).await;

    assert!(report.usage.peak_memory_bytes <= 64 << 20, "{:?}", report.usage);
    let error = report.outcome.unwrap_err();
    assert_eq!((error.error_type(), error.retryable()), ("memory_limit_exceeded", false));
}

#[tokio::test]
async fn endless_recursion_is_a_failure_with_a_bounded_stack() {
    let failure = failure("recurse").await;

    assert!(failure.message.contains("too much recursion"), "{failure:?}");
    assert!((1..=50).contains(&failure.backtrace.len()), "{} frames", failure.backtrace.len());
}

#[tokio::test]
async fn a_promise_that_nothing_settles_is_named() {
    let error = error("never_settle", Limits::default()).await;

    assert_eq!((error.error_type(), error.retryable()), ("never_settled", false));
}

#[tokio::test]
async fn a_thrown_error_comes_back_with_lines_of_the_source() {
    let failure = failure("throw_error").await;

    assert!(failure.message.contains("boom") && failure.retryable, "{failure:?}");
    assert!(failure.backtrace.iter().any(|frame| frame.starts_with("explode (src/throwing.ts:")), "{failure:?}");
    assert!(failure.backtrace.iter().all(|frame| !frame.contains("initializer.js")), "{failure:?}");
}

#[tokio::test]
async fn whatever_is_thrown_is_a_failure() {
    assert!(!failure("throw_permanent").await.retryable);

    for handler in ["throw_string", "throw_undefined", "throw_trap", "return_nonsense", "return_cycle", "return_bigint"]
    {
        let failure = failure(handler).await;
        assert!(!failure.message.is_empty(), "{handler}: {failure:?}");
    }
}

#[tokio::test]
async fn a_handler_that_cannot_be_constructed_never_ran() {
    let error = error("throw_in_constructor", Limits::default()).await;

    assert_eq!((error.error_type(), error.retryable()), ("handler_init_failed", false));
    assert!(error.to_string().contains("no handler today"), "{error}");
}

#[tokio::test]
async fn an_unknown_callable_is_named() {
    let error = error("no_such_handler", Limits::default()).await;

    assert_eq!(error.error_type(), "handler_not_found");
    assert!(error.to_string().contains("hostile.no_such_handler"), "{error}");
}

#[tokio::test]
async fn a_result_beyond_its_limit_is_refused() {
    let limits = Limits { result_bytes: 1_000, ..Limits::default() };
    let input = json!({"text": "x".repeat(1_000)});

    let report = ungranted("hostile").await.run("hostile.echo", input, limits).await;

    let error = report.outcome.unwrap_err();
    assert_eq!((error.error_type(), error.retryable()), ("result_too_large", false));
}

#[tokio::test]
async fn a_result_of_many_megabytes_breaks_a_limit_before_the_host_sees_it() {
    // Which limit is met first, JavaScript decides: making 20 MB of JSON takes memory and computing too.
    let error = error("huge_result", Limits::default()).await;

    assert!(["memory_limit_exceeded", "fuel_exhausted", "result_too_large"].contains(&error.error_type()), "{error:?}");
}

#[tokio::test]
async fn a_flood_of_log_records_does_not_fail_the_step() {
    let report = hostile("log_flood", Limits { fuel: 100_000_000_000, ..Limits::default() }).await;

    assert_eq!(result(report)["lines"], 100_000);
}

#[tokio::test]
async fn nothing_of_the_host_is_visible() {
    let undefined = json!({"process": "undefined", "require": "undefined", "deno": "undefined", "bun": "undefined"});

    assert_eq!(success("read_environment").await, undefined);
}

#[tokio::test]
async fn a_guest_sees_its_settings_its_time_and_the_wish_to_stop() {
    let limits = Limits { deadline: Duration::from_secs(20), ..Limits::default() };

    let seen = result(hostile("read_host", limits).await);

    assert_eq!(seen["settings"], json!({"greeting": "hello", "retries": {"limit": 3}}));
    assert!((1..=20_000).contains(&seen["remaining_ms"].as_u64().unwrap()), "{seen}");
    assert_eq!(seen["cancellation_requested"], false);
}

#[tokio::test]
async fn outbound_http_is_refused_and_the_failure_says_so() {
    let failure = failure("fetch").await;

    assert!(failure.message.contains("outbound HTTP GET http://127.0.0.1:1/ is not granted"), "{failure:?}");
}

/// The hostile package with a grant of this URL on this machine, fetching `target`.
async fn fetch(url: &str, target: &str, limits: Limits) -> AttemptReport {
    let url: tasker_wasm_host::grants::UrlPattern = url.parse().unwrap();
    let asks = Asks { http: vec![HttpAsk { url: url.clone(), methods: Vec::new() }], ..Asks::default() };
    let loopback = vec!["127.0.0.0/8".parse().unwrap()];
    let allowed =
        Allowed { http: vec![HttpAllowed { url, methods: Vec::new(), networks: loopback }], ..Allowed::default() };
    let granted = Granted::intersection(&asks, &allowed);
    Guest::prepare("hostile", granted).await.run("hostile.fetch", json!({"url": target}), limits).await
}

/// A server that answers this to its first connection, and what it then learns from that: whether the client closed it.
async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<(TcpStream, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        (stream, String::from_utf8_lossy(&request[..read]).into_owned())
    });
    (url, served)
}

#[tokio::test]
async fn a_granted_request_of_a_typescript_handler_is_answered() {
    let (url, served) = server("HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\n\r\n").await;

    let report = fetch(&url, &url, Limits::default()).await;

    assert!(report.usage.host_calls >= 1, "{:?}", report.usage);
    assert_eq!(result(report)["status"], 418);
    assert!(served.await.unwrap().1.starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn the_cause_of_a_failed_request_is_in_the_steps_failure() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/");
    for (target, expected) in [
        (url.as_str(), "Connection refused"),
        ("http://169.254.169.254/latest?x=y", "GET http://169.254.169.254/latest is not granted"),
    ] {
        match fetch(&url, target, Limits::default()).await.outcome {
            Ok(StepOutcome::Failure(failure)) => assert!(failure.message.contains(expected), "{failure:?}"),
            other => panic!("the handler should have said that it failed: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_limit_on_requests_ends_the_attempt() {
    let limits = Limits { http_requests: 0, ..Limits::default() };

    let error = fetch("http://127.0.0.1:1", "http://127.0.0.1:1/", limits).await.outcome.unwrap_err();

    assert_eq!((error.error_type(), error.retryable()), ("http_requests_exceeded", false));
}

#[tokio::test]
async fn an_attempt_that_ends_while_it_waits_for_a_server_leaves_no_connection() {
    let (url, served) = server("").await;
    let limits = Limits { deadline: Duration::from_millis(800), ..Limits::default() };

    let error = fetch(&url, &url, limits).await.outcome.unwrap_err();

    assert_eq!(error.error_type(), "timeout");
    let (mut stream, _) = served.await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut [0; 16])).await;
    assert!(matches!(end, Ok(Ok(0) | Err(_))), "the connection is still open");
}

#[tokio::test]
async fn many_attempts_run_at_once_and_hostile_ones_harm_no_other() {
    let guest = ungranted("hostile").await;
    let limits =
        Limits { fuel: 50_000_000, memory_bytes: 64 << 20, deadline: Duration::from_secs(20), ..Limits::default() };
    let mut attempts = tokio::task::JoinSet::new();
    for round in 0..24 {
        let handler = ["spin", "allocate", "recurse", "never_settle", "echo", "echo"][round % 6];
        let input = json!({"round": round});
        let (guest, limits) = (guest.clone(), limits.clone());
        attempts.spawn(async move {
            let report = guest.run(&format!("hostile.{handler}"), input.clone(), limits).await;
            if handler == "echo" {
                assert_eq!(result(report)["input"], input);
            }
        });
    }
    while let Some(attempt) = attempts.join_next().await {
        attempt.unwrap();
    }
}
