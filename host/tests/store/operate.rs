use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Executor;
use sqlx::postgres::PgListener;
use tasker_wasm_host::store::{
    Action, NewTask, OperateError, Operator, StepState, StepView, TaskState, TransitionView,
};
use tasker_wasm_host::template::FailureStrategy;
use uuid::Uuid;

use super::grow_task::{batch, growing_task, grown, growth, sinks_left, states, task_state};
use super::support::{Bench, failed, raw, succeeded, to_be_retried};

fn by() -> Operator {
    Operator { actor: "grace".into(), reason: "the oven was off".into() }
}

impl Bench {
    /// Fails the steps with these names; the others that were claimed with them succeed.
    async fn run_and_fail(&self, names: &[&str]) {
        let claimed = self.claim(100).await;
        let ends: Vec<_> = claimed
            .iter()
            .map(|step| if names.contains(&step.name.as_str()) { failed(step) } else { succeeded(step) })
            .collect();
        self.store.complete_steps(&ends).await.unwrap();
    }

    async fn run_all(&self) -> Vec<String> {
        let mut ran = Vec::new();
        loop {
            let claimed = self.claim(100).await;
            if claimed.is_empty() {
                return ran;
            }
            ran.extend(claimed.iter().map(|step| step.name.clone()));
            assert_eq!(self.complete(&claimed).await.refused(), 0);
        }
    }

    async fn step(&self, task: &NewTask, name: &str) -> StepView {
        let steps = self.store.steps(task.task_uuid).await.unwrap();
        steps.into_iter().find(|step| step.name == name).unwrap()
    }

    async fn key(&self, task: &NewTask, name: &str) -> Uuid {
        self.step(task, name).await.step_uuid
    }

    /// The changes that a person made: `subject from>to`.
    async fn by_hand(&self, task: &NewTask) -> Vec<String> {
        let changes = self.store.transitions(task.task_uuid, 0).await.unwrap();
        let by_hand = changes.into_iter().filter(|change| change.actor.is_some());
        by_hand
            .map(|TransitionView { step, from_state, to_state, actor, reason, .. }| {
                assert_eq!((actor.as_deref(), reason.as_deref()), (Some("grace"), Some("the oven was off")));
                format!("{} {from_state}>{to_state}", step.as_deref().unwrap_or("task"))
            })
            .collect()
    }

    /// No counter has gone astray: a task that is complete has no sink left, and nobody waits for what is done.
    async fn assert_sound(&self) {
        assert_eq!(
            self.number("select count(*) from tasker.tasks where state = 'complete' and sinks_left <> 0").await,
            0
        );
        let miscounted = "select count(*) from tasker.steps s where s.state = 'pending' and s.pending_parents <> (
                select count(*) from tasker.edges e join tasker.steps p on p.step_uuid = e.parent_uuid
                where e.child_uuid = s.step_uuid and not tasker.is_finished(p.state, p.batch_uuid)
            ) + (
                select count(*) from tasker.batches b where b.batch_uuid = s.batch_uuid and s.batch_place >= b.released
            )";
        assert_eq!(self.number(miscounted).await, 0);
        let window = "select count(*) from tasker.batches b where b.running <> (
                select count(*) from tasker.steps s where s.batch_uuid = b.batch_uuid and s.batch_place < b.released
                    and s.state in ('pending', 'enqueued', 'in_progress', 'waiting_for_retry')
            )";
        assert_eq!(self.number(window).await, 0);
    }
}

