//! Handlers that loop, allocate, recurse, throw, lie or stall: each fails its own step with its own error, and the same
//! host runs the next step.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, wait_for};

#[tokio::test]
async fn every_misbehaviour_fails_its_own_step_with_its_own_error_and_the_host_goes_on() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["hostile"], config: "" }).await;
    let task = create_tasks(&database.store, "hostile", "every_misbehaviour", r#"{"lines": 2000}"#, 1).await[0];
    wait_for(&database.store, task, &["blocked_by_failures"]).await;

    let steps = loop {
        let steps = database.store.steps(task).await.unwrap();
        if steps.iter().all(|step| ["complete", "error"].contains(&step.current_state.as_str())) {
            break steps;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
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
