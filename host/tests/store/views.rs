use std::time::Duration;

use serde_json::{Value, json};
use tasker_wasm_host::store::{Checkpoint, NewTask, TaskFilter, TaskState};
use uuid::Uuid;

use super::support::{Bench, failed, plan, raw, succeeded, template_of, to_be_retried};
use super::within::all;

#[tokio::test]
async fn a_task_is_shown_with_its_steps_counted() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[]), ("c", &[0]), ("d", &[1])]).await;
    let claimed = bench.claim(2).await;
    bench.complete(&claimed[..1]).await;
    let view = serde_json::to_value(bench.store.task(task.task_uuid).await.unwrap().unwrap()).unwrap();
    let expected = json!({
        "task_uuid": task.task_uuid, "name": "bread", "namespace": "bakery", "version": "1.0.0",
        "status": "steps_in_process", "completed_at": null, "context": {"loaves": 3}, "initiator": "ada",
        "source_system": "test", "reason": "hunger", "priority": 0, "tags": ["rye"],
        "correlation_id": task.correlation_id, "total_steps": 4, "pending_steps": 1, "in_progress_steps": 2,
        "completed_steps": 1, "failed_steps": 0, "ready_steps": 0, "execution_status": "processing",
        "recommended_action": "wait_for_completion", "completion_percentage": 25.0, "health_status": "healthy",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&view[name], value, "{name}");
    }
    assert!(bench.store.task(Uuid::now_v7()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_completed_step_shows_the_result_as_the_contract_words_it() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0])]).await;
    bench.complete(&bench.claim(1).await).await;
    let steps = serde_json::to_value(bench.store.steps(task.task_uuid).await.unwrap()).unwrap();
    let (a, b) = (&steps[0], &steps[1]);

    assert_eq!(a["current_state"], "complete");
    let results = &a["results"];
    assert_eq!((&results["success"], &results["status"]), (&json!(true), &json!("completed")));
    assert_eq!(results["result"], json!({"made by": "a"}));
    assert_eq!(results["metadata"]["execution_time_ms"], 3);
    assert_eq!(results["metadata"]["custom"], json!({"crust": "thin"}));
    assert!(results.get("error").is_none());
    assert_eq!(a["last_attempt"]["fuel"], 1_000);
    assert_eq!(a["completed_at"], a["updated_at"]);

    assert_eq!((&b["results"], &b["last_attempt"]), (&Value::Null, &Value::Null));
    assert_eq!((&b["dependencies"], &b["dependencies_satisfied"]), (&json!(["a"]), &json!(true)));
    assert_eq!((&b["total_parents"], &b["completed_parents"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_failed_step_shows_its_error_and_the_sum_of_its_attempts() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await;
    let first = bench.claim_one().await;
    bench.store.complete_steps(&[to_be_retried(&first, Duration::ZERO)]).await.unwrap();
    let waiting = bench.store.steps(task.task_uuid).await.unwrap().remove(0);
    assert!(waiting.next_retry_at.is_some() && waiting.ready_for_execution && waiting.retry_eligible);

    bench.store.enqueue_due(10).await.unwrap();
    let second = bench.claim_one().await;
    bench.store.complete_steps(&[failed(&second)]).await.unwrap();
    let step = serde_json::to_value(bench.store.steps(task.task_uuid).await.unwrap().remove(0)).unwrap();
    assert_eq!((&step["current_state"], &step["attempts"]), (&json!("error"), &json!(2)));
    assert_eq!(step["attempt_totals"], json!({"count": 2, "fuel": 2_000, "guest_us": 400, "total_us": 6_000}));
    assert_eq!((&step["results"]["status"], &step["results"]["result"]), (&json!("failed"), &json!({})));
    assert_eq!(step["results"]["error"]["message"], "burnt");
    assert_eq!(step["results"]["metadata"]["error_code"], "E7");
    assert_eq!(step["results"]["metadata"]["retryable"], true);
    assert_eq!(step["last_failure_at"], step["last_attempt"]["finished_at"]);
}

#[tokio::test]
async fn a_success_after_a_retry_shows_no_error() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await;
    let first = bench.claim_one().await;
    bench.store.complete_steps(&[to_be_retried(&first, Duration::ZERO)]).await.unwrap();
    bench.store.enqueue_due(10).await.unwrap();
    let second = bench.claim_one().await;
    bench.store.complete_steps(&[succeeded(&second)]).await.unwrap();
    let step = bench.store.steps(task.task_uuid).await.unwrap().remove(0);
    assert!(step.results.unwrap().success);
    assert!(step.next_retry_at.is_none());
}

#[tokio::test]
async fn lists_are_newest_first_and_filtered() {
    let bench = Bench::new().await;
    let smithy = bench.store.register_template(&template_of("smithy")).await.unwrap();
    let tasks = [bench.plan(&[("a", &[])]), plan(smithy, "smithy", &[("b", &[])]), bench.plan(&[])];
    bench.store.create_tasks(&tasks).await.unwrap();
    let list = |namespace: Option<&str>, status, limit| {
        let namespaces = namespace.map(|name| vec![name.to_owned()]);
        let filter = TaskFilter { namespaces, status, limit, ..TaskFilter::default() };
        let store = bench.store.clone();
        async move {
            let listed = all(store.tasks_within(&filter, usize::MAX).await.unwrap());
            listed.into_iter().map(|task| task.task_uuid).collect::<Vec<_>>()
        }
    };
    let [first, second, third] = tasks.map(|task| task.task_uuid);
    assert_eq!(list(None, None, 10).await, [third, second, first]);
    assert_eq!(list(None, None, 1).await, [third]);
    assert_eq!(list(Some("bakery"), None, 10).await, [third, first]);
    assert_eq!(list(None, Some(TaskState::Complete), 10).await, [third]);
    assert_eq!(list(Some("smithy"), Some(TaskState::StepsInProcess), 10).await, [second]);
}

#[tokio::test]
async fn a_task_whose_only_hope_is_a_retry_is_seen_and_found_as_waiting_for_it() {
    let bench = Bench::new().await;
    let waiting = bench.task(&[("a", &[]), ("b", &[0])]).await;
    let retry = to_be_retried(&bench.claim_one().await, Duration::from_secs(3_600));
    bench.store.complete_steps(&[retry]).await.unwrap();
    let running = bench.task(&[("a", &[])]).await;
    let found = async |status| {
        let filter = TaskFilter { status: Some(status), limit: 10, ..TaskFilter::default() };
        let listed = all(bench.store.tasks_within(&filter, usize::MAX).await.unwrap());
        listed.into_iter().map(|task| (task.task_uuid, task.status)).collect::<Vec<_>>()
    };
    let retrying = TaskState::WaitingForRetry;
    assert_eq!(found(retrying).await, [(waiting.task_uuid, retrying)]);
    assert_eq!(found(TaskState::StepsInProcess).await, [(running.task_uuid, TaskState::StepsInProcess)]);
    assert!(found(TaskState::WaitingForDependencies).await.is_empty());
}

#[tokio::test]
async fn a_step_shows_its_progress_and_its_newest_checkpoints() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await;
    let first = bench.claim_one().await;
    bench.lapse_leases().await;
    let step = bench.store.steps(task.task_uuid).await.unwrap().remove(0);
    assert!(step.checkpoint.is_none() && step.checkpoint_history.is_none());
    let second = bench.claim_one().await;
    assert_eq!(bench.store.steps(task.task_uuid).await.unwrap()[0].lapses, 1);
    assert!(first.lease.claim < second.lease.claim);
    for done in 1..=103 {
        let checkpoint =
            Checkpoint { cursor: raw(&done.to_string()), items_processed: done, accumulated_results: Some(raw("{}")) };
        assert!(bench.store.save_checkpoint(&second.lease, &checkpoint).await.unwrap().is_some());
    }
    let step = serde_json::to_value(bench.store.steps(task.task_uuid).await.unwrap().remove(0)).unwrap();
    assert_eq!((&step["checkpoint"]["cursor"], &step["lapses"]), (&json!(103), &json!(0)));
    let history = step["checkpoint_history"].as_array().unwrap();
    assert_eq!((history.len(), &history[0]["cursor"], &history[99]["items_processed"]), (100, &json!(4), &json!(103)));
    assert_eq!(history[0]["attempt"], 1);
}

#[tokio::test]
async fn a_task_shows_the_correlation_of_what_caused_it() {
    let bench = Bench::new().await;
    let task = NewTask { parent_correlation_id: Some(Uuid::now_v7()), ..bench.plan(&[]) };
    bench.store.create_tasks(std::slice::from_ref(&task)).await.unwrap();
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!(view.parent_correlation_id, task.parent_correlation_id);
}
