//! Templates, tasks and the ends of steps, made from a test, and waiting until tasks have come to rest.

use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use serde_json::value::RawValue;
use tasker_wasm_host::host::register_template;
use tasker_wasm_host::orchestration::create::{TaskRequest, plan_task};
use tasker_wasm_host::store::{
    AttemptRecord, ClaimRequest, ClaimedStep, Completion, Lease, MessageId, NewTask, Store, TaskView, TemplateRow,
    Usage, Verdict,
};
use tasker_wasm_host::template::{self, LoadedTemplate};
use uuid::Uuid;

/// Longer than anything takes.
pub const LEASE: Duration = Duration::from_secs(600);

/// The row of a template, registered if it is new.
///
/// # Errors
///
/// The database refuses.
pub async fn registered(store: &Store, loaded: &LoadedTemplate) -> anyhow::Result<TemplateRow> {
    let uuid = register_template(store, loaded).await?;
    store.template(uuid).await?.context("the template was registered")
}

/// A template of one step that calls `callable` and is not tried again, registered if it is new.
///
/// # Errors
///
/// The database refuses.
pub async fn one_step(store: &Store, namespace: &str, callable: &str) -> anyhow::Result<TemplateRow> {
    let name = callable.replace('.', "_").to_lowercase();
    let text = format!(
        "name: {name}\nnamespace_name: {namespace}\nversion: 1.0.0\nsteps:\n  - name: only\n    handler:\n      \
         callable: {callable}\n    retry:\n      retryable: false\n"
    );
    let parsed = template::parse(&name, &text)?;
    let digest = template::digest(&parsed.template);
    let loaded = LoadedTemplate { path: name.into(), digest, template: parsed.template, warnings: parsed.warnings };
    registered(store, &loaded).await
}

/// A task of a template that is none of those before, though its context may be the same.
///
/// # Errors
///
/// The context is not JSON, or not what the template takes.
pub fn task(template: &TemplateRow, context: &str) -> anyhow::Result<NewTask> {
    let request = TaskRequest {
        name: template.name.clone(),
        namespace: template.namespace.clone(),
        version: None,
        context: RawValue::from_string(context.into())?,
        initiator: "test".into(),
        source_system: "tests".into(),
        reason: "a test".into(),
        tags: Vec::new(),
        priority: 0,
        correlation_id: None,
        parent_correlation_id: None,
        idempotency_key: Some(Uuid::now_v7().to_string()),
    };
    Ok(plan_task(template, request, "test")?)
}

/// Creates `count` tasks of a registered template in one commit and wakes the hosts.
///
/// # Panics
///
/// If the template is not registered or the database refuses.
pub async fn create_tasks(store: &Store, namespace: &str, name: &str, context: &str, count: usize) -> Vec<Uuid> {
    let template = store.find_template(namespace, name, None).await.expect("the database answers");
    let template = template.unwrap_or_else(|| panic!("no host has registered {namespace}/{name}"));
    let tasks: Vec<_> = (0..count).map(|_| task(&template, context).expect("the template can be planned")).collect();
    store.create_tasks(&tasks).await.expect("the tasks can be created");
    store.notify_work().await.expect("the hosts can be woken");
    tasks.iter().map(|task| task.task_uuid).collect()
}

/// A claim of so many steps of one namespace; no lease of them lapses while something is tested.
pub fn claim_of(namespace: &str, limit: u32) -> ClaimRequest {
    ClaimRequest {
        namespaces: vec![namespace.to_owned()],
        places: Vec::new(),
        limit,
        host: "test".into(),
        lease: LEASE,
    }
}

/// The end of a step that went well, without a handler.
///
/// # Panics
///
/// Never: what it holds is JSON.
pub fn succeeded(step: &ClaimedStep) -> Completion {
    let json = |text: &str| RawValue::from_string(text.to_owned()).expect("it is JSON");
    Completion {
        lease: step.lease.clone(),
        verdict: Verdict::Complete { result: json(r#"{"result": 36}"#) },
        metadata: json("{}"),
        attempt: AttemptRecord {
            outcome: "completed".into(),
            error_type: None,
            host: "test".into(),
            started_at: Utc::now(),
            finished_at: Utc::now(),
            usage: Usage::default(),
            log: None,
        },
        growth: None,
        events: None,
    }
}

/// The ends of all steps of a task of which `first` is claimed, without handlers.
///
/// # Panics
///
/// Never: what they hold is JSON.
pub fn all_succeeded(first: &ClaimedStep, task: &NewTask) -> Vec<Completion> {
    let ends = task.steps.iter().map(|step| {
        let is_first = step.step_uuid == first.lease.step_uuid;
        let message_id = if is_first { first.lease.message_id.clone() } else { MessageId::default() };
        let lease = Lease { step_uuid: step.step_uuid, message_id, ..first.lease.clone() };
        Completion { lease, ..succeeded(first) }
    });
    ends.collect()
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
