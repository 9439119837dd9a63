//! A host of several processes: one that keeps, and workers that run steps.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tasker_wasm_host::store::TaskState;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, wait_for};
use uuid::Uuid;

const TWO: &str = "[worker]\nprocesses = 2\n";

async fn host(database: &TestDatabase, config: &str) -> (HostProcess, Vec<Pid>) {
    let mut host = HostProcess::start(database, Settings { packages: &["linear", "probe"], config }).await;
    let workers = host.workers();
    assert_eq!(workers.len(), 2);
    (host, workers)
}

fn is_running(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

async fn gone(pids: &[Pid]) {
    while pids.iter().any(|pid| is_running(*pid)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn every_worker_runs_steps_and_the_api_speaks_for_all() {
    let database = TestDatabase::create().await;
    let (host, _) = host(&database, TWO).await;
    let api = host.api();
    let tasks = sleepers(&host, 40, 300).await;
    let busy = api.get("/metrics/worker").await.ok();
    assert_eq!(busy["metrics"]["slots"]["value"], json!(128.0), "the slots of the host, divided among its workers");
    let mut hosts = HashSet::new();
    for task in tasks {
        wait_for(&database.store, task, &["complete"]).await;
        let attempts = api.get(&format!("/v1/tasks/{task}/attempts")).await.ok();
        hosts.insert(attempts[0]["host"].as_str().unwrap().to_owned());
    }
    assert_eq!(hosts.len(), 2, "{hosts:?}");
    let metrics = api.get("/metrics").await;
    let text = metrics.body.as_str().unwrap();
    let counted: u64 = text
        .lines()
        .filter(|line| line.starts_with("tasker_attempts_total{worker="))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(counted, 40, "{text}");
    database.drop().await;
}

/// Creates tasks over the API that sleep so long.
async fn sleepers(host: &HostProcess, count: usize, ms: u64) -> Vec<Uuid> {
    let mut tasks = Vec::new();
    for n in 0..count {
        let task = json!({
            "name": "sleep", "namespace": "probe", "version": "1.0.0", "context": {"ms": ms}, "initiator": "ada",
            "source_system": "tests", "reason": "a test", "idempotency_key": format!("{ms} {n}"),
        });
        let task = host.api().post("/v1/tasks", &task).await.ok();
        tasks.push(task["task_uuid"].as_str().unwrap().parse().unwrap());
    }
    tasks
}

#[tokio::test]
async fn the_first_step_of_a_task_is_claimed_for_a_worker_in_the_commit_that_creates_it() {
    let database = TestDatabase::create().await;
    let (host, _) = host(&database, TWO).await;
    let mut workers = HashSet::new();
    for task in sleepers(&host, 4, 1).await {
        wait_for(&database.store, task, &["complete"]).await;
        let (worker, commits): (String, i64) = sqlx::query_as(
            "select max(s.claimed_by), count(distinct t.xid) from tasker.changes t join tasker.steps s using (task_uuid)
            where task_uuid = $1 and t.from_state in ('pending', 'enqueued')",
        )
        .bind(task)
        .fetch_one(database.pool())
        .await
        .unwrap();
        assert_eq!(commits, 1);
        workers.insert(worker);
    }
    assert_eq!(workers.len(), 2, "they take turns: {workers:?}");
    database.drop().await;
}

#[tokio::test]
async fn a_host_tells_the_others_of_tasks_that_it_does_not_serve() {
    let database = TestDatabase::create().await;
    let config = "[common.queues.pgmq]\npoll_interval_ms = 60000\n";
    let serving = HostProcess::start(&database, Settings { packages: &["diamond"], config }).await;
    for processes in [1, 2] {
        let config = format!("{config}[worker]\nprocesses = {processes}\n");
        let host = HostProcess::start(&database, Settings { packages: &["probe"], config: &config }).await;
        let create = async |n: usize| {
            let task = json!({
                "name": "diamond_pattern", "namespace": "diamond_workflow", "version": "1.0.0",
                "context": {"even_number": 6}, "initiator": "ada", "source_system": "tests", "reason": "a test",
                "idempotency_key": format!("{processes} {n}"),
            });
            host.api().post("/v1/tasks", &task).await.ok()["task_uuid"].as_str().unwrap().parse::<Uuid>().unwrap()
        };
        let first = create(0).await;
        let told = async {
            // What was told before the other listened it does not know.
            for n in 1.. {
                if database.store.task(first).await.unwrap().unwrap().status == TaskState::Complete {
                    return;
                }
                create(n).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), told).await.expect("it is told before it looks by itself");
        host.stop().await;
    }
    serving.stop().await;
    database.drop().await;
}

#[tokio::test]
async fn a_step_that_its_worker_has_no_room_for_is_put_back_and_runs_when_there_is_some() {
    let database = TestDatabase::create().await;
    let one_slot = format!("{TWO}[worker.mpsc_channels.handler_dispatch]\nmax_concurrent_handlers = 2\n");
    let (host, _) = host(&database, &one_slot).await;
    for task in sleepers(&host, 8, 200).await {
        wait_for(&database.store, task, &["complete"]).await;
    }
    let (put_back, lapsed): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where from_state = 'in_progress' and to_state = 'enqueued'),
            count(*) filter (where reason = 'its lease lapsed')
        from tasker.transitions",
    )
    .fetch_one(database.pool())
    .await
    .unwrap();
    assert!(put_back > 0 && lapsed == 0, "{put_back} were put back, {lapsed} lapsed");
    database.drop().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_is_back_within_a_second_and_the_other_does_not_notice() {
    let database = TestDatabase::create().await;
    let short_leases = format!("{TWO}[common.queues]\ndefault_visibility_timeout_seconds = 3\n");
    let (mut host, workers) = host(&database, &short_leases).await;
    let tasks = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 1500}"#, 20).await;
    loop {
        let steps: Vec<_> = database.store.steps(tasks[19]).await.unwrap();
        if steps[0].claimed_by.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (victim, signal) in [(workers[0], Signal::SIGKILL), (workers[1], Signal::SIGSEGV)] {
        let other: Vec<_> = host.workers().into_iter().filter(|worker| *worker != victim).collect();
        let died = Instant::now();
        // The handler of a SIGSEGV takes the first for a fault that will come again, and steps aside.
        while is_running(victim) {
            kill(victim, signal).unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        host.wait_for_line("starting it again").await;
        host.wait_for_line("a worker process claims steps").await;
        eprintln!("back after {} ms", died.elapsed().as_millis());
        assert!(other.iter().all(|other| is_running(*other)));
    }
    for task in tasks {
        let view = wait_for(&database.store, task, &["complete"]).await;
        assert_eq!(view.completed_steps, view.total_steps);
    }
    database.drop().await;
}

#[tokio::test]
async fn workers_drain_together_and_none_is_left_behind() {
    let database = TestDatabase::create().await;
    let (mut host, workers) = host(&database, TWO).await;
    let tasks = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 500}"#, 8).await;
    // A step whose handler has not begun would be put back.
    for _ in &tasks {
        host.wait_for_line("handler: sleeping").await;
    }
    host.signal(Signal::SIGTERM);
    let (status, log) = host.ended().await;
    assert!(status.success(), "{log}");
    assert!(workers.iter().all(|worker| !is_running(*worker)), "{log}");
    for task in tasks {
        assert_eq!(database.store.task(task).await.unwrap().unwrap().status.as_str(), "complete");
    }
    database.drop().await;
}

#[tokio::test]
async fn workers_whose_first_process_is_killed_end_by_themselves() {
    let database = TestDatabase::create().await;
    let (host, workers) = host(&database, TWO).await;
    host.signal(Signal::SIGKILL);
    host.ended().await;
    gone(&workers).await;
    let task = create_tasks(&database.store, "probe", "sleep", r#"{"ms": 1}"#, 1).await[0];
    let _next = HostProcess::start(&database, Settings { packages: &["probe"], config: "" }).await;
    wait_for(&database.store, task, &["complete"]).await;
    database.drop().await;
}

#[tokio::test]
async fn a_worker_may_gain_nothing_and_leaves_no_core() {
    let database = TestDatabase::create().await;
    let (_host, workers) = host(&database, TWO).await;
    for worker in workers {
        let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
        assert!(status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"])), "{status}");
        let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    }
    database.drop().await;
}
