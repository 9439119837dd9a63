//! Who may do what.

use serde_json::{Value, json};
use tasker_wasm_tests::{TestDatabase, run_cli};
use uuid::Uuid;

use super::shared::{GUARDED, host, key, linear};

#[tokio::test]
async fn a_key_opens_what_it_was_made_for_in_its_namespaces_and_nothing_else() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, GUARDED).await;
    let all = api.clone().with("x-api-key", &key(&database, "*", &[]).await);
    let probe = api.clone().with("x-api-key", &key(&database, "*", &["probe"]).await);
    let reader = api.clone().with("x-api-key", &key(&database, "tasks:read", &["linear_workflow"]).await);
    let task = all.post("/v1/tasks", &linear(json!({"even_number": 4}))).await.ok();
    let path = format!("/v1/tasks/{}", task["task_uuid"].as_str().unwrap());

    for (answer, status) in [
        (api.get(&path).await, 401),
        (api.clone().with("x-api-key", "twh_no_key").get(&path).await, 401),
        (reader.get(&path).await, 200),
        (reader.delete(&path).await, 403),
        (reader.get("/v1/tasks").await, 403),
        (all.get(&path).await, 200),
    ] {
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    }
    assert_eq!(reader.get(&path).await.ok()["context"], json!({}), "contexts need a permission of their own");

    let step = all.get(&format!("{path}/workflow_steps")).await.ok()[0]["step_uuid"].as_str().unwrap().to_owned();
    let nowhere = format!("/v1/tasks/{}", Uuid::now_v7());
    for below in ["", "/workflow_steps", &format!("/workflow_steps/{step}"), &format!("/workflow_steps/{step}/audit")] {
        let theirs = probe.get(&format!("{path}{below}")).await;
        let nobodys = probe.get(&format!("{nowhere}{below}")).await;
        assert_eq!((theirs.status.as_u16(), theirs.code()), (404, "NOT_FOUND"), "{below}");
        let like = |message: &str, path: &str| message.replace(&path["/v1/tasks/".len()..], "TASK");
        assert_eq!(like(theirs.message(), &path), like(nobodys.message(), &nowhere), "{below}");
    }
    assert_eq!(probe.delete(&path).await.status.as_u16(), 404);
    assert_eq!(probe.post("/v1/tasks", &linear(json!({}))).await.status.as_u16(), 404);
    let listed = probe.get("/v1/tasks").await.ok();
    assert_eq!((&listed["tasks"], &listed["pagination"]["total_count"]), (&json!([]), &json!(0)));
    assert_eq!(probe.get("/v1/tasks?namespace=linear_workflow").await.ok()["pagination"]["total_count"], 0);
    let templates = probe.get("/v1/templates").await.ok();
    assert!(templates["templates"].as_array().unwrap().iter().all(|template| template["namespace"] == "probe"));
    assert_eq!(probe.get("/v1/templates/linear_workflow/mathematical_sequence/1.0.0").await.status.as_u16(), 404);
    database.drop().await;
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_any_more() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, GUARDED).await;
    let text = key(&database, "tasks:list", &[]).await;
    let api = api.with("x-api-key", &text);
    api.get("/v1/tasks").await.ok();

    let (_, listed, _) = run_cli(Some(&database), &["api-key", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert!(!listed.to_string().contains(text.rsplit('_').next().unwrap()), "no list shows a secret");
    let identifier = listed[0]["key_uuid"].as_str().unwrap();
    let (code, _, err) = run_cli(Some(&database), &["api-key", "revoke", identifier]).await;
    assert_eq!(code, 0, "{err}");

    assert_eq!(api.get("/v1/tasks").await.code(), "UNAUTHORIZED");
    let (code, _, err) = run_cli(Some(&database), &["api-key", "revoke", identifier]).await;
    assert!(code == 1 && err.contains("api-key list"), "{err}");
    database.drop().await;
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_unless_callers_say_who_they_are() {
    let database = TestDatabase::create().await;
    let config = tempfile::NamedTempFile::new().unwrap();
    let run = async |settings: &str| {
        std::fs::write(&config, settings).unwrap();
        let arguments = ["run", "--config", config.path().to_str().unwrap()];
        run_cli(Some(&database), &arguments).await
    };
    let (code, _, err) = run("[orchestration.web]\nbind_address = \"0.0.0.0:0\"\n").await;
    assert_eq!(code, 3);
    assert!(err.contains("allow_unauthenticated") && err.contains("0.0.0.0:0"), "{err}");
    database.drop().await;
}
