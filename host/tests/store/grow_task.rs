use std::collections::BTreeMap;

use tasker_wasm_host::store::{
    Acceptance, ClaimedStep, Completion, GoOn, GrownStep, Growth, Lease, MessageId, NewBatch, NewTask, StepState,
    TaskState,
};
use tasker_wasm_host::template::FailureStrategy;
use uuid::Uuid;

use super::support::{Bench, LEASE, NAMESPACE, failed, raw, succeeded};

pub(super) fn grown(name: &str) -> GrownStep {
    GrownStep {
        step_uuid: Uuid::now_v7(),
        name: name.into(),
        template_step: None,
        retryable: true,
        max_attempts: 3,
        inputs: raw("{}"),
        batch_place: None,
    }
}

pub(super) fn growth(version: i32, steps: Vec<GrownStep>, edges: Vec<(Uuid, Uuid)>) -> Growth {
    Growth { version, steps, edges, batch: None, brief: None }
}

fn growing(claimed: &ClaimedStep, growth: Growth) -> Completion {
    Completion { growth: Some(growth), ..succeeded(claimed) }
}

pub(super) async fn growing_task(bench: &Bench, steps: &[(&str, &[usize])]) -> NewTask {
    let task = NewTask { grows: true, ..bench.plan(steps) };
    bench.store.create_tasks(std::slice::from_ref(&task)).await.unwrap();
    task
}

pub(super) async fn states(bench: &Bench, task: &NewTask) -> BTreeMap<String, StepState> {
    let steps = bench.store.steps(task.task_uuid).await.unwrap();
    steps.into_iter().map(|step| (step.name, step.current_state)).collect()
}

pub(super) async fn task_state(bench: &Bench, task: &NewTask) -> TaskState {
    bench.store.task(task.task_uuid).await.unwrap().unwrap().status
}

pub(super) async fn sinks_left(bench: &Bench) -> i64 {
    bench.number("select sinks_left::bigint from tasker.tasks").await
}

#[tokio::test]
async fn the_steps_a_decision_adds_run_after_it_and_before_the_task_is_complete() {
    let bench = Bench::new().await;
    let task = growing_task(&bench, &[("decide", &[])]).await;
    let decide = bench.claim_one().await;
    let (bake, cool, pack) = (grown("bake"), grown("cool"), grown("pack"));
    let edges = vec![
        (decide.lease.step_uuid, bake.step_uuid),
        (decide.lease.step_uuid, cool.step_uuid),
        (bake.step_uuid, pack.step_uuid),
        (cool.step_uuid, pack.step_uuid),
    ];
    let added = growing(&decide, growth(0, vec![bake, cool, pack], edges));
    let report = bench.store.complete_steps(&[added]).await.unwrap();
    assert_eq!((report.enqueued, sinks_left(&bench).await), (2, 1));
    bench.complete(&bench.claim(10).await).await;
    let pack = bench.claim_one().await;
    assert_eq!(pack.name, "pack");
    assert_eq!(task_state(&bench, &task).await, TaskState::StepsInProcess);
    bench.complete(&[pack]).await;
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
}

#[tokio::test]
async fn a_growth_planned_on_an_older_state_changes_nothing_and_is_told() {
    let bench = Bench::new().await;
    let task = growing_task(&bench, &[("left", &[]), ("right", &[])]).await;
    let claimed = bench.claim(2).await;
    let both: Vec<_> = claimed
        .iter()
        .map(|decider| {
            let branch = grown(&format!("after {}", decider.name));
            let edge = (decider.lease.step_uuid, branch.step_uuid);
            growing(decider, growth(0, vec![branch], vec![edge]))
        })
        .collect();
    let report = bench.store.complete_steps(&both).await.unwrap();
    let mut told = report.accepted.clone();
    told.sort_by_key(|acceptance| *acceptance as u8);
    assert_eq!(told, [Acceptance::Accepted, Acceptance::Outgrown]);
    assert_eq!(report.refused(), 0);

    let state = bench.store.growth_state(task.task_uuid).await.unwrap();
    assert_eq!((state.version, state.steps.len()), (1, 3));
    let late = both.into_iter().zip(report.accepted).find(|(_, acceptance)| *acceptance == Acceptance::Outgrown);
    let mut again = late.unwrap().0;
    again.growth.as_mut().unwrap().version = 1;
    assert_eq!(bench.store.complete_steps(&[again]).await.unwrap().accepted, [Acceptance::Accepted]);
    assert_eq!(states(&bench, &task).await.len(), 4);
}

