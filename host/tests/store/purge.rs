use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Executor};
use tasker_wasm_host::store::{Checkpoint, DeadLetterUpdate, NewTask, Operator, Resolution, StalenessThresholds};
use tasker_wasm_host::template::FailureStrategy;
use uuid::{NoContext, Timestamp, Uuid};

use super::grow_task::batch;
use super::support::{Bench, failed, raw};

const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

fn by() -> Operator {
    Operator { actor: "grace".into(), reason: "old".into() }
}

/// A key as a host made it some days ago.
fn key_of(days: u64) -> Uuid {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - DAY * days as u32;
    Uuid::new_v7(Timestamp::from_unix(NoContext, at.as_secs(), at.subsec_nanos()))
}

impl Bench {
    /// A task of `steps` steps that was created some days ago.
    async fn task_of(&self, days: u64, steps: usize) -> NewTask {
        let names: Vec<String> = (0..steps).map(|step| format!("s{step}")).collect();
        let steps: Vec<(&str, &[usize])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
        let mut task = self.plan(&steps);
        task.task_uuid = key_of(days);
        self.store.create_tasks(std::slice::from_ref(&task)).await.unwrap();
        task
    }

    async fn finished_days_ago(&self, task: &NewTask, days: u64) {
        self.pool
            .execute(AssertSqlSafe(format!(
                "update tasker.tasks set completed_at = now() - interval '{days} days' where task_uuid = '{}'",
                task.task_uuid
            )))
            .await
            .unwrap();
    }

    async fn purge(&self, batch: u32) -> (u32, u32) {
        let (mut after, mut purged, mut pages) = (None, 0, 0);
        loop {
            let page = self.store.purge_tasks(MONTH, after, batch).await.unwrap();
            (purged, pages) = (purged + page.purged, pages + 1);
            match page.next {
                None => return (purged, pages),
                next => after = next,
            }
        }
    }

    async fn exists(&self, task: &NewTask) -> bool {
        self.store.task(task.task_uuid).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn old_finished_tasks_go_and_nothing_else_does() {
    let bench = Bench::new().await;
    let complete = bench.task_of(60, 0).await;
    let recent = bench.task_of(60, 0).await;
    let cancelled = bench.task_of(60, 1).await;
    let resolved = bench.task_of(60, 1).await;
    let alive = bench.task_of(60, 1).await;
    let young = bench.task_of(0, 0).await;
    bench.store.cancel_task(cancelled.task_uuid, &by()).await.unwrap();
    bench.store.resolve_task_manually(resolved.task_uuid, &by()).await.unwrap();
    for task in [&complete, &cancelled, &resolved] {
        bench.finished_days_ago(task, 31).await;
    }
    bench.finished_days_ago(&recent, 29).await;
    assert_eq!(bench.purge(100).await, (3, 1));
    for (task, stays) in
        [(complete, false), (cancelled, false), (resolved, false), (recent, true), (alive, true), (young, true)]
    {
        assert_eq!(bench.exists(&task).await, stays);
    }
}

#[tokio::test]
async fn a_task_goes_with_all_its_rows() {
    let bench = Bench::new().await;
    let task = batch(&bench, 3, 1, FailureStrategy::ContinueOnFailure).await;
    let worker = bench.claim_one().await;
    let checkpoint = Checkpoint { cursor: raw("1"), items_processed: 1, accumulated_results: None };
    bench.store.save_checkpoint(&worker.lease, &checkpoint).await.unwrap();
    bench.store.complete_steps(&[failed(&worker)]).await.unwrap();
    for _ in 0..3 {
        bench.complete(&[bench.claim_one().await]).await;
    }
    let kept = bench.task(&[("a", &[])]).await;
    bench.write_steps().await;
    bench.finished_days_ago(&task, 31).await;
    // Its key is of today, so what is old is measured by a shorter retention that its key passes.
    bench.pool.execute("update tasker.tasks set completed_at = completed_at - interval '1 day'").await.unwrap();
    let purged = bench.store.purge_tasks(Duration::ZERO, None, 10).await.unwrap();
    assert_eq!((purged.purged, purged.next), (1, None));
    assert!(bench.exists(&kept).await && !bench.exists(&task).await);
    for (table, left) in [
        ("steps", 1),
        ("edges", 0),
        ("attempts", 0),
        ("checkpoints", 0),
        ("batches", 0),
        ("transitions", 1),
        ("tasks", 1),
    ] {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from tasker.{table}")))
            .fetch_one(&bench.pool)
            .await
            .unwrap();
        assert_eq!(count, left, "{table}");
    }
}

#[tokio::test]
async fn a_task_under_investigation_stays_until_its_dead_letter_is_resolved() {
    let bench = Bench::new().await;
    let task = bench.task_of(60, 1).await;
    bench.pool.execute("update tasker.tasks set created_at = now() - interval '60 days'").await.unwrap();
    let thresholds =
        StalenessThresholds { waiting_for_dependencies: 1, waiting_for_retry: 1, steps_in_process: 1, lifetime: 1 };
    let stale = bench.store.detect_stale_tasks(None, 10, thresholds, false).await.unwrap().tasks.remove(0);
    bench.finished_days_ago(&task, 31).await;
    assert_eq!(bench.purge(100).await.0, 0);
    let resolved = DeadLetterUpdate {
        resolution_status: Some(Resolution::PermanentlyFailed),
        resolved_by: Some("grace".into()),
        ..DeadLetterUpdate::default()
    };
    bench.store.update_dead_letter(stale.dlq_entry_uuid.unwrap(), &resolved, "grace").await.unwrap();
    assert_eq!(bench.purge(100).await.0, 1);
    assert_eq!(bench.number("select count(*) from tasker.dead_letters").await, 0);
}

#[tokio::test]
async fn a_purge_goes_on_in_small_pages_and_passes_over_what_stays() {
    let bench = Bench::new().await;
    let mut old = Vec::new();
    for place in 0..25 {
        let task = bench.task_of(60, 0).await;
        if place % 5 != 0 {
            bench.finished_days_ago(&task, 31).await;
        }
        old.push(task);
    }
    let (purged, pages) = bench.purge(10).await;
    assert_eq!((purged, pages), (20, 3));
    assert!(bench.exists(&old[0]).await);
    assert_eq!(bench.purge(10).await.0, 0);
}

#[tokio::test]
async fn tasks_with_many_steps_make_smaller_pages() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        let task = bench.task_of(60, 45).await;
        bench.store.cancel_task(task.task_uuid, &by()).await.unwrap();
        bench.finished_days_ago(&task, 31).await;
    }
    // A page of two tasks takes no second one when the first has more than forty steps.
    assert_eq!(bench.purge(2).await, (3, 3));
    assert_eq!(bench.number("select count(*) from tasker.steps").await, 0);
}

