//! No operation tells a tenant anything of another.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tasker_wasm_tests::{ApiClient, TestDatabase, wait_for};
use uuid::Uuid;

use super::shared::{GUARDED, host, key, linear, request};

/// Operations of which everybody is told the same.
const FOR_ALL: [&str; 5] = ["/health", "/health/live", "/health/ready", "/health/detailed", "/metrics/events"];

#[tokio::test]
async fn no_operation_tells_a_tenant_of_another_or_lets_it_change_anything() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, GUARDED).await;
    let all = api.clone().with("x-api-key", &key(&database, "*", &[]).await);
    let intruder = api.clone().with("x-api-key", &key(&database, "*", &["linear_workflow"]).await);

    // What the other one has: a failed task with a dead letter, and somebody's note on it.
    let mut theirs = request("probe", "fails", json!({"secret": "the-context"}));
    theirs["initiator"] = json!("the-initiator");
    let task = all.post("/v1/tasks", &theirs).await.ok();
    let uuid: Uuid = task["task_uuid"].as_str().unwrap().parse().unwrap();
    wait_for(&database.store, uuid, &["blocked_by_failures"]).await;
    let step = all.get(&format!("/v1/tasks/{uuid}/workflow_steps")).await.ok()[0]["step_uuid"].clone();
    sqlx::query("update tasker.tasks set created_at = now() - interval '30 days'")
        .execute(database.pool())
        .await
        .unwrap();
    let thresholds = tasker_wasm_host::store::StalenessThresholds {
        waiting_for_dependencies: 1,
        waiting_for_retry: 1,
        steps_in_process: 1,
        lifetime: 60,
    };
    let stale = database.store.detect_stale_tasks(None, 10, thresholds, false).await.unwrap();
    let letter = stale.tasks[0].dlq_entry_uuid.unwrap();
    all.post("/v1/namespaces/probe/pause", &json!({"reason": "the-reason"})).await.ok();
    // And the tenant something of its own, so that its lists are not empty.
    intruder.post("/v1/tasks", &linear(json!({"even_number": 2}))).await.ok();

    let real = BTreeMap::from([
        ("task_uuid", uuid.to_string()),
        ("step_uuid", step.as_str().unwrap().to_owned()),
        ("dlq_entry_uuid", letter.to_string()),
        ("namespace", "probe".to_owned()),
        ("name", "fails".to_owned()),
        ("version", "1.0.0".to_owned()),
    ]);
    let nobodys = BTreeMap::from([
        ("task_uuid", Uuid::now_v7().to_string()),
        ("step_uuid", Uuid::now_v7().to_string()),
        ("dlq_entry_uuid", Uuid::now_v7().to_string()),
        ("namespace", "nowhere".to_owned()),
        ("name", "nothing".to_owned()),
        ("version", "9.9.9".to_owned()),
    ]);
    let marks: Vec<String> = ["the-context", "the-initiator", "the-reason", "probe"]
        .into_iter()
        .map(str::to_owned)
        .chain(["task_uuid", "step_uuid", "dlq_entry_uuid"].into_iter().map(|id| real[id].clone()))
        .collect();
    let before = state(&all, &real).await;

    let document = api.get("/api-docs/openapi.json").await.ok();
    let mut walked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if FOR_ALL.contains(&path.as_str()) || path == "/v1/events" {
                continue;
            }
            walked += 1;
            let call = async |values: &BTreeMap<&str, String>| {
                let method = method.to_uppercase().parse().unwrap();
                intruder.send(method, &filled(path, values), body(path, operation)).await
            };
            let answer = call(&real).await;
            let mut text = answer.body.to_string();
            if path.contains('{') {
                assert!([403, 404].contains(&answer.status.as_u16()), "{method} {path}: {answer:?}");
                // As if it were not there: the words are the same but for what was asked for.
                let absent = call(&nobodys).await;
                assert_eq!(
                    (answer.status, answer.code(), generic(answer.message(), &real)),
                    (absent.status, absent.code(), generic(absent.message(), &nobodys)),
                    "{method} {path}"
                );
                text = generic(&text, &real);
            } else {
                assert!(answer.status.is_success() || answer.status.as_u16() == 403, "{method} {path}: {answer:?}");
            }
            for mark in &marks {
                assert!(!text.contains(mark.as_str()), "{method} {path} tells of {mark}: {text}");
            }
        }
    }
    assert!(walked >= 30, "{walked} operations");
    assert_eq!(state(&all, &real).await, before, "nothing of the other one has changed");

    // Asking for the other one's by name finds nothing either.
    for path in [
        "/v1/tasks?namespace=probe",
        "/v1/tasks?initiator=the-initiator",
        "/v1/templates?namespace=probe",
        "/v1/dlq?namespace=probe",
        "/v1/usage?namespace=probe",
    ] {
        let answer = intruder.get(path).await.ok();
        let text = answer.to_string().replace("\"supported_namespaces\":[\"linear_workflow\"]", "");
        assert!(marks.iter().all(|mark| !text.contains(mark.as_str())), "{path}: {text}");
    }
    let counted = intruder.get("/v1/tasks?initiator=the-initiator").await.ok();
    assert_eq!(counted["pagination"]["total_count"], 0);
    let created = intruder.post("/v1/tasks", &theirs).await;
    let mut unknown = theirs.clone();
    unknown["namespace"] = json!("nowhere");
    let absent = intruder.post("/v1/tasks", &unknown).await;
    assert_eq!(created.status, absent.status);
    assert_eq!(created.message().replace("probe", "nowhere"), absent.message());
    database.drop().await;
}

/// What the other one has.
async fn state(all: &ApiClient, real: &BTreeMap<&str, String>) -> Vec<Value> {
    let mut state = Vec::new();
    for path in [
        "/v1/tasks/{task_uuid}",
        "/v1/tasks/{task_uuid}/workflow_steps",
        "/v1/dlq/entry/{dlq_entry_uuid}",
        "/v1/namespaces",
        "/v1/audit",
    ] {
        let mut answer = all.get(&filled(path, real)).await.ok();
        if path == "/v1/namespaces" {
            answer.as_array_mut().unwrap().retain(|namespace| namespace["name"] == "probe");
        }
        state.push(answer);
    }
    state
}

fn filled(path: &str, values: &BTreeMap<&str, String>) -> String {
    values.iter().fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
}

/// Text in which what was asked for is replaced by its kind.
fn generic(text: &str, values: &BTreeMap<&str, String>) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(value.as_str(), name))
}

/// A body that the operation would take.
fn body(path: &str, operation: &Value) -> String {
    if operation["requestBody"].is_null() {
        return String::new();
    }
    match path {
        "/v1/tasks" => linear(json!({"even_number": 4})),
        "/v1/dlq/entry/{dlq_entry_uuid}" => json!({"resolution_status": "cancelled", "resolved_by": "mallory"}),
        "/v1/namespaces/{namespace}/pause" => json!({"reason": "mallory was here"}),
        "/v1/namespaces/{namespace}/limit" => json!({"max_concurrent": 1}),
        "/v1/tasks/{task_uuid}/workflow_steps/{step_uuid}" => {
            json!({"action_type": "resolve_manually", "reason": "mallory was here", "resolved_by": "mallory"})
        }
        other => panic!("no body is known for {other}: add one"),
    }
    .to_string()
}