#[tokio::test]
async fn a_cancelled_task_ends_with_its_steps_and_says_who_and_why() {
    let bench = Bench::new().await;
    let task = bench.task(&[("done", &[]), ("runs", &[]), ("waits", &[1]), ("retries", &[])]).await;
    let claimed = bench.claim(10).await;
    let of = |name: &str| claimed.iter().find(|step| step.name == name).unwrap();
    let later = to_be_retried(of("retries"), Duration::from_secs(3_600));
    bench.store.complete_steps(&[succeeded(of("done")), later]).await.unwrap();
    let mut listener = PgListener::connect_with(&bench.pool).await.unwrap();
    listener.listen("tasker_cancel").await.unwrap();

    assert_eq!(bench.store.cancel_task(task.task_uuid, &by()).await.unwrap(), 3);
    assert_eq!(listener.recv().await.unwrap().payload(), task.task_uuid.to_string());
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!((view.status, view.completed_at.is_some()), (TaskState::Cancelled, true));
    assert_eq!(bench.state(&task, 0).await, StepState::Complete);
    for step in 1..4 {
        assert_eq!(bench.state(&task, step).await, StepState::Cancelled);
    }
    let mut changes = bench.by_hand(&task).await;
    changes.sort();
    assert_eq!(
        changes,
        [
            "retries waiting_for_retry>cancelled",
            "runs in_progress>cancelled",
            "task steps_in_process>cancelled",
            "waits pending>cancelled"
        ]
    );

    // What the attempt under way brings is refused, and its message is cleared away.
    assert_eq!(bench.store.complete_steps(&[succeeded(of("runs"))]).await.unwrap().refused(), 1);
    assert_eq!(bench.store.renew_leases(&[of("runs").lease.clone()], Duration::from_secs(9)).await.unwrap().len(), 1);
    bench.lapse_leases().await;
    assert!(bench.claim(10).await.is_empty());
    assert_eq!((bench.messages().await, bench.store.enqueue_due(10).await.unwrap().next_in), (0, None));
}

#[tokio::test]
async fn a_task_that_is_over_is_left_as_it_is() {
    let bench = Bench::new().await;
    let task = bench.task(&[]).await.task_uuid;
    let refused = |refusal: Result<_, OperateError>, wanted: Action| match refusal {
        Err(OperateError::TaskState { action, state: TaskState::Complete }) => assert_eq!(action, wanted),
        other => panic!("{other:?}"),
    };
    refused(bench.store.cancel_task(task, &by()).await.map(drop), Action::CancelTask);
    refused(bench.store.resolve_task_manually(task, &by()).await.map(drop), Action::ResolveTask);
    refused(bench.store.reset_task(task, &by()).await.map(drop), Action::ResetTask);

    let cancelled = bench.task(&[("a", &[])]).await;
    bench.store.cancel_task(cancelled.task_uuid, &by()).await.unwrap();
    let again = bench.store.cancel_task(cancelled.task_uuid, &by()).await.unwrap_err();
    assert!(matches!(again, OperateError::TaskState { state: TaskState::Cancelled, .. }), "{again}");
    let step = cancelled.steps[0].step_uuid;
    let refusal =
        bench.store.complete_step_manually(cancelled.task_uuid, step, &raw("1"), None, None, &by()).await.unwrap_err();
    assert!(matches!(refusal, OperateError::StateOfItsTask { state: TaskState::Cancelled, .. }), "{refusal}");

    let nobody = Uuid::now_v7();
    let unknown = bench.store.cancel_task(nobody, &by()).await.unwrap_err();
    assert!(matches!(unknown, OperateError::UnknownTask { task } if task == nobody), "{unknown}");
    let unknown = bench.store.reset_step_for_retry(cancelled.task_uuid, nobody, &by()).await.unwrap_err();
    assert!(matches!(unknown, OperateError::UnknownStep { step } if step == nobody), "{unknown}");
}

#[tokio::test]
async fn nothing_is_done_by_nobody_or_for_no_reason() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await.task_uuid;
    for (actor, reason, missing) in [("", "why", "who"), ("grace", " \t", "why")] {
        let nobody = Operator { actor: actor.into(), reason: reason.into() };
        let refusal = bench.store.cancel_task(task, &nobody).await.unwrap_err();
        assert!(matches!(refusal, OperateError::NotSaid { what } if what == missing), "{refusal}");
    }
    assert_eq!(bench.store.task(task).await.unwrap().unwrap().status, TaskState::StepsInProcess);
}