#[tokio::test]
async fn many_hosts_purge_at_once() {
    let bench = Bench::with_connections(6).await;
    let tasks: Vec<_> = (0..60).map(|_| NewTask { task_uuid: key_of(60), ..bench.plan(&[]) }).collect();
    bench.store.create_tasks(&tasks).await.unwrap();
    bench.pool.execute("update tasker.tasks set completed_at = now() - interval '31 days'").await.unwrap();
    let purged = futures::future::join_all((0..5).map(|_| bench.purge(7))).await;
    assert_eq!(purged.iter().map(|(purged, _)| purged).sum::<u32>(), 60);
}

#[tokio::test]
async fn old_archives_and_events_go_and_waiting_work_stays() {
    let bench = Bench::new().await;
    bench
        .pool
        .execute(
            "select pgmq.create('bakery_domain_events'), pgmq.create('bakery_domain_events_dlq'), pgmq.create('another');
            select pgmq.send(queue, '{}') from unnest(array['bakery_domain_events', 'bakery_domain_events_dlq', 'another',
                'worker_bakery_queue']) queue, generate_series(1, 6);
            select pgmq.archive(queue, n) from unnest(array['bakery_domain_events', 'another', 'worker_bakery_queue']) queue,
                generate_series(1, 4) n;
            update pgmq.a_worker_bakery_queue set archived_at = now() - interval '8 days' where msg_id <= 3;
            update pgmq.a_another set archived_at = now() - interval '8 days';
            update pgmq.q_worker_bakery_queue set enqueued_at = now() - interval '8 days';
            update pgmq.a_bakery_domain_events set archived_at = now() - interval '3 days' where msg_id <= 2;
            update pgmq.q_bakery_domain_events set enqueued_at = now() - interval '3 days' where msg_id = 5;
            update pgmq.q_bakery_domain_events_dlq set enqueued_at = now() - interval '3 days' where msg_id <= 5",
        )
        .await
        .unwrap();
    let first = bench.store.purge_messages(DAY * 7, DAY * 2, 2).await.unwrap();
    assert_eq!((first.purged, first.more), (2 + 2 + 1 + 2, true));
    let mut purged = 0;
    while {
        let page = bench.store.purge_messages(DAY * 7, DAY * 2, 2).await.unwrap();
        purged += page.purged;
        page.more
    } {}
    assert_eq!(purged, 1 + 3);
    for (table, left) in [
        ("a_worker_bakery_queue", 1),
        ("q_worker_bakery_queue", 2),
        ("a_bakery_domain_events", 2),
        ("q_bakery_domain_events", 1),
        ("q_bakery_domain_events_dlq", 1),
        ("a_another", 4),
    ] {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from pgmq.{table}")))
            .fetch_one(&bench.pool)
            .await
            .unwrap();
        assert_eq!(count, left, "{table}");
    }
}
