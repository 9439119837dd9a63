use tasker_wasm_host::store::{StepState, StoreError, TaskState};
use uuid::Uuid;

use super::support::{Bench, NAMESPACE, plan, raw};

#[tokio::test]
async fn only_steps_without_parents_are_queued() {
    let bench = Bench::new().await;
    let task = bench.task(&[("mix", &[]), ("heat", &[]), ("bake", &[0, 1])]).await;
    assert_eq!(bench.messages().await, 2);
    assert_eq!(bench.state(&task, 0).await, StepState::Enqueued);
    assert_eq!(bench.state(&task, 2).await, StepState::Pending);
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!(view.status, TaskState::StepsInProcess);
}

#[tokio::test]
async fn a_hundred_tasks_are_one_commit() {
    let bench = Bench::new().await;
    let tasks: Vec<_> = (0..100).map(|_| bench.plan(&[("mix", &[]), ("bake", &[0])])).collect();
    assert_eq!(bench.store.create_tasks(&tasks).await.unwrap(), 100);
    assert_eq!(bench.number("select count(distinct xmin::text) from tasker.tasks").await, 1);
    assert_eq!(bench.messages().await, 100);
}

#[tokio::test]
async fn a_task_without_steps_is_complete() {
    let bench = Bench::new().await;
    let task = bench.task(&[]).await;
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!(view.status, TaskState::Complete);
    assert!(view.completed_at.is_some());
}

#[tokio::test]
async fn a_parent_named_twice_counts_once() {
    let bench = Bench::new().await;
    bench.task(&[("mix", &[]), ("bake", &[0, 0])]).await;
    bench.complete(&bench.claim(1).await).await;
    assert_eq!(bench.claim_one().await.name, "bake");
}

#[tokio::test]
async fn a_template_of_another_namespace_creates_nothing() {
    let bench = Bench::new().await;
    let good = bench.plan(&[("mix", &[])]);
    for bad in [plan(Uuid::now_v7(), NAMESPACE, &[]), plan(bench.template, "elsewhere", &[])] {
        let error = bench.store.create_tasks(&[good.clone(), bad]).await.unwrap_err();
        assert!(matches!(error, StoreError::UnknownTemplate { .. }), "{error}");
    }
    assert_eq!(bench.number("select count(*) from tasker.tasks").await, 0);
    assert_eq!(bench.messages().await, 0);
}

#[tokio::test]
async fn what_jsonb_would_refuse_comes_back_as_it_was() {
    let bench = Bench::new().await;
    let mut task = bench.plan(&[("mix", &[])]);
    let strange = r#"{"b":"\u0000","a":"\ud800","n":1.00e2}"#;
    task.context = raw(strange);
    bench.store.create_tasks(&[task]).await.unwrap();
    let claimed = bench.claim_one().await;
    assert!(claimed.task.get().contains(strange), "{}", claimed.task);
}