#[tokio::test]
async fn a_failed_step_that_is_retried_begins_anew_and_frees_its_task() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0])]).await;
    let first = bench.claim_one().await;
    bench.lapse_leases().await;
    let second = bench.claim_one().await;
    assert_eq!((first.lapses, second.lapses), (0, 1));
    let checkpoint =
        tasker_wasm_host::store::Checkpoint { cursor: raw("7"), items_processed: 7, accumulated_results: None };
    assert!(bench.store.save_checkpoint(&second.lease, &checkpoint).await.unwrap().is_some());
    bench.store.complete_steps(&[failed(&second)]).await.unwrap();
    let step = task.steps[0].step_uuid;
    let too_early = bench.store.reset_step_for_retry(task.task_uuid, task.steps[1].step_uuid, &by()).await.unwrap_err();
    assert!(matches!(too_early, OperateError::StepState { state: StepState::Pending, .. }), "{too_early}");

    let operated = bench.store.reset_step_for_retry(task.task_uuid, step, &by()).await.unwrap();
    assert_eq!((operated.task_state, operated.enqueued), (TaskState::StepsInProcess, 1));
    assert_eq!(bench.by_hand(&task).await, ["a error>enqueued", "task blocked_by_failures>steps_in_process"]);
    let third = bench.claim_one().await;
    assert_eq!((third.attempts, third.lapses), (1, 0));
    assert!(third.checkpoint.unwrap().get().contains('7'));
    assert!(third.lease.claim > second.lease.claim);
    bench.complete(&[bench_claim_again(&bench).await]).await;
    assert_eq!(bench.run_all().await, ["b"]);
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
    bench.assert_sound().await;
}

/// The step that is out on a claim, claimed again.
async fn bench_claim_again(bench: &Bench) -> tasker_wasm_host::store::ClaimedStep {
    bench.lapse_leases().await;
    bench.claim_one().await
}

#[tokio::test]
async fn a_task_stays_blocked_until_its_last_failure_is_dealt_with() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[]), ("c", &[0, 1])]).await;
    bench.run_and_fail(&["a", "b"]).await;
    let (a, b) = (task.steps[0].step_uuid, task.steps[1].step_uuid);
    assert_eq!(
        bench.store.resolve_step_manually(task.task_uuid, a, &by()).await.unwrap().task_state,
        TaskState::BlockedByFailures
    );
    assert_eq!(
        bench.store.resolve_step_manually(task.task_uuid, b, &by()).await.unwrap().task_state,
        TaskState::StepsInProcess
    );
    assert_eq!(bench.run_all().await, ["c"]);
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_step_completed_by_hand_gives_its_result_to_those_after_it() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0])]).await;
    bench.run_and_fail(&["a"]).await;
    let step = task.steps[0].step_uuid;
    let (result, metadata) = (raw(r#"{"loaves":12}"#), raw(r#"{"by":"hand"}"#));
    let operated =
        bench.store.complete_step_manually(task.task_uuid, step, &result, Some(&metadata), None, &by()).await.unwrap();
    assert_eq!((operated.task_state, operated.enqueued), (TaskState::StepsInProcess, 1));
    let b = bench.claim_one().await;
    let seen: Value = serde_json::from_str(b.dependency_results.get()).unwrap();
    assert_eq!(seen["a"]["result"], json!({"loaves": 12}));
    bench.complete(&[b]).await;
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
    let shown = serde_json::to_value(bench.step(&task, "a").await.results).unwrap();
    assert_eq!((&shown["success"], &shown["result"]["loaves"]), (&json!(true), &json!(12)));
    assert_eq!((&shown["metadata"]["custom"], shown.get("error")), (&json!({"by": "hand"}), None));
    assert!(shown["metadata"].get("error_type").is_none(), "the failed attempt did not bring it: {shown}");
}

#[tokio::test]
async fn a_running_step_ended_by_hand_loses_its_claim() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0])]).await;
    let running = bench.claim_one().await;
    bench
        .store
        .complete_step_manually(task.task_uuid, running.lease.step_uuid, &raw("1"), None, None, &by())
        .await
        .unwrap();
    assert_eq!(bench.store.complete_steps(&[succeeded(&running)]).await.unwrap().refused(), 1);
    assert_eq!(bench.run_all().await, ["b"]);
    bench.lapse_leases().await;
    assert!(bench.claim(10).await.is_empty());
    assert_eq!(bench.messages().await, 0);
    assert_eq!(serde_json::to_value(bench.step(&task, "a").await.results).unwrap()["result"], json!(1));
    let again = bench.store.resolve_step_manually(task.task_uuid, running.lease.step_uuid, &by()).await.unwrap_err();
    assert!(matches!(again, OperateError::StateOfItsTask { state: TaskState::Complete, .. }), "{again}");
}

