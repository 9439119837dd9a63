use std::time::Duration;

use sqlx::Executor;
use tasker_wasm_host::store::StepState;

use super::support::{Bench, to_be_retried};

const LATER: Duration = Duration::from_secs(3_600);

impl Bench {
    async fn all_retries_are_due(&self) {
        self.pool
            .execute("update tasker.steps set run_after = now() - interval '1 s' where run_after is not null")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_retry_comes_back_when_it_is_due_and_counts_as_a_new_attempt() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await;
    let first = bench.claim_one().await;
    bench.store.complete_steps(&[to_be_retried(&first, LATER)]).await.unwrap();

    let due = bench.store.enqueue_due(100).await.unwrap();
    assert_eq!(due.enqueued, 0);
    let next_in = due.next_in.unwrap();
    assert!(next_in <= LATER && next_in > LATER - Duration::from_secs(60), "{next_in:?}");
    assert_eq!(bench.messages().await, 0);

    bench.all_retries_are_due().await;
    let due = bench.store.enqueue_due(100).await.unwrap();
    assert_eq!((due.enqueued, due.next_in), (1, None));
    let second = bench.claim_one().await;
    assert_eq!((second.attempts, second.lease.step_uuid), (2, first.lease.step_uuid));

    bench.complete(&[second]).await;
    assert_eq!(bench.state(&task, 0).await, StepState::Complete);
    assert_eq!(
        bench.transitions(first.lease.step_uuid).await,
        [
            "pending>enqueued",
            "enqueued>in_progress",
            "in_progress>waiting_for_retry",
            "waiting_for_retry>enqueued",
            "enqueued>in_progress",
            "in_progress>complete"
        ]
    );
    assert_eq!(bench.number("select count(*) from tasker.attempts").await, 2);
}

#[tokio::test]
async fn what_the_limit_leaves_is_due_at_once() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[]), ("b", &[]), ("c", &[])]).await;
    let retries: Vec<_> = bench.claim(3).await.iter().map(|step| to_be_retried(step, LATER)).collect();
    bench.store.complete_steps(&retries).await.unwrap();
    bench.all_retries_are_due().await;
    let due = bench.store.enqueue_due(2).await.unwrap();
    assert_eq!((due.enqueued, due.next_in), (2, Some(Duration::ZERO)));
}

#[tokio::test]
async fn many_hosts_bring_a_retry_back_once() {
    let bench = Bench::with_connections(8).await;
    let tasks: Vec<_> = (0..50).map(|_| bench.plan(&[("a", &[])])).collect();
    bench.store.create_tasks(&tasks).await.unwrap();
    let retries: Vec<_> = bench.claim(50).await.iter().map(|step| to_be_retried(step, LATER)).collect();
    bench.store.complete_steps(&retries).await.unwrap();
    bench.all_retries_are_due().await;
    let found = futures::future::join_all((0..8).map(|_| bench.store.enqueue_due(10))).await;
    let mut enqueued: u32 = found.into_iter().map(|due| due.unwrap().enqueued).sum();
    enqueued += bench.store.enqueue_due(50).await.unwrap().enqueued;
    assert_eq!((enqueued, bench.messages().await), (50, 50));
}
