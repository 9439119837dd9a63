use serde_json::{Value, json};
use sqlx::Executor;
use tasker_wasm_host::store::{DirectlyPublished, Lease, NewDirectEvent, Operator, StoreError};
use uuid::Uuid;

use super::support::{Bench, NAMESPACE, plan, raw, request, template_of};

/// Publishes the event `number`.
async fn publish(
    bench: &Bench,
    lease: &Lease,
    number: u128,
    key: Option<&str>,
    queued: bool,
) -> Result<DirectlyPublished, StoreError> {
    let message = raw(&json!({"n": number}).to_string());
    let event = NewDirectEvent {
        event_id: Uuid::from_u128(number),
        idempotency_key: key,
        message: queued.then_some(&*message),
    };
    bench.store.publish_event(lease, &event).await
}

async fn queued(bench: &Bench) -> Vec<Value> {
    let events = bench.store.domain_events(NAMESPACE, 10).await.unwrap();
    events.iter().rev().map(|queued| serde_json::from_str(queued.event.get()).unwrap()).collect()
}

#[tokio::test]
async fn an_event_with_a_key_leaves_once_however_often_its_step_is_tried() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[]), ("b", &[])]).await;
    let steps = bench.claim(2).await;
    let (first, other) = (&steps[0].lease, &steps[1].lease);

    assert_eq!(publish(&bench, first, 1, Some("paid"), true).await.unwrap(), DirectlyPublished::Sent);
    let before = DirectlyPublished::Before(Uuid::from_u128(1));
    assert_eq!(publish(&bench, first, 2, Some("paid"), true).await.unwrap(), before);
    assert_eq!(publish(&bench, first, 3, Some("sent"), true).await.unwrap(), DirectlyPublished::Sent);
    assert_eq!(publish(&bench, other, 4, Some("paid"), true).await.unwrap(), DirectlyPublished::Sent);

    bench.lapse_leases().await;
    let again = bench.claim(2).await;
    let again = again.iter().find(|step| step.lease.step_uuid == first.step_uuid).unwrap();
    assert_eq!(publish(&bench, &again.lease, 5, Some("paid"), true).await.unwrap(), before);
    assert_eq!(queued(&bench).await, [json!({"n": 1}), json!({"n": 3}), json!({"n": 4})]);
}

#[tokio::test]
async fn two_attempts_that_publish_one_key_at_once_send_one_event() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    let lease = &bench.claim_one().await.lease;

    let all = (1..=8).map(|number| publish(&bench, lease, number, Some("k"), true));
    let answers = futures::future::try_join_all(all).await.unwrap();

    assert_eq!(answers.iter().filter(|answer| **answer == DirectlyPublished::Sent).count(), 1);
    assert_eq!(queued(&bench).await.len(), 1);
}

#[tokio::test]
async fn without_a_key_every_call_is_an_event_and_without_a_message_none_is_queued() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    let lease = &bench.claim_one().await.lease;

    for number in [1, 2] {
        assert_eq!(publish(&bench, lease, number, None, true).await.unwrap(), DirectlyPublished::Sent);
    }
    assert_eq!(publish(&bench, lease, 3, Some("fast"), false).await.unwrap(), DirectlyPublished::Sent);
    let before = DirectlyPublished::Before(Uuid::from_u128(3));
    assert_eq!(publish(&bench, lease, 4, Some("fast"), false).await.unwrap(), before);
    assert_eq!(queued(&bench).await, [json!({"n": 1}), json!({"n": 2})]);
}

#[tokio::test]
async fn an_attempt_that_lost_its_step_publishes_nothing() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await;
    let late = bench.claim_one().await.lease;
    bench.lapse_leases().await;
    let current = bench.claim_one().await.lease;

    assert_eq!(publish(&bench, &late, 1, Some("k"), true).await.unwrap(), DirectlyPublished::NotOurs);
    assert_eq!(publish(&bench, &current, 2, Some("k"), true).await.unwrap(), DirectlyPublished::Sent);
    let by = Operator { actor: "ada".into(), reason: "enough".into() };
    bench.store.cancel_task(task.task_uuid, &by).await.unwrap();
    assert_eq!(publish(&bench, &current, 3, None, true).await.unwrap(), DirectlyPublished::NotOurs);
    assert_eq!(queued(&bench).await, [json!({"n": 2})]);
}

#[tokio::test]
async fn a_namespace_too_long_for_a_queue_of_events_is_told_and_keeps_no_key() {
    let bench = Bench::new().await;
    let namespace = "n".repeat(30);
    let template = bench.store.register_template(&template_of(&namespace)).await.unwrap();
    let task = plan(template, &namespace, &[("a", &[])]);
    bench.store.create_tasks(&[task]).await.unwrap();
    let lease = &bench.store.claim_steps(&request(&[&namespace], 1)).await.unwrap()[0].lease;

    let error = publish(&bench, lease, 1, Some("k"), true).await.unwrap_err();
    assert!(matches!(&error, StoreError::EventNamespace { namespace: named } if *named == namespace), "{error}");
    assert_eq!(bench.number("select count(*) from tasker.direct_events").await, 0);
    assert_eq!(publish(&bench, lease, 2, Some("k"), false).await.unwrap(), DirectlyPublished::Sent);
}

#[tokio::test]
async fn the_keys_go_with_their_task() {
    let bench = Bench::new().await;
    let old = bench.task(&[("a", &[])]).await;
    let lapsed = bench.claim_one().await;
    publish(&bench, &lapsed.lease, 1, Some("k"), true).await.unwrap();
    bench.complete(&[lapsed]).await;
    bench.task(&[("a", &[])]).await;
    let live = bench.claim_one().await.lease;
    publish(&bench, &live, 2, Some("k"), true).await.unwrap();
    bench
        .pool
        .execute(
            sqlx::query("update tasker.tasks set completed_at = now() - interval '1 day' where task_uuid = $1")
                .bind(old.task_uuid),
        )
        .await
        .unwrap();

    let purged = bench.store.purge_tasks(std::time::Duration::ZERO, None, 100).await.unwrap();
    assert_eq!(purged.purged, 1);
    assert_eq!(bench.number("select count(*) from tasker.direct_events").await, 1);
}