#[tokio::test]
async fn the_last_step_completed_before_its_time_ends_what_led_to_it() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0]), ("c", &[1])]).await;
    let running = bench.claim_one().await;
    let operated = bench
        .store
        .complete_step_manually(task.task_uuid, task.steps[2].step_uuid, &raw("{}"), None, None, &by())
        .await;
    assert_eq!(operated.unwrap().task_state, TaskState::Complete);
    assert_eq!(bench.state(&task, 0).await, StepState::Cancelled);
    assert_eq!(bench.state(&task, 1).await, StepState::Cancelled);
    assert_eq!(bench.store.complete_steps(&[succeeded(&running)]).await.unwrap().refused(), 1);
}

#[tokio::test]
async fn a_decision_made_by_hand_adds_its_steps() {
    let bench = Bench::new().await;
    let task = growing_task(&bench, &[("decide", &[])]).await;
    bench.run_and_fail(&["decide"]).await;
    let decide = task.steps[0].step_uuid;
    let plan = |version| {
        let branch = grown("bake");
        let edge = (decide, branch.step_uuid);
        growth(version, vec![branch], vec![edge])
    };
    let outgrown =
        bench.store.complete_step_manually(task.task_uuid, decide, &raw("{}"), None, Some(&plan(3)), &by()).await;
    assert!(matches!(outgrown, Err(OperateError::Outgrown)), "{outgrown:?}");
    assert_eq!(bench.state(&task, 0).await, StepState::Error);
    let operated = bench
        .store
        .complete_step_manually(task.task_uuid, decide, &raw("{}"), None, Some(&plan(0)), &by())
        .await
        .unwrap();
    assert_eq!((operated.task_state, operated.enqueued), (TaskState::StepsInProcess, 1));
    assert_eq!(bench.run_all().await, ["bake"]);
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
    bench.assert_sound().await;
}

#[tokio::test]
async fn resolving_a_task_takes_it_for_done_and_stops_its_steps() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[]), ("c", &[0])]).await;
    let claimed = bench.claim(2).await;
    bench.store.complete_steps(&[failed(&claimed[0])]).await.unwrap();
    assert_eq!(bench.store.resolve_task_manually(task.task_uuid, &by()).await.unwrap(), 2);
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!((view.status, view.completed_at.is_some()), (TaskState::ResolvedManually, true));
    assert_eq!(bench.state(&task, 0).await, StepState::Error, "what failed stays to be seen");
    assert_eq!(bench.store.complete_steps(&[succeeded(&claimed[1])]).await.unwrap().refused(), 1);
}

#[tokio::test]
async fn a_reset_task_tries_all_its_failures_again() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[]), ("c", &[0, 1])]).await;
    bench.run_and_fail(&["a", "b"]).await;
    let operated = bench.store.reset_task(task.task_uuid, &by()).await.unwrap();
    assert_eq!((operated.task_state, operated.enqueued), (TaskState::StepsInProcess, 2));
    assert_eq!(bench.run_all().await, ["a", "b", "c"]);
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
}