#[tokio::test]
async fn a_late_growth_of_a_lost_claim_adds_nothing() {
    let bench = Bench::new().await;
    let task = growing_task(&bench, &[("decide", &[])]).await;
    let first = bench.claim_one().await;
    bench.lapse_leases().await;
    bench.claim_one().await;
    let branch = grown("bake");
    let edge = (first.lease.step_uuid, branch.step_uuid);
    let report = bench.store.complete_steps(&[growing(&first, growth(0, vec![branch], vec![edge]))]).await.unwrap();
    assert_eq!(report.accepted, [Acceptance::Refused]);
    assert_eq!(states(&bench, &task).await.len(), 1);
}

#[tokio::test]
async fn a_new_step_waits_only_for_parents_that_are_not_done() {
    let bench = Bench::new().await;
    let task = growing_task(&bench, &[("done", &[]), ("open", &[]), ("decide", &[])]).await;
    let claimed = bench.claim(3).await;
    let step = |name: &str| claimed.iter().find(|step| step.name == name).unwrap();
    bench.complete(&[step("done").clone()]).await;
    let join = grown("join");
    let edges = task.steps.iter().map(|parent| (parent.step_uuid, join.step_uuid)).collect();
    let report = bench.store.complete_steps(&[growing(step("decide"), growth(0, vec![join], edges))]).await.unwrap();
    assert_eq!(report.enqueued, 0, "one parent is still open");
    assert_eq!(bench.complete(&[step("open").clone()]).await.enqueued, 1);
    bench.complete(&[bench.claim_one().await]).await;
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
}

