//! Creating tasks from a test and waiting until they have come to rest.

use std::time::Duration;

use serde_json::value::RawValue;
use tasker_wasm_host::orchestration::create::{TaskRequest, plan_task};
use tasker_wasm_host::store::{Store, TaskView};
use uuid::Uuid;

/// Creates `count` tasks of a registered template in one commit and wakes the hosts.
///
/// # Panics
///
/// If the template is not registered or the database refuses.
pub async fn create_tasks(store: &Store, namespace: &str, name: &str, context: &str, count: usize) -> Vec<Uuid> {
    let template = store.find_template(namespace, name, None).await.expect("the database answers");
    let template = template.unwrap_or_else(|| panic!("no host has registered {namespace}/{name}"));
    let request = TaskRequest {
        name: name.into(),
        namespace: namespace.into(),
        version: None,
        context: RawValue::from_string(context.into()).expect("the context is JSON"),
        initiator: "test".into(),
        source_system: "tests".into(),
        reason: "a test".into(),
        tags: Vec::new(),
        priority: 0,
        correlation_id: None,
        parent_correlation_id: None,
        idempotency_key: None,
    };
    // Each is a task of its own, though the context is the same.
    let request = || TaskRequest { idempotency_key: Some(Uuid::now_v7().to_string()), ..request.clone() };
    let tasks: Vec<_> =
        (0..count).map(|_| plan_task(&template, request(), "test").expect("the template can be planned")).collect();
    store.create_tasks(&tasks).await.expect("the tasks can be created");
    store.notify_work().await.expect("the hosts can be woken");
    tasks.iter().map(|task| task.task_uuid).collect()
}

/// Waits until `task` is in one of `states`.
///
/// # Panics
///
/// If that does not happen within a minute.
pub async fn wait_for(store: &Store, task: Uuid, states: &[&str]) -> TaskView {
    for _ in 0..6000 {
        let view = store.task(task).await.expect("the database answers").expect("the task exists");
        if states.contains(&view.status.as_str()) {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let steps = store.steps(task).await.expect("the database answers");
    panic!("task {task} never came to one of {states:?}: {steps:#?}");
}
