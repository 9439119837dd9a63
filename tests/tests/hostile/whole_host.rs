//! Hostile handlers in a whole host: each fails its own step with its own error, the same host runs the next step, and its
//! log can be read.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tasker_wasm_host::store::StepView;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, error, result, step, wait_for};
use uuid::Uuid;

use super::plain::refused;

#[tokio::test]
async fn every_misbehaviour_fails_its_own_step_with_its_own_error_and_the_host_goes_on() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["hostile"], config: "" }).await;
    let task = create_tasks(&database.store, "hostile", "every_misbehaviour", r#"{"lines": 2000}"#, 1).await[0];
    wait_for(&database.store, task, &["blocked_by_failures"]).await;

    let steps = at_rest(&database, task).await;
    let ended: BTreeMap<&str, String> = steps
        .iter()
        .map(|step| {
            let results = step.results.as_ref().unwrap();
            let how = match &results.error {
                Some(error) => {
                    let error: Value = serde_json::from_str(error.get()).unwrap();
                    error["error_type"].as_str().unwrap().to_owned()
                }
                None => step.current_state.to_string(),
            };
            (step.name.as_str(), how)
        })
        .collect();
    let expected = BTreeMap::from(
        [
            ("spin", "fuel_exhausted"),
            ("spin_microtasks", "fuel_exhausted"),
            ("allocate", "memory_limit_exceeded"),
            ("recurse", "InternalError"),
            ("throw_error", "ReactorError"),
            ("throw_permanent", "PermanentError"),
            ("throw_string", "String"),
            ("throw_undefined", "UnknownError"),
            ("throw_trap", "UnknownError"),
            ("return_nonsense", "invalid_result"),
            ("return_cycle", "SERIALIZATION_ERROR"),
            ("return_bigint", "SERIALIZATION_ERROR"),
            ("never_settle", "never_settled"),
            ("sleep_forever", "timeout"),
            ("throw_in_constructor", "handler_init_failed"),
            ("huge_result", "memory_limit_exceeded"),
            ("log_flood", "complete"),
            ("count_calls", "complete"),
            ("read_environment", "complete"),
            ("fetch", "TypeError"),
            ("no_such_handler", "handler_not_found"),
            ("no_such_method", "method_not_found"),
        ]
        .map(|(name, how)| (name, how.to_owned())),
    );
    assert_eq!(ended, expected);

    let next = create_tasks(&database.store, "hostile", "echo", r#"{"still": "here"}"#, 1).await[0];
    wait_for(&database.store, next, &["complete"]).await;
    let steps = database.store.steps(next).await.unwrap();
    let shout = steps.iter().find(|step| step.name == "shout").unwrap();
    let result: Value = serde_json::from_str(shout.results.as_ref().unwrap().result.get()).unwrap();
    assert_eq!(result, json!({"input": r#"{"STILL":"HERE"}"#}));
    database.drop().await;
}

/// The steps of the task, once each is complete or failed.
async fn at_rest(database: &TestDatabase, task: Uuid) -> Vec<StepView> {
    loop {
        let steps = database.store.steps(task).await.unwrap();
        if steps.iter().all(|step| ["complete", "error"].contains(&step.current_state.as_str())) {
            return steps;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_failure_is_stored_as_the_contract_words_it() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["hostile", "probe"], config: "" }).await;
    let tasks = [
        create_tasks(&database.store, "hostile", "every_misbehaviour", r#"{"lines": 1}"#, 1).await[0],
        create_tasks(&database.store, "probe", "fails", "{}", 1).await[0],
    ];
    let mut steps = Vec::new();
    for task in tasks {
        wait_for(&database.store, task, &["blocked_by_failures"]).await;
        steps.extend(at_rest(&database, task).await);
    }
    // How it ended, its type, whether it may be tried again, and its message.
    for (name, status, error_type, retryable, message) in [
        ("refuse", "failed", "permanent_error", false, "no"),
        ("throw_error", "failed", "ReactorError", true, "boom"),
        ("throw_permanent", "failed", "PermanentError", false, "no use trying again"),
        ("throw_string", "failed", "String", true, "just a string"),
        ("return_nonsense", "failed", "invalid_result", false, "returned a number, not a StepHandlerResult"),
        ("return_bigint", "failed", "SERIALIZATION_ERROR", false, "BigInt"),
        ("no_such_handler", "error", "handler_not_found", false, "hostile.no_such_handler"),
        ("no_such_method", "error", "method_not_found", false, "whisper"),
        ("throw_in_constructor", "error", "handler_init_failed", false, "could not be constructed"),
        ("sleep_forever", "error", "timeout", true, "within 1 s"),
        ("spin", "error", "fuel_exhausted", false, "300000000 units of fuel"),
        ("allocate", "error", "memory_limit_exceeded", false, "128 MiB"),
    ] {
        let step = step(&steps, name);
        let results = step.results.as_ref().unwrap();
        let error = error(step);
        assert_eq!((results.success, results.status.as_str()), (false, status), "{name}");
        assert_eq!(results.result.get(), "{}", "{name}");
        assert_eq!(
            (&error["error_type"], &error["retryable"]),
            (&json!(error_type), &json!(retryable)),
            "{name}: {error}"
        );
        assert_eq!(
            (results.metadata.error_type.as_deref(), results.metadata.retryable),
            (Some(error_type), retryable),
            "{name}"
        );
        assert!(error["message"].as_str().unwrap().contains(message), "{name}: {error}");
    }
    let told = |name| serde_json::from_str::<Value>(step(&steps, name).results.as_ref().unwrap().metadata.custom.get());
    assert_eq!(told("refuse").unwrap(), json!({"asked": true}));
    assert_eq!(error(step(&steps, "refuse"))["error_code"], "E_NO");
    assert_eq!(told("throw_permanent").unwrap(), json!({"account": "A-1"}));
    assert!(told("return_bigint").unwrap()["custom"]["ffi_serialization_error"].as_str().unwrap().contains("BigInt"));
    let backtrace = &error(step(&steps, "throw_error"))["backtrace"];
    assert!(backtrace[0].as_str().unwrap().contains("throwing.ts"), "{backtrace}");
    database.drop().await;
}

#[tokio::test]
async fn what_handlers_log_stays_within_its_bounds_and_on_its_own_lines() {
    let database = TestDatabase::create().await;
    let host = HostProcess::start(&database, Settings { packages: &["hostile"], config: "" }).await;
    let task = create_tasks(&database.store, "hostile", "every_log", r#"{"lines": 3000}"#, 1).await[0];
    wait_for(&database.store, task, &["blocked_by_failures", "complete"]).await;
    for name in ["log_flood", "log_bytes", "log_escapes", "log_forged_lines", "log_huge_fields", "log_deep_fields"] {
        let steps = database.store.steps(task).await.unwrap();
        assert_eq!(steps.iter().find(|step| step.name == name).unwrap().current_state.as_str(), "complete", "{name}");
    }
    host.signal(Signal::SIGTERM);
    let (_, log) = host.ended().await;

    for line in log.lines() {
        assert!(!line.contains(|char: char| char.is_control()), "{line:?}");
        assert!(!line.contains(['\u{202e}', '\u{2066}', '\u{2028}']), "{line:?}");
        // Every line begins with the host's own time, and none with one that a handler wrote.
        assert!(line.get(..5).is_some_and(|start| start.starts_with("20") && start.ends_with('-')), "{line:?}");
        assert!(!line.starts_with("2026-01-01T00:00:00.000000Z"), "{line:?}");
        assert!(line.len() < 300 << 10, "a line of {} bytes", line.len());
    }
    let forged: Vec<_> = log.lines().filter(|line| line.contains("the database is gone")).collect();
    assert!(!forged.is_empty() && forged.iter().all(|line| line.contains("hostile.log_forged_lines")), "{forged:?}");
    let flood = log.lines().filter(|line| line.contains("flood flood")).count();
    assert_eq!(flood, 1_000);
    for suppressed in ["2000 log records", "18 log records", "2 log records"] {
        assert!(log.contains(&format!("{suppressed} of this attempt were suppressed")), "{suppressed}");
    }
    // What was handed over without the SDK is shown as text, and two of log_raw's four calls never reached the host.
    assert!(log.contains("raw fields") && log.contains("raw list") && !log.contains("shout"));
    database.drop().await;
}

#[tokio::test]
async fn a_tenant_with_the_client_gets_nothing_of_another_tenant() {
    let database = TestDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    let grants = format!(
        r#"
        [worker.namespaces.hostile_granted.grants]
        http = [{{ url = "http://*" }}, {{ url = "https://*" }}]
        mounts = [{{ path = "/data", directory = {directory:?} }}, {{ path = "/out", directory = {directory:?}, access = "read-write" }}]
        env = {{ REGION = "eu-west-1" }}
        secrets = {{ API_KEY = {{ value = "never-used", urls = ["https://friend.example"] }} }}
        client = true
        "#
    );
    let _host =
        HostProcess::start(&database, Settings { packages: &["hostile", "hostile/granted"], config: &grants }).await;
    let theirs = create_tasks(&database.store, "hostile", "echo", r#"{"secret": "of theirs"}"#, 1).await[0];
    wait_for(&database.store, theirs, &["complete"]).await;
    let steps = database.store.steps(theirs).await.unwrap();
    let before = format!("{:?} {steps:?}", database.store.task(theirs).await.unwrap());

    let input = json!({"task": theirs, "step": steps[0].step_uuid}).to_string();
    let ours = create_tasks(&database.store, "hostile_granted", "tenants", &input, 1).await[0];
    wait_for(&database.store, ours, &["complete", "blocked_by_failures"]).await;

    for step in &database.store.steps(ours).await.unwrap() {
        let seen = result(step);
        assert!(seen.as_object().unwrap().values().all(refused), "{}: {seen}", step.name);
        assert!(!seen.to_string().contains("of theirs"), "{}: {seen}", step.name);
    }
    let steps = database.store.steps(theirs).await.unwrap();
    assert_eq!(format!("{:?} {steps:?}", database.store.task(theirs).await.unwrap()), before);
    database.drop().await;
}
