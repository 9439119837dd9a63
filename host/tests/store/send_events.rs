use serde_json::{Value, json};
use sqlx::Executor;
use tasker_wasm_host::store::{Completion, QueuedEvent, StepState, StoreError, Verdict};

use super::support::{Bench, NAMESPACE, finished, raw, succeeded};

fn with_events(completion: Completion, durable: &[Value], dead: &[Value]) -> Completion {
    Completion { events: Some(raw(&json!({"durable": durable, "dead": dead}).to_string())), ..completion }
}

fn contents(events: &[QueuedEvent]) -> Vec<Value> {
    events.iter().map(|queued| serde_json::from_str(queued.event.get()).unwrap()).collect()
}

#[tokio::test]
async fn events_leave_with_the_results_that_brought_them_about() {
    let bench = Bench::new().await;
    bench.store.create_event_queues(NAMESPACE).await.unwrap();
    bench.task(&[("a", &[]), ("b", &[])]).await;
    let claimed = bench.claim(2).await;

    let first = with_events(succeeded(&claimed[0]), &[json!({"n": 1}), json!({"n": 2})], &[]);
    let second = with_events(succeeded(&claimed[1]), &[json!({"n": 3})], &[json!({"n": 4, "error": "no"})]);
    bench.store.complete_steps(&[first, second]).await.unwrap();

    let durable = bench.store.domain_events(NAMESPACE, 10).await.unwrap();
    assert_eq!(contents(&durable), [json!({"n": 3}), json!({"n": 2}), json!({"n": 1})]);
    assert_eq!(contents(&bench.store.domain_events(NAMESPACE, 1).await.unwrap()), [json!({"n": 3})]);
    let dead = bench.store.dead_events(NAMESPACE, 10).await.unwrap();
    assert_eq!(contents(&dead), [json!({"n": 4, "error": "no"})]);
}

#[tokio::test]
async fn a_result_that_is_refused_sends_no_event() {
    let bench = Bench::new().await;
    bench.store.create_event_queues(NAMESPACE).await.unwrap();
    bench.task(&[("a", &[])]).await;
    let late = bench.claim_one().await;
    bench.lapse_leases().await;
    let current = bench.claim_one().await;

    bench.store.complete_steps(&[with_events(succeeded(&late), &[json!({"late": true})], &[])]).await.unwrap();
    assert!(bench.store.domain_events(NAMESPACE, 10).await.unwrap().is_empty());

    let completion = with_events(succeeded(&current), &[json!({"late": false})], &[]);
    bench.store.complete_steps(std::slice::from_ref(&completion)).await.unwrap();
    bench.store.complete_steps(&[completion]).await.unwrap();
    assert_eq!(contents(&bench.store.domain_events(NAMESPACE, 10).await.unwrap()), [json!({"late": false})]);
}

#[tokio::test]
async fn looking_at_events_takes_none_from_their_consumers() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    let step = bench.claim_one().await;
    bench.store.complete_steps(&[with_events(succeeded(&step), &[json!({"n": 1})], &[])]).await.unwrap();

    bench.store.domain_events(NAMESPACE, 10).await.unwrap();

    assert_eq!(bench.number("select count(*) from pgmq.read('bakery_domain_events', 30, 10)").await, 1);
}

#[tokio::test]
async fn a_queue_that_is_missing_keeps_no_result_from_being_committed() {
    let bench = Bench::new().await;
    assert!(bench.store.domain_events(NAMESPACE, 10).await.unwrap().is_empty());
    let task = bench.task(&[("a", &[]), ("b", &[0])]).await;
    let step = bench.claim_one().await;
    bench.store.complete_steps(&[with_events(succeeded(&step), &[json!({"n": 1})], &[])]).await.unwrap();
    bench.pool.execute("select pgmq.drop_queue('bakery_domain_events')").await.unwrap();

    let step = bench.claim_one().await;
    bench.store.complete_steps(&[with_events(succeeded(&step), &[json!({"n": 2})], &[])]).await.unwrap();

    assert_eq!(bench.state(&task, 1).await, StepState::Complete);
    assert_eq!(contents(&bench.store.domain_events(NAMESPACE, 10).await.unwrap()), [json!({"n": 2})]);
}

#[tokio::test]
async fn events_that_cannot_be_stored_do_not_change_how_the_step_ends() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[])]).await;
    let claimed = bench.claim(2).await;
    // What `jsonb` refuses, should it ever come this far.
    let unsafe_events = Completion {
        events: Some(raw(r#"{"durable":[{"text":"\u0000"}],"dead":[]}"#)),
        ..finished(&claimed[0].lease, Verdict::Complete { result: raw(r#"{"done":true}"#) }, None)
    };
    let other = with_events(succeeded(&claimed[1]), &[json!({"n": 1})], &[]);

    let report = bench.store.complete_steps(&[unsafe_events, other]).await.unwrap();

    assert_eq!(report.refused(), 0);
    assert_eq!(bench.state(&task, 0).await, StepState::Complete);
    assert_eq!(bench.state(&task, 1).await, StepState::Complete);
    assert_eq!(contents(&bench.store.domain_events(NAMESPACE, 10).await.unwrap()), [json!({"n": 1})]);
}

#[tokio::test]
async fn hosts_that_start_at_once_make_the_queues_once() {
    let bench = Bench::with_connections(8).await;
    let created = (0..8).map(|_| bench.store.create_event_queues("Bakery"));
    for outcome in futures::future::join_all(created).await {
        outcome.unwrap();
    }
    assert_eq!(bench.number("select count(*) from pgmq.meta where queue_name like '%domain_events%'").await, 2);
}

#[tokio::test]
async fn a_namespace_whose_name_is_too_long_for_a_queue_of_events_is_told_so() {
    let bench = Bench::new().await;
    bench.store.create_event_queues(&"n".repeat(29)).await.unwrap();

    let error = bench.store.create_event_queues(&"n".repeat(30)).await.unwrap_err();

    assert!(matches!(error, StoreError::EventNamespace { .. }), "{error}");
    assert!(error.to_string().contains("at most 29"), "{error}");
}
