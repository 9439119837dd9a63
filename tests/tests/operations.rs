//! What operators and misfortune do to running work, through host processes and the command line.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use nix::sys::signal::Signal;
use serde_json::json;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, error, run_cli, step, wait_for};

const SHORT_LEASES: &str = "[common.queues]\ndefault_visibility_timeout_seconds = 3\n";

#[tokio::test]
async fn the_handler_of_a_cancelled_task_is_told_then_stopped_and_nothing_of_it_counts() {
    let database = TestDatabase::create().await;
    let mut host = HostProcess::start(&database, Settings { packages: &["probe"], config: SHORT_LEASES }).await;
    let task = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 600000}"#, 1).await[0];
    host.wait_for_line("sleeping").await;
    let key = task.to_string();
    let (code, _, err) =
        run_cli(Some(&database), &["task", "cancel", &key, "--reason", "wrong file", "--by", "ada"]).await;
    assert_eq!(code, 0, "{err}");
    host.wait_for_line("the task was cancelled: telling its handler").await;
    host.wait_for_line("the lease was lost: aborting the attempt").await;

    let view = database.store.task(task).await.unwrap().unwrap();
    assert_eq!(view.status.as_str(), "cancelled");
    let steps = database.store.steps(task).await.unwrap();
    assert_eq!(step(&steps, "sleep").current_state.as_str(), "cancelled");
    let changes = database.store.transitions(task, 0).await.unwrap();
    let cancelled: Vec<_> = changes.iter().filter(|change| change.to_state == "cancelled").collect();
    assert_eq!(cancelled.len(), 2, "the task and its step");
    for change in cancelled {
        assert_eq!((change.actor.as_deref(), change.reason.as_deref()), (Some("ada"), Some("wrong file")));
    }
    host.signal(Signal::SIGTERM);
    assert_eq!(host.ended().await.0.code(), Some(0), "the slot is free again");
    database.drop().await;
}

#[tokio::test]
async fn a_step_that_brings_down_its_hosts_is_failed_and_not_run_for_ever() {
    let database = TestDatabase::create().await;
    let config = &format!("{SHORT_LEASES}[orchestration]\nmax_lapses = 1\n");
    let mut first = HostProcess::start(&database, Settings { packages: &["probe"], config }).await;
    let task = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 600000}"#, 1).await[0];
    first.wait_for_line("sleeping").await;
    first.signal(Signal::SIGKILL);
    first.ended().await;

    let _second = HostProcess::start(&database, Settings { packages: &["probe"], config }).await;
    wait_for(&database.store, task, &["blocked_by_failures"]).await;
    let steps = database.store.steps(task).await.unwrap();
    assert_eq!(error(step(&steps, "sleep"))["error_type"], json!("worker_unavailable"));
    database.drop().await;
}

#[tokio::test]
async fn a_paused_namespace_waits_until_it_is_resumed() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["probe", "linear"], config: "" }).await;
    let (code, _, err) = run_cli(Some(&database), &["namespace", "pause", "probe", "--reason", "an audit"]).await;
    assert_eq!(code, 0, "{err}");
    let waiting = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 1}"#, 1).await[0];
    let context = r#"{"even_number": 2}"#;
    let other = create_tasks(&database.store, "linear_workflow", "mathematical_sequence", context, 1).await[0];
    wait_for(&database.store, other, &["complete"]).await;
    let steps = database.store.steps(waiting).await.unwrap();
    assert_eq!((steps[0].current_state.as_str(), steps[0].attempts), ("enqueued", 0));
    run_cli(Some(&database), &["namespace", "resume", "probe"]).await;
    wait_for(&database.store, waiting, &["complete"]).await;
    database.drop().await;
}

#[tokio::test]
async fn a_failed_step_that_is_tried_again_lets_its_task_go_on() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["probe"], config: "" }).await;
    let task = create_tasks(&database.store, "probe", "flaky", r#"{"failures": 9}"#, 1).await[0];
    wait_for(&database.store, task, &["blocked_by_failures"]).await;
    let key = task.to_string();
    let retry = ["step", "retry", &key, "flaky", "--reason", "the network is back"];
    assert_eq!(run_cli(Some(&database), &retry).await.0, 0);
    wait_for(&database.store, task, &["blocked_by_failures"]).await;
    let resolve = ["step", "resolve", &key, "flaky", "--reason", "done by hand"];
    loop {
        // Until the second round of attempts has failed as well.
        if database.store.steps(task).await.unwrap()[0].attempt_totals.count == 6 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(run_cli(Some(&database), &resolve).await.0, 0);
    wait_for(&database.store, task, &["complete"]).await;
    let steps = database.store.steps(task).await.unwrap();
    assert_eq!(step(&steps, "flaky").current_state.as_str(), "resolved_manually");
    assert_eq!(step(&steps, "after").current_state.as_str(), "complete");
    database.drop().await;
}

#[tokio::test]
async fn the_same_request_twice_names_the_task_that_is_there() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["probe"], config: "" }).await;
    let create = ["task", "create", "sleep", "-n", "probe", "-c", r#"{"ms": 1}"#];
    let (code, first, err) = run_cli(Some(&database), &create).await;
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = run_cli(Some(&database), &create).await;
    assert_eq!(code, 1);
    assert!(err.contains(first.trim()) && err.contains("same context"), "{err}");
    let with_key = [&create[..], &["--key", "another"]].concat();
    assert_eq!(run_cli(Some(&database), &with_key).await.0, 0);
    database.drop().await;
}
