use std::time::Duration;

use serde_json::Value;
use sqlx::Executor;
use tasker_wasm_host::store::{Acceptance, HealthStatus, StepState, TaskState, Verdict};

use super::support::{Bench, failed, finished, plan, raw, request, succeeded, template_of, to_be_retried};

#[tokio::test]
async fn a_linear_task_runs_in_order_and_completes() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0]), ("c", &[1])]).await;
    for name in ["a", "b", "c"] {
        let step = bench.claim_one().await;
        assert_eq!(step.name, name);
        let report = bench.complete(&[step]).await;
        assert_eq!(report.accepted, [Acceptance::Accepted]);
        match name {
            "c" => assert_eq!((report.enqueued, report.tasks[0].state), (0, TaskState::Complete)),
            _ => assert_eq!((report.enqueued, report.tasks.len()), (1, 0)),
        }
    }
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!(view.status, TaskState::Complete);
    assert!(view.completed_at.is_some());
    assert_eq!(bench.messages().await, 0);
    assert_eq!(
        bench.transitions(task.steps[1].step_uuid).await,
        ["pending>enqueued", "enqueued>in_progress", "in_progress>complete"]
    );
}

#[tokio::test]
async fn a_fan_in_is_queued_once_under_many_completers() {
    let bench = Bench::with_connections(8).await;
    let mut steps: Vec<(String, Vec<usize>)> = (0..64).map(|i| (format!("s{i}"), vec![])).collect();
    steps.push(("join".into(), (0..64).collect()));
    let steps: Vec<(&str, &[usize])> = steps.iter().map(|(name, parents)| (name.as_str(), &parents[..])).collect();
    let tasks: Vec<_> = (0..4).map(|_| bench.plan(&steps)).collect();
    bench.store.create_tasks(&tasks).await.unwrap();

    let claimed = bench.claim(256).await;
    assert_eq!(claimed.len(), 256);
    // Every completer has steps of every task, in an order of its own.
    let shares: Vec<Vec<_>> = (0..8)
        .map(|share| {
            let mut own: Vec<_> = claimed.iter().skip(share).step_by(8).map(succeeded).collect();
            own.rotate_left(share * 3);
            own
        })
        .collect();
    let reports = futures::future::join_all(shares.iter().map(|share| async {
        let mut enqueued = 0;
        for batch in share.chunks(4) {
            enqueued += bench.store.complete_steps(batch).await.unwrap().enqueued;
        }
        enqueued
    }))
    .await;
    assert_eq!(reports.iter().sum::<u32>(), 4);

    let joins = bench.claim(10).await;
    assert_eq!(joins.len(), 4);
    let report = bench.complete(&joins).await;
    assert_eq!(report.tasks.len(), 4);
    assert_eq!(bench.number("select count(*) from tasker.steps where pending_parents <> 0").await, 0);
}

#[tokio::test]
async fn a_hundred_results_are_one_commit() {
    let bench = Bench::new().await;
    let tasks: Vec<_> = (0..100).map(|_| bench.plan(&[("a", &[]), ("b", &[0])])).collect();
    bench.store.create_tasks(&tasks).await.unwrap();
    let report = bench.complete(&bench.claim(100).await).await;
    assert_eq!((report.enqueued, report.refused()), (100, 0));
    assert_eq!(bench.number("select count(distinct xmin::text) from tasker.attempts").await, 1);
}

#[tokio::test]
async fn a_stale_claim_changes_nothing() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0])]).await;
    let stale = bench.claim_one().await;
    bench.lapse_leases().await;
    let current = bench.claim_one().await;

    let report = bench.store.complete_steps(&[succeeded(&stale)]).await.unwrap();
    assert_eq!((report.accepted.as_slice(), report.refused(), report.enqueued), (&[Acceptance::Refused][..], 1, 0));
    assert_eq!(bench.state(&task, 0).await, StepState::InProgress);
    assert_eq!(bench.messages().await, 1, "the current claim keeps its message");

    // Old and new in one batch, each sent twice: one counts.
    let batch = [succeeded(&stale), succeeded(&current), succeeded(&current)];
    let report = bench.store.complete_steps(&batch).await.unwrap();
    assert_eq!((report.refused(), report.enqueued), (2, 1));
    let again = bench.store.complete_steps(&[succeeded(&current)]).await.unwrap();
    assert_eq!(again.refused(), 1);
    assert_eq!(bench.number("select count(*) from tasker.attempts").await, 1);
}

#[tokio::test]
async fn a_failure_blocks_the_task_and_what_depends_on_it() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0])]).await;
    let step = bench.claim_one().await;
    let report = bench.store.complete_steps(&[failed(&step)]).await.unwrap();
    assert_eq!(report.tasks[0].task_uuid, task.task_uuid);
    assert_eq!(report.tasks[0].state, TaskState::BlockedByFailures);
    assert_eq!(bench.state(&task, 0).await, StepState::Error);
    assert_eq!(bench.state(&task, 1).await, StepState::Pending);
    assert_eq!(bench.messages().await, 0);
}