#[tokio::test]
async fn a_task_given_up_and_reset_sends_the_steps_that_lost_their_messages() {
    let bench = Bench::new().await;
    let task =
        bench.task(&[("queued", &[]), ("lapsed", &[]), ("kept", &[]), ("runs", &[]), ("end", &[0, 1, 2, 3])]).await;
    let lapsed = bench.store.steps(task.task_uuid).await.unwrap().remove(1);
    bench
        .pool
        .execute(sqlx::AssertSqlSafe(format!(
            "update tasker.steps set state = 'in_progress', claims = 1, attempts = 1 where step_uuid = '{}'",
            lapsed.step_uuid
        )))
        .await
        .unwrap();
    bench.pool.execute("update tasker.tasks set state = 'error', completed_at = now()").await.unwrap();
    // The claim clears the messages of a task at rest; two of them it has not met yet.
    bench
        .pool
        .execute(
            "update pgmq.q_worker_bakery_queue set vt = now() + interval '1 hour'
            where message ->> 'step_uuid' in (select step_uuid::text from tasker.steps where name in ('kept', 'runs'))",
        )
        .await
        .unwrap();
    assert!(bench.claim(10).await.is_empty());
    assert_eq!(bench.messages().await, 2);

    let operated = bench.store.reset_task(task.task_uuid, &by()).await.unwrap();
    assert_eq!((operated.task_state, operated.enqueued), (TaskState::StepsInProcess, 2));
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!(view.completed_at, None);
    bench.lapse_leases().await;
    let mut ran = bench.run_all().await;
    ran.sort();
    assert_eq!(ran, ["end", "kept", "lapsed", "queued", "runs"]);
    assert_eq!(bench.step(&task, "lapsed").await.attempts, 1, "the attempt that vanished is not counted");
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
}

#[tokio::test]
async fn a_worker_retried_opens_the_batch_that_its_failure_closed() {
    let bench = Bench::new().await;
    let task = batch(&bench, 5, 2, FailureStrategy::FailFast).await;
    bench.run_and_fail(&["worker_000"]).await;
    assert!(bench.claim(10).await.is_empty());
    let operated =
        bench.store.reset_step_for_retry(task.task_uuid, bench.key(&task, "worker_000").await, &by()).await.unwrap();
    assert_eq!((operated.task_state, operated.enqueued), (TaskState::StepsInProcess, 2), "the window is full again");
    bench.assert_sound().await;
    let mut ran = Vec::new();
    loop {
        let claimed = bench.claim(10).await;
        if claimed.is_empty() {
            break;
        }
        assert!(claimed.len() <= 2, "{claimed:?}");
        ran.extend(claimed.iter().map(|step| step.name.clone()));
        bench.complete(&claimed).await;
        bench.assert_sound().await;
    }
    assert_eq!(ran, ["worker_002", "worker_003", "worker_000", "worker_004", "sum"]);
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
}

#[tokio::test]
async fn failures_that_are_reset_together_keep_to_the_parallelism_of_their_batch() {
    let bench = Bench::new().await;
    let task = batch(&bench, 6, 2, FailureStrategy::Isolate).await;
    for _ in 0..3 {
        bench.run_and_fail(&["worker_000", "worker_001", "worker_002", "worker_003", "worker_005"]).await;
    }
    let operated = bench.store.reset_task(task.task_uuid, &by()).await.unwrap();
    assert_eq!((operated.task_state, operated.enqueued), (TaskState::StepsInProcess, 2));
    let mut rounds = Vec::new();
    loop {
        let claimed = bench.claim(10).await;
        if claimed.is_empty() {
            break;
        }
        rounds.push(claimed.len());
        bench.complete(&claimed).await;
        bench.assert_sound().await;
    }
    assert_eq!(rounds, [2, 2, 1, 1], "five workers two at a time, then the step after them");
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
}

#[tokio::test]
async fn workers_ended_by_hand_give_their_places_back() {
    for strategy in [FailureStrategy::FailFast, FailureStrategy::Isolate] {
        let bench = Bench::new().await;
        let task = batch(&bench, 6, 1, strategy).await;
        bench.run_and_fail(&["worker_000"]).await;
        // One that failed, the two that stand farthest back, and what is next.
        for name in ["worker_000", "worker_005", "worker_003"] {
            bench.store.resolve_step_manually(task.task_uuid, bench.key(&task, name).await, &by()).await.unwrap();
            bench.assert_sound().await;
        }
        let running = bench.claim_one().await;
        bench.store.resolve_step_manually(task.task_uuid, running.lease.step_uuid, &by()).await.unwrap();
        bench.assert_sound().await;
        let ran = bench.run_all().await;
        assert_eq!((ran.len(), ran.last().unwrap().as_str()), (3, "sum"), "{ran:?}");
        assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
        bench.assert_sound().await;
    }
}

