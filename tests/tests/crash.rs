//! What is left when a host dies or is told to stop: nothing is lost, nothing is done twice, nothing stays behind.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::collections::HashSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, wait_for};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

/// A lease short enough that a test need not wait long for it to lapse.
const SHORT_LEASE: &str = "[common.queues]\ndefault_visibility_timeout_seconds = 3\n";

#[tokio::test]
async fn a_host_killed_in_the_middle_of_200_tasks_loses_nothing_and_repeats_no_result() {
    let database = TestDatabase::create().await;
    let settings = || Settings { packages: &["linear"], config: SHORT_LEASE };
    let host = HostProcess::start(&database, settings()).await;
    let context = r#"{"even_number": 4}"#;
    let tasks = create_tasks(&database.store, "linear_workflow", "mathematical_sequence", context, 200).await;

    // Well into the work, and well before its end.
    let committed = || async {
        let query = "select count(*) from tasker.attempts";
        sqlx::query_scalar::<_, i64>(query).fetch_one(database.pool()).await.unwrap()
    };
    while committed().await < 100 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    host.signal(Signal::SIGKILL);
    let (status, _) = host.ended().await;
    assert_eq!(status.code(), None, "killed, not ended");
    let before = committed().await;
    assert!(before < 800, "the host had finished before it was killed");

    let _second = HostProcess::start(&database, settings()).await;
    for task in &tasks {
        let view = wait_for(&database.store, *task, &["complete", "blocked_by_failures"]).await;
        assert_eq!(view.status.as_str(), "complete");
    }
    let results: Vec<(uuid::Uuid, String)> =
        sqlx::query_as("select step_uuid, outcome from tasker.attempts").fetch_all(database.pool()).await.unwrap();
    assert_eq!(results.len(), 800, "one committed result a step");
    assert_eq!(results.iter().map(|(step, _)| step).collect::<HashSet<_>>().len(), 800);
    assert!(results.iter().all(|(_, outcome)| outcome == "completed"));
    let completions = "select count(*) from tasker.changes where step_uuid is not null and to_state = 'complete'";
    let completions: i64 = sqlx::query_scalar(completions).fetch_one(database.pool()).await.unwrap();
    assert_eq!(completions, 800, "each step completed once");
    database.drop().await;
}

#[tokio::test]
async fn a_host_killed_while_it_begins_with_the_tasks_it_creates_loses_none_that_it_has_confirmed() {
    let database = TestDatabase::create().await;
    for processes in [1, 2] {
        let config = format!("{SHORT_LEASE}\n[worker]\nprocesses = {processes}\n");
        let settings = || Settings { packages: &["linear"], config: &config };
        let host = HostProcess::start(&database, settings()).await;
        let (confirmed, mut heard) = mpsc::unbounded_channel();
        let mut clients = JoinSet::new();
        for _ in 0..4 {
            let (api, confirmed) = (host.api().fresh(), confirmed.clone());
            clients.spawn(async move {
                loop {
                    let task = json!({
                        "name": "mathematical_sequence", "namespace": "linear_workflow", "version": "1.0.0",
                        "context": {"even_number": 4}, "initiator": "test", "source_system": "test",
                        "reason": "a test", "idempotency_key": Uuid::now_v7(),
                    });
                    let answer = api.post("/v1/tasks", &task).await;
                    confirmed.send(answer.body["task_uuid"].as_str().unwrap().parse::<Uuid>().unwrap()).unwrap();
                }
            });
        }
        let mut tasks = Vec::new();
        heard.recv_many(&mut tasks, 1).await;
        while tasks.len() < 100 {
            heard.recv_many(&mut tasks, 100).await;
        }
        host.signal(Signal::SIGKILL);
        host.ended().await;
        // A client ends when nobody answers it.
        while clients.join_next().await.is_some() {}
        drop(confirmed);
        while heard.recv_many(&mut tasks, 100).await > 0 {}

        let second = HostProcess::start(&database, settings()).await;
        for task in &tasks {
            let view = wait_for(&database.store, *task, &["complete", "blocked_by_failures"]).await;
            assert_eq!(view.status.as_str(), "complete");
        }
        second.stop().await;
    }
    let twice = "select count(*) from (
        select from tasker.changes where step_uuid is not null and to_state = 'complete'
        group by step_uuid having count(*) > 1
    ) twice";
    assert_eq!(sqlx::query_scalar::<_, i64>(twice).fetch_one(database.pool()).await.unwrap(), 0);
    database.drop().await;
}

#[tokio::test]
async fn sigterm_lets_running_steps_finish_and_claims_no_more() {
    let database = TestDatabase::create().await;
    let config = "[worker.mpsc_channels.handler_dispatch]\nmax_concurrent_handlers = 2\n";
    let mut host = HostProcess::start(&database, Settings { packages: &["probe"], config }).await;
    let tasks = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 500}"#, 6).await;
    host.wait_for_line("sleeping").await;
    host.wait_for_line("sleeping").await;
    host.signal(Signal::SIGTERM);
    let (status, log) = host.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let states = states(&database).await;
    let count = |state: &str| states.iter().filter(|found| *found == state).count();
    assert_eq!(count("in_progress"), 0, "{states:?}");
    assert!(count("complete") >= 2 && count("enqueued") >= 2, "{states:?}");
    assert_eq!(states.len(), tasks.len());
    database.drop().await;
}

#[tokio::test]
async fn steps_that_outlast_the_drain_are_put_back_and_spend_no_attempt() {
    let database = TestDatabase::create().await;
    let config = "[orchestration]\nshutdown_timeout_ms = 200\n";
    let mut host = HostProcess::start(&database, Settings { packages: &["probe"], config }).await;
    let task = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 20000}"#, 1).await[0];
    host.wait_for_line("sleeping").await;
    host.signal(Signal::SIGINT);
    let (status, log) = host.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let steps = database.store.steps(task).await.unwrap();
    assert_eq!((steps[0].current_state.as_str(), steps[0].attempts), ("enqueued", 0));
    database.drop().await;
}

#[tokio::test]
async fn a_step_that_outlives_many_leases_is_run_once() {
    let database = TestDatabase::create().await;
    let config = "[common.queues]\ndefault_visibility_timeout_seconds = 3\n";
    let settings = || Settings { packages: &["probe"], config };
    let _first = HostProcess::start(&database, settings()).await;
    let _second = HostProcess::start(&database, settings()).await;
    let task = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 7000}"#, 1).await[0];
    wait_for(&database.store, task, &["complete"]).await;
    let claims: i32 = sqlx::query_scalar("select claims from tasker.steps").fetch_one(database.pool()).await.unwrap();
    assert_eq!(claims, 1);
    database.drop().await;
}

async fn states(database: &TestDatabase) -> Vec<String> {
    let states = "select s.state::text from tasker.tasks t cross join lateral tasker.steps_of(t.task_uuid) s";
    sqlx::query_scalar(states).fetch_all(database.pool()).await.unwrap()
}
