use std::time::Duration;

use serde_json::{Value, json};
use tasker_wasm_host::store::{TaskFilter, TaskState};
use uuid::Uuid;

use super::support::{Bench, failed, plan, succeeded, template_of, to_be_retried};

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
        let filter = TaskFilter { namespace: namespace.map(Into::into), status, limit };
        let store = bench.store.clone();
        async move {
            let listed = store.list_tasks(&filter).await.unwrap();
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