#[tokio::test]
async fn a_worker_its_batch_went_on_without_can_be_retried_until_somebody_has_relied_on_that() {
    let bench = Bench::new().await;
    let task = batch(&bench, 3, 3, FailureStrategy::ContinueOnFailure).await;
    let workers = bench.claim(10).await;
    bench.store.complete_steps(&[failed(&workers[0])]).await.unwrap();
    let step = workers[0].lease.step_uuid;
    let operated = bench.store.reset_step_for_retry(task.task_uuid, step, &by()).await.unwrap();
    assert_eq!((operated.task_state, operated.enqueued), (TaskState::StepsInProcess, 1));
    bench.assert_sound().await;
    bench.run_and_fail(&["worker_000"]).await;
    bench.store.complete_steps(&[succeeded(&workers[1])]).await.unwrap();

    // By hand it changes what the next step sees, and counts for nothing more.
    bench.store.complete_step_manually(task.task_uuid, step, &raw("5"), None, None, &by()).await.unwrap();
    bench.assert_sound().await;
    bench.store.complete_steps(&[failed(&workers[2])]).await.unwrap();
    let sum = bench.claim_one().await;
    assert!(sum.dependency_results.get().contains("\"worker_000\""), "{}", sum.dependency_results);
    let refusal =
        bench.store.reset_step_for_retry(task.task_uuid, workers[2].lease.step_uuid, &by()).await.unwrap_err();
    assert!(matches!(&refusal, OperateError::ChildBegan { child } if child == "sum"), "{refusal}");
    bench.complete(&[sum]).await;
    assert_eq!((task_state(&bench, &task).await, sinks_left(&bench).await), (TaskState::Complete, 0));
    assert_eq!(states(&bench, &task).await["worker_002"], StepState::Error);
}

#[tokio::test]
async fn people_and_hosts_at_once_lose_nothing() {
    let bench = Bench::with_connections(8).await;
    let tasks: Vec<_> = (0..40).map(|_| bench.plan(&[("a", &[]), ("b", &[0]), ("c", &[0]), ("d", &[1, 2])])).collect();
    bench.store.create_tasks(&tasks).await.unwrap();
    let workers = (0..4).map(|worker| {
        let bench = &bench;
        async move {
            while bench.number("select count(*) from tasker.tasks where completed_at is null").await > 0 {
                let claimed = bench.claim(9).await;
                let ends: Vec<_> = claimed
                    .iter()
                    .enumerate()
                    .map(|(place, step)| if (place + worker) % 4 == 0 { failed(step) } else { succeeded(step) })
                    .collect();
                bench.store.complete_steps(&ends).await.unwrap();
            }
        }
    });
    let people = tasks.chunks(10).map(|tasks| {
        let bench = &bench;
        async move {
            while bench.number("select count(*) from tasker.tasks where completed_at is null").await > 0 {
                for (place, task) in tasks.iter().enumerate() {
                    let step = task.steps[place % 4].step_uuid;
                    let done = match place % 5 {
                        0 => bench.store.resolve_step_manually(task.task_uuid, step, &by()).await.map(drop),
                        1 => bench
                            .store
                            .complete_step_manually(task.task_uuid, step, &raw("1"), None, None, &by())
                            .await
                            .map(drop),
                        2 => bench.store.reset_step_for_retry(task.task_uuid, step, &by()).await.map(drop),
                        _ => bench.store.reset_task(task.task_uuid, &by()).await.map(drop),
                    };
                    let _ = bench.store.reset_task(task.task_uuid, &by()).await;
                    match done {
                        Ok(()) | Err(OperateError::TaskState { .. } | OperateError::StepState { .. }) => {}
                        Err(OperateError::StateOfItsTask { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    });
    futures::future::join(futures::future::join_all(workers), futures::future::join_all(people)).await;
    assert_eq!(bench.number("select count(*) from tasker.tasks where state <> 'complete'").await, 0);
    bench.assert_sound().await;
}
