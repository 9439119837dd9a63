//! The API as its own document describes it. Schemathesis reads the document, makes requests of what it allows and of what
//! it does not, and holds every answer to it; `tests/schemathesis/schemathesis.toml` says how.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::process::Stdio;
use std::time::Duration;

use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, run_cli, wait_for, workspace};
use tokio::process::Command;

/// A run takes half a minute on two idle cores.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whatever state a task is in, it has a dead letter then.
const GIVE_UP_ALL: &str = "insert into tasker.dead_letters (dlq_entry_uuid, task_uuid, original_state, dlq_reason,
        dlq_timestamp, task_snapshot, metadata, created_at, updated_at)
    select gen_random_uuid(), task_uuid, state, 'manual_dlq', now(), tasker.task_snapshot(task_uuid), '{}', now(), now()
    from tasker.tasks";

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let home = workspace().join("target/schemathesis");
    assert!(home.join("installed").exists(), "{} is missing: run `make schemathesis`", home.display());
    let database = TestDatabase::create().await;
    let config = "[orchestration.web.auth]\nenabled = true\n";
    let host = HostProcess::start(&database, Settings { packages: &["linear", "probe"], config }).await;
    let (code, key, err) = run_cli(Some(&database), &["api-key", "create", "a-test", "--permission", "*"]).await;
    assert_eq!(code, 0, "{err}");
    let api = host.api().with("x-api-key", key.trim());

    // Tasks that are over, and tasks that somebody could still do something about.
    for (namespace, template, context, state) in [
        ("linear_workflow", "mathematical_sequence", r#"{"even_number": 6}"#, "complete"),
        ("probe", "refuse", "{}", "blocked_by_failures"),
    ] {
        for task in create_tasks(&database.store, namespace, template, context, 8).await {
            wait_for(&database.store, task, &[state]).await;
        }
    }
    sqlx::raw_sql(GIVE_UP_ALL).execute(database.pool()).await.unwrap();
    let letter = &api.get("/v1/dlq?limit=1").await.ok()[0];

    let mut schemathesis = Command::new(home.join("bin/schemathesis"));
    schemathesis.arg("--config-file").arg(workspace().join("tests/schemathesis/schemathesis.toml"));
    schemathesis.arg("run").arg(format!("http://{}/api-docs/openapi.json", api.address()));
    schemathesis.env("API_KEY", key.trim()).env("NO_PROXY", "127.0.0.1");
    schemathesis.env("DLQ_ENTRY_UUID", letter["dlq_entry_uuid"].as_str().unwrap());
    schemathesis.env("DLQ_TASK_UUID", letter["task_uuid"].as_str().unwrap());
    // It leaves its notes where it runs.
    schemathesis.current_dir(&home).stdin(Stdio::null()).kill_on_drop(true);
    let run =
        tokio::time::timeout(PATIENCE, schemathesis.output()).await.expect("schemathesis comes to an end").unwrap();
    let said = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert_eq!(run.status.code(), Some(0), "{said}");
    database.drop().await;
}
