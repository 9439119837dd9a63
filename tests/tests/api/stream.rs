//! The stream of changes.

use serde_json::json;
use tasker_wasm_tests::TestDatabase;

use super::shared::{GUARDED, host, key, linear, request};

#[tokio::test]
async fn the_changes_of_a_task_are_told_once_in_order_and_go_on_after_the_last_one_told() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let task = api.post("/v1/tasks", &linear(json!({"even_number": 6}))).await.ok();
    let path = format!("/v1/events?task_uuid={}", task["task_uuid"].as_str().unwrap());

    let mut events = api.events(&path).await;
    let mut told = Vec::new();
    loop {
        let event = events.next().await;
        told.push(event.clone());
        if event.kind == "task" && event.data["to_state"] == "complete" {
            break;
        }
    }
    let states = |step: &str| -> Vec<String> {
        let of_step = told.iter().filter(|event| event.data["step"] == step);
        of_step.map(|event| event.data["to_state"].as_str().unwrap().to_owned()).collect()
    };
    for step in ["linear_step_1", "linear_step_4"] {
        assert_eq!(states(step).last().map(String::as_str), Some("complete"), "{told:?}");
    }
    let mut ids: Vec<_> = told.iter().map(|event| event.id.clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), told.len(), "each change is told once");

    // Cut off in the middle: the rest comes, and nothing else.
    let middle = told.len() / 2;
    let mut rest = api.clone().with("last-event-id", &told[middle].id).events(&path).await;
    for expected in &told[middle + 1..] {
        assert_eq!(rest.next().await.id, expected.id);
    }
    database.drop().await;
}

#[tokio::test]
async fn a_tenants_stream_has_its_own_changes_only() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, GUARDED).await;
    let all = api.clone().with("x-api-key", &key(&database, "*", &[]).await);
    let tenant = api.clone().with("x-api-key", &key(&database, "*", &["linear_workflow"]).await);
    let mut events = tenant.events("/v1/events").await;
    let mut asked = tenant.events("/v1/events?namespace=probe").await;
    let theirs = all.post("/v1/tasks", &request("probe", "sleep", json!({"ms": 1}))).await.ok();
    all.post("/v1/tasks", &linear(json!({"even_number": 2}))).await.ok();
    for _ in 0..8 {
        assert_eq!(events.next().await.data["namespace"], "linear_workflow");
    }
    let of_theirs = format!("/v1/events?task_uuid={}", theirs["task_uuid"].as_str().unwrap());
    assert_eq!(tenant.get(&of_theirs).await.status.as_u16(), 404);
    // Nothing was told to the one who asked for another's namespace, while eight changes were to the other.
    assert!(asked.is_silent().await);
    database.drop().await;
}

#[tokio::test]
async fn streams_are_bounded_and_end_when_the_host_drains() {
    let database = TestDatabase::create().await;
    let (host, api) = host(&database, "[orchestration.web]\nmax_event_streams = 1\n").await;
    let mut events = api.events("/v1/events").await;
    let second = api.get("/v1/events").await;
    assert_eq!((second.status.as_u16(), second.code()), (503, "BACKPRESSURE"));
    assert_eq!(second.headers["retry-after"], "1");
    host.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(events.has_ended().await);
    let (status, log) = host.ended().await;
    assert!(status.success(), "{log}");
    database.drop().await;
}
