//! Workflows from a task to its results, through a host process, a real database and real components.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use serde_json::json;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, error, result, step, wait_for};

#[tokio::test]
async fn a_linear_task_runs_its_steps_in_order_and_hands_results_on() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["linear"], config: "" }).await;
    let context = r#"{"even_number": 6}"#;
    let task = create_tasks(&database.store, "linear_workflow", "mathematical_sequence", context, 1).await[0];

    let view = wait_for(&database.store, task, &["complete", "blocked_by_failures"]).await;
    assert_eq!(view.status.as_str(), "complete");
    assert_eq!((view.total_steps, view.completed_steps), (4, 4));
    assert!(view.completed_at.is_some());

    let steps = database.store.steps(task).await.unwrap();
    assert_eq!(result(step(&steps, "linear_step_4"))["result"], json!(6_i64.pow(16)));
    for step in &steps {
        assert_eq!((step.current_state.as_str(), step.attempts), ("complete", 1), "{}", step.name);
        let usage = &step.last_attempt.as_ref().unwrap().usage;
        assert!(usage.fuel > 0 && usage.peak_memory_bytes > 0 && usage.total_us > 0, "{usage:?}");
        assert!(usage.instantiate_us + usage.guest_us <= usage.total_us, "{usage:?}");
    }
    let changes = database.store.transitions(task, 0).await.unwrap();
    let order: Vec<_> = changes
        .iter()
        .filter(|change| change.to_state == "complete")
        .map(|change| change.step.clone().unwrap_or_else(|| "task".into()))
        .collect();
    assert_eq!(order, ["linear_step_1", "linear_step_2", "linear_step_3", "linear_step_4", "task"]);
    database.drop().await;
}

#[tokio::test]
async fn a_diamond_task_joins_its_branches_once() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["diamond"], config: "" }).await;
    let context = r#"{"even_number": 2}"#;
    let tasks = create_tasks(&database.store, "diamond_workflow", "diamond_pattern", context, 20).await;
    for task in tasks {
        wait_for(&database.store, task, &["complete"]).await;
        let steps = database.store.steps(task).await.unwrap();
        assert_eq!(steps.len(), 4);
        for step in &steps {
            assert_eq!((step.current_state.as_str(), step.attempts), ("complete", 1), "{}", step.name);
        }
        let end = steps.iter().find(|step| step.dependencies.len() == 2).expect("a step joins the branches");
        assert_eq!(result(end)["result"], json!(256), "2 squared, squared again by both branches, their product");
    }
    database.drop().await;
}

#[tokio::test]
async fn a_handler_sees_the_event_that_upstream_handlers_expect() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["probe"], config: "" }).await;
    let task = create_tasks(&database.store, "probe", "flaky", r#"{"failures": 0}"#, 1).await[0];
    wait_for(&database.store, task, &["complete"]).await;
    let steps = database.store.steps(task).await.unwrap();
    let event = result(step(&steps, "after"))["event"].clone();
    assert_eq!(event["taskUuid"], json!(task.to_string()));
    assert_eq!(event["task"]["context"], json!({"failures": 0}));
    assert_eq!(event["task"]["namespace"], json!("probe"));
    assert_eq!(event["workflowStep"]["attempts"], json!(0));
    assert_eq!(event["workflowStep"]["maxAttempts"], json!(3));
    assert_eq!(event["stepDefinition"]["dependencies"], json!(["flaky"]));
    assert_eq!(event["stepDefinition"]["backoff"], json!("exponential"));
    assert_eq!(event["dependencyResults"]["flaky"]["result"], json!({"attempts": 0}));
    database.drop().await;
}

#[tokio::test]
async fn a_handler_is_found_by_name_and_method_by_the_path_of_its_module_and_by_a_resolver_of_its_package() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["found"], config: "" }).await;
    let task = create_tasks(&database.store, "found", "every_way", "{}", 1).await[0];

    wait_for(&database.store, task, &["complete"]).await;
    let steps = database.store.steps(task).await.unwrap();
    for (name, expected) in [
        ("by_name", json!({"found": "by name"})),
        ("by_method", json!({"found": "by method"})),
        ("by_path", json!({"found": "by path"})),
        ("by_resolver", json!({"found": "by resolver", "product": 6})),
    ] {
        assert_eq!(result(step(&steps, name)), expected, "{name}");
    }
    database.drop().await;
}

#[tokio::test]
async fn a_retryable_failure_runs_again_after_the_templates_backoff() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["probe"], config: "" }).await;
    let task = create_tasks(&database.store, "probe", "flaky", r#"{"failures": 2}"#, 1).await[0];
    wait_for(&database.store, task, &["complete"]).await;
    let steps = database.store.steps(task).await.unwrap();
    let flaky = step(&steps, "flaky");
    assert_eq!((flaky.attempts, result(flaky)["attempts"].clone()), (3, json!(2)));
    assert_eq!(flaky.attempt_totals.count, 3);
    let waits: Vec<_> = database
        .store
        .transitions(task, 0)
        .await
        .unwrap()
        .windows(2)
        .filter(|pair| pair[0].to_state == "waiting_for_retry")
        .map(|pair| (pair[1].at - pair[0].at).num_milliseconds())
        .collect();
    assert_eq!(waits.len(), 2);
    // 50 and 100 ms, 15 % of jitter either way; no upper bound, because a busy machine may be late.
    assert!(waits[0] >= 42 && waits[1] >= 84, "{waits:?}");
    database.drop().await;
}

#[tokio::test]
async fn retries_end_with_the_last_attempt() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["probe"], config: "" }).await;
    let task = create_tasks(&database.store, "probe", "flaky", r#"{"failures": 9}"#, 1).await[0];
    wait_for(&database.store, task, &["blocked_by_failures"]).await;
    let steps = database.store.steps(task).await.unwrap();
    let flaky = step(&steps, "flaky");
    assert_eq!((flaky.current_state.as_str(), flaky.attempts), ("error", 3));
    assert_eq!(error(flaky)["error_type"], json!("retryable_error"));
    assert_eq!(step(&steps, "after").current_state.as_str(), "pending");
    database.drop().await;
}

#[tokio::test]
async fn a_permanent_failure_blocks_the_task_and_what_depends_on_it_but_no_other_branch() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["probe"], config: "" }).await;
    let task = create_tasks(&database.store, "probe", "refuse", "{}", 1).await[0];
    let view = wait_for(&database.store, task, &["blocked_by_failures"]).await;
    assert_eq!(view.execution_status.as_str(), "blocked_by_failures");
    loop {
        let steps = database.store.steps(task).await.unwrap();
        if step(&steps, "independent_end").current_state.as_str() == "complete" {
            assert_eq!(step(&steps, "refuse").current_state.as_str(), "error");
            assert_eq!(step(&steps, "refuse").attempts, 1);
            assert_eq!(error(step(&steps, "refuse"))["message"], json!("no"));
            assert_eq!(step(&steps, "blocked").current_state.as_str(), "pending");
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    database.drop().await;
}

#[tokio::test]
async fn a_component_made_by_plain_jco_runs_beside_the_others() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["hello-jco"], config: "" }).await;
    let task = create_tasks(&database.store, "default", "hello", r#"{"name": "Ada"}"#, 1).await[0];
    wait_for(&database.store, task, &["complete"]).await;
    let steps = database.store.steps(task).await.unwrap();
    assert_eq!(result(&steps[0]), json!({"greeting": "Hello, Ada!"}));
    database.drop().await;
}