/// A task whose one step makes `count` workers and a step after them.
pub(super) async fn batch(bench: &Bench, count: usize, parallelism: i32, failure_strategy: FailureStrategy) -> NewTask {
    let task = growing_task(bench, &[("split", &[])]).await;
    let split = bench.claim_one().await;
    let after = grown("sum");
    let mut steps: Vec<_> = (0..count)
        .map(|place| GrownStep {
            batch_place: Some(place as i32),
            template_step: Some("worker".into()),
            ..grown(&format!("worker_{place:03}"))
        })
        .collect();
    let mut edges: Vec<_> = steps.iter().map(|worker| (split.lease.step_uuid, worker.step_uuid)).collect();
    edges.extend(steps.iter().map(|worker| (worker.step_uuid, after.step_uuid)));
    steps.push(after);
    let growth = Growth {
        batch: Some(NewBatch { parallelism, failure_strategy }),
        brief: Some(raw(r#"{"brief":true}"#)),
        ..growth(0, steps, edges)
    };
    let report = bench.store.complete_steps(&[growing(&split, growth)]).await.unwrap();
    assert_eq!(report.enqueued, (count as u32).min(parallelism as u32));
    task
}

#[tokio::test]
async fn no_more_workers_than_the_parallelism_are_released_and_in_their_order() {
    let bench = Bench::new().await;
    let task = batch(&bench, 7, 3, FailureStrategy::Isolate).await;
    let mut seen = Vec::new();
    loop {
        let claimed = bench.claim(10).await;
        if claimed.iter().any(|step| step.name == "sum") {
            break;
        }
        assert!(claimed.len() <= 3, "{claimed:?}");
        seen.extend(claimed.iter().map(|step| step.name.clone()));
        bench.complete(&claimed).await;
    }
    assert_eq!(seen, (0..7).map(|place| format!("worker_{place:03}")).collect::<Vec<_>>());
    assert_eq!(states(&bench, &task).await["sum"], StepState::InProgress);
}

#[tokio::test]
async fn a_host_claims_the_worker_that_gets_a_place_if_it_has_begun_with_it_and_no_other() {
    let bench = Bench::new().await;
    let task = batch(&bench, 7, 2, FailureStrategy::Isolate).await;
    let two = bench.claim(10).await;
    let steps = bench.store.steps(task.task_uuid).await.unwrap();
    let key = |name: &str| steps.iter().find(|step| step.name == name).unwrap().step_uuid;
    let go_on = GoOn {
        namespaces: vec![NAMESPACE.into()],
        places: vec![0],
        begun: vec![key("worker_002"), key("worker_004")],
        lease: LEASE,
        ..GoOn::default()
    };
    let mut claimed = Vec::new();
    bench.store.complete_and_go_on(&[succeeded(&two[0])], &go_on, &mut claimed).await.unwrap();
    let [next] = &claimed[..] else { panic!("{claimed:?}") };
    assert_eq!((next.name.as_str(), states(&bench, &task).await["worker_004"]), ("worker_002", StepState::Pending));

    // But for its key, name and inputs it is told what the one before it was told.
    let told = |step: &ClaimedStep| {
        let lease = Lease { step_uuid: Uuid::nil(), message_id: MessageId::default(), ..step.lease.clone() };
        serde_json::to_value(ClaimedStep { lease, name: String::new(), inputs: raw("{}"), ..step.clone() }).unwrap()
    };
    assert_eq!(told(next), told(&two[0]));
}

#[tokio::test]
async fn workers_see_the_brief_result_and_the_step_after_them_the_whole() {
    let bench = Bench::new().await;
    batch(&bench, 1, 1, FailureStrategy::Isolate).await;
    let worker = bench.claim_one().await;
    assert!(worker.dependency_results.get().contains(r#"{"brief":true}"#), "{}", worker.dependency_results);
    assert_eq!((worker.template_step(), worker.name.as_str()), ("worker", "worker_000"));
    bench.complete(&[worker]).await;
    let sum = bench.claim_one().await;
    assert!(sum.dependency_results.get().contains(r#"{"made by":"split"}"#), "{}", sum.dependency_results);
}

#[tokio::test]
async fn a_batch_that_continues_on_failure_goes_on_without_the_failed_worker() {
    let bench = Bench::new().await;
    let task = batch(&bench, 3, 1, FailureStrategy::ContinueOnFailure).await;
    bench.store.complete_steps(&[failed(&bench.claim_one().await)]).await.unwrap();
    for _ in 0..3 {
        bench.complete(&[bench.claim_one().await]).await;
    }
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
    assert_eq!(states(&bench, &task).await["worker_000"], StepState::Error);
}

#[tokio::test]
async fn an_isolated_failure_stops_no_other_worker_and_holds_what_waits_for_the_batch() {
    let bench = Bench::new().await;
    let task = batch(&bench, 3, 1, FailureStrategy::Isolate).await;
    bench.store.complete_steps(&[failed(&bench.claim_one().await)]).await.unwrap();
    for _ in 0..2 {
        bench.complete(&[bench.claim_one().await]).await;
    }
    assert!(bench.claim(10).await.is_empty());
    assert_eq!(states(&bench, &task).await["sum"], StepState::Pending);
    assert_eq!(task_state(&bench, &task).await, TaskState::BlockedByFailures);
}

#[tokio::test]
async fn a_batch_that_fails_fast_releases_no_further_worker() {
    let bench = Bench::new().await;
    let task = batch(&bench, 5, 2, FailureStrategy::FailFast).await;
    let two = bench.claim(10).await;
    bench.store.complete_steps(&[failed(&two[0])]).await.unwrap();
    bench.complete(&two[1..]).await;
    assert!(bench.claim(10).await.is_empty());
    let states = states(&bench, &task).await;
    assert_eq!(states.values().filter(|state| **state == StepState::Pending).count(), 4, "{states:?}");
}

#[tokio::test]
async fn a_thousand_workers_are_one_commit_and_one_more_step_follows_them() {
    let bench = Bench::new().await;
    let task = batch(&bench, 1000, 1000, FailureStrategy::ContinueOnFailure).await;
    assert_eq!(
        bench.number("select count(distinct xmin::text) from tasker.steps where batch_uuid is not null").await,
        1
    );
    for _ in 0..10 {
        bench.complete(&bench.claim(100).await).await;
    }
    let sum = bench.claim_one().await;
    assert_eq!(
        serde_json::from_str::<BTreeMap<String, serde_json::Value>>(sum.dependency_results.get()).unwrap().len(),
        1001
    );
    bench.complete(&[sum]).await;
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
}
