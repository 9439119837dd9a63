use std::time::Duration;

use serde_json::{Value, json};
use tasker_wasm_host::store::Checkpoint;

use super::support::{Bench, raw, to_be_retried};

fn at(cursor: &str, items_processed: u64, accumulated: Option<&str>) -> Checkpoint {
    Checkpoint { cursor: raw(cursor), items_processed, accumulated_results: accumulated.map(raw) }
}

#[tokio::test]
async fn progress_is_there_for_the_next_attempt_and_its_history_is_kept() {
    let bench = Bench::new().await;
    bench.task(&[("count", &[])]).await;
    let claimed = bench.claim_one().await;
    assert!(claimed.checkpoint.is_none());
    assert!(bench.store.save_checkpoint(&claimed.lease, &at("100", 100, None)).await.unwrap().is_some());
    let second = at(r#"{"row":200,"left":null}"#, 200, Some(r#"{"sum":3.50}"#));
    assert!(bench.store.save_checkpoint(&claimed.lease, &second).await.unwrap().is_some());
    bench.store.complete_steps(&[to_be_retried(&claimed, Duration::ZERO)]).await.unwrap();
    bench.store.enqueue_due(10).await.unwrap();

    let again = bench.claim_one().await;
    let mut stored: Value = serde_json::from_str(again.checkpoint.unwrap().get()).unwrap();
    assert!(stored.as_object_mut().unwrap().remove("timestamp").is_some());
    let expected = json!({
        "cursor": {"row": 200, "left": null}, "items_processed": 200, "accumulated_results": {"sum": 3.5}
    });
    assert_eq!((stored, again.attempts), (expected, 2));
    assert_eq!(bench.number("select count(*) from tasker.checkpoints where attempt = 1").await, 2);
}

#[tokio::test]
async fn progress_of_a_lost_claim_is_not_stored() {
    let bench = Bench::new().await;
    bench.task(&[("count", &[])]).await;
    let first = bench.claim_one().await;
    bench.lapse_leases().await;
    bench.claim_one().await;
    assert!(bench.store.save_checkpoint(&first.lease, &at("1", 1, None)).await.unwrap().is_none());
    assert_eq!(bench.number("select count(*) from tasker.checkpoints").await, 0);
}

#[tokio::test]
async fn a_checkpoint_spends_no_attempt_and_changes_no_state() {
    let bench = Bench::new().await;
    let task = bench.task(&[("count", &[])]).await;
    bench.write_steps().await;
    let claimed = bench.claim_one().await;
    let before = bench.transitions(task.steps[0].step_uuid).await;
    bench.store.save_checkpoint(&claimed.lease, &at("1", 1, None)).await.unwrap();
    assert_eq!(bench.transitions(task.steps[0].step_uuid).await, before);
    assert_eq!(bench.complete(&[claimed]).await.refused(), 0);
}