#[tokio::test]
async fn a_branch_that_does_not_depend_on_a_failure_goes_on() {
    let bench = Bench::new().await;
    let task = bench.task(&[("bad", &[]), ("good", &[]), ("better", &[1])]).await;
    let claimed = bench.claim(2).await;
    let report = bench.store.complete_steps(&[failed(&claimed[0]), succeeded(&claimed[1])]).await.unwrap();
    assert_eq!(report.enqueued, 1);
    let better = bench.claim_one().await;
    assert_eq!(better.name, "better");
    assert!(bench.complete(&[better]).await.tasks.is_empty());
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!(view.status, TaskState::BlockedByFailures);
}

#[tokio::test]
async fn a_failure_and_the_last_sink_in_one_batch_block_the_task() {
    let bench = Bench::new().await;
    bench.task(&[("bad", &[]), ("good", &[])]).await;
    let claimed = bench.claim(2).await;
    let report = bench.store.complete_steps(&[succeeded(&claimed[1]), failed(&claimed[0])]).await.unwrap();
    assert_eq!(report.tasks.len(), 1);
    assert_eq!(report.tasks[0].state, TaskState::BlockedByFailures);
}

#[tokio::test]
async fn a_retry_leaves_the_queue_and_the_task_alone() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await;
    let step = bench.claim_one().await;
    let retry = to_be_retried(&step, Duration::from_millis(1_500));
    let report = bench.store.complete_steps(&[retry]).await.unwrap();
    assert_eq!(report.next_retry, Some(Duration::from_millis(1_500)));
    assert_eq!(bench.messages().await, 0);
    assert_eq!(bench.state(&task, 0).await, StepState::WaitingForRetry);
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!((view.status, view.health_status), (TaskState::WaitingForRetry, HealthStatus::Recovering));
}

#[tokio::test]
async fn successors_of_several_namespaces_go_to_their_own_queues() {
    let bench = Bench::new().await;
    let smithy = bench.store.register_template(&template_of("smithy")).await.unwrap();
    let tasks = [bench.plan(&[("a", &[]), ("b", &[0])]), plan(smithy, "smithy", &[("c", &[]), ("d", &[0])])];
    bench.store.create_tasks(&tasks).await.unwrap();
    let claimed = bench.store.claim_steps(&request(&["bakery", "smithy"], 10)).await.unwrap();
    assert_eq!(bench.complete(&claimed).await.enqueued, 2);
    let of_smithy = bench.store.claim_steps(&request(&["smithy"], 10)).await.unwrap();
    assert_eq!(of_smithy.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["d"]);
}

#[tokio::test]
async fn a_result_that_cannot_be_stored_fails_its_own_step_only() {
    let bench = Bench::new().await;
    let task = bench.task(&[("deep", &[]), ("fine", &[]), ("nul", &[])]).await;
    let claimed = bench.claim(3).await;
    let deep = raw(&format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)));
    let mut nul = failed(&claimed[2]);
    nul.attempt.error_type = Some("a\0b".into());
    let batch = [finished(&claimed[0].lease, Verdict::Complete { result: deep }, None), succeeded(&claimed[1]), nul];
    let report = bench.store.complete_steps(&batch).await.unwrap();
    assert_eq!(report.refused(), 0);

    let steps = bench.store.steps(task.task_uuid).await.unwrap();
    let states: Vec<_> = steps.iter().map(|step| step.current_state).collect();
    assert_eq!(states, [StepState::Error, StepState::Complete, StepState::Error]);
    let error: Value = serde_json::from_str(steps[0].results.as_ref().unwrap().error.as_ref().unwrap().get()).unwrap();
    assert_eq!(error["error_type"], "unstorable_result");
}

#[tokio::test]
async fn no_batch_does_nothing() {
    let bench = Bench::new().await;
    let report = bench.store.complete_steps(&[]).await.unwrap();
    assert!(report.accepted.is_empty() && report.tasks.is_empty());
}

#[tokio::test]
async fn completing_while_leases_are_renewed_and_lapse_loses_nothing() {
    let bench = Bench::with_connections(8).await;
    let tasks: Vec<_> = (0..60).map(|_| bench.plan(&[("a", &[]), ("b", &[0]), ("c", &[0]), ("d", &[1, 2])])).collect();
    bench.store.create_tasks(&tasks).await.unwrap();
    let workers = (0..6).map(|_| async {
        while bench.number("select count(*) from tasker.tasks where state <> 'complete'").await > 0 {
            let claimed = bench.claim(7).await;
            let leases: Vec<_> = claimed.iter().map(|step| step.lease.clone()).collect();
            let completions: Vec<_> = claimed.iter().map(succeeded).collect();
            bench.lapse_leases_if_unlocked().await;
            let (renewed, completed) = tokio::join!(
                bench.store.renew_leases(&leases, Duration::from_millis(1)),
                bench.store.complete_steps(&completions)
            );
            renewed.unwrap();
            completed.unwrap();
        }
    });
    futures::future::join_all(workers).await;
    assert_eq!(bench.number("select count(*) from tasker.steps where state <> 'complete'").await, 0);
    assert_eq!(bench.number("select count(*) from tasker.attempts").await, 240);
    // Whatever messages are left are of finished steps.
    bench.pool.execute("update pgmq.q_worker_bakery_queue set vt = clock_timestamp()").await.unwrap();
    assert!(bench.claim(100).await.is_empty());
    assert_eq!(bench.messages().await, 0);
}
